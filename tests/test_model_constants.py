"""Every constant of the model can be replaced, acts, keeps its type and bounds, and is listed in the manifest."""

import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import effects as x
import numpy as np
import pytest

import goldenhour
from engine import scenario as scenario_api
from engine.arrivals import plan_arrivals
from engine.codes import NONE
from engine.compile import TABLE_BUILDERS
from engine.compile.treatments import compile_treatments
from engine.compile.vital_signs import compile_vital_signs
from engine.errors import ScenarioError
from engine.measures.consumption import consumption_rates
from engine.scenario.constants import MODEL_FILES, NOT_CONSTANTS
from goldenhour.__main__ import run
from scenarios.tables import model_parameters

FIXED = ("casualties.wounds.maximum", "consumption.items")
EVERY_TYPE = {
    "name": "all",
    "environment": ["extreme_cold"],
    "expectant": True,
    "treatments": {"prehospital_blood": {"available": True}},
    "warfare": [{"type": name} for name in scenario_api.WARFARE_TYPES],
    "events": [{"event": "ambush"}],
}
"""A scenario in which every constant acts, but for the type `standard`."""


def leaves(path: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if key in NOT_CONSTANTS or f"{path}.{key}" in FIXED:
            continue
        if isinstance(value, Mapping):
            yield from leaves(f"{path}.{key}", value)
        else:
            yield f"{path}.{key}", value


PATHS = {path: value for name in MODEL_FILES for path, value in leaves(name, model_parameters(name))}


def nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def replaced(path: str) -> dict[str, Any]:
    """A scenario's table `model` in which a constant has another value, within its bounds."""
    if ".mechanisms." in path and path.startswith("casualties.types."):
        above, name = path.rsplit(".", 1)
        rest = "explosion" if name == "gunshot" else "gunshot"
        return nested(above, {name: PATHS[path] + 0.01, rest: PATHS[f"{above}.{rest}"] - 0.01})
    return nested(path, other(path, PATHS[path]))


def other(path: str, value: Any) -> Any:
    if path == "casualties.agent.triage":
        return [2, 3, 1, 1]
    if isinstance(value, list):
        if isinstance(value[0], (int, float)) and math.isclose(sum(value), 1.0):
            first, second = (
                (place for place, one in enumerate(value) if one) if sum(map(bool, value)) == 2 else (0, 1)
            )
            return [one + {first: -0.01, second: 0.01}.get(place, 0.0) for place, one in enumerate(value)]
        return [other(path, one) for one in value]
    if isinstance(value, int):
        return value - 1 if value > 1 else value + 1
    return value * 0.9 if value else 0.1


def scenario_of(settings: dict[str, Any]) -> scenario_api.Scenario:
    return scenario_api.parse(json.dumps(settings).encode(), "json")


def compiled(name: str, settings: dict[str, Any]) -> bytes:
    """All that a file of constants may change in a scenario, as bytes."""
    scenario = scenario_of(settings)
    scenario_api.check(scenario)
    resolved = scenario_api.resolve(scenario)
    if name == "arrivals":
        plan = plan_arrivals(resolved)
        return b"".join(part.tobytes() for part in (plan.patterns, plan.cells, plan.sizes.probability))
    if name == "consumption":
        rates = consumption_rates(resolved)
        return rates.each.tobytes() + rates.hourly.tobytes() + bytes(str(rates.departure), "ascii")
    if name == "treatments":
        return compile_treatments(resolved).tobytes()
    if name == "vital_signs":
        return compile_vital_signs(resolved).tobytes()
    kinds = {
        "care": ("network", "care", "survival"),
        "casualties": ("injuries", "survival", "people"),
        "survival": ("survival",),
    }
    return b"".join(TABLE_BUILDERS[kind](resolved).tobytes() for kind in kinds[name])


@cache
def unchanged(name: str) -> bytes:
    return compiled(name, EVERY_TYPE)


@pytest.mark.parametrize("name", MODEL_FILES)
def test_every_constant_acts(name: str) -> None:
    idle = [
        path
        for path in PATHS
        if path.startswith(f"{name}.")
        and "types.standard" not in path
        and path != NEEDS_T1
        and compiled(name, {**EVERY_TYPE, "model": replaced(path)}) == unchanged(name)
    ]
    assert idle == []


NEEDS_T1 = "casualties.dnbi.lethal.psychological"
"""The lethal are among the T1, and the model has no psychological T1."""


def test_psychological_casualties_die_where_some_of_them_are_t1() -> None:
    some = {"triage": {"psychological": [0.1, 0.0, 0.9]}}
    shares = [{"psychological": share} for share in (0.0, 0.05)]
    models = [{"casualties": {"dnbi": {**some, "lethal": lethal}}} for lethal in shares]
    none, lethal = (compiled("casualties", {**EVERY_TYPE, "model": model}) for model in models)
    assert none != lethal


def test_lives_follow_the_constant() -> None:
    plain, halved = (
        x.run(3000, survival={"instant_death": 0.0}, model={"survival": {"lethality": {"minutes": minutes}}})
        for minutes in (43_500, 21_750)
    )
    lethal = plain.patients["lethal"] != NONE
    assert (lethal == (halved.patients["lethal"] != NONE)).all()
    times = [(r.patients["untreated_death"] - r.patients["onset"])[lethal] for r in (plain, halved)]
    assert np.allclose(times[0], 2.0 * times[1], atol=1.5)
    assert x.cfr(halved) > x.cfr(plain) + 0.005


def test_the_models_own_value_changes_nothing_and_is_noted() -> None:
    settings = {"model": {"survival": {"lethality": {"sigma": 0.9}}}}
    plain, same = x.run(1000), x.run(1000, **settings)
    assert all((plain.patients[name] == same.patients[name]).all() for name in plain.patients.dtype.names)
    assert any(note.startswith("model.survival.lethality.sigma: no effect") for note in x.notes(**settings))


@pytest.mark.parametrize(
    ("model", "place", "allowed"),
    [
        ({"survivl": {}}, "model.survivl", "did you mean 'survival'"),
        ({"survival.lethality.sigma": 1.0}, 'model["survival.lethality.sigma"]', "without quotes"),
        ({"care.toml": {}}, 'model["care.toml"]', "did you mean 'care'"),
        ({"survival": {"lethalty": {}}}, "model.survival.lethalty", "did you mean 'lethality'"),
        ({"survival": {"midpoint_nis": 1}}, "model.survival.midpoint_nis", "model.survival.lethality.midpoint_niss"),
        ({"survival": {"lethality": {"source": "me"}}}, "model.survival.lethality.source", "one of"),
        ({"survival": {"lethality": 1.0}}, "model.survival.lethality", "a table with some of"),
        ({"survival": {"lethality": {"sigma": "x"}}}, "model.survival.lethality.sigma", "from 0 to 3"),
        ({"survival": {"lethality": {"sigma": True}}}, "model.survival.lethality.sigma", "the model has 0.9"),
        ({"survival": {"lethality": {"sigma": 4}}}, "model.survival.lethality.sigma", "a number from 0 to 3"),
        ({"survival": {"lethality": {"minimum_niss": 9.5}}}, "model.survival.lethality.minimum_niss", "whole number"),
        ({"care": {"minutes": {"care": [10, 20]}}}, "model.care.minutes.care", "a list of 3 numbers"),
        ({"care": {"minutes": {"care": [30, 20, 40]}}}, "model.care.minutes.care", "low <= mode <= high"),
        ({"casualties": {"wounds": {"maximum": 30}}}, "model.casualties.wounds.maximum", "nothing"),
        ({"casualties": {"wounds": {"ais": {"ears": [0.9, 0.04, 0.06, 0, 0]}}}},
         "model.casualties.wounds.ais.ears[2]", "no diagnosis"),
        ({"casualties": {"wounds": {"ais": {"head": [0.5, 0.2, 0.1, 0.1, 0.0]}}}},
         "model.casualties.wounds.ais.head", "sum to 1"),
        ({"casualties": {"types": {"urban": {"mechanisms": {"gunshot": 0.5}}}}},
         "model.casualties.types.urban.mechanisms", "sum to 1"),
        ({"care": {"request": {"request_share": 0.9}}}, "model.care.request.request_share", "at most departure_share"),
    ],
)  # fmt: skip
def test_what_the_model_does_not_have_is_refused(model: dict[str, Any], place: str, allowed: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        x.notes(model=model)
    assert caught.value.place == place
    assert allowed in str(caught.value)


def test_constants_of_a_type_that_does_not_occur_are_noted() -> None:
    model = {"casualties": {"types": {"urban": {"instant_death": 0.2}}}}
    assert any("model.casualties.types.urban: no effect" in note for note in x.notes(model=model))
    assert not any("types.urban" in note for note in x.notes(model=model, warfare=[{"type": "urban"}]))


def test_a_scenario_with_constants_survives_being_shown_and_keeps_its_hash_without() -> None:
    settings = x.settings_of(
        500,
        model={"survival": {"lethality": {"sigma": 1.2}}},
        treatments={"tourniquet": {"available": False}},
    )
    written = scenario_of(settings)
    for commented in (False, True):
        read = scenario_api.parse(scenario_api.to_toml(written, commented).encode(), "toml")
        assert read == written
    plain = scenario_of(x.settings_of(500))
    assert scenario_api.scenario_hash(plain) != scenario_api.scenario_hash(written)
    again = scenario_api.parse(scenario_api.to_toml(written).encode(), "toml")
    results = [goldenhour.simulate(each) for each in (written, again)]
    first, second = (each.patients for each in results)
    assert all((first[name] == second[name]).all() for name in first.dtype.names)


def test_a_constant_is_set_by_its_path_and_listed_in_the_manifest(tmp_path: Path) -> None:
    folder = str(tmp_path / "a")
    arguments = [
        "run",
        "standard",
        "--patients",
        "50",
        "--format",
        "csv",
        "--workers",
        "0",
        "--no-store",
        "-o",
        folder,
    ]
    arguments += ["--set", "model.survival.lethality.sigma=1.2", "--set", "treatments.tourniquet.success=0.5"]
    assert run(arguments) == 0
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["constants"] == [
        {"setting": "model.survival.lethality.sigma", "from": 0.9, "to": 1.2},
        {"setting": "treatments.tourniquet.success", "from": 0.85, "to": 0.5},
    ]


def changed(text: str) -> dict[str, tuple[Any, Any]]:
    found = scenario_api.changed_constants(scenario_api.parse(f'name = "t"\n{text}'.encode(), "toml"))
    return {change.path: (change.old, change.new) for change in found}


def test_settings_that_replace_a_constant_are_listed_with_what_they_replace() -> None:
    tourniquet = "[treatments.tourniquet]\ndelay_minutes = 5.0"
    assert changed(tourniquet) == {}
    assert changed(f"[survival]\nfirst_aid_minutes = 50.0\n{tourniquet}") == {
        "survival.first_aid_minutes": (5.0, 50.0),
        "treatments.tourniquet.delay_minutes": (50.0, 5.0),
    }
    assert changed("[survival]\ntbi_success = 0.3\nlate_hazard = 0.022") == {
        "survival.tbi_success": (0.4, 0.3)
    }
    both = "[model.survival.late]\nprobability = 0.1\n[survival]\nlate_hazard = 0.022"
    assert changed(both) == {
        "model.survival.late.probability": (0.022, 0.1),
        "survival.late_hazard": (0.1, 0.022),
    }
    (accuracy,) = changed("triage_accuracy = 0.9").values()
    assert accuracy[0]["poi"] == 0.46 and accuracy[1] == 0.9


@pytest.mark.parametrize("delay", [8.0, 20.0])
def test_a_longer_triage_lengthens_the_way_from_the_door_to_resuscitation(delay: float) -> None:
    """`treatments.resuscitation.delay_minutes` counts from the door, with the model's 2.5 minutes of triage."""
    for triage in (None, 1.0, 12.5):
        own = {} if triage is None else {"triage_minutes": x.constant(triage)}
        result = x.run(
            600, treatments={"resuscitation": {"delay_minutes": delay}}, **x.network(legs=(5.0,) * 4, R2=own)
        )
        at = {}
        for kind in ("arrived", "resuscitation_started"):
            rows = x.rows(result, kind, "R2")
            at[kind] = dict(zip(rows["patient"].tolist(), rows["at"].tolist(), strict=True))
        waits = [time - at["arrived"][patient] for patient, time in at["resuscitation_started"].items()]
        assert len(waits) > 50
        assert np.allclose(np.array(waits) / x.MINUTE, delay + (triage or 2.5) - 2.5, atol=0.001)

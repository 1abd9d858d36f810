"""Prepared scenarios: overrides, checks, defaults and the hash in one place; and the example of `simulate`."""

import doctest
from typing import Any

import pytest

from engine import scenario as scenario_api
from engine.errors import ScenarioError
from engine.scenario import (
    Casualties,
    Distribution,
    Rates,
    Scenario,
    ScenarioOrigin,
    ScenarioOverrides,
    hash_of_resolved,
    prepare,
    scenario_hash,
)
from goldenhour import result, scenario_files
from goldenhour.cli.scenario_sources import prepare_source, split_version


def test_the_four_forms_of_a_scenario_are_kept_apart() -> None:
    written = scenario_files.load("coin")
    prepared = prepare(written, ScenarioOverrides(seed=9, patients=40, days=3))
    assert prepared.written is written
    assert written.casualties.total is None
    original = prepared.original
    assert (original.seed, original.casualties.total, original.days) == (9, 40, 3)
    assert original.fronts != prepared.resolved.fronts
    assert prepared.resolved == scenario_api.resolve(original)


def test_without_overrides_the_original_is_what_was_written() -> None:
    prepared = prepare(scenario_files.load("standard"))
    assert prepared.original == prepared.written
    assert prepared.notes == tuple(scenario_api.check(prepared.original))


@pytest.mark.parametrize("name", ["standard", "coin", "brigade", "division", "cbrn"])
def test_the_hash_is_that_of_the_scenario_with_its_overrides(name: str) -> None:
    prepared = prepare(scenario_files.load(name), ScenarioOverrides(patients=40))
    assert prepared.hash == scenario_hash(prepared.original) == hash_of_resolved(prepared.resolved)
    assert prepared.hash != prepare(scenario_files.load(name)).hash
    assert prepared.hash == prepare(scenario_files.load(name), ScenarioOverrides(seed=99, patients=40)).hash


def test_the_hash_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    monkeypatch.setattr("engine.scenario.prepared.hash_of_resolved", lambda s: computed.append(s) or "hash")
    prepared = prepare(scenario_files.load("standard"))
    assert not computed
    assert (prepared.hash, prepared.hash) == ("hash", "hash")
    assert len(computed) == 1


def test_what_the_overrides_break_is_refused() -> None:
    with pytest.raises(ScenarioError, match="days"):
        prepare(scenario_files.load("standard"), ScenarioOverrides(days=0))


@pytest.mark.parametrize(
    "rate",
    [{"distribution": "constant", "mean": 0.0}, {"distribution": "lognormal", "median": 1.0, "sigma": 1e6}],
)
def test_patients_cannot_replace_rates_that_have_no_proportion(rate: dict[str, Any]) -> None:
    rates = Rates(battle=Distribution(**rate))
    scenario = Scenario(name="x", casualties=Casualties(rates=rates))
    with pytest.raises(ScenarioError, match=r"^casualties\.rates"):
        prepare(scenario, ScenarioOverrides(patients=50))


def test_a_prepared_scenario_says_where_it_was_read_from(tmp_path) -> None:
    assert prepare_source("coin").origin == ScenarioOrigin("built-in", "coin")
    path = tmp_path / "mine.toml"
    text = 'name = "x"\n[casualties]\ntotal = 9\n'
    path.write_text(text)
    origin = prepare_source(str(path)).origin
    assert origin is not None
    assert origin[:3] == ("file", str(path), None)
    assert origin.text is not None
    assert (origin.text.data, origin.text.format, origin.text.name) == (text.encode(), "toml", "mine.toml")
    assert prepare(scenario_files.load(path)).origin is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("mine", ("mine", None)),
        ("mine@3", ("mine", 3)),
        ("a@b", ("a@b", None)),
        ("@3", ("@3", None)),
        ("mine@", ("mine@", None)),
    ],
)
def test_a_version_follows_the_name_of_a_stored_scenario(text: str, parts: tuple[str, int | None]) -> None:
    assert split_version(text) == parts


def test_the_example_of_simulate_is_true() -> None:
    found = doctest.testmod(result)
    assert found.attempted and not found.failed

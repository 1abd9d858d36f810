"""Checks of what a scenario changes of single treatments, and notes on changes without effect."""

from collections.abc import Iterator

from engine.errors import ScenarioError
from engine.scenario.checks.values import list_words
from engine.scenario.constants import CONSTANTS_OF_TREATMENTS, is_available
from engine.scenario.parsing import key_place
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.treatments import FIRST_AID, TREATMENT_NAMES, TreatmentName, TreatmentSetting

_LEAST_DELAY_OF_FIRST_AID = 0.01
_FIELDS: dict[TreatmentName, tuple[str, ...]] = {
    name: tuple(
        field
        for field in TreatmentSetting.__struct_fields__
        if field == "available"
        or (name, field) in CONSTANTS_OF_TREATMENTS
        or (field == "delay_minutes" and name in FIRST_AID)
    )
    for name in TREATMENT_NAMES
}
"""By treatment: what a scenario can change."""


def check_treatments(scenario: Scenario) -> None:
    """Refuse what a treatment does not have (ScenarioError)."""
    for name, setting in scenario.treatments.items():
        place = key_place("treatments", name)
        for field in _set_fields(setting):
            if field not in _FIELDS[name]:
                raise ScenarioError(
                    f"{place}.{field}",
                    getattr(setting, field),
                    f"no {field}; {name} has {list_words(_FIELDS[name])}",
                )
        delay = setting.delay_minutes
        if name in FIRST_AID and delay is not None and delay < _LEAST_DELAY_OF_FIRST_AID:
            raise ScenarioError(
                f"{place}.delay_minutes", delay, f"at least {_LEAST_DELAY_OF_FIRST_AID:g} for first aid"
            )


def note_treatments(scenario: Scenario) -> Iterator[str]:
    """Notes on changes of treatments that have no effect."""
    types = {warfare.type for warfare in scenario.warfare} | {event.type for event in scenario.events}
    for name, setting in scenario.treatments.items():
        place, fields = key_place("treatments", name), _set_fields(setting)
        if not fields:
            yield f"{place}: no effect, because nothing of it is set"
        elif scenario.routing == "transition-matrix":
            yield f"{place}: no effect on deaths under routing transition-matrix"
        elif not scenario.survival.clock:
            yield f"{place}: no effect on deaths with survival.clock = false"
        elif name in ("autoinjector", "atropine_and_oxime") and "cbrn" not in types:
            yield f"{place}: no effect, because only the warfare type cbrn has agent casualties"
        elif not is_available(scenario, name):
            idle = [field for field in fields if field != "available"]
            if idle:
                yield f"{place}: {list_words(idle)}: no effect, because it is not available"
            elif name == "prehospital_blood":
                yield f"{place}: no effect, because vehicles carry no blood unless it is available"
        elif fields == ["available"] and name != "prehospital_blood":
            yield f"{place}: no effect, because it is available anyhow"


def _set_fields(setting: TreatmentSetting) -> list[str]:
    return [name for name in setting.__struct_fields__ if getattr(setting, name) is not None]

"""Checks of the times of care at the point of injury, and notes on those without effect."""

from collections.abc import Iterator

from engine.scenario.checks.values import check_duration
from engine.scenario.front_rates import mean_rates
from engine.scenario.parsing import key_place
from engine.scenario.point_of_injury import settings_at_point_of_injury
from engine.scenario.structs.distributions import mean_of
from engine.scenario.structs.point_of_injury import PointOfInjury
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.treatments import FIRST_AID

_FIRST_AID = ("first_aid_after_minutes", "treatment_minutes")


def check_point_of_injury(scenario: Scenario) -> None:
    """Refuse times that are no duration (ScenarioError)."""
    for place, given in settings_at_point_of_injury(scenario):
        for name in _set_fields(given):
            check_duration(f"{place}.{name}", getattr(given, name))


def note_point_of_injury(scenario: Scenario) -> Iterator[str]:
    """Notes on times at the point of injury that have no effect, and on settings that they replace."""
    for place, given in settings_at_point_of_injury(scenario):
        names = _set_fields(given)
        if not names:
            yield f"{place}: no effect, because nothing of it is set"
        if given.triage_minutes is not None and mean_of(given.triage_minutes) == 0:
            yield f"{place}.triage_minutes: no effect, because triage takes no time where it is unset"
        for name in _FIRST_AID if _has_only_disease(scenario) else ():
            if name in names:
                yield f"{place}.{name}: no effect, because the ill get no first aid"
    general = scenario.point_of_injury or PointOfInjury()
    for name in PointOfInjury.__struct_fields__:
        own = bool(scenario.fronts) and all(
            front.point_of_injury is not None and getattr(front.point_of_injury, name) is not None
            for front in scenario.fronts
        )
        if own and getattr(general, name) is not None:
            yield f"point_of_injury.{name}: no effect, because every front has its own"
        if name == "first_aid_after_minutes" and (own or getattr(general, name) is not None):
            yield from _note_replaced(scenario)


def _note_replaced(scenario: Scenario) -> Iterator[str]:
    """Notes on delays of first aid that `first_aid_after_minutes` replaces on all fronts."""
    why = "no effect, because point_of_injury.first_aid_after_minutes says when first aid is given"
    if scenario.survival.first_aid_minutes is not None:
        yield f"survival.first_aid_minutes: {why}"
    for name, setting in scenario.treatments.items():
        if name in FIRST_AID and setting.delay_minutes is not None:
            yield f"{key_place('treatments', name)}.delay_minutes: {why}"


def _has_only_disease(scenario: Scenario) -> bool:
    """Whether nobody is wounded, poisoned or hurt in an accident."""
    rates, mix = scenario.casualties.rates, scenario.mix
    if any(incident.stream != "disease" for incident in scenario.incidents) or scenario.events:
        return False
    if rates is not None:
        return all(mean_rates(scenario)[stream] == 0 for stream in ("battle", "nbi"))
    return mix is not None and mix.disease == 1


def _set_fields(given: PointOfInjury) -> list[str]:
    return [name for name in given.__struct_fields__ if getattr(given, name) is not None]

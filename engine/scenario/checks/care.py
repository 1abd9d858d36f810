"""Checks of the rules of hospital care: further operations and intensive care."""

from collections.abc import Iterable

from engine.scenario.checks.values import check_distinct, check_duration, list_words
from engine.scenario.constants import is_available
from engine.scenario.structs.care import IntensiveCare
from engine.scenario.structs.scenario import Scenario


def check_care(scenario: Scenario) -> None:
    """Refuse rules of care that make no sense (ScenarioError)."""
    given = scenario.reoperations
    if given is None:
        return
    check_distinct("reoperations.roles", [str(role) for role in given.roles])
    if given.interval_minutes is not None:
        check_duration("reoperations.interval_minutes", given.interval_minutes)


def note_care(complete: Scenario) -> Iterable[str]:
    """Rules of care that have no effect in the scenario's complete network."""
    below_role_4 = [facility for facility in complete.facilities if 0 < facility.role < 4]
    given = complete.reoperations
    if given is not None:
        operating = {facility.role for facility in below_role_4 if facility.dcs or facility.definitive}
        if complete.routing != "clock":
            yield "reoperations: no effect under routing transition-matrix"
        elif not is_available(complete, "surgery"):
            yield "reoperations: no effect, because treatments.surgery is not available"
        elif not any(given.probability):
            yield "reoperations: no effect, because every probability is 0"
        elif not operating & set(given.roles or operating):
            roles = list_words([str(role) for role in given.roles])
            where = f"of role {roles} below Role 4" if given.roles else "below Role 4"
            yield f"reoperations: no effect, because no facility {where} operates"
    rules = complete.intensive_care
    if rules == IntensiveCare():
        return
    if not any(facility.icu for facility in below_role_4):
        yield "intensive_care: no effect, because no facility below Role 4 has intensive care"
    elif not (rules.after_surgery or rules.worst_ais or rules.niss or rules.after_resuscitation):
        yield "intensive_care: nobody needs it, because no criterion is set"
    elif rules.after_resuscitation and not is_available(complete, "resuscitation"):
        yield "intensive_care.after_resuscitation: no effect, because treatments.resuscitation is not available"
    elif rules.after_resuscitation and not any(facility.dcr for facility in below_role_4):
        yield "intensive_care.after_resuscitation: no effect, because no facility resuscitates"


def note_unavailable(complete: Scenario) -> Iterable[str]:
    """Settings of facilities for a treatment that the scenario does not have."""
    if complete.routing != "clock":
        return
    without = {
        "surgery": ("surgery_minutes", "operating_tables", "surgical_teams"),
        "resuscitation": ("resuscitation_minutes", "blood_units"),
        "blood_transfusion": ("blood_units",),
    }
    for treatment, fields in without.items():
        if is_available(complete, treatment):  # type: ignore[arg-type]
            continue
        for facility in complete.facilities:
            if not 0 < facility.role < 4:
                continue
            idle = [field for field in fields if getattr(facility, field) is not None]
            if treatment == "surgery" and facility.divert is not None:
                idle += [
                    f"divert.{name}" for name in ("tables_busy", "no_team") if getattr(facility.divert, name)
                ]
            if idle:
                reason = f"because treatments.{treatment} is not available"
                yield f"facility {facility.id}: {list_words(idle)}: no effect, {reason}"

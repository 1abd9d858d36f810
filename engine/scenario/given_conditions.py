"""The diagnoses of the catalogue that the conditions of a listed incident stand for."""

from functools import cache

from engine.scenario.structs.incidents import Incident
from scenarios import catalogue


@cache
def _entries_by_code() -> dict[str, list[int]]:
    """By code: the numbers of its entries among the catalogue's conditions."""
    found: dict[str, list[int]] = {}
    for number, condition in enumerate(catalogue.conditions()):
        found.setdefault(condition.code, []).append(number)
    return found


def use_of(incident: Incident) -> str:
    """The use of the diagnoses that casualties of a row have, as in the catalogue."""
    if incident.stream != "battle":
        return incident.stream
    return "agent" if incident.mechanism == "cbrn" else "wound"


def entries_of(incident: Incident, code: str) -> list[int]:
    """The numbers of the catalogue's conditions that a code of a row may stand for: one for each mechanism or use."""
    uses = ("disease", "psychological") if incident.stream == "disease" else (use_of(incident),)
    conditions = catalogue.conditions()
    return [
        number
        for number in _entries_by_code().get(code, ())
        if conditions[number].use in uses
        and (incident.mechanism in (None, "cbrn") or incident.mechanism in conditions[number].mechanisms)
    ]


def mechanisms_of(incident: Incident) -> list[str]:
    """The mechanisms that all conditions of a row of wounded can have."""
    found = ["explosion", "gunshot", "other"]
    conditions = catalogue.conditions()
    for code in incident.conditions or ():
        own = {name for number in entries_of(incident, code) for name in conditions[number].mechanisms}
        found = [name for name in found if name in own]
    return found

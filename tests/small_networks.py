"""Small networks of finite care, and measurements on them."""

import math
from dataclasses import replace
from typing import Any

import effects as x
import numpy as np

import goldenhour
from engine.codes import AWAITED, EVENTS, NONE, TREATMENTS, CasualtyKind, LethalMechanism
from engine.compile.treatments import care_rules
from engine.tables import columns as c
from scenarios import catalogue

HOUR, DAY = 60.0, 1440.0


SECOND = 1 / 60


AWAITED_CODES = {name: code for code, name in enumerate(AWAITED)}


Result = goldenhour.Result


def run(total: int, **settings: Any) -> Result:
    """Run a scenario in which nobody has to be prepared for transport.

    Its patients are in the order of injury instead of the order of completion.
    """
    model = settings.pop("model", {})
    result = x.run(total, **settings, model={**model, "care": {**x.AT_ONCE["care"], **model.get("care", {})}})
    order = np.lexsort((result.patients["id_lo"], result.patients["time"]))
    rank = np.argsort(order)
    changed = {}
    for name in c.TABLES:
        table = getattr(result, name).copy()
        if name == "patients":
            table = table[order]
        else:
            table["patient"] = rank[table["patient"]]
        changed[name] = table
    return replace(result, **changed)


def hospital(facility: dict[str, Any], total: int = 400, days: int = 2, **settings: Any) -> Result:
    """Run a single Role 2, 30 minutes away, with the casualties of `days`; nobody dies of wounds."""
    place = {"id": "R2", "role": 2, **facility}
    links = [{"origin": "POI", "destination": "R2", "minutes": x.constant(30.0)}]
    whole = {
        "facilities": [place],
        "links": links,
        "days": days,
        "survival": x.NOBODY_DIES,
        "complications": {"drawn": False},
    }
    return run(total, **{**whole, **settings})


def ferry(
    vehicle: dict[str, Any],
    total: int = 300,
    days: int = 2,
    link: dict[str, Any] | None = None,
    **settings: Any,
) -> Result:
    """Run a network in which all go to R1 without limit, and then by a pool of vehicles based there to R2, an hour
    away.
    """
    pool = {"id": "pool", "kind": "ambulance_standard", "number": 1000, "litters": 1, **vehicle}
    legs = [
        {"origin": "POI", "destination": "R1", "minutes": x.constant(30.0)},
        {"origin": "R1", "destination": "R2", "minutes": x.constant(60.0), "vehicle": "pool", **(link or {})},
    ]
    places = [{"id": "R1", "role": 1, "policy_days": 0.0}, {"id": "R2", "role": 2}]
    whole = {
        "facilities": places,
        "links": legs,
        "vehicles": [pool],
        "days": days,
        "survival": x.NOBODY_DIES,
        "complications": {"drawn": False},
    }
    return run(total, **{**whole, **settings})


def two(
    near: dict[str, Any], far: dict[str, Any], total: int = 400, days: int = 2, **settings: Any
) -> Result:
    """Run a network with a Role 2 at 30 and one at 60 minutes, from which all leave for a Role 4."""
    places: list[dict[str, Any]] = [
        {"id": "near", "role": 2, "policy_days": 0.0, **near},
        {"id": "far", "role": 2, "policy_days": 0.0, **far},
        {"id": "R4", "role": 4},
    ]
    links = [
        {"origin": "POI", "destination": "near", "minutes": x.constant(30.0)},
        {"origin": "POI", "destination": "far", "minutes": x.constant(60.0)},
        {"origin": "near", "destination": "R4", "minutes": x.constant(300.0)},
        {"origin": "far", "destination": "R4", "minutes": x.constant(300.0)},
    ]
    whole = {
        "facilities": places,
        "links": links,
        "days": days,
        "survival": x.NOBODY_DIES,
        "complications": {"drawn": False},
    }
    return run(total, **{**whole, **settings})


def through(facility: dict[str, Any], **settings: Any) -> Result:
    """Run a network with a Role 2 that sends all to a Role 4."""
    places = [{"id": "R2", "role": 2, "policy_days": 0.0, **facility}, {"id": "R4", "role": 4}]
    links = [
        {"origin": "POI", "destination": "R2", "minutes": x.constant(30.0)},
        {"origin": "R2", "destination": "R4", "minutes": x.constant(30.0)},
    ]
    whole = {
        "facilities": places,
        "links": links,
        "days": 2,
        "survival": x.NOBODY_DIES,
        "complications": {"drawn": False},
    }
    return run(400, **{**whole, **settings})


def at(result: Result, kind: str, facility: str | None = None, detail: int | None = None) -> Any:
    """Return the minutes from the start to each patient's first event of a kind; NaN without one."""
    e = x.rows(result, kind, facility)
    if detail is not None:
        e = e[e["detail"] == detail]
    found = np.full(len(result), np.inf)
    np.minimum.at(found, e["patient"], e["at"] / x.MINUTE)
    return np.where(np.isfinite(found), found, np.nan)


def closed(result: Result) -> Any:
    return result.patients["closed"] / x.MINUTE


def given(*values: Any) -> Any:
    """Return the rows of some columns in which none is NaN."""
    there = ~np.isnan(np.stack(values)).any(axis=0)
    return [value[there] for value in values]


def level(begin: Any, end: Any) -> tuple[Any, Any]:
    """Return the times of change and the number of open intervals from each on; at equal times, ends come first."""
    begin, end = given(begin, end)
    times = np.concatenate((end, begin))
    change = np.repeat((-1, 1), len(begin))
    order = np.lexsort((change, np.round(times, 3)))
    return times[order], np.cumsum(change[order])


def care(result: Result, facility: str = "R2") -> tuple[Any, Any]:
    """Return when the use of treatment bays starts and ends: with the next event after the start of care."""
    e = result.events
    kinds = [EVENTS.index(f"{name}") for name in ("care_started", "resuscitation_started", "care_resumed")]
    k = np.flatnonzero(np.isin(e["kind"], kinds) & (e["facility"] == x.place(result, facility)))
    return e["at"][k] / x.MINUTE, e["at"][k + 1] / x.MINUTE


def peak(begin: Any, end: Any) -> int:
    return int(level(begin, end)[1].max())


def resource(result: Result, name: str, facility: str = "R2") -> dict[str, Any]:
    """Return the summary's row of a resource."""
    rows = result.measures["flow"]["resources"]
    return next(row for row in rows if (row["facility"], row["resource"]) == (facility, name))


def pool_of(result: Result) -> dict[str, Any]:
    row: dict[str, Any] = result.measures["flow"]["vehicles"][0]
    return row


def counts(result: Result, facility: str = "R2") -> dict[str, Any]:
    """Return the summary's row of a facility."""
    return next(row for row in result.measures["flow"]["facilities"] if row["facility"] == facility)


def groups(result: Result, facility: str = "R1") -> dict[float, list[int]]:
    """Return the patients who departed together from a facility, by the minute of departure."""
    found: dict[float, list[int]] = {}
    for patient, when in enumerate(at(result, "departed", facility)):
        if not math.isnan(when):
            found.setdefault(round(float(when), 4), []).append(patient)
    return found


def hour_of_day(minutes: Any) -> Any:
    return np.asarray(minutes) / HOUR % 24


def waits_for_ride(result: Result) -> Any:
    return at(result, "departed", "R1") - at(result, "evacuation_requested", "R1")


def category_at(result: Result, facility: str) -> Any:
    """Return the category assigned first at a facility."""
    e = x.rows(result, "triaged", facility)[::-1]
    found = np.zeros(len(result), int)
    found[e["patient"]] = e["detail"]
    return found


def category_leaving(result: Result, facility: str) -> Any:
    """Return the category assigned last at a facility: who is out of danger is triaged again before evacuation."""
    e = x.rows(result, "triaged", facility)
    found = np.zeros(len(result), int)
    found[e["patient"]] = e["detail"]
    return found


def needs_litter(result: Result, facility: str) -> Any:
    """Return who leaves the facility lying: T1 and T2 as triaged there, and the wounded who truly are."""
    wounded = result.patients["kind"] == CasualtyKind.WOUNDED
    return (category_leaving(result, facility) <= 2) | (wounded & (result.patients["triage"] <= 2))


HELD = {
    "triage_teams": ("triage_teams", "triage_team"),
    "treatment_bays": ("treatment_bays", "treatment_bay"),
    "operating_tables": ("operating_tables", "operating_table"),
    "surgical_teams": ("operating_tables", "operating_table"),
    "icu_beds": ("icu_beds", "icu_bed"),
    "ward_beds": ("ward_beds", "ward_bed"),
}
"""By setting: its resource in the summary, and the label of a wait for it."""


def held(result: Result, field: str) -> tuple[Any, Any]:
    """Return when each patient gets and releases the resource that the setting limits."""
    if field == "triage_teams":
        return at(result, "triaged", "R2") - 20.0, at(result, "triaged", "R2")
    if field == "treatment_bays":
        begin, end = (
            np.fmin(at(result, f"care_{which}"), at(result, f"resuscitation_{which}"))
            for which in ("started", "ended")
        )
        return begin, end
    if field == "icu_beds":
        return at(result, "icu_admitted"), at(result, "ward_admitted")
    if field == "ward_beds":
        return at(result, "ward_admitted"), closed(result)
    return at(result, "surgery_started"), at(result, "surgery_ended")


MASS = {
    "events": [{"event": "mass_casualty", "day": 1, "hour": 6, "casualty_multiplier": 30.0}],
    "mascal_threshold": 2,
    "intensity": "high",
}


def _wounded_with(result: Result, conditions: list[bool]) -> Any:
    """Which patients have a wound of one of these conditions."""
    found = np.zeros(len(result), bool)
    found[result.wounds["patient"][np.array(conditions)[result.wounds["condition"]]]] = True
    return found


def grave(result: Result) -> Any:
    """Which of the wounded have what would kill, a worst AIS of 3 or more, or wounds that call for blood."""
    bleeding = _wounded_with(result, ["blood_transfusion" in of.needs for of in catalogue.condition_needs()])
    p = result.patients
    return (p["kind"] == CasualtyKind.WOUNDED) & ((p["lethal"] != NONE) | (p["worst_ais"] >= 3) | bleeding)


def calls_for_role_3_surgery(result: Result) -> Any:
    """Which of the wounded call for an operation that no Role 2 can do."""
    higher = {
        kind.label
        for kind in catalogue.treatment_kinds().values()
        if kind.theatre and "role2" not in kind.places
    }
    return _wounded_with(result, [not higher.isdisjoint(of.operations) for of in catalogue.condition_needs()])


def wakes_in_intensive_care(result: Result) -> Any:
    """Which of the wounded go to intensive care after an operation: the grave, and after one in a body cavity."""
    cavity = {kind.label for kind in catalogue.treatment_kinds().values() if kind.cavity} - {"craniotomy"}
    calls = [not cavity.isdisjoint(of.operations) for of in catalogue.condition_needs()]
    drained = [bool(each) for each in care_rules(frozenset())["drained"][0][: len(calls)]]
    opened = _wounded_with(result, [called and not only for called, only in zip(calls, drained, strict=True)])
    bleeds = result.patients["lethal"] == LethalMechanism.TORSO_HAEMORRHAGE
    opened |= bleeds & _wounded_with(
        result, [called and only for called, only in zip(calls, drained, strict=True)]
    )
    trepanned = result.treatments["kind"] == TREATMENTS.index("craniotomy")  # not with a good coma scale
    opened[result.treatments["patient"][trepanned]] = True
    return opened | (grave(result) & (result.patients["triage"] != 3))


def has_torn_vessel_or_eye(result: Result) -> Any:
    """Which of the wounded call for an operation on a vessel, an eye or the spine: they are T2 at least."""
    rules = care_rules(frozenset())[0]
    prompt = [bool(rules["on_arrival"][TREATMENTS.index(kind)]) for kind in TREATMENTS]
    calls = [
        any(prompt[TREATMENTS.index(kind)] for kind in of.operations) for of in catalogue.condition_needs()
    ]
    return _wounded_with(result, calls)


def needs_operation(result: Result, label: str) -> Any:
    """Which of the wounded have a wound that calls for an operation."""
    return _wounded_with(result, [label in of.operations for of in catalogue.condition_needs()])


def has_burnt_airway(result: Result) -> Any:
    """Which of the wounded have an airway that a wound threatens: they keep a tube, in intensive care."""
    holds = care_rules(frozenset())["holds_airway"][0]
    return _wounded_with(result, [bool(each) for each in holds[: len(catalogue.condition_needs())]])


def under_tourniquet(result: Result) -> Any:
    """Which of the wounded have a wound that calls for a limb tourniquet: they are T2 at least until the operation."""
    return _wounded_with(result, ["tourniquet" in of.needs for of in catalogue.condition_needs()])

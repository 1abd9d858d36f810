"""Little's law holds on every resource and queue, as reported and as the records show, whatever the scenario adds."""

from collections import defaultdict
from typing import Any

import effects as x
import finite_laws as laws
import finite_oracle as oracle
import numpy as np
import pytest
from finite_delays import check_delays, check_periods

from engine.codes import EVENTS, RESOURCE_FIELDS, Resource

SURGERY = x.constant(120.0)
NEAR: dict[str, Any] = {
    "id": "near",
    "role": 2,
    "triage_teams": 1,
    "treatment_bays": 3,
    "operating_tables": 1,
    "icu_beds": 3,
    "ward_beds": 8,
    "places": 200,
    "surgery_minutes": SURGERY,
}
REOPERATIONS = {"probability": [0.5, 0.6, 0.7, 0.9], "most": 4, "interval_minutes": x.constant(900.0)}
LISTED = [
    {"at": "day 1 09:30", "number": 25, "triage": {"T1": 0.4, "T2": 0.2, "T3": 0.4}, "front": "North"},
    {"at": "day 2 15:45", "number": 15, "mean_iss": 20.0, "front": "North"},
]
SETTINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "diversion": ({"divert": {"queue": 6, "tables_busy": True, "categories": ["T1"]}}, {}),
    "further operations": ({}, {"reoperations": REOPERATIONS}),
    "bays freed before the table": ({"hold_bay": False}, {}),
    "listed casualties": ({}, {"incidents": LISTED}),
}
"""By what a scenario adds: settings of the near Role 2, and of the scenario."""
SETTINGS["all together"] = (
    {key: value for own, _ in SETTINGS.values() for key, value in own.items()},
    {key: value for _, whole in SETTINGS.values() for key, value in whole.items()},
)


def simulated(own: dict[str, Any], whole: dict[str, Any]) -> oracle.Run:
    """Run 120 casualties of three days with a scarce Role 2, another one farther away, and ambulances."""
    way = {"distribution": "exponential", "mean": 40.0}
    places = [{**NEAR, **own}, {"id": "far", "role": 2, "operating_tables": 2}, {"id": "R4", "role": 4}]
    links = [
        {"origin": "POI", "destination": "near", "minutes": x.constant(30.0)},
        {"origin": "POI", "destination": "far", "minutes": x.constant(90.0)},
        {"origin": "near", "destination": "R4", "minutes": way, "vehicle": "cars"},
        {"origin": "far", "destination": "R4", "minutes": way},
    ]
    cars = {"id": "cars", "kind": "ambulance_standard", "number": 1, "litters": 1, "seats": 1}
    return oracle.run(
        x.settings_of(
            120,
            days=3,
            facilities=places,
            links=links,
            vehicles=[cars],
            survival=x.NOBODY_DIES,
            **whole,
        )
    )


def number(r: oracle.Run, kind: str, facility: int = 0) -> int:
    return int(((r.events["kind"] == EVENTS.index(kind)) & (r.events["facility"] == facility)).sum())


def further_operations(r: oracle.Run) -> int:
    """Return the operations at the near Role 2 beyond the first of each patient."""
    started = r.events[r.events["kind"] == EVENTS.index("surgery_started")]
    here = started["patient"][started["facility"] == 0]
    return len(here) - len(set(here.tolist()))


def longest(waits: list[oracle.Wait]) -> int:
    """Return the most who wait at a time."""
    steps = sorted([(wait.since, 1) for wait in waits] + [(wait.until, -1) for wait in waits])
    return int(np.cumsum([step for _, step in steps]).max())


def waited_for_the_car(trips: list[oracle.Trip]) -> int:
    """Return how long patients wait at the near Role 2 until the only vehicle, which has its base there, takes them.

    It is there from then on, until the last of those it takes is prepared (docs/model.md section 2.7.4).
    """
    sorties = defaultdict(list)
    for trip in trips:
        sorties[trip.departed].append(trip)
    home = waited = 0
    for departed, aboard in sorted(sorties.items()):
        came = max(home, min(trip.asked for trip in aboard))
        assert all(trip.asked <= came + 2 for trip in aboard), ("it has waited for another patient", aboard)
        waited += sum(came - trip.asked for trip in aboard)
        home = departed + 2 * (min(trip.arrived for trip in aboard) - departed) + len(aboard)
    return waited


def check_reported(r: oracle.Run, observed: oracle.Observed) -> set[str]:
    """Check L = λW on each reported queue, and L against the records; return the resources that were waited for."""
    length = r.flow.milliseconds
    awaited = set()
    names = [f.id for f in r.scenario.facilities]
    found = r.flow.summary()
    for row in found["resources"]:
        f, resource = names.index(row["facility"]), RESOURCE_FIELDS.index(row["resource"])
        if resource == Resource.PLACE:
            continue  # a place is taken when a vehicle is sent, which no record shows
        waits = observed.waits[f, resource]
        shown = sum(wait.until - wait.since for wait in waits)
        assert row["mean_queue"] * length == pytest.approx(shown, abs=1e-6 * length + 2 * len(waits)), row
        lambda_w = row["waits"] * (row["mean_wait_minutes"] or 0.0) * oracle.MINUTE
        assert row["mean_queue"] * length == pytest.approx(lambda_w, abs=1e-6 * length + 6 * row["waits"])
        spans = observed.spans[f, resource]
        held = sum(span.end - span.start for span in spans)
        assert row["mean_in_use"] * length == pytest.approx(held, abs=1e-6 * length + 2 * len(spans)), row
        assert row["served"] == len(spans)
        if shown:
            awaited.add(row["resource"])
    for row in found["transport"]:
        if row["origin"] == "POI":
            continue  # vehicles without limit, for which nobody waits
        if row["origin"] == "far":
            assert row["mean_queue"] == 0.0, "vehicles without limit are there at once"
            continue
        trips = [trip for trip in observed.trips if trip.origin == 0]
        assert row["waits"] == len(trips)
        shown = waited_for_the_car(trips)
        assert row["mean_queue"] * length == pytest.approx(shown, abs=1e-6 * length + 4 * len(trips)), row
        lambda_w = row["waits"] * (row["mean_wait_minutes"] or 0.0) * oracle.MINUTE
        assert row["mean_queue"] * length == pytest.approx(lambda_w, abs=1e-6 * length + 6 * row["waits"])
        if shown:
            awaited.add("transport")
    assert r.flow.little_error() <= 1e-9
    return awaited


@pytest.mark.parametrize("added", SETTINGS)
def test_littles_law_and_the_delays_hold_with(added: str) -> None:
    r = simulated(*SETTINGS[added])
    laws.check_whole(r)
    observed = oracle.read(r)
    awaited = check_reported(r, observed)
    check_delays(r, observed)
    check_periods(r, observed)
    assert awaited >= {"triage_teams", "treatment_bays", "operating_tables", "transport"}
    every = added == "all together"
    assert (number(r, "arrived", 1) > 10) == (every or added == "diversion")
    assert (further_operations(r) > 5) == (every or added == "further operations")
    if added != "further operations":  # before which no bay is held either
        beyond_bays = longest(observed.waits[0, oracle.TABLE]) > NEAR["treatment_bays"]
        assert beyond_bays == (every or added == "bays freed before the table")
    at_once = np.unique(r.patients["time"], return_counts=True)[1].max()
    assert (at_once >= 25) == (every or added == "listed casualties")

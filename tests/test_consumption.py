"""Consumption: what the treatments of a run consume, worked out again from its tables."""

from collections import defaultdict
from functools import cache
from typing import Any

import numpy as np
import pytest

import goldenhour
from engine.codes import EVENTS, TREATMENTS
from engine.measures import Measures
from engine.measures.consumption import ITEMS, LAST_DAY
from scenarios.tables import model_parameters

HOUR = 3_600_000
DAY = 24 * HOUR
GIVEN = model_parameters("consumption")
NAMES = ("brigade", "cbrn")


@cache
def run(name: str) -> goldenhour.Result:
    return goldenhour.simulate(name, seed=5, patients=700)


def quantities() -> dict[str, dict[str, dict[str, float]]]:
    """By treatment: what each and an hour of it consume."""
    return {
        name: consumed
        for table in ("first_aid", "care", "surgery", "stays")
        for name, consumed in GIVEN[table].items()
        if name not in ("source", "confidence")
    }


def expected(r: goldenhour.Result) -> dict[tuple[int, int, str], float]:
    """By day, facility and item, row by row."""
    found: dict[tuple[int, int, str], float] = defaultdict(float)
    given = quantities()
    for row in r.treatments:
        consumed = given.get(TREATMENTS[row["kind"]], {})
        start, end, place = (int(row[name]) for name in ("start", "end", "facility"))
        found[start // DAY, place, "blood"] += int(row["units"])
        for item, quantity in consumed.get("each", {}).items():
            found[start // DAY, place, item] += quantity
        for item, rate in consumed.get("hour", {}).items():
            for day in range(start // DAY, end // DAY + 1):
                hours = max(0, min(end, (day + 1) * DAY) - max(start, day * DAY)) / HOUR
                found[day, place, item] += rate * hours
    for event in r.events[r.events["kind"] == EVENTS.index("departed")]:
        if r.patients["triage"][event["patient"]] <= 2:
            found[event["at"] // DAY, int(event["facility"]), "litters"] += GIVEN["litters"]["departure"]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_consumption_is_what_the_treatments_and_departures_of_the_run_need(name: str) -> None:
    r = run(name)
    items = list(ITEMS)
    found = {
        (int(row["day"]), int(row["facility"]), items[row["item"]]): float(row["quantity"])
        for row in r.consumption
    }
    assert len(found) == len(r.consumption)
    wanted = expected(r)
    for key in set(found) | set(wanted):  # what is less than a part of a unit is not counted
        assert found.get(key, 0.0) == pytest.approx(wanted.get(key, 0.0), abs=0.02, rel=1e-6), key
    assert {item for _, _, item in found} >= {"fluids", "antibiotics", "dressings", "litters", "oxygen"}


@pytest.mark.parametrize("name", NAMES)
def test_the_summary_and_the_tables_have_the_same_totals(name: str) -> None:
    r = run(name)
    rows = r.to_arrow("consumption").to_pylist()
    assert len(rows) == len(r.consumption) > 20
    places = {"POI": 0, "en route": 0} | {f.id: f.role for f in r.scenario.facilities}
    assert all(row["role"] == places[row["facility"]] and row["quantity"] > 0 for row in rows)
    assert all(row["unit"] == ITEMS[row["item"]] for row in rows)
    assert {(row["start"].timestamp() - rows[0]["start"].timestamp()) / 86_400 for row in rows} == {
        row["day"] - rows[0]["day"] for row in rows
    }
    for item, found in r.measures["consumption"].items():
        mine = [row for row in rows if row["item"] == item]
        assert found["total"] == pytest.approx(sum(row["quantity"] for row in mine), abs=0.001)
        assert found["total"] == pytest.approx(sum(found["by_place"].values()), abs=0.01)
        assert found["total"] == pytest.approx(sum(found["by_day"]), abs=0.01)
        table = [x for x in r.measures_table if (x["measure"], x["detail"]) == ("consumption", item)]
        assert {x["facility"]: x["value"] for x in table if x["facility"]} == found["by_place"]
        assert {x["unit"] for x in table} <= {found["unit"]}


def test_blood_is_what_the_stock_gives_out() -> None:
    """Twelve units are given to the last; where there is no limit, all who need blood get what they need."""
    limits = {"blood_units": 12}, {}
    facilities = [{"id": "R2", "role": 2, "kind": "role2_enhanced"}, {"id": "R4", "role": 4, "kind": "role4"}]
    found = []
    for limit in limits:
        r = goldenhour.simulate(
            {
                "name": "blood",
                "days": 1,
                "casualties": {"total": 400},
                "mix": {"battle": 1.0, "nbi": 0.0, "disease": 0.0},
                "fronts": [{"name": "North", "nations": {"NOR": 1.0}}],
                "facilities": [facilities[0] | limit, facilities[1]],
                "links": [
                    {
                        "origin": "POI",
                        "destination": "R2",
                        "minutes": {"distribution": "constant", "mean": 30.0},
                    },
                    {
                        "origin": "R2",
                        "destination": "R4",
                        "minutes": {"distribution": "constant", "mean": 60.0},
                    },
                ],
            },
            seed=1,
        )
        found.append(r.measures["consumption"]["blood"]["total"])
        if limit:
            used = [row["blood_used"] for row in r.measures["flow"]["facilities"]]
            assert used == [found[0], None]  # Role 4 has no stock
    assert found[0] == 12 < found[1]


def test_what_comes_after_the_days_that_are_counted_is_kept_together() -> None:
    r = run("brigade")
    (chunk,) = r._chunks()
    early, late = Measures(r.scenario), Measures(r.scenario)
    early.consumption.add(chunk)
    for table, fields in ((chunk.events, ("at",)), (chunk.treatments, ("start", "end"))):
        for name in fields:
            table[name] += 40_000 * DAY
    late.consumption.add(chunk)
    late.consumption.merge(early.consumption)
    assert len(late.consumption.amounts) == LAST_DAY + 1
    for item, found in late.consumption.summary().items():
        before: Any = early.consumption.summary()[item]
        assert found["by_day"][: len(before["by_day"])] == before["by_day"]
        assert found.get("later", 0.0) == pytest.approx(before["total"], abs=0.01)
        assert found["total"] == pytest.approx(2 * before["total"], abs=0.01)


def test_every_quantity_has_a_source_and_names_a_treatment_and_an_item() -> None:
    for table in ("litters", "first_aid", "care", "surgery", "stays"):
        assert GIVEN[table]["source"]
        assert GIVEN[table]["confidence"] in ("assumption", "published", "calibrated")
    for treatment, consumed in quantities().items():
        assert treatment in TREATMENTS
        assert set(consumed) <= {"each", "hour"}
        assert {item for part in consumed.values() for item in part} <= set(ITEMS)
        assert all(quantity > 0 for part in consumed.values() for quantity in part.values())


def test_consumption_does_not_depend_on_chunks() -> None:
    r = run("cbrn")
    pieces = Measures(r.scenario)
    for chunk in r._chunks():
        pieces.consumption.add(chunk)
    assert np.array_equal(pieces.consumption.rows(), r.consumption)

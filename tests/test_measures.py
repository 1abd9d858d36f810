"""Measures: what a planner reads, counted again naively from the tables, with Holcomb's denominators."""

import math
import pickle
import statistics
from functools import cache
from typing import Any

import effects
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import goldenhour
import scenarios
from engine import scenario as scenario_api
from engine.codes import EVENTS, NONE, OUTCOMES, RESOURCE_FIELDS, STREAMS, TREATMENTS, WAITING_FOR
from engine.measures import FlowMeasures, Measures, resources, whole_run
from engine.measures.counted import DAILY, LAST_DAY
from engine.measures.durations import Durations
from engine.run import Simulation
from engine.tables import columns as c
from goldenhour.views import summary

MINUTE, DAY = 60_000, 86_400_000
NAMES = ("standard", "conventional", "cbrn", "coin")
PATIENTS = 3000


@cache
def run(name: str) -> goldenhour.Result:
    return goldenhour.simulate(name, seed=12, patients=PATIENTS)


@cache
def resolved(name: str) -> scenario_api.Scenario:
    return scenario_api.resolve(
        scenario_api.with_overrides(scenario_api.parse(scenarios.builtin_bytes(name), "toml"), total=PATIENTS)
    )


@cache
def people(name: str) -> list[dict[str, Any]]:
    """The patients as dicts with words for codes, and the roles of the MTFs they arrived at, from the events."""
    r = run(name)
    rows = [dict(zip(r.patients.dtype.names or (), row, strict=True)) for row in r.patients.tolist()]
    for row in rows:
        row["roles"] = []
        row["stream"] = STREAMS[row["stream"]]
        row["status"] = OUTCOMES[row["status"]]
    for event in r.events[r.events["kind"] == EVENTS.index("arrived")]:
        rows[event["patient"]]["roles"].append(r.scenario.facilities[event["facility"]].role)
    return rows


def percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 2) if whole else None


@pytest.mark.parametrize("name", NAMES)
def test_outcomes_are_counted(name: str) -> None:
    found, rows = run(name).measures, people(name)
    assert found["patients"] == len(rows) == PATIENTS
    assert sum(found["outcomes"].values()) == PATIENTS
    for status in OUTCOMES:
        assert found["outcomes"][status] == sum(x["status"] == status for x in rows)
    for stream in STREAMS:
        of_stream = [x for x in rows if x["stream"] == stream]
        category = found["categories"][stream]
        assert category["patients"] == len(of_stream)
        for status in OUTCOMES:
            assert category["outcomes"][status] == sum(x["status"] == status for x in of_stream)
        for t in (1, 2, 3):
            assert category["triage"][f"T{t}"] == sum(x["triage"] == t for x in of_stream)
    for t in (1, 2, 3):
        assert found["triage"][f"T{t}"] == sum(x["triage"] == t for x in rows)


@pytest.mark.parametrize("name", NAMES)
def test_fronts_are_counted(name: str) -> None:
    found, rows = run(name).measures, people(name)
    fronts = [front.name for front in run(name).scenario.fronts]
    assert list(found["fronts"]) == fronts
    for k, front in enumerate(fronts):
        here = [x for x in rows if x["front"] == k]
        assert found["fronts"][front]["patients"] == len(here)
        for status in OUTCOMES:
            assert found["fronts"][front]["outcomes"][status] == sum(x["status"] == status for x in here)


@pytest.mark.parametrize("name", NAMES)
def test_mortality_has_holcombs_denominators(name: str) -> None:
    """%KIA of battle casualties less RTD72; %DOW of those who reached an MTF less RTD72; CFR of them all."""
    battle = [x for x in people(name) if x["stream"] == "battle"]
    soon = [x["status"] == "rtd" and x["closed"] - x["time"] <= 72 * 60 * MINUTE for x in battle]
    kia = sum(x["status"] == "kia" for x in battle)
    dow = sum(x["status"] == "dow" for x in battle)
    serious = len(battle) - sum(soon)
    admitted = sum(bool(x["roles"]) and not back for x, back in zip(battle, soon, strict=True))
    assert run(name).measures["mortality"] == {
        "battle_casualties": len(battle),
        "kia": kia,
        "dow": dow,
        "wia": len(battle) - kia,
        "percent_dow_of_wia": percent(dow, len(battle) - kia),
        "percent_kia": percent(kia, serious),
        "percent_kia_of": serious,
        "percent_dow": percent(dow, admitted),
        "percent_dow_of": admitted,
        "case_fatality_rate": percent(kia + dow, len(battle)),
        "case_fatality_rate_of": len(battle),
    }
    assert 0 < admitted <= serious <= len(battle)


@pytest.mark.parametrize("name", NAMES)
def test_return_within_72_h_is_counted_by_stream(name: str) -> None:
    for stream in STREAMS:
        soon = [
            x["status"] == "rtd" and x["closed"] - x["time"] <= 72 * 60 * MINUTE
            for x in people(name)
            if x["stream"] == stream
        ]
        assert run(name).measures["rtd_within_72h"][stream] == sum(soon)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("what", ["first_care", "role1", "role2", "surgery"])
def test_times_have_the_median_and_the_shares_of_the_standard(name: str, what: str) -> None:
    minutes = [(x[what] - x["time"]) / MINUTE for x in people(name) if x[what] >= 0]
    found = run(name).measures["minutes_from_injury"][what]
    assert found["patients"] == len(minutes)
    if not minutes:
        assert found["median"] is None
        return
    assert math.isclose(found["median"], statistics.median(minutes), abs_tol=max(1.1, 0.02 * found["median"]))
    limit = {"first_care": 10, "role2": 60, "surgery": 120}.get(what)
    if limit is not None:
        assert found[f"percent_within_{limit}"] == percent(sum(x < limit for x in minutes), len(minutes))


def filled(name: str, replication: int, chunk_size: int = 2048) -> Simulation:
    simulation = Simulation(resolved(name), 12, replication, chunk_size)
    for _ in simulation:
        pass
    return simulation


@pytest.mark.parametrize("name", ["standard", "cbrn"])
def test_merging_replications_is_adding_their_counts(name: str) -> None:
    first, second = filled(name, 0).measures, filled(name, 1).measures
    one, other = first.summary(), second.summary()
    assert one != other
    first.merge(second)
    merged = first.summary()
    assert merged["patients"] == one["patients"] + other["patients"]
    assert second.summary() == other
    for key in ("outcomes", "triage", "rtd_within_72h"):
        assert merged[key] == {k: one[key][k] + other[key][k] for k in one[key]}
    for key in ("battle_casualties", "kia", "dow", "percent_kia_of", "percent_dow_of"):
        assert merged["mortality"][key] == one["mortality"][key] + other["mortality"][key]

    for what, roles in merged["by_role"].items():
        assert sum(roles.values()) == sum(sum(x["by_role"][what].values()) for x in (one, other))
    for what in ("role4_arrivals", "litters", "seats", "transfusions"):
        assert sum(merged["by_day"][what]) == sum(sum(x["by_day"][what]) for x in (one, other))

    together = Measures(resolved(name))
    for replication in (1, 0):
        for chunk in Simulation(resolved(name), 12, replication, 700):
            together.add(chunk)
    assert together.summary() == merged


def test_chunks_do_not_matter_to_the_measures() -> None:
    expected = filled("conventional", 0).measures.summary()
    assert filled("conventional", 0, 64).measures.summary() == expected
    assert {key: run("conventional").measures[key] for key in expected} == expected


@pytest.mark.parametrize("name", NAMES)
def test_deaths_are_counted_by_place_and_by_what_was_waited_for(name: str) -> None:
    expected: dict[str, dict[str, int]] = {}
    places = ["en route", "POI", *(f.id for f in run(name).scenario.facilities)]
    for x in people(name):
        if x["status"] in ("kia", "dow", "died_nonbattle"):
            what = "nothing" if x["waiting_for"] == NONE else WAITING_FOR[x["waiting_for"]]
            found = expected.setdefault(what, {})
            found[places[x["facility"] + 2]] = found.get(places[x["facility"] + 2], 0) + 1
    measures = run(name).measures
    assert measures["deaths_by_waiting_for"] == expected
    dead = sum(measures["outcomes"][status] for status in ("kia", "dow", "died_nonbattle"))
    assert sum(sum(found.values()) for found in expected.values()) == dead > 0


def by_day(days: list[int], count: int) -> list[int]:
    return [days.count(day) for day in range(count)]


@pytest.mark.parametrize("name", NAMES)
def test_demand_is_counted_by_day_and_role(name: str) -> None:
    """Returns to duty by role; arrivals at Role 4; departures by need of a litter (true T1 and T2); transfusions."""
    r, rows = run(name), people(name)
    found, day = r.measures["by_day"], 24 * 60 * MINUTE
    days = len(found["litters"])
    for role in (1, 2, 3):
        back = [
            x["closed"] // day
            for x in rows
            if x["status"] == "rtd" and r.scenario.facilities[x["facility"]].role == role
        ]
        assert found["returned_to_duty"].get(f"role{role}", [0] * days) == by_day(back, days)
        assert r.measures["by_role"]["returned_to_duty"].get(f"role{role}", 0) == len(back)
    role4 = [x["role4"] // day for x in rows if x["role4"] >= 0]
    assert found["role4_arrivals"] == by_day(role4, days)
    assert r.measures["by_role"]["arrivals"]["role4"] == len(role4)
    left = r.events[r.events["kind"] == EVENTS.index("departed")].tolist()
    names = r.events.dtype.names
    moves = [dict(zip(names, row, strict=True)) for row in left]
    for what, categories in (("litters", (1, 2)), ("seats", (3,))):
        chosen = [m for m in moves if rows[m["patient"]]["triage"] in categories]
        assert found[what] == by_day([m["at"] // day for m in chosen], days)
        assert r.measures["by_role"][what]["before_role1"] == sum(m["facility"] < 0 for m in chosen)
    given = r.treatments[r.treatments["kind"] == TREATMENTS.index("blood_transfusion")]
    assert found["transfusions"] == by_day((given["start"] // day).tolist(), days)


@pytest.mark.parametrize("table", ["facilities", "measures", "consumption"])
def test_a_result_offers_the_tables_of_the_run(table: str) -> None:
    r = run("standard")
    arrow = r.to_arrow(table)
    assert arrow.column_names == [column.name for column in whole_run.RUN_COLUMNS[table]]
    assert len(r.to_pandas(table)) == r.to_polars(table).height == arrow.num_rows
    if table == "measures":
        assert arrow.num_rows == len(r.measures_table) > 100
        (row,) = [x for x in r.measures_table if x["measure"] == "case_fatality_rate"]
        mortality = r.measures["mortality"]
        assert (row["value"], row["denominator"], row["category"], row["unit"]) == (
            mortality["case_fatality_rate"],
            mortality["battle_casualties"],
            "battle",
            "%",
        )
    else:
        assert arrow.num_rows == len(getattr(r, table))


def test_no_casualties_have_no_rates() -> None:
    summary = Measures(resolved("standard")).summary()
    assert summary["patients"] == 0
    assert summary["mortality"]["percent_kia"] is None
    assert summary["mortality"]["percent_dow"] is None
    assert summary["mortality"]["case_fatality_rate"] is None
    assert summary["minutes_from_injury"]["role1"] == {"patients": 0, "median": None}


def one_link(minutes: float) -> dict[str, Any]:
    """The settings of a run in which everybody lives and the only link takes so long."""
    return {
        "survival": effects.NOBODY_DIES,
        "mix": effects.MIXED,
        **effects.one_place(minutes=effects.constant(minutes)),
    }


@pytest.mark.parametrize("minutes", [20_000, 50_000, 1_000_000])
def test_a_median_has_no_longest_value(minutes: float) -> None:
    """At a constant time on the way all arrive after exactly that, however long it is."""
    r = effects.run(400, **one_link(minutes))
    p = r.patients
    times = (p["role2"] - p["time"])[p["role2"] >= 0] / MINUTE
    assert len(times) == 400
    found = r.measures["minutes_from_injury"]["role2"]["median"]
    assert found == pytest.approx(np.median(times), abs=0.51, rel=1 / 32_768)
    assert times.min() - 0.1 <= found <= times.max() + 0.1
    (row,) = [m for m in r.measures_table if (m["measure"], m["detail"]) == ("median_minutes", "role2")]
    assert row["value"] == found


def test_equal_durations_have_themselves_as_median() -> None:
    for milliseconds in (0, 60_000, 222_000, 43_200 * MINUTE, 50_000 * MINUTE, 2**62):
        durations = Durations()
        durations.add(np.full(7, milliseconds, np.int64))
        assert durations.median() == round(milliseconds / MINUTE, 1)


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=40), st.integers(0, 40))
def test_medians_of_durations_are_as_exact_as_promised(values: list[int], cut: int) -> None:
    """Between the two middle values, to the minute or 1 in 32,768; and parts add up to the whole."""
    whole, first, rest = Durations(), Durations(), Durations()
    whole.add(np.array(values, np.int64))
    first.add(np.array(values[:cut], np.int64))
    rest.add(np.array(values[cut:], np.int64))
    rest.merge(first)
    found = whole.median()
    assert found is not None
    assert (len(rest), rest.median()) == (len(values), found)
    assert all(rest.below(limit) == whole.below(limit) for limit in (1, 10, 60, 65_536))
    assert whole.below(60) == sum(value < 60 * MINUTE for value in values)
    values.sort()
    low, high = values[(len(values) - 1) // 2] / MINUTE, values[len(values) // 2] / MINUTE
    assert low - max(1.1, low / 32_768) <= found <= high + max(1.1, high / 32_768)


def test_memory_of_durations_does_not_grow_with_their_number() -> None:
    durations = Durations()
    durations.add(np.array([2**62], np.int64))
    size = len(pickle.dumps(durations))
    durations.add(np.random.default_rng(1).integers(0, 2**62, 100_000))
    assert len(pickle.dumps(durations)) <= size < 10_000_000


def test_what_happens_after_the_days_that_are_counted_is_counted_by_role() -> None:
    chunk = next(iter(Simulation(resolved("standard"), 12, 0, PATIENTS)))
    early, late = Measures(resolved("standard")), Measures(resolved("standard"))
    patients = chunk.patients.copy()
    early.add(c.Chunk(0, 0, True, patients))
    reached = patients["role4"] >= 0
    patients["role4"][reached] += np.int64(60_000 * DAY)
    late.add(c.Chunk(0, 0, True, patients))
    late.merge(Measures(resolved("standard")))
    before, after = early.summary(), late.summary()
    assert after["by_role"] == before["by_role"]
    assert sum(before["by_day"]["role4_arrivals"]) == reached.sum() > 100
    assert sum(after["by_day"]["role4_arrivals"]) == 0
    assert "later" not in before["by_day"]
    assert after["by_day"]["later"] == {**dict.fromkeys(DAILY, 0), "arrivals": reached.sum()}
    rows = whole_run.measures_table(after | {"flow": FlowMeasures.empty(resolved("standard")).summary()})
    names = [column.name for column in rows.columns]
    found = [dict(zip(names, row, strict=True)) for row in zip(*rows.values, strict=True)]
    (row,) = [row for row in found if row["detail"] == f"after day {LAST_DAY}"]
    assert (row["measure"], row["value"]) == ("arrivals", reached.sum())


def test_the_time_series_reaches_the_end_of_a_run_that_lasts_longer_than_planned() -> None:
    """Seventy days instead of the planned thirty: a full table takes longer intervals, not fewer days."""
    finite = {"triage_teams": 1, "treatment_bays": 2, "ward_beds": 3}
    places = [{"id": f"R{k}", "role": 2, **finite} for k in range(24)]
    ways = [{"origin": "POI", "destination": p["id"], "minutes": effects.constant(120_000)} for p in places]
    r = effects.run(300, days=1, survival=effects.NOBODY_DIES, facilities=places, links=ways)
    series, days = r.facilities, r.measures["flow"]["days"]
    assert days > 83
    assert len(series) <= 20_000
    assert series["at"].max() > (days - 2) * DAY
    flow = {(row["facility"], row["resource"]): row for row in r.measures["flow"]["resources"]}
    length = series["at"] - resources.intervals(series)
    for k, facility in enumerate(r.scenario.facilities):
        for resource in np.unique(series["resource"]):
            own = (series["facility"] == k) & (series["resource"] == resource)
            mean = (series["in_use"][own] * length[own]).sum() / (days * DAY)
            row = flow[facility.id, RESOURCE_FIELDS[resource]]
            assert mean == pytest.approx(row["mean_in_use"], abs=0.01)
    assert sum(row["mean_in_use"] for row in flow.values()) > 1


# --- in time of all, operations by day, blood without a stock, and the end of the run


@pytest.mark.parametrize("name", NAMES)
def test_shares_in_time_are_of_all_who_were_not_killed_instantly(name: str) -> None:
    r = run(name)
    dead = ("kia", "dow", "died_nonbattle")
    alive = [x for x in people(name) if x["status"] not in dead or x["closed"] > x["time"]]
    assert len(alive) < PATIENTS or name != "conventional"
    found = r.measures["in_time"]
    groups = [(found, alive)]
    groups += [(found["by_triage"][f"T{t}"], [x for x in alive if x["triage"] == t]) for t in (1, 2, 3)]
    fronts = enumerate(front.name for front in r.scenario.fronts)
    groups += [(found["by_front"][front], [x for x in alive if x["front"] == k]) for k, front in fronts]
    for row, people_ in groups:
        assert row["alive_at_first"] == len(people_)
        for care, limit in (("first_care", 10), ("role2", 60), ("surgery", 120)):
            late = [x for x in people_ if x[care] < 0 or x[care] - x["time"] >= limit * MINUTE]
            share = percent(len(people_) - len(late), len(people_))
            assert row[f"{care}_percent_within_{limit}"] == share
    (t1,) = [
        row
        for row in r.measures_table
        if (row["measure"], row["triage"]) == ("percent_in_time_of_all", "T1") and "surgery" in row["detail"]
    ]
    immediate = found["by_triage"]["T1"]
    assert (t1["value"], t1["denominator"]) == (
        immediate["surgery_percent_within_120"],
        immediate["alive_at_first"],
    )


@pytest.mark.parametrize("name", NAMES)
def test_operations_are_counted_by_day_and_role(name: str) -> None:
    r = run(name)
    kinds = [EVENTS.index("surgery_started"), EVENTS.index("definitive_surgery_started")]
    started = r.events[np.isin(r.events["kind"], kinds)]
    found = r.measures["by_day"]["operations"]
    assert found == by_day((started["at"] // DAY).tolist(), len(found))
    assert sum(found) == sum(each["operations"] for each in r.measures["operations"].values()) > 0
    assert sum(r.measures["by_role"]["operations"].values()) == len(started)
    rows = [row for row in r.measures_table if row["measure"] == "operations" and row["day"]]
    assert {row["day"] - 1: row["value"] for row in rows} == {day: n for day, n in enumerate(found) if n}


def test_blood_used_is_empty_where_no_stock_is_set() -> None:
    """Care needs blood in both runs; only a stock gives it out."""
    place = {"id": "R2", "role": 2, "kind": "role2_enhanced", "treatment_bays": 9}
    network = effects.one_place(minutes=effects.constant(30.0))
    for stock in (None, 8):
        own = {} if stock is None else {"blood_units": stock}
        r = effects.run(300, **network | {"facilities": [place | own, {"id": "R4", "role": 4}]})
        row = r.measures["flow"]["facilities"][0]
        assert r.measures["consumption"]["blood"]["total"] > 0
        assert (row["blood_used"], row["blood_short"] is None) == (stock, stock is None)


def test_the_end_of_the_run_and_the_last_outcome_are_named() -> None:
    """Bays are free long before the last patient leaves an unlimited ward."""
    place = {"id": "R2", "role": 2, "kind": "role2_enhanced", "treatment_bays": 1, "policy_days": 100.0}
    network = effects.one_place(minutes=effects.constant(30.0)) | {
        "facilities": [place, {"id": "R4", "role": 4}]
    }
    for horizon in (None, 1.5):
        r = effects.run(120, days=1, survival=effects.NOBODY_DIES, horizon_days=horizon, **network)
        flow, last = r.measures["flow"], r.measures["last_outcome"]
        assert last["days"] == round(int(r.patients["closed"].max()) / DAY, 3)
        assert flow["ends_with"] == ("last_use" if horizon is None else "horizon")
        assert (last["days"] > flow["days"] + 3) == (horizon is None)
        (shown,) = [str(each) for each in summary.summary_tables(r.measures) if "whole run" in str(each)]
        assert flow["ends_at"] in shown
        assert last["at"] in shown

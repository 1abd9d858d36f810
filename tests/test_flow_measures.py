"""What the network did: figures that a planner can check by hand, from statistics of a small network."""

import dataclasses
import json

import numpy as np
import pytest

from engine import scenario as scenario_api
from engine.codes import RESOURCE_FIELDS
from engine.measures import FlowMeasures, Measures, Statistics, resources, whole_run
from engine.measures.resources import intervals
from engine.measures.statistics import SERIES, empty_statistics
from engine.records import RunTable
from goldenhour.views import summary

HOUR = 3_600_000
MINUTE = 60_000
BAYS, TABLES, WARD = (
    RESOURCE_FIELDS.index(name) for name in ("treatment_bays", "operating_tables", "ward_beds")
)
DAY_LONG = 24 * HOUR
WAYS = (
    "way_wait_sum",
    "way_wait_count",
    "way_queue_area",
    "way_max_queue",
    "way_died",
    "way_origin",
    "way_front",
    "way_period_queue_area",
    "way_period_max_queue",
    "way_period_wait_sum",
    "way_period_wait_count",
)
POOLS = ("sorties", "carried", "litters_used", "busy", "lost", "period_busy")
PLACES = ("arrived", "refused", "bypassed", "blood_used", "blood_short")
ROWS = dict.fromkeys(WAYS + POOLS, 1) | dict.fromkeys(PLACES, 2)
"""Rows of the arrays that are not by facility and resource."""

TEXT = """
name = "small"
start = "2030-01-01T00:00:00Z"
[casualties]
total = 10
[[fronts]]
name = "North"
nations = { NOR = 1.0 }
[[facilities]]
id = "R2"
role = 2
blood_units = 12
[[facilities]]
id = "R4"
role = 4
[[links]]
origin = "POI"
destination = "R2"
minutes = { distribution = "constant", mean = 30.0 }
[[links]]
origin = "R2"
destination = "R4"
minutes = { distribution = "constant", mean = 60.0 }
[[vehicles]]
id = "ambulances"
kind = "ambulance_armored"
number = 3
seats = 2
"""


@pytest.fixture(scope="module")
def scenario() -> scenario_api.Scenario:
    return scenario_api.resolve(scenario_api.parse(TEXT.encode(), "toml"))


def sample(hour: int, resource: int, in_use: float, queue: float, offered: float, capacity: int) -> tuple:
    return (hour * HOUR, 0, resource, in_use, queue, offered, int(in_use), int(queue), capacity)


@pytest.fixture
def raw() -> Statistics:
    """A day of one Role 2: 4 bays, 2 tables of which one is manned at night, 10 ward beds; a Role 4 without limits."""
    r = empty_statistics()
    for field in dataclasses.fields(Statistics):
        values = getattr(r, field.name)
        if field.name not in ("time_end", "periods", "samples"):
            setattr(r, field.name, np.zeros((ROWS.get(field.name, 12), *values.shape[1:]), values.dtype))
    r.time_end = np.array([float(DAY_LONG)])
    r.finite[[BAYS, TABLES, WARD]] = 1
    r.capacity_time[[BAYS, TABLES, WARD]] = np.array([4, 1.5, 10]) * DAY_LONG
    r.used_area[[BAYS, TABLES, WARD]] = np.array([1, 1.2, 9]) * DAY_LONG
    r.stay_sum = r.used_area.copy()
    r.max_used[[BAYS, TABLES, WARD]] = (4, 2, 10)
    r.served[[BAYS, TABLES, WARD]] = (40, 10, 30)
    r.wait_count[BAYS] = (0, 10, 10, 20, 0)
    r.wait_count[TABLES] = (0, 4, 6, 0, 0)
    r.wait_sum[TABLES] = np.array([0, 10, 110, 0, 0]) * MINUTE
    r.queue_area[TABLES] = 120 * MINUTE
    r.max_queue[TABLES] = 3
    r.died[TABLES] = 2
    r.blocked[WARD] = 90 * MINUTE
    r.way_origin[0], r.way_front[0] = -1, 0
    r.way_wait_count[0] = (0, 1, 0, 3, 0)
    r.way_wait_sum[0] = np.array([0, 5, 0, 55, 0]) * MINUTE
    r.way_queue_area[0] = 60 * MINUTE
    r.way_died[0], r.litters_used[0] = 4, 14
    r.sorties[0], r.carried[0], r.lost[0], r.busy[0] = 10, 30, 1, 0.5 * 3 * DAY_LONG
    r.arrived[:], r.refused[0], r.bypassed[0], r.blood_used[0], r.blood_short[0] = (40, 20), 1, 2, 12.0, 3.0
    r.samples = np.array(
        [
            sample(1, TABLES, 1.0, 0.0, 1.0, 2),
            sample(2, TABLES, 1.5, 0.5, 2.0, 2),
            sample(1, BAYS, 2.0, 0.0, 4.0, 4),
            sample(2, BAYS, 0.0, 0.0, 4.0, 4),
        ],
        SERIES,
    )
    return r


def test_only_what_has_a_limit_is_listed(scenario: scenario_api.Scenario, raw: Statistics) -> None:
    rows = FlowMeasures(scenario, raw).resources()
    assert [(row["facility"], row["resource"]) for row in rows] == [
        ("R2", "treatment_bays"),
        ("R2", "operating_tables"),
        ("R2", "ward_beds"),
    ]


def test_a_resource_is_told_by_its_waits_queue_and_utilisation(
    scenario: scenario_api.Scenario, raw: Statistics
) -> None:
    bays, tables, ward = FlowMeasures(scenario, raw).resources()
    assert tables["capacity"] == 1.5
    assert tables["utilisation"] == 0.8
    assert tables["capacity_hours"] == 36
    assert tables["mean_wait_minutes"] == 12
    assert tables["mean_wait_minutes_T1"] == 2.5
    assert tables["mean_wait_minutes_T2"] == pytest.approx(110 / 6, abs=1e-4)
    assert tables["mean_wait_minutes_T3"] is None
    assert tables["mean_queue"] == pytest.approx(120 / 1440, abs=1e-6)
    assert (tables["max_queue"], tables["max_in_use"], tables["deaths_waiting"]) == (3, 2, 2)
    assert (bays["waits"], bays["mean_wait_minutes"], bays["utilisation"]) == (40, 0, 0.25)
    assert (ward["blocked_minutes"], ward["mean_in_use"]) == (90, 9)


def test_vehicles_are_told_by_their_sorties_and_places(
    scenario: scenario_api.Scenario, raw: Statistics
) -> None:
    flow = FlowMeasures(scenario, raw)
    assert flow.vehicles() == [
        {
            "vehicle": "ambulances",
            "number": 3,
            "sorties": 10,
            "patients": 30,
            "litters_used": 14,
            "litters_offered": 20,
            "seats_offered": 20,
            "load": 0.75,
            "busy_minutes": 2160,
            "utilisation": 0.5,
            "lost": 1,
        }
    ]
    (way,) = flow.transport()
    assert (way["origin"], way["front"], way["waits"], way["mean_wait_minutes"]) == ("POI", "North", 4, 15)
    assert way["deaths_waiting"] == 4
    assert flow.summary()["deaths_waiting"] == {
        "treatment_bays": 0,
        "operating_tables": 2,
        "ward_beds": 0,
        "transport": 4,
    }
    assert flow.places()[0] == {
        "facility": "R2",
        "arrived": 40,
        "refused": 1,
        "bypassed": 2,
        "blood_used": 12,
        "blood_short": 3,
    }


def test_a_period_is_told_as_the_whole_run_is(scenario: scenario_api.Scenario, raw: Statistics) -> None:
    """The casualty period is longer than the run and cut at its end; the busiest 24 hours begin at noon."""
    assert FlowMeasures(scenario, raw).periods() == {}
    raw.periods = np.array([[0.0, 2 * DAY_LONG, 10], [DAY_LONG / 2, 1.5 * DAY_LONG, 6]])
    raw.period_capacity_time[TABLES] = (1.5 * DAY_LONG, DAY_LONG)
    raw.period_used_area[TABLES] = (1.2 * DAY_LONG, 0.9 * DAY_LONG)
    raw.period_queue_area[TABLES] = (120 * MINUTE, 108 * MINUTE)
    raw.period_max_queue[TABLES] = (3, 2)
    raw.period_wait_sum[TABLES, 1, 1] = 8 * MINUTE
    raw.period_wait_count[TABLES, 1, 1] = 2
    raw.way_origin[0], raw.way_front[0] = -1, 0
    raw.way_period_wait_count[0, 1, 1], raw.way_period_wait_sum[0, 1, 1] = 4, 60 * MINUTE
    raw.way_period_queue_area[0, 1] = 60 * MINUTE
    raw.period_busy[0] = (DAY_LONG, DAY_LONG / 2)
    found = FlowMeasures(scenario, raw).periods()
    assert list(found) == ["casualty_period", "peak_24_hours"]
    whole, peak = found.values()
    assert (whole["from_hours"], whole["to_hours"], whole["casualties"]) == (0, 24, 10)
    assert (peak["from_hours"], peak["to_hours"], peak["casualties"]) == (12, 24, 6)
    (tables,) = [row for row in peak["resources"] if row["resource"] == "operating_tables"]
    assert (tables["capacity"], tables["mean_in_use"], tables["utilisation"]) == (2, 1.8, 0.9)
    assert (tables["mean_queue"], tables["max_queue"]) == (pytest.approx(108 / 720), 2)
    assert (tables["mean_wait_minutes"], tables["mean_wait_minutes_T1"], tables["waits"]) == (4, 4, 2)
    (way,) = peak["transport"]
    assert (way["origin"], way["front"], way["mean_wait_minutes"], way["waits"]) == ("POI", "North", 15, 4)
    (pool,) = peak["vehicles"]
    assert pool["utilisation"] == pytest.approx(0.5 / (3 * 0.5), abs=1e-6)
    assert peak["roles"] == {"role2": {"mean_queue": pytest.approx(108 / 720), "max_queue": 2}}


def test_littles_law_is_checked_on_resources_and_transport(
    scenario: scenario_api.Scenario, raw: Statistics
) -> None:
    assert FlowMeasures(scenario, raw).little_error() == 0
    raw.queue_area[TABLES] += MINUTE
    assert FlowMeasures(scenario, raw).little_error() == pytest.approx(1 / 121)
    raw.queue_area[TABLES] -= MINUTE
    raw.stay_sum[WARD] -= 9 * HOUR
    assert FlowMeasures(scenario, raw).little_error() == pytest.approx(1 / 24)
    raw.way_queue_area[0] = 0
    assert FlowMeasures(scenario, raw).little_error() == 1


def test_nothing_finite_is_empty_everywhere(scenario: scenario_api.Scenario) -> None:
    flow = FlowMeasures.empty(scenario)
    assert flow.resources() == flow.vehicles() == flow.places() == flow.transport() == []
    assert len(flow.series()) == 0
    assert flow.little_error() == 0
    assert len(whole_run.facilities_table(scenario, flow.series())) == 0
    assert json.dumps(flow.summary())


def test_a_closed_facility_has_no_utilisation(scenario: scenario_api.Scenario, raw: Statistics) -> None:
    raw.capacity_time[TABLES] = 0
    assert FlowMeasures(scenario, raw).resources()[1]["utilisation"] is None


def test_the_series_runs_by_time_and_knows_its_intervals(
    scenario: scenario_api.Scenario, raw: Statistics
) -> None:
    series = FlowMeasures(scenario, raw).series()
    assert series["at"].tolist() == [HOUR, HOUR, 2 * HOUR, 2 * HOUR]
    assert series["resource"].tolist() == [BAYS, TABLES, BAYS, TABLES]
    assert intervals(series).tolist() == [0, 0, HOUR, HOUR]


def test_without_offered_capacity_that_at_the_end_stands_for_it(
    scenario: scenario_api.Scenario, raw: Statistics
) -> None:
    """And where a team has left that still operates, what is in use."""
    raw.samples["capacity"][1] = 1
    raw.samples = raw.samples[[name for name in SERIES.names or () if name != "offered"]]
    assert FlowMeasures(scenario, raw).series()["offered"].tolist() == [4, 2, 4, 1.5]


def test_a_long_series_is_told_in_longer_intervals(
    scenario: scenario_api.Scenario, raw: Statistics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """7 hours of 2 resources in at most 6 rows: intervals of 3, 3 and 1 h."""
    rng = np.random.default_rng(1)
    raw.samples = np.array(
        [
            sample(hour, resource, *rng.integers(0, 8, 3).tolist(), hour)
            for hour in range(1, 8)
            for resource in (BAYS, TABLES)
        ],
        SERIES,
    )
    fine = FlowMeasures(scenario, raw).series()
    monkeypatch.setattr(resources, "MAX_SAMPLES", 6)
    coarse = FlowMeasures(scenario, raw).series()
    assert coarse["at"].tolist() == [3 * HOUR] * 2 + [6 * HOUR] * 2 + [7 * HOUR] * 2
    assert coarse["resource"].tolist() == [BAYS, TABLES] * 3
    assert coarse["capacity"].tolist() == [3, 3, 6, 6, 7, 7]
    for name in ("in_use", "queue", "offered"):
        for resource in (BAYS, TABLES):
            hourly = fine[name][fine["resource"] == resource]
            found = coarse[name][coarse["resource"] == resource]
            assert found == pytest.approx([hourly[:3].mean(), hourly[3:6].mean(), hourly[6]])


def rows_of(table: RunTable) -> list[dict]:
    names = [column.name for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*table.values, strict=True)]


def test_the_table_facilities_has_words_and_times(scenario: scenario_api.Scenario, raw: Statistics) -> None:
    table = whole_run.facilities_table(scenario, FlowMeasures(scenario, raw).series())
    start = scenario_api.start_seconds(scenario)
    assert rows_of(table)[3] == {
        "start": start + 3600,
        "end": start + 7200,
        "facility": "R2",
        "role": 2,
        "resource": "operating_tables",
        "in_use": 1.5,
        "queue": 0.5,
        "utilisation": 0.75,
        "capacity": 2,
        "in_use_at_end": 1,
        "queue_at_end": 0,
    }


def test_the_table_measures_has_each_figure_with_unit_and_denominator(
    scenario: scenario_api.Scenario, raw: Statistics
) -> None:
    found = Measures(scenario).summary() | {"flow": FlowMeasures(scenario, raw).summary()}
    rows = rows_of(whole_run.measures_table(found))

    def value(measure: str, **names: object) -> tuple:
        names = {"triage": None, **names}
        chosen = [
            row for row in rows if row["measure"] == measure and all(row[k] == v for k, v in names.items())
        ]
        assert len(chosen) == 1, (measure, names, chosen)
        return chosen[0]["value"], chosen[0]["unit"], chosen[0]["denominator"]

    tables = {"facility": "R2", "resource": "operating_tables"}
    assert value("mean_wait", **tables) == (12, "minutes", 10)
    assert value("mean_wait", triage="T1", **tables) == (2.5, "minutes", 4)
    assert value("utilisation", **tables) == (80, "%", 36)
    assert value("utilisation", vehicle="ambulances") == (50, "%", 72)
    assert value("load", vehicle="ambulances") == (75, "%", 40)
    assert value("deaths_waiting", **tables) == (2, "patients", None)
    assert value("mean_wait", facility="POI", front="North") == (15, "minutes", 4)
    assert value("blood_short", facility="R2") == (3, "units", None)
    assert value("percent_kia") == (None, "%", 0)
    assert {row["measure"] for row in rows} <= set(whole_run.MEASURES)
    assert {row["scope"] for row in rows} <= set(whole_run.SCOPES)


def test_the_screen_shows_the_busiest_first(scenario: scenario_api.Scenario, raw: Statistics) -> None:
    found = Measures(scenario).summary()
    assert len(summary.summary_tables(found | {"flow": FlowMeasures.empty(scenario).summary()})) == 3
    shown = summary.summary_tables(found | {"flow": FlowMeasures(scenario, raw).summary()})
    assert len(shown) == 5
    resources, transport = ([row.cells for row in table._rows] for table in shown[3:])
    assert [cells[1] for cells in resources] == ["ward beds", "operating tables", "treatment bays"]
    assert [cells[3] for cells in resources] == ["90", "80", "25"]
    assert [cells[0] for cells in transport] == ["ambulances"]
    raw.periods = np.array([[0.0, DAY_LONG, 10], [0.0, DAY_LONG, 10]])
    raw.period_queue_area[TABLES] = DAY_LONG
    shown = summary.summary_tables(found | {"flow": FlowMeasures(scenario, raw).summary()})
    queues, end = shown[3:-2]
    assert str(end).startswith(
        "The whole run ends at 2030-01-02T00:00:00Z (after 1.0 days), when the last limited"
    )
    cells = [row.cells for row in queues._rows]
    assert list(cells[0][:3]) == ["R2", "operating tables", "casualty period"]
    assert [row[2] for row in cells[:3]] == ["casualty period", "peak 24 h", "whole run"]
    assert [row[5] for row in cells[:3]] == ["1.00", "1.00", "0.08"]

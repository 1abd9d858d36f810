"""Why surgery is late: stages of the time to surgery, and the network in the casualty period and the peak 24 hours.

Both are worked out again from the records of random networks, with the reader of `finite_oracle`.
"""

import json
from typing import Any

import finite_networks
import finite_oracle as oracle
import numpy as np
import pytest
from finite_delays import check_blocking, check_delays, check_periods
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import goldenhour
from engine import scenario as scenario_api
from engine.arrivals import find_peak, plan_arrivals
from engine.codes import AWAITED, EVENTS, Event
from engine.errors import RunError
from engine.measures import find_measures
from engine.measures.counted import STAGES
from engine.measures.histograms import CELLS, cell_of, quantiles, shorter_than
from engine.measures.patients import DEATH_HOURS
from engine.run import Simulation
from goldenhour.views import summary

HOUR, DAY, MINUTE = oracle.HOUR, 24 * oracle.HOUR, oracle.MINUTE
DRAWN = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


@settings(max_examples=60, suppress_health_check=DRAWN)
@given(finite_networks.scenarios())
def test_stages_and_periods_agree_with_the_records_of_any_network(scenario: dict[str, Any]) -> None:
    try:
        r = oracle.run(scenario)
    except RunError as error:
        assert "deadlock" in str(error)
        return
    observed = oracle.read(r)
    check_delays(r, observed)
    check_blocking(r)
    check_periods(r, observed)


@settings(max_examples=15, suppress_health_check=DRAWN)
@given(finite_networks.scenarios(lasting=True, prepares=True))
def test_measures_are_the_same_for_any_size_of_chunk(scenario: dict[str, Any]) -> None:
    given_ = scenario_api.resolve(scenario_api.parse(json.dumps(scenario).encode(), "json"))
    found = []
    for size in (33, 2048):
        simulation = Simulation(given_, given_.seed, 0, size)
        for _ in simulation:
            pass
        found.append(find_measures(simulation, given_))
    assert found[0] == found[1]


def test_the_stages_of_both_fronts_add_up_to_all() -> None:
    r = goldenhour.simulate("division", seed=4, patients=600)
    found = r.measures["time_to_surgery"]
    stages = r.delays()
    operated = stages["to_surgery"] >= 0
    assert found["patients"] == operated.sum() == (r.patients["surgery"] >= 0).sum() > 20
    for groups in (found["by_triage"], found["by_front"]):
        assert sum(group["patients"] for group in groups.values()) == found["patients"]
    for name in (*STAGES, "to_surgery"):
        minutes = stages[name][operated] / MINUTE
        row = found["minutes"][name]
        assert row["mean"] == pytest.approx(minutes.mean(), abs=0.006)
        for key, share in (("median", 0.5), ("p90", 0.9)):
            low, high = (
                np.quantile(minutes, share, method="lower"),
                np.quantile(minutes, share, method="higher"),
            )
            slack = 1.1 if name == "to_surgery" else 0.16
            assert low * (1 - 1 / 128) - slack <= row[key] <= high * (1 + 1 / 128) + slack, (name, key)
        for k, front in enumerate(r.scenario.fronts):
            mine = stages[name][operated & (r.patients["front"] == k)]
            if len(mine):
                mean = found["by_front"][front.name]["minutes"][name]["mean"]
                assert mean == pytest.approx(mine.mean() / MINUTE, abs=0.006)
    shares = [row["percent"] for row in found["ranking"]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 100.01
    first = found["ranking"][0]
    assert f"{first['mean_minutes']:,.0f} min on average" in found["sentence"]
    assert found["sentence"].startswith(f"Surgery comes {found['minutes']['to_surgery']['median']:,.0f} min")


ONE_ROLE_2 = {
    "name": "one",
    "days": 1,
    "start": "2030-01-01T00:00:00Z",
    "casualties": {"total": 150},
    "mix": {"battle": 1.0, "nbi": 0.0, "disease": 0.0},
    "fronts": [{"name": "North", "nations": {"NOR": 1.0}}],
    "facilities": [
        {"id": "R2", "role": 2, "kind": "role2_enhanced", "operating_tables": 2},
        {"id": "R4", "role": 4, "kind": "role4"},
    ],
    "links": [
        {"origin": "POI", "destination": "R2", "minutes": {"distribution": "constant", "mean": 30.0}},
        {"origin": "R2", "destination": "R4", "minutes": {"distribution": "constant", "mean": 60.0}},
    ],
}


def simulated(**settings_of_r2: Any) -> goldenhour.Result:
    facilities = [ONE_ROLE_2["facilities"][0] | settings_of_r2, ONE_ROLE_2["facilities"][1]]  # type: ignore[index]
    return goldenhour.simulate(ONE_ROLE_2 | {"facilities": facilities}, seed=2)


def means(r: goldenhour.Result) -> dict[str, float]:
    return {name: row["mean"] for name, row in r.measures["time_to_surgery"]["minutes"].items()}


def test_a_wait_is_for_a_team_where_the_tables_outnumber_the_teams() -> None:
    tables, teams = simulated(), simulated(operating_tables=4, surgical_teams=2)
    assert means(tables)["table"] == means(teams)["team"] > 10
    assert means(tables)["team"] == means(teams)["table"] == 0
    assert "waiting for an operating table at R2" in tables.measures["time_to_surgery"]["sentence"]
    assert "waiting for a surgical team at R2" in teams.measures["time_to_surgery"]["sentence"]


def test_at_night_the_wait_is_for_a_team_and_by_day_for_a_table() -> None:
    night = {"from_hour": 20.0, "to_hour": 6.0, "surgical_teams": 1}
    day = {"from_hour": 6.0, "to_hour": 20.0, "surgical_teams": 2}
    found = means(simulated(shifts=[day, night]))
    assert found["team"] > 10
    assert found["table"] > 10
    assert means(simulated(shifts=[day, night | {"surgical_teams": 2}]))["team"] == 0


def test_more_tables_shorten_the_wait_for_them_and_nothing_else() -> None:
    few, many = means(simulated()), means(simulated(operating_tables=20))
    assert few["table"] > many["table"] == 0
    for name in ("point_of_injury", "vehicle", "travel", "triage", "bay", "team", "blocked"):
        assert few[name] == pytest.approx(many[name], abs=2.0), name


def test_the_first_operation_counts_where_others_follow() -> None:
    rules = {"probability": [0.9] * 4, "interval_minutes": {"distribution": "constant", "mean": 300.0}}
    r2 = {**ONE_ROLE_2["facilities"][0], "operating_tables": 60}  # type: ignore[index]
    ample = ONE_ROLE_2 | {"facilities": [r2, ONE_ROLE_2["facilities"][1]]}  # type: ignore[index]
    for scenario in (ONE_ROLE_2, ample):
        r = goldenhour.simulate(scenario | {"reoperations": rules}, seed=2)
        started = r.events[r.events["kind"] == EVENTS.index("surgery_started")]
        patients, first = np.unique(started["patient"], return_index=True)
        assert len(started) > 1.5 * len(patients) > 30
        stages = r.delays()
        assert (np.flatnonzero(stages["to_surgery"] >= 0) == patients).all()
        whole = started["at"][first] - r.patients["time"][patients]
        assert (sum(stages[name][patients] for name in STAGES) == whole).all()
    once = {str(p["id_lo"]): row for p, row in by_patient(goldenhour.simulate(ample, seed=2))}
    assert all((once[str(p["id_lo"])] == row).all() for p, row in by_patient(r)), "no table is scarce"


def by_patient(r: goldenhour.Result) -> Any:
    stages = r.delays()
    return zip(r.patients, np.column_stack([stages[name] for name in STAGES]), strict=True)


def test_a_diverted_patient_travels_to_the_other_facility_and_every_stage_counts() -> None:
    near, last = ONE_ROLE_2["facilities"]  # type: ignore[misc]
    diverting = near | {"divert": {"tables_busy": True, "categories": ["T1", "T2"]}}
    far = {"id": "far", "role": 2, "operating_tables": 4}
    ways = [("POI", "R2", 30.0), ("POI", "far", 75.0), ("R2", "R4", 60.0), ("far", "R4", 60.0)]
    links = [
        {"origin": a, "destination": b, "minutes": {"distribution": "constant", "mean": minutes}}
        for a, b, minutes in ways
    ]
    r = goldenhour.simulate(ONE_ROLE_2 | {"facilities": [diverting, far, last], "links": links}, seed=2)
    stages = r.delays()
    started = r.events[r.events["kind"] == EVENTS.index("surgery_started")]
    whole = started["at"] - r.patients["time"][started["patient"]]
    assert (sum(stages[name][started["patient"]] for name in STAGES) == whole).all()
    diverted = started["facility"] == 1
    assert diverted.sum() > 10 < (~diverted).sum()
    way = (stages["vehicle"] + stages["travel"])[started["patient"]] / MINUTE
    assert way[diverted].min() > way[~diverted].max()


def test_in_the_casualty_period_queues_are_longer_than_on_average() -> None:
    flow = simulated(ward_beds=200).measures["flow"]
    period, peak = flow["periods"]["casualty_period"], flow["periods"]["peak_24_hours"]
    assert (period["from_hours"], period["to_hours"], period["casualties"]) == (0, 24, 150)
    assert 140 < peak["casualties"] <= 150
    assert peak["to_hours"] - peak["from_hours"] == pytest.approx(24)
    assert flow["days"] > 5
    whole, within = (
        next(row for row in rows if row["resource"] == "operating_tables")
        for rows in (flow["resources"], period["resources"])
    )
    assert within["utilisation"] > 1.3 * whole["utilisation"]
    assert within["mean_queue"] > 1.3 * whole["mean_queue"]
    assert within["waits"] < whole["waits"]
    assert within["max_queue"] <= whole["max_queue"]


def test_the_peak_is_the_24_hours_with_most_arrivals() -> None:
    for name, patients in (("coin", 400), ("division", 900)):
        resolved = goldenhour.simulate(name, seed=3, patients=patients)
        plan = plan_arrivals(resolved.scenario)
        peak = find_peak(plan, 3, 0)
        times = np.sort(resolved.patients["time"])
        minutes = range(int(times[-1]) // MINUTE + 1)
        counts = [
            int(np.searchsorted(times, m * MINUTE + DAY) - np.searchsorted(times, m * MINUTE))
            for m in minutes
        ]
        assert peak.casualties == max(counts)
        last = len(counts) - 1 - counts[::-1].index(max(counts))
        assert peak.begin == last * MINUTE
        assert last in times // MINUTE  # the 24 hours begin with a casualty
        assert peak.within_days == (times < resolved.scenario.days * DAY).sum()


def test_the_peak_of_a_single_incident_holds_the_work_that_follows() -> None:
    front = ONE_ROLE_2["fronts"][0]["name"]  # type: ignore[index]
    listed = {
        "days": 3,
        "casualties": {"only_listed": True},
        "incidents": [{"at": "day 2 09:30", "front": front, "number": 50}],
    }
    found = goldenhour.simulate(ONE_ROLE_2 | listed, seed=2).measures["flow"]["periods"]["peak_24_hours"]
    assert found["from_hours"] == pytest.approx(33.5, abs=0.1)
    assert found["casualties"] == 50
    (tables,) = (row for row in found["resources"] if row["resource"] == "operating_tables")
    assert tables["utilisation"] > 0.1


@given(st.lists(st.integers(0, 40 * DAY), min_size=1, max_size=80))
def test_quantiles_of_counted_times_are_close(times: list[int]) -> None:
    counts = np.bincount([cell_of.py_func(t) for t in times], minlength=CELLS)
    for share, found in zip((0.25, 0.5, 0.9), quantiles(counts, (0.25, 0.5, 0.9)), strict=True):
        low, high = (np.quantile(times, share, method=method) / MINUTE for method in ("lower", "higher"))
        assert low * (1 - 1 / 128) - 0.16 <= found <= high * (1 + 1 / 128) + 0.16
    for hours in DEATH_HOURS:
        assert shorter_than(counts, int(60 * hours)) == sum(t < hours * HOUR for t in times)


def test_times_of_nothing_and_of_zero() -> None:
    assert quantiles(np.zeros(CELLS, np.int64), (0.5,)) == [None]
    counts = np.bincount([0, 0, 0], minlength=CELLS)
    assert quantiles(counts, (0.5, 1.0)) == [0.0, 0.0]
    assert cell_of.py_func(2**62) == CELLS - 1
    with pytest.raises(ValueError, match="no cell begins at 4321 minutes"):
        shorter_than(counts, 4321)
    with pytest.raises(ValueError, match="allowed above 0"):
        quantiles(counts, (0.0,))


TWO_TABLES = {"icu_beds": 2, "ward_beds": 200}


def held_tables_by_hand(r: goldenhour.Result, f: int, awaited: str) -> int:
    """ms from the end of operations to the next event, for those who wait for a bed; they may become more urgent."""
    total = 0
    rows = r.events.tolist()
    names = list(r.events.dtype.names or ())
    kind, at, patient = names.index("kind"), names.index("at"), names.index("patient")
    facility, detail = names.index("facility"), names.index("detail")
    for k, row in enumerate(rows[1:], 1):
        if (
            row[kind] == Event.WAITING
            and row[facility] == f
            and rows[k - 1][kind] in (Event.SURGERY_ENDED, Event.DEFINITIVE_SURGERY_ENDED)
            and AWAITED[row[detail]] == awaited
        ):
            following = next(x for x in rows[k + 1 :] if x[kind] != Event.TRIAGED)
            assert following[patient] == row[patient]
            total += following[at] - row[at]
    return total


def test_a_wait_for_tables_that_are_held_for_want_of_beds_is_said_to_be_one() -> None:
    few, many = simulated(**TWO_TABLES), simulated(**TWO_TABLES | {"icu_beds": 200})
    found = few.measures["time_to_surgery"]["blocked"]["R2"]["operating_tables"]
    held = held_tables_by_hand(few, 0, "icu_bed")
    assert found["blocked_minutes"] == {"icu_beds": round(held / MINUTE, 3)}
    assert found["percent_blocked"] > 50
    assert (
        f"The operating tables there were held {held / HOUR:,.0f} h by patients who waited for ICU beds, "
        f"{found['percent_blocked']:.0f} % of their time in use. More operating tables alone may not help."
    ) in few.measures["time_to_surgery"]["sentence"]
    assert "R2" not in many.measures["time_to_surgery"]["blocked"]
    assert many.measures["time_to_surgery"]["sentence"].endswith("%).")
    assert means(many)["table"] < 0.5 * means(few)["table"]
    (row,) = [row for row in few.measures_table if row["measure"] == "blocked_for"]
    assert (row["facility"], row["resource"], row["detail"]) == ("R2", "operating_tables", "icu_beds")
    assert (row["value"], row["denominator"]) == (found["blocked_minutes"]["icu_beds"], found["use_minutes"])


def test_blocked_bays_are_followed_to_the_beds_that_are_short() -> None:
    sentence = simulated(**TWO_TABLES, treatment_bays=2).measures["time_to_surgery"]["sentence"]
    parts = (
        "treatment bay at R2",
        "waited for operating tables",
        "waited for ICU beds",
        "More treatment bays",
    )
    assert [sentence.index(part) for part in parts] == sorted(sentence.index(part) for part in parts)


def test_one_quantity_has_one_median() -> None:
    r = simulated(**TWO_TABLES)
    whole = r.measures["time_to_surgery"]["minutes"]["to_surgery"]["median"]
    assert whole == r.measures["minutes_from_injury"]["surgery"]["median"]
    p = r.patients[r.patients["surgery"] >= 0]
    minutes = (p["surgery"] - p["time"]) / MINUTE
    low, high = (np.quantile(minutes, 0.5, method=method) for method in ("lower", "higher"))
    assert low - 1 <= whole <= high + 1


def test_surgery_is_shown_by_triage_category_and_by_front() -> None:
    r = goldenhour.simulate("division", seed=4, patients=600)
    (table,) = [
        each for each in summary.summary_tables(r.measures) if getattr(each, "_columns", [""])[0] == "surgery"
    ]
    rows = {row.cells[0]: row.cells[1:] for row in table._rows}
    fronts = [front.name for front in r.scenario.fronts]
    assert list(rows) == ["T1", "T2", "T3", *fronts, "all"]
    found, in_time = r.measures["time_to_surgery"], r.measures["in_time"]
    for front in fronts:
        median = found["by_front"][front]["minutes"]["to_surgery"]["median"]
        assert rows[front][1] == f"{median:,.0f}"
    assert rows["T1"][3] == f"{in_time['by_triage']['T1']['surgery_percent_within_120']:.0f}"


def test_the_casualty_period_of_a_list_lasts_from_its_first_to_its_last_hour() -> None:
    incidents = [
        {"at": f"day 1 {6 + k // 2:02}:{20 + 30 * (k % 2):02}", "front": "North", "number": 8}
        for k in range(16)
    ]
    listed = ONE_ROLE_2 | {"casualties": {"only_listed": True}, "incidents": incidents, "days": 3}
    facilities = [ONE_ROLE_2["facilities"][0] | {"ward_beds": 200}, ONE_ROLE_2["facilities"][1]]  # type: ignore[index]
    r = goldenhour.simulate(listed | {"facilities": facilities}, seed=2)
    period = r.measures["flow"]["periods"]["casualty_period"]
    assert (period["from_hours"], period["to_hours"], period["casualties"]) == (6, 14, 128)
    drawn = goldenhour.simulate(listed | {"facilities": facilities, "casualties": {"total": 128}}, seed=2)
    period = drawn.measures["flow"]["periods"]["casualty_period"]
    assert (period["from_hours"], period["to_hours"], period["casualties"]) == (0, 72, 128)

"""Listed casualties: they come exactly when, where and as many as the list says, and as the list describes them."""

import itertools
from pathlib import Path
from typing import Any

import effects as x
import numpy as np
import pytest
from effects import DAY, MINUTE

import goldenhour
from engine import scenario as scenario_api
from engine.arrivals import expected_arrivals, plan_arrivals
from engine.codes import AT_POI, CASUALTY_KINDS, EVENTS, MECHANISMS, NONE, SEXES
from engine.errors import InputError, ScenarioError
from engine.run import Simulation
from engine.tables import ENDS, TABLES
from goldenhour import scenario_files
from scenarios import catalogue

AT = "day 2 09:30"
AT_MS = DAY + 570 * MINUTE
TWO_FRONTS = {"fronts": [x.FRONT, x.SOUTH]}


def row(**fields: Any) -> dict[str, Any]:
    return {"at": AT, "front": "North", "number": 40, **fields}


def only(*rows: dict[str, Any], **settings: Any) -> goldenhour.Result:
    """A run of the listed casualties alone."""
    return x.run(casualties=None, mix=None, **{**TWO_FRONTS, **settings}, incidents=list(rows))


def listed(result: goldenhour.Result, at: int = AT_MS) -> Any:
    """The patients of the incident at a time."""
    return result.patients[result.patients["incident_time"] == at]


def triaged_at_poi(result: goldenhour.Result) -> Any:
    """The categories assigned at the point of injury."""
    events = result.events
    return events[(events["kind"] == EVENTS.index("triaged")) & (events["facility"] == AT_POI)]["detail"]


def refused(text: str) -> str:
    with pytest.raises(ScenarioError) as error:
        scenario_api.prepare(scenario_api.parse(text.encode(), "toml"))
    return str(error.value)


# --- when, where, how many


def test_exactly_as_many_come_as_listed_to_the_millisecond_and_nobody_else() -> None:
    result = only(
        row(),
        row(front="South", number=3, at="33.5 h"),
        row(front="South", number=2, at="2030-01-03T00:00:00.123Z"),
    )
    found = result.patients
    places = sorted(zip(found["time"].tolist(), found["front"].tolist(), strict=True))
    assert places == [(AT_MS, 0)] * 40 + [(AT_MS, 1)] * 3 + [(2 * DAY + 123, 1)] * 2
    assert set(found["stream"].tolist()) == {0}


def test_rows_of_one_time_front_and_stream_are_one_incident_and_a_mass_casualty() -> None:
    rows = [row(number=1) for _ in range(12)]
    result = only(*rows, row(front="South", number=9), row(number=2, stream="nbi"), mascal_threshold=10)
    north = result.patients[(result.patients["front"] == 0) & (result.patients["stream"] == 0)]
    assert len(np.unique(north["incident"])) == 1
    assert set(north["incident_size"].tolist()) == {12}
    assert north["mascal"].all()
    assert not result.patients[result.patients["front"] == 1]["mascal"].any()
    assert len(np.unique(result.patients["incident"])) == 3


def test_a_series_brings_its_numbers_at_equal_distances() -> None:
    series = {"at": "day 1 06:00", "front": "North", "numbers": [4, 0, 6, 3], "every_minutes": 30.0}
    times = np.unique(only(series).patients["time"], return_counts=True)
    hours = [6 * 60, 7 * 60, 7 * 60 + 30]
    assert times[0].tolist() == [minute * MINUTE for minute in hours]
    assert times[1].tolist() == [4, 6, 3]


def test_listed_casualties_are_part_of_a_total_and_come_on_top_of_rates() -> None:
    result = x.run(200, incidents=[row()])
    assert len(result) == 200
    assert len(listed(result)) == 40
    rates = {"rates": {"battle": x.constant(20.0)}}
    fronts = [{**x.FRONT, "population": 1000}]
    calm = x.run(fronts=fronts, casualties=rates, mix=None)
    more = x.run(fronts=fronts, casualties=rates, mix=None, incidents=[row()])
    assert len(more) == len(calm) + 40
    none = x.run(fronts=fronts, casualties={**rates, "only_listed": True}, mix=None, incidents=[row()])
    assert len(none) == 40


def test_a_list_changes_no_drawn_casualty() -> None:
    rates = {"rates": {"battle": x.constant(20.0), "disease": x.constant(5.0)}}
    fronts = [{**x.FRONT, "population": 1000}]
    calm = x.run(fronts=fronts, casualties=rates, mix=None)
    more = x.run(fronts=fronts, casualties=rates, mix=None, incidents=[row()])
    names = [name for name in calm.patients.dtype.names if name not in ENDS.values()]
    rest = more.patients[np.isin(more.patients["id_lo"], calm.patients["id_lo"])]
    assert len(rest) == len(calm)
    order = [np.argsort(table["id_lo"]) for table in (rest, calm.patients)]
    for name in names:
        assert np.array_equal(rest[name][order[0]], calm.patients[name][order[1]]), name
    assert len(np.unique(more.patients["service_number"])) == len(more)


def test_a_further_row_changes_no_other_row() -> None:
    one, two = only(row()), only(row(), row(at="day 1 10:00", number=7))
    same = listed(two)
    assert np.array_equal(np.sort(one.patients["id_lo"]), np.sort(same["id_lo"]))
    assert sorted(one.patients["iss"].tolist()) == sorted(same["iss"].tolist())


def test_listed_casualties_reduce_the_strength_under_depletion() -> None:
    casualties = {"rates": {"battle": x.constant(50.0), "depletion": True}}
    settings: dict[str, Any] = {"fronts": [{**x.FRONT, "population": 1000}], "mix": None, "days": 4}
    before = x.run(casualties=casualties, **settings)
    after = x.run(casualties=casualties, incidents=[row(at="day 1 12:00", number=900)], **settings)
    drawn = after.patients["incident_size"] < 900
    on_day = [(after.patients["time"][drawn] // DAY == day).sum() for day in range(4)]
    was = [(before.patients["time"] // DAY == day).sum() for day in range(4)]
    assert on_day[0] == was[0]
    assert max(on_day[1:]) < 15 < min(was[1:])


# --- what they have


def test_a_category_is_the_true_one_and_that_at_the_point_of_injury() -> None:
    for category, stream in itertools.product(("T1", "T2", "T3"), ("battle", "nbi", "disease")):
        result = only(row(category=category, stream=stream, number=60), survival={"instant_death": 0.5})
        number = int(category[1])
        assert set(result.patients["triage"].tolist()) == {number}
        assert set(triaged_at_poi(result).tolist()) == {number}
        assert result.patients["worst_ais"].max(initial=0) < 6
    free = only(row(number=60))
    assert len(set(free.patients["triage"].tolist())) > 1


def test_given_categories_have_the_wounds_of_such_casualties() -> None:
    drawn = only(row(number=4000), survival={"instant_death": 0.0})
    for category in (1, 2, 3):
        given = only(row(number=1500, category=f"T{category}"), survival={"instant_death": 0.0})
        expected = drawn.patients[drawn.patients["triage"] == category]
        assert given.patients["niss"].mean() == pytest.approx(expected["niss"].mean(), rel=0.08)
        assert given.patients["worst_ais"].mean() == pytest.approx(expected["worst_ais"].mean(), rel=0.05)


def test_a_rare_category_is_met_all_the_same() -> None:
    for severity, category in ((-1.0, "T1"), (1.0, "T3")):
        result = only(row(number=200, category=category), survival={"severity": severity})
        assert set(result.patients["triage"].tolist()) == {int(category[1])}


def test_shares_are_met_by_all_rows_together() -> None:
    triage = {"T1": 0.2, "T2": 0.3, "T3": 0.5}
    rows = [row(at=f"day 1 {hour:02}:00", number=3, triage=triage) for hour in range(20)]
    result = only(*rows)
    assert np.bincount(result.patients["triage"])[1:].tolist() == [12, 18, 30]


def test_shares_of_some_categories_leave_the_others_in_the_proportions_of_the_model() -> None:
    drawn = only(row(number=4000), survival={"instant_death": 0.0}).patients["triage"]
    usual = (drawn == 2).sum() / (drawn >= 2).sum()
    for share in (0.1, 0.25, 0.6):
        result = only(row(number=2000, triage={"T1": share}))
        found = np.bincount(result.patients["triage"], minlength=4)
        assert found[1] == 2000 * share
        assert x.share_is(found[2], found[2] + found[3], usual, lines=2)
        assert result.patients["worst_ais"].max() < 6
    ill = only(row(number=400, stream="disease", triage={"T3": 0.5})).patients["triage"]
    assert (ill == 3).sum() == 200
    assert set(ill.tolist()) == {1, 2, 3}


def test_a_rest_of_categories_is_refused_under_transition_matrices() -> None:
    text = 'name = "a"\nrouting = "transition-matrix"\n[[incidents]]\nat = "1 h"\nfront = "Estonia"\n'
    assert "shares of T1, T2 and T3 under routing" in refused(text + "triage = { T1 = 0.5 }\n")


@pytest.mark.parametrize(
    "given",
    [
        {"mean_iss": 18.0},
        {"mean_iss": 8.0, "mechanism": "gunshot"},
        {"triage": {"T1": 0.5, "T2": 0.3, "T3": 0.2}},
        {"triage": {"T1": 0.6}},
    ],
)
def test_the_share_that_dies_untreated_holds_for_listed_casualties_too(given: dict[str, Any]) -> None:
    for share in (0.04, 0.12):
        rows = [row(number=2000, **given)]
        alive = only(*rows, survival={"lethality": share}).patients
        alive = alive[alive["worst_ais"] < 6]
        assert x.share_is((alive["lethal"] != NONE).sum(), len(alive), share, lines=2)
    plain, tilted = only(*rows).patients, only(*rows, survival={"lethality": 0.12}).patients
    if "mean_iss" in given:
        assert (plain["iss"] == tilted["iss"]).all()


def test_rows_of_one_category_each_have_the_share_together() -> None:
    rows = [row(number=count, category=f"T{k + 1}") for k, count in enumerate((500, 500, 1000))]
    found = only(*rows, survival={"lethality": 0.12}).patients
    assert x.share_is((found["lethal"] != NONE).sum(), 2000, 0.12, lines=2)
    assert not (found["lethal"][found["triage"] == 3] != NONE).any()


def test_the_time_to_death_holds_for_listed_casualties_too() -> None:
    for given in ({"mean_iss": 25.0}, {"triage": {"T1": 0.5, "T2": 0.3, "T3": 0.2}}):
        survival = {"lethality": 0.24, "untreated_minutes": 90.0}
        found = only(row(number=4000, **given), survival=survival).patients
        dying = found[(found["lethal"] != NONE) & (found["worst_ais"] < 6)]
        minutes = (dying["untreated_death"] - dying["time"]) / MINUTE
        assert np.median(minutes) == pytest.approx(90.0, rel=0.1)


def test_a_time_of_day_is_that_of_the_clock_whatever_the_hour_of_the_start() -> None:
    for start, at, hours in (
        ("2030-01-01T00:00:00Z", "day 2 09:30", 33.5),
        ("2030-01-01T06:00:00Z", "day 1 06:00", 0.0),
        ("2030-01-01T06:00:00Z", "day 2 09:30", 27.5),
        ("2030-01-01T06:00:00Z", "2030-01-02T09:30:00.500Z", 27.5 + 0.5 / 3600),
        ("2030-01-01T06:00:00Z", "27.5 h", 27.5),
        ("2030-01-01T06:00:01Z", "day 3 05:59", 48.0 - 61 / 3600),
    ):
        result = only(row(at=at, number=3), start=start, days=2)
        assert result.patients["time"].tolist() == [round(hours * 60 * MINUTE)] * 3, (start, at)
        resolved = result.scenario
        assert scenario_api.resolve(resolved) == resolved
    text = (
        'name = "a"\nstart = "2030-01-01T06:00:00Z"\ndays = 1\n[[incidents]]\nfront = "Estonia"\nat = "day '
    )
    assert "a time from the start on, 2030-01-01T06:00:00Z; day 1 is" in refused(text + '1 05:59"\n')
    assert "before 2030-01-02T06:00:00Z" in refused(text + '2 06:00"\n')


def test_a_mass_casualty_has_the_mean_iss_asked_for() -> None:
    for mean in (6.0, 16.0, 30.0):
        result = only(row(number=50, mean_iss=mean))
        alive = result.patients[result.patients["worst_ais"] < 6]
        assert alive["iss"].mean() == pytest.approx(mean, abs=0.5)


def test_mechanism_nation_and_unit_are_those_given() -> None:
    fronts = [{"name": "North", "nations": {"NOR": 1.0, "GBR": 0.0}}]
    for mechanism in ("explosion", "gunshot", "other"):
        result = only(row(mechanism=mechanism, nation="GBR", unit="Battle Group A"), fronts=fronts)
        assert {MECHANISMS[code] for code in result.patients["mechanism"]} == {mechanism}
        assert {patient.nationality for patient in result.records()} == {"GBR"}
        assert {patient.demographics.unit for patient in result.records()} == {"Battle Group A"}
    agent = only(row(mechanism="cbrn", category="T2"))
    assert {CASUALTY_KINDS[code] for code in agent.patients["kind"]} == {"agent"}
    assert set(agent.patients["triage"].tolist()) == {2}


def test_conditions_are_the_wounds_and_no_others() -> None:
    codes = ["S72.301A", "S27.0XXA"]
    result = only(row(conditions=codes, number=20))
    known = catalogue.conditions()
    for patient in range(20):
        own = result.wounds[result.wounds["patient"] == patient]
        assert sorted(known[code].code for code in own["condition"]) == sorted(codes)
    for wound in result.wounds:
        bounds = [c for c in known if c.code == known[wound["condition"]].code and c.use == "wound"]
        assert min(c.ais_low for c in bounds) <= wound["ais"] <= max(c.ais_high for c in bounds)


def test_one_condition_of_an_illness_decides_sex_kind_and_category() -> None:
    women = only(row(stream="disease", conditions=["N83.209"]))
    assert {SEXES[code] for code in women.patients["sex"]} == {"female"}
    psychological = next(c for c in catalogue.conditions() if c.use == "psychological")
    result = only(row(stream="disease", conditions=[psychological.code]))
    assert {CASUALTY_KINDS[code] for code in result.patients["kind"]} == {"psychological"}
    assert {f"T{code}" for code in result.patients["triage"]} <= set(psychological.categories)


def test_a_category_holds_under_transition_matrices() -> None:
    result = only(row(category="T1"), routing="transition-matrix")
    assert set(result.patients["triage"].tolist()) == {1}


# --- what is refused


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ('at = "day 2 9.30"', "incidents[0].at: got 'day 2 9.30'; allowed: \"day 2 09:30\""),
        ('at = "day 9 09:30"', "a time within the 8 days of the scenario"),
        ('at = "day 1 09:30"\nfront = "Estonai"', "did you mean 'Estonia'?"),
        ('at = "day 1 09:30"\nfront = "Estonia"\nnation = "NOR"', "a nation of front Estonia"),
        ('at = "day 1 09:30"', "incidents[0].front: got (missing)"),
        (
            'at = "day 1 09:30"\nfront = "Estonia"\nnumbers = [1, 2]',
            "incidents[0].every_minutes: got (missing)",
        ),
        (
            'at = "day 1 09:30"\nfront = "Estonia"\ncategory = "T1"\nconditions = ["S93.401A"]\nstream = "nbi"',
            "of conditions S93.401A: T3",
        ),
        ('at = "day 1 09:30"\nfront = "Estonia"\nconditions = ["S72.301"]', "did you mean 'S72.301"),
        ('at = "day 1 09:30"\nfront = "Estonia"\nmean_iss = 9\ncategory = "T1"', "mean_iss and category"),
        ('at = "day 1 09:30"\nfront = "Estonia"\nmechanism = "gunshot"\nstream = "nbi"', "no mechanism"),
        ('at = "day 1 09:30"\nfront = "Estonia"\ntriage = { T1 = 0.5, T2 = 0.6 }', "shares that sum to 1.1"),
        ('at = "day 1 09:30"\nfront = "Estonia"\ntriage = { T1 = 0.5, T2 = 0.1, T3 = 0.1 }', "sum to 0.7"),
        (
            'at = "day 1 09:30"\nfront = "Estonia"\nstream = "nbi"\nconditions = ["S93.401A"]\ntriage = { T3 = 0.5 }',
            "shares that sum to 1, because none is T1, T2",
        ),
        ('csv = "a.csv"', "the lines of a table"),
        ('at = "day 1 09:30"\ncsv = "a.csv"', "no value beside csv"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: str, message: str) -> None:
    assert message in refused(f'name = "a"\n[[incidents]]\n{fields}\n')


def test_a_total_below_the_list_is_refused_and_so_is_an_empty_list_alone() -> None:
    text = 'name = "a"\n[casualties]\ntotal = 9\n[[incidents]]\nat = "1 h"\nfront = "Estonia"\nnumber = 10\n'
    assert "casualties.total: got 9; allowed: at least 10" in refused(text)
    assert "with [[incidents]] only" in refused('name = "a"\n[casualties]\nonly_listed = true\n')


def test_settings_of_drawn_casualties_are_noted_where_none_are_drawn() -> None:
    assert x.notes(incidents=[row()], casualties={"only_listed": True, "total": 99}) == [
        "casualties.total, mix: no effect, because only the listed casualties come"
    ]


# --- CSV files


def write(folder: Path, csv: str, incidents: str = "", more: str = "") -> Path:
    (folder / "events.csv").write_text(csv)
    path = folder / "exercise.toml"
    fronts = "".join(f'[[fronts]]\nname = "{name}"\nnations = {{ NOR = 1 }}\n' for name in ("North", "South"))
    path.write_text(
        f'name = "exercise"\ndays = 2\n{more}[[incidents]]\ncsv = "events.csv"\n{incidents}{fronts}'
    )
    return path


def test_five_hundred_casualties_as_one_line_each_in_a_short_scenario(tmp_path: Path) -> None:
    minutes = np.random.default_rng(1).integers(0, 1440, 460)
    lines = [f"1,{m // 60:02}:{m % 60:02},{'North' if m % 2 else 'South'},1\n" for m in minutes]
    path = write(tmp_path, "day,time,front,number\n" + "1,09:30,North,1\n" * 40 + "".join(lines))
    assert len(path.read_text().splitlines()) <= 20
    result = goldenhour.simulate(path)
    assert len(result) == 500
    at = result.patients[result.patients["time"] == 570 * MINUTE]
    assert (at["front"] == 0).sum() >= 40
    assert at["mascal"].any()
    resolved = scenario_api.prepare(scenario_files.load(path)).resolved
    assert sum(r.expected for r in expected_arrivals(plan_arrivals(resolved))) == 500


def test_an_event_list_of_three_battalions_every_half_hour_in_forty_lines() -> None:
    rows = {"1 Bn": [3, 5, 8, 12] * 4, "2 Bn": [0, 2, 2, 6] * 4, "3 Bn": [1] * 16}
    text = 'name = "exercise"\ndays = 1\n'
    for name, numbers in rows.items():
        text += (
            f'[[fronts]]\nname = "{name}"\nnations = {{ NOR = 1 }}\n[[incidents]]\nfront = "{name}"\n'
            f'at = "day 1 06:00"\nnumbers = {numbers}\nevery_minutes = 30\n'
            "triage = { T1 = 0.2, T2 = 0.3, T3 = 0.5 }\n"
        )
    assert len(text.splitlines()) <= 40
    result = goldenhour.simulate(scenario_api.parse(text.encode(), "toml"))
    total = sum(map(sum, rows.values()))
    assert np.bincount(result.patients["front"]).tolist() == [sum(n) for n in rows.values()]
    shares = np.bincount(result.patients["triage"], minlength=4)[1:]
    assert np.abs(shares - total * np.array([0.2, 0.3, 0.5])).max() < 1.0


def test_a_scenario_with_a_csv_file_is_complete_without_the_file(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "\ufefftime;front;number;category;conditions;nation\nday 1 09:30;North;2;;S72.301A S27.0XXA;NOR\n"
        ";;;;;\n10:00;South;4;T2;;\n11:00;South;0;;;\n",
        'unit = "1 Bn"\ntriage = { T1 = 1.0 }\n',
    )
    loaded = scenario_files.load(path)
    assert [(i.at, i.number, i.category, i.triage, i.unit) for i in loaded.incidents] == [
        ("day 1 09:30", 2, None, {"T1": 1.0}, "1 Bn"),
        ("day 1 10:00", 4, "T2", None, "1 Bn"),
    ]
    again = scenario_api.parse(scenario_api.to_toml(loaded).encode(), "toml")
    assert again == loaded
    stored, _, text, fmt = scenario_files.read_whole(path)
    assert scenario_api.parse(text.encode(), fmt) == stored == loaded
    (tmp_path / "events.csv").unlink()
    assert len(goldenhour.simulate(again)) == 6
    with pytest.raises(InputError, match=r"incidents\[0\]\.csv, CSV file 'events\.csv' does not exist"):
        scenario_files.load(path)


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ("time,front,numbr\n", "events.csv, line 1: got 'numbr'; allowed: a column of"),
        ("time,front\n", "events.csv: got '2 columns and no rows'"),
        ("front\nNorth\n", "a column time"),
        ("time,front\n09:30,North\n09:30,Nroth\n", "events.csv, line 3, column front: got 'Nroth'"),
        ("time,front,number\n09:30,North,x\n", "events.csv, line 2, column number: got 'x'"),
        ("time,front,number\n09:30,North,-3\n", "events.csv, line 2, column number: got -3"),
        ("day,time,front\nx,09:30,North\n", "events.csv, line 2, column day: got 'x'"),
        ("time,front\n9h30,North\n", "events.csv, line 2, column time: got '9h30'"),
        ("time,front,category\n09:30,North,T9\n", "events.csv, line 2, column category: got 'T9'"),
        ("time,front,mechanism\n09:30,North,gunshto\n", "did you mean 'gunshot'?"),
        ("time,front\n09:30,North,3\n", "events.csv, line 2: got '3 cells'; allowed: at most 2"),
    ],
)
def test_a_mistake_in_a_csv_file_is_reported_with_line_and_column(
    tmp_path: Path, csv: str, message: str
) -> None:
    with pytest.raises(ScenarioError) as error:
        goldenhour.simulate(write(tmp_path, csv))
    assert message in str(error.value)


def test_a_time_after_the_last_day_is_reported_with_its_line_and_allowed_by_more_days(tmp_path: Path) -> None:
    path = write(tmp_path, "time,front\nday 3 09:30,North\n")
    written, origin = scenario_files.load_with_origin(path)
    with pytest.raises(ScenarioError, match=r"events\.csv, line 2, column time: got 'day 3 09:30'"):
        scenario_api.prepare(written, origin=origin)
    scenario_api.prepare(written, scenario_api.ScenarioOverrides(days=3), origin)


# --- the same for any chunks


def test_any_chunk_size_gives_the_same_patients() -> None:
    text = (
        'name = "a"\n[casualties]\ntotal = 300\n[[incidents]]\nat = "day 1 09:30"\nfront = "Estonia"\nnumber = 90\n'
        'category = "T1"\n[[incidents]]\nat = "day 4 09:30"\nfront = "Poland"\nnumber = 60\nmean_iss = 14\n'
    )
    resolved = scenario_api.resolve(scenario_api.parse(text.encode(), "toml"))
    found = []
    for size in (7, 2048):
        chunks = list(Simulation(resolved, 1, 0, size))
        found.append({name: np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in TABLES})
    for name in TABLES:
        for column in set(found[0][name].dtype.names) - {"patient", *ENDS.values()}:
            assert np.array_equal(found[0][name][column], found[1][name][column]), (name, column)


# --- mass casualty events


def test_each_mass_casualty_event_is_one_incident_of_its_size_range() -> None:
    events = [{"event": "mass_casualty", "day": day} for day in (1, 2, 3)]
    rates = {"rates": {"battle": x.constant(2.0)}}
    fronts = [{**x.FRONT, "population": 5000}, {**x.SOUTH, "population": 5000}]
    for settings in ({"total": 2000}, {"casualties": rates, "mix": None, "fronts": fronts}):
        sizes = []
        for replication in range(8):
            result = x.run(replication=replication, events=events, **settings)
            special = result.patients[result.patients["special"] != 255]
            incidents, first = np.unique(special["incident"], return_index=True)
            assert len(incidents) == 3
            sizes += special["incident_size"][first].tolist()
        assert min(sizes) >= 30
        assert max(sizes) <= 100
        assert np.mean(sizes) == pytest.approx(65, abs=15)


def test_a_given_category_holds_under_the_expectant_policy() -> None:
    """Only casualties whose category is drawn are T4."""
    settings = {"expectant": True, "survival": {"severity": 1.0}, "triage_accuracy": 1.0}
    given, drawn = (only(row(number=200, **fields), **settings) for fields in ({"category": "T1"}, {}))
    assert (listed(given)["niss"] >= 50).sum() > 20
    assert set(listed(given)["triage"].tolist()) == {1}
    assert 4 not in given.events["detail"][given.events["kind"] == EVENTS.index("triaged")]
    assert (listed(drawn)["triage"] == 4).sum() > 20

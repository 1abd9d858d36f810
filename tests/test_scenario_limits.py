"""Limits of scenarios: what would never end is refused, what is long and honest is not, and reading takes no time."""

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec import inspect as mi

import goldenhour
from bench.scenario_mutations import mutated
from engine.arrivals import expected_arrivals, plan_arrivals
from engine.errors import InputError, RunError, ScenarioError
from engine.records import FORMATS
from engine.run import Simulation
from engine.scenario import (
    Casualties,
    Distribution,
    Facility,
    Front,
    Lift,
    Link,
    Rates,
    Scenario,
    ScenarioOverrides,
    SpecialEvent,
    Vehicle,
    Warfare,
    check,
    parse,
    prepare,
    to_toml,
    workload_of,
)
from engine.scenario.structs import bounds
from engine.scenario.structs.bounds import MAX_FACILITIES_ON_WAY
from engine.tables import model, new_output
from engine.tables.output import MAX_EVENTS, MAX_TREATMENTS, MAX_VITALS
from goldenhour.__main__ import run as command_line
from goldenhour.run_time import expected_time

N = 'name = "x"\n'
CHAIN = """
[[facilities]]
id = "R1"
role = 1
[[facilities]]
id = "R2"
role = 2
[[links]]
origin = "POI"
destination = "R1"
minutes = { distribution = "constant", mean = 30 }
[[links]]
origin = "R1"
destination = "R2"
"""
MINUTES = 'minutes = { distribution = "constant", mean = 30 }\n'
BY_POOL = (
    CHAIN
    + 'distance_km = 1000\nvehicle = "V"\n[[vehicles]]\nid = "V"\nkind = "transport_truck"\nnumber = 1\n'
)
MOVE = '[[world]]\nevent = "move"\nat_hours = 1\nfacility = "R1"\nminutes_factor = 100\n'

ENDLESS = {
    # text, place of the mistake, part of what is allowed
    "moves": (N + CHAIN + MINUTES + 4 * MOVE, "world[1].minutes_factor", "by 0.01 to 100"),
    "moves backwards": (
        N + CHAIN + MINUTES + 2 * MOVE.replace("100", "0.01"),
        "world[1].minutes_factor",
        "by 0.01 to 100",
    ),
    "a move of a long link": (
        N + CHAIN + MINUTES.replace("30", "20000") + MOVE,
        "world[0].minutes_factor",
        "at most 1,000,000 minutes",
    ),
    "lift": (
        N + BY_POOL + "lift = { interval_hours = 1e-6 }",
        "vehicles[0].lift.interval_hours",
        "at least 0.05",
    ),
    "lift that hardly ever flies": (
        N + BY_POOL + "lift = { interval_hours = 12, cancellation = 0.999999999999 }",
        "vehicles[0].lift.cancellation",
        "at most 0.99, or 1",
    ),
    "resupply": (
        N
        + CHAIN.replace("role = 2", "role = 2\nblood_units = 1\nresupply_units = 1\nresupply_hours = 1e-7")
        + MINUTES,
        "facilities[1].resupply_hours",
        "at least 0.05",
    ),
    "speed": (N + BY_POOL + "speed_kmh = 1e-6", "vehicles[0].speed_kmh", "at least 0.5"),
    "distance at a slow speed": (
        N + BY_POOL.replace("1000", "19000") + "speed_kmh = 0.5",
        "links[1].distance_km",
        "at most 1,000,000 minutes",
    ),
    "weather": (N + BY_POOL + "grounded = 0.9999999999999", "vehicles[0].grounded", "at most 0.99, or 1"),
    "re-triage": (N + "retriage_minutes = 1e-6", "retriage_minutes", "at least 1 and"),
    "gamma that hardly spreads": (
        N + CHAIN + 'minutes = { distribution = "gamma", mean = 1e6, sd = 1 }',
        "links[1].minutes.sd",
        "at least 1000",
    ),
    "lognormal that spreads without end": (
        N + CHAIN + 'minutes = { distribution = "lognormal", mean = 1, sd = 1e6 }',
        "links[1].minutes.sd",
        "100 times the mean",
    ),
}


@pytest.mark.parametrize("case", list(ENDLESS))
def test_what_would_never_end_is_refused_with_its_place(case: str) -> None:
    text, place, allowed = ENDLESS[case]
    with pytest.raises(ScenarioError) as caught:
        check(parse(text.encode(), "toml"))
    assert caught.value.place == place
    assert allowed in caught.value.allowed


def finishes(prepared: Any, calls: int = 80) -> bool:
    """Whether a run ends within so many calls of the kernel, of 100,000 events each."""
    simulation = Simulation(prepared.resolved, 1, 0)
    return any(simulation._advance(new_output(), 1 << 40) for _ in range(calls))


@pytest.mark.parametrize("hour", [8 + 1 / 3, 6.1, 7.000000001, 23.9])
def test_a_shift_may_begin_at_any_moment_of_the_day(hour: float) -> None:
    shifts = f"role = 2\nshifts = [{{ from_hour = {hour!r}, to_hour = 20.5, surgical_teams = 1 }}]"
    text = N + CHAIN.replace("role = 2", shifts) + MINUTES
    assert finishes(prepare(parse(text.encode(), "toml"), ScenarioOverrides(patients=50)))


def numeric_fields(kind: mi.Type, place: str) -> Iterator[tuple[str, mi.IntType | mi.FloatType]]:
    """All numbers that a type holds, with their places."""
    if isinstance(kind, mi.Metadata):
        yield from numeric_fields(kind.type, place)
    elif isinstance(kind, (mi.IntType, mi.FloatType)):
        yield place, kind
    elif isinstance(kind, mi.UnionType):
        for option in kind.types:
            yield from numeric_fields(option, place)
    elif isinstance(kind, mi.ListType):
        yield from numeric_fields(kind.item_type, place)
    elif isinstance(kind, mi.DictType):
        yield from numeric_fields(kind.value_type, f"{place}[...]")
    elif isinstance(kind, mi.StructType):
        for field in kind.fields:
            yield from numeric_fields(field.type, f"{place}.{field.encode_name}")


PERIODS_AND_SPEEDS = ("interval_hours", "resupply_hours", "retriage_minutes", "speed_kmh", "minutes_factor")
SHARES = ("nations[...]", "triage[...][...]", "mechanisms[...]")
"""Numbers whose bounds, 0 to 1, are checked with their sum."""


def test_every_number_of_a_scenario_has_bounds_and_what_repeats_stays_away_from_zero() -> None:
    found = dict(numeric_fields(mi.type_info(Scenario), "scenario"))
    assert len(found) > 80
    for place, kind in found.items():
        if place.endswith(SHARES):
            continue
        low = kind.ge if kind.ge is not None else kind.gt
        high = kind.le if kind.le is not None else kind.lt
        assert low is not None and high is not None, place
        if place.endswith(PERIODS_AND_SPEEDS):
            assert kind.ge is not None and kind.ge >= 0.01, place


def test_the_largest_network_fits_the_tables_of_the_kernel() -> None:
    assert (bounds.MAX_WAYS, bounds.MAX_CANDIDATES) == (model.WAYS, model.CANDIDATES)
    assert (bounds.MAX_FACILITIES, bounds.MAX_LINKS) == (model.FACILITIES, model.LINKS)
    assert (bounds.MAX_FRONTS, bounds.MAX_VEHICLES) == (model.FRONTS, model.POOLS)


# --- counts that no theatre has


def shuttles(pools: int, hours: float, **settings: Any) -> Scenario:
    """A Role 1, and lifts from there to Role 2."""
    minutes = Distribution(distribution="constant", mean=30)
    return Scenario(
        name="shuttles",
        facilities=[Facility(id="R1", role=1), *(Facility(id=f"R2-{i}", role=2) for i in range(pools))],
        links=[
            Link(origin="POI", destination="R1", minutes=minutes),
            *(
                Link(origin="R1", destination=f"R2-{i}", minutes=minutes, vehicle=f"L{i}")
                for i in range(pools)
            ),
        ],
        vehicles=[
            Vehicle(id=f"L{i}", kind="transport_truck", number=1, lift=Lift(interval_hours=hours))
            for i in range(pools)
        ],
        **settings,
    )


def test_more_events_by_the_clock_than_any_theatre_has_need_allow_long() -> None:
    many = shuttles(10, 0.05, days=3650, horizon_days=36_500)
    assert workload_of(prepare(many, allow_long=True).resolved).events == pytest.approx(10 * 36_500 * 480)
    with pytest.raises(
        ScenarioError, match=r"vehicles\[0\]\.lift.*17,520,000 events.*--allow-long"
    ) as caught:
        prepare(many)
    assert caught.value.exit_code == 2
    with pytest.raises(ScenarioError, match="at most 100,000,000"):
        goldenhour.simulate(many, patients=1)
    prepare(shuttles(10, 0.05, days=3650))


def test_more_vehicles_than_any_theatre_has_need_allow_long() -> None:
    many = msgspec.structs.replace(
        shuttles(11, 12),
        vehicles=[msgspec.structs.replace(pool, number=100_000) for pool in shuttles(11, 12).vehicles],
    )
    with pytest.raises(ScenarioError, match=r"vehicles: got '1,100,000 vehicles in all pools'.*--allow-long"):
        prepare(many)
    assert prepare(many, allow_long=True).resolved.vehicles[0].number == 100_000


def test_the_casualties_of_a_run_are_foreseen_with_those_of_special_events() -> None:
    rates = Rates(
        battle=Distribution(distribution="lognormal", mean=5, sd=5),
        disease=Distribution(distribution="constant", mean=2),
    )
    fronts = [Front(name=name, population=9000, nations={"NOR": 1.0}) for name in "AB"]
    for settings in (
        {},
        {"events": [SpecialEvent(event="ambush", front="A", casualty_multiplier=50.0, day=3)]},
        {
            "events": [SpecialEvent(event="major_offensive"), SpecialEvent(event="ambush")],
            "warfare": [Warfare(type="urban")],
            "tempo": "escalating",
            "intensity": "high",
            "environment": ["rain", "night_operations"],
        },
    ):
        scenario = Scenario(name="x", fronts=fronts, casualties=Casualties(rates=rates), **settings)
        resolved = prepare(scenario).resolved
        expected = sum(row.expected for row in expected_arrivals(plan_arrivals(resolved)))
        assert workload_of(resolved).casualties == pytest.approx(expected)
    many = [SpecialEvent(event="ambush", casualty_multiplier=1000.0)] * 254
    crowd = [Front(name="A", population=100_000_000, nations={"NOR": 1.0})]
    scenario = Scenario(name="x", fronts=crowd, events=many, casualties=Casualties(rates=rates))
    with pytest.raises(
        ScenarioError, match=r"casualties\.rates: got .*those of special events included.*--allow-long"
    ):
        prepare(scenario)
    prepare(scenario, allow_long=True)


def test_vehicles_that_need_more_than_a_century_for_all_are_refused_without_a_horizon() -> None:
    minutes = Distribution(distribution="constant", mean=3000)
    slow = Scenario(
        name="slow",
        casualties=Casualties(total=1_000_000),
        facilities=[Facility(id="R2", role=2)],
        links=[Link(origin="POI", destination="R2", minutes=minutes, vehicle="V")],
        vehicles=[Vehicle(id="V", kind="transport_truck", number=1)],
    )
    with pytest.raises(
        ScenarioError, match=r"links: got .\d+ years until the vehicles have fetched everybody"
    ):
        prepare(slow)
    prepare(msgspec.structs.replace(slow, horizon_days=30))
    prepare(slow, ScenarioOverrides(patients=1000))
    prepare(slow, allow_long=True)


def test_a_run_that_outlives_a_century_says_who_is_still_open() -> None:
    text = N + BY_POOL.replace("distance_km = 1000", 'minutes = { distribution = "constant", mean = 999000 }')
    text = text.replace("number = 1", "number = 1\nlitters = 1").replace("role = 2", "role = 2\nplaces = 500")
    text += '[[vehicles]]\nid = "L"\nkind = "fixed_wing"\nnumber = 1\nlift = { interval_hours = 0.5 }\n'
    prepared = prepare(parse(text.encode(), "toml"), ScenarioOverrides(patients=300))
    with pytest.raises(
        RunError,
        match=r"on day \d\d,\d{3}, more than a century after the start, \d+ patients are still open; \d+ wait for tr",
    ):
        finishes(prepared, calls=240)


def test_long_honest_runs_are_not_hindered() -> None:
    nations = {"NOR": 1.0}
    fronts = [Front(name=f"F{i}", nations=nations) for i in range(20)]
    types = [Warfare(type=name) for name in ("conventional", "artillery", "urban", "drone")]
    for scenario in (
        Scenario(name="many", casualties=Casualties(total=50_000_000)),
        Scenario(name="year", days=365, fronts=fronts, warfare=types, network="division"),
        Scenario(name="decade", days=3650, fronts=fronts),
        shuttles(200, 1, days=3650),
    ):
        assert prepare(scenario).notes is not None


def test_the_time_of_a_long_run_is_announced() -> None:
    long = expected_time(prepare(Scenario(name="many", casualties=Casualties(total=200_000_000))), workers=1)
    assert 600 < long.seconds < 3600
    assert (long.note() or "").startswith("a run will take about 20 minutes on this machine")
    packed = expected_time(
        prepare(Scenario(name="x", casualties=Casualties(total=10**9))), ("csv", "json"), "zstd", 1
    )
    assert "about 5.8 hours" in (packed.note() or "")
    assert expected_time(prepare(Scenario(name="few")), workers=1).note() is None
    measures = expected_time(prepare(Scenario(name="x", casualties=Casualties(total=10**9))), (), workers=0)
    assert "about 50 minutes" in (measures.note() or "")
    for name in FORMATS:
        assert expected_time(prepare(Scenario(name="few")), (name,), workers=0).seconds > 0


def test_more_generators_do_not_make_the_columns_that_the_simulator_makes() -> None:
    prepared = prepare(Scenario(name="x", casualties=Casualties(total=10**9)))
    flow = expected_time(prepared, (), workers=0).seconds
    many, more = (expected_time(prepared, ("jsonl",), workers=number).seconds for number in (32, 64))
    assert many == more > flow


def test_every_command_has_allow_long(tmp_path: Any, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "many.toml"
    file.write_text(to_toml(shuttles(10, 0.05, days=3650, horizon_days=36_500)))
    for words in (
        ["scenarios", "check"],
        ["run", "--workers", "0"],
        ["measures"],
        ["submit", "--address", "http://127.0.0.1:1"],
        ["scenarios", "add"],
    ):
        assert command_line([*words, str(file)]) == 2, words
        assert "--allow-long" in capfd.readouterr().err
    assert command_line(["scenarios", "check", str(file), "--allow-long"]) == 0
    assert "can be run" in capfd.readouterr().out
    assert command_line(["scenarios", "show", "--network", str(file)]) == 0


def test_check_says_when_a_run_takes_more_than_ten_minutes(
    tmp_path: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "many.toml"
    file.write_text(N + "[casualties]\ntotal = 300_000_000\n")
    assert command_line(["scenarios", "check", str(file)]) == 0
    assert "note: a run will take about" in " ".join(capfd.readouterr().out.split())
    assert command_line(["scenarios", "check", "--json", str(file)]) == 0
    assert msgspec.json.decode(capfd.readouterr().out)["expected_seconds"] > 600


# --- what is too much together


def crossed(fronts: int, facilities: int, links: int) -> Scenario:
    """Facilities in ten layers, each linked with many of the next; all serve all fronts."""
    minutes = Distribution(distribution="constant", mean=30)
    layer = facilities // 10
    found = [Link(origin="POI", destination=f"f{j}", minutes=minutes) for j in range(layer)]
    ends = ((o, (o // layer + 1) * layer + step) for step in range(layer) for o in range(facilities - layer))
    found += [
        Link(origin=f"f{o}", destination=f"f{d}", minutes=minutes)
        for (o, d), _ in zip(ends, range(links - layer), strict=False)
    ]
    roles = (1, 1, 1, 2, 2, 2, 3, 3, 3, 4)
    return Scenario(
        name="x",
        fronts=[Front(name=f"F{i}", nations={"NOR": 1.0}) for i in range(fronts)],
        facilities=[Facility(id=f"f{i}", role=roles[min(9, i // layer)]) for i in range(facilities)],
        links=found,
    )


def test_the_largest_networks_are_checked_in_seconds() -> None:
    begin = time.process_time()
    check(crossed(40, 1000, 4000))
    assert time.process_time() - begin < 5
    with pytest.raises(
        ScenarioError, match=r"links: got '4,000 links that serve 800,000 fronts.*at most 200,000"
    ):
        check(crossed(200, 1000, 4000))
    assert time.process_time() - begin < 10


def chosen_by_front(fronts: int, places: int) -> Scenario:
    """Places from which each front has a set of links of its own: those of the binary digits of its number."""
    minutes = Distribution(distribution="constant", mean=30)
    digits = (fronts + 1).bit_length()
    return Scenario(
        name="x",
        fronts=[Front(name=f"F{n}", nations={"NOR": 1.0}) for n in range(1, fronts + 1)],
        facilities=[Facility(id=f"R1-{i}", role=1) for i in range(places)]
        + [Facility(id=f"R2-{k}", role=2) for k in range(digits)],
        links=[Link(origin="POI", destination=f"R1-{i}", minutes=minutes) for i in range(places)]
        + [
            Link(
                origin=f"R1-{i}",
                destination=f"R2-{k}",
                minutes=minutes,
                fronts=[f"F{n}" for n in range(1, fronts + 1) if n >> k & 1],
            )
            for i in range(places)
            for k in range(digits)
        ],
    )


def test_more_sets_of_links_than_the_kernel_holds_are_refused() -> None:
    Simulation(prepare(chosen_by_front(100, 10)).resolved, 1, 0)
    with pytest.raises(ScenarioError, match=r"links: got '6,200 different sets of links.*at most 4,000"):
        check(chosen_by_front(200, 30))


def test_days_fronts_types_and_events_are_bounded_together() -> None:
    fronts = [Front(name=f"F{i}", nations={"NOR": 1.0}) for i in range(200)]
    types = [Warfare(type=name) for name in ("conventional", "artillery", "urban", "naval", "cbrn")]
    begin = time.process_time()
    with pytest.raises(
        ScenarioError, match=r"days: got 3650; allowed: at most 8\d\d here: days x \(200 fronts"
    ):
        check(Scenario(name="x", days=3650, fronts=fronts, warfare=types))
    with pytest.raises(ScenarioError, match="50,800 for special events"):
        check(Scenario(name="x", days=60, fronts=fronts, events=[SpecialEvent(event="ambush")] * 254))
    check(Scenario(name="x", days=300, fronts=fronts, warfare=types))
    assert time.process_time() - begin < 5


# --- reading

HUGE = {
    "numbers": (N + "day_weights = [" + "1," * 1_000_000 + "]", "at most 400,000"),
    "words": (N + "environment = [" + '"rain",' * 500_000 + "]", "at most 400,000"),
    "tables": (N + "".join(f"[t{i}]\n" for i in range(410_000)), "at most 400,000"),
    "entries": (N + "[[fronts]]\n" * 300_000, "at most 400,000"),
    "parts of a key": (N + '"a".' * 300_000 + "b = 1", "at most 50 in a line"),
    "long parts of a key": (N + ("a" * 50 + ".") * 50_000 + "b = 1", "at most 50 in a line"),
    "numeric parts of a key": (N + "1." * 190_000 + "1 = 1", "at most 50 in a line"),
    "keys of fifty parts": (
        N + "".join(f"k{i}{'.a' * 49} = 1\n" for i in range(7800)),
        "at most 2,000,000",
    ),
    "keys of a deep table": (
        N + f"[a{'.a' * 49}]\n" + "".join(f"k{i} = 1\n" for i in range(340_000)),
        "at most 2,000,000",
    ),
    "as many keys of fifty parts as are parsed": (
        N + "".join(f"k{i}{'.a' * 49} = 1\n" for i in range(790)),
        "one of the fields",
    ),
    "as many keys of a deep table as are parsed": (
        N + f"[a{'.a' * 49}]\n" + "".join(f"k{i} = 1\n" for i in range(38_000)),
        "one of the fields",
    ),
    "parts of a header": (N + "[" + "a . " * 300_000 + "b]", "at most 50 in a line"),
    "one key": (N + "a" * 3_000_000 + "." * 20 + " = 1", "valid TOML"),
    "nesting": (N + "a = " + "[" * 390_000, "nested less deeply"),
}


@pytest.mark.parametrize("case", list(HUGE))
def test_a_text_that_is_slow_to_parse_is_refused_before(case: str) -> None:
    text, allowed = HUGE[case]
    begin = time.process_time()
    with pytest.raises(ScenarioError) as caught:
        parse(text.encode(), "toml")
    assert time.process_time() - begin < 4
    assert allowed in caught.value.allowed
    assert len(str(caught.value)) < 600


def test_a_comment_of_quotes_is_read_at_once() -> None:
    begin = time.process_time()
    text = N + "#" + ". " * 45 + '\\"' * 1_000_000 + "\n#" + ". a" * 45 + "'\"" * 500_000
    assert parse(text.encode(), "toml").name
    assert time.process_time() - begin < 1.5


def chain(facilities: int, role: int) -> Scenario:
    ids = ["POI", *(f"f{i}" for i in range(facilities)), "end"]
    return Scenario(
        name="x",
        facilities=[
            *(Facility(id=each, role=role) for each in ids[1:-1]),
            Facility(id="end", role=4),
        ],
        links=[
            Link(origin=one, destination=two, minutes=Distribution(distribution="constant", mean=30))
            for one, two in pairwise(ids)
        ],
    )


@pytest.mark.parametrize("role", [0, 2])
def test_a_way_has_room_in_the_tables_of_the_kernel(role: int) -> None:
    check(chain(MAX_FACILITIES_ON_WAY - 1, role))
    for facilities in (MAX_FACILITIES_ON_WAY, 400, 999):
        with pytest.raises(
            ScenarioError, match=rf"links: got 'a way of {facilities + 1:,} .*at most 10 facilities"
        ):
            check(chain(facilities, role))


def test_the_longest_way_fits_into_a_full_chunk() -> None:
    """Every patient of the largest chunk passes all facilities of the longest way: the tables have room for them."""
    scenario = chain(MAX_FACILITIES_ON_WAY - 1, 2)
    scenario = msgspec.structs.replace(scenario, casualties=Casualties(total=4000))
    simulation = Simulation(prepare(scenario).resolved, 1, 0, 2048)
    chunk = max(simulation, key=len)
    for table, most in (("events", MAX_EVENTS), ("treatments", MAX_TREATMENTS), ("vitals", MAX_VITALS)):
        assert np.bincount(getattr(chunk, table)["patient"]).max() <= most


def test_a_text_of_the_largest_network_is_read() -> None:
    text = to_toml(crossed(50, 1000, 4000))
    assert len(text) > 400_000
    assert len(parse(text.encode(), "toml").links) == 4000


# --- mutated scenarios; `make bench-scenario-fuzz` has many more


def test_mutated_scenarios_are_refused_or_end() -> None:
    refused = ended = 0
    begin = time.process_time()
    for number in range(100):
        scenario = mutated(number)
        try:
            prepared = prepare(
                parse(scenario.text, "toml" if scenario.suffix == ".toml" else "json"),
                ScenarioOverrides(patients=scenario.patients),
            )
            assert finishes(prepared, calls=800), (number, scenario.changes)
            ended += 1
        except ScenarioError:  # at the latest when the shares of triage and deaths are sought
            refused += 1
    assert refused > 40 and ended > 20
    assert time.process_time() - begin < 60


def test_a_mutated_scenario_is_the_same_for_its_number() -> None:
    assert mutated(7) == mutated(7) != mutated(8)


def test_a_scenario_of_python_objects_that_are_no_scenario_is_refused() -> None:
    endless: dict[str, Any] = {"name": "x"}
    endless["survival"] = endless
    with pytest.raises(InputError, match=r"^scenario: "):
        goldenhour.simulate(endless)
    with pytest.raises(ScenarioError, match=r"^scenario: .*object"):
        check(Scenario(name=object()))  # type: ignore[arg-type]
    with pytest.raises(ScenarioError, match=r"^days"):
        prepare(Scenario(name="x"), ScenarioOverrides(days="5"))  # type: ignore[arg-type]

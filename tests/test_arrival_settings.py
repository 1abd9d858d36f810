"""Arrivals: the hours at which incidents begin, and the effect of every setting (docs/model.md section 2.3).

Statistical tests have fixed seeds; those of one test function share an error of 1 in 1,000 (Bonferroni).
"""

from typing import Any

import numpy as np
import pytest
from arrival_scenarios import (
    DAY,
    ESTONIA,
    HOUR,
    POLAND,
    constant,
    first_of_incidents,
    hurt,
    scenario,
    stream_is,
)
from scipy import stats

from engine import scenario as scenario_api
from engine.arrivals import expected_arrivals, plan_arrivals, profiles
from engine.codes import CASUALTY_KINDS, NONE
from engine.numeric import philox
from scenarios import tables as scenario_tables

# --- the hours of the day


@pytest.mark.parametrize("types", ["", *scenario_api.WARFARE_TYPES])
def test_incidents_start_as_the_drawn_profile_says(types: str) -> None:
    s = scenario(types, 200_000, days=1, day_weights=[1.0], fronts=[POLAND])
    plan = plan_arrivals(s)
    weights = np.zeros(profiles.QUARTERS)
    key = np.uint64(philox.key(1, 0, "arrivals profile"))
    profiles.draw_profile(plan.patterns[0], key, np.uint64(0), weights, np.empty(24))
    starts = first_of_incidents(hurt(s))["incident_time"] / DAY
    assert len(starts) > 5000

    def cumulated(x: Any) -> Any:
        return np.interp(x, np.linspace(0, 1, 97), np.concatenate([[0], np.cumsum(weights) / weights.sum()]))

    assert stats.kstest(starts, cumulated).pvalue > 0.001 / 9


def hours_of(types: str, **settings: Any) -> Any:
    rows = first_of_incidents(hurt(scenario(types, 50_000, **settings)))
    return np.bincount(rows["incident_time"] % DAY // HOUR, minlength=24) / len(rows)


def test_the_patterns_have_the_features_of_their_tables() -> None:
    conventional = hours_of("conventional")
    peak, night = [6, 7, 8, 9, 16, 17, 18, 19], [0, 1, 2, 3, 4, 5, 20, 21, 22, 23]
    dull = [10, 11, 12, 13, 14, 15]
    assert conventional[peak].mean() / conventional[dull].mean() == pytest.approx(5.0, rel=0.1)
    assert conventional[night].mean() / conventional[dull].mean() == pytest.approx(0.3, rel=0.1)
    urban = hours_of("urban")
    assert urban[6:10].mean() / urban[0:6].mean() == pytest.approx(3.0 / 0.8, rel=0.1)
    naval = hours_of("naval")
    assert naval[[4, 5, 6, 10, 11, 16, 17]].mean() / naval[[0, 1, 2, 3]].mean() == pytest.approx(
        10.0, rel=0.1
    )
    drone = hours_of("drone")
    assert drone[0:6].sum() + drone[21:].sum() == 0
    peace = hours_of("peacekeeping")
    assert peace[[8, 9, 10, 11, 14, 15, 16, 17]].sum() == pytest.approx(1.0)
    cbrn = hours_of("cbrn")
    assert cbrn[0:3].sum() > cbrn[3:].sum()
    assert cbrn[12] < cbrn[6] < cbrn[4]


def test_sporadic_windows_prefer_dawn_and_dusk_to_day_and_day_to_night() -> None:
    hours = hours_of("guerrilla", days=800, tempo="sustained")
    twilight = hours[[5, 6, 18, 19]].mean()
    assert twilight > hours[7:18].mean() > hours[[21, 22, 23, 0, 1, 2, 3, 4]].mean() > 0


def test_profiles_differ_between_days_and_fronts_but_not_between_streams() -> None:
    s = scenario("drone", 60_000, days=2, fronts=[POLAND, ESTONIA])
    rows = first_of_incidents(hurt(s))
    hour = rows["incident_time"] // HOUR

    def share(mask: Any) -> Any:
        return np.bincount(hour[mask] % 24, minlength=24) / mask.sum()

    wounded, day, front = rows["kind"] == 0, rows["incident_time"] // DAY, rows["front"]
    mine = (day == 0) & (front == 0)
    assert np.abs(share(mine & wounded) - share(mine & ~wounded)).max() < 0.05
    assert np.abs(share(mine) - share((day == 1) & (front == 0))).max() > 0.1
    assert np.abs(share(mine) - share((day == 0) & (front == 1))).max() > 0.1


def test_a_profile_is_never_empty() -> None:
    plan = plan_arrivals(scenario(" ".join(scenario_api.WARFARE_TYPES), 10, intensity="low", fronts=[POLAND]))
    weights = np.zeros(profiles.QUARTERS)
    for pattern in plan.patterns:
        for day in range(300):
            profiles.draw_profile(pattern, np.uint64(9), np.uint64(day), weights, np.empty(24))
            assert weights.min() >= 0
            assert weights.max() > 0


# --- every setting has an effect


def mean_size(rows: Any) -> float:
    return float(first_of_incidents(stream_is(rows, "wounded", "agent"))["incident_size"].mean())


@pytest.mark.parametrize("types", ["conventional", "urban", "guerrilla", "naval", "peacekeeping"])
def test_more_intensity_means_more_mass_casualties(types: str) -> None:
    sizes = [
        mean_size(hurt(scenario(types, 60_000, intensity=i))) for i in ("low", "medium", "high", "extreme")
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.97 * sizes[-1]


def test_more_intensity_means_more_casualties_under_rates() -> None:
    numbers = [
        len(hurt(scenario("", battle=constant(40.0), days=20, intensity=i)))
        for i in ("low", "medium", "high", "extreme")
    ]
    assert np.array(numbers) / numbers[1] == pytest.approx([0.5, 1.0, 1.5, 2.0], rel=0.08)


@pytest.mark.parametrize("types", ["artillery", "guerrilla", "drone", "peacekeeping"])
def test_more_intensity_means_more_windows_in_a_day(types: str) -> None:
    busy = []
    for intensity in ("low", "medium", "high", "extreme"):
        plan = plan_arrivals(scenario(types, 10, intensity=intensity, fronts=[POLAND]))
        weights, above = np.zeros(profiles.QUARTERS), 0
        for day in range(200):
            profiles.draw_profile(plan.patterns[0], np.uint64(4), np.uint64(day), weights, np.empty(24))
            above += int((weights > 0.5).sum())
        busy.append(above)
    assert busy == sorted(set(busy))


def test_tempo_moves_casualties_between_the_days() -> None:
    def by_day(**settings: Any) -> Any:
        return np.bincount(hurt(scenario("urban", 20_000, **settings))["incident_time"] // DAY, minlength=8)

    rising, falling = by_day(tempo="escalating"), by_day(tempo="declining")
    assert rising[-1] > 3 * rising[0]
    assert falling[0] > 3 * falling[-1]
    assert by_day(tempo="surge").argmax() == 2
    assert by_day(tempo="intermittent")[1] < 0.5 * by_day(tempo="intermittent")[0]
    rates = scenario("", battle=constant(50.0), days=8, tempo="escalating")
    days = np.bincount(hurt(rates)["incident_time"] // DAY, minlength=8)
    assert days[-1] > 3 * days[0]


@pytest.mark.parametrize(
    ("name", "injured", "ill"),
    [
        (n, row["casualty_modifier"], row["disease_multiplier"])
        for n, row in scenario_tables.warfare_patterns()["environmental_modifiers"].items()
    ],
)
def test_the_environment_multiplies_rates_and_shifts_the_mix_of_a_total(
    name: Any, injured: float, ill: float
) -> None:
    settings: dict[str, Any] = {"battle": constant(100.0), "disease": constant(100.0), "days": 40}
    plain, changed = (
        expected_arrivals(plan_arrivals(scenario(**settings, environment=e))) for e in ([], [name])
    )
    for stream, factor in (("battle", injured), ("disease", ill)):
        a, b = (sum(r.expected for r in rows if r.stream == stream) for rows in (plain, changed))
        assert b / a == pytest.approx(factor)
    plain_rows, rows = (hurt(scenario("", 40_000, environment=e)) for e in ([], [name]))
    shift = len(stream_is(rows, "disease")) - len(stream_is(plain_rows, "disease"))
    assert shift > 0 if ill > injured else shift < 0


@pytest.mark.parametrize(
    ("event", "hours", "start"), [("major_offensive", 4, {5, 6, 7}), ("ambush", 1, {6, 7, 17, 18, 19})]
)
def test_a_special_event_happens_in_its_window_with_its_share(
    event: Any, hours: float, start: set[int]
) -> None:
    s = scenario("conventional", 100_000, events=[scenario_api.SpecialEvent(event=event, day=3)])
    rows = hurt(s)
    special = rows[rows["special"] == 0]
    began = special["incident_time"] - 2 * DAY
    first = began.min() // HOUR
    assert first in start
    assert began.max() < (first + hours) * HOUR
    assert {CASUALTY_KINDS[k] for k in np.unique(special["kind"])} == {"wounded"}
    multiplier = {"major_offensive": 3.0, "ambush": 2.0}[event]
    weight = multiplier * hours / 24 / 8
    battle = len(stream_is(rows, "wounded"))
    assert len(special) / battle == pytest.approx(weight / (1 + weight), rel=0.15)
    assert (
        stats.chisquare(
            np.bincount(special["front"], minlength=3), len(special) * np.array([0.6, 0.3, 0.1])
        ).pvalue
        > 1e-4
    )
    sizes = first_of_incidents(special)["incident_size"]
    assert sizes.max() <= 30


def test_a_mass_casualty_event_on_a_named_front_at_a_named_hour() -> None:
    event = scenario_api.SpecialEvent(
        event="mass_casualty", day=2, hour=13.25, front="Estonia", casualty_multiplier=10.0
    )
    rows = hurt(scenario("", 20_000, events=[event, event]))
    assert set(np.unique(rows["special"])) == {0, 1, NONE}
    for number in (0, 1):
        special = rows[rows["special"] == number]
        assert {int(f) for f in np.unique(special["front"])} == {1}
        assert special["incident_time"].min() >= DAY + 13.25 * HOUR
        assert special["incident_time"].max() < DAY + 13.75 * HOUR
        sizes = first_of_incidents(special)["incident_size"]
        assert len(sizes) == 1
        assert len(special) == sizes[0]
        assert 60 <= sizes[0] <= 200  # twice the range of the table
    calm = hurt(scenario("", 20_000))
    assert len(calm) == len(rows)
    assert np.bincount(rows["front"])[1] == pytest.approx(np.bincount(calm["front"])[1], rel=0.05)


def test_an_event_adds_casualties_under_rates() -> None:
    settings: dict[str, Any] = {"battle": constant(60.0), "days": 9}
    calm = hurt(scenario("urban", **settings))
    rows = hurt(scenario("urban", events=[scenario_api.SpecialEvent(event="major_offensive")], **settings))
    added = rows[rows["special"] == 0]
    assert len(rows) == len(calm) + len(added)
    assert len(added) == pytest.approx(60 * 2.5 * 3.0 * 4 / 24, abs=40)
    assert set((added["incident_time"] // DAY).tolist()) == {4}


def test_the_agent_of_cbrn_hurts_in_the_battle_stream() -> None:
    rows = hurt(scenario("cbrn", 20_000))
    shares = np.bincount(rows["kind"], minlength=5) / len(rows)
    assert shares[CASUALTY_KINDS.index("agent")] == pytest.approx(
        scenario_api.agent_share("cbrn") * (shares[0] + shares[1]), rel=0.02
    )
    assert shares[CASUALTY_KINDS.index("disease")] == 0
    assert mean_size(rows) > 50


def test_every_warfare_type_changes_the_arrivals() -> None:
    seen = {name: hours_of(name).round(3).tobytes() for name in scenario_api.WARFARE_TYPES}
    assert len(set(seen.values())) == len(scenario_api.WARFARE_TYPES)

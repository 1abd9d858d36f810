"""What `make bench-effects` shows holds at a smaller size: care that is switched off costs lives, and so does delay."""

import pytest

import goldenhour
from bench import effects
from bench.effects import CFR, Effect, Fall, MandateFigure
from engine.inference import Interval

REPLICATIONS = 12
LEAST = {"surgery": 2.5, "blood": 0.7, "first aid training": 0.35, "tourniquets": 0.2}
"""Points of case fatality that care is worth at least; three quarters or so of what 100 replications show."""


@pytest.fixture(scope="module")
def care() -> dict[str, Effect]:
    return {row.name: row for row in effects.effects(REPLICATIONS, 1)}


@pytest.fixture(scope="module")
def mandate() -> tuple[list[MandateFigure], list[Fall]]:
    return effects.mandate(REPLICATIONS, 1)


@pytest.mark.parametrize("name", LEAST)
def test_more_die_without_care(care: dict[str, Effect], name: str) -> None:
    assert care[name].holds
    assert care[name].difference.estimate > LEAST[name]


def test_surgery_is_worth_most_and_tourniquets_are_part_of_first_aid(care: dict[str, Effect]) -> None:
    assert list(care) == list(LEAST)


def test_before_and_after_the_mandate_the_published_figures_come_out(
    mandate: tuple[list[MandateFigure], list[Fall]],
) -> None:
    figures, _ = mandate
    assert len(figures) == 6
    assert [row for row in figures if not row.met] == []


def test_transport_first_aid_and_blood_each_save_lives(
    mandate: tuple[list[MandateFigure], list[Fall]],
) -> None:
    falls = {fall.settings: fall.changes[CFR] for fall in mandate[1]}
    assert falls["all"].high < -4.0
    assert falls["transport"].high < -0.4
    assert falls["first aid"].high < -0.1
    assert falls["blood on the way"].high < 0.0


def test_faster_transport_brings_more_of_the_dying_to_the_door_alive(
    mandate: tuple[list[MandateFigure], list[Fall]],
) -> None:
    transport = mandate[1][0]
    assert transport.changes["mortality.percent_kia"].high < -1.0
    assert transport.changes["mortality.percent_dow"].low > 0.0


@pytest.mark.parametrize(("scenario", "published"), [("before", 33.5), ("after", 47.3)])
def test_the_share_back_within_72_hours_is_the_published_one(scenario: str, published: float) -> None:
    found = goldenhour.replicate(
        getattr(effects, scenario)(), REPLICATIONS, settings=effects.BATTLE_ONLY, seed=1
    )
    battle, wounded, rest = (
        found.values(f"mortality.{name}").sum() for name in ("battle_casualties", "wia", "percent_kia_of")
    )
    assert 100.0 * (battle - rest) / wounded == pytest.approx(published, abs=1.0)


def test_what_has_no_effect_or_is_off_fails_the_bench(
    mandate: tuple[list[MandateFigure], list[Fall]],
) -> None:
    none, off = Interval(0.0, -0.1, 0.1, 12), Interval(20.0, 19.0, 21.0, 12)
    idle = Effect("blood", "", 11.8, 11.8, none)
    figure = MandateFigure("%KIA", "before", off, 16.0)
    still = [Fall(fall.settings, dict.fromkeys(fall.changes, none)) for fall in mandate[1]]
    assert effects.wrong([idle], [figure], still) == [
        "blood: no more die without it",
        "%KIA before the mandate",
        "%KIA does not fall",
        "CFR does not fall",
        "%KIA does not fall with faster transport",
        "CFR does not fall with faster transport",
    ]

"""Every setting of the events in the network has an effect, in the direction and of the size its name promises."""

import math
from typing import Any

import effects as x
import numpy as np
import pytest
from small_networks import HOUR, SECOND, Result, at, care, closed, counts, level, two

from engine.codes import DeathCause


def test_a_facility_that_opens_later_takes_nobody_before() -> None:
    for hours in (12.0, 30.0):
        result = two({}, {}, world=[{"event": "open", "at_hours": hours, "facility": "near"}])
        departed = at(result, "departed")
        near = np.isfinite(at(result, "arrived", "near"))
        asked = at(result, "evacuation_requested")
        assert asked[near].min() >= hours * HOUR
        assert (near == (asked >= hours * HOUR)).all()
        assert np.isfinite(departed).all()


@pytest.mark.parametrize("event", ["close", "move"])
def test_a_closed_facility_takes_nobody_for_the_duration(event: str) -> None:
    for place, other, duration in (("near", "far", 8.0), ("near", "far", None), ("far", "near", 8.0)):
        happens = {"event": event, "at_hours": 20.0, "facility": place}
        if duration:
            happens["duration_hours"] = duration
        result = two({}, {}, world=[happens])
        asked = at(result, "evacuation_requested")
        shut = (asked >= 20 * HOUR) & (asked < (20 + (duration or math.inf)) * HOUR)
        assert 20 < shut.sum() < 380
        came = np.isfinite(at(result, "arrived", place))
        assert not came[shut].any()
        assert np.isfinite(at(result, "arrived", other))[shut].all()
        assert (came[~shut] == (place == "near")).all()


def test_a_facility_that_has_moved_is_as_much_nearer_or_farther() -> None:
    for factor, travels in ((0.5, 15.0), (1.0, 30.0), (1.5, 45.0)):
        happens = {"event": "move", "at_hours": 20.0, "facility": "near", "duration_hours": 1.0}
        result = two({}, {}, world=[happens | {"minutes_factor": factor}])
        asked, departed, left, last = (
            at(result, *which)
            for which in (
                ("evacuation_requested",),
                ("arrived", "near"),
                ("departed", "near"),
                ("arrived", "R4"),
            )
        )
        onset = result.patients["time"] / x.MINUTE
        after = (onset > 21 * HOUR) & np.isfinite(departed)
        before = asked < 20 * HOUR
        assert before.sum() > 50 and after.sum() > 50
        assert np.median((departed - onset)[before]) == pytest.approx(30.0, abs=0.1)
        assert np.median((departed - onset)[after]) == pytest.approx(travels, abs=0.1)
        onward = left > 21 * HOUR
        assert np.median((last - left)[onward]) == pytest.approx(300.0 * factor, abs=0.1)


def test_who_waits_is_brought_to_what_is_closest_since_the_move() -> None:
    happens = {"event": "move", "at_hours": 20.0, "facility": "near", "duration_hours": 1.0}
    for bypass in (True, False):
        for factor, goes in ((1.9, True), (2.1, False)):
            result = two({}, {}, bypass=bypass, world=[happens | {"minutes_factor": factor}])
            later = result.patients["time"] / x.MINUTE > 21 * HOUR
            assert later.sum() > 50
            assert (np.isfinite(at(result, "arrived", "near"))[later] == goes).all()


def struck(**hit: Any) -> Result:
    happens = {"event": "hit", "at_hours": 24.0, "facility": "near", **hit}
    return two({"treatment_bays": 6}, {"treatment_bays": 6}, total=600, world=[happens])


def test_a_hit_takes_its_share_of_the_capacity_for_the_duration() -> None:
    for lost, duration in ((0.5, 10.0), (0.5, 5.0), (1.0, 10.0)):
        result = struck(capacity_lost=lost, duration_hours=duration)
        rows = result.facilities
        rows = rows[(rows["resource"] == 1) & (rows["facility"] == 0)]
        during = (rows["at"] > 24 * 3_600_000) & (rows["at"] < (24 + duration) * 3_600_000)
        assert set(rows["capacity"][during].tolist()) == {round(6 * (1 - lost))}
        assert set(rows["capacity"][~during & (rows["at"] != 24 * 3_600_000)].tolist()) == {6}
        times, busy = level(*care(result, "near"))
        inside = (times > 24 * HOUR) & (times < (24 + duration) * HOUR)
        assert busy[times < 24 * HOUR].max() == 6
        assert busy[inside].max(initial=0) <= 6 * (1 - lost)


def test_a_hit_takes_its_share_of_the_teams_where_tables_have_no_limit() -> None:
    happens = [{"event": "hit", "at_hours": 24.0, "facility": "near", "capacity_lost": 0.5}]
    rows = two({"surgical_teams": 4}, {}, world=happens).facilities
    rows = rows[(rows["resource"] == 2) & (rows["facility"] == 0) & (rows["at"] > 24 * 3_600_000)]
    assert set(rows["capacity"].tolist()) == {2}


def test_a_hit_kills_its_share_of_those_inside() -> None:
    few, many, none = (struck(killed=k, capacity_lost=0.0) for k in (0.2, 0.6, 0.0))

    def inside(result: Result) -> Any:
        arrived, gone = at(result, "arrived", "near"), at(result, "departed", "near")
        return (arrived <= 24 * HOUR) & ~(gone <= 24 * HOUR)

    def killed(result: Result) -> Any:
        return result.patients["death_cause"] == DeathCause.FACILITY_HIT

    there = inside(none)
    assert there.sum() > 30
    assert not killed(none).any()
    for share, result in ((0.2, few), (0.6, many)):
        assert (there | ~killed(result)).all()
        assert x.share_is(killed(result).sum(), there.sum(), share, lines=2)
        assert closed(result)[killed(result)] == pytest.approx(24 * HOUR, abs=SECOND)
        assert x.status(result, "dow")[killed(result)].all()
    assert (killed(many) | ~killed(few)).all()


def test_all_whom_a_hit_finds_inside_begin_again() -> None:
    result = struck(capacity_lost=0.0)
    arrived, gone = at(result, "arrived", "near"), at(result, "departed", "near")
    inside = (arrived <= 24 * HOUR) & ~(gone <= 24 * HOUR)
    hit = x.rows(result, "facility_hit")
    assert set(hit["patient"].tolist()) == set(np.flatnonzero(inside).tolist())


def test_those_whom_a_hit_spares_begin_again_with_triage() -> None:
    result = struck(capacity_lost=0.0)
    arrived, gone = at(result, "arrived", "near"), at(result, "departed", "near")
    inside = (arrived <= 24 * HOUR) & ~(gone <= 24 * HOUR)
    hit = x.rows(result, "facility_hit")
    assert inside.sum() > 30
    triaged = x.rows(result, "triaged", "near")
    again = {int(k) for k in triaged["patient"][triaged["at"] > 24 * 3_600_000]}
    assert set(hit["patient"].tolist()) <= again
    assert (hit["at"] == 24 * 3_600_000).all()
    assert 0.5 * inside.sum() < len(hit) <= inside.sum()
    assert inside[hit["patient"]].all()
    begun = np.isfinite(at(result, "care_started", "near")) & (at(result, "care_started", "near") < 24 * HOUR)
    cut = begun & ~(at(result, "care_ended", "near") < 24 * HOUR) & inside
    starts = np.bincount(x.rows(result, "care_started", "near")["patient"], minlength=len(result))
    assert cut.any()
    assert (starts[cut] == 2).all()


def test_the_arrived_are_counted() -> None:
    result = two({"places": 10}, {})
    for name in ("near", "far"):
        assert counts(result, name)["arrived"] == len(x.rows(result, "arrived", name))


def test_a_network_of_twice_the_size_leaves_shorter_waits() -> None:
    def waits(scale: float) -> tuple[float, float]:
        result = x.run(
            1500, fronts=[x.FRONT], network="brigade", network_scale=scale, days=4, horizon_days=20
        )
        flow = result.measures["flow"]
        assert {row["resource"] for row in flow["resources"]} > {"operating_tables", "ward_beds"}
        table = next(row for row in flow["resources"] if row["resource"] == "operating_tables")
        asked = [row for row in flow["transport"] if row["waits"]]
        total = sum(row["waits"] * row["mean_wait_minutes"] for row in asked)
        return table["capacity"], total / sum(row["waits"] for row in asked)

    found = [waits(scale) for scale in (1.0, 2.0, 8.0)]
    assert [round(size / found[0][0], 2) for size, _ in found] == [1.0, 2.0, 8.0]
    assert found[0][1] > 1.2 * found[1][1] > 1.5 * found[2][1]

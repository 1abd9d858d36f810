"""Sequential stopping: where it stops, that this depends on nothing else that was simulated, and what it reports."""

import itertools
import math

import numpy as np
import pytest

from engine.errors import InputError
from engine.inference import Precision, StoppingRule, error_factor, mean_interval


def rule(**given):
    return StoppingRule(**{"measures": {"deaths": Precision(absolute=0.5)}, **given})


def run(stopping, stream, first=1):
    """Add as many replications as the rule asks for until it stops; begin with `first`."""
    count = first
    while True:
        progress = stopping.assess({name: values[:count] for name, values in stream.items()})
        assert progress.done == (progress.more == 0)
        if progress.done:
            return progress
        count += progress.more


def test_it_stops_at_the_first_look_that_is_precise_enough():
    values = np.random.default_rng(1).normal(10.0, 3.0, 2000)
    stopping = rule()
    progress = run(stopping, {"deaths": values})
    widths = {n: mean_interval(values[:n], 0.96).half_width for n in stopping.looks() if n <= 2000}
    assert progress.count == min(n for n, width in widths.items() if width <= 0.5)
    assert progress.met and not progress.notes
    assert progress.measures["deaths"].interval == mean_interval(values[: progress.count], 0.96)
    assert progress.count == pytest.approx((2.05 * 3.0 / 0.5) ** 2, rel=0.5)


def test_the_outcome_does_not_depend_on_what_else_was_simulated():
    values = np.random.default_rng(2).exponential(4.0, 5000)
    stopping = rule(cap=4000)
    outcome = run(stopping, {"deaths": values})
    for first in (0, 20, 33, outcome.count, outcome.count + 1, 5000):
        assert run(stopping, {"deaths": values}, first) == outcome


def test_a_narrower_interval_takes_more_replications():
    values = np.random.default_rng(3).normal(10.0, 3.0, 20_000)
    counts = [
        run(rule(measures={"deaths": Precision(absolute=half)}), {"deaths": values}).count
        for half in (2.0, 0.5, 0.1)
    ]
    assert counts[0] < counts[1] < counts[2]


def test_all_measures_must_be_precise_and_all_intervals_use_the_same_replications():
    random = np.random.default_rng(4)
    stream = {"deaths": random.normal(10.0, 1.0, 5000), "minutes": random.normal(100.0, 30.0, 5000)}
    each = {
        name: run(rule(measures={name: Precision(relative=0.02)}), stream).count
        for name in ("deaths", "minutes")
    }
    both = run(rule(measures=dict.fromkeys(stream, Precision(relative=0.02))), stream)
    assert both.count == max(each.values()) > min(each.values())
    assert {measure.interval.count for measure in both.measures.values()} == {both.count}


def test_the_larger_of_two_half_widths_suffices():
    precision = Precision(absolute=0.5, relative=0.1)
    assert precision.target(1.0) == 0.5
    assert precision.target(-20.0) == 2.0
    assert str(precision) == "0.5 or 10 % of the mean"


def test_simultaneous_intervals_are_wider():
    measures = dict.fromkeys(["a", "b", "c", "d"], Precision(absolute=1.0))
    assert rule(measures=measures).interval_confidence == pytest.approx(0.96)
    assert rule(measures=measures, simultaneous=True).interval_confidence == pytest.approx(
        1.0 - error_factor(0.0125) * 0.0125
    )
    assert error_factor(0.05) > error_factor(0.0125) > error_factor(1e-6)


def test_looks_are_multiples_of_a_batch_and_grow_by_a_quarter():
    looks = rule(first=25, batch=10, cap=1005).looks()
    assert looks[0] == 30 and looks[-1] == 1005
    assert all(look % 10 == 0 for look in looks[:-1])
    assert all(b >= 1.25 * a for a, b in itertools.pairwise(looks[:-1]))
    assert rule(first=20, cap=20).looks() == (20,)
    assert rule(first=25, batch=100, cap=50).looks() == (50,)


def test_the_cap_ends_it_and_says_what_would_be_needed():
    values = np.random.default_rng(5).normal(10.0, 3.0, 200)
    progress = run(rule(measures={"deaths": Precision(absolute=0.1)}, cap=200), {"deaths": values})
    assert progress.done and not progress.met and progress.count == 200
    assert "200 replications, the cap; 0.1 was asked for" in progress.notes[0]
    assert progress.expected == pytest.approx((2.05 * 3.0 / 0.1) ** 2, rel=0.2)


def test_a_relative_half_width_of_a_mean_near_0_is_called_impossible():
    values = np.random.default_rng(6).normal(0.0, 1.0, 100)
    progress = run(rule(measures={"deaths": Precision(relative=0.05)}, cap=100), {"deaths": values})
    assert not progress.met
    assert "near 0" in progress.notes[0] and "give an absolute half-width as well" in progress.notes[0]
    rescued = run(
        rule(measures={"deaths": Precision(relative=0.05, absolute=0.5)}, cap=100), {"deaths": values}
    )
    assert rescued.met


def test_equal_values_stop_it_with_a_note():
    progress = run(rule(), {"deaths": np.zeros(1000)})
    assert progress.met and progress.count == 20
    assert "all 20 values are equal" in progress.notes[0] and "14 %" in progress.notes[0]


def test_replications_without_data_are_reported_and_twenty_values_are_needed():
    values = np.tile([math.nan, 3.0, math.nan, 3.1], 100)
    progress = run(rule(), {"deaths": values})
    assert progress.met and progress.measures["deaths"].interval.count >= 20
    assert f"no data in {progress.count // 2} of {progress.count} replications" in progress.notes[0]


def test_a_measure_that_never_has_data_reaches_the_cap():
    progress = run(rule(cap=40), {"deaths": np.full(100, math.nan)})
    assert progress.done and not progress.met
    assert any("too few replications have data" in note for note in progress.notes)
    scarce = run(rule(cap=40), {"deaths": np.append(np.full(35, math.nan), [3.0, 3.1, 3.0, 3.1, 3.2])})
    assert any("only 5 replications have data" in note for note in scarce.notes)


def test_the_expected_number_is_known_before_the_first_look():
    progress = rule().assess({"deaths": np.random.default_rng(7).normal(10.0, 3.0, 19)})
    assert (progress.count, progress.more, progress.done) == (19, 1, False)
    assert 50 < progress.expected < 500
    assert math.isnan(rule().assess({"deaths": [1.0]}).expected)
    measures = dict.fromkeys(["a", "b"], Precision(absolute=1.0))
    assert math.isnan(rule(measures=measures).assess({"a": [1.0, 2.0], "b": [1.0, math.nan]}).expected)
    assert rule().pending({"deaths": []}) == 20


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"first": 10}, "first: got 10; allowed: whole numbers from 20"),
        ({"cap": 19}, "cap: got 19; allowed: whole numbers from 20, the replications at the first look"),
        ({"batch": 0}, "batch: got 0"),
        ({"growth": 1.1}, "growth: got 1.1; allowed: 1.25 to 10"),
        ({"confidence": 95}, "did you mean 0.95"),
        ({"measures": {}}, "measures: got none"),
    ],
)
def test_rules_that_make_no_sense_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        rule(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "neither an absolute nor a relative half-width"),
        ({"absolute": 0.0}, "absolute half-width: got 0.0; allowed: above 0"),
        ({"absolute": math.nan}, "absolute half-width"),
        ({"relative": 5}, "a share of the mean; did you mean 0.05"),
        ({"relative": -0.1}, "relative half-width"),
    ],
)
def test_precisions_that_make_no_sense_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        Precision(**given)


def test_results_must_be_there_and_of_one_length():
    with pytest.raises(InputError, match="no results of 'deaths'; there are: death"):
        rule().assess({"death": [1.0]})
    measures = dict.fromkeys(["a", "b"], Precision(absolute=1.0))
    with pytest.raises(InputError, match="different numbers of replications"):
        rule(measures=measures).assess({"a": [1.0], "b": [1.0, 2.0]})


@pytest.mark.parametrize("target", [18, 30, 100])
def test_intervals_at_the_stop_cover_the_mean_as_often_as_promised(target):
    """The first 1,500 of the experiments of `make bench-experiments`."""
    half = 1.96 / math.sqrt(target)
    stopping = rule(measures={"x": Precision(absolute=half)}, cap=1000)
    stream = np.random.default_rng(target).normal(size=(1500, 1000))
    covered = sum(stopping.assess({"x": row}).measures["x"].interval.contains(0.0) for row in stream)
    assert covered / 1500 >= 0.95 - 2.0 * math.sqrt(0.05 * 0.95 / 1500)

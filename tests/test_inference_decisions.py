"""Decisions that may be looked at at any time, the search for the cheapest point, and the race of a front."""

import math

import numpy as np
import pytest
from scipy import integrate

from engine.errors import InputError
from engine.inference import (
    CheapestRule,
    FrontRule,
    Requirement,
    equal_count,
    look_schedule,
    mean_sequence,
    share_evidence,
    share_interval,
    share_sequence,
    unseen_share,
)

NAN = math.nan
KEPT = Requirement(at_least=0.5, probability=0.95)
"""At least 95 % of the replications have the value 1 and not 0."""


# --- one decision


@pytest.mark.parametrize(("successes", "count", "limit"), [(10, 10, 0.5), (3, 40, 0.02), (190, 200, 0.9)])
def test_the_evidence_for_a_share_is_the_mean_likelihood_ratio_of_the_shares_above(successes, count, limit):
    def ratio(share):
        return (share / limit) ** successes * ((1 - share) / (1 - limit)) ** (count - successes)

    mean = integrate.quad(ratio, limit, 1.0, epsabs=0, epsrel=1e-9, limit=200)[0] / (1.0 - limit)
    assert share_evidence(successes, count, limit) == pytest.approx(math.log(mean), rel=1e-6)


def test_the_bounds_of_a_share_are_where_the_evidence_reaches_the_error():
    interval = share_sequence(90, 100, 0.02, 0.01)
    assert share_evidence(90, 100, interval.low) == pytest.approx(math.log(1 / 0.02), rel=1e-6)
    assert share_evidence(10, 100, 1 - interval.high) == pytest.approx(math.log(1 / 0.01), rel=1e-6)
    assert share_sequence(0, 30, 0.025, 0.025).low == 0.0
    assert share_sequence(0, 0, 0.025, 0.025).high == 1.0


def test_bounds_for_any_time_are_wider_than_those_for_one_time():
    for successes in (0, 5, 30, 57, 60):
        fixed, always = share_interval(successes, 60), share_sequence(successes, 60, 0.025, 0.025)
        assert always.low <= fixed.low
        assert fixed.high <= always.high


def test_the_bounds_of_a_mean_solve_the_likelihood_ratio():
    values = np.random.default_rng(1).normal(3.0, 2.0, 50)
    interval = mean_sequence(values, 0.05)
    for bound in (interval.low, interval.high):
        moved = values - bound
        rest = (moved**2).sum() - 50**2 * moved.mean() ** 2 / 51
        ratio = 51**-0.5 * ((moved**2).sum() / rest) ** 25
        assert ratio == pytest.approx(20.0)


def test_equal_values_bound_a_mean_only_when_others_are_known_to_be_rare():
    """A sign test would say after 6 values that the mean is 3; 3 % of the replications may still be 23."""
    assert mean_sequence([3.0] * 298, 0.05).half_width == math.inf
    assert mean_sequence([3.0] * 299, 0.05).half_width == 0.0
    assert unseen_share(299, 0.95) <= 0.01 < unseen_share(298, 0.95)
    assert equal_count(0.05) == 299
    assert mean_sequence([3.0], 0.05).half_width == math.inf
    assert mean_sequence([], 0.05).count == 0


RARE_SHARE, RARE_SIZE = 0.03, 20.0
"""A difference that few replications show: .6 on average."""


def rare(random, count):
    return RARE_SIZE * (random.random(count) < RARE_SHARE)


def test_a_mean_of_rare_large_values_is_seldom_called_too_low():
    """Of 200 sequences whose mean is twice the limit: a width of 0 for equal values calls 23 % "met"."""
    random = np.random.default_rng(21)
    requirement = Requirement(at_most=0.3)
    wrong = 0
    for _ in range(200):
        values = rare(random, 2000)
        verdicts = (
            requirement.decide(values[:look], 0.025, 0.025).verdict for look in look_schedule(20, 2000)
        )
        wrong += next((verdict for verdict in verdicts if verdict != "open"), "open") == "met"
    assert wrong / 200 <= 0.025 + 2 * math.sqrt(0.025 * 0.975 / 200)


def test_a_front_of_rare_large_differences_is_seldom_wrong():
    """The dearer point is better by .6, which is three times the difference that matters."""
    random = np.random.default_rng(22)
    rule = FrontRule(difference=0.2, cap=1000)
    wrong = 0
    for _ in range(100):
        common = random.normal(size=rule.cap)
        values = np.stack([common + rare(random, rule.cap), common])
        found = rule.search(
            [1, 2], lambda wanted, v=values: {point: v[point, a:b] for point, (a, b) in wanted.items()}
        )
        wrong += found[1].place in ("dominated", "not worth it")
    assert wrong <= 5 + 2 * math.sqrt(100 * 0.05 * 0.95)


def test_a_sequence_at_its_limit_is_decided_wrongly_as_seldom_as_promised():
    """400 sequences, looked at 15 times each: an ordinary interval that is looked at so often errs far more often."""
    random = np.random.default_rng(2)
    wrong, naive = 0, 0
    for row in random.random((400, 400)) < 0.9:
        counts = [(int(row[:look].sum()), look) for look in look_schedule(20, 400)]
        wrong += any(not share_sequence(*each, 0.05, 0.05).contains(0.9) for each in counts)
        naive += any(not share_interval(*each, 0.9).contains(0.9) for each in counts)
    assert wrong / 400 <= 0.1
    assert naive / 400 > 0.2


def test_a_mean_is_decided_from_fifty_values_on():
    requirement = Requirement(at_most=5.0)
    assert requirement.decide([1.0, 2.0] * 24, 0.025, 0.025).verdict == "open"
    assert requirement.decide([1.0, 2.0] * 25, 0.025, 0.025).verdict == "met"
    assert requirement.decide([9.0, 8.0] * 25, 0.025, 0.025).verdict == "missed"
    assert Requirement(at_least=5.0).decide([9.0, 8.0] * 25, 0.025, 0.025).verdict == "met"


def test_replications_without_data_are_left_out_and_counted():
    decision = KEPT.decide([1.0] * 150 + [NAN] * 7, 0.025, 0.025)
    assert decision.verdict == "met"
    assert (decision.interval.count, decision.interval.missing) == (150, 7)
    assert KEPT.decide([NAN] * 50, 0.025, 0.025).verdict == "open"


def test_a_share_that_is_known_to_be_near_its_limit_is_too_close():
    values = ([1.0] * 19 + [0.0]) * 100
    near = Requirement(at_least=0.5, probability=0.95, indifference=0.02)
    assert KEPT.decide(values, 0.025, 0.025).verdict == "open"
    assert near.decide(values, 0.025, 0.025).verdict == "too close"
    assert near.decide(values[:100], 0.025, 0.025).verdict == "open"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "both or none of at_most and at_least"),
        ({"at_most": 1.0, "at_least": 1.0}, "both or none"),
        ({"at_most": NAN}, "the limit nan"),
        ({"at_most": 1.0, "probability": 95}, r"did you mean 0\.95\?"),
        ({"at_most": 1.0, "probability": 1.0}, "probability: got 1.0"),
        ({"at_most": 1.0, "indifference": -1.0}, "indifference: got -1.0"),
    ],
)
def test_a_requirement_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Requirement(**arguments)


# --- the cheapest point


class Shares:
    """Points whose replications have the value 1 with a known probability, else 0; random numbers are shared."""

    def __init__(self, *shares, seed=1):
        self.shares = shares
        self.uniform = np.random.default_rng(seed).random(5000)
        self.asked = []

    def __call__(self, wanted):
        self.asked.append(dict(wanted))
        return {
            point: (self.uniform[None, first:stop] < self.shares[point]).astype(float)
            for point, (first, stop) in wanted.items()
        }


def cheapest(shares, costs=None, levels=None, **arguments):
    rule = CheapestRule(requirements=(KEPT,), **arguments)
    return rule.search(range(len(shares.shares)) if costs is None else costs, shares, levels)


def test_the_cheapest_point_is_found_and_dearer_ones_cost_little():
    shares = Shares(0.1, 0.5, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0)
    found = cheapest(shares)
    assert found.best == 3
    assert [found.examined[point].verdict for point in range(3)] == ["missed"] * 3
    assert found.undecided == ()
    assert 7 not in found.examined
    assert found.examined[0].count == 20


def test_the_order_is_that_of_the_costs():
    assert cheapest(Shares(1.0, 0.1, 1.0), costs=[5, 1, 3]).best == 2


def test_a_point_at_the_limit_ends_at_the_cap_and_is_listed():
    found = cheapest(Shares(0.5, 0.95, 1.0), cap=500)
    assert found.best == 2
    assert found.undecided == (1,)
    assert found.examined[1].verdict == "too close"
    assert found.examined[1].count == 500


def test_no_point_may_be_good_enough():
    found = cheapest(Shares(0.1, 0.5, 0.8))
    assert found.best is None
    assert {each.verdict for each in found.examined.values()} == {"missed"}


def test_all_requirements_must_be_met():
    values = np.random.default_rng(3).normal(size=2000)

    def sample(wanted):
        return {
            point: np.stack([10.0 - point + values[first:stop], 3.0 + point + values[first:stop]])
            for point, (first, stop) in wanted.items()
        }

    both = (Requirement(at_most=6.0), Requirement(at_most=9.0))
    assert CheapestRule(requirements=both).search(range(9), sample).best == 5
    narrow = (Requirement(at_most=6.0), Requirement(at_most=6.0))
    assert CheapestRule(requirements=narrow).search(range(9), sample).best is None


def test_halving_examines_few_points_and_checks_the_neighbours():
    shares = Shares(*[0.1] * 40, *[1.0] * 60)
    found = cheapest(shares, levels=np.arange(100)[:, None])
    assert found.best == 40
    assert found.examined[39].verdict == "missed"
    assert len(found.examined) <= 9
    assert found.contradictions == ()
    assert set(found.ruled_out) | set(found.examined) >= set(range(40))


def test_two_factors_are_halved_together():
    levels = np.array([(a, b) for a in range(8) for b in range(8)])
    shares = Shares(*(1.0 if a >= 3 and b >= 2 else 0.1 for a, b in levels))
    found = cheapest(shares, costs=levels.sum(axis=1), levels=levels)
    assert tuple(levels[found.best]) == (3, 2)
    assert len(found.examined) < 40


def test_a_neighbour_that_contradicts_the_assumption_is_found():
    """(0, 2) misses the limit, which rules out (0, 1); but (0, 1) is beside the best one and keeps it."""
    levels = np.array([(0, 1), (0, 2), (1, 1)])
    found = cheapest(Shares(1.0, 0.1, 1.0), costs=[1, 2, 3], levels=levels)
    assert found.best == 0
    assert found.contradictions == ((0, 1),)
    assert found.ruled_out == {}


def test_the_search_repeats_itself():
    first, second = cheapest(Shares(0.3, 0.9, 1.0)), cheapest(Shares(0.3, 0.9, 1.0))
    assert first == second


# --- the front


def race(means, costs, cap=2000, difference=0.5, largest=False, deviation=1.0):
    random = np.random.default_rng(4)
    common = random.normal(size=cap) * 5.0
    values = np.array(means)[:, None] + common + deviation * random.normal(size=(len(means), cap))
    asked = np.zeros(len(means), dtype=int)

    def sample(wanted):
        for point, (first, stop) in wanted.items():
            assert first == asked[point]
            asked[point] = stop
        return {point: values[point, first:stop] for point, (first, stop) in wanted.items()}

    return FrontRule(difference=difference, cap=cap, largest=largest).search(costs, sample)


def test_the_front_of_known_means():
    found = race([10.0, 7.0, 8.0, 4.0, 3.9, 9.0], [1, 2, 3, 4, 5, 6])
    assert [point for point, each in enumerate(found) if each.place == "front"] == [0, 1, 3]
    assert (found[2].by, found[4].by) == (1, 3)
    assert found[4].place == "not worth it"
    assert found[5].place == "dominated"
    assert all(each.interval.contains(mean) for each, mean in zip(found, [10.0, 7.0, 8.0, 4.0, 3.9, 9.0]))


def test_a_dominated_point_is_dropped_at_once_and_the_others_go_on():
    found = race([10.0, 20.0, 8.9, 9.1], [1, 2, 3, 4], difference=0.3)
    assert found[1].place == "dominated"
    assert found[1].count == 20
    assert max(each.count for each in found) > 20


def test_where_more_is_better_the_signs_turn():
    found = race([10.0, 13.0, 12.0], [1, 2, 3], largest=True)
    assert [each.place for each in found] == ["front", "front", "dominated"]
    assert found[1].interval.estimate == pytest.approx(13.0, abs=3.0)


def test_of_points_of_equal_cost_and_value_one_remains():
    found = race([5.0, 5.0, 5.0], [1, 1, 1])
    assert sorted(each.place for each in found) == ["front", "not worth it", "not worth it"]


def test_points_that_are_the_same_in_every_replication_are_told_apart_by_cost_but_not_soon():
    found = race([5.0, 5.0, 5.0], [1, 2, 3], deviation=0.0)
    assert [each.place for each in found] == ["front", "not worth it", "not worth it"]
    assert [each.constant for each in found] == [False, True, True]
    assert min(each.count for each in found) >= equal_count(0.05 / 3)
    short = race([5.0, 5.0, 5.0], [1, 2, 3], deviation=0.0, cap=300)
    assert [each.place for each in short] == ["front", "open", "open"]


def test_a_point_on_the_front_by_a_constant_difference_is_marked():
    found = race([5.0, 4.0], [1, 2], deviation=0.0)
    assert [(each.place, each.constant) for each in found] == [("front", False), ("front", True)]
    assert not any(each.constant for each in race([5.0, 3.0], [1, 2]))


def test_what_the_cap_leaves_is_open():
    found = race([5.0, 4.9], [1, 2], cap=40, difference=0.01)
    assert found[1].place == "open"


def test_replications_without_data_are_left_out_of_a_pair():
    values = np.random.default_rng(5).normal(size=(2, 400)) + np.array([[3.0], [1.0]])
    values[0, ::3] = NAN
    found = FrontRule(difference=0.5, cap=400).search(
        [1, 2], lambda wanted: {point: values[point, a:b] for point, (a, b) in wanted.items()}
    )
    assert [each.place for each in found] == ["front", "front"]
    assert found[0].interval.missing > 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FrontRule(difference=0.0), "difference: got 0.0"),
        (lambda: FrontRule(difference=1.0, first=5), "first: got 5"),
        (lambda: CheapestRule(requirements=()), "requirements: got none"),
        (lambda: CheapestRule(requirements=(KEPT,), cap=3), "most: got 3"),
        (lambda: cheapest(Shares(1.0), costs=[NAN]), "costs: got"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()

"""Many comparisons at once, and the selection of the best: against their definitions and their guarantees."""

import math

import numpy as np
import pytest
from scipy import stats

from engine.errors import InputError
from engine.inference import (
    SelectionRule,
    equal_count,
    holm,
    mean_p_value,
    paired_interval,
    simultaneous_intervals,
)

NAN = math.nan


def test_holm_on_the_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([]).size == 0


def test_holm_leaves_what_was_not_tested():
    assert holm([0.02, NAN, 0.03]) == pytest.approx([0.04, NAN, 0.04], nan_ok=True)


def test_holm_is_the_closed_test_of_bonferroni():
    """A hypothesis is rejected if and only if Bonferroni rejects every intersection that contains it."""
    random = np.random.default_rng(1)
    for _ in range(200):
        p = random.uniform(0.0, 0.3, size=5)
        adjusted = holm(p)
        for i in range(5):
            worst = max(
                min(p[j] for j in range(5) if mask >> j & 1) * mask.bit_count()
                for mask in range(32)
                if mask >> i & 1
            )
            assert adjusted[i] == pytest.approx(min(1.0, worst))


@pytest.mark.parametrize("p", [[-0.1], [1.1, 0.2], [[0.1]]])
def test_what_is_no_p_value_is_refused(p):
    with pytest.raises(InputError, match="p_values: got"):
        holm(p)


def test_simultaneous_intervals_share_the_error():
    random = np.random.default_rng(2)
    baseline = random.normal(size=40)
    others = baseline + random.normal(size=(4, 40))
    intervals = simultaneous_intervals(baseline, list(others), 0.9)
    assert intervals == [paired_interval(baseline, other, 0.975) for other in others]
    assert simultaneous_intervals(baseline, [], 0.9) == []


def test_familywise_error_of_null_comparisons_with_a_shared_baseline():
    random = np.random.default_rng(3)
    wrong = np.zeros(2)
    experiments = 500
    for _ in range(experiments):
        common = random.normal(size=25)
        scenarios = common + random.normal(size=(21, 25))
        differences = scenarios[1:] - scenarios[0]
        wrong[0] += holm([mean_p_value(row) for row in differences]).min() <= 0.05
        intervals = simultaneous_intervals(scenarios[0], list(scenarios[1:]))
        wrong[1] += any(not interval.contains(0.0) for interval in intervals)
    assert (wrong / experiments <= 0.05 + 2.0 * math.sqrt(0.05 * 0.95 / experiments)).all()
    assert (wrong > 0).all()


# --- selection of the best


def kim_nelson(results, difference, error, first):
    """The procedure as the paper states it, one replication at a time; returns the best and the replications used."""
    k = len(results)
    eta = 0.5 * ((2.0 * error / (k - 1)) ** (-2.0 / (first - 1)) - 1.0)
    h2 = 2.0 * eta * (first - 1)
    variance = {
        (i, j): np.var(results[i, :first] - results[j, :first], ddof=1)
        for i in range(k)
        for j in range(k)
        if i != j
    }
    most = max(math.floor(h2 * value / difference**2) for value in variance.values())
    alive = list(range(k))
    for r in range(first, max(first, most + 1) + 1):
        mean = results[:, :r].mean(axis=1)
        alive = [
            i
            for i in alive
            if all(
                mean[i]
                >= mean[j] - max(0.0, difference / (2 * r) * (h2 * variance[i, j] / difference**2 - r))
                for j in alive
                if j != i
            )
        ]
        if len(alive) == 1 or r > most:
            return max(alive, key=lambda i: mean[i]), r
    raise AssertionError


DEVIATIONS = [(2, 2, 2, 2), (1, 1, 6, 1), (6, 1, 1, 1), (1, 6, 1, 1)]


@pytest.mark.parametrize("deviations", DEVIATIONS)
def test_selection_agrees_with_the_paper_step_by_step(deviations):
    random = np.random.default_rng(4)
    for _ in range(25):
        results = random.normal(size=(4, 1500)) * np.array(deviations)[:, None] + [[0.0], [0.5], [1.0], [0.0]]
        selection = SelectionRule(difference=1.0, largest=True, first=10).assess(results)
        assert (selection.best, selection.count) == kim_nelson(results, 1.0, 0.05, 10)
        assert selection.done and selection.guaranteed and selection.more == 0


@pytest.mark.parametrize("deviations", DEVIATIONS)
@pytest.mark.parametrize("best", [2, 3])
def test_the_best_is_selected_as_often_as_promised_also_with_unequal_variances(deviations, best):
    """Slippage configuration: all others are equal and exactly the indifference zone away, the hardest case."""
    random = np.random.default_rng(5)
    rule = SelectionRule(difference=1.0, first=10)
    right = 0
    for _ in range(200):
        results = random.normal(size=(4, 1500)) * np.array(deviations)[:, None]
        results[best] -= 1.0
        right += rule.assess(results).best == best
    assert right / 200 >= 0.95 - 2.0 * math.sqrt(0.95 * 0.05 / 200)


def test_common_random_numbers_make_selection_cheaper():
    random = np.random.default_rng(6)
    means, own = np.array([[0.0], [1.0], [2.0]]), random.normal(size=(3, 3000))
    common = 5.0 * random.normal(size=(1, 3000))
    apart = 5.0 * random.normal(size=(3, 3000))
    rule = SelectionRule(difference=0.5)
    with_common = rule.assess(means + own + common)
    without = rule.assess(means + own + apart)
    assert with_common.best == without.best == 0
    assert with_common.count < 0.2 * without.count


def test_results_can_come_in_batches_and_only_of_survivors():
    random = np.random.default_rng(7)
    results = random.normal(size=(6, 4000)) * 3.0 + np.linspace(0.0, 2.0, 6)[:, None]
    rule = SelectionRule(difference=0.4)
    whole = rule.assess(results)
    assert whole.done
    known = np.full((6, 0), NAN)
    batches = 0
    selection = rule.assess(known)
    assert (selection.best, selection.more) == (None, 20)
    while not selection.done:
        batches += 1
        batch = np.full((6, selection.more), NAN)
        begin = known.shape[1]
        batch[list(selection.survivors)] = results[list(selection.survivors), begin : begin + selection.more]
        known = np.hstack([known, batch])
        selection = rule.assess(known)
        assert selection.most is None or selection.most >= selection.count
    assert selection == whole
    assert 2 < batches < 30
    assert np.isnan(known).sum() > 0


def test_a_replication_without_data_is_left_out_and_counted():
    results = np.random.default_rng(8).normal(size=(3, 200)) + [[0.0], [2.0], [2.0]]
    results[1, [3, 7]] = NAN
    selection = SelectionRule(difference=0.5).assess(results)
    assert selection.best == 0
    assert selection.missing == 2
    clean = SelectionRule(difference=0.5).assess(np.delete(results, [3, 7], axis=1))
    assert (clean.best, clean.count, clean.missing) == (selection.best, selection.count, 0)


def test_the_cap_ends_a_selection_without_guarantee():
    results = np.random.default_rng(9).normal(size=(2, 500))
    selection = SelectionRule(difference=0.01, cap=100).assess(results)
    assert selection.done and not selection.guaranteed and selection.count == 100
    assert selection.survivors == (0, 1)
    assert selection.best == int(np.argmin(results[:, :100].mean(axis=1)))
    assert selection.most is not None and selection.most > 10_000


def test_alternatives_that_never_differ_end_when_others_are_known_to_be_rare():
    results = np.tile(np.random.default_rng(10).normal(size=500), (2, 1))
    rule = SelectionRule(difference=0.5)
    selection = rule.assess(results)
    assert selection.done and selection.guaranteed and selection.survivors == (0, 1)
    assert selection.count == equal_count(0.05) == 299
    assert selection.constant == (1,)
    early = rule.assess(results[:, :100])
    assert not early.done and early.most is None and early.more > 0
    capped = SelectionRule(difference=0.5, cap=200).assess(results)
    assert capped.done and not capped.guaranteed and capped.constant == ()


def test_a_constant_difference_decides_like_no_difference():
    results = np.tile(np.random.default_rng(12).normal(size=500), (3, 1)) + [[0.1], [0.0], [0.3]]
    selection = SelectionRule(difference=0.5).assess(results)
    assert (selection.best, selection.survivors, selection.constant) == (1, (1,), (0, 2))
    assert selection.count == equal_count(0.05 / 2)


def test_other_alternatives_do_not_wait_for_two_that_never_differ():
    results = np.random.default_rng(13).normal(size=(3, 600)) + [[3.0], [0.0], [3.0]]
    results[2] = results[0]
    selection = SelectionRule(difference=0.5).assess(results)
    assert (selection.best, selection.survivors, selection.constant) == (1, (1,), ())
    assert selection.count < 200


def test_the_best_is_selected_as_often_as_promised_where_few_replications_differ():
    """The other one is worse by 20 in 3 % of the replications: .6 on average, three times the indifference zone."""
    random = np.random.default_rng(14)
    rule = SelectionRule(difference=0.2, cap=3000)
    right = 0
    for _ in range(100):
        common = random.normal(size=rule.cap)
        results = np.stack([common + 20.0 * (random.random(rule.cap) < 0.03), common])
        right += rule.assess(results).best == 1
    assert right >= 95 - 2 * math.sqrt(100 * 0.05 * 0.95)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"difference": 0.0}, "difference: got 0.0; allowed: above 0"),
        ({"difference": 1.0, "first": 5}, "first: got 5; allowed: whole numbers from 10"),
        ({"difference": 1.0, "cap": 10}, "cap: got 10; allowed: whole numbers from 20"),
    ],
)
def test_selection_rules_that_make_no_sense_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        SelectionRule(**given)


def test_selection_refuses_results_that_it_cannot_use():
    rule = SelectionRule(difference=1.0, confidence=0.3)
    with pytest.raises(InputError, match="two or more alternatives"):
        rule.assess(np.zeros((1, 30)))
    with pytest.raises(InputError, match="which chance alone achieves"):
        rule.assess(np.zeros((3, 30)))
    with pytest.raises(InputError, match="infinite"):
        SelectionRule(difference=1.0).assess(np.full((3, 30), np.inf))


def test_the_t_tests_of_pairs_are_scipys():
    a, b = np.random.default_rng(11).normal(size=(2, 30))
    assert mean_p_value(b - a) == pytest.approx(stats.ttest_rel(a, b).pvalue)

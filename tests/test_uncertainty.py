"""Chance and ignorance: components of variance with known answers, and joint draws of assumptions."""

import math

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

import scenarios
from engine.errors import InputError
from engine.experiments import QUANTITIES, Effect, assumption_points, holds, split_variance, swings
from engine.inference import Interval, mean_interval
from engine.scenario import assumptions_of, parse
from goldenhour.experiment_sentences import effect_sentences

Table = NDArray[np.float64]


def table(
    points: int, count: int, sds: tuple[float, float, float], seed: int = 0, common: bool = True
) -> Table:
    """Results with known standard deviations of ignorance, chance and rest; mean 10."""
    random = np.random.default_rng(seed)
    ignorance, chance, rest = (
        sd * random.standard_normal(size)
        for sd, size in zip(
            sds, ((points, 1), (1 if common else points, count), (points, count)), strict=True
        )
    )
    return 10.0 + ignorance + chance + rest


def test_the_components_of_a_table_by_hand() -> None:
    """Two points, two replications, each with its own effect: rows differ by 2, columns by 4, nothing is left."""
    split = split_variance(np.array([[1.0, 5.0], [3.0, 7.0]]))
    assert (split.mean, split.ignorance, split.chance) == (4.0, 2.0, 8.0)
    assert split.share.estimate == pytest.approx(0.2)
    one_way = split_variance(np.array([[1.0, 5.0], [3.0, 7.0]]), common=False)
    assert (one_way.ignorance, one_way.chance) == (
        0.0,
        8.0,
    )  # 4 between less 8 within: no ignorance can be seen


@pytest.mark.parametrize("common", [True, False])
def test_ignorance_and_chance_are_separated(common: bool) -> None:
    split = split_variance(table(2000, 40, (2.0, 3.0, 1.0), 1, common), common)
    assert split.ignorance == pytest.approx(4.0, rel=0.1)
    if not common:
        assert split.chance == pytest.approx(10.0, rel=0.02)
    assert split.share.contains(4.0 / 14.0)
    assert split.mean_range == pytest.approx((10 - 1.645 * 2, 10 + 1.645 * 2), abs=1.6)
    width = split.result_range[1] - split.result_range[0]
    assert width > split.mean_range[1] - split.mean_range[0]


def test_the_noise_of_means_is_not_taken_for_ignorance() -> None:
    """With 4 replications the means of points vary by chance of variance 25 / 4, and nothing else."""
    values = table(4000, 4, (0.0, 5.0, 0.0), 2, common=False)
    assert values.mean(axis=1).var() > 6.0
    split = split_variance(values, common=False)
    assert split.ignorance < 0.5 and split.chance == pytest.approx(25.0, rel=0.05)
    low, high = split.mean_range
    assert high - low < 2.5  # the means as they are would span 8


def test_common_random_numbers_show_less_ignorance_than_means_alone_could() -> None:
    """Without the two ways of the table, common chance would be subtracted from ignorance as if it were noise."""
    values = table(300, 5, (1.0, 10.0, 0.1), 3)
    assert split_variance(values).ignorance == pytest.approx(1.0, rel=0.2)
    assert split_variance(values, common=False).ignorance == 0.0


def test_the_interval_of_the_share_has_its_confidence() -> None:
    share = 1.0 / (1.0 + 4.0)
    covered = [
        split_variance(table(20, 10, (1.0, 2.0, 0.0), seed, common=False), common=False).share.contains(share)
        for seed in range(400)
    ]
    assert 0.92 <= np.mean(covered) <= 0.98


@pytest.mark.parametrize(
    ("replications", "sds"), [(5, (1.0, 3.0, 0.5)), (10, (1.0, 3.0, 0.5)), (20, (3.0, 1.0, 1.0))]
)
def test_the_interval_of_the_share_has_its_confidence_with_common_random_numbers(
    replications: int, sds: tuple[float, float, float]
) -> None:
    """The variance between few replications is hardly known: an interval that takes it as known covers .6 at 10."""
    share = sds[0] ** 2 / sum(sd**2 for sd in sds)
    covered = [
        split_variance(table(64, replications, sds, seed)).share.contains(share) for seed in range(400)
    ]
    assert 0.92 <= np.mean(covered) <= 0.98


def test_the_range_of_the_mean_is_that_of_ignorance() -> None:
    inside = []
    for seed in range(30):
        split = split_variance(table(400, 5, (2.0, 0.0, 6.0), seed, common=False), common=False)
        inside.append(split.mean_range[1] - split.mean_range[0])
    assert np.mean(inside) == pytest.approx(2 * 1.645 * 2.0, rel=0.05)


def test_replications_without_data_are_left_out_and_counted() -> None:
    values = table(10, 20, (1.0, 1.0, 0.5))
    values[3, 4] = np.nan
    split = split_variance(values)
    assert (split.points, split.replications, split.missing) == (10, 19, 1)
    assert split == split_variance(np.delete(values, 4, axis=1))._replace(missing=1)


def test_a_result_that_never_varies_has_no_variance() -> None:
    split = split_variance(np.full((4, 6), 7.0))
    assert (split.mean, split.ignorance, split.chance, split.share.estimate) == (7.0, 0.0, 0.0, 0.0)
    sure = split_variance(np.repeat([[1.0], [2.0]], 5, axis=1))
    assert sure.ignorance == 0.5 and sure.chance == 0.0 and sure.share.estimate == 1.0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.ones((1, 5)), "two or more points"),
        (np.ones(5), "two or more points"),
        (np.ones((3, 1)), "1 replications"),
        (np.full((2, 4), np.nan), "0 replications"),
    ],
)
def test_too_few_results_are_refused(values: Table, words: str) -> None:
    with pytest.raises(InputError, match=words):
        split_variance(values)


def test_joint_draws_fill_each_range_and_depend_on_the_seed_alone() -> None:
    found = assumptions_of(parse(scenarios.builtin_bytes("brigade"), "toml"))
    drawn = assumption_points(found, 40, seed=5)
    assert drawn.units.shape == (40, len(found)) and len(drawn.rows) == 40
    strata = np.sort((drawn.units * 40).astype(int), axis=0)
    assert (strata == np.arange(40)[:, None]).all()  # one draw in each fortieth of every range
    place = [one.name for one in found].index("tourniquet works")
    one = found[place]
    values = [row[place] for row in drawn.rows]
    assert one.low <= min(values) < one.mode < max(values) <= one.high
    again = assumption_points(found, 40, seed=5)
    assert again.rows == drawn.rows and assumption_points(found, 40, seed=6).rows != drawn.rows
    correlations = np.corrcoef(drawn.units.T)
    assert np.abs(correlations - np.eye(len(found))).max() < 0.65


def test_a_sentence_says_what_is_ignorance_and_what_is_chance() -> None:
    numbers = {
        ("uncertainty", "ignorance", "share of variance"): (0.25, 0.125, 0.5),
        ("uncertainty", "ignorance", "mean, 90 % range"): (12.0, 10.0, 14.5),
        ("uncertainty", "chance and ignorance", "result, 90 % range"): (12.0, 4.0, 26.0),
        ("rank correlation", "tourniquet works", "Spearman's rho"): (-0.4, -0.6, -0.1),
        ("rank correlation", "minutes of triage", "Spearman's rho"): (0.1, -0.2, 0.4),
        ("rank correlation", "severity, conventional", "Spearman's rho"): (0.7, 0.5, 0.8),
    }
    p_values = {"tourniquet works": 0.04, "minutes of triage": 0.9, "severity, conventional": 0.001}
    effects = [
        Effect(
            measure="deaths",
            kind=kind,
            name=name,
            statistic=statistic,
            interval=Interval(*values, 40),
            p_holm=p_values.get(name, math.nan),
        )
        for (kind, name, statistic), values in numbers.items()
    ]
    (sentence,) = effect_sentences(QUANTITIES["deaths"], effects, 0.95)
    assert "12.00 on average. What is not known moves the mean between 10.00 and 14.50" in sentence
    assert "a single result lies between 4.00 and 26.00. 25 % of the variance is ignorance" in sentence
    assert "most with severity, conventional (+0.70) and tourniquet works (-0.40)." in sentence
    assert "minutes of triage" not in sentence
    together = [replace(each, p_holm=0.06) if each.name == "tourniquet works" else each for each in effects]
    (sentence,) = effect_sentences(QUANTITIES["deaths"], together, 0.95)
    assert "most with severity, conventional (+0.70)." in sentence
    none = [replace(effects[0], interval=Interval(0.001, 0.0, 0.02, 40)), *effects[1:]]
    (sentence,) = effect_sentences(QUANTITIES["deaths"], none, 0.95)
    assert "0 % of the variance is ignorance" in sentence and "goes most with" not in sentence


# --- the tornado


def test_swings_are_paired_sorted_and_judged_together() -> None:
    random = np.random.default_rng(0)
    base = 100.0 + 10.0 * random.standard_normal(200)
    noise = 0.5 * random.standard_normal((20, 2, 200))
    ends = [(base + noise[i, 0], base + noise[i, 1]) for i in range(20)]
    ends[7] = (base - 1.0 + noise[7, 0], base + 2.0 + noise[7, 1])
    ends[11] = (None, base + 0.5 + noise[11, 1])
    found = swings(base, ends)
    assert [swing.assumption for swing in found[:2]] == [7, 11]
    first = found[0]
    assert first.low.contains(-1.0) and first.high.contains(2.0) and first.low.half_width < 0.2
    assert first.width == pytest.approx(3.0, abs=0.2)
    assert found[1].low.estimate == 0.0 and found[1].at_low.estimate == pytest.approx(base.mean())
    assert [swing.assumption for swing in found if swing.is_told(0.95)] == [7, 11]


def test_a_swing_that_goes_the_same_way_at_both_ends_is_as_wide_as_the_farther_end() -> None:
    base = np.arange(50.0)
    (swing,) = swings(base, [(base - 3.0, base - 1.0)])
    assert swing.width == 3.0 and swing.is_told(0.95)


def test_a_difference_holds_reverses_or_stays_open() -> None:
    base = -2.0 + 0.1 * np.random.default_rng(1).standard_normal(100)
    unclear = np.where(np.arange(100) % 2, 1.0, -1.0)
    found = swings(base, [(base - 1.0, base + 1.0), (base, base + 4.0), (unclear, base)])
    reversing, is_open = holds(mean_interval(base), found)
    assert [swing.assumption for swing in reversing] == [1]
    assert [swing.assumption for swing in is_open] == [2]
    assert holds(mean_interval(unclear), found) == ([], [])

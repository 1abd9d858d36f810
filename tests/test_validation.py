"""Validation: statistics of the samples, targets as data, verdicts, and the page with its pictures."""

import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy import stats

import scenarios
from bench.validation import __main__ as validation
from bench.validation import page, samples, targets
from bench.validation.pictures import Bar, dot_chart
from bench.validation.samples import NOTHING, Estimate
from bench.validation.targets import Finding, Samples, Target
from engine.run import Simulation

GENERATOR = np.random.default_rng(1)


def finding(**fields: object) -> Finding:
    given = {"id": "X1", "quantity": "share", "scenario": "coin", "published": "10 %", "source": "S"}
    return Finding(**(given | fields))  # type: ignore[arg-type]


# --- statistics


def test_a_share_has_wilsons_interval() -> None:
    oracle = stats.binomtest(30, 200).proportion_ci(method="wilson")
    value, low, high, number = samples.share(np.arange(200) < 30)
    assert (value, number) == (15.0, 200)
    assert low == pytest.approx(100 * oracle.low) and high == pytest.approx(100 * oracle.high)
    assert samples.share(np.empty(0, bool)) == NOTHING


def test_intervals_cover_the_truth() -> None:
    """Of 1,000 samples of an exponential distribution the intervals of mean, median and quartile hold it in 95 %."""
    truth = {"mean": 1.0, "median": math.log(2), "upper quartile": math.log(4)}
    drawn = GENERATOR.exponential(size=(1000, 300))
    for name, value in truth.items():
        found = [samples.STATISTICS[name](row) for row in drawn]
        covered = sum(each.low <= value <= each.high for each in found)
        assert 920 <= covered <= 985, name


def test_the_area_under_a_roc_curve_is_that_of_mann_and_whitney() -> None:
    score = GENERATOR.integers(0, 10, 400) + GENERATOR.integers(0, 2, 400)
    outcome = (score + GENERATOR.normal(0, 4, 400) > 6).astype(float)
    oracle = stats.mannwhitneyu(score[outcome == 1], score[outcome == 0]).statistic
    value, low, high, _ = samples.roc_area(np.stack([score, outcome], axis=1))
    assert value == pytest.approx(oracle / (outcome.sum() * (1 - outcome).sum()))
    assert 0.5 < low < value < high < 1
    assert samples.roc_area(np.array([[1.0, 0.0]])) == NOTHING


def test_inversions_are_counted_from_class_to_class() -> None:
    classes = np.repeat([0, 1, 2, 3], 100)
    outcome = np.concatenate([np.arange(100) < share for share in (5, 10, 8, 40)])
    assert samples.inversions(np.stack([classes, outcome], axis=1)).value == 1
    assert samples.inversions(np.stack([np.sort(outcome), np.sort(outcome)], axis=1)).value == 0


def test_ratios_and_odds() -> None:
    group = np.repeat([0, 1], 1000)
    outcome = np.concatenate([np.arange(1000) < 50, np.arange(1000) < 200])
    table = np.stack([group, outcome], axis=1).astype(float)
    value, low, high, _ = samples.ratio(table)
    assert value == pytest.approx(4) and low < 4 < high
    value, low, high, _ = samples.odds_ratio(table)
    oracle = stats.contingency.odds_ratio([[200, 800], [50, 950]], kind="sample")
    assert value == pytest.approx(oracle.statistic)
    interval = oracle.confidence_interval()
    assert low == pytest.approx(interval.low) and high == pytest.approx(interval.high)


def test_medians_are_compared() -> None:
    group = np.repeat([0, 1], 500)
    value = np.concatenate([GENERATOR.normal(128, 5, 500), GENERATOR.normal(114, 5, 500)])
    measured = samples.median_difference(np.stack([group, value], axis=1))
    assert measured.low < 14 < measured.high


# --- targets and verdicts


def test_every_target_has_a_source_and_a_built_in_scenario_or_says_what_it_needs() -> None:
    known = {*scenarios.builtin_names(), "coin+extreme_cold"}
    for target in targets.load():
        assert target.source and target.published and target.tag, target.id
        if not target.needs:
            assert set(target.scenario.split("|")) <= known, target.id
        if target.band:
            assert target.band[0] <= target.band[1], target.id


def test_a_verdict_follows_from_the_band() -> None:
    inside = finding(measured=Estimate(10, 9, 11, 50), band=(8, 12))
    assert inside.verdict == "met"
    outside = msgspec.structs.replace(inside, measured=Estimate(20, 19, 21, 50))
    assert outside.verdict == "missed"
    assert (
        msgspec.structs.replace(outside, explained="two facts contradict each other").verdict == "explained"
    )
    assert msgspec.structs.replace(outside, band=None).verdict == "reported"
    assert msgspec.structs.replace(inside, needs="vitals.pain").verdict == "not measured"
    assert finding(band=(8, 12)).verdict == "not measured"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('statistic = "share"', 'statistic = "shares"'),
        ('of = "dead"\nvalue = "dead"', 'of = "dead"'),
    ],
)
def test_a_target_that_is_written_wrongly_is_an_error(change: str, message: str, tmp_path: Path) -> None:
    text = (
        '[[target]]\nid = "A"\nquantity = "q"\nscenario = "coin"\nstatistic = "share"\n'
        'published = "1"\nsource = "s"\ntag = "A"\nof = "dead"\nvalue = "dead"\n'
    )
    path = tmp_path / "targets.toml"
    path.write_text(text)
    assert len(targets.load(path)) == 1
    path.write_text(text.replace(change, message))
    with pytest.raises(targets.TargetError, match="A: "):
        targets.load(path)


# --- measuring


def test_every_expression_can_be_evaluated() -> None:
    findings = validation.measure(1500, 3)
    assert {each.id for each in findings} >= {target.id for target in targets.load()}
    assert sum(each.verdict in ("met", "missed", "reported") for each in findings) > 60


def test_a_sample_is_what_its_expressions_say() -> None:
    """The share of the dead among battle casualties, and the pulse of the dead, counted in another way."""
    scenario = validation.scenario_of("coin", 2000)
    base = {"scenario": "coin", "published": "1", "source": "s", "tag": "A", "quantity": "q"}
    wanted = [
        Target(id="A", of="patients.labelled('stream', 'battle')", value="dead", statistic="share", **base),
        Target(id="B", of="vitals.spo2 < 95", value="vitals.heart_rate", statistic="mean", **base),
        Target(
            id="C", of="patients.everything()", value="patients.iss", by="dead", statistic="ROC area", **base
        ),
        Target(id="D", of="has(vitals.etco2 > 0)", value="dead", statistic="share", **base),
    ]
    collected = Samples(wanted, scenario)
    dead = battle = 0
    pulses: list[int] = []
    for chunk in Simulation(scenario, 5, 0, 512):
        collected.add(chunk)
        of_battle = chunk.patients[chunk.patients["stream"] == 0]
        battle += len(of_battle)
        dead += int(np.isin(of_battle["status"], (0, 1)).sum())
        pulses += chunk.vitals["heart_rate"][chunk.vitals["spo2"] < 95].tolist()
    shares = collected.sample(wanted[0])
    assert (len(shares), int(shares.sum())) == (battle, dead)
    assert sorted(collected.sample(wanted[1]).tolist()) == sorted(pulses)
    assert collected.sample(wanted[2]).shape == (2000, 2)
    found = targets.finding(wanted[0], {"coin": collected})
    assert found.measured.value == pytest.approx(100 * dead / battle)


# --- the page


def test_the_page_has_every_figure_and_says_why_one_fails(tmp_path: Path) -> None:
    findings = [
        finding(id="E4.1", quantity="KIA dead by 0 min", measured=Estimate(57, 55, 59, 900), band=(52, 62)),
        finding(id="E4.2", quantity="KIA dead by 10 min", measured=Estimate(80, 79, 81, 900), band=(63, 73)),
        finding(id="VS3a", quantity="first INR", needs="vitals.inr"),
        finding(
            id="RTD1",
            quantity="back",
            measured=Estimate(90, 89, 91, 9),
            band=(95, 99),
            explained="two | facts",
        ),
    ]
    page.write(findings, "900 patients", tmp_path)
    text = (tmp_path / "validation.md").read_text()
    assert "Of 4 figures: 1 met, 1 missed, 1 explained, 1 not measured, 0 reported." in text
    assert "needs vitals.inr" in text and "two \\| facts" in text
    pictures = sorted(path.name for path in tmp_path.glob("*.svg"))
    assert pictures == ["validation-time-to-death.svg"]
    assert f"({pictures[0]})" in text
    ElementTree.parse(tmp_path / pictures[0])


def test_a_picture_marks_what_lies_outside_the_band() -> None:
    inside = Bar("inside <1>", Estimate(5, 4, 6, 10), 5.0, (4, 6))
    outside = Bar("outside", Estimate(9, 8, 10, 10), None, (4, 6))
    text = dot_chart("Title & more", "%", [inside, outside, Bar("nothing", NOTHING, 1.0, None)])
    circles = [
        each.get("fill") for each in ElementTree.fromstring(text).iter() if each.tag.endswith("circle")
    ]
    assert circles == ["#1b6ca8", "#1b6ca8", "#c0392b"]  # the legend, and both bars
    assert "nothing" not in text

"""Comparisons: replications are those of `simulate`, pairs meet the same casualties, and the answer is a sentence."""

import html
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import goldenhour
import scenarios
from actors.cache import CacheSettings, LocalCache
from actors.experiments import (
    FinishedBatch,
    Point,
    ReplicationProgress,
    Replicator,
    Request,
    batch_size,
)
from engine.errors import InputError
from engine.experiments import QUANTITIES, compare_replications, find_quantities, fitted, values_of
from engine.measures import absent_value, named_values
from engine.precomputed import build_value, key_of_replications, keys_of_scenario, pack_value, unpack_value
from engine.run import Replications, join_replications, replicate
from engine.scenario import Scenario, parse, resolve, with_overrides
from goldenhour.__main__ import run
from goldenhour.sentences import difference_sentence

TABLES = "facilities[R2-North].operating_tables"
ONE_TABLE = {TABLES: 1}


def resolved(name: str = "coin", days: int | None = None) -> Scenario:
    return resolve(with_overrides(parse(scenarios.builtin_bytes(name), "toml", name), days=days))


def same(one: Replications, other: Replications) -> bool:
    return one.names == other.names and one.values.tobytes() == other.values.tobytes()


def test_a_replication_has_the_measures_of_simulate() -> None:
    found = replicate(resolved("brigade"), 5, 3, 2)
    for row, number in enumerate((3, 4)):
        expected = named_values(goldenhour.simulate("brigade", seed=5, replication=number).measures)
        for column, name in enumerate(found.names):
            value = expected.get(name, absent_value(name))
            assert np.array_equal(found.values[row, column], value, equal_nan=True), name


def test_names_of_measures_are_paths_and_texts_and_lists_are_left_out() -> None:
    summary = goldenhour.simulate("standard", seed=1, patients=50).measures
    found = named_values(summary)
    assert found["mortality.kia"] == summary["mortality"]["kia"]
    assert (
        found["time_to_surgery.minutes.table.mean"] == summary["time_to_surgery"]["minutes"]["table"]["mean"]
    )
    assert not any(name.startswith("by_day") or name.endswith(("sentence", "unit")) for name in found)


def test_counts_that_summaries_leave_out_are_0_and_other_measures_have_no_data() -> None:
    one = Replications(("deaths.dow.causes.tbi", "patients"), np.array([[2.0, 9.0]]))
    other = Replications(("patients", "time_to_surgery.by_triage.T1.patients"), np.array([[8.0, 3.0]]))
    joined = join_replications([one, other])
    assert joined.names == ("deaths.dow.causes.tbi", "patients", "time_to_surgery.by_triage.T1.patients")
    assert joined.values[0, :2].tolist() == [2.0, 9.0]
    assert joined.values[1].tolist() == [0.0, 8.0, 3.0]
    assert math.isnan(joined.values[0, 2])


def test_replications_do_not_depend_on_the_batches() -> None:
    scenario = resolved(days=3)
    whole = replicate(scenario, 1, 0, 7)
    parts = join_replications([replicate(scenario, 1, 0, 4), replicate(scenario, 1, 4, 3)])
    assert same(whole, parts)


def test_packed_replications_are_read_back_and_damaged_ones_refused() -> None:
    key = key_of_replications(resolved(days=3), 1, 0, 3)
    value = build_value(key.kind, key.inputs)
    packed = pack_value(key.kind, value)
    assert same(unpack_value(key.kind, packed), value)
    wrong = Replications(value.names[::-1], value.values)
    with pytest.raises(ValueError, match="not sorted"):
        unpack_value(key.kind, pack_value(key.kind, wrong))
    with pytest.raises(ValueError, match="not a cached value"):
        unpack_value(key.kind, packed[:-9])


def test_batches_are_sized_by_the_casualties_of_a_replication() -> None:
    small, large = resolved("brigade"), resolved("division", days=30)
    huge = resolve(with_overrides(parse(scenarios.builtin_bytes("standard"), "toml"), total=1_000_000))
    assert batch_size(small) == 25
    assert 1 <= batch_size(large) <= 25
    assert batch_size(huge) == 1


def test_finished_batches_come_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[ReplicationProgress] = []
    points = [Point(resolved(days=3), 1)]

    def replications(stop: int) -> Replications:
        cache = LocalCache(CacheSettings())
        return Replicator(points, cache, on_progress=reports.append).extend([(0, stop)])[0]

    without = Replicator(points, None).extend([(0, 60)])[0]  # what it needs is compiled in the usual folder
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path))
    replications(50)
    assert reports[-1] == ReplicationProgress(50, 50, 0)
    again = replications(60)
    assert reports[-1] == ReplicationProgress(60, 60, 50)
    assert same(again, without)


def test_tilts_of_shares_are_found_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'name = "tilted"\n[casualties]\ntotal = 60\n[triage.battle]\nT1 = 0.4\nT2 = 0.3\nT3 = 0.3\n'
    points = [Point(resolve(parse(text.encode(), "toml")), 1)]
    without = Replicator(points, None).extend([(0, 3)])[0]
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path))
    cache = LocalCache(CacheSettings())
    assert same(Replicator(points, cache).extend([(0, 3)])[0], without)
    (key,) = keys_of_scenario(points[0].scenario, LocalCache.KINDS)
    assert cache.get(key) is not None


def test_one_operating_table_costs_lives_and_time_in_pairs_that_meet_the_same_casualties() -> None:
    found = goldenhour.compare("brigade", changes=[ONE_TABLE], pairs=50, seed=2)
    deaths, surgery = found.differences
    assert found.labels == ("brigade", f"{TABLES}=1")
    assert (found.pairs, deaths.difference.count) == (50, 50)
    assert deaths.difference.low > 0
    assert surgery.difference.low > 10
    assert deaths.pairing_gain > 3
    assert surgery.pairing_gain > 3
    patients = [values_of(find_quantities(["patients"], one.names)[0], one) for one in found.replications]
    assert patients[0].tolist() == patients[1].tolist()
    assert "more deaths per 100 battle casualties, 95 % interval" in found.sentences[0]
    assert "minutes longer" in found.sentences[1]
    backwards = goldenhour.compare("brigade", settings=ONE_TABLE, changes=[{TABLES: 2}], pairs=50, seed=2)
    assert backwards.differences[0].difference.estimate == -deaths.difference.estimate
    assert "fewer deaths" in backwards.sentences[0]


def test_a_difference_is_the_mean_over_pairs() -> None:
    found = goldenhour.compare("brigade", changes=[ONE_TABLE], pairs=20, seed=2, measures=["dow"])
    rows = found.to_pandas().pivot_table(index="replication", columns="scenario", values="value")
    assert len(rows) == 20
    expected = (rows[f"{TABLES}=1"] - rows["brigade"]).mean()
    assert found.differences[0].difference.estimate == pytest.approx(expected, abs=1e-12)
    one = goldenhour.simulate("brigade", seed=2, replication=7).measures["mortality"]
    assert rows["brigade"][7] == pytest.approx(100 * one["dow"] / one["wia"], abs=1e-12)


def test_a_comparison_stops_when_the_intervals_are_narrow_enough() -> None:
    wide = goldenhour.compare(
        "brigade", changes=[ONE_TABLE], measures=["deaths"], half_widths={"deaths": 0.15}
    )
    narrow = goldenhour.compare(
        "brigade", changes=[ONE_TABLE], measures=["deaths"], half_widths={"deaths": 0.07}
    )
    assert wide.precise
    assert narrow.precise
    assert wide.differences[0].difference.half_width <= 0.15
    assert narrow.differences[0].difference.half_width <= 0.07
    assert narrow.pairs > wide.pairs
    capped = goldenhour.compare(
        "brigade", changes=[ONE_TABLE], measures=["deaths"], half_widths={"deaths": 0.001}, most_pairs=50
    )
    assert not capped.precise
    assert capped.pairs == 50
    assert any("the cap" in note for note in capped.notes)


def test_intervals_of_several_scenarios_hold_together() -> None:
    changes = [ONE_TABLE, {TABLES: 3}, {"facilities[R2-North].surgical_teams": 1}]
    alone = goldenhour.compare("brigade", changes=changes[:1], measures=["deaths"], pairs=50)
    together = goldenhour.compare("brigade", changes=changes, measures=["deaths"], pairs=50)
    assert together.differences[0].difference.estimate == alone.differences[0].difference.estimate
    ratio = together.differences[0].difference.half_width / alone.differences[0].difference.half_width
    assert ratio == pytest.approx(2.4772 / 2.0096, abs=0.002)  # t with 49 df at 1 - 0.05/3 and at 0.95


def test_scenarios_that_do_not_differ_in_a_measure_are_said_to_be_the_same() -> None:
    found = goldenhour.compare("brigade", changes=[ONE_TABLE], measures=["kia", "patients"], pairs=20)
    assert found.differences[1].difference.constant
    assert "the same patients in all 20 pairs" in found.sentences[1]


def test_a_measure_without_data_in_some_replications_is_counted() -> None:
    found = goldenhour.compare(
        "coin", changes=[{"triage_accuracy": 1.0}], days=1, pairs=60, measures=["surgery"]
    )
    interval = found.differences[0].difference
    assert interval.missing > 0
    assert interval.count + interval.missing == 60
    assert f"{interval.missing} more without data" in found.sentences[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("brigade",), "--vs PATH=VALUE"),
        (("brigade", "brigade"), "are the same scenario: what differs changes nothing"),
        (("brigade", "--vs", "days=30"), "are the same scenario"),
        (("brigade", "coin", "--vs", "days=3"), "--vs changes one scenario"),
        (("brigade", "--vs", ";"), "allowed: PATH=VALUE"),
        (("brigade", "--vs", "facilities[R2-North].surgical_team=1"), "did you mean 'surgical_teams'?"),
        (("brigade", "coin", "--half-width", "deaths"), "allowed: NAME=NUMBER"),
        (("brigade", "coin", "--half-width", "deaths=inf"), "a finite number above 0"),
        (("brigade", "coin", "--half-width", "death=0.1"), "did you mean 'deaths'?"),
        (("brigade", "coin", "--half-width", "kia=0.1"), "allowed: what is compared, deaths, surgery"),
        (("brigade", "coin", "--half-width", "deaths=0.1", "--pairs", "50"), "exclude each other"),
        (("brigade", "coin", "--pairs", "60", "--most", "50"), "pairs and most_pairs exclude each other"),
        (("brigade", "coin", "--confidence", "95"), "did you mean 0.95?"),
        (("brigade", "coin", "division", "--confidence", "95"), "did you mean 0.95?"),
    ],
)
def test_bad_input_ends_with_exit_code_2_before_anything_is_simulated(
    arguments: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def simulated(*_: object) -> None:
        raise AssertionError("something is simulated")

    monkeypatch.setattr(Replicator, "stream", simulated)
    assert run(["compare", *arguments, "--workers", "0"]) == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert message in printed
    assert "Traceback" not in printed


def test_a_misspelt_measure_is_found_before_the_second_scenario_is_simulated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulated: list[int] = []
    stream = Replicator.stream

    def watched(self: Replicator, requests: Sequence[Request]) -> Iterator[FinishedBatch]:
        simulated.extend(request.point for request in requests)
        yield from stream(self, requests)

    monkeypatch.setattr(Replicator, "stream", watched)
    with pytest.raises(InputError, match=r"did you mean 'mortality\.kia'"):
        goldenhour.compare("coin", changes=ACCURATE, days=2, measures=["mortality.kai"], pairs=60)
    with pytest.raises(InputError, match="did you mean 'deaths'"):
        goldenhour.sensitivity("coin", measures="deths", days=2, replications=60)
    with pytest.raises(InputError, match="did you mean 'deaths'"):
        goldenhour.replicate("coin", 60, days=2, measures="deths")
    assert set(simulated) == {0}


ACCURATE = {"triage_accuracy": 1.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"changes": [3]}, "changes: got .*allowed: a mapping from paths to values, or a list"),
        ({"changes": 3}, "changes: got 3"),
        ({"changes": ACCURATE, "measures": {"deaths": 1}}, "measures: got .*a list of names"),
        ({"changes": ACCURATE, "measures": []}, "measures: got"),
        ({"changes": ACCURATE, "half_widths": 0.2}, "half_widths: got 0.2"),
        ({"changes": ACCURATE, "half_widths": {"deaths": math.inf}}, "half_widths: got inf for 'deaths'"),
        ({"changes": ACCURATE, "half_widths": {"deaths": "1"}}, "half_widths: got '1' for 'deaths'"),
        ({"changes": ACCURATE, "pairs": 60, "most_pairs": 60}, "pairs and most_pairs exclude"),
        ({"changes": ACCURATE, "confidence": 95}, "did you mean 0.95"),
    ],
)
def test_arguments_of_another_kind_are_refused_by_name(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        goldenhour.compare("coin", **arguments)


def test_a_single_change_and_a_single_measure_need_no_list() -> None:
    found = goldenhour.compare("coin", changes=ACCURATE, measures="patients", days=2, pairs=4)
    assert found.labels == ("coin", "triage_accuracy=1.0")
    assert [one.name for one in found.quantities] == ["patients"]


def test_the_baseline_is_named_by_its_settings_where_it_is_compared_with_changes_of_them() -> None:
    found = goldenhour.compare(
        "coin", settings={"triage_accuracy": 0.6}, changes=ACCURATE, measures="patients", days=2, pairs=4
    )
    assert found.labels == ("triage_accuracy=0.6", "triage_accuracy=1.0")
    assert "triage_accuracy=1.0 instead of triage_accuracy=0.6:" in repr(found)
    several = goldenhour.compare(
        "coin", "brigade", settings={"triage_accuracy": 0.6}, measures="patients", days=2, pairs=4
    )
    assert several.labels == ("coin", "brigade")


def test_notes_are_shown_where_the_answer_is() -> None:
    """All pairs have the same number of patients, which a fixed number of pairs must say too."""
    found = goldenhour.compare("coin", changes=ACCURATE, measures="patients", days=2, pairs=4)
    (note,) = found.notes
    assert "all 4 values are equal" in note and "patients of triage_accuracy=1.0" in note
    assert repr(found).splitlines() == [*found.sentences, f"note: {note}"]
    assert html.escape(f"note: {note}") in found._repr_html_()


def test_estimates_of_a_comparison_are_those_of_its_differences() -> None:
    for arguments in ({"pairs": 30}, {"most_pairs": 50}):
        found = goldenhour.compare("coin", changes=ACCURATE, measures=["deaths"], days=5, **arguments)
        base, other = found.estimates
        assert (base.point, other.point, base.difference) == (0, 1, None)
        assert other.difference == found.differences[0].difference
        assert other.mean == found.differences[0].mean


def test_the_same_median_time_is_said_with_one_article() -> None:
    same = Replications(("minutes_from_injury.surgery.median",), np.array([[60.0], [61.0], [62.0]]))
    (difference,) = compare_replications([same, same], [QUANTITIES["surgery"]])
    sentence = difference_sentence(difference, "A", "B", 30, 0.95)
    assert sentence == "B instead of A: the same median time from injury to surgery in all 3 pairs."


def test_numbers_of_any_size_have_three_digits() -> None:
    quantity = find_quantities(["x"], ["x"])[0]
    assert [fitted(quantity, [size, math.nan, 0.0]).decimals for size in (270.0, 0.5, 0.05, 1.2e-5)] == [
        *(2, 2, 4, 7)
    ]
    assert fitted(QUANTITIES["deaths"], [1e-5]).decimals == 2
    small = {"scenario": "coin", "days": 2, "replications": {"count": 5}, "points": [{"label": "a"}]}
    results = {"measures": ["patients"], "formulas": {"tiny": "patients / 10 ** 7"}}
    found = goldenhour.experiment({**small, "results": results})
    mean = found.estimate("tiny").mean.estimate
    assert 0 < mean < 1e-4
    shown = re.search(r"Tiny: ([0-9.]+)", found.sentences[1])
    assert shown is not None and float(shown[1]) == pytest.approx(mean, rel=0.01)


def test_the_command_prints_sentences_a_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["compare", "brigade", "--vs", f"{TABLES}=1", "--pairs", "30", "--seed", "4", "--workers", "0"]
    assert run(asked) == 0
    printed = capsys.readouterr().out
    assert "R2-North.operating_tables=1 instead of brigade:" in printed
    assert "pairing gain" in printed
    assert "30 pairs, seed 4" in printed
    assert run([*asked, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["quantity"] for row in document["differences"]] == ["deaths", "surgery"]
    expected = goldenhour.compare("brigade", changes=[ONE_TABLE], pairs=30, seed=4)
    for row, each in zip(document["differences"], expected.differences, strict=True):
        assert row["difference"]["estimate"] == each.difference.estimate
        assert row["difference"]["low"] == each.difference.low


def test_quantities_are_what_their_words_say() -> None:
    measures = goldenhour.simulate("brigade", seed=1).measures
    found = replicate(resolved("brigade"), 1, 0, 1)
    mortality, outcomes = measures["mortality"], measures["outcomes"]
    battle = mortality["battle_casualties"]
    expected = {
        "deaths": 100 * (mortality["kia"] + mortality["dow"]) / battle,
        "kia": 100 * mortality["kia"] / battle,
        "dow": 100 * mortality["dow"] / mortality["wia"],
        "surgery": measures["minutes_from_injury"]["surgery"]["median"],
        "surgery_in_time": measures["minutes_from_injury"]["surgery"]["percent_within_120"],
        "all_deaths": outcomes["kia"] + outcomes["dow"] + outcomes["died_nonbattle"],
    }
    assert set(expected) == set(QUANTITIES)
    for name, value in expected.items():
        assert values_of(QUANTITIES[name], found)[0] == pytest.approx(value, abs=1e-9), name


def test_replicate_estimates_means_and_quantiles() -> None:
    found = goldenhour.replicate("coin", 40, days=3)
    values = found.values("patients")
    assert (len(found), len(values)) == (40, 40)
    assert found.estimate("patients").estimate == pytest.approx(values.mean())
    assert found.quantile("patients", 0.5).estimate == pytest.approx(np.median(values))
    assert found.to_arrow().column("patients").to_pylist() == values.tolist()
    later = goldenhour.replicate("coin", 10, first=30, days=3)
    assert later.values("patients").tolist() == values[30:].tolist()
    assert [one.measure for one in found.estimates] == ["deaths", "surgery"]
    assert found.estimates[0].mean == found.estimate("deaths")
    assert repr(found).startswith("<40 replications of 'coin', seed 1>\nDeaths per 100 battle casualties: ")
    some = goldenhour.replicate("coin", replications=10, days=3, measures=["patients", "deaths"])
    assert [one.measure for one in some.estimates] == ["patients", "deaths"]
    assert some.to_arrow().column_names == ["replication", "patients", "deaths"]
    assert np.array_equal(some.to_pandas()["deaths"], some.values("deaths"), equal_nan=True)
    shown = some._repr_html_()
    assert "10 replications of" in shown and f"{some.estimate('patients').estimate:,.2f}" in shown
    with pytest.raises(InputError, match="did you mean 'patients'"):
        found.estimate("pateints")
    with pytest.raises(InputError, match="whole numbers from 1"):
        goldenhour.replicate("coin", 0)

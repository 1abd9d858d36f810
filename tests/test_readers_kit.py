"""Records as text for readers, and the stratified sample of them."""

import csv
import re
import sys
from pathlib import Path

import pytest

import goldenhour
from bench import readers
from bench.clinical.builtins import builtin, in_detail, pool, sized
from bench.clinical.text import record_text


@pytest.fixture(scope="module")
def records() -> list[str]:
    result = goldenhour.simulate("coin", seed=2, patients=300)
    return [record_text(record) for record in result.records()]


def test_a_record_tells_all_wounds_treatments_and_signs() -> None:
    result = goldenhour.simulate("coin", seed=2, patients=60)
    for record in result.records():
        text = record_text(record)
        assert all(f"{wound.code} {wound.display}" in text for wound in record.injury.wounds)
        assert text.count("        signs (") == len(record.vitals)
        for treatment in record.treatments:
            assert f"    {treatment.treatment.replace('_', ' ')}" in text
        assert text.rstrip().splitlines()[-1].startswith(f"outcome: {record.outcome.status.upper()}")
        assert record.injury.diagnosis.display in text


def minutes(clock: str) -> int:
    days, hours, rest = re.fullmatch(r"\+(?:(\d+)d )?(\d+):(\d\d)", clock).groups()  # type: ignore[union-attr]
    return int(days or 0) * 1440 + int(hours) * 60 + int(rest)


def test_the_lines_of_a_record_are_in_the_order_of_time(records: list[str]) -> None:
    for text in records:
        course = re.findall(r"^ *(\+(?:\d+d )?\d+:\d\d)  ", text, re.MULTILINE)
        times = [minutes(clock) for clock in course]
        assert len(times) >= 2
        assert times == sorted(times)


def test_the_sample_takes_the_strata_in_turn() -> None:
    chunk = readers.simulated(builtin("coin", 400), 400, 1)
    rows = readers.draw(chunk, 40, 1)
    names = readers.strata(chunk)
    assert len(rows) == len(set(rows)) == 40
    assert {names[row] for row in rows} == set(names), "a stratum is missing"
    drawn = [[names[row] for row in rows].count(each) for each in set(names)]
    left = [names.count(each) for each in set(names)]
    assert all(
        count in (size, *range(max(drawn) - 1, max(drawn) + 1))
        for count, size in zip(drawn, left, strict=True)
    )
    assert rows == readers.draw(chunk, 40, 1) != readers.draw(chunk, 40, 2)


def test_a_scenario_with_finite_care_keeps_its_own_number_and_is_repeated() -> None:
    assert sized("warship_hit", 50) == in_detail(builtin("warship_hit"))
    assert sized("coin", 50) == in_detail(builtin("coin", 50))
    few = sized("coin", 50)
    chunks = list(pool(few, 120, 1))
    assert [first for first, _ in chunks] == [0, 50, 100]
    assert len({tuple(chunk.patients["time"].tolist()) for _, chunk in chunks}) == 3


def test_the_command_writes_records_checklist_and_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["readers", "--number", "5", "--scenario", "coin", "--scenario", "cbrn", "-o", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setattr(readers, "POOL", 300)
    assert readers.main() == 0
    with (tmp_path / "weights.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["scenario"] for row in rows] == ["coin"] * 3 + ["cbrn"] * 2
    assert all(0 < float(row["weight"]) <= 1 for row in rows)
    text = (tmp_path / "records.txt").read_text()
    assert re.findall(r"=+ record (\d+) =+", text) == [str(k) for k in range(1, 6)]
    assert len(re.findall(r"^\d+\. ", (tmp_path / "checklist.md").read_text(), re.MULTILINE)) >= 20

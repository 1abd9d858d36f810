"""The files of the catalogue: how a cell is read, and what an error says."""

import subprocess
import sys

import pytest

from scenarios import catalogue
from scenarios.catalogue import CatalogueError, Cause, Condition
from scenarios.catalogue.diagnoses import CONDITION_FILES, check_condition
from scenarios.catalogue.tables import parse_rows

HEADER = (
    "code,display,regions,ais_low,ais_high,mechanisms,weight,needs,opens,burn_share,return_days,source,tag\n"
)
ROW = 'S41.101A,"Wound, initial encounter",upper_limb,1,2,explosion|gunshot,1.5,{},icd-10-cm,judgement\n'


def read(cells: str = ",,,", header: str = HEADER) -> Condition:
    """The condition of the second of two rows of a file; the cells are those of `needs` to `return_days`."""
    text = header + ROW.format(",,,") + ROW.format(cells)
    rows = parse_rows("wounds.csv", text, Condition, use="wound")
    line, condition = rows[1]
    check_condition("wounds.csv", line, condition)
    return condition


def test_a_row_becomes_a_condition() -> None:
    condition = read("antibiotics|tetanus_prophylaxis,skin,1.5-9,no")
    assert condition.display == "Wound, initial encounter"
    assert condition.mechanisms == ("explosion", "gunshot")
    assert (condition.ais_low, condition.ais_high, condition.weight) == (1, 2, 1.5)
    assert condition.needs == ("antibiotics", "tetanus_prophylaxis")
    assert (condition.opens, condition.burn_share, condition.return_days) == ("skin", (1.5, 9.0), "no")
    assert read(",,,14").return_days == 14.0
    assert read().needs == () and read().burn_share is None and read().return_days is None


def test_a_table_of_weights_stands_in_one_cell() -> None:
    text = (
        "code,display,use,mechanism,types,source,tag\nY36,War,wound,gunshot,standard=2|urban=.5,a,judgement\n"
    )
    ((line, cause),) = parse_rows("causes.csv", text, Cause)
    assert line == 2 and cause.types == {"standard": 2.0, "urban": 0.5}


@pytest.mark.parametrize(
    ("cells", "column", "value", "near"),
    [
        ("antibiotic|splint,,,", "needs", "antibiotic", "antibiotics"),
        ("splint|splint,,,", "needs", "splint|splint", None),
        ("splint|,,,", "needs", "", None),
        (",globes,,", "opens", "globes", "globe"),
        (",,12,", "burn_share", "12", None),
        (",,30-10,", "burn_share", "30-10", None),
        (",,,never", "return_days", "never", None),
        (",,,-3", "return_days", "-3", None),
    ],
)
def test_a_broken_cell_is_named_by_file_line_and_column(
    cells: str, column: str, value: str, near: str | None
) -> None:
    with pytest.raises(CatalogueError) as caught:
        read(cells)
    error = caught.value
    assert (error.file, error.line, error.column, error.value, error.near) == (
        "wounds.csv", 3, column, value, near,
    )  # fmt: skip
    assert str(error).startswith(f"wounds.csv, line 3, column {column}: got {value!r}; allowed: ")
    assert near is None or f"did you mean {near!r}?" in str(error)


@pytest.mark.parametrize(
    ("old", "new", "column", "line"),
    [
        ("regions", "region", "region", 1),
        ("opens", "needs", "needs", 1),
        (",source", ",use", "use", 1),
        ("weight", "stay_days", "weight", 1),
        ("S41.101A", "", "code", 2),
        ("upper_limb", "", "regions", 3),
        ("upper_limb", "upper limb", "regions", 2),
        ("explosion|gunshot", "", "mechanisms", 3),
        (",1,2,", ",3,2,", "ais_low", 3),
        (",1,2,", ",1,2.5,", "ais_high", 2),
        ("1.5", "many", "weight", 2),
        ("Wound, initial", "Wound,  initial", "display", 2),
        ("icd-10-cm", "icd-10", "source", 3),
        ("judgement", "judgment", "tag", 2),
        (",judgement", "", "", 2),
    ],
)
def test_a_broken_file_is_named_by_file_line_and_column(old: str, new: str, column: str, line: int) -> None:
    text = HEADER + ROW.format(",,,") * 2
    with pytest.raises(CatalogueError) as caught:
        for line_of_row, condition in parse_rows(
            "wounds.csv", text.replace(old, new), Condition, use="wound"
        ):
            if line_of_row == 3:
                check_condition("wounds.csv", line_of_row, condition)
    assert (caught.value.file, caught.value.line, caught.value.column) == ("wounds.csv", line, column)


def test_a_line_number_is_that_of_the_file_also_after_a_cell_of_two_lines() -> None:
    text = HEADER + ROW.format(",,,").replace("Wound, initial", "Wound,\ninitial")
    with pytest.raises(CatalogueError, match="line 2, column display"):
        parse_rows("wounds.csv", text, Condition, use="wound")
    text = HEADER + ",,,,,,,,,,,,\n" + ROW.format(",,,")
    assert [line for line, _ in parse_rows("wounds.csv", text, Condition, use="wound")] == [3]


def test_every_file_has_conditions_and_every_row_a_source() -> None:
    uses = {condition.use for condition in catalogue.conditions()}
    assert {use for use in CONDITION_FILES.values() if use} | {"complication", "factor"} == uses
    named = {source for row in catalogue.conditions() for source in row.source.split("|")}
    assert named <= set(catalogue.sources())


def test_the_files_can_be_checked_by_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scenarios.catalogue"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_exclusion_names_a_group_and_one_of_its_parts() -> None:
    header, row = HEADER.replace("needs", "excludes"), ROW
    for cell, near in (
        ("glob", "globe"),
        ("globe:left", None),
        ("consciousness", None),
        ("consciousness:shot", "short"),
    ):
        ((line, condition),) = parse_rows(
            "wounds.csv", header + row.format(f"{cell},,,"), Condition, use="wound"
        )
        with pytest.raises(CatalogueError) as caught:
            check_condition("wounds.csv", line, condition)
        assert (caught.value.column, caught.value.value, caught.value.near) == ("excludes", cell, near)

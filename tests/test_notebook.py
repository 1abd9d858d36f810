"""What a notebook shows and does with results: completion, HTML, equality, and frames with types."""

import pickle
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import goldenhour
from engine.codes import Event
from engine.records import FLAT_COLUMNS
from goldenhour import Result

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def result() -> Result:
    return goldenhour.simulate("brigade", seed=1, patients=300)


def test_completion_shows_the_api_before_anything_is_imported() -> None:
    script = "import sys, goldenhour; print(dir(goldenhour), 'numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == f"{sorted(goldenhour.__all__)} False"
    assert all(hasattr(goldenhour, name) for name in goldenhour.__all__)


def test_results_of_the_same_run_are_equal(result: Result) -> None:
    again = goldenhour.simulate("brigade", seed=1, patients=300)
    assert again == result and hash(again) == hash(result)
    assert pickle.loads(pickle.dumps(result)) == result
    assert len({result, again}) == 1


@pytest.mark.parametrize(
    "changes", [{"seed": 2}, {"replication": 1}, {"settings": {"facilities[R2-North].surgical_teams": 1}}]
)
def test_results_of_other_runs_are_not_equal(result: Result, changes: dict[str, object]) -> None:
    other = goldenhour.simulate("brigade", **{"seed": 1, "patients": 300, **changes})  # type: ignore[arg-type]
    assert other != result and hash(other) != hash(result)
    assert result != "brigade"


def test_one_changed_row_makes_results_unequal(result: Result) -> None:
    other = pickle.loads(pickle.dumps(result))
    other.events["at"][-1] += 1
    assert other != result


def test_a_notebook_shows_a_table_of_outcomes(result: Result) -> None:
    found: list[str] = []
    parser = HTMLParser()
    parser.handle_data = found.append  # type: ignore[method-assign]
    parser.feed(result._repr_html_())
    assert found[0].startswith("300 patients of 'brigade', seed 1")
    heads = found.index("casualties")
    assert found[heads + 1 : heads + 5] == ["all", "T1", "T2", "T3"]
    total = found.index("all", heads + 5)
    assert found[total + 1] == "300"
    assert sum(int(text) for text in found[total + 5 : -1]) == 300  # every patient has one outcome
    assert "%DOW" in found[-1]


def test_names_in_html_are_text() -> None:
    shown = goldenhour.simulate("standard", patients=20, settings={"name": "<b>x & y"})._repr_html_()
    assert "<b>x" not in shown and "&lt;b&gt;x &amp; y" in shown


@pytest.mark.parametrize("table", ["patients", "events", "treatments", "wounds", "vitals"])
def test_frames_have_the_documented_columns_and_types(result: Result, table: str) -> None:
    frame = result.to_pandas(table)
    columns = FLAT_COLUMNS[table]
    assert list(frame.columns) == [column.name for column in columns]
    for column in columns:
        kind = str(frame[column.name].dtype)
        if column.codes:
            assert kind == "category", column.name
        elif column.kind in ("time", "date"):
            assert kind.startswith("datetime64"), column.name
        elif column.kind == "integer":
            assert kind == ("Int32" if column.nullable else "int32"), column.name


def test_a_missing_integer_is_na_and_the_others_stay_integers(result: Result) -> None:
    wound = result.to_pandas("treatments")["wound"]
    assert wound.isna().any() and wound.notna().any()
    assert wound.dropna().astype(int).tolist() == [
        code for code in result.treatments["wound"].tolist() if code != 255
    ]
    events = result.to_pandas("events")
    assert (events["role"].isna() == events["facility"].isin(["POI", "en route"])).all()


def test_a_birth_date_can_be_computed_with(result: Result) -> None:
    patients = result.to_pandas()
    days = (patients["injured_at"].dt.tz_localize(None) - patients["birth_date"]).dt.days
    assert (days // 365.25).between(patients["age"] - 1, patients["age"] + 1).all()
    assert isinstance(patients["birth_date"].max(), pd.Timestamp)


def test_the_codes_have_the_documented_names_too(result: Result) -> None:
    labels = result.to_pandas("events")["event"]
    injured = result.events["event"] == Event.INJURED
    assert np.array_equal(injured, labels == "injured") and injured.any()
    named = result.to_pandas("treatments")["treatment"].cat.codes
    assert len(np.unique(result.treatments["treatment"])) == named.nunique()


def test_the_readme_says_what_frames_need() -> None:
    text = (ROOT / "README.md").read_text()
    assert re.search(r"to_pandas.*pip install pandas", text)

"""Readers with their defaults see the types of the schema: a column's type never depends on its values.

A CSV file holds no types, and these remain unknown: columns without any value, integers with gaps in pandas (it has no
other default than floats), and service numbers, which are texts of digits. For R, `readr_type` repeats the rules by
which readr guesses.
"""

import io
import json
import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import msgspec
import numpy as np
import pandas
import polars
import pyarrow.parquet
import pytest
import synthetic

from engine import codes
from engine.measures.whole_run import RUN_COLUMNS
from engine.records import FLAT_COLUMNS, FORMATS, Column, encode_chunks
from goldenhour.__main__ import run as command
from scenarios import catalogue

SCHEMAS = FLAT_COLUMNS | RUN_COLUMNS
RUNS = [
    ("standard", 1, 1), ("standard", 2, 3), ("cbrn", 3, 2), ("peacekeeping", 4, 40), ("brigade", 1, 300),
    ("falklands", 5, 150),
]  # fmt: skip
"""Scenario, seed and patients."""
POLARS_SAMPLE = 100
"""Rows from which polars guesses types."""
PANDAS = {
    "text": "str",
    "integer": "int64",
    "number": "float64",
    "truth": "bool",
    "time": "str",
    "date": "str",
}
POLARS = {
    "text": polars.String,
    "integer": polars.Int64,
    "number": polars.Float64,
    "truth": polars.Boolean,
    "time": polars.String,
    "date": polars.String,
}
POLARS_WITH_DATES = POLARS | {"time": polars.Datetime("us", "UTC"), "date": polars.Date}
DUCKDB = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "truth": "BOOLEAN",
    "time": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
}
READR = {
    "text": "character",
    "integer": "double",
    "number": "double",
    "truth": "logical",
    "time": "datetime",
    "date": "date",
}


@cache
def files(scenario: str, seed: int, patients: int) -> dict[str, bytes]:
    """The files of a run by name."""
    with TemporaryDirectory() as folder:
        output = Path(folder, "out")
        options = [
            "--seed",
            str(seed),
            "--patients",
            str(patients),
            "--format",
            ",".join(FORMATS),
        ]
        code = command(
            ["run", scenario, *options, "--workers", "0", "--quiet", "--no-store", "-o", str(output)]
        )
        assert code == 0
        return {path.name.replace("-00000", ""): path.read_bytes() for path in output.iterdir()}


def kind_of(column: Column) -> str:
    """The kind that a reader sees: service numbers are texts of digits without a zero in front."""
    return "integer" if column.name == "service_number" else column.kind


def values_of(run: dict[str, bytes], table: str) -> dict[str, list[Any]]:
    """The values of a table by column, None for null, from its Parquet file."""
    found: dict[str, list[Any]] = pyarrow.parquet.read_table(io.BytesIO(run[f"{table}.parquet"])).to_pydict()
    return found


every_table = pytest.mark.parametrize("table", SCHEMAS)
every_run = pytest.mark.parametrize("scenario", RUNS, ids=lambda run: f"{run[0]}-{run[2]}")


@every_run
@every_table
def test_pandas_sees_the_types_of_the_schema(scenario: tuple[str, int, int], table: str) -> None:
    run = files(*scenario)
    frame, values = pandas.read_csv(io.BytesIO(run[f"{table}.csv"])), values_of(run, table)
    for column in SCHEMAS[table]:
        given = [value for value in values[column.name] if value is not None]
        if not given:
            continue
        gaps = len(given) < len(values[column.name])
        kind = "number" if gaps and kind_of(column) == "integer" else kind_of(column)
        assert str(frame[column.name].dtype) == PANDAS[kind], column.name
        assert int(frame[column.name].notna().sum()) == len(given), column.name


@every_run
@every_table
@pytest.mark.parametrize("dates", [False, True])
def test_polars_sees_the_types_of_the_schema(scenario: tuple[str, int, int], table: str, dates: bool) -> None:
    run = files(*scenario)
    frame = polars.read_csv(run[f"{table}.csv"], try_parse_dates=dates)
    values = values_of(run, table)
    for column in SCHEMAS[table]:
        if any(value is not None for value in values[column.name][:POLARS_SAMPLE]):
            expected = (POLARS_WITH_DATES if dates else POLARS)[kind_of(column)]
            assert frame.schema[column.name] == expected, column.name
            assert frame[column.name].null_count() == values[column.name].count(None), column.name


@every_run
@every_table
def test_polars_reads_what_the_parquet_file_holds(scenario: tuple[str, int, int], table: str) -> None:
    run = files(*scenario)
    schema = {column.name: POLARS[column.kind] for column in SCHEMAS[table]}
    frame, values = polars.read_csv(run[f"{table}.csv"], schema=schema), values_of(run, table)
    for column in SCHEMAS[table]:
        if column.kind not in ("time", "date"):
            assert frame[column.name].to_list() == values[column.name], column.name


@every_run
def test_duckdb_sees_the_types_of_the_schema(scenario: tuple[str, int, int], tmp_path: Path) -> None:
    run = files(*scenario)
    for table, columns in SCHEMAS.items():
        path, values = tmp_path / f"{table}.csv", values_of(run, table)
        path.write_bytes(run[f"{table}.csv"])
        found = dict(duckdb.sql(f"select column_name, column_type from (describe from '{path}')").fetchall())
        for column in columns:
            if any(value is not None for value in values[column.name]):
                assert found[column.name] == DUCKDB[kind_of(column)], column.name


def readr_type(cells: list[str]) -> str:
    """The type that R's readr guesses for these cells: the first that fits all of them, of which "" and NA are null."""
    patterns = {
        "logical": r"T|F|TRUE|FALSE|true|false|True|False",
        "double": r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(Inf|inf|NaN|nan)",
        "date": r"\d{4}-\d{2}-\d{2}",
        "datetime": r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z?",
    }
    given = [cell for cell in cells if cell not in ("", "NA")]
    fitting = (name for name, rule in patterns.items() if all(re.fullmatch(rule, cell) for cell in given))
    return next(fitting, "character")


@every_run
@every_table
def test_readr_guesses_the_types_of_the_schema(scenario: tuple[str, int, int], table: str) -> None:
    run = files(*scenario)
    frame, values = polars.read_csv(run[f"{table}.csv"], infer_schema=False), values_of(run, table)
    for column in SCHEMAS[table]:
        if any(value is not None for value in values[column.name]):
            cells = frame[column.name].fill_null("").to_list()
            assert readr_type(cells) == READR[kind_of(column)], column.name


@every_run
@pytest.mark.parametrize("table", RUN_COLUMNS)
def test_json_and_msgpack_spell_the_tables_of_the_run_by_their_schema(
    scenario: tuple[str, int, int], table: str
) -> None:
    run = files(*scenario)
    types = {"text": str, "integer": int, "number": float, "time": str}
    unpacker, rows = msgspec.msgpack.Decoder(), []
    lines = run[f"{table}.jsonl"].splitlines()
    rows = [*map(json.loads, lines), *json.loads(run[f"{table}.json"])]
    rows += unpacked(run[f"{table}.msgpack"], unpacker, len(lines))
    assert len(rows) == 3 * len(lines)
    for row in rows:
        for column in SCHEMAS[table]:
            value = row[column.name]
            assert type(value) is types[column.kind] or (value is None and column.nullable), (
                row,
                column.name,
            )


@every_run
def test_json_and_msgpack_spell_the_records_by_their_schema(scenario: tuple[str, int, int]) -> None:
    run = files(*scenario)
    lines = run["patients.jsonl"].splitlines()
    records = [*map(json.loads, lines), *json.loads(run["patients.json"])]
    for record in records:
        assert {type(vital["health_score"]) for vital in record["vitals"]} <= {float}
        assert {wound["side"] for wound in record["injury"]["wounds"]} <= {None, "left", "right"}
        assert "" not in texts_of(record)


def small_tables(scores: list[int], incidents: list[int]) -> dict[str, bytes]:
    """CSV files of patients with these health scores, in tenths, and incidents."""
    chunk = synthetic.chunk(len(incidents), vitals=2)
    chunk.patients["incident"] = incidents
    chunk.vitals["score"] = np.resize(scores, len(chunk.vitals))
    return {
        found.table: bytes(found.data) for found in encode_chunks([chunk], synthetic.code_tables(), "csv")
    }


@pytest.mark.parametrize("whole", [0, 1, 300])
def test_scores_are_floats_however_many_of_them_are_whole(whole: int) -> None:
    """Readers guess the type from the first rows: a fraction must not come as a surprise."""
    files = small_tables([20] * whole + [197], [1] * 400)
    assert polars.read_csv(files["vitals"]).schema["health_score"] == polars.Float64
    cells = polars.read_csv(files["vitals"], infer_schema=False)["health_score"]
    assert set(cells) == ({"2.0", "19.7"} if whole else {"19.7"})


@pytest.mark.parametrize("incident", [0x1234567890123456, 0x12345678901E2345, 0, 0xDEADBEEF])
def test_the_id_of_an_incident_is_a_text_also_where_its_digits_look_like_a_number(incident: int) -> None:
    patients = small_tables([1], [incident] * 3)["patients"]
    assert polars.read_csv(patients).schema["incident"] == polars.String
    assert str(pandas.read_csv(io.BytesIO(patients))["incident"].dtype) == "str"


def unpacked(data: bytes, decoder: Any, count: int) -> list[Any]:
    """The objects of a MessagePack stream."""
    whole = b"\xdd" + count.to_bytes(4, "big") + data  # as one array
    found: list[Any] = decoder.decode(whole)
    return found


def texts_of(value: Any) -> set[str]:
    """All texts of a record."""
    if isinstance(value, dict):
        return set().union(*map(texts_of, value.values()))
    if isinstance(value, list):
        return set().union(*map(texts_of, value))
    return {value} if isinstance(value, str) else set()


def test_no_text_of_the_code_tables_looks_like_a_number_a_truth_value_or_null() -> None:
    """In a small file such a text could be the only one of its column."""
    words = {text for labels in vars(codes).values() if isinstance(labels, tuple) for text in labels}
    words = {word for word in words if isinstance(word, str) and word}
    for nation in catalogue.nations():
        names = catalogue.names(nation.code)
        words |= {
            nation.code,
            *names.male_given,
            *names.female_given,
            *names.male_family,
            *names.female_family,
        }
        words |= {text for rank in nation.ranks for text in (rank.name, rank.nato_code)}
    words |= {group.name for group in catalogue.blood_groups()}
    words |= {entry.code for entry in (*catalogue.conditions(), *catalogue.external_causes())}
    assert len(words) > 10_000
    frame = pandas.read_csv(io.StringIO("word\n" + "\n".join(f'"{word}"' for word in sorted(words))))
    assert frame["word"].notna().all()
    assert {readr_type([word]) for word in words} == {"character"}

"""Formats: every file read back equals the columns, for each compression and any division into chunks."""

import ast
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import synthetic
import zstandard

from engine.measures import RUN_COLUMNS, table_rows
from engine.records import (
    COMPRESSIONS,
    FORMATS,
    RUN_TABLES,
    CodeTables,
    Patient,
    RunTable,
    arrow,
    build_patients,
    encode_chunks,
    encode_run_table,
    flat,
)
from engine.records.formats import FLAT_TABLES
from engine.tables.columns import PARQUET_PART, PART, TABLES, Chunk, join_chunks

STREAMED = [name for name, info in FORMATS.items() if info.unit == "chunk"]


@pytest.fixture(scope="module")
def code_tables() -> CodeTables:
    return synthetic.code_tables()


@pytest.fixture(scope="module")
def run() -> Chunk:
    return synthetic.chunk(1000, seed=3)


def files(
    chunks: Sequence[Chunk], code_tables: CodeTables, fmt: str, compress: str = "none"
) -> dict[str, bytes]:
    """The run's files, by table; frames are appended as by the writer."""
    out = dict.fromkeys(FORMATS[fmt].tables, b"")
    calls = [chunks] if FORMATS[fmt].unit == "part" else [[chunk] for chunk in chunks]
    for call in calls:
        for frame in encode_chunks(call, code_tables, fmt, compress):
            out[frame.table] += bytes(frame.data)
    return out


def uncompressed(data: bytes, compress: str) -> bytes:
    if compress == "gzip":
        return gzip.decompress(data)
    if compress == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read()
    return data


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_jsonl_read_back_is_the_records(run: Chunk, code_tables: CodeTables, compress: str) -> None:
    data = files(synthetic.split(run, 300), code_tables, "jsonl", compress)["patients"]
    lines = uncompressed(data, compress).splitlines()
    assert [msgspec.json.decode(line, type=Patient) for line in lines] == build_patients(run, code_tables)


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_json_read_back_is_the_records(run: Chunk, code_tables: CodeTables, compress: str) -> None:
    data = files(synthetic.split(run, 300), code_tables, "json", compress)["patients"]
    text = uncompressed(data, compress)
    assert msgspec.json.decode(text, type=list[Patient]) == build_patients(run, code_tables)
    assert len(json.loads(text)) == len(run)


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_msgpack_read_back_is_the_records(run: Chunk, code_tables: CodeTables, compress: str) -> None:
    data = uncompressed(
        files(synthetic.split(run, 300), code_tables, "msgpack", compress)["patients"], compress
    )
    sizes = [
        len(files([alone], code_tables, "msgpack")["patients"]) for alone in synthetic.split(run, 1)
    ]  # msgspec writes the wider headers of full records, which have more fields
    decoder, at = msgspec.msgpack.Decoder(Patient), 0
    for patient, size in zip(build_patients(run, code_tables), sizes, strict=True):
        assert decoder.decode(data[at : at + size]) == patient
        at += size
    assert at == len(data)


def column_values(values: Any) -> list[Any]:
    """NumPy columns as Python values, None for null."""
    if values.dtype.kind == "M":
        return [None if np.isnat(value) else str(value) for value in values]
    if values.dtype.kind == "f":
        return [None if np.isnan(value) else value for value in values.tolist()]
    return [None if value is None or value == -1 else value for value in values.tolist()]


def expected(run: Chunk, code_tables: CodeTables, table: str) -> dict[str, list[Any]]:
    return {
        name: column_values(values) for name, values in flat.decode_columns(run, code_tables)[table].items()
    }


def read_values(table: pa.Table) -> dict[str, list[Any]]:
    """Arrow columns as Python values, times as texts to the second."""

    def text(value: Any) -> Any:
        return value.isoformat().removesuffix("+00:00") if hasattr(value, "isoformat") else value

    return {name: [text(value) for value in table[name].to_pylist()] for name in table.column_names}


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_parquet_read_back_is_the_columns(run: Chunk, code_tables: CodeTables, compress: str) -> None:
    written = files(synthetic.split(run, 300), code_tables, "parquet", compress)
    for table, data in written.items():
        read = pyarrow.parquet.read_table(io.BytesIO(data))
        assert read.schema.equals(arrow.arrow_schema(flat.FLAT_COLUMNS[table]))
        assert read.schema.metadata is None
        assert read_values(read) == expected(run, code_tables, table)
        assert (
            pl.read_parquet(io.BytesIO(data)).height
            == len(pd.read_parquet(io.BytesIO(data)))
            == read.num_rows
        )
        columns = pyarrow.parquet.ParquetFile(io.BytesIO(data)).metadata.row_group(0)
        codecs = {columns.column(place).compression for place in range(columns.num_columns)}
        assert codecs == {{"none": "UNCOMPRESSED"}.get(compress, compress.upper())}


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_csv_read_back_is_the_columns(run: Chunk, code_tables: CodeTables, compress: str) -> None:
    written = files(synthetic.split(run, 300), code_tables, "csv", compress)
    for table, data in written.items():
        options = pyarrow.csv.ConvertOptions(
            column_types={
                field.name: pa.timestamp("s", "UTC") if pa.types.is_timestamp(field.type) else field.type
                for field in arrow.arrow_schema(flat.FLAT_COLUMNS[table])
            },
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        text = uncompressed(data, compress)
        read = pyarrow.csv.read_csv(io.BytesIO(text), convert_options=options)
        assert read_values(read) == expected(run, code_tables, table)
        frame = pl.read_csv(data, infer_schema=False)
        assert frame.height == read.num_rows
        assert frame.columns == read.column_names


def test_csv_times_are_iso_texts_as_pandas_sees_them(
    run: Chunk, code_tables: CodeTables, tmp_path: Path
) -> None:
    path = tmp_path / "patients.csv.gz"
    path.write_bytes(files(synthetic.split(run, 300), code_tables, "csv", "gzip")["patients"])
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    patients = build_patients(run, code_tables)
    assert frame["injured_at"].tolist() == [patient.injury.at for patient in patients]
    assert frame["id"].tolist() == [patient.id for patient in patients]
    assert frame["front"].tolist() == [patient.front for patient in patients]


def test_flat_tables_agree_with_the_records(run: Chunk, code_tables: CodeTables) -> None:
    tables = {table: expected(run, code_tables, table) for table in FLAT_TABLES}
    patients = build_patients(run, code_tables)
    assert tables["patients"]["family_name"] == [patient.demographics.family_name for patient in patients]
    assert tables["patients"]["cause_of_death"] == [patient.outcome.cause_of_death for patient in patients]
    assert tables["patients"]["diagnosis"] == [patient.injury.diagnosis.display for patient in patients]
    rows = [(patient.id, event) for patient in patients for event in patient.timeline]
    assert tables["events"]["patient_id"] == [identity for identity, _ in rows]
    for name in ("event", "facility", "role", "detail", "waiting_for"):
        assert tables["events"][name] == [getattr(event, name) for _, event in rows]
    assert [f"{at}Z" for at in tables["events"]["at"]] == [event.at for _, event in rows]
    wounds = [(place, wound) for patient in patients for place, wound in enumerate(patient.injury.wounds)]
    assert tables["wounds"]["wound"] == [place for place, _ in wounds]
    assert tables["wounds"]["display"] == [wound.display for _, wound in wounds]
    treatments = [treatment for patient in patients for treatment in patient.treatments]
    assert tables["treatments"]["wound"] == [treatment.wound for treatment in treatments]
    vitals = [vital for patient in patients for vital in patient.vitals]
    assert tables["vitals"]["health_score"] == [vital.health_score for vital in vitals]


@pytest.mark.parametrize("fmt", STREAMED)
def test_uncompressed_bytes_do_not_depend_on_the_chunks(
    run: Chunk, code_tables: CodeTables, fmt: str
) -> None:
    whole = files([run], code_tables, fmt)
    for size in (1, 64, 999):
        assert files(synthetic.split(run, size), synthetic.code_tables(), fmt) == whole


@pytest.mark.parametrize("fmt", STREAMED)
@pytest.mark.parametrize("compress", ["gzip", "zstd"])
def test_compressed_frames_joined_are_the_uncompressed_file(
    run: Chunk, code_tables: CodeTables, fmt: str, compress: str
) -> None:
    plain = files([run], code_tables, fmt)
    packed = files(synthetic.split(run, 200), code_tables, fmt, compress)
    assert {table: uncompressed(data, compress) for table, data in packed.items()} == plain


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_a_run_without_casualties_is_still_a_valid_file(
    code_tables: CodeTables, fmt: str, compress: str
) -> None:
    for table, data in files([Chunk(0, 0, True)], code_tables, fmt, compress).items():
        if fmt == "parquet":
            assert pyarrow.parquet.read_table(io.BytesIO(data)).schema.equals(
                arrow.arrow_schema(flat.FLAT_COLUMNS[table])
            )
            continue
        text = uncompressed(data, compress)
        if fmt == "json":
            assert json.loads(text) == []
        elif fmt == "csv":
            names = [column.name for column in flat.FLAT_COLUMNS[table]]
            assert text.decode().replace('"', "").split() == [",".join(names)]
        else:
            assert text == b""


def test_an_empty_last_chunk_closes_the_array(run: Chunk, code_tables: CodeTables) -> None:
    run = Chunk(0, 0, False, run.patients, run.events, run.treatments, run.wounds, run.vitals)
    data = files([run, Chunk(1, len(run), True)], code_tables, "json")["patients"]
    assert len(json.loads(data)) == len(run)


def test_the_first_chunk_of_each_part_has_the_header(run: Chunk, code_tables: CodeTables) -> None:
    for first, header in ((0, True), (300, False), (PART, True), (PART + 300, False)):
        run = Chunk(0, first, False, run.patients, run.events, run.treatments, run.wounds, run.vitals)
        frame = encode_chunks([run], code_tables, "csv")[0]
        assert bytes(frame.data).startswith(b'"id",') == header


def test_frames_have_their_rows_and_size(run: Chunk, code_tables: CodeTables) -> None:
    for fmt in FORMATS:
        for frame in encode_chunks([run], code_tables, fmt, "zstd"):
            rows = len(getattr(run, frame.table))
            assert (frame.rows, frame.patients) == (rows, len(run))
            if fmt != "parquet":
                assert frame.raw_bytes == len(uncompressed(bytes(frame.data), "zstd"))
                assert zstandard.frame_content_size(frame.data) == frame.raw_bytes


def test_gzip_members_hold_neither_time_nor_system(run: Chunk, code_tables: CodeTables) -> None:
    (frame,) = encode_chunks([run], code_tables, "jsonl", "gzip")
    assert bytes(frame.data[:10]) == b"\x1f\x8b\x08" + bytes(6) + b"\xff"


MOST_PAGE_HEADER = 40
"""Bytes of a header of a Parquet page, at most."""


@pytest.mark.parametrize("table", FLAT_TABLES)
def test_dictionaries_in_parquet_hold_nothing_but_their_texts(code_tables: CodeTables, table: str) -> None:
    """For a text that occurs twice Arrow would write bytes of memory that it never set."""
    run = synthetic.chunk(1000, seed=3)
    run.patients["incident"][1::2] = run.patients["incident"][::2]
    (data,) = (
        frame.data for frame in encode_chunks([run], code_tables, "parquet", "none") if frame.table == table
    )
    file = pa.parquet.ParquetFile(io.BytesIO(data))
    names = [field.name for field in file.schema_arrow if pa.types.is_dictionary(field.type)]
    texts = [field.name for field in file.schema_arrow if field.type in (pa.string(), pa.large_string())]
    read = pa.parquet.read_table(io.BytesIO(data), read_dictionary=texts)
    checked = 0
    for group in range(file.num_row_groups):
        for number in range(file.metadata.num_columns):
            column = file.metadata.row_group(group).column(number)
            if column.path_in_schema not in names + texts or not column.has_dictionary_page:
                continue
            entries = read.column(column.path_in_schema).chunk(group).dictionary.to_pylist()
            page = column.data_page_offset - column.dictionary_page_offset
            size = sum(4 + len(entry.encode()) for entry in entries)
            assert size <= page <= size + MOST_PAGE_HEADER, column.path_in_schema
            checked += 1
    assert checked


def test_a_parquet_file_holds_the_id_of_each_patient_once(code_tables: CodeTables) -> None:
    """Each row group has a dictionary of its own."""
    run = synthetic.chunk(PARQUET_PART, seed=3)
    file = {frame.table: bytes(frame.data) for frame in encode_chunks([run], code_tables, "parquet", "none")}
    some_id = pyarrow.parquet.read_table(io.BytesIO(file["patients"]))["id"][0].as_py().encode()
    assert len(run.events) > 5 * PARQUET_PART
    assert {table: data.count(some_id) for table, data in file.items()} == dict.fromkeys(FLAT_TABLES, 1)


def test_joined_chunks_have_the_rows_of_all(run: Chunk) -> None:
    joined = join_chunks(synthetic.split(run, 300))
    for table in TABLES:
        assert (getattr(joined, table) == getattr(run, table)).all()


def test_parts_and_tables_are_those_of_the_columns() -> None:
    assert tuple(flat.FLAT) == FLAT_TABLES == tuple(TABLES)
    assert {info.part_patients for info in FORMATS.values()} == {PART, PARQUET_PART, None}
    assert FORMATS["csv"].filename("events", 3, "zstd") == "events-00003.csv.zst"
    assert FORMATS["json"].filename("patients", 0) == "patients.json"
    assert FORMATS["parquet"].filename("wounds", 1, "gzip") == "wounds-00001.parquet"
    assert FORMATS["jsonl"].part_number(PART) == 1
    assert FORMATS["json"].part_number(PART) == 0


# --- the tables of the run


@pytest.fixture(scope="module")
def small() -> RunTable:
    """A table with all kinds of columns, nulls and awkward texts."""
    columns = (
        flat.Column("at", "time", ""),
        flat.Column("facility", "text", ""),
        flat.Column("role", "integer", "", nullable=True),
        flat.Column("value", "number", "", nullable=True),
    )
    texts = ['R2 "Nord", Łódź', "two\nlines", "plain"]
    return RunTable(
        "facilities", columns, [[1893456000, 1893459600, 0], texts, [1, None, 3], [1, 0.25, None]]
    )


def read_back(data: bytes, fmt: str, table: RunTable) -> list[dict[str, Any]]:
    """The rows of a whole file as objects, times as texts."""
    if fmt == "json":
        return json.loads(data)
    if fmt == "jsonl":
        return [json.loads(line) for line in data.splitlines()]
    if fmt == "msgpack":
        unpacked, at = [], 0
        while at < len(data):
            row = list(table_rows(table))[len(unpacked)]
            size = len(msgspec.msgpack.encode(row))
            unpacked.append(msgspec.msgpack.decode(data[at : at + size]))
            at += size
        return unpacked
    if fmt == "csv":
        read = pyarrow.csv.read_csv(
            io.BytesIO(data),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(column_types={"at": pa.string()}),
        )
        return read.to_pylist()
    rows = pyarrow.parquet.read_table(io.BytesIO(data)).to_pylist()
    return [{**row, "at": row["at"].strftime("%Y-%m-%dT%H:%M:%SZ")} for row in rows]


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_a_table_of_the_run_read_back_is_its_rows(small: RunTable, fmt: str, compress: str) -> None:
    frame = encode_run_table(small, fmt, compress)
    assert (frame.table, frame.rows, frame.patients) == ("facilities", 3, 0)
    data = bytes(frame.data) if fmt == "parquet" else uncompressed(bytes(frame.data), compress)
    assert read_back(data, fmt, small) == list(table_rows(small))
    assert next(table_rows(small))["at"] == "2030-01-01T00:00:00Z"


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_a_table_of_the_run_without_rows_is_a_valid_file(small: RunTable, fmt: str, compress: str) -> None:
    empty = RunTable(small.name, small.columns, [[] for _ in small.values])
    frame = encode_run_table(empty, fmt, compress)
    assert frame.data or (fmt in ("jsonl", "msgpack") and compress == "none")
    if fmt == "parquet":
        assert pyarrow.parquet.read_table(io.BytesIO(frame.data)).schema == arrow.arrow_schema(small.columns)
        return
    text = uncompressed(bytes(frame.data), compress)
    assert {"json": b"[\n]\n", "csv": b'"at","facility","role","value"\n'}.get(fmt, b"") == text


def test_a_table_of_the_run_is_one_file_in_every_format() -> None:
    names = {info.filename("measures", 0, "gzip") for info in FORMATS.values()}
    assert names == {
        "measures.jsonl.gz",
        "measures.json.gz",
        "measures.csv.gz",
        "measures.msgpack.gz",
        "measures.parquet",
    }
    assert set(RUN_TABLES) == set(RUN_COLUMNS)


def test_the_text_formats_of_a_run_table_need_no_pyarrow() -> None:
    code = (
        "import sys; from engine.measures import RUN_COLUMNS;"
        "from engine.records import FORMATS, RunTable, encode_run_table;"
        "columns = RUN_COLUMNS['measures'];"
        "table = RunTable('measures', columns, [[None]] * len(columns));"
        "[encode_run_table(table, name, 'gzip') for name in FORMATS if name != 'parquet'];"
        "print(sorted({'pyarrow', 'numba'} & sys.modules.keys()))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert ast.literal_eval(out.stdout) == []


def test_parquet_does_not_import_pandas() -> None:
    """`pyarrow.array` would do so: it takes 0.2 s and 40 MB in each process."""
    code = (
        "import sys, synthetic;"
        "from engine.measures import RUN_COLUMNS;"
        "from engine.records import RunTable, encode_chunks, encode_run_table;"
        "encode_chunks([synthetic.chunk(9)], synthetic.code_tables(), 'parquet');"
        "values = {'text': 'a', 'integer': 1, 'number': 0.5, 'time': 0};"
        "tables = [RunTable(name, columns, [[values[column.kind], None if column.nullable else values[column.kind]]"
        " for column in columns]) for name, columns in RUN_COLUMNS.items()];"
        "[encode_run_table(table, 'parquet', 'none') for table in tables];"
        "print('pyarrow' in sys.modules, 'pandas' in sys.modules)"
    )
    paths = os.pathsep.join((str(Path(__file__).parent), str(Path(__file__).parent.parent)))
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
    )
    assert out.stdout.split() == ["True", "False"]


def test_unknown_formats_and_compressions_are_refused(run: Chunk, code_tables: CodeTables) -> None:
    for fmt, compress in (("xml", "none"), ("jsonl", "rar")):
        with pytest.raises(KeyError):
            encode_chunks([run], code_tables, fmt, compress)


def test_formats_are_known_without_numpy_and_pyarrow_and_jsonl_needs_no_pyarrow() -> None:
    code = (
        "import sys, engine.records.formats as f; a = sorted({'numpy', 'pyarrow'} & sys.modules.keys());"
        "import engine.records.formats.jsonl, engine.records.formats.msgpack;"
        "print([a, sorted({'pyarrow', 'numba'} & sys.modules.keys())])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert ast.literal_eval(out.stdout) == [[], []]

"""The schema of records: programs that the kernel carries out, the machine code, and the schema for other tools."""

import csv
import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import effects
import jsonschema
import msgspec
import numpy as np
import pyarrow.parquet
import pytest
import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from engine import documentation
from engine.errors import RunError
from engine.measures import RUN_COLUMNS
from engine.records import (
    FLAT_COLUMNS,
    FORMATS,
    arrow,
    build_patients,
    data_package,
    encode_chunks,
    fields,
    flat,
    json_schema,
    objects,
    record_schema,
)
from engine.records.code_tables import CodeTables
from engine.records.fields import Label, Number, Time, field, fields_of
from engine.records.formats import jsonl
from engine.records.notations import csv_parts, json_parts, msgpack_parts
from engine.records.program import Program
from engine.records.schema import Coding, Patient
from engine.tables.columns import Chunk
from goldenhour import simulate

ROOT = Path(__file__).parent.parent


@given(
    seed=st.integers(0, 2**32),
    patients=st.integers(0, 40),
    events=st.integers(2, 30),
    treatments=st.integers(0, 9),
    wounds=st.integers(0, 9),
    vitals=st.integers(0, 9),
    start=st.sampled_from(
        (
            "2030-01-01T00:00:00Z",
            "1969-12-25T23:59:59.500Z",
            "0001-01-01T00:00:00Z",
            "9999-01-01T00:00:00+01:00",
        )
    ),
    extreme=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_kernel_writes_what_msgspec_and_csv_write(
    seed: int, patients: int, start: str, extreme: bool, **rows: int
) -> None:
    chunk = synthetic.chunk(patients, seed=seed, **rows)
    if extreme:
        synthetic.make_extreme(chunk, seed)
    objects = build_patients(chunk, synthetic.code_tables(start))
    for fmt, encoder, end in (
        ("jsonl", msgspec.json.encode, b"\n"),
        ("msgpack", msgspec.msgpack.encode, b""),
    ):
        (frame,) = encode_chunks([chunk], synthetic.code_tables(start), fmt)
        assert bytes(frame.data) == b"".join(encoder(each) + end for each in objects)
    for frame in encode_chunks([chunk], synthetic.code_tables(start), "csv"):
        assert bytes(frame.data) == plain_csv(chunk, synthetic.code_tables(start), frame.table)


class Bare:
    """What `csv.writer` writes without quotation marks, as it does a number."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __float__(self) -> float:
        return 0.0

    def __str__(self) -> str:
        return self.text


def plain_csv(chunk: Chunk, code_tables: CodeTables, table: str) -> bytes:
    """A flat table by `csv.writer`, from the decoded columns."""
    columns = flat.decode_columns(chunk, code_tables)[table]

    def cells(column: flat.Column) -> list[Any]:
        found = columns[column.name]
        if column.kind == "time":
            return [Bare("") if np.isnat(time) else f"{time}Z" for time in found]
        if column.kind == "text":
            return [Bare("") if text is None else str(text) for text in found]
        if column.kind == "truth":
            return [Bare("true" if value else "false") for value in found]
        if column.kind == "integer":
            return [Bare("" if value == -1 else str(value)) for value in found.tolist()]
        if column.kind == "number":
            return [Bare("" if math.isnan(value) else str(value)) for value in found]
        return [Bare(str(value)) for value in found]

    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow([column.name for column in FLAT_COLUMNS[table]])
    writer.writerows(zip(*map(cells, FLAT_COLUMNS[table]), strict=True))
    return out.getvalue().encode()


def test_a_chunk_larger_than_expected_fills_several_buffers() -> None:
    code_tables = synthetic.code_tables()
    jsonl.lines(synthetic.chunk(3, events=2, treatments=0, wounds=0, vitals=0), code_tables)
    large = synthetic.chunk(900, events=60)
    written = bytes(jsonl.lines(large, code_tables))
    assert written == bytes(jsonl.lines(large, synthetic.code_tables()))
    assert len(written) > 900 * 6000


def test_a_code_without_a_text_is_an_error_and_writes_nothing() -> None:
    chunk = synthetic.chunk(20)
    chunk.patients["mechanism"][7] = 250
    known = "known: from 0 to 6"
    for write, place in (
        (lambda tables: encode_chunks([chunk], tables, "jsonl"), "injury.mechanism"),
        (lambda tables: encode_chunks([chunk], tables, "msgpack"), "injury.mechanism"),
        (lambda tables: encode_chunks([chunk], tables, "csv"), "patients.mechanism"),
        (lambda tables: encode_chunks([chunk], tables, "parquet"), "patients.mechanism"),
        (lambda tables: build_patients(chunk, tables), "injury.mechanism"),
        (lambda tables: flat.decode_columns(chunk, tables), "patients.mechanism"),
    ):
        with pytest.raises(RunError) as error:
            write(synthetic.code_tables())
        assert str(error.value) == f"{place}: row 7 has the code 250, which is unknown; {known}"


def test_a_field_that_is_declared_is_in_every_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """One declaration is enough: this is what adding a field to the schema does. JSON Lines, JSON and the records of
    `simulate` follow from the parts and objects that are tested here.
    """

    class Short(Struct, omit_defaults=True):
        age: Annotated[int, field("age when injured", Number("age"), unit="years")]
        sex: Annotated[str, field("sex", Label(("man", 'wo"man'), "sex"))]
        death: Annotated[str | None, field("death", Time("untreated_death"))]
        closed: Annotated[str | None, field("omitted", Label((None, "late"), "mascal"))] = None

    chunk, code_tables = synthetic.chunk(50), synthetic.code_tables()
    chunk.patients["untreated_death"][::2] = -1
    monkeypatch.setitem(flat.FLAT, "patients", (Short, Struct))
    flat.flat_fields.cache_clear()
    try:
        texts = {
            "json": bytes(Program((*json_parts(Short), b"\n"), "patients", code_tables).write(chunk)),
            "msgpack": bytes(Program(msgpack_parts(Short), "patients", code_tables).write(chunk)),
            "csv": bytes(Program(csv_parts("patients"), "patients", code_tables).write(chunk)),
        }
        columns = tuple(field.column for field in flat.flat_fields("patients"))
        monkeypatch.setitem(flat.FLAT_COLUMNS, "patients", columns)
        (parquet, *_) = encode_chunks([chunk], code_tables, "parquet")
        frame = flat.decode_columns(chunk, code_tables)["patients"]
        table = arrow.patient_arrow_table([chunk], code_tables, "patients")
        package = data_package("csv", RUN_COLUMNS)["resources"][0]["schema"]["fields"]
        monkeypatch.setattr(documentation, "Patient", Short)
        page = documentation.page()
        monkeypatch.setattr(json_schema, "Patient", Short)
        schema = record_schema()["$defs"]["Short"]["properties"]
    finally:
        flat.flat_fields.cache_clear()
    lines = texts["json"].splitlines()
    rows = [msgspec.json.decode(line) for line in lines]
    assert [row["age"] for row in rows] == chunk.patients["age"].tolist()
    assert {row["sex"] for row in rows} == {"man", 'wo"man'}
    assert [row["death"] is None for row in rows] == (chunk.patients["untreated_death"] < 0).tolist()
    assert ["closed" in row for row in rows] == (chunk.patients["mascal"] == 1).tolist()
    whole = objects.build_structs(Short, fields.View(chunk, chunk.patients, code_tables))
    assert [json.loads(msgspec.json.encode(each)) for each in whole] == rows
    full = [{"closed": None} | row for row in rows]
    for written in (pyarrow.parquet.read_table(io.BytesIO(parquet.data)), table):
        assert written.column_names == ["age", "sex", "death", "closed"]
        assert pyarrow.types.is_dictionary(written.schema.field("sex").type)
        read = written.set_column(2, "death", written["death"].cast("timestamp[s]").cast("string"))
        death = [time and f"{time.replace(' ', 'T')}Z" for time in read["death"].to_pylist()]
        assert [row | {"death": time} for row, time in zip(read.to_pylist(), death, strict=True)] == full
    assert frame["age"].tolist() == [row["age"] for row in rows]
    assert frame["sex"].tolist() == [row["sex"] for row in rows]
    assert np.isnat(frame["death"]).tolist() == [row["death"] is None for row in rows]
    assert frame["closed"].tolist() == [row["closed"] for row in full]
    assert [(entry["name"], entry["type"]) for entry in package] == [
        ("age", "integer"),
        ("sex", "string"),
        ("death", "datetime"),
        ("closed", "string"),
    ]
    assert package[1]["constraints"] == {"required": True, "enum": ["man", 'wo"man']}
    record_row = "| `age` | integer | years | age when injured |  |"
    assert page.count(record_row) == 2  # in the record, and in the flat table
    assert schema["age"]["x-unit"] == "years"
    assert schema["sex"]["enum"] == ["man", 'wo"man']
    assert schema["death"]["anyOf"][0]["format"] == "date-time"
    packed = msgspec.msgpack.Decoder(list[dict[str, object]])
    assert packed.decode(b"\xdc\x00\x32" + texts["msgpack"]) == rows
    sex = {"man": '"man"', 'wo"man': '"wo""man"'}
    assert texts["csv"].decode().splitlines() == [
        f"{row['age']},{sex[row['sex']]},"
        + (f'"{row["death"]}"' if row["death"] else "")
        + ","
        + ('"late"' if "closed" in row else "")
        for row in rows
    ]


def test_with_a_warm_cache_encoding_needs_no_numba_and_the_bytes_are_the_same(tmp_path: Path) -> None:
    code = (
        "import hashlib, sys, synthetic;"
        "from engine.records.formats import encode_chunks;"
        "frames = encode_chunks([synthetic.chunk(30)], synthetic.code_tables(), sys.argv[1]);"
        "print('numba' in sys.modules, *(hashlib.sha256(frame.data).hexdigest() for frame in frames))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "GOLDENHOUR_CACHE_DIR": str(tmp_path)}

    def run(fmt: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", code, fmt],
            cwd=ROOT / "tests",
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.split()

    cold = run("jsonl")
    warm = run("jsonl")
    assert (cold[0], warm[0]) == ("True", "False")
    assert cold[1:] == warm[1:]
    assert [run(fmt)[0] for fmt in ("msgpack", "csv", "json")] == ["False"] * 3
    (stored,) = tmp_path.rglob("*.o")
    stored.write_bytes(stored.read_bytes()[:-1] + b"x")
    assert run("jsonl") == cold  # damaged code is not run, it is compiled anew
    assert run("jsonl") == warm


def test_every_field_has_a_meaning_and_every_value_a_source() -> None:
    structs = [Patient]
    while structs:
        struct = structs.pop()
        for each in fields_of(struct):
            assert each.meaning, (struct, each.name)
            if each.struct is not None and each.struct is not Coding:
                structs.append(each.struct)
            elif struct is not Coding:
                assert each.source is not None, (struct, each.name)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = record_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


@pytest.mark.parametrize("name", ["standard", "brigade", "cbrn"])
def test_written_records_are_valid_against_the_published_schema(
    validator: jsonschema.Draft202012Validator, name: str
) -> None:
    for record in simulate(name, patients=60).records():
        validator.validate(json.loads(msgspec.json.encode(record)))


def test_records_of_the_expectant_are_valid(validator: jsonschema.Draft202012Validator) -> None:
    settings = {"warfare": [{"type": "artillery"}], "intensity": "extreme", "mascal_threshold": 2}
    found = set()
    for record in effects.run(300, expectant=True, **settings).records():
        validator.validate(json.loads(msgspec.json.encode(record)))
        found.add(record.triage.true)
    assert "T4" in found


def test_the_schema_refuses_what_no_record_has(validator: jsonschema.Draft202012Validator) -> None:
    record = json.loads(msgspec.json.encode(build_patients(synthetic.chunk(1), synthetic.code_tables())[0]))
    validator.validate(record)
    for path, value in (
        (("triage", "true"), "T9"),
        (("triage", "true"), ""),
        (("triage", "true"), "T5"),
        (("outcome", "at"), 5),
        (("injury", "onset_time"), "2030-01-01T00:00:00Z"),
        (("timeline", 0, "event"), "vanished"),
        (("synthetic",), False),
    ):
        wrong = json.loads(json.dumps(record))
        place = wrong
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        assert not validator.is_valid(wrong), path


def test_the_published_schema_is_that_of_the_code() -> None:
    page = json.loads((ROOT / "docs" / "records.schema.json").read_text(encoding="utf-8"))
    assert page == record_schema()


def test_the_package_of_tables_has_the_columns_of_the_files() -> None:
    header = bytes(encode_chunks([Chunk(0, 0, True)], synthetic.code_tables(), "csv")[0].data).decode()
    patients = data_package("csv", RUN_COLUMNS)["resources"][0]
    names = [entry["name"] for entry in patients["schema"]["fields"]]
    assert names == header.replace('"', "").strip().split(",")
    kinds = {entry["name"]: entry["type"] for entry in patients["schema"]["fields"]}
    assert (kinds["closed_at"], kinds["birth_date"], kinds["iss"], kinds["mascal"]) == (
        "datetime",
        "date",
        "integer",
        "boolean",
    )


@pytest.mark.parametrize("fmt", [name for name, info in FORMATS.items() if info.is_flat])
def test_the_package_names_every_table_and_a_file_that_a_run_writes(fmt: str, tmp_path: Path) -> None:
    arguments = ("run", "coin", "--patients", "20", "--workers", "0", "--quiet", "--format", fmt)
    command = [sys.executable, "-m", "goldenhour", *arguments, "-o", str(tmp_path / "out")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    resources = data_package(fmt, RUN_COLUMNS)["resources"]
    assert [resource["name"] for resource in resources] == [*FLAT_COLUMNS, *RUN_COLUMNS]
    for resource in resources:
        assert (tmp_path / "out" / resource["path"]).is_file()
        assert resource["format"] == fmt


def test_labels_are_those_that_records_have() -> None:
    definitions = record_schema()["$defs"]
    assert definitions["Triage"]["properties"]["true"]["enum"] == ["T1", "T2", "T3", "T4"]
    assert definitions["AssignedTriage"]["properties"]["category"]["enum"] == ["T1", "T2", "T3", "T4"]
    patients = data_package("csv", RUN_COLUMNS)["resources"][0]["schema"]["fields"]
    (triage,) = (entry for entry in patients if entry["name"] == "triage")
    assert triage["constraints"] == {"required": True, "enum": ["T1", "T2", "T3", "T4"]}
    assert '""' not in json.dumps(definitions)


def test_the_command_prints_the_schema_of_each_kind_of_format() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "goldenhour", "schema", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    assert json.loads(run().stdout) == record_schema()
    assert json.loads(run("--format", "parquet").stdout) == data_package("parquet", RUN_COLUMNS)
    wrong = run("--format", "jsnl")
    assert wrong.returncode == 2
    assert "did you mean 'jsonl'" in wrong.stderr


def test_fields_are_read_once_per_struct() -> None:
    assert fields.fields_of(Patient) is fields.fields_of(Patient)
    assert np.array_equal([each.name for each in fields_of(Patient)], Patient.__struct_fields__)

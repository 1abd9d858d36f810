"""Programs that write records: they write what msgspec writes, and refuse by name what they cannot write."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import msgspec
import numpy as np
import pytest
import synthetic
from msgspec import Struct

from engine.errors import RunError
from engine.records import arrow, encode_chunks, flat
from engine.records.fields import (
    Date,
    Digits,
    Identifier,
    Label,
    Number,
    Rows,
    Source,
    Text,
    Time,
    View,
    field,
    fields_of,
)
from engine.records.notations import csv_parts, json_parts, msgpack_parts
from engine.records.objects import build_structs
from engine.records.program import Program
from engine.tables import Chunk

AGE = Annotated[int, field("age", Number("age"))]
LATE = Annotated[str | None, field("late", Label((None, "late"), "mascal"))]
DIED = Annotated[str | None, field("death", Time("untreated_death"))]
BORN = Annotated[int | None, field("birth, if after 1970", Number("birth"))]
ROWS = 50


def struct(fields: list[tuple[Any, ...]], omit_defaults: bool = True) -> type[Struct]:
    return msgspec.defstruct("Made", fields, omit_defaults=omit_defaults)


def one(source: Source, kind: Any = int) -> type[Struct]:
    """An object of one field."""
    return struct([("value", Annotated[kind, field("value", source)])])


def chunk_of(rows: int = ROWS) -> Chunk:
    chunk = synthetic.chunk(rows)
    chunk.patients["birth"][::3] = -2
    return chunk


def write(made: type[Struct], chunk: Chunk | None = None, parts: Callable[..., Any] = json_parts) -> bytes:
    program = Program(parts(made), "patients", synthetic.code_tables())
    return bytes(program.write(chunk or chunk_of()))


def assert_written_as_msgspec_does(made: type[Struct]) -> None:
    chunk = chunk_of()
    objects = build_structs(made, View(chunk, chunk.patients, synthetic.code_tables()))
    assert write(made, chunk) == b"".join(map(msgspec.json.encode, objects))
    assert write(made, chunk, msgpack_parts) == b"".join(map(msgspec.msgpack.encode, objects))


@pytest.mark.parametrize(
    ("always", "omitted"), [(11, 0), (15, 0), (16, 0), (17, 0), (12, 3), (12, 4), (14, 4), (16, 4), (2, 300)]
)
def test_an_object_may_have_any_number_of_fields(always: int, omitted: int) -> None:
    fields: list[tuple[Any, ...]] = [(f"a{number}", AGE) for number in range(always)]
    kinds = (LATE, DIED, BORN)
    fields += [(f"o{number}", kinds[number % 3], None) for number in range(omitted)]
    assert_written_as_msgspec_does(struct(fields))


def test_texts_numbers_and_times_may_be_omitted() -> None:
    assert_written_as_msgspec_does(
        struct([("age", AGE), ("late", LATE, None), ("died", DIED, None), ("born", BORN, None)])
    )
    assert_written_as_msgspec_does(struct([("born", BORN, None), ("age", AGE, None)], omit_defaults=False))


def test_an_object_within_an_object_has_entries_of_its_own() -> None:
    inner = struct([("age", AGE), ("late", LATE, None), ("died", DIED, None)])
    wide = struct([("age", AGE), *((f"o{number}", LATE, None) for number in range(20))])
    made = struct(
        [
            ("first", Annotated[inner, field("an object")]),
            ("second", Annotated[wide, field("a large one")]),
            ("late", LATE, None),
            ("died", DIED, None),
        ]
    )
    assert_written_as_msgspec_does(made)


def test_lists_within_an_object_that_omits_fields() -> None:
    item = struct([("ais", Annotated[int, field("ais", Number("ais"))]), ("side", SIDE, None)])
    wounds = Rows(lambda view: (view.chunk.wounds, view.chunk.patients["wound_end"]))
    made = struct([("wounds", Annotated[list[item], field("wounds", wounds)]), ("late", LATE, None)])
    assert_written_as_msgspec_does(made)


SIDE = Annotated[str | None, field("side", Label((None, "left", "right"), "side"))]


def test_neighbours_that_follow_the_same_code_may_know_different_codes() -> None:
    made = struct(
        [
            ("nation", Annotated[str, field("nation", Text("nations", "nation"))]),
            ("group", Annotated[str, field("eight texts", Text("blood_groups", "nation"))]),
            ("one", Annotated[str, field("four", Label("abcd", "nation"))]),
            ("other", Annotated[str | None, field("four or null", Label("abcd", "nation", optional=True))]),
        ]
    )
    assert_written_as_msgspec_does(made)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ([("late", LATE, None), ("age", AGE, None)], "Made.late: the first field"),
        ([("age", AGE), ("late", LATE, "soon")], "Made.late: .*default must be None"),
        ([("age", AGE), ("born", Annotated[str | None, field("b", Date("birth"))])], "Made.born: .*a date"),
        (
            [("age", AGE), ("number", Annotated[str, field("n", Digits("service_number", 8))], None)],
            "Made.number: .*digits",
        ),
    ],
)
def test_a_declaration_that_cannot_be_written_is_refused_by_name(fields: list[Any], fault: str) -> None:
    with pytest.raises(TypeError, match=fault):
        fields_of(struct(fields))


def test_digits_are_at_most_those_of_an_integer() -> None:
    assert_written_as_msgspec_does(one(Digits("service_number", 19), str))
    with pytest.raises(ValueError, match="at most 19"):
        Digits("service_number", 20)


def ids(width: int) -> Callable[[View], Any]:
    return lambda view: np.full(len(view.rows), b"x" * 10, f"S{width}")


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        (Number(lambda view: np.arange(3)), ValueError, r"value: a column of shape \(3,\) for 50 rows"),
        (Number(lambda view: np.zeros((ROWS, 2), int)), ValueError, r"shape \(50, 2\)"),
        (Number(lambda view: np.full(ROWS, 2.7)), TypeError, "value: a column of type float64"),
        (Label("ab", lambda view: np.zeros(ROWS)), TypeError, "value: a column of type float64"),
        (
            Number(lambda view: np.full(ROWS, 2**63, "u8")),
            ValueError,
            "value: the number 9223372036854775808",
        ),
        (Identifier(ids(10), 40), TypeError, r"value: a column of type \|S10 for texts of 40 bytes"),
        (Identifier(lambda view: np.zeros(ROWS, "u1"), 1), TypeError, "value: a column of type uint8"),
    ],
)
def test_a_column_of_another_length_or_type_is_refused(source: Source, error: Any, words: str) -> None:
    for parts in (json_parts, msgpack_parts):
        with pytest.raises(error, match=words):
            write(one(source), parts=parts)


def test_columns_of_any_integer_type_are_written() -> None:
    for kind in ("?", "i1", "u1", ">i4", "i2", "u2", "u4", "i8", "u8"):
        assert_written_as_msgspec_does(
            one(Number(lambda view, kind=kind: (np.arange(ROWS) % 2).astype(kind)))
        )
    assert_written_as_msgspec_does(one(Number(lambda view: np.broadcast_to(np.int64(5), ROWS))))
    assert_written_as_msgspec_does(one(Number(lambda view: np.arange(2 * ROWS)[::-2])))


@pytest.mark.parametrize("change", [lambda ends: ends[-1:] + 3, lambda ends: ends[-1:] * 0])
def test_ends_of_lists_that_decrease_or_exceed_the_rows_are_refused(change: Any) -> None:
    chunk = synthetic.chunk(5)
    chunk.patients["event_end"][-1:] = change(chunk.patients["event_end"])
    with pytest.raises(ValueError, match="timeline: the ends of the rows"):
        encode_chunks([chunk], synthetic.code_tables(), "jsonl")


@pytest.mark.parametrize("fmt", ["jsonl", "msgpack", "csv", "parquet"])
@pytest.mark.parametrize(
    ("start", "column", "value"),
    [
        ("9999-12-25T00:00:00Z", "closed", 30 * synthetic.DAY),
        ("2030-01-01T00:00:00Z", "birth", 2_932_897),
        ("2030-01-01T00:00:00Z", "birth", -719_529),
        ("2030-01-01T00:00:00Z", "onset", -(10**15)),
    ],
)
def test_every_format_refuses_dates_that_it_cannot_hold(
    fmt: str, start: str, column: str, value: int
) -> None:
    chunk = synthetic.chunk(30)
    chunk.patients[column][7] = value
    with pytest.raises(RunError, match=r"records hold none (after 9999|before the year 0)"):
        encode_chunks([chunk], synthetic.code_tables(start), fmt)


def test_only_the_code_of_none_of_them_is_null() -> None:
    chunk = synthetic.chunk(20)
    chunk.patients["severity"][4] = 77
    for fmt, place in (("jsonl", "injury"), ("csv", "patients"), ("parquet", "patients")):
        with pytest.raises(RunError, match=f"{place}.severity: row 4 has the code 77"):
            encode_chunks([chunk], synthetic.code_tables(), fmt)


@pytest.mark.parametrize(("column", "place"), [("rank", "demographics.rank"), ("nation", "given_name")])
def test_a_code_beyond_its_group_is_not_the_text_of_the_next_group(column: str, place: str) -> None:
    chunk = synthetic.chunk(20)
    chunk.patients[column][6] = 60
    for fmt in ("jsonl", "csv", "parquet"):
        with pytest.raises(RunError, match=r"row 6 has the code"):
            encode_chunks([chunk], synthetic.code_tables(), fmt)


@pytest.fixture
def flat_patients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type[Struct]], None]]:
    """A function that makes an object the flat table `patients`."""

    def use(made: type[Struct]) -> None:
        monkeypatch.setitem(flat.FLAT, "patients", (made, Struct))
        flat.flat_fields.cache_clear()

    yield use
    flat.flat_fields.cache_clear()


def test_a_table_holds_no_integer_of_more_than_32_bits(flat_patients: Any) -> None:
    flat_patients(one(Number(lambda view: np.full(len(view.rows), 2**31))))
    with pytest.raises(RunError, match=r"patients\.value: 2,147,483,648 is more"):
        arrow.encoded_table(chunk_of(), synthetic.code_tables(), "patients")


def test_csv_writes_an_omitted_field_as_an_empty_cell(flat_patients: Any) -> None:
    made = struct([("age", AGE), ("born", BORN, None), ("died", DIED, None)])
    flat_patients(made)
    lines = write(made, parts=lambda _: csv_parts("patients")).splitlines()
    assert [line.split(b",")[1] == b"" for line in lines] == (chunk_of().patients["birth"] < 0).tolist()

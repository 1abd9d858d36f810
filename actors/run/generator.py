"""generate: the stateless task that encodes chunks of columns into pieces of part files."""

import contextlib
import os
import pickle
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from actors.cluster import check_package_root, hide_pyarrow_in_worker, lower_priority, restore_pyarrow
from actors.run.messages import EncodedChunks, EncodeSettings, Piece, ProcessId
from engine.records import FORMATS, encode_chunks

hide_pyarrow_in_worker()

if TYPE_CHECKING:
    from engine.records import CodeTables, RunTable
    from engine.tables import Chunk

CODE_TABLES_KEPT = 2
"""Scenarios whose code tables a process keeps: those it used last."""

_code_tables: "dict[bytes, list[CodeTables]]" = {}
"""Code tables that no thread uses, by scenario."""

_lock = threading.Lock()


@contextlib.contextmanager
def _code_tables_of(settings: EncodeSettings) -> "Iterator[CodeTables]":
    """Lend code tables to this thread alone: what formats keep with them holds the addresses of a chunk's columns."""
    with _lock:
        free = _code_tables.pop(settings.scenario, [])
        _code_tables[settings.scenario] = free
        if len(_code_tables) > CODE_TABLES_KEPT:
            del _code_tables[next(iter(_code_tables))]
        tables = free.pop() if free else None
    tables = tables or _new_code_tables(settings)
    yield tables
    free.append(tables)


def _new_code_tables(settings: EncodeSettings) -> "CodeTables":
    import msgspec

    from engine.records import CodeTables, TextSource
    from engine.scenario import Scenario

    scenario = msgspec.json.decode(settings.scenario, type=Scenario)
    if settings.cache is None:
        return CodeTables(scenario, TextSource({}))
    from engine.precomputed import TEXT_KINDS

    return CodeTables(scenario, TextSource(settings.cache.get_or_build(scenario, TEXT_KINDS)))


def encode(settings: EncodeSettings, first_chunk: int, *batches: "Sequence[Chunk]") -> EncodedChunks:
    """The pieces of all formats of one lane, for the chunks of `batches` from number `first_chunk` on.

    All belong to one part. Without chunks the call warms up the process: it loads what encoding needs.
    """
    chunks = [chunk for batch in batches for chunk in batch if chunk.number >= first_chunk]
    with _code_tables_of(settings) as tables:
        if not chunks:
            _encode_nothing(settings, tables)
            return EncodedChunks(settings.lane, 0, 0, [])
        pieces = [piece for name in settings.formats for piece in _pieces(settings, tables, name, chunks)]
    return EncodedChunks(settings.lane, chunks[0].number, len(chunks), pieces)


def _pieces(
    settings: EncodeSettings, tables: "CodeTables", name: str, chunks: "Sequence[Chunk]"
) -> "Iterator[Piece]":
    """Yield the pieces of one format."""
    info = FORMATS[name]
    part = info.part_number(chunks[0].first)
    for frame in encode_chunks(chunks, tables, name, settings.compress):
        path = info.filename(frame.table, part, settings.compress)
        yield Piece(path, name, frame.table, frame.patients, frame.rows, frame.data, frame.raw)


def _encode_nothing(settings: EncodeSettings, tables: "CodeTables") -> None:
    """Encode a chunk without patients. It calls no kernel, which may not be compiled yet."""
    from engine.tables import Chunk

    for name in settings.formats:
        encode_chunks([Chunk(0, 0, True)], tables, name, settings.compress)


def encode_run_tables(tables: "Sequence[RunTable]", formats: Sequence[str], compress: str) -> list[Piece]:
    """The tables of the run as whole files in each format."""
    from engine.records import encode_run_table

    pieces = []
    for name in formats:
        for table in tables:
            frame = encode_run_table(table, name, compress)
            path = FORMATS[name].filename(table.name, 0, compress)
            pieces.append(Piece(path, name, table.name, frame.patients, frame.rows, frame.data))
    return pieces


def generate_run_tables(tables: "Sequence[RunTable]", formats: Sequence[str], compress: str) -> list[Piece]:
    """`encode_run_tables` as a Ray task: the generators have loaded what it needs, the simulator has not."""
    lower_priority()
    check_package_root()
    restore_pyarrow()
    return encode_run_tables(tables, formats, compress)


def generate(
    settings: EncodeSettings, first_chunk: int, *batches: "Sequence[Chunk]"
) -> tuple[EncodedChunks, ProcessId]:
    """`encode` as a Ray task. The encoded bytes pass through the object store without a copy."""
    import ray

    lower_priority()
    check_package_root()
    restore_pyarrow()
    encoded = encode(settings, first_chunk, *batches)
    wrapped = [piece._replace(data=pickle.PickleBuffer(piece.data), raw=None) for piece in encoded.pieces]
    process = ProcessId(ray.get_runtime_context().get_node_id(), os.getpid())
    return encoded._replace(pieces=wrapped), process

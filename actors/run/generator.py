"""generate: the stateless task that encodes chunks of columns into pieces of part files."""

import os
import pickle
from collections.abc import Sequence
from typing import TYPE_CHECKING

from actors.cluster import check_package_root, hide_pyarrow_in_worker, lower_priority, restore_pyarrow
from actors.run.messages import EncodedChunks, EncodeSettings, Piece, ProcessId
from engine.records import FORMATS, encode_chunks

hide_pyarrow_in_worker()

if TYPE_CHECKING:
    from engine.records import CodeTables
    from engine.tables import Chunk

CODE_TABLES_KEPT = 2
"""Scenarios whose code tables a process keeps: those it used last."""

_code_tables: "dict[bytes, CodeTables]" = {}


def _code_tables_of(settings: EncodeSettings) -> "CodeTables":
    tables = _code_tables.pop(settings.scenario, None)
    if tables is None:
        import msgspec

        from engine.precomputed import TEXT_KINDS
        from engine.records import CodeTables, TextSource
        from engine.scenario import Scenario

        scenario = msgspec.json.decode(settings.scenario, type=Scenario)
        precomputed = settings.cache.get_or_build(scenario, TEXT_KINDS) if settings.cache else {}
        tables = CodeTables(scenario, TextSource(precomputed))
    _code_tables[settings.scenario] = tables
    if len(_code_tables) > CODE_TABLES_KEPT:
        del _code_tables[next(iter(_code_tables))]
    return tables


def encode(settings: EncodeSettings, first_chunk: int, *batches: "Sequence[Chunk]") -> EncodedChunks:
    """The pieces of all formats of one lane, for the chunks of `batches` from number `first_chunk` on.

    All belong to one part. Without chunks nothing is encoded: the call warms up the process.
    """
    tables = _code_tables_of(settings)
    chunks = [chunk for batch in batches for chunk in batch if chunk.number >= first_chunk]
    if not chunks:
        return EncodedChunks(settings.lane, 0, 0, [])
    pieces = []
    for name in settings.formats:
        info = FORMATS[name]
        part = info.part_number(chunks[0].first)
        for frame in encode_chunks(chunks, tables, name, settings.compress):
            path = info.filename(frame.table, part, settings.compress)
            pieces.append(Piece(path, name, frame.table, frame.patients, frame.rows, frame.data))
    return EncodedChunks(settings.lane, chunks[0].number, len(chunks), pieces)


def generate(
    settings: EncodeSettings, first_chunk: int, *batches: "Sequence[Chunk]"
) -> tuple[EncodedChunks, ProcessId]:
    """`encode` as a Ray task. The encoded bytes pass through the object store without a copy."""
    import ray

    lower_priority()
    check_package_root()
    restore_pyarrow()
    encoded = encode(settings, first_chunk, *batches)
    wrapped = [piece._replace(data=pickle.PickleBuffer(piece.data)) for piece in encoded.pieces]
    process = ProcessId(ray.get_runtime_context().get_node_id(), os.getpid())
    return encoded._replace(pieces=wrapped), process

"""generate: the stateless task that turns chunks of columns into encoded pieces of part files."""

import os
import pickle
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from actors.cluster import check_package_root, hide_pyarrow_in_worker, lower_priority, restore_pyarrow
from actors.run.writer import Delivery, Piece
from engine.records import COMPRESSIONS, FORMATS, encode_chunks

hide_pyarrow_in_worker()

if TYPE_CHECKING:
    from actors.cache import SharedCache
    from engine.records import CodeTables
    from engine.tables import Chunk

CHUNK, PART, WHOLE = "chunk", "part", "whole"
"""The lanes: formats that are encoded chunk by chunk, those that need all chunks of a part at once, and, where a run
has several writers, those of which the run is a single part."""

FORMAT_NAMES = tuple(FORMATS)
"""Names of the formats."""

SUFFIXES = COMPRESSIONS
"""Ways to compress, and what they add to the name of a file."""


class EncodeOrder(NamedTuple):
    """What to generate: the same for every chunk of a lane.

    `scenario` is the resolved scenario as JSON; it identifies the string tables a process keeps between chunks. They
    come from `cache`, where there is one.
    """

    lane: str
    formats: tuple[str, ...]
    compress: str
    scenario: bytes
    cache: "SharedCache | None" = None


class Origin(NamedTuple):
    """Where a delivery was made: for the memory figures, and for tests that kill the process."""

    node: str
    pid: int


_lexicons: "dict[bytes, CodeTables]" = {}
"""Of the two scenarios used last."""


def _lexicon(order: EncodeOrder) -> "CodeTables":
    lexicon = _lexicons.pop(order.scenario, None)
    if lexicon is None:
        import msgspec

        from engine.precomputed import TEXT_KINDS
        from engine.records import CodeTables, TextSource
        from engine.scenario import Scenario

        scenario = msgspec.json.decode(order.scenario, type=Scenario)
        made = order.cache.get_or_build(scenario, TEXT_KINDS) if order.cache else {}
        lexicon = CodeTables(scenario, TextSource(made))
    _lexicons[order.scenario] = lexicon
    if len(_lexicons) > 2:
        del _lexicons[next(iter(_lexicons))]
    return lexicon


def encode(order: EncodeOrder, chunks: "Sequence[Chunk]") -> Delivery:
    """The pieces of all formats of one lane, for consecutive chunks of one part.

    Except in lane "part" that is a single chunk. Without any chunk nothing is encoded: the call prepares the process.
    """
    lexicon = _lexicon(order)
    if not chunks:
        return Delivery(order.lane, 0, 0, [])
    pieces = []
    for name in order.formats:
        info = FORMATS[name]
        part = info.part_number(chunks[0].first)
        for frame in encode_chunks(chunks, lexicon, name, order.compress):
            path = info.filename(frame.table, part, order.compress)
            pieces.append(Piece(path, name, frame.table, frame.patients, frame.rows, frame.data))
    return Delivery(order.lane, chunks[0].number, len(chunks), pieces)


def lanes(names: Sequence[str], writers: int = 1) -> dict[str, tuple[str, ...]]:
    """The formats of each lane that has any."""
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        info = FORMATS[name]
        lane = WHOLE if writers > 1 and info.part_patients is None else info.unit
        found[lane] = (*found.get(lane, ()), name)
    return found


def generate(order: EncodeOrder, *chunks: "Chunk") -> tuple[Delivery, Origin]:
    """`encode` as a Ray task: its bytes go through the object store without being copied."""
    import ray

    lower_priority()
    check_package_root()
    restore_pyarrow()
    delivery = encode(order, chunks)
    wrapped = [piece._replace(data=pickle.PickleBuffer(piece.data)) for piece in delivery.pieces]
    origin = Origin(ray.get_runtime_context().get_node_id(), os.getpid())
    return delivery._replace(pieces=wrapped), origin

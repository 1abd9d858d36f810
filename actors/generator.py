"""generate: the stateless task that turns chunks of columns into encoded pieces of part files."""

import functools
import os
import pickle
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from actors import cluster, one_root
from actors.writer import Delivery, Piece
from engine import formats

cluster.spare_memory()

if TYPE_CHECKING:
    from engine.columns import Chunk
    from engine.lexicon import Lexicon

CHUNK, PART = "chunk", "part"
"""The lanes: formats that are encoded chunk by chunk, and those that need all chunks of a part at once."""

FORMATS = tuple(formats.FORMATS)
"""Names of the formats."""

SUFFIXES = formats.COMPRESSIONS
"""Ways to compress, and what they add to the name of a file."""


class Order(NamedTuple):
    """What to generate: the same for every chunk of a lane.

    `scenario` is the resolved scenario as JSON; it identifies the string tables a process keeps between chunks.
    """

    lane: str
    formats: tuple[str, ...]
    compress: str
    scenario: bytes


class Origin(NamedTuple):
    """Where a delivery was made: for the memory figures, and for tests that kill the process."""

    node: str
    pid: int


@functools.lru_cache(maxsize=2)
def _lexicon(scenario: bytes) -> "Lexicon":
    import msgspec

    from engine.lexicon import Lexicon
    from engine.scenario import Scenario

    return Lexicon(msgspec.json.decode(scenario, type=Scenario))


def encode(order: Order, chunks: "Sequence[Chunk]") -> Delivery:
    """The pieces of all formats of one lane, for consecutive chunks of one part.

    In lane "chunk" that is a single chunk. Without any chunk nothing is encoded: the call prepares the process.
    """
    lexicon = _lexicon(order.scenario)
    if not chunks:
        return Delivery(order.lane, 0, 0, [])
    pieces = []
    for name in order.formats:
        info = formats.FORMATS[name]
        part = info.part_number(chunks[0].first)
        for frame in formats.encode(chunks, lexicon, name, order.compress):
            path = info.filename(frame.table, part, order.compress)
            pieces.append(Piece(path, name, frame.table, frame.patients, frame.rows, frame.data))
    return Delivery(order.lane, chunks[0].number, len(chunks), pieces)


def lanes(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The formats of each lane that has any."""
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        lane = formats.FORMATS[name].unit
        found[lane] = (*found.get(lane, ()), name)
    return found


def generate(order: Order, *chunks: "Chunk") -> tuple[Delivery, Origin]:
    """`encode` as a Ray task: its bytes go through the object store without being copied."""
    import ray

    cluster.be_nice()
    one_root.check()
    cluster.restore_pyarrow()
    delivery = encode(order, chunks)
    wrapped = [piece._replace(data=pickle.PickleBuffer(piece.data)) for piece in delivery.pieces]
    origin = Origin(ray.get_runtime_context().get_node_id(), os.getpid())
    return delivery._replace(pieces=wrapped), origin

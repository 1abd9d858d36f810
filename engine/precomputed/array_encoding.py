"""Arrays of cached values as plain data: the name of a layout, the shape, and the bytes.

A name stands for a layout of this engine; bytes never describe one themselves. The key of a value contains the engine's
version, so a name always means the same layout.
"""

import math
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.arrivals import BRIDGE_LENGTH, CELL, LISTED, PATTERN, RATE, ArrivalPlan, Group, SizeTables
from engine.codes import STREAMS
from engine.compile import TILT
from engine.errors import shown
from engine.tables import CARE, INJURIES, NETWORK, PEOPLE, SURVIVAL, TRANSITIONS, TYPES

FLOATS, INTS = "f8", "i8"
TABLES: dict[str, "np.dtype[Any]"] = {
    "people": PEOPLE,
    "injuries": INJURIES,
    "survival": SURVIVAL,
    "network": NETWORK,
    "care": CARE,
    "transitions": TRANSITIONS,
}
"""Layouts of kinds of value that are one row."""

LAYOUTS: dict[str, "np.dtype[Any]"] = {
    FLOATS: np.dtype(np.float64),
    INTS: np.dtype(np.int64),
    "cell": CELL,
    "pattern": PATTERN,
    "rate": RATE,
    "listed": LISTED,
    "tilts": TILT,
    **TABLES,
}
"""All layouts of arrays, by name."""

PLAN_BYTES = 64 * 1024 * 1024
"""Largest size of an arrival plan. 200 fronts with 255 special events each have 102,000 cells, 17 MB."""

_HEAD_BYTES = 64
"""Room for name and shape of an array."""


class EncodedArray(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An array as plain data."""

    layout: str
    """A key of LAYOUTS."""
    shape: tuple[int, ...]
    data: memoryview


def encode_array(array: NDArray[Any], layout: str) -> EncodedArray:
    """Return an array, which has this layout, as plain data."""
    if array.dtype != LAYOUTS[layout]:
        raise TypeError(f"an array of {array.dtype} is no {layout}")
    # NumPy copies field by field, so the gaps between fields are zero and show nothing of this process's memory.
    clean = np.zeros(array.shape, LAYOUTS[layout])
    clean[...] = array
    return EncodedArray(layout, array.shape, memoryview(clean.tobytes()))


def decode_array(encoded: EncodedArray, layout: str, dimensions: int) -> NDArray[Any]:
    """Return the array of `encode_array`: one that may be written to.

    Raises
    ------
    ValueError
        If it has another layout or number of dimensions, or if shape and number of bytes disagree.
    """
    shape = encoded.shape
    if encoded.layout != layout or len(shape) != dimensions or min(shape) < 0:
        raise ValueError(
            f"an array {shown(encoded.layout)} of shape {shown(shape)}, not {layout} of {dimensions} dimensions"
        )
    size = math.prod(shape) * LAYOUTS[layout].itemsize
    if size != encoded.data.nbytes:
        raise ValueError(f"{encoded.data.nbytes:,} bytes for an array of {size:,}")
    return np.ndarray(shape, LAYOUTS[layout], bytearray(encoded.data))


def table_encoding(
    kind: str,
) -> tuple[int, Callable[[NDArray[Any]], bytes], Callable[[bytes], NDArray[Any]]]:
    """Return the encoding of the kinds that are one array: one row of TABLES, or the tilts by warfare type."""
    layout, shape = (kind, (1,)) if kind in TABLES else ("tilts", (TYPES,))
    if kind not in (*TABLES, "tilts"):
        raise KeyError(kind)

    def encode(value: NDArray[Any]) -> bytes:
        return msgspec.msgpack.encode(encode_array(value, layout))

    def decode(data: bytes) -> NDArray[Any]:
        found = decode_array(msgspec.msgpack.decode(data, type=EncodedArray), layout, len(shape))
        if found.shape != shape:
            raise ValueError(f"an array of shape {found.shape}, not {shape}")
        return found

    return math.prod(shape) * LAYOUTS[layout].itemsize + _HEAD_BYTES, encode, decode


class EncodedPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An `ArrivalPlan` as plain data."""

    days: int
    total: int | None
    depletion: bool
    day_weights: EncodedArray
    cells: EncodedArray
    labels: tuple[tuple[str | None, str | None], ...]
    patterns: EncodedArray
    probability: EncodedArray
    cumulated: EncodedArray
    renewal: EncodedArray
    sizes: EncodedArray
    streams: tuple[tuple[str, float], ...]
    groups: tuple[Group, ...]
    rates: EncodedArray
    fronts: tuple[str, ...]
    populations: EncodedArray
    returning: EncodedArray
    replacements: EncodedArray
    listed: EncodedArray


def encode_plan(plan: ArrivalPlan) -> bytes:
    """Return the plan as MessagePack."""
    encoded = EncodedPlan(
        days=plan.days,
        total=plan.total,
        depletion=plan.depletion,
        day_weights=encode_array(plan.day_weights, FLOATS),
        cells=encode_array(plan.cells, "cell"),
        labels=plan.labels,
        patterns=encode_array(plan.patterns, "pattern"),
        probability=encode_array(plan.sizes.probability, FLOATS),
        cumulated=encode_array(plan.sizes.cumulated, FLOATS),
        renewal=encode_array(plan.sizes.renewal, FLOATS),
        sizes=encode_array(plan.sizes.shape, INTS),
        streams=plan.streams,
        groups=plan.groups,
        rates=encode_array(plan.rates, "rate"),
        fronts=plan.fronts,
        populations=encode_array(plan.populations, INTS),
        returning=encode_array(plan.returning, FLOATS),
        replacements=encode_array(plan.replacements, FLOATS),
        listed=encode_array(plan.listed, "listed"),
    )
    return msgspec.msgpack.encode(encoded)


def decode_plan(data: bytes) -> ArrivalPlan:
    """Return the plan of `encode_plan`. Raises ValueError for anything else, and if lengths disagree."""
    encoded = msgspec.msgpack.decode(data, type=EncodedPlan)
    sizes = SizeTables(
        decode_array(encoded.probability, FLOATS, 2),
        decode_array(encoded.cumulated, FLOATS, 2),
        decode_array(encoded.renewal, FLOATS, 2),
        decode_array(encoded.sizes, INTS, 2),
    )
    plan = ArrivalPlan(
        days=encoded.days,
        total=encoded.total,
        depletion=encoded.depletion,
        day_weights=decode_array(encoded.day_weights, FLOATS, 1),
        cells=decode_array(encoded.cells, "cell", 1),
        labels=encoded.labels,
        patterns=decode_array(encoded.patterns, "pattern", 1),
        sizes=sizes,
        streams=encoded.streams,
        groups=encoded.groups,
        rates=decode_array(encoded.rates, "rate", 1),
        fronts=encoded.fronts,
        populations=decode_array(encoded.populations, INTS, 1),
        returning=decode_array(encoded.returning, FLOATS, 2),
        replacements=decode_array(encoded.replacements, FLOATS, 1),
        listed=decode_array(encoded.listed, "listed", 1),
    )
    laws, columns = sizes.probability.shape
    lengths = (
        (len(plan.day_weights), plan.days),
        (len(plan.labels), len(plan.cells)),
        (len(plan.populations), len(plan.fronts)),
        (len(plan.replacements), len(plan.fronts)),
        (len(plan.returning), len(STREAMS)),
        (sizes.cumulated.shape, (laws, columns)),
        (sizes.renewal.shape, (laws, BRIDGE_LENGTH * (columns - 1) + 1)),
        (sizes.shape.shape, (laws, 3)),
    )
    for found, expected in lengths:
        if found != expected:
            raise ValueError(f"an arrival plan with a length of {found} instead of {expected}")
    return plan

"""Cached values as bytes: plain data of a known type for each kind, compressed.

What is read may come from a cache that others can write to. So nothing is unpickled, no size is believed before it is
checked, and every part of a value has the type and shape that its kind requires. NumPy is loaded for arrays only.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import msgspec
import zstandard

from engine.precomputed.cache_keys import MEASURES_KIND, REPLICATIONS_KIND

MEGABYTE = 1024 * 1024

LARGEST_PACKED = 16 * MEGABYTE
"""Largest size of a packed value. Those of the built-in scenarios have up to 20 kB."""

_COMPRESSION_LEVEL = 1
_LARGEST_WINDOW = 8 * MEGABYTE
"""Memory that decompression may need besides the value. Level 1 needs 0.5 MB."""


class Encoding(NamedTuple):
    """How values of one kind become bytes."""

    largest: int
    """Largest size of the bytes before compression."""
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    """The inverse. Raises ValueError for bytes that are no value of this kind."""


def pack_value(kind: str, value: Any) -> bytes:
    """Encode a value as bytes. They are compressed, because the tables of a network are mostly empty."""
    return zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL).compress(_encoding_of(kind).encode(value))


def unpack_value(kind: str, data: bytes) -> Any:
    """Decode a value of a kind that `pack_value` has encoded.

    Raises
    ------
    ValueError
        If the bytes are anything else, or a value of another kind.
    """
    encoding = _encoding_of(kind)
    try:
        if len(data) > LARGEST_PACKED:
            raise ValueError(f"{len(data):,} bytes; allowed: {LARGEST_PACKED:,}")
        size = zstandard.get_frame_parameters(data).content_size
        if not 0 <= size <= encoding.largest:  # -1: the size is not given
            raise ValueError(f"{size:,} bytes when it is decompressed; allowed: {encoding.largest:,}")
        decompressor = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
        return encoding.decode(decompressor.decompress(data, allow_extra_data=False))
    except Exception as error:
        raise ValueError(f"not a cached value of the kind {kind}: {error}") from error


@cache
def _encoding_of(kind: str) -> Encoding:
    if kind == MEASURES_KIND:
        return Encoding(64 * MEGABYTE, bytes, _decode_measures)
    if kind == REPLICATIONS_KIND:
        return Encoding(64 * MEGABYTE, _encode_replications, _decode_replications)
    if kind == "names":
        return Encoding(8 * MEGABYTE, msgspec.msgpack.encode, _decode_names)
    if kind == "diagnoses":
        return Encoding(4 * MEGABYTE, msgspec.msgpack.encode, _decode_diagnoses)
    from engine.precomputed.array_encoding import PLAN_BYTES, decode_plan, encode_plan, table_encoding

    if kind == "arrivals":
        return Encoding(PLAN_BYTES, encode_plan, decode_plan)
    return Encoding(*table_encoding(kind))


class _Measures(msgspec.Struct):
    """What every summary.json has."""

    patients: int


def _decode_measures(data: bytes) -> bytes:
    msgspec.json.decode(data, type=_Measures)
    return data


class _Replications(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The names of the measures; row by row their values as little-endian float64, and bits: which are given?"""

    names: tuple[str, ...]
    count: int
    values: bytes
    given: bytes


def _encode_replications(value: Any) -> bytes:
    import numpy as np

    given = np.ones(value.values.shape, np.bool_) if value.given is None else value.given
    data = value.values.astype("<f8").tobytes()
    bits = np.packbits(given, axis=None).tobytes()
    return msgspec.msgpack.encode(_Replications(value.names, len(value.values), data, bits))


def _decode_replications(data: bytes) -> Any:
    import numpy as np

    from engine.run import Replications

    found = msgspec.msgpack.decode(data, type=_Replications)
    if list(found.names) != sorted(set(found.names)):
        raise ValueError("the names of the measures are not sorted")
    shape = found.count, len(found.names)
    values = np.frombuffer(found.values, "<f8").astype(np.float64).reshape(shape)
    given = np.unpackbits(np.frombuffer(found.given, np.uint8))
    if given.size - values.size not in range(8):
        raise ValueError("the bits of the values have a wrong length")
    return Replications(found.names, values, given[: values.size].astype(np.bool_).reshape(shape))


def _decode_names(data: bytes) -> dict[str, dict[str, Any]]:
    from scenarios import catalogue

    names = msgspec.msgpack.decode(data, type=dict[str, catalogue.Names])
    return {code: msgspec.structs.asdict(each) for code, each in names.items()}


def _decode_diagnoses(data: bytes) -> Any:
    from engine.records import CodedText

    return msgspec.msgpack.decode(data, type=tuple[tuple[CodedText, ...], tuple[CodedText, ...]])

"""Compression into frames that can be concatenated: one gzip member or zstd frame for each chunk.

The bytes are the same in every process.
"""

from typing import Any

from engine.records.formats.base import Frame

_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Deflate, no name, no time, unknown system. `gzip.compress` writes other headers in other versions of Python."""

GZIP_LEVEL = 2
ZSTD_LEVEL = 1


def compressed(data: bytes | bytearray | memoryview, method: str) -> bytes | bytearray | memoryview:
    """Return `data` as one gzip member or zstd frame (with its size in the header), or unchanged for method `none`."""
    if method == "gzip":
        return _gzip(data)
    if method == "zstd":
        import zstandard

        return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_content_size=True, threads=0).compress(data)
    return data


def frame(table: str, raw: bytes | bytearray | memoryview, method: str, patients: int, rows: int) -> Frame:
    """Compress the rows of a table."""
    kept = None if method == "none" else raw
    return Frame(table, compressed(raw, method), patients, rows, len(raw), kept)


def _gzip(data: bytes | bytearray | memoryview) -> bytes:
    from isal import isal_zlib

    zlib: Any = isal_zlib
    body = zlib.compress(data, GZIP_LEVEL, wbits=-15)
    trailer = zlib.crc32(data).to_bytes(4, "little") + (len(data) & 0xFFFFFFFF).to_bytes(4, "little")
    return b"".join((_GZIP_HEADER, body, trailer))

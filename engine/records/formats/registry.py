"""The registry of formats: every module of the package that exports a `FORMAT`."""

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from engine.records.formats.base import COMPRESSIONS, Format, Frame

if TYPE_CHECKING:
    from engine.records.code_tables import CodeTables
    from engine.tables import Chunk

_PACKAGE = __name__.rpartition(".")[0]


def _registered() -> dict[str, Format]:
    """Return the formats of this package's modules by name, the default first."""
    modules = (
        import_module(f"{_PACKAGE}.{module.name}")
        for module in iter_modules(import_module(_PACKAGE).__path__)
    )
    formats = [module.FORMAT for module in modules if hasattr(module, "FORMAT")]
    return {info.name: info for info in sorted(formats, key=lambda info: (info.name != "jsonl", info.name))}


FORMATS = _registered()
"""The formats by name."""


def encode_chunks(
    chunks: "Sequence[Chunk]", code_tables: "CodeTables", fmt: str, compress: str = "none"
) -> list[Frame]:
    """Encode consecutive chunks in one format.

    Parameters
    ----------
    chunks
        Chunks of one run. For a format whose unit is the part, all chunks of one part.
    code_tables
        The texts behind the codes.
    fmt
        A key of FORMATS.
    compress
        A key of COMPRESSIONS.

    Returns
    -------
    list[Frame]
        The frames chunk by chunk, and within a chunk in the order of `FORMATS[fmt].tables`.

    Raises
    ------
    KeyError
        If the format or the compression is unknown.
    """
    info = FORMATS[fmt]
    if compress not in COMPRESSIONS:
        raise KeyError(compress)
    return info.encode(chunks, code_tables, compress)

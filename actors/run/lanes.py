"""Lanes: the formats of a run, grouped by how many chunks one encoding needs.

The names are stored in the journals of unfinished runs.
"""

from collections.abc import Sequence

from engine.records import FORMATS, PARQUET_PART_PATIENTS

CHUNK_LANE = "chunk"
"""Formats that are encoded chunk by chunk."""

PART_LANE = "part"
"""Formats that need all chunks of a part at once (Parquet)."""

RUN_LANE = "whole"
"""Where a run has several writers: formats that are encoded chunk by chunk into one file for the whole run."""


def formats_by_lane(formats: Sequence[str], writers: int = 1) -> dict[str, tuple[str, ...]]:
    """The formats of each lane that has any."""
    found: dict[str, tuple[str, ...]] = {}
    for name in formats:
        info = FORMATS[name]
        lane = RUN_LANE if writers > 1 and info.part_patients is None else info.unit
        found[lane] = (*found.get(lane, ()), name)
    return found


def writes_texts(formats: Sequence[str]) -> bool:
    """Whether a format is written by the compiled kernel of records."""
    return any(FORMATS[name].unit == CHUNK_LANE for name in formats)


def chunks_per_parquet_part(chunk_size: int) -> int:
    """Chunks in a Parquet part that is full. No chunk crosses the border of a part."""
    return -(-PARQUET_PART_PATIENTS // chunk_size)

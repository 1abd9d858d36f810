"""One run on Ray or in process: pipeline, simulator, generators, writers, journal and output."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from actors.run.generator import FORMAT_NAMES, SUFFIXES
    from actors.run.object_store import STAGING_FOLDER, ObjectStore, Url, is_url, parse_url, staging_folder
    from actors.run.output_folder import (
        MANIFEST,
        SUMMARY,
        named_in,
        replaceable,
        run_of_manifest,
        sync,
        try_lock,
        unfinished,
    )
    from actors.run.pipeline import (
        AUTOMATIC_WORKERS,
        CHUNK_SIZE,
        PARQUET_PART,
        Progress,
        RunRequest,
        RunResult,
        run_scenario,
    )
    from actors.run.recorder import run_recorded
    from actors.run.shards import divide_fronts

__getattr__ = lazy_attributes(
    __name__,
    {
        "generator": (
            "FORMAT_NAMES",
            "SUFFIXES",
        ),
        "object_store": (
            "ObjectStore",
            "STAGING_FOLDER",
            "Url",
            "is_url",
            "parse_url",
            "staging_folder",
        ),
        "output_folder": (
            "MANIFEST",
            "SUMMARY",
            "named_in",
            "replaceable",
            "run_of_manifest",
            "sync",
            "try_lock",
            "unfinished",
        ),
        "pipeline": (
            "AUTOMATIC_WORKERS",
            "CHUNK_SIZE",
            "PARQUET_PART",
            "Progress",
            "RunRequest",
            "RunResult",
            "run_scenario",
        ),
        "recorder": ("run_recorded",),
        "shards": ("divide_fronts",),
    },
)

__all__ = [
    "AUTOMATIC_WORKERS",
    "CHUNK_SIZE",
    "FORMAT_NAMES",
    "MANIFEST",
    "PARQUET_PART",
    "STAGING_FOLDER",
    "SUFFIXES",
    "SUMMARY",
    "ObjectStore",
    "Progress",
    "RunRequest",
    "RunResult",
    "Url",
    "divide_fronts",
    "is_url",
    "named_in",
    "parse_url",
    "replaceable",
    "run_of_manifest",
    "run_recorded",
    "run_scenario",
    "staging_folder",
    "sync",
    "try_lock",
    "unfinished",
]

"""One run, in process or on Ray: its driver, scheduler, executors, actors, journal and output."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from actors.run.compilation import compile_before
    from actors.run.driver import run_scenario
    from actors.run.files import Folder, sync_folder, try_lock
    from actors.run.manifest import (
        EXPERIMENT_FILES,
        MANIFEST,
        MAX_MANIFEST_BYTES,
        OUTPUT_NAMES,
        RESULT_FILES,
        SUMMARY,
        Manifest,
        decode_manifest,
    )
    from actors.run.messages import Compiling
    from actors.run.object_store import ObjectStore
    from actors.run.output_folder import OutputFolder, find_unfinished_run, replaceable_files
    from actors.run.part import Part
    from actors.run.progress import Progress
    from actors.run.recorder import Recorder, recorded, run_recorded
    from actors.run.request import AUTOMATIC_WORKERS, CHUNK_SIZE, FORMAT_NAMES, MAX_CHUNK_SIZE, RunRequest
    from actors.run.result import RunResult
    from actors.run.run_file import RunFile, engine_digest, libraries
    from actors.run.shards import divide_fronts
    from actors.run.url import STAGING_VARIABLE, Url, is_url, parse_url, staging_folder

__getattr__ = lazy_attributes(
    __name__,
    {
        "compilation": ("compile_before",),
        "driver": ("run_scenario",),
        "messages": ("Compiling",),
        "files": (
            "Folder",
            "sync_folder",
            "try_lock",
        ),
        "manifest": (
            "EXPERIMENT_FILES",
            "MANIFEST",
            "MAX_MANIFEST_BYTES",
            "Manifest",
            "OUTPUT_NAMES",
            "RESULT_FILES",
            "SUMMARY",
            "decode_manifest",
        ),
        "object_store": ("ObjectStore",),
        "output_folder": (
            "OutputFolder",
            "find_unfinished_run",
            "replaceable_files",
        ),
        "part": ("Part",),
        "progress": ("Progress",),
        "recorder": (
            "Recorder",
            "recorded",
            "run_recorded",
        ),
        "request": (
            "AUTOMATIC_WORKERS",
            "CHUNK_SIZE",
            "FORMAT_NAMES",
            "MAX_CHUNK_SIZE",
            "RunRequest",
        ),
        "result": ("RunResult",),
        "run_file": (
            "RunFile",
            "engine_digest",
            "libraries",
        ),
        "shards": ("divide_fronts",),
        "url": (
            "STAGING_VARIABLE",
            "Url",
            "is_url",
            "parse_url",
            "staging_folder",
        ),
    },
)

__all__ = [
    "AUTOMATIC_WORKERS",
    "CHUNK_SIZE",
    "EXPERIMENT_FILES",
    "FORMAT_NAMES",
    "MANIFEST",
    "MAX_CHUNK_SIZE",
    "MAX_MANIFEST_BYTES",
    "OUTPUT_NAMES",
    "RESULT_FILES",
    "STAGING_VARIABLE",
    "SUMMARY",
    "Compiling",
    "Folder",
    "Manifest",
    "ObjectStore",
    "OutputFolder",
    "Part",
    "Progress",
    "Recorder",
    "RunFile",
    "RunRequest",
    "RunResult",
    "Url",
    "compile_before",
    "decode_manifest",
    "divide_fronts",
    "engine_digest",
    "find_unfinished_run",
    "is_url",
    "libraries",
    "parse_url",
    "recorded",
    "replaceable_files",
    "run_recorded",
    "run_scenario",
    "staging_folder",
    "sync_folder",
    "try_lock",
]

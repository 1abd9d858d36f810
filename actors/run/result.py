"""RunResult: what a finished run has written, and what it took."""

from pathlib import Path
from typing import Any

import msgspec

from actors.run.part import Part
from actors.run.url import Url


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished run has written, and what it took.

    Attributes
    ----------
    patients
        The number of patients.
    output
        The folder or URL that holds the files.
    files
        All files, in the order of the manifest, which comes last.
    parts
        The files of the tables, as the manifest lists them.
    measures
        The content of `summary.json`.
    seconds
        From Ray ready to the manifest on disk, without `compile_seconds`.
    compile_seconds
        The time that the run waited for the compilation of what was not in the cache.
    bytes
        The bytes of all parts.
    peak_pss_mb
        The highest sum of memory (PSS) over driver, compilers, simulators, generators and writers. Ray's daemons
        do not count.
    pss_mb
        The memory of each role at that moment.
    recoveries
        The faults that the run recovered from.
    notes
        What went wrong without ending the run.
    resumed
        Whether an earlier start had written some of it.
    run_id
        The id of the run.
    workers
        The number of generators.
    """

    patients: int
    output: Path | Url
    files: list[Path | Url]
    parts: list[Part]
    measures: dict[str, Any]
    seconds: float
    patients_per_second: float
    bytes: int
    peak_pss_mb: float
    pss_mb: dict[str, float]
    recoveries: int = 0
    notes: tuple[str, ...] = ()
    resumed: bool = False
    run_id: str = ""
    workers: int = 0
    compile_seconds: float = 0.0

"""RunRequest: what to run, with the checks that need nothing but the request."""

from pathlib import Path

import msgspec

from actors.cluster import default_workers, ray_address
from actors.run.shards import divide_fronts
from actors.run.url import Url
from engine.errors import InputError
from engine.records import COMPRESSIONS, FORMATS, PARQUET_PART_PATIENTS
from engine.scenario import Scenario

CHUNK_SIZE = 2048
"""Patients in a chunk by default: as fast as 4,096 and 100 MB smaller, at 4 kB a record."""

MAX_CHUNK_SIZE = PARQUET_PART_PATIENTS
"""Largest chunk size: no chunk crosses the border of a Parquet part."""

AUTOMATIC_WORKERS = -1
"""Workers: as many as the cluster has CPUs. One CPU is left to the simulator, or to each of several and their merge."""

FORMAT_NAMES = tuple(FORMATS)
"""Names of the formats."""


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to run, where to, and with which processes.

    Attributes
    ----------
    scenario
        The resolved scenario.
    original
        The scenario as the user gave it, with overrides.
    output
        The output folder. With a `destination`, the folder where the files are written before they are uploaded.
    destination
        The URL that the files are uploaded to, if any.
    workers
        The number of generators. 0: everything runs in this process, without Ray. `AUTOMATIC_WORKERS`: as many as the
        cluster has CPUs.
    writers
        The number of writers, who share the parts.
    simulators
        The number of simulators, who share the fronts: at most as many as can be simulated apart.
    address
        The address of a running Ray; None: a local one.
    force
        Replace an earlier run in the output.
    version
        The version of goldenhour, for the manifest.
    run_id
        The id of the run; empty: a new one.
    sync_seconds
        The shortest time between two lines of the journal; None: as the environment says, or 1.
    """

    scenario: Scenario
    original: Scenario
    seed: int
    output: Path
    destination: Url | None = None
    replication: int = 0
    formats: tuple[str, ...] = ("jsonl",)
    compress: str = "none"
    workers: int = msgspec.field(default_factory=default_workers)
    writers: int = 1
    simulators: int = 1
    chunk_size: int = CHUNK_SIZE
    address: str | None = None
    force: bool = False
    version: str = ""
    run_id: str = ""
    sync_seconds: float | None = None

    @property
    def cpus_of_simulators(self) -> int:
        """CPUs that several simulators and their merge take beyond the one that is left to a single simulator."""
        return self.simulators if self.simulators > 1 else 0


def check_request(request: RunRequest) -> None:
    """Raise InputError if the settings of a request are invalid or exclude each other."""
    if not request.formats:
        raise InputError("formats: got none; at least one is needed")
    if len(set(request.formats)) != len(request.formats):
        raise InputError(f"formats: each may be given once; got {', '.join(request.formats)}")
    for name in request.formats:
        if name not in FORMATS:
            raise InputError(f"unknown format {name!r}; allowed: {', '.join(FORMATS)}")
    if request.compress not in COMPRESSIONS:
        raise InputError(f"unknown compression {request.compress!r}; allowed: {', '.join(COMPRESSIONS)}")
    on_cluster = ray_address(request.address) != "local"
    if request.workers < 0 and not (on_cluster and request.workers == AUTOMATIC_WORKERS):
        raise InputError(f"workers: got {request.workers}; allowed: 0 (no Ray) or more")
    if request.writers < 1 or (request.writers > 1 and request.workers == 0):
        raise InputError(f"writers: got {request.writers}; allowed: 1, or more with workers")
    if request.simulators < 1 or (request.simulators > 1 and request.workers == 0):
        raise InputError(f"simulators: got {request.simulators}; allowed: 1, or more with workers")
    if not 1 <= request.chunk_size <= MAX_CHUNK_SIZE:
        raise InputError(f"chunk size: got {request.chunk_size}; allowed: 1 to {MAX_CHUNK_SIZE}")
    if request.replication < 0:
        raise InputError(f"replication: got {request.replication}; allowed: 0 or more")
    divide_fronts(msgspec.json.encode(request.scenario), request.simulators)

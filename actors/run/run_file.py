"""RunFile: what an unfinished run or experiment is, stored beside its files so that it can be resumed."""

import functools
import hashlib
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from actors.run.files import Folder
from actors.run.manifest import OUTPUT_NAMES
from actors.run.schema_version import SCHEMA, damaged, decode
from actors.run.url import is_url, parse_url
from engine import identity
from engine.errors import InputError, shown
from engine.records import COMPRESSIONS, FORMATS, PARQUET_PART_PATIENTS

RUN_FILE = "run.json"

MAX_BYTES = 1 << 26
"""No run file is larger: a scenario has at most 4 MiB, and the names of a million files 30 MB."""

MAX_PROCESSES = 1024
"""Most workers, and most writers."""

Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{1,64}\Z")]
Version = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9.+!_-]{0,64}\Z")]
Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")]
Seed = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Processes = Annotated[int, msgspec.Meta(ge=1, le=MAX_PROCESSES)]

EXPERIMENT_KINDS = ("experiment", "optimisation")

COMPARED_FIELDS = {
    "scenario_hash": "scenario",
    "seed": "seed",
    "replication": "replication",
    "formats": "formats",
    "compress": "compression",
    "chunk_size": "chunk size",
    "writers": "writers",
    "version": "version of goldenhour",
    "engine": "engine",
    "libraries": "libraries",
}
"""The fields that must be equal for one run to resume another, with their names for users."""


class RunFile(msgspec.Struct, frozen=True, kw_only=True):
    """What an unfinished run is: enough to start it again, and to decide whether another run is the same.

    `scenario` is the original scenario as JSON. `earlier_files` are the files of an earlier run that this one
    replaces: each name with the size and the time of the last change, in nanoseconds, when the folder was claimed.
    `created` is true if the run created its output folder. `destination` is the URL that its files are uploaded to,
    if any. `experiment` is the text of the file experiment.toml of an experiment, or optimisation.toml, as
    `experiment_kind` says; the scenario is the one that its points change. It is empty for a run.
    """

    schema: Annotated[int, msgspec.Meta(ge=1, le=SCHEMA)] = SCHEMA
    run_id: Word = msgspec.field(name="run")
    version: Version
    engine: Hash
    scenario: msgspec.Raw
    scenario_name: Annotated[str, msgspec.Meta(max_length=80)]
    scenario_hash: Hash
    seed: Seed
    replication: Seed
    formats: tuple[Word, ...]
    compress: Word
    chunk_size: Annotated[int, msgspec.Meta(ge=1, le=PARQUET_PART_PATIENTS)]
    libraries: dict[Word, Version]
    workers: Annotated[int, msgspec.Meta(ge=-1, le=MAX_PROCESSES)]
    writers: Processes
    simulators: Processes = 1
    address: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,300}\Z")] | None = None
    destination: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    earlier_files: dict[str, tuple[int, int]] = {}
    created: bool = True
    experiment: Annotated[str, msgspec.Meta(max_length=MAX_BYTES)] = ""
    experiment_kind: Word = "experiment"

    def differences(self, other: "RunFile") -> list[str]:
        """Why `other` cannot resume this run, one item for each field: `seed: 7 there, 8 now`."""
        if self.kind != other.kind:
            return [f"kind: {self.kind} there, {other.kind} now"]
        found = []
        for field, label in COMPARED_FIELDS.items():
            there, now = getattr(self, field), getattr(other, field)
            if there != now:
                if field == "scenario_hash":
                    there, now = f"{self.scenario_name} ({there[:12]})", f"{other.scenario_name} ({now[:12]})"
                found.append(f"{label}: {_readable(there)} there, {_readable(now)} now")
        if self.experiment != other.experiment and not found:
            found.append(f"what the {self.experiment_kind} file says")
        return found

    @property
    def kind(self) -> str:
        """What it is, in words."""
        return f"an {self.experiment_kind}" if self.experiment else "a run"

    @property
    def inputs(self) -> str:
        """32 hex digits that change with everything that two starts of one run have in common."""
        common = [getattr(self, field) for field in COMPARED_FIELDS]
        return hashlib.sha256(msgspec.json.encode(common)).hexdigest()[:32]


def _readable(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {version}" for name, version in value.items()) or "none"
    return ",".join(value) if isinstance(value, tuple) else str(value)


def read_run_file(partial: Path, name: str = RUN_FILE) -> RunFile | None:
    """The run file in the folder `partial`; None if there is none or it is incomplete.

    Raises InputError if a newer release wrote it, or if it holds what no release writes.
    """
    try:
        with Folder(partial) as folder:
            data = folder.read(name, MAX_BYTES)
    except OSError:
        return None
    path = partial / name
    if data is None or _is_cut_off(data):
        return None
    run = decode(data, RunFile, path)
    problem = _problem(run)
    if problem is not None:
        raise damaged(path, problem)
    return run


def _is_cut_off(data: bytes) -> bool:
    """Whether a power failure has left only the beginning of a run file, or as many bytes 0."""
    if not data.strip(b"\0"):
        return True
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (ValueError, RecursionError) as error:
        return "truncated" in str(error)
    return False


def _problem(run: RunFile) -> str | None:
    """What no release writes into a run file, beyond what the types of the fields say."""
    if not run.formats or len(set(run.formats)) < len(run.formats) or set(run.formats) - set(FORMATS):
        return f"formats: {shown(run.formats)}"
    if run.experiment_kind not in EXPERIMENT_KINDS:
        return f"experiment_kind: {shown(run.experiment_kind)}"
    if run.compress not in COMPRESSIONS:
        return f"compress: {shown(run.compress)}"
    for name in run.earlier_files:
        if OUTPUT_NAMES.fullmatch(name) is None:
            return f"earlier_files: {shown(name)} is not the name of a file of a run"
    if run.destination:
        try:
            if is_url(run.destination) and run.destination == parse_url(run.destination):
                return None
        except InputError:
            pass
        return f"destination: {shown(run.destination)}"
    return None


@functools.cache
def engine_digest() -> str:
    """16 hex digits that change with everything in the engine and the scenarios' data that could change a byte."""
    return identity.engine_version()[:8] + identity.catalogue_version()[:8]


def libraries(formats: Sequence[str], compress: str, others: Sequence[str] = ()) -> dict[str, str]:
    """Versions of the libraries that determine the bytes of compressed and Parquet parts; empty for other parts.

    `others` are packages that determine what is written.
    """
    packages = [*{"gzip": ["isal"], "zstd": ["zstandard"]}.get(compress, []), *others]
    for name in formats:
        packages = [*packages, *FORMATS[name].libraries]
    return {package: importlib.metadata.version(package) for package in packages}

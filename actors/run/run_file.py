"""RunFile: what an unfinished run is, stored beside its files so that it can be resumed."""

import functools
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from actors.run.schema_version import SCHEMA, check_schema
from engine import identity
from engine.records import FORMATS

RUN_FILE = "run.json"

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

    `scenario` is the original scenario as JSON. `replaced` names the files of an earlier run that this one replaces.
    `created` is true if the run created its output folder. `destination` is the URL that its files are uploaded to,
    if any.
    """

    schema: int = SCHEMA
    run_id: str = msgspec.field(name="run")
    version: str
    engine: str
    scenario: msgspec.Raw
    scenario_name: str
    scenario_hash: str
    seed: int
    replication: int
    formats: tuple[str, ...]
    compress: str
    chunk_size: int
    libraries: dict[str, str]
    workers: int
    writers: int
    simulators: int = 1
    address: str | None = None
    destination: str = ""
    replaced: tuple[str, ...] = ()
    created: bool = True

    def differences(self, other: "RunFile") -> list[str]:
        """Why `other` cannot resume this run, one item for each field: `seed: 7 there, 8 now`."""
        found = []
        for field, label in COMPARED_FIELDS.items():
            there, now = getattr(self, field), getattr(other, field)
            if there != now:
                if field == "scenario_hash":
                    there, now = f"{self.scenario_name} ({there[:12]})", f"{other.scenario_name} ({now[:12]})"
                found.append(f"{label}: {_readable(there)} there, {_readable(now)} now")
        return found


def _readable(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {version}" for name, version in value.items()) or "none"
    return ",".join(value) if isinstance(value, tuple) else str(value)


def read_run_file(partial: Path) -> RunFile | None:
    """The run file in the folder `partial`; None if there is none or it is incomplete.

    Raises InputError if a newer release wrote it.
    """
    path = partial / RUN_FILE
    try:
        data = path.read_bytes()
    except OSError:
        return None
    check_schema(data, path)
    try:
        return msgspec.json.decode(data, type=RunFile)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


@functools.cache
def engine_digest() -> str:
    """16 hex digits that change with everything in the engine and the scenarios' data that could change a byte."""
    return identity.engine_version()[:8] + identity.catalogue_version()[:8]


def libraries(formats: Sequence[str], compress: str) -> dict[str, str]:
    """Versions of the libraries that determine the bytes of compressed and Parquet parts; empty for other parts."""
    packages = {"gzip": ["isal"], "zstd": ["zstandard"]}.get(compress, [])
    for name in formats:
        packages = [*packages, *FORMATS[name].libraries]
    return {package: importlib.metadata.version(package) for package in packages}

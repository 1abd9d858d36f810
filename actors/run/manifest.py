"""The manifest: the last file that a run or an experiment publishes, which lists all others with their digests."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from actors.run.part import Count, Digest, Name, Part
from actors.run.schema_version import SCHEMA, check_schema, damaged, decode
from engine.errors import shown
from engine.records import COMPRESSIONS, FORMATS, RUN_TABLES

MANIFEST, SUMMARY, SCENARIO = "manifest.json", "summary.json", "scenario.toml"

EXPERIMENT_FILES = ("results.parquet", "points.parquet", "estimates.csv", "effects.csv", "experiment.toml")
"""Files of an experiment, in the order of its manifest. Not every design has effects."""

RESULT_FILES = (*EXPERIMENT_FILES, "optimisation.toml")
"""Files of an experiment or an optimisation, in the order of its manifest."""

_WHOLE_FILES = "|".join(map(re.escape, (MANIFEST, SUMMARY, SCENARIO, *RESULT_FILES)))
_TABLES = "|".join(dict.fromkeys(table for info in FORMATS.values() for table in info.tables))
_SUFFIXES = "|".join(re.escape(info.suffix) for info in FORMATS.values())
_COMPRESSED = "|".join(re.escape(suffix) for suffix in COMPRESSIONS.values() if suffix)

OUTPUT_NAMES = re.compile(
    rf"({_WHOLE_FILES}|(({_TABLES})(-(?P<part>[0-9]{{5,9}}))?|{'|'.join(RUN_TABLES)})({_SUFFIXES})({_COMPRESSED})?)"
)
"""Names that a run or an experiment may give to its files."""

MAX_MANIFEST_BYTES = 1 << 28
"""No manifest is larger: that of 800,000 parts has as many bytes."""


class ManifestPart(msgspec.Struct, frozen=True):
    """What a reader needs to know of a part."""

    path: Name
    bytes: Count
    sha256: Digest


class Manifest(msgspec.Struct, frozen=True):
    """What a reader needs to know of a finished run or experiment, whichever release has written it."""

    scenario_hash: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{1,64}\Z")]
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    parts: tuple[ManifestPart, ...]
    replication: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    kind: Literal["run", "experiment", "optimisation"] = "run"
    experiment_sha256: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?\Z")] = ""
    """The digest of experiment.toml or optimisation.toml."""
    points: Count = 0
    replications: Count = 0
    version: str = ""

    @property
    def identity(self) -> tuple[str, int, int]:
        """What determines the files: the hash of the scenario or of the experiment, the seed and the replication."""
        return self.experiment_sha256 or self.scenario_hash, self.seed, self.replication

    @property
    def names(self) -> list[str]:
        """Names of the files without the manifest, in order."""
        others = (SUMMARY, SCENARIO) if self.kind == "run" else ()
        return sorted([*(part.path for part in self.parts), *others])


def encode_manifest(manifest: dict[str, Any], parts: Sequence[Part]) -> bytes:
    """The text of a manifest; `manifest` holds all of it except `schema` and `parts`."""
    entries = [
        {
            key: value
            for key, value in msgspec.structs.asdict(part).items()
            if value is not None and not (key == "patients" and part.path in RESULT_FILES)
        }
        for part in parts
    ]
    text = msgspec.json.encode({"schema": SCHEMA, **manifest, "parts": entries})
    return msgspec.json.format(text, indent=2) + b"\n"


def decode_manifest(data: bytes, place: Path | str) -> Manifest:
    """The manifest with the text `data`. `place` names it in errors.

    Raises InputError if it is none, if it names a file that no run writes, or the same file twice, or if a newer
    release wrote it.
    """
    manifest = decode(data, Manifest, place)
    names = [part.path for part in manifest.parts]
    for name in names:
        if not is_part_name(name):
            raise damaged(place, f"{shown(name)} is not the name of a part")
    if len(set(names)) < len(names):
        raise damaged(place, "it names the same file twice")
    return manifest


def files_in_manifest(data: bytes, place: Path | str) -> set[str]:
    """Names of the run's files that may be replaced according to the text of a manifest; empty if it is not a manifest.

    Only names that a run may give are returned, never a path to another folder. `place` names the manifest in errors.
    Raises InputError if a newer release wrote it.
    """
    check_schema(data, place)
    try:
        document = msgspec.json.decode(data)
        parts = [part["path"] for part in document["parts"]]
        document["scenario_hash"], document["seed"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return set()
    names = {name for name in parts if isinstance(name, str) and OUTPUT_NAMES.fullmatch(name)}
    others = () if document.get("kind") in ("experiment", "optimisation") else (SUMMARY, SCENARIO)
    return {MANIFEST, *names, *others}


def is_part_name(name: str) -> bool:
    """Whether a run may give this name to a part."""
    return name not in (MANIFEST, SUMMARY, SCENARIO) and OUTPUT_NAMES.fullmatch(name) is not None


def is_named_rightly(part: Part, formats: Sequence[str], compress: str) -> bool:
    """Whether a run with these formats and this compression gives `part` its name."""
    found = OUTPUT_NAMES.fullmatch(part.path)
    if found is None or part.format not in formats:
        return False
    info = FORMATS[part.format]
    return part.table in (*info.tables, *RUN_TABLES) and part.path == info.filename(
        part.table, int(found["part"] or 0), compress
    )

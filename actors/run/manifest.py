"""The manifest: the last file that a run publishes, which lists all others with their digests."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from actors.run.part import Part
from actors.run.schema_version import SCHEMA, check_schema
from engine.records import COMPRESSIONS, FORMATS, RUN_TABLES

MANIFEST, SUMMARY, SCENARIO = "manifest.json", "summary.json", "scenario.toml"

_WHOLE_FILES = "|".join(map(re.escape, (MANIFEST, SUMMARY, SCENARIO)))
_TABLES = "|".join(dict.fromkeys(table for info in FORMATS.values() for table in info.tables))
_SUFFIXES = "|".join(re.escape(info.suffix) for info in FORMATS.values())
_COMPRESSED = "|".join(re.escape(suffix) for suffix in COMPRESSIONS.values() if suffix)

OUTPUT_NAMES = re.compile(
    rf"({_WHOLE_FILES}|(({_TABLES})(-(?P<part>\d{{5,}}))?|{'|'.join(RUN_TABLES)})({_SUFFIXES})({_COMPRESSED})?)"
)
"""Names that a run may give to its files."""


def encode_manifest(manifest: dict[str, Any], parts: Sequence[Part]) -> bytes:
    """The text of a manifest; `manifest` holds all of it except `schema` and `parts`."""
    entries = [
        {key: value for key, value in msgspec.structs.asdict(part).items() if value is not None}
        for part in parts
    ]
    text = msgspec.json.encode({"schema": SCHEMA, **manifest, "parts": entries})
    return msgspec.json.format(text, indent=2) + b"\n"


def files_in_manifest(data: bytes, place: Path | str) -> set[str]:
    """Names of the run's files according to the text of a manifest; empty if it is not a manifest.

    Only names that a run may give are returned, never a path to another folder. `place` names the manifest in errors.
    Raises InputError if a newer release wrote it.
    """
    try:
        check_schema(data, place)
        document = msgspec.json.decode(data)
        parts = [part["path"] for part in document["parts"]]
        document["scenario_hash"], document["seed"]
    except (msgspec.DecodeError, KeyError, TypeError, UnicodeDecodeError):
        return set()
    names = {name for name in parts if isinstance(name, str) and OUTPUT_NAMES.fullmatch(name)}
    return names | {MANIFEST, SUMMARY, SCENARIO}


def run_of_manifest(manifest: dict[str, Any]) -> tuple[str, int, int]:
    """The scenario hash, seed and replication that determine the files of a manifest."""
    return manifest["scenario_hash"], manifest["seed"], manifest["replication"]

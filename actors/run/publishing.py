"""publish_run: the manifest, the summary and the scenario of a finished run, and the final names of its files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from actors.run.manifest import SCENARIO, SUMMARY
from actors.run.object_store_output import ObjectStoreOutput
from actors.run.output_folder import OutputFolder
from actors.run.part import Part
from actors.run.request import RunRequest
from actors.run.run_file import libraries
from actors.run.url import Url
from engine.errors import InputError
from engine.scenario import changed_constants, to_toml

Output = OutputFolder | ObjectStoreOutput
"""Where the files of a run go."""


def in_manifest_order(parts: list[Part], formats: tuple[str, ...]) -> list[Part]:
    """The parts by format, in the order of the request, and then by name."""
    order = {name: position for position, name in enumerate(formats)}
    return sorted(parts, key=lambda part: (order[part.format], part.path))


def check_patients(parts: list[Part], formats: tuple[str, ...], patients: int) -> None:
    """Raise InputError unless the parts of each format hold so many patients: a journal may claim what is not there."""
    for name in formats:
        found = sum(part.patients for part in parts if part.format == name and part.table == "patients")
        if found != patients:
            raise InputError(
                f"the files of the format {name} hold {found:,} patients and not {patients:,}, because a journal of "
                "the unfinished run is not true: start it again with --force"
            )


def publish_run(
    request: RunRequest,
    output: Output,
    parts: list[Part],
    measures: bytes,
    patients: int,
    tick: Callable[[], None],
) -> list[Path | Url]:
    """Publish the files of a finished run.

    Parameters
    ----------
    parts
        The finished parts, in the order of the manifest.
    measures
        The measures as JSON.
    patients
        The number of patients in the run.
    tick
        Called again and again during an upload.

    Returns
    -------
    list[Path | Url]
        All files in the order of the manifest, which comes last.
    """
    manifest: dict[str, Any] = {
        "scenario": request.original.name,
        "scenario_hash": output.run.scenario_hash,
        "seed": request.seed,
        "replication": request.replication,
        "version": request.version,
        "patients": patients,
        "compress": request.compress,
    }
    if changed := changed_constants(request.original):
        manifest["constants"] = [
            {"setting": change.path, "from": change.old, "to": change.new} for change in changed
        ]
    versions = libraries(request.formats, request.compress)
    if versions:
        manifest |= {"libraries": versions, "chunk_size": request.chunk_size}
    texts = {
        SUMMARY: msgspec.json.format(measures, indent=2) + b"\n",
        SCENARIO: to_toml(request.original).encode(),
    }
    return [*output.publish(manifest, parts, texts, tick)]

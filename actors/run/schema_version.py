"""The version of the files that one release leaves for another: run files, journals and manifests."""

from pathlib import Path

import msgspec

from engine.errors import InputError, shown

SCHEMA = 1
"""The schema version. A release may add fields under the same number, because readers ignore unknown fields. A change
that an older release would misread gets the next number, which the older release refuses."""


class _Version(msgspec.Struct):
    """The fields that every release understands."""

    schema: int = 0
    version: str = ""


def check_schema(data: bytes, path: Path | str) -> None:
    """Raise InputError if `data`, a JSON object from the file `path`, was written by a newer release."""
    try:
        found = msgspec.json.decode(data, type=_Version)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    if found.schema > SCHEMA:
        raise InputError(
            f"{str(path)!r} was written by a newer goldenhour ({shown(found.version)}, schema {found.schema}); "
            f"this one reads up to schema {SCHEMA}: use that release"
        )

"""The schema version of what a release leaves for another, and its decoding: run files, journals and manifests."""

from pathlib import Path
from typing import TypeVar

import msgspec

from engine.errors import InputError, shown

SCHEMA = 1
"""The schema version. A release may add fields under the same number, because readers ignore unknown fields. A change
that an older release would misread gets the next number, which the older release refuses."""

T = TypeVar("T")


class _Version(msgspec.Struct):
    """The fields that every release understands."""

    schema: int = 0
    version: str = ""


def check_schema(data: bytes, path: Path | str) -> None:
    """Raise InputError if `data`, a JSON object from the file `path`, was written by a newer release."""
    try:
        found = msgspec.json.decode(data, type=_Version)
    except (ValueError, RecursionError):
        return
    if found.schema > SCHEMA:
        raise InputError(
            f"{str(path)!r} was written by a newer goldenhour ({shown(found.version)}, schema {found.schema}); "
            f"this one reads up to schema {SCHEMA}: use that release"
        )


def decode(data: bytes, kind: type[T], path: Path | str) -> T:
    """The content of the file `path`, a JSON document of this release.

    Raises InputError if a newer release wrote it, or if it is not a document of this kind.
    """
    check_schema(data, path)
    try:
        return msgspec.json.decode(data, type=kind)
    except (ValueError, RecursionError) as error:  # ValueError: also text that is not UTF-8
        raise damaged(path, str(error)) from None


def damaged(path: Path | str, problem: str) -> InputError:
    """The error for a file that goldenhour has not written as it is now."""
    return InputError(f"{str(path)!r} is damaged or not of goldenhour: {problem}")

"""The output of a run as users name it: a folder of this machine, or the URL of an object store."""

import os
import re
from pathlib import Path
from typing import Any

from actors.run import Url, is_url, parse_url, staging_folder
from actors.store import NO_OUTPUT
from engine.errors import InputError, shown
from goldenhour.database import current_database


def parse_output(text: str, option: str) -> Path | Url:
    """The folder or URL that `text` names. Raises InputError, which names `option`."""
    if not text or "\0" in text:
        raise InputError(f"{option}: got {text!r}; allowed: the path of a folder, or a URL")
    return parse_url(text) if is_url(text) else Path(text)


def default_output(name: str, seed: int, replication: int) -> Path:
    """The folder ./NAME-seedN-repR. Characters of the name that do not suit a folder become `-`."""
    safe = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "scenario"
    return Path(f"{safe}-seed{seed}-rep{replication}")


def expand_path(path: Path) -> Path:
    """The path with `~` replaced by the home folder. Raises InputError if `~NAME` names no user."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise InputError(
            f"{str(path)!r}: this machine has no user of that name; write the whole path"
        ) from error


def staging_and_destination(output: Path | Url) -> tuple[Path, Url | None]:
    """The folder in which the files are written, and the URL to which they are then uploaded, if any.

    Raises InputError if this process cannot name the folder.
    """
    if isinstance(output, Url):
        return staging_folder(output, current_database().folder), output
    try:
        os.fsencode(output)
    except UnicodeEncodeError as error:
        raise InputError(
            f"-o: got {str(output)!r}; allowed: characters of {error.encoding}, the encoding of file names here, "
            "which the locale determines: for all characters, set LC_ALL=C.UTF-8"
        ) from error
    return expand_path(output).absolute(), None


def local_folder(output: Path | Url) -> Path:
    """The folder of an experiment. Raises InputError if `output` is a URL, or cannot be named here."""
    folder, destination = staging_and_destination(output)
    if destination is not None:
        raise InputError(f"-o: got {shown(str(output))}; allowed: a folder of this machine")
    return folder


def recorded_output(row: dict[str, Any]) -> Path | Url:
    """The output that the database has for a run. Raises InputError unless it is a URL, or a full path that exists."""
    text, run = row["output"], str(row["id"])[:8]
    if text == NO_OUTPUT:
        raise InputError(
            f"{row['kind']} {run} writes no files; its finished replications are in the cache, so the same command "
            "continues it"
        )
    if is_url(text):
        return parse_url(text)
    # A relative path would mean another folder to each reader.
    if not os.path.isabs(text) or not os.path.lexists(text):
        raise InputError(f"{row['kind']} {run} wrote to {text}, which is not on this machine")
    return Path(text)


def output_text(output: Path | Url) -> str:
    """An output as the database stores it."""
    return os.fsencode(output).decode("utf-8", "backslashreplace")

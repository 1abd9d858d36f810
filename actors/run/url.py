"""Url: the address of a folder in an object store, such as s3://BUCKET/PREFIX."""

import hashlib
import os
import re
from pathlib import Path

from engine.errors import InputError, shown
from engine.masking import parse_address

SCHEMES = ("s3", "gs", "az")

STAGING_VARIABLE = "GOLDENHOUR_STAGING_DIR"
"""Environment variable: the folder where files are written before they are uploaded."""


class Url(str):
    """Address of a folder in an object store; `/` appends a name, as for a path."""

    def __truediv__(self, name: str) -> "Url":
        return Url(f"{self}/{name}")

    @property
    def name(self) -> str:
        """The last part."""
        return self.rpartition("/")[2]


def is_url(text: str) -> bool:
    """Whether `text` is a URL, or was meant to be one, rather than a path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://|(s3|gs|az):", text) is not None


def parse_url(text: str) -> Url:
    """The URL, without slashes at its end. Raises InputError without a bucket, or if the scheme is not in `SCHEMES`."""
    found = re.fullmatch(r"([A-Za-z0-9+.-]+)://([^/?#%@:\s]+)((?:/[^/?#%\x00-\x1f\x7f]+)*)/*", text)
    if found is None or found[1].lower() not in SCHEMES or {".", ".."} & set(found[3].split("/")):
        allowed = ", ".join(f"{scheme}://BUCKET/PREFIX" for scheme in SCHEMES)
        raise InputError(f"output {shown(parse_address(text).shown)}: allowed: a folder, or {allowed}")
    return Url(f"{found[1].lower()}://{found[2]}{found[3]}")


def staging_folder(url: Url, data_folder: Path) -> Path:
    """The folder of this machine where the files for `url` are written before they are uploaded."""
    chosen = os.environ.get(STAGING_VARIABLE)
    base = Path(chosen).expanduser() if chosen else data_folder / "uploads"
    return Path(os.path.abspath(base)) / hashlib.sha256(url.encode()).hexdigest()[:16]

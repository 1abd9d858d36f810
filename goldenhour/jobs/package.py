"""The folder that goes with a job: goldenhour's packages and the job's own files."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from actors.cluster import PACKAGE_ROOT, PACKAGES


@contextlib.contextmanager
def job_folder(files: dict[str, bytes] | None = None) -> Iterator[Path]:
    """A temporary folder with goldenhour's packages and `files`: all that a node with the dependencies needs.

    Parameters
    ----------
    files
        The content of further files, by name.
    """
    with tempfile.TemporaryDirectory(prefix="goldenhour-job-") as name:
        folder = Path(name)
        for package in PACKAGES:
            shutil.copytree(
                PACKAGE_ROOT / package,
                folder / package,
                ignore=shutil.ignore_patterns("__pycache__", "*.py[co]", ".*"),
            )
        for path, data in (files or {}).items():
            (folder / path).write_bytes(data)
        yield folder

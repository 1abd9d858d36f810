"""Older commits of this repository, unpacked into a folder for the benchmarks that run two releases."""

import io
import subprocess
import tarfile
from pathlib import Path

from actors.cluster import PACKAGE_ROOT


def git(*arguments: str) -> str:
    """Run git in this repository; return what it prints, stripped, or an empty text if it fails."""
    done = subprocess.run(
        ["git", "-C", str(PACKAGE_ROOT), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def resolve(commit: str) -> str:
    """Return the full hash of a commit. Raises SystemExit if there is no such commit."""
    found = git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    if not found:
        raise SystemExit(f"there is no commit {commit!r} in this repository")
    return found


def unpack(commit: str, folder: Path) -> Path:
    """Write the files of a commit into `folder` and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = subprocess.run(
        ["git", "-C", str(PACKAGE_ROOT), "archive", commit], capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder

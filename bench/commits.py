"""Older commits of this repository, unpacked into a folder, and runs of the benchmarks that measure two releases."""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from actors.cluster import PACKAGE_ROOT

TIME_LIMIT_SECONDS = 3600.0


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


class Tree(NamedTuple):
    """The sources of one side, and its folder of compiled kernels."""

    name: str
    root: Path
    kernels: Path

    def python(self, *words: str) -> str:
        """Run Python with these words in the root of the tree; return what it prints. SystemExit if it fails."""
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.root,
            env=os.environ
            | {
                "GOLDENHOUR_CACHE_DIR": str(self.kernels),
                "GOLDENHOUR_CACHE": "off",
                "PYTHONDONTWRITEBYTECODE": "",  # an installed package has bytecode; without it each process compiles
            },
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_SECONDS,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{self.name}: exit code {done.returncode}:\n{done.stderr.strip()}")
        return done.stdout

    def simulate(
        self, patients: int, workers: int, *options: str, output: Path | None = None
    ) -> dict[str, Any]:
        """Run `standard`; return what `goldenhour run --json` prints.

        Parameters
        ----------
        patients
            Number of patients.
        workers
            Generators on Ray; 0 for a run in process.
        options
            Further options of `goldenhour run`.
        output
            Output folder, which stays. By default a temporary one, removed at once.
        """
        words = ["--patients", str(patients), "--workers", str(workers), "--no-store", "--quiet", "--json"]
        with tempfile.TemporaryDirectory(prefix="goldenhour-run-") as name:
            words += ["-o", str(output or Path(name, "out")), *options]
            figures: dict[str, Any] = json.loads(self.python("-m", "goldenhour", "run", "standard", *words))
        return figures

"""Runs of a small scenario for the tests of the actors: requests, and the files of finished runs."""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import psutil

from actors.run import Progress, RunRequest
from actors.run.run_file import RunFile
from engine import scenario as scenario_api

GOLDENHOUR = (sys.executable, "-m", "goldenhour")
"""The command `goldenhour` of the packages under test."""


def request(
    output: Path, patients: int = 3000, kind: str = "", incidents: str = "", **settings: Any
) -> RunRequest:
    """Return a request for `patients` casualties of a minimal scenario, of the warfare type `kind` if given.

    `incidents` is TOML of listed ones.
    """
    warfare = f'[[warfare]]\ntype = "{kind}"\n' if kind else ""
    text = f'name = "small"\nseed = 7\n{warfare}[casualties]\ntotal = {patients}\n{incidents}'
    original = scenario_api.parse(text.encode(), "toml")
    return RunRequest(
        scenario=scenario_api.resolve(original),
        original=original,
        output=output,
        **{"seed": 7, "workers": 1, "chunk_size": 512, "version": "0", **settings},
    )


def manifest(output: Path) -> dict[str, Any]:
    """Return the manifest of a finished run."""
    document: dict[str, Any] = json.loads((output / "manifest.json").read_bytes())
    return document


def digests(output: Path) -> dict[str, str]:
    """Return the SHA-256 of each part by path."""
    return {part["path"]: part["sha256"] for part in manifest(output)["parts"]}


def children(title: str) -> list[psutil.Process]:
    """Return this process's descendants whose Ray title begins so, for example `ray::Writer`."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if " ".join(process.cmdline()).startswith(title):
                found.append(process)
        except psutil.Error:
            continue
    return found


class KillOnce:
    """Progress callback that kills a process with the given title as soon as patients are on disk."""

    def __init__(self, title: str, times: int = 1) -> None:
        self.title = title
        self.left = times
        self.phases: list[str] = []
        self._killed: set[int] = set()

    def __call__(self, progress: Progress) -> None:
        self.phases.append(progress.phase)
        if self.left == 0 or progress.phase != "running" or progress.patients == 0:
            return
        for process in children(self.title):
            if process.pid not in self._killed:
                self._killed.add(process.pid)
                process.kill()
                self.left -= 1
                return


RUN = RunFile(
    run_id="r",
    version="0",
    engine="e",
    scenario=msgspec.Raw(b"{}"),
    scenario_name="small",
    scenario_hash="0",
    seed=1,
    replication=0,
    formats=("jsonl",),
    compress="none",
    chunk_size=512,
    libraries={},
    workers=0,
    writers=1,
)
"""A run file of a small run, for tests that write none themselves."""

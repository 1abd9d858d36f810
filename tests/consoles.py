"""The command line in a shell, over a database of hostile texts."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Answer
from runs import GOLDENHOUR

from actors.store import Database

ROOT = Path(__file__).resolve().parent.parent

HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31m\x7f\r\x08\u202egnp\u2066\u2028\u2029\ufeff\u200b\x00"
"""A window title, a cleared screen, colours in 7 and 8 bits, a carriage return, overrides of direction."""

STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


Run = Callable[..., Answer]


@pytest.fixture
def shell(tmp_path: Path, where: Database) -> Run:
    """Run the command line as a shell does, with a redirection, in an empty folder."""

    def run(arguments: str, redirection: str = "", encoding: str = "utf-8", **environment: str) -> Answer:
        variables = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONIOENCODING": encoding,
            "GOLDENHOUR_DATABASE_URL": str(where.url),
            **environment,
        }
        command = f"{' '.join(GOLDENHOUR)} {arguments} {redirection}"
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=variables, capture_output=True, timeout=120
        )
        return Answer(done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding))

    return run

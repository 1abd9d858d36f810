"""Replications simulated in a process of their own: the same, and the driver stays small."""

import subprocess
import sys

from actors.cluster import PACKAGE_ROOT, environment_of_process

SIMULATE = """
import sys
import scenarios
from actors.experiments import Point, Replicator, Request
from engine.scenario import parse, resolve

apart = {apart}
resolved = resolve(parse(scenarios.builtin_bytes("brigade"), "toml", "brigade"))
found = Replicator([Point(resolved, 1)], None, apart=apart).collect([Request(0, 0, 6)])
print(found[0].values.tobytes().hex())
print("llvmlite.binding" in sys.modules, len(found[0].values))
"""


def _simulated(apart: bool) -> list[str]:
    code = SIMULATE.format(apart=apart)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=PACKAGE_ROOT,
        env=environment_of_process(),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")


def test_replications_apart_are_the_same_and_load_no_machine_code() -> None:
    values, loaded, _ = _simulated(apart=True)
    assert loaded == "False 6"
    assert _simulated(apart=False)[:2] == [values, "True 6"]

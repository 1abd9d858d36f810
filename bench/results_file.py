"""Benchmark figures as JSON lines in bench/results/, with the machine and versions they were measured on."""

import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from goldenhour import __version__

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("ray", "numpy", "numba", "msgspec", "pyarrow")


def machine() -> dict[str, Any]:
    """Return what figures depend on: processor, cores this process may use, memory, Python and versions."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "goldenhour": __version__,
        **{name: metadata.version(name) for name in PACKAGES},
    }


def append(name: str, figures: dict[str, Any]) -> Path:
    """Append a line to bench/results/NAME.jsonl and return the file's path."""
    line = json.dumps(figures | {"machine": machine()}) + "\n"
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.jsonl"
    with path.open("a") as file:
        file.write(line)
    return path


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()

"""Memory of a run: the proportional set size (PSS) of its processes, sampled while the run is in progress.

PSS counts a page that n processes share as 1/n of a page in each of them. The sum over all processes is therefore the
memory that the run occupies (docs/platform.md section 7). Only Linux reports it; on other systems every figure is 0.
"""

import threading
import time
from pathlib import Path

INTERVAL_SECONDS = 0.25
"""Time between samples. It grows when sampling would take more than `MAXIMUM_SHARE` of the driver's time."""

MAXIMUM_SHARE = 0.02

MEGABYTE = 1e6


def pss_bytes(pid: int) -> int:
    """Return the PSS of a process in bytes; 0 if the process has ended, belongs to another user, or is not on Linux."""
    return _smaps_bytes(pid, b"Pss:")


def anonymous_pss_bytes(pid: int) -> int:
    """Return the part of the PSS that no file backs. A leak adds to it; other programs do not change it."""
    return _smaps_bytes(pid, b"Pss_Anon:")


def _smaps_bytes(pid: int, field: bytes) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_bytes()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


class Sampler:
    """A thread that sums the PSS of the watched processes and keeps the highest sum with its composition.

    `latest` is the last sample: bytes by role.
    """

    def __init__(self) -> None:
        self._roles: dict[int, str] = {}
        self._peak: dict[str, int] = {}
        self.latest: dict[str, int] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="goldenhour-memory", daemon=True)

    def start(self) -> "Sampler":
        """Start the thread and return the sampler."""
        self._thread.start()
        return self

    def watch(self, role: str, pid: int) -> None:
        """Include process `pid` in all later samples under `role`. Several processes may have the same role."""
        with self._lock:
            self._roles[pid] = role

    def forget(self, role: str) -> None:
        """Leave the processes of a role, which have ended, out of all later samples."""
        with self._lock:
            self._roles = {pid: other for pid, other in self._roles.items() if other != role}

    def sample(self) -> None:
        """Take one sample now."""
        with self._lock:
            roles = dict(self._roles)
        sizes: dict[str, int] = {}
        for pid, role in roles.items():
            sizes[role] = sizes.get(role, 0) + pss_bytes(pid)
        with self._lock:
            self.latest = sizes
            if sum(sizes.values()) > sum(self._peak.values()):
                self._peak = sizes

    def stop(self) -> None:
        """Stop the thread. The figures remain available."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    @property
    def peak_mb(self) -> float:
        """Highest sum of all watched processes, in MB (1e6 bytes)."""
        with self._lock:
            return round(sum(self._peak.values()) / MEGABYTE, 1)

    @property
    def breakdown_mb(self) -> dict[str, float]:
        """PSS by role at the time of the peak, in MB."""
        with self._lock:
            return {role: round(value / MEGABYTE, 1) for role, value in self._peak.items()}

    def _loop(self) -> None:
        wait = INTERVAL_SECONDS
        while not self._stop.wait(wait):
            begin = time.perf_counter()
            self.sample()
            wait = max(INTERVAL_SECONDS, (time.perf_counter() - begin) / MAXIMUM_SHARE)

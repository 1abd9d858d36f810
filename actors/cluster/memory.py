"""Memory of a run: the proportional set size (PSS) of its processes, sampled while it goes on.

PSS counts a page shared by n processes as 1/n of a page in each, so that the sum over processes is what the run
really occupies. Linux only; elsewhere every figure is 0.
"""

import threading
import time
from pathlib import Path

INTERVAL_SECONDS = 0.25
"""Time between samples; stretched so that sampling takes at most `SHARE` of the driver's time."""

SHARE = 0.02

MEGABYTE = 1e6


def pss_bytes(pid: int) -> int:
    """PSS of a process in bytes; 0 when it has ended, is another user's, or the system does not say."""
    return _field(pid, b"Pss:")


def own_bytes(pid: int) -> int:
    """The part of it that lies in no file: what a leak adds to, and other programs on the machine do not change."""
    return _field(pid, b"Pss_Anon:")


def _field(pid: int, name: bytes) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_bytes()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return 0


class Sampler:
    """A thread that sums the PSS of the watched processes and remembers the highest sum, with its composition.

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
        """Begin to sample."""
        self._thread.start()
        return self

    def watch(self, role: str, pid: int) -> None:
        """Count process `pid` from now on, under the name `role` (several processes may share one)."""
        with self._lock:
            self._roles[pid] = role

    def sample(self) -> None:
        """Take one sample now."""
        with self._lock:
            roles = dict(self._roles)
        found: dict[str, int] = {}
        for pid, role in roles.items():
            found[role] = found.get(role, 0) + pss_bytes(pid)
        with self._lock:
            self.latest = found
            if sum(found.values()) > sum(self._peak.values()):
                self._peak = found

    def stop(self) -> None:
        """End the thread; the figures stay."""
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
        """PSS by role at that moment, in MB."""
        with self._lock:
            return {role: round(value / MEGABYTE, 1) for role, value in self._peak.items()}

    def _loop(self) -> None:
        wait = INTERVAL_SECONDS
        while not self._stop.wait(wait):
            begin = time.perf_counter()
            self.sample()
            wait = max(INTERVAL_SECONDS, (time.perf_counter() - begin) / SHARE)

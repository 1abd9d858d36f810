"""Progress of a run: for the caller, for the log and for the metrics."""

import time
from collections.abc import Callable

import msgspec

from actors.cluster import Log, Sampler, add_metric, put_metric
from actors.run.executor import Executor
from actors.run.messages import Compiling
from actors.run.request import RunRequest
from actors.run.scheduler import Scheduler

DAY_MS = 86_400_000

REPORT_SECONDS = 0.1
"""Shortest time between two reports in one phase."""

LOG_SECONDS = 10.0
"""Time between two lines of the log in one phase."""


COMPILER = "compiler"
"""The role of the processes that compile, in the memory figures."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is.

    Attributes
    ----------
    phase
        starting (Ray), compiling (what is not in the cache), preparing (the kernel is loaded), resuming (chunks that
        are on disk are simulated again), running, recovering (after a fault), finishing, or uploading (to an object
        store).
    patients
        The patients in the files.
    expected
        The patients there will be; None if the scenario gives rates.
    fraction
        The share that is done, from 0 to 1.
    seconds
        The time since Ray was ready, without that of compilation.
    bytes
        The bytes in the files.
    note
        In the phase recovering: what went wrong.
    runs_ahead
        In the phase starting: the other runs of this user that start their Rays first.
    compiling
        In the phase compiling: what is being compiled, and which of how many entry points is the next to be done.
    """

    phase: str
    patients: int = 0
    expected: int | None = None
    fraction: float = 0.0
    seconds: float = 0.0
    bytes: int = 0
    note: str = ""
    runs_ahead: int = 0
    compiling: Compiling | None = None


OnProgress = Callable[[Progress], None]


class ProgressReporter:
    """Reports how far a run is, at most ten times a second in one phase.

    The figures come from the run's `scheduler` and `sampler`. `compile_seconds` is the time that passed between reports
    of a compilation, in all attempts.
    """

    def __init__(
        self,
        request: RunRequest,
        run_id: str,
        scheduler: Scheduler,
        sampler: Sampler,
        log: Log,
        on_progress: OnProgress,
    ) -> None:
        self._expected = request.scenario.casualties.total
        self._duration_ms = request.scenario.days * DAY_MS
        self._run_id = run_id
        self._scheduler = scheduler
        self._sampler = sampler
        self._log = log
        self._on_progress = on_progress
        self._begin = time.perf_counter()
        self.compile_seconds = 0.0
        self._compiled_at: float | None = None
        """When the last report was made, if it was one of a compilation."""
        self._phase = ""
        self._reported_at = 0.0
        self._logged_at = time.monotonic()
        self._counted = (0, 0, 0)
        self._measured: set[str] = set()
        """The roles whose memory has been published."""

    @property
    def seconds(self) -> float:
        """Seconds since the construction, without `compile_seconds`."""
        return time.perf_counter() - self._begin - self.compile_seconds

    def report(self, executor: Executor, phase: str, note: str = "") -> None:
        """Report the phase and the figures, unless the last report in this phase has just been made."""
        compiling = executor.compiling
        if compiling is not None:
            phase = "compiling"
        self._follow(compiling)
        now = time.monotonic()
        new_phase = phase != self._phase
        if not new_phase and now - self._reported_at < REPORT_SECONDS:
            return
        patients, last_patient_ms = self._scheduler.written_to
        if new_phase:
            put_metric("runs", 0, phase=self._phase or "starting")
            put_metric("runs", 1, phase=phase)
        if new_phase or note or now - self._logged_at >= LOG_SECONDS:
            self._logged_at = now
            fields = {"note": note} if note else {}
            self._log.write(phase, patients=patients, bytes=self._scheduler.written_bytes, **fields)
        self._phase, self._reported_at = phase, now
        self._publish_metrics(executor, patients)
        if self._scheduler.complete or phase in ("finishing", "uploading"):
            fraction = 1.0
        elif self._expected:
            fraction = patients / self._expected
        else:
            fraction = max(0, last_patient_ms) / self._duration_ms
        self._on_progress(
            Progress(
                phase=phase,
                patients=patients,
                expected=self._expected,
                fraction=min(1.0, fraction),
                seconds=self.seconds,
                bytes=self._scheduler.written_bytes,
                note=note,
                compiling=compiling,
            )
        )

    def _follow(self, compiling: Compiling | None) -> None:
        """Add up the time of the compilation, and measure the memory of its processes."""
        if compiling is None:
            if self._compiled_at is not None:
                self._sampler.forget(COMPILER)
            self._compiled_at = None
            return
        for pid in compiling.processes:
            self._sampler.watch(COMPILER, pid)
        now = time.perf_counter()
        if self._compiled_at is not None:
            self.compile_seconds += now - self._compiled_at
        self._compiled_at = now

    def _publish_metrics(self, executor: Executor, patients: int) -> None:
        scheduler = self._scheduler
        counts = (patients, scheduler.written_chunks, scheduler.written_bytes)
        for name, count, before in zip(("patients", "chunks", "bytes"), counts, self._counted, strict=True):
            add_metric(name, count - before)
        self._counted = counts
        put_metric("seconds_without_progress", executor.idle_seconds, run=self._run_id)
        for queue, depth in {**executor.queue_depths(), "queued": scheduler.queued_tasks}.items():
            put_metric("queue_depth", depth, queue=queue)
        sizes = self._sampler.latest
        self._measured |= sizes.keys()
        for role in self._measured:
            put_metric("memory_bytes", sizes.get(role, 0), role=role)

"""One run from scenario to files: simulator, generators and writer wired together, with back-pressure and recovery.

References to chunks and frames travel from process to process; the driver sees only heads and receipts. Recovery has
one place: after any fault of Ray the window is thrown away, new actors are made, the simulator goes forward to the
first chunk that is not written, and the writer cuts its files back to the last receipt.
"""

import contextlib
import importlib.metadata
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from actors import cache, cluster, generator, memory
from actors.generator import CHUNK, PART, Order
from actors.kept import Alone, settings
from actors.simulator import FlowSimulator, Head, head_of, measured
from actors.writer import SCENARIO, SUMMARY, Folder, Ledger, OutOfOrder, Part, Writer
from engine import formats, recipes
from engine import scenario as scenarios
from engine.errors import GoldenhourError, InputError, Interrupted, RunError
from engine.scenario import Scenario

CHUNK_SIZE = 2048
"""Patients in a chunk unless asked otherwise: as fast as 4,096 and 100 MB smaller, at 4 kB a record."""

PARQUET_PART = formats.PARQUET_PART_PATIENTS
"""Largest chunk: no chunk crosses the border of a Parquet part."""

DAY_MS = 86_400_000

TICK_SECONDS = 0.25
"""Longest time without a word on progress."""

REPORT_SECONDS = 0.1
"""Shortest time between two reports of one phase."""

STALL_SECONDS = 600.0
"""Time without any event after which a run counts as stuck and is set up again."""

MAX_RECOVERIES = 3


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to run.

    `scenario` is resolved, `original` as the user gave it (with overrides); `workers` generators, 0: everything in
    this process, without Ray; `version` of goldenhour, for the manifest.
    """

    scenario: Scenario
    original: Scenario
    seed: int
    output: Path
    replication: int = 0
    formats: tuple[str, ...] = ("jsonl",)
    compress: str = "none"
    workers: int = msgspec.field(default_factory=cluster.default_workers)
    chunk_size: int = CHUNK_SIZE
    address: str | None = None
    force: bool = False
    version: str = ""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is.

    `phase` is starting (Ray), preparing (the kernel is loaded, or compiled on its first use), running, recovering or
    finishing; `patients` on file of `expected` (None where rates leave it open); `fraction` done, 0 to 1;
    `seconds` since Ray was ready; `bytes` on file; `note` says what went wrong while recovering.
    """

    phase: str
    patients: int = 0
    expected: int | None = None
    fraction: float = 0.0
    seconds: float = 0.0
    bytes: int = 0
    note: str = ""


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has made.

    `seconds` from Ray ready to manifest on disk; `peak_pss_mb` the highest sum over driver, simulator, generators and
    writer, `pss_mb` its composition (Ray's daemons apart); `recoveries` faults that were mended; `notes` what the
    run went on without.
    """

    patients: int
    output: Path
    files: list[Path]
    parts: list[Part]
    measures: dict[str, Any]
    seconds: float
    patients_per_second: float
    bytes: int
    peak_pss_mb: float
    pss_mb: dict[str, float]
    recoveries: int = 0
    notes: tuple[str, ...] = ()


Report = Callable[[Progress], None]


def run(request: RunRequest, report: Report = lambda progress: None) -> RunResult:
    """Run a scenario and leave its files in the output folder, or an exception and nothing.

    Raises InputError (options, output folder, cluster address), RunError (disk, processes, cluster), Interrupted
    (Ctrl-C or SIGTERM). `report` is called in this thread at least every second.
    """
    _check(request)
    settings()
    folder = Folder.claim(request.output, request.force)
    try:
        if request.workers == 0:
            return _Run(request, folder, report).in_process()
        report(Progress(phase="starting", expected=request.scenario.casualties.total))
        with cluster.start(request.address, request.workers) as session:
            return _Run(request, folder, report).on_ray(session)
    except KeyboardInterrupt:
        with _uninterrupted():
            folder.abandon()
        raise Interrupted("stopped; nothing was left in the output folder") from None
    except MemoryError as error:
        folder.abandon()
        raise RunError("out of memory: use a smaller --chunk-size or fewer --workers") from error
    except BaseException:
        with _uninterrupted():
            folder.abandon()
        raise


def _check(request: RunRequest) -> None:
    if not request.formats:
        raise InputError("no format was asked for")
    if len(set(request.formats)) != len(request.formats):
        raise InputError(f"a format was asked for twice: {', '.join(request.formats)}")
    for name in request.formats:
        if name not in generator.FORMATS:
            raise InputError(f"unknown format {name!r}; allowed: {', '.join(generator.FORMATS)}")
    if request.compress not in generator.SUFFIXES:
        raise InputError(
            f"unknown compression {request.compress!r}; allowed: {', '.join(generator.SUFFIXES)}"
        )
    if request.workers < 0:
        raise InputError(f"workers: got {request.workers}; allowed: 0 (no Ray) or more")
    if not 1 <= request.chunk_size <= PARQUET_PART:
        raise InputError(f"chunk size: got {request.chunk_size}; allowed: 1 to {PARQUET_PART}")
    if request.replication < 0:
        raise InputError(f"replication: got {request.replication}; allowed: 0 or more")


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let no second Ctrl-C come between a run and its clean-up, which takes a second or two."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def libraries(names: tuple[str, ...], compress: str) -> dict[str, str]:
    """Versions of the libraries that decide the bytes of compressed and Parquet parts; empty for plain ones."""
    packages = {"gzip": ["isal"], "zstd": ["zstandard"]}.get(compress, [])
    if "parquet" in names:
        packages = [*packages, "pyarrow"]
    return {package: importlib.metadata.version(package) for package in packages}


class _Run:
    """State of a run that outlives its attempts."""

    def __init__(self, request: RunRequest, folder: Folder, report: Report) -> None:
        self.request = request
        self.folder = folder
        self.ledger = Ledger()
        self.scenario = msgspec.json.encode(request.scenario)
        self.orders = {
            lane: Order(lane, names, request.compress, self.scenario)
            for lane, names in generator.lanes(request.formats).items()
        }
        self.ledger.next = dict.fromkeys(self.orders, 0)
        self.chunks: int | None = None
        self.patients = 0
        self.begin = time.perf_counter()
        self.sampler = memory.Sampler()
        self.cache: cache.Shared | Alone | None = None
        self._fault: str | None = None
        self._heads: dict[int, Head] = {}
        self._report = report
        self._written = (0, -1)
        self._reported = ("", 0.0)

    def note_head(self, head: Head) -> None:
        """Remember a chunk's head until the chunk is written; the last one says how many there are."""
        self._heads[head.number] = head
        if head.last:
            self.chunks = head.number + 1
            self.patients = head.first + head.patients

    @property
    def done(self) -> int:
        """Chunks written in all lanes."""
        return min(self.ledger.next.values())

    @property
    def complete(self) -> bool:
        """Whether every chunk is written."""
        return self.chunks is not None and self.done >= self.chunks

    def report(self, phase: str, note: str = "") -> None:
        """Say how far the run is, at most ten times a second while the phase stays the same."""
        now = time.monotonic()
        if phase == self._reported[0] and now - self._reported[1] < REPORT_SECONDS:
            return
        self._reported = (phase, now)
        for number in [number for number in self._heads if number < self.done]:
            head = self._heads.pop(number)
            self._written = max(self._written, (head.first + head.patients, head.until_ms))
        patients, until_ms = self._written
        expected = self.request.scenario.casualties.total
        if self.complete or phase == "finishing":
            fraction = 1.0
        elif expected:
            fraction = patients / expected
        else:
            fraction = max(0, until_ms) / (self.request.scenario.days * DAY_MS)
        self._report(
            Progress(
                phase=phase,
                patients=patients,
                expected=expected,
                fraction=min(1.0, fraction),
                seconds=time.perf_counter() - self.begin,
                bytes=self.ledger.bytes,
                note=note,
            )
        )

    def in_process(self) -> RunResult:
        """Simulate, encode and write in this process, one chunk after the other."""
        import os

        from engine.simulation import Simulation

        request = self.request
        self.sampler.watch("driver", os.getpid())
        self.sampler.start()
        writer = Writer(str(self.folder.partial))
        try:
            self.report("preparing")
            chosen = settings()
            self.cache = None if chosen.mode == "off" else Alone(chosen)
            made = self.cache.made(request.scenario, recipes.SIMULATED) if self.cache else {}
            simulation = Simulation(
                request.scenario, request.seed, request.replication, request.chunk_size, made
            )
            gathered: list[Any] = []
            for chunk in simulation:
                head = head_of(chunk)
                self.note_head(head)
                if CHUNK in self.orders:
                    self.ledger.enter(writer.append(generator.encode(self.orders[CHUNK], [chunk])))
                if PART in self.orders:
                    gathered.append(chunk)
                    if _ends_part(head):
                        self.ledger.enter(writer.append(generator.encode(self.orders[PART], gathered)))
                        gathered = []
                del chunk
                self.report("running")
            measures, tables = measured(simulation, request.scenario, request.formats, request.compress)
            return self.finish(writer.close(tables), measures, 0)
        finally:
            writer.abandon()
            self.sampler.stop()

    def on_ray(self, session: cluster.Session) -> RunResult:
        """Run on the Ray this process has joined; faults of Ray are mended at most `MAX_RECOVERIES` times."""
        import os

        from ray.exceptions import RayError

        self.begin = time.perf_counter()
        self.sampler.watch("driver", os.getpid())
        self.sampler.start()
        recoveries = 0
        self.cache = cache.for_run(session.local, self.request.original.name)
        if isinstance(self.cache, cache.Shared):
            self.orders = {lane: order._replace(cache=self.cache) for lane, order in self.orders.items()}
        try:
            while True:
                attempt = _Attempt(self, session)
                try:
                    parts, measures = attempt.work()
                    self.sampler.sample()
                    return self.finish(parts, measures, recoveries)
                except (RayError, _StalledError) as error:
                    reason = _mendable(error)
                    recoveries += 1
                    if recoveries > MAX_RECOVERIES:
                        raise RunError(
                            f"gave up after {MAX_RECOVERIES} attempts to go on; the last fault: {reason}"
                        ) from error
                    self.report("recovering", reason)
                finally:
                    with _uninterrupted():
                        attempt.end()
        finally:
            self.sampler.stop()

    def finish(self, parts: list[Part], measures: bytes, recoveries: int) -> RunResult:
        """Publish the files and sum up."""
        request = self.request
        self.report("finishing")
        order = {name: position for position, name in enumerate(request.formats)}
        parts = sorted(parts, key=lambda part: (order[part.format], part.path))
        deciding = libraries(request.formats, request.compress)
        manifest: dict[str, Any] = {
            "scenario": request.original.name,
            "scenario_hash": scenarios.scenario_hash(request.original),
            "seed": request.seed,
            "replication": request.replication,
            "version": request.version,
            "patients": self.patients,
            "compress": request.compress,
        }
        if deciding:
            manifest |= {"libraries": deciding, "chunk_size": request.chunk_size}
        texts = {
            SUMMARY: msgspec.json.format(measures, indent=2) + b"\n",
            SCENARIO: scenarios.to_toml(request.original).encode(),
        }
        files = self.folder.publish(manifest, parts, texts)
        seconds = time.perf_counter() - self.begin
        self.sampler.sample()
        if self.cache is not None:
            self.cache.keep(
                recipes.of_measures(request.scenario, request.seed, request.replication), measures
            )
            self.note_fault(self.cache.fault)
        return RunResult(
            patients=self.patients,
            output=self.folder.output,
            files=files,
            parts=parts,
            measures=msgspec.json.decode(measures),
            seconds=seconds,
            patients_per_second=self.patients / seconds,
            bytes=sum(part.bytes for part in parts),
            peak_pss_mb=self.sampler.peak_mb,
            pss_mb=self.sampler.breakdown_mb,
            recoveries=recoveries,
            notes=() if self._fault is None else (f"{self._fault}; the run went on without it",),
        )

    def note_fault(self, fault: str | None) -> None:
        """Remember the first fault of the cache; a run tells one."""
        self._fault = self._fault or fault


def _ends_part(head: Head) -> bool:
    return head.last or (head.first + head.patients) % PARQUET_PART == 0


class _StalledError(Exception):
    """Nothing happened for `STALL_SECONDS`."""


def _mendable(error: Exception) -> str:
    """The reason of a fault of Ray, in a line; raises what is not Ray's fault and would happen again."""
    from ray.exceptions import RayError, RayTaskError

    if isinstance(error, RayTaskError):
        cause = error.cause
        if isinstance(cause, GoldenhourError):
            raise cause from None
        if isinstance(cause, MemoryError):
            raise RunError("out of memory: use a smaller --chunk-size or fewer --workers") from error
        if not isinstance(cause, RayError | OutOfOrder):
            raise RunError(f"{type(cause).__name__}: {cause}") from error
        error = cause
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


class _Attempt:
    """The actors and calls of one try to bring a run to its end."""

    def __init__(self, run: _Run, session: cluster.Session) -> None:
        import ray

        self._ray: Any = ray
        self._run = run
        request = run.request
        self._node = ray.get_runtime_context().get_node_id()
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(self._node, soft=False)
        stateful: dict[str, Any] = {"num_cpus": 0, "max_restarts": 0, "max_task_retries": 0}
        self._simulator = (
            ray.remote(FlowSimulator)
            .options(**stateful)
            .remote(run.scenario, request.seed, request.replication, request.chunk_size, run.cache)
        )
        self._writer = (
            ray.remote(Writer).options(**stateful, scheduling_strategy=here).remote(str(run.folder.partial))
        )
        self._generate = ray.remote(generator.generate).options(
            num_cpus=1, num_returns=2, max_retries=3, retry_exceptions=False
        )
        self._orders = {lane: ray.put(order) for lane, order in run.orders.items()}
        self._most_running = len(run.orders) * 1000 if session.local else request.workers
        self._per_part = -(-PARQUET_PART // request.chunk_size) if PART in run.orders else 0
        self._limit = request.workers + 3 + request.workers * self._per_part
        self._issued = 0
        self._heads: deque[tuple[Any, Any]] = deque()
        self._gathered: list[Any] = []
        self._queue: deque[tuple[str, list[Any]]] = deque()
        self._running: dict[Any, None] = {}
        self._receipts: deque[Any] = deque()
        self._last_event = time.monotonic()

    def work(self) -> tuple[list[Part], bytes]:
        """Bring the run to its end; returns the finished parts and the measures as JSON."""
        run = self._run
        phase = "preparing" if run.done == 0 else "recovering"
        opened = self._writer.open.remote(run.ledger.next, tuple(run.ledger.parts.values()))
        prepared = self._simulator.prepare.remote()
        warm = [self._generate.remote(next(iter(self._orders.values()))) for _ in range(run.request.workers)]
        for role, actor in (("simulator", self._simulator), ("writer", self._writer)):
            node, pid = self._result(actor.hello.remote(), phase)
            self._watch(role, node, pid)
        self._result(opened, phase)
        self._running = {origin: None for _, origin in warm}
        del warm
        run.note_fault(self._result(prepared, phase))
        if not run.complete:
            self._issued = run.done
            while not self._result(self._simulator.skip.remote(run.done), phase):
                pass
        while not run.complete:
            self._issue()
            self._step()
            run.report("running")
        request = run.request
        measures, tables = self._simulator.measures.options(num_returns=2).remote(
            request.formats, request.compress
        )
        parts = self._result(self._writer.close.remote(tables), "finishing")
        return parts, self._result(measures, "finishing")

    def end(self) -> None:
        """Drop all that is under way and end the actors."""
        for origin in list(self._running):
            with contextlib.suppress(Exception):
                self._ray.cancel(origin, force=False)
        for actor in (self._simulator, self._writer):
            with contextlib.suppress(Exception):
                self._ray.kill(actor)
        self._heads.clear()
        self._gathered.clear()
        self._queue.clear()
        self._running.clear()
        self._receipts.clear()

    def _issue(self) -> None:
        """Ask for chunks as far as the window allows."""
        while self._run.chunks is None and self._issued - self._run.done < self._limit:
            self._heads.append(self._simulator.next.options(num_returns=2).remote())
            self._issued += 1

    def _step(self) -> None:
        """Wait for something to happen, at most a tick, and deal with all that has."""
        waiting = [*self._running]
        if self._heads:
            waiting.append(self._heads[0][1])
        if self._receipts:
            waiting.append(self._receipts[0])
        ready, _ = self._ray.wait(waiting, num_returns=1, timeout=TICK_SECONDS, fetch_local=False)
        self._check_stalled(bool(ready))
        for ref in ready:
            if ref in self._running:
                del self._running[ref]
                self._watch("generator", *self._ray.get(ref, timeout=STALL_SECONDS))
            elif self._receipts and ref == self._receipts[0]:
                self._receipts.popleft()
                self._run.ledger.enter(self._ray.get(ref, timeout=STALL_SECONDS))
            else:
                chunk, _ = self._heads.popleft()
                self._arrived(chunk, self._ray.get(ref, timeout=STALL_SECONDS))
        self._dispatch()

    def _arrived(self, chunk: Any, head: Head | None) -> None:
        """Queue what has to be generated now that a chunk exists."""
        run = self._run
        if head is None:
            return
        run.note_head(head)
        if CHUNK in run.orders and head.number >= run.ledger.next[CHUNK]:
            self._queue.append((CHUNK, [chunk]))
        if PART in run.orders and head.number >= run.ledger.next[PART]:
            self._gathered.append(chunk)
            if _ends_part(head):
                self._queue.append((PART, self._gathered))
                self._gathered = []

    def _dispatch(self) -> None:
        while self._queue and len(self._running) < self._most_running:
            lane, chunks = self._queue.popleft()
            delivery, origin = self._generate.remote(self._orders[lane], *chunks)
            self._running[origin] = None
            self._receipts.append(self._writer.append.remote(delivery))

    def _result(self, ref: Any, phase: str) -> Any:
        """The value of one call, with reports while it is awaited."""
        while True:
            ready, _ = self._ray.wait([ref], timeout=TICK_SECONDS)
            self._check_stalled(bool(ready))
            if ready:
                return self._ray.get(ref, timeout=STALL_SECONDS)
            self._run.report(phase)

    def _check_stalled(self, event: bool) -> None:
        now = time.monotonic()
        if event:
            self._last_event = now
        elif now - self._last_event > STALL_SECONDS:
            raise _StalledError(f"nothing happened for {STALL_SECONDS:.0f} s")

    def _watch(self, role: str, node: str, pid: int) -> None:
        if node == self._node:
            self._run.sampler.watch(role, pid)


__all__ = ["Progress", "RunRequest", "RunResult", "libraries", "run"]

"""One run from scenario to files: simulator, generators and writer wired together, with back-pressure and recovery.

References to chunks and frames travel from process to process; the driver sees only heads and receipts. Recovery has
one place: after any fault of Ray the window is thrown away, new actors are made, the writers cut their files back to
the last line of their journals, and the simulator goes forward to the first chunk that is not in them. A run that was
cut off and is started again does the same.
"""

import contextlib
import os
import shlex
import signal
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from actors.cache import LocalCache, SharedCache, cache_for_run, cache_settings
from actors.cluster import (
    Log,
    Sampler,
    Session,
    add_metric,
    default_workers,
    put_metric,
    ray_address,
    start_session,
)
from actors.run import generator, journal, shards
from actors.run.attempt import Attempt, StalledError, mendable
from actors.run.generator import CHUNK, PART, EncodeOrder
from actors.run.journal import Part, RunFile, libraries
from actors.run.object_store import ObjectStoreOutput, Url
from actors.run.output_folder import LOG, SCENARIO, SUMMARY, OutputFolder
from actors.run.simulator import Head, head_of, measured
from actors.run.writer import SYNC_SECONDS, Ledger, Writer
from engine.errors import InputError, Interrupted, RunError, StoppedRun
from engine.precomputed import SIMULATION_KINDS, key_of_measures
from engine.records import PARQUET_PART_PATIENTS
from engine.scenario import Scenario, scenario_hash, to_toml

CHUNK_SIZE = 2048
"""Patients in a chunk unless asked otherwise: as fast as 4,096 and 100 MB smaller, at 4 kB a record."""

PARQUET_PART = PARQUET_PART_PATIENTS
"""Largest chunk: no chunk crosses the border of a Parquet part."""

DAY_MS = 86_400_000

REPORT_SECONDS = 0.1
"""Shortest time between two reports of one phase."""

STALL_VARIABLE = "GOLDENHOUR_STALL_SECONDS"
STALL_SECONDS = 300.0
"""Time without any event after which a run counts as stuck, unless the variable says otherwise (0: never): at first it
is set up again, then it fails."""

NEVER_SECONDS = 1e8

SYNC_VARIABLE = "GOLDENHOUR_SYNC_SECONDS"
"""Environment variable with the shortest time between two lines of the journal."""

AUTOMATIC_WORKERS = -1
"""Workers: as many as the cluster has CPUs, one left to the simulator, or to each of several and to their merge."""

MAX_RECOVERIES = 3
RECOVERY_SECONDS = 600.0
"""A run gives up when there are more than so many faults in so much time."""

LOG_SECONDS = 10.0
"""Time between two lines of the log on progress."""


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to run.

    `scenario` is resolved, `original` as the user gave it (with overrides); `workers` generators, 0: everything in
    this process, without Ray, `AUTOMATIC_WORKERS`: as the cluster has CPUs; `destination` a URL that the files
    made in `output`
    are uploaded to, if any; `writers` of the parts; `simulators` of the fronts, at most as many as can be simulated
    apart; `version` of goldenhour, for the manifest; `run` is the run's
    id, made up where it is empty; at least `sync_seconds` lie between two lines of the journal, None: as
    `SYNC_VARIABLE` says, or 1.
    """

    scenario: Scenario
    original: Scenario
    seed: int
    output: Path
    destination: Url | None = None
    replication: int = 0
    formats: tuple[str, ...] = ("jsonl",)
    compress: str = "none"
    workers: int = msgspec.field(default_factory=default_workers)
    writers: int = 1
    simulators: int = 1
    chunk_size: int = CHUNK_SIZE
    address: str | None = None
    force: bool = False
    version: str = ""
    run: str = ""
    sync_seconds: float | None = None

    @property
    def cpus_of_simulators(self) -> int:
        """CPUs that several simulators and their merge take beyond the one that is left to a single one."""
        return self.simulators if self.simulators > 1 else 0


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is.

    `phase` is starting (Ray), preparing (the kernel is loaded, or compiled on its first use), resuming (what was cut
    off is gone on with), running, recovering, finishing or uploading (to an object store); `patients` on file of
    `expected` (None where rates leave it open); `fraction` done, 0 to 1; `seconds` since Ray was ready; `bytes` on
    file; `note` says what went wrong while recovering.
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
    run went on without; `resumed` whether an earlier start had written some of it; `run` the run's id; `workers` the
    generators there were.
    """

    patients: int
    output: Path | Url
    files: list[Path | Url]
    parts: list[Part]
    measures: dict[str, Any]
    seconds: float
    patients_per_second: float
    bytes: int
    peak_pss_mb: float
    pss_mb: dict[str, float]
    recoveries: int = 0
    notes: tuple[str, ...] = ()
    resumed: bool = False
    run: str = ""
    workers: int = 0


Report = Callable[[Progress], None]

Claimed = Callable[[str, bool], None]
"""Called once the output is the run's own, before anything else is started: with the run's id, and whether it was
started before."""


def run_scenario(
    request: RunRequest,
    report: Report = lambda progress: None,
    claimed: Claimed = lambda run, again: None,
) -> RunResult:
    """Run a scenario and leave its files in the output folder, or an exception and what it takes to go on.

    Where the same run was cut off in that folder, it is gone on with. Raises InputError (options, output folder,
    cluster address), StoppedRun (disk, processes, cluster), RunError (the scenario cannot be run to its end: nothing
    is left), Interrupted (Ctrl-C or SIGTERM). `report` is called in this thread at least every second.
    """
    _check(request)
    cache_settings()
    folder = _claim(request)
    log: Log | None = None
    try:
        log = Log(folder.run.run, folder.partial / LOG)
        claimed(folder.run.run, folder.again)
        result = _carry_out(request, folder, log, report)
        log.write("finished", patients=result.patients, bytes=result.bytes, seconds=round(result.seconds, 3))
        return result
    except KeyboardInterrupt:
        with _uninterrupted():
            where = (
                f"`{_resumption(folder)}` goes on"
                if folder.suspend()
                else "nothing was left in the output folder"
            )
            _ended(log, "interrupted", where)
        raise Interrupted(f"stopped; {where}") from None
    except BaseException as error:
        if isinstance(error, MemoryError):
            error = StoppedRun("out of memory: use a smaller --chunk-size or fewer --workers")
        with _uninterrupted():
            _ended(log, "failed", str(error) or type(error).__name__)
            if isinstance(error, RunError) and not isinstance(error, StoppedRun):
                folder.abandon()
            elif folder.suspend() and isinstance(error, StoppedRun):
                raise StoppedRun(f"{error}\n`{_resumption(folder)}` goes on from there") from error
        raise error
    finally:
        if log is not None:
            log.close()


def _claim(request: RunRequest) -> OutputFolder | ObjectStoreOutput:
    """The output, ready for the run."""
    described = _run_file(request)
    if request.destination is None:
        return OutputFolder.claim(request.output, request.force, described)
    return ObjectStoreOutput.claim(request.destination, request.output, request.force, described)


def _carry_out(
    request: RunRequest, folder: OutputFolder | ObjectStoreOutput, log: Log, report: Report
) -> RunResult:
    """Run in this process or on Ray."""
    log.write(
        "resumed" if folder.resumed else "started",
        output=str(folder.output),
        scenario=request.original.name,
        seed=request.seed,
        replication=request.replication,
        workers=request.workers,
        writers=request.writers,
        simulators=request.simulators,
        version=request.version,
    )
    if request.workers == 0:
        return Run(request, folder, log, report).in_process()
    report(Progress(phase="starting", expected=request.scenario.casualties.total))
    with start_session(request.address, request.workers, request.cpus_of_simulators) as session:
        if request.workers == AUTOMATIC_WORKERS:
            request = msgspec.structs.replace(
                request, workers=max(1, session.generators() - request.cpus_of_simulators)
            )
        add_metric("runs_started", resumed=str(folder.resumed).lower())
        try:
            result = Run(request, folder, log, report).on_ray(session)
        except KeyboardInterrupt:
            add_metric("runs_ended", state="interrupted")
            raise
        except BaseException:
            add_metric("runs_ended", state="failed")
            raise
        add_metric("runs_ended", state="finished")
        return result


def _ended(log: Log | None, event: str, words: str) -> None:
    if log is not None:
        log.write(event, message=words)


def _resumption(folder: OutputFolder | ObjectStoreOutput) -> str:
    return f"goldenhour resume {shlex.quote(str(folder.output))}"


def _run_file(request: RunRequest) -> RunFile:
    """What has to be known of a run to go on with it."""
    return RunFile(
        run=request.run or str(uuid.uuid4()),
        version=request.version,
        engine=journal.engine_digest(),
        scenario=msgspec.Raw(msgspec.json.encode(request.original)),
        scenario_name=request.original.name,
        scenario_hash=scenario_hash(request.original),
        seed=request.seed,
        replication=request.replication,
        formats=request.formats,
        compress=request.compress,
        chunk_size=request.chunk_size,
        libraries=libraries(request.formats, request.compress),
        workers=request.workers,
        writers=request.writers,
        simulators=request.simulators,
        address=request.address,
        destination=str(request.destination or ""),
    )


def _check(request: RunRequest) -> None:
    if not request.formats:
        raise InputError("no format was asked for")
    if len(set(request.formats)) != len(request.formats):
        raise InputError(f"a format was asked for twice: {', '.join(request.formats)}")
    for name in request.formats:
        if name not in generator.FORMAT_NAMES:
            raise InputError(f"unknown format {name!r}; allowed: {', '.join(generator.FORMAT_NAMES)}")
    if request.compress not in generator.SUFFIXES:
        raise InputError(
            f"unknown compression {request.compress!r}; allowed: {', '.join(generator.SUFFIXES)}"
        )
    on_cluster = ray_address(request.address) != "local"
    if request.workers < 0 and not (on_cluster and request.workers == AUTOMATIC_WORKERS):
        raise InputError(f"workers: got {request.workers}; allowed: 0 (no Ray) or more")
    if request.writers < 1 or (request.writers > 1 and request.workers == 0):
        raise InputError(f"writers: got {request.writers}; allowed: 1, or more with workers")
    if request.simulators < 1 or (request.simulators > 1 and request.workers == 0):
        raise InputError(f"simulators: got {request.simulators}; allowed: 1, or more with workers")
    if not 1 <= request.chunk_size <= PARQUET_PART:
        raise InputError(f"chunk size: got {request.chunk_size}; allowed: 1 to {PARQUET_PART}")
    if request.replication < 0:
        raise InputError(f"replication: got {request.replication}; allowed: 0 or more")
    shards.divide_fronts(msgspec.json.encode(request.scenario), request.simulators)


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


@contextlib.contextmanager
def _postponed() -> Iterator[None]:
    """Let Ctrl-C wait until the block is over."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    asked: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt


def _seconds(variable: str, default: float) -> float:
    """Seconds, 0 or more, in an environment variable."""
    text = os.environ.get(variable) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise InputError(f"{variable}: got {text!r}; allowed: seconds, 0 or more")
    return seconds


class Run:
    """State of a run that outlives its attempts."""

    def __init__(
        self, request: RunRequest, folder: OutputFolder | ObjectStoreOutput, log: Log, report: Report
    ) -> None:
        self.request = request
        self.folder = folder
        self.log = log
        self.scenario = msgspec.json.encode(request.scenario)
        self.orders = {
            lane: EncodeOrder(lane, names, request.compress, self.scenario)
            for lane, names in generator.lanes(request.formats, request.writers).items()
        }
        self.ledger = Ledger((*self.orders,), request.writers)
        self.stall_seconds = _seconds(STALL_VARIABLE, STALL_SECONDS) or NEVER_SECONDS
        asked = request.sync_seconds
        self.sync_seconds = _seconds(SYNC_VARIABLE, SYNC_SECONDS) if asked is None else asked
        self.queues: dict[str, int] = {}
        self.idle = 0.0
        self.chunks: int | None = None
        self.patients = 0
        self.begin = time.perf_counter()
        self.sampler = Sampler()
        self.cache: SharedCache | LocalCache | None = None
        self._fault: str | None = None
        self._heads: dict[int, Head] = {}
        self._report = report
        self._written = (0, -1)
        self._reported = ("", 0.0)
        self._logged = time.monotonic()
        self._told = (0, 0, 0)

    def note_head(self, head: Head) -> None:
        """Remember a chunk's head until the chunk is written; the last one says how many there are."""
        self._heads[head.number] = head
        if head.last:
            self.chunks = head.number + 1
            self.patients = head.first + head.patients

    @property
    def done(self) -> int:
        """Chunks written in all lanes."""
        return self.ledger.done

    @property
    def complete(self) -> bool:
        """Whether every chunk is written."""
        return self.chunks is not None and self.done >= self.chunks

    def report(self, phase: str, note: str = "") -> None:
        """Say how far the run is, at most ten times a second while the phase stays the same."""
        now = time.monotonic()
        if phase == self._reported[0] and now - self._reported[1] < REPORT_SECONDS:
            return
        if phase != self._reported[0]:
            put_metric("runs", 0, phase=self._reported[0] or "starting")
            put_metric("runs", 1, phase=phase)
        if phase != self._reported[0] or note or now - self._logged >= LOG_SECONDS:
            self._logged = now
            self.log.write(
                phase, patients=self._written[0], bytes=self.ledger.bytes, **({"note": note} if note else {})
            )
        self._reported = (phase, now)
        for number in [number for number in self._heads if number < self.done]:
            head = self._heads.pop(number)
            self._written = max(self._written, (head.first + head.patients, head.until_ms))
        patients, until_ms = self._written
        self._measure(patients)
        expected = self.request.scenario.casualties.total
        if self.complete or phase in ("finishing", "uploading"):
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

    def _measure(self, patients: int) -> None:
        """Tell the metrics what has come since the last time."""
        now = (patients, min(self.done, self.chunks or self.done), self.ledger.bytes)
        for name, value, before in zip(("patients", "chunks", "bytes"), now, self._told, strict=True):
            add_metric(name, value - before)
        self._told = now
        put_metric("seconds_without_progress", self.idle, run=self.folder.run.run)
        for queue, depth in self.queues.items():
            put_metric("queue_depth", depth, queue=queue)
        for role, size in self.sampler.latest.items():
            put_metric("memory_bytes", size, role=role)

    def in_process(self) -> RunResult:
        """Simulate, encode and write in this process, one chunk after the other."""
        from engine.run import Simulation

        request = self.request
        self.sampler.watch("driver", os.getpid())
        self.sampler.start()
        writer = Writer(str(self.folder.partial), self.folder.run.run, sync_seconds=self.sync_seconds)
        try:
            self.ledger.enter(0, writer.open((*self.orders,)))
            self.report("resuming" if self.done else "preparing")
            chosen = cache_settings()
            self.cache = None if chosen.mode == "off" else LocalCache(chosen)
            made = self.cache.get_or_build(request.scenario, SIMULATION_KINDS) if self.cache else {}
            simulation = Simulation(
                request.scenario, request.seed, request.replication, request.chunk_size, made
            )
            gathered: list[Any] = []
            for chunk in simulation:
                head = head_of(chunk)
                self.note_head(head)
                if CHUNK in self.orders and head.number >= self.ledger.next(0, CHUNK):
                    self._write(writer, CHUNK, [chunk])
                if PART in self.orders and head.number >= self.ledger.next(0, PART):
                    gathered.append(chunk)
                    if head.ends_part:
                        self._write(writer, PART, gathered)
                        gathered = []
                del chunk
                self.report("running" if head.number >= self.done - 1 else "resuming")
            measures, tables = measured(simulation, request.scenario, request.formats, request.compress)
            return self.finish(writer.close(tables), measures, 0)
        except KeyboardInterrupt:
            with _uninterrupted():
                writer.checkpoint()
            raise
        finally:
            writer.abandon()
            self.sampler.stop()

    def _write(self, writer: Writer, lane: str, chunks: list[Any]) -> None:
        delivery = generator.encode(self.orders[lane], chunks)
        with _postponed():
            self.ledger.enter(0, writer.append(delivery))

    def on_ray(self, session: Session) -> RunResult:
        """Run on the Ray this process has joined; faults of Ray are mended, see `MAX_RECOVERIES`."""
        from ray.exceptions import RayError

        self.begin = time.perf_counter()
        self.sampler.watch("driver", os.getpid())
        self.sampler.start()
        recoveries = 0
        self.cache = cache_for_run(session.local, self.request.original.name)
        if isinstance(self.cache, SharedCache):
            self.orders = {lane: order._replace(cache=self.cache) for lane, order in self.orders.items()}
        faults: deque[float] = deque(maxlen=MAX_RECOVERIES + 1)
        stalled = False
        phase = "resuming" if self.folder.resumed else "preparing"
        try:
            while True:
                attempt = Attempt(self, session, phase)
                try:
                    parts, measures = attempt.work()
                    self.sampler.sample()
                    return self.finish(parts, measures, recoveries)
                except (RayError, StalledError) as error:
                    reason = mendable(error)
                    if stalled and isinstance(error, StalledError):
                        raise StoppedRun(f"the run stands still: {reason}") from error
                    stalled = isinstance(error, StalledError)
                    recoveries += 1
                    faults.append(time.monotonic())
                    if len(faults) > MAX_RECOVERIES and faults[-1] - faults[0] < RECOVERY_SECONDS:
                        raise StoppedRun(
                            f"gave up after {MAX_RECOVERIES} attempts to go on; the last fault: {reason}"
                        ) from error
                    add_metric("recoveries")
                    phase = "recovering"
                    self.report(phase, reason)
                except KeyboardInterrupt:
                    with _uninterrupted():
                        attempt.save()
                    raise
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
            "scenario_hash": scenario_hash(request.original),
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
            SCENARIO: to_toml(request.original).encode(),
        }
        uploading = "finishing" if request.destination is None else "uploading"
        files: list[Path | Url] = [
            *self.folder.publish(manifest, parts, texts, lambda: self.report(uploading))
        ]
        seconds = time.perf_counter() - self.begin
        self.sampler.sample()
        if self.cache is not None:
            self.cache.put(key_of_measures(request.scenario, request.seed, request.replication), measures)
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
            resumed=self.folder.resumed,
            run=self.folder.run.run,
            workers=request.workers,
        )

    def note_fault(self, fault: str | None) -> None:
        """Remember the first fault of the cache; a run tells one."""
        self._fault = self._fault or fault


__all__ = ["Progress", "RunRequest", "RunResult", "libraries", "run_scenario"]

"""Recording runs and experiments in the database while they are in progress.

A thread of the driver talks to the store, so that a run never waits for the database. What cannot be written now is
written later. If the end of a run cannot be written, it is saved in a file, and the next run that reaches the database
writes it (docs/platform.md section 3.2).
"""

import _thread
import asyncio
import contextlib
import os
import shlex
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from actors.cluster import is_shared_ray, start_session, terminated_as_interrupted
from actors.run.driver import run_scenario
from actors.run.files import Folder
from actors.run.interrupts import remembered_interrupts
from actors.run.partial_folder import PARTIAL
from actors.run.progress import OnProgress, Progress
from actors.run.request import RunRequest
from actors.run.result import RunResult
from actors.run.store_client import InProcessStoreClient, SharedStoreClient, StoreClient
from actors.store import (
    DRIVERS,
    EXPERIMENTS,
    NO_OUTPUT,
    URL_VARIABLE,
    ConfigStore,
    Database,
    ExperimentDetail,
    Heartbeat,
    HeartbeatReply,
    Registration,
    State,
    driver_slot,
)
from engine.errors import GoldenhourError, InputError, Interrupted, StoreError, shown

HEARTBEAT_SECONDS = 1.0
"""Time between two heartbeats."""

END_SECONDS, END_SECONDS_INTERRUPTED = 20.0, 3.0
"""Longest time to record the end of a run, and of a run that was interrupted."""

WARN_SECONDS = 5.0
"""The user is warned when the database has been unreachable for this long."""

MAX_SAVED_BYTES = 1 << 26
"""No file of a saved run is larger: a scenario has at most 4 MiB, and the measures less."""

SAVED_SUFFIXES = (".json", *(f".{kind}" for kind in EXPERIMENTS))
"""How the names of the files of saved runs end."""

WITHOUT_RECORD = "without a record"

Notify = Callable[[str], None]
"""Shows a message to the user."""


class FinishedRun(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended, with all that is needed to record it later. It is saved as JSON."""

    registration: Registration
    state: State
    error: str | None = None
    measures: dict[str, Any] | None = None
    last: Heartbeat = msgspec.field(name="beat")  # the name in files of earlier versions


def run_recorded(
    request: RunRequest,
    registration: Registration,
    database: Database,
    report: OnProgress = lambda progress: None,
    notify: Notify = lambda message: None,
) -> RunResult:
    """Run a scenario and record the run in a database, from the moment it holds its output to its end.

    Parameters
    ----------
    request
        The run.
    registration
        Its row in the database. If the run resumes an interrupted one in the same output, it keeps that run's row.
    database, notify
        As `recorded` takes them.
    report
        Called with the progress of the run.

    Raises
    ------
    StoreError, InputError
        As `recorded` raises them. Nothing has been started then.
    Interrupted
        The run was interrupted, or another user cancelled it.
    GoldenhourError
        Anything else that `run_scenario` raises.
    """
    if request.workers != 0 and is_shared_ray(request.address):
        report(Progress(phase="starting", expected=request.scenario.casualties.total))
    with recorded(registration, database, request.workers, request.address, notify) as recorder:
        request = msgspec.structs.replace(request, run_id=str(registration.id))
        result = run_scenario(request, recorder.reporting(report), recorder.start)
        recorder.measures = result.measures
        return result


@contextlib.contextmanager
def recorded(
    registration: Registration,
    database: Database | None,
    workers: int = 0,
    address: str | None = None,
    notify: Notify = lambda message: None,
) -> "Iterator[Recorder]":
    """Provide the recorder of a run or an experiment, and record how the block ends.

    The block calls `start` once it holds its output, then reports its progress. If it ends with an exception, the row
    becomes `failed`, or `cancelled` for an interruption; else `succeeded`, with the recorder's `measures`. On a shared
    Ray this uses the cluster's SharedStore, otherwise a store in this process. SIGTERM interrupts the block.

    Parameters
    ----------
    registration
        The row in the database.
    database
        The database; None: nothing is recorded.
    workers, address
        The processes on Ray at a time, 0 without Ray, and the address of its cluster. They decide which store is used.
    notify
        Called with messages for the user: while the run waits for other drivers, when the database is unreachable, and
        once when an embedded database or its folder cannot be used; the run then continues without a record.

    Raises
    ------
    StoreError
        A server given by its URL cannot be reached. The block has not been entered then.
    InputError
        The URL cannot be used.
    Interrupted
        The block was interrupted, or another user cancelled it.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(terminated_as_interrupted())
        interrupted = stack.enter_context(remembered_interrupts())
        client = None if database is None else _open_client(stack, database, workers, address, notify)
        recorder = Recorder(registration, client, notify, interrupted)
        try:
            yield recorder
        except BaseException as error:
            raise recorder.end_with(error) from (
                None if isinstance(error, KeyboardInterrupt) else error.__cause__
            )
        recorder.end("succeeded", measures=recorder.measures)


def _open_client(
    stack: contextlib.ExitStack, database: Database, workers: int, address: str | None, notify: Notify
) -> StoreClient | None:
    """Return the client of a store, which is left with `stack`; None if an embedded database cannot be used."""
    shared = workers != 0 and is_shared_ray(address)
    if not database.embedded:
        database.conninfo()  # raises InputError, before the run waits for anything
    if not shared:
        try:
            stack.enter_context(driver_slot(database, lambda: notify(_waiting_message(database))))
        except StoreError as error:
            notify(f"{error}; the run continues {WITHOUT_RECORD}")
            return None
    if not database.embedded:
        asyncio.run(_check_reachable(database))
    if not shared:
        return InProcessStoreClient(database)
    stack.enter_context(start_session(address, workers))
    return SharedStoreClient(database)


def _waiting_message(database: Database) -> str:
    return (
        f"{DRIVERS} runs of this machine use the database ({database}): waiting for one of them to end "
        "(--no-store runs without a database)"
    )


async def _check_reachable(database: Database) -> None:
    store = ConfigStore(database.conninfo(), patience_seconds=0.0)
    try:
        await store.open()
    except (StoreError, InputError) as error:
        raise type(error)(
            f"{URL_VARIABLE} ({database}): {error}; --no-store runs without a database"
        ) from error
    finally:
        await store.close()


class Recorder:
    """The recorder of one run. A thread sends the progress of the run to the store and receives requests to cancel it.

    `start` is called when the driver holds its output, then `end` or `end_with`. A run that ends before `start` is not
    recorded. `reporting` wraps the function to which the pipeline of a run reports; an experiment calls `report`.
    Without a client nothing is recorded.

    Attributes
    ----------
    measures
        What is stored when the block of `recorded` ends: the measures of a run. Those of other kinds may have
        `sentences` and `notes`, lists of texts that `goldenhour experiments show` prints.
    """

    def __init__(
        self,
        registration: Registration,
        client: StoreClient | None,
        notify: Notify = lambda message: None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self.measures: dict[str, Any] | None = None
        self._registration = registration
        self._client = client
        self._notify = notify
        self._interrupted = interrupted
        self._heartbeat = Heartbeat(
            id=registration.id, expected=registration.expected, detail=registration.detail
        )
        self._first_count: tuple[float, int] | None = None
        """Time and count of the first report that had any patients or replications: the rate is measured from there."""
        self._cancelled_by: str | None = None
        self._finished: FinishedRun | None = None
        self._deadline = 0.0
        self._wake = threading.Event()
        self._in_main_thread = threading.current_thread() is threading.main_thread()
        self._warned = False
        self._thread = threading.Thread(
            target=self._work, args=(client,), name="goldenhour-record", daemon=True
        )

    def start(self, run: str, resumed: bool) -> None:
        """Start recording under the id `run`, in the row of an earlier start if `resumed`."""
        # A run that was started without a record may have an id that is not a UUID: it keeps the registration's.
        with contextlib.suppress(ValueError):
            self._registration = msgspec.structs.replace(
                self._registration, id=uuid.UUID(run), resumed=resumed
            )
            self._heartbeat = msgspec.structs.replace(self._heartbeat, id=self._registration.id)
        if self._client is not None:
            self._thread.start()

    def reporting(self, report: OnProgress) -> OnProgress:
        """Return a function that records the progress and then calls `report`.

        It raises KeyboardInterrupt when a user has cancelled or interrupted the run.
        """

        def record(progress: Progress) -> None:
            self._heartbeat = Heartbeat(
                id=self._heartbeat.id,
                phase=progress.phase,
                patients=progress.patients,
                expected=progress.expected,
                fraction=progress.fraction,
                rate=self._rate(progress.patients),
                bytes=progress.bytes,
            )
            self._check_cancelled()
            report(progress)

        return record

    def report(self, detail: ExperimentDetail, phase: str = "running") -> ExperimentDetail:
        """Record how far an experiment is, and return it with the expected time until the end, where there is one.

        How many replications an optimisation will need is not known before its end.
        The phase is starting, compiling, running or finishing. This takes microseconds and may be called at any rate,
        at least every few seconds. It raises KeyboardInterrupt when a user has cancelled or interrupted the experiment.
        """
        left = detail.replications_wanted - detail.replications
        rate = self._rate(detail.replications - detail.cached)
        if detail.seconds_left is None and rate and self._registration.kind != "optimisation":
            detail = msgspec.structs.replace(detail, seconds_left=max(0.0, left / rate))
        self._heartbeat = Heartbeat(
            id=self._heartbeat.id,
            phase=phase,
            fraction=min(1.0, detail.replications / max(1, detail.replications_wanted)),
            rate=rate,
            detail=detail,
        )
        self._check_cancelled()
        return detail

    def _rate(self, count: int) -> float:
        """Patients or simulated replications per second, 0 where that is unknown."""
        now = time.monotonic()
        if self._first_count is None and count:
            self._first_count = now, count
        if self._first_count is None or now - self._first_count[0] <= 0.5:
            return 0.0
        return (count - self._first_count[1]) / (now - self._first_count[0])

    def _check_cancelled(self) -> None:
        stopped = self._cancelled_by is not None or self._interrupted()
        if stopped and self._heartbeat.phase != "finishing":
            raise KeyboardInterrupt

    def end(self, state: State, error: str | None = None, measures: dict[str, Any] | None = None) -> None:
        """Record how the run ended. This waits until it is written, but not longer than `END_SECONDS`."""
        if self._thread.ident is None:
            return
        seconds = END_SECONDS_INTERRUPTED if state == "cancelled" else END_SECONDS
        self._deadline = time.monotonic() + seconds
        last = self._heartbeat
        if state == "succeeded":
            patients = (measures or {}).get("patients", last.patients)
            last = msgspec.structs.replace(last, patients=patients, fraction=1.0)
        self._finished = FinishedRun(
            registration=self._registration, state=state, error=error, measures=measures, last=last
        )
        self._wake.set()
        self._thread.join(seconds + 5)

    def end_with(self, error: BaseException) -> BaseException:
        """Record that the run ended with `error`, and return the exception to raise."""
        if isinstance(error, Interrupted) and self._cancelled_by is not None:
            error = Interrupted(str(error).replace("stopped", f"cancelled by {self._cancelled_by}", 1))
        if isinstance(error, KeyboardInterrupt):
            how = "stopped" if self._cancelled_by is None else f"cancelled by {self._cancelled_by}"
            error = Interrupted(f"{how}; {_what_is_left(self._registration)}")
        state: State = "cancelled" if isinstance(error, Interrupted) else "failed"
        self.end(state, error=str(error) or type(error).__name__)
        return error

    def _work(self, client: StoreClient) -> None:
        try:
            asyncio.run(self._record(client))
        except Exception as error:
            self._warn(StoreError(f"the run cannot be recorded ({type(error).__name__})"), True)

    async def _record(self, client: StoreClient) -> None:
        """Send heartbeats until the end of the run is recorded, or the time to record it has passed."""
        registered = False
        unreachable_since: float | None = None
        try:
            while True:
                finished = self._finished
                try:
                    await client.ready()
                    if not registered:
                        await client.call("register_run", self._registration)
                        registered = True
                        await self._record_saved_runs(client)
                    if finished is not None:
                        await _record_finished(client, finished)
                        return
                    reply: HeartbeatReply = await client.call("heartbeat", self._heartbeat)
                    registered = not reply.missing
                    if reply.cancelled_by is not None:
                        self._cancel(reply.cancelled_by)
                    if reply.error is not None:
                        raise StoreError(reply.error)
                    unreachable_since = None
                    self._warned = False
                except GoldenhourError as error:
                    unreachable_since = unreachable_since or time.monotonic()
                    fatal = not client.can_recover
                    if fatal or time.monotonic() - unreachable_since > WARN_SECONDS:
                        self._warn(error, fatal)
                    if fatal:
                        return
                    if finished is not None and time.monotonic() > self._deadline:
                        self._save(finished, client.database)
                        return
                if not self._wake.wait(0):
                    await asyncio.to_thread(self._wake.wait, HEARTBEAT_SECONDS)
                elif finished is not None:
                    await asyncio.sleep(0.2)
        finally:
            with contextlib.suppress(Exception):
                await client.close()

    def _cancel(self, who: str) -> None:
        if self._cancelled_by is None:
            self._cancelled_by = who
            # While Ray starts there are no reports, which would notice it (docs/platform.md section 1.6).
            if self._in_main_thread and self._heartbeat.phase in ("waiting", "starting"):
                _thread.interrupt_main()

    def _warn(self, error: GoldenhourError, fatal: bool) -> None:
        if not self._warned:
            self._warned = True
            effect = WITHOUT_RECORD if fatal else "and is recorded later"
            self._notify(f"{error}; the run continues {effect}")

    def _save(self, finished: FinishedRun, database: Database) -> None:
        """Save the end of the run in a file."""
        path = _saved_runs_folder(database)
        name = _name_of_saved(finished.registration)
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with Folder(path) as folder:
                folder.remove(f"{name}.new")
                folder.write_new(f"{name}.new", msgspec.json.encode(finished))
                folder.move(f"{name}.new", folder, name)
        except OSError as error:
            self._notify(
                f"the database is unreachable, and the end of this run cannot be saved in {path}: {error.strerror}"
            )
        else:
            self._notify(
                f"the database is unreachable: the end of this run is saved in {path / name}; the next run records it"
            )

    async def _record_saved_runs(self, client: StoreClient) -> None:
        """Record the runs whose end was saved in files, and remove the files. What is no such file is left out."""
        try:
            folder = Folder(_saved_runs_folder(client.database))
        except OSError:
            return
        with folder:
            for name in sorted(folder.names()):
                if not name.endswith(SAVED_SUFFIXES):
                    continue
                finished = _read_finished_run(folder, name)
                if finished is not None:
                    await self._record_saved_run(client, finished)
                with contextlib.suppress(OSError):
                    folder.remove(name)

    async def _record_saved_run(self, client: StoreClient, finished: FinishedRun) -> None:
        """Record one of them, unless the database can be reached and refuses it: it would do so for ever."""
        try:
            await client.call("register_run", finished.registration)
            await _record_finished(client, finished)
        except StoreError:
            raise
        except Exception as error:
            self._notify(
                f"the end of run {finished.registration.id} could not be recorded: {shown(str(error))}"
            )


def _read_finished_run(folder: Folder, name: str) -> FinishedRun | None:
    """A saved run; None if the file does not hold one."""
    with contextlib.suppress(OSError, InputError, ValueError, RecursionError):
        finished = msgspec.json.decode(folder.read(name, MAX_SAVED_BYTES) or b"", type=FinishedRun)
        if name == _name_of_saved(finished.registration) and finished.last.id == finished.registration.id:
            return finished
    return None


def _name_of_saved(run: Registration) -> str:
    """The file of a saved run. An earlier version leaves the files of other kinds alone: it would record runs."""
    return f"{run.id}.{'json' if run.kind == 'run' else run.kind}"


def _what_is_left(run: Registration) -> str:
    """What an interrupted run has left, in words. Its driver has left the output folder."""
    if run.kind == "run":
        return "nothing was left in the output folder"
    if run.output != NO_OUTPUT and os.path.lexists(Path(run.output) / PARTIAL):
        return f"finished replications are kept: `goldenhour resume {shlex.quote(run.output)}` continues"
    return "finished replications are kept in the cache: the same command continues"


def _saved_runs_folder(database: Database) -> Path:
    return database.folder / "unsaved" / database.key


async def _record_finished(client: StoreClient, finished: FinishedRun) -> None:
    run = finished.registration.id
    await client.call("finish_run", run, finished.state, finished.error, finished.measures, finished.last)

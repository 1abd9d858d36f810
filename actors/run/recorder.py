"""Runs that are recorded in the database while they run: `run_recorded` is `run_scenario` with a record.

A thread of the driver talks to the store, so that a run never waits for the database. What cannot be recorded now is
recorded later. What cannot be recorded when the run ends is saved in a file for the next run that reaches the database.
"""

import _thread
import abc
import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from actors.cache import find_cache
from actors.cluster import is_shared_ray, start_session, terminated_as_interrupted
from actors.run.driver import run_scenario
from actors.run.progress import OnProgress, Progress
from actors.run.request import RunRequest
from actors.run.result import RunResult
from actors.store import (
    DRIVERS,
    URL_VARIABLE,
    Beat,
    ConfigStore,
    Database,
    Registration,
    Reply,
    Server,
    State,
    connection_error,
    driver_slot,
    shared_store,
)
from engine.errors import GoldenhourError, Interrupted, StoreError
from engine.scenario import parse

BEAT_SECONDS = 1.0
"""Time between two reports to the store."""

CALL_SECONDS = 30.0
"""Longest a call of the store's actor may take before it counts as lost."""

END_SECONDS, END_SECONDS_INTERRUPTED = 20.0, 3.0
"""Longest time to record the end of a run."""

WARN_SECONDS = 5.0
"""The user is warned when the database has been unreachable for so long."""

CACHE_LOOKS = 20
"""Look-ups of the cluster's cache before it counts as switched off."""

Say = Callable[[str], None]


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended, with all that is needed to record it later."""

    registration: Registration
    state: State
    error: str | None = None
    measures: dict[str, Any] | None = None
    beat: Beat


def run_recorded(
    request: RunRequest,
    registration: Registration,
    where: Database,
    report: OnProgress = lambda progress: None,
    say: Say = lambda words: None,
) -> RunResult:
    """`run_scenario`, recorded in the database at `where` from the moment it has claimed its output to its end.

    A run that is resumed keeps its row; a new one gets the id of `registration`. On a shared Ray the cluster's
    SharedStore is used, otherwise a store in this process.

    Parameters
    ----------
    request
        What to run. Its `run_id` is replaced.
    registration
        What to record when the run starts.
    where
        The database.
    report
        Called with the progress, as by `run_scenario`.
    say
        Called with warnings for the user, for example if an embedded database cannot be started.

    Raises
    ------
    StoreError
        Before anything is started: a server given by its address cannot be reached.
    Interrupted
        Ctrl-C or SIGTERM, or somebody else cancelled the run.
    GoldenhourError
        Whatever else `run_scenario` raises.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(terminated_as_interrupted())
        shared = request.workers != 0 and is_shared_ray(request.address)
        if not shared:
            stack.enter_context(driver_slot(where, lambda: say(_waiting(where))))
        if not where.embedded:
            asyncio.run(_reach(where))
        if shared:
            report(Progress(phase="starting", expected=request.scenario.casualties.total))
            stack.enter_context(start_session(request.address, request.workers))
            backend: _Backend = _Actor(where)
        else:
            backend = _InProcess(where)
        recorder = Recorder(registration, backend, where, say)
        request = msgspec.structs.replace(request, run_id=str(registration.id))
        try:
            result = run_scenario(request, recorder.reporting(report), recorder.start)
        except BaseException as error:
            raise recorder.ended_by(error) from (
                None if isinstance(error, KeyboardInterrupt) else error.__cause__
            )
        recorder.end("succeeded", measures=result.measures)
        return result


def _waiting(where: Database) -> str:
    return (
        f"{DRIVERS} runs of this machine use the database ({where}): waiting for one of them to end "
        "(--no-store runs without it)"
    )


async def _reach(where: Database) -> None:
    probe = ConfigStore(where.conninfo(), patience_seconds=0.0)
    try:
        await probe.open()
    except StoreError as error:
        raise StoreError(f"{URL_VARIABLE} ({where}): {error}; --no-store runs without a database") from error
    finally:
        await probe.close()


class Recorder:
    """The record of one run, kept by a thread: the progress goes to the store, and requests to cancel come back.

    Pass `reporting(...)` and `start` to `run_scenario`; then call `end` or `ended_by`. A run that ends before `start`
    is not recorded.
    """

    def __init__(self, registration: Registration, backend: "_Backend", where: Database, say: Say) -> None:
        self._registration = registration
        self._backend = backend
        self._where = where
        self._say = say
        self._beat = Beat(id=registration.id, expected=registration.expected)
        self._begun: tuple[float, int] | None = None
        self._cancelled_by: str | None = None
        self._ending: Ending | None = None
        self._until = 0.0
        self._wake = threading.Event()
        self._main = threading.current_thread() is threading.main_thread()
        self._warned = False
        self._thread = threading.Thread(target=self._work, name="goldenhour-record", daemon=True)

    def start(self, run: str, again: bool) -> None:
        """Start to record the run with this id, in the row of an earlier start if `again`."""
        with contextlib.suppress(
            ValueError
        ):  # a run that was started without a record may have an id of another kind
            self._registration = msgspec.structs.replace(self._registration, id=uuid.UUID(run), resumed=again)
            self._beat = msgspec.structs.replace(self._beat, id=self._registration.id)
        self._thread.start()

    def reporting(self, report: OnProgress) -> OnProgress:
        """`report`, which also informs the store, and raises KeyboardInterrupt once the run is cancelled."""

        def report_and_record(progress: Progress) -> None:
            now = time.monotonic()
            if self._begun is None and progress.patients:
                self._begun = now, progress.patients
            rate = 0.0
            if self._begun is not None and now - self._begun[0] > 0.5:
                rate = (progress.patients - self._begun[1]) / (now - self._begun[0])
            self._beat = Beat(
                id=self._beat.id,
                phase=progress.phase,
                patients=progress.patients,
                expected=progress.expected,
                fraction=progress.fraction,
                rate=rate,
                bytes=progress.bytes,
            )
            if self._cancelled_by is not None and progress.phase != "finishing":
                raise KeyboardInterrupt
            report(progress)

        return report_and_record

    def end(self, state: State, error: str | None = None, measures: dict[str, Any] | None = None) -> None:
        """Record how the run ended. Waits until that is done, but not for long."""
        if self._thread.ident is None:
            return
        seconds = END_SECONDS_INTERRUPTED if state == "cancelled" else END_SECONDS
        self._until = time.monotonic() + seconds
        beat = self._beat
        if measures is not None:
            beat = msgspec.structs.replace(beat, patients=measures["patients"], fraction=1.0)
        self._ending = Ending(
            registration=self._registration, state=state, error=error, measures=measures, beat=beat
        )
        self._wake.set()
        self._thread.join(seconds + 5)

    def ended_by(self, error: BaseException) -> BaseException:
        """Record that the run ended with `error`. Returns the exception to raise."""
        if isinstance(error, Interrupted) and self._cancelled_by is not None:
            error = Interrupted(str(error).replace("stopped", f"cancelled by {self._cancelled_by}", 1))
        if isinstance(error, KeyboardInterrupt):
            by = "stopped" if self._cancelled_by is None else f"cancelled by {self._cancelled_by}"
            error = Interrupted(f"{by}; nothing was left in the output folder")
        state: State = "cancelled" if isinstance(error, Interrupted) else "failed"
        self.end(state, error=str(error) or type(error).__name__)
        return error

    def _work(self) -> None:
        with contextlib.suppress(Exception):
            asyncio.run(self._keep())

    async def _keep(self) -> None:
        """Keep the record until the end of the run is in it, or the time for that is over."""
        backend = self._backend
        registered = False
        unreachable_since: float | None = None
        try:
            while True:
                ending = self._ending
                try:
                    await backend.ready()
                    if not registered:
                        await self._record_saved(backend)
                        await backend.call("register_run", self._registration)
                        registered = True
                    if ending is not None:
                        await _record_end(backend, ending)
                        return
                    reply: Reply = await backend.call("beat", self._beat)
                    registered = not reply.missing
                    if reply.cancelled_by is not None:
                        self._cancel(reply.cancelled_by)
                    if reply.trouble is not None:
                        raise StoreError(reply.trouble)
                    unreachable_since = None
                    self._warned = False
                except GoldenhourError as error:
                    unreachable_since = unreachable_since or time.monotonic()
                    fatal = not backend.may_recover
                    if fatal or time.monotonic() - unreachable_since > WARN_SECONDS:
                        self._warn(error, fatal)
                    if fatal:
                        return
                    if ending is not None and time.monotonic() > self._until:
                        self._save_for_later(ending)
                        return
                if not self._wake.wait(0):
                    await asyncio.to_thread(self._wake.wait, BEAT_SECONDS)
                elif ending is not None:
                    await asyncio.sleep(0.2)
        finally:
            with contextlib.suppress(Exception):
                await backend.close()

    def _cancel(self, who: str) -> None:
        if self._cancelled_by is None:
            self._cancelled_by = who
            if self._main and self._beat.phase in ("waiting", "starting"):  # Ray is starting: no reports
                _thread.interrupt_main()

    def _warn(self, error: GoldenhourError, fatal: bool) -> None:
        if not self._warned:
            self._warned = True
            what = (
                "the run continues without a record" if fatal else "the run continues, its record will follow"
            )
            self._say(f"{error}; {what}")

    def _save_for_later(self, ending: Ending) -> None:
        folder = _unsaved_folder(self._where)
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / f"{ending.registration.id}.json"
            path.with_suffix(".new").write_bytes(msgspec.json.encode(ending))
            path.with_suffix(".new").replace(path)
            self._say(
                f"the database is unreachable: the end of this run is saved in {path}, and the next run will record it"
            )

    async def _record_saved(self, backend: "_Backend") -> None:
        """Record how earlier runs ended that could not record it."""
        for path in sorted(_unsaved_folder(self._where).glob("*.json")):
            try:
                ending = msgspec.json.decode(path.read_bytes(), type=Ending)
                await backend.call("register_run", ending.registration)
                await _record_end(backend, ending)
            except (OSError, msgspec.DecodeError, msgspec.ValidationError):
                pass
            with contextlib.suppress(OSError):
                path.unlink()


def _unsaved_folder(where: Database) -> Path:
    return where.folder / "unsaved" / where.key


async def _record_end(backend: "_Backend", ending: Ending) -> None:
    run = ending.registration.id
    await backend.call("finish_run", run, ending.state, ending.error, ending.measures, ending.beat)


class _Backend(abc.ABC):
    """The store that a recorder calls. If the database is embedded, it keeps the server running.

    `may_recover` says whether a call may succeed after one that failed.
    """

    def __init__(self, where: Database) -> None:
        self._where = where
        self._server = Server(where.folder) if where.embedded else None
        self._opened = False
        self.may_recover = True

    @abc.abstractmethod
    async def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of ConfigStore. Raises StoreError if that is impossible."""

    async def ready(self) -> None:
        """Prepare for a call."""
        if self._server is None:
            return
        if not self._opened:
            try:
                await asyncio.to_thread(self._server.open)
            except StoreError:
                self.may_recover = False
                raise
            self._opened = True
        elif self._server.owner() is None:
            await asyncio.to_thread(self._server.ensure)

    async def close(self) -> None:
        """Release what `ready` took."""
        if self._server is not None:
            await asyncio.to_thread(self._server.close)


class _InProcess(_Backend):
    """A store in this process, with one connection."""

    def __init__(self, where: Database) -> None:
        super().__init__(where)
        self._store: ConfigStore | None = None

    async def call(self, method: str, *arguments: Any) -> Any:
        if self._store is None:
            self._store = ConfigStore(self._where.conninfo(), key=self._where.key, patience_seconds=1.0)
        return await getattr(self._store, method)(*arguments)

    async def close(self) -> None:
        if self._store is not None:
            await self._store.close()
        await super().close()


class _Actor(_Backend):
    """The SharedStore of the cluster, started again after it has died."""

    def __init__(self, where: Database) -> None:
        super().__init__(where)
        self._handle: Any = None
        self._cache_looks = 0
        """Look-ups of the cluster's cache so far. It may start later than the store."""

    async def call(self, method: str, *arguments: Any) -> Any:
        from ray.exceptions import RayError, RayTaskError

        try:
            if self._handle is None:
                self._handle = await asyncio.to_thread(shared_store, self._where)
                await self._check_database()
                self._cache_looks = 0
            if self._cache_looks < CACHE_LOOKS:
                await self._introduce_cache()
            return await self._value(getattr(self._handle, method).remote(*arguments))
        except RayTaskError as error:
            if isinstance(error.cause, GoldenhourError):
                raise error.cause from None
            raise StoreError(f"the store failed: {connection_error(error)}") from error
        except (RayError, TimeoutError, ValueError) as error:
            self._handle = None
            raise StoreError(f"the cluster's store does not answer: {connection_error(error)}") from error

    async def _check_database(self) -> None:
        key = await self._value(self._handle.key.remote())
        if key != self._where.key:
            self.may_recover = False
            raise StoreError(f"the cluster's store uses another database than this run would ({self._where})")

    async def _introduce_cache(self) -> None:
        """Once the cluster has a cache: have it follow the store's changes of scenarios, and warm it with these."""
        self._cache_looks += 1
        found = await asyncio.to_thread(find_cache)
        if found is None:
            return
        self._cache_looks = CACHE_LOOKS
        await self._value(self._handle.subscribe.remote(found))
        stored = []
        for row in await self._value(self._handle.scenarios.remote()):
            with contextlib.suppress(GoldenhourError):
                parsed = parse(row["text"].encode(), row["format"], row["name"])
                stored.append((row["name"], msgspec.json.encode(parsed)))
        if stored:
            found.warm.remote(stored)

    async def _value(self, reference: Any) -> Any:
        return await asyncio.wait_for(asyncio.wrap_future(reference.future()), CALL_SECONDS)

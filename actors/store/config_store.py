"""ConfigStore: the store of scenarios with their versions, and of runs. It is the only code that queries the database.

On a shared cluster, one named actor has the store for all drivers (`SharedStore`). Commands, and drivers with a local
Ray, use a store in their own process. The SQL is in sql/queries.sql, the schema in sql/migrations.
"""

import asyncio
import contextlib
import difflib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from actors.cluster import hide_pyarrow_in_worker
from actors.store import migrations
from actors.store.connections import Connections
from actors.store.database import Database
from actors.store.live_runs import SILENCE_SECONDS, LiveRuns
from actors.store.messages import (
    ALL_KINDS,
    RUNS,
    Content,
    Heartbeat,
    HeartbeatReply,
    Kind,
    Registration,
    State,
)
from actors.store.postgres import Server
from actors.store.rows import (
    EndedRunRow,
    FoundRunRow,
    ListedRunRow,
    ListedScenarioRow,
    MigrationRow,
    RunRow,
    ScenarioRow,
    VersionRow,
    check_row,
    sound_rows,
)
from actors.store.scenario_changes import ScenarioChanges
from actors.store.text import as_json, check_name, check_text, escape_unstorable, is_storable
from engine.errors import ConflictError, GoldenhourError, InputError, StoreError, shown

hide_pyarrow_in_worker()

if TYPE_CHECKING:
    from psycopg import AsyncConnection

WRITE_SECONDS = 1.0
"""Time between two writes of heartbeats."""

SWEEP_SECONDS = 5.0
"""Time between two searches for runs whose driver has died."""

PATIENCE_SECONDS = 10.0
"""How long a call waits for a database that cannot be reached."""


class ConfigStore:
    """Scenarios and runs in a PostgreSQL database.

    The store connects at its first call, which also brings the schema up to date. All methods raise StoreError when the
    database cannot be used, and InputError for values that cannot be stored or found.

    Parameters
    ----------
    conninfo
        Keyword arguments of psycopg's `connect`.
    connections
        Largest number of connections in the pool. A store with more than one opens another one to listen for changes.
    key
        Identifies the database (`Database.key`).
    patience_seconds
        How long a call waits for a database that cannot be reached.
    """

    def __init__(
        self,
        conninfo: dict[str, Any],
        connections: int = 1,
        key: str = "",
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._connections = Connections(conninfo, connections, patience_seconds)
        self._live = LiveRuns(self._connections)
        self._changes = ScenarioChanges(self._connections)
        self._key = key
        self.damaged: list[str] = []
        """Which rows the last list left out, because their columns are not what a store writes."""
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def _new_damaged(self) -> list[str]:
        self.damaged = []
        return self.damaged

    # The store itself

    async def key(self) -> str:
        """Return the identifier of the database (`Database.key`)."""
        return self._key

    async def open(self) -> None:
        """Connect, and bring the schema up to date. Every other call does so too if necessary."""
        await self._connections.retry(lambda: self._connections.ready())

    async def close(self) -> None:
        """Write the last heartbeats and close all connections. The store can be used again."""
        if self._live.unwritten:
            with contextlib.suppress(GoldenhourError):
                await self._live.write()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()
        await self._connections.close()

    async def status(self) -> dict[str, Any]:
        """Return the server's version, the migrations, and the numbers of rows. This does not change the schema."""

        async def read(connection: "AsyncConnection[Any]") -> dict[str, Any]:
            server = await self._connections.fetch(connection, "server")
            steps = [check_row(step, MigrationRow) for step in await migrations.applied(connection)]
            known = [{"number": step.number, "name": step.name} for step in migrations.migrations()]
            current = len(steps) == len(known)
            counts = (await self._connections.fetch(connection, "counts"))[0] if current else {}
            return {**server[0], **counts, "applied": steps, "known": known}

        return await self._connections.retry(lambda: self._connections.with_new_connection(read))

    async def upgrade(self) -> list[int]:
        """Apply the missing migrations and return their numbers."""
        steps = await self._connections.retry(
            lambda: self._connections.with_new_connection(migrations.upgrade)
        )
        return [step.number for step in steps]

    async def rollback(self, target: int | None = None) -> list[int]:
        """Undo the migrations above `target`, by default the newest one, and return their numbers."""
        if target is None:
            target = max(0, len((await self.status())["applied"]) - 1)
        wanted = target
        steps = await self._connections.retry(
            lambda: self._connections.with_new_connection(
                lambda connection: migrations.rollback(connection, wanted)
            )
        )
        return [step.number for step in steps]

    # Scenarios

    async def add_scenario(
        self, name: str, content: Content, author: str, note: str = "", parent: int | None = None
    ) -> dict[str, Any]:
        """Store a version of a scenario. If its text is that of the newest version, nothing is added.

        Parameters
        ----------
        name
            Name of the scenario.
        content
            Text of the version.
        author, note
            Who stores it, and why.
        parent
            The version that was edited; None for a scenario that does not exist yet.

        Returns
        -------
        dict
            `name`, `version` and `hash` of the newest version, and `added`: whether it is new.

        Raises
        ------
        ConflictError
            The newest version is not `parent`: another user has changed the scenario.
        """
        check_name(name)
        for field, text in (("note", note), ("author", author), ("scenario", content.text)):
            check_text(field, text)

        async def add(connection: "AsyncConnection[Any]") -> dict[str, Any]:
            async with connection.transaction():
                await self._connections.fetch(
                    connection, "add_content", digest=content.digest, **msgspec.structs.asdict(content)
                )
                row = (await self._connections.fetch(connection, "lock_scenario", name=name))[0]
                # A separate statement: one that waited for the lock does not see what was committed meanwhile
                # (docs/platform.md section 3.2).
                newest = await self._connections.fetch(
                    connection, "digest_of_version", name=name, version=row["head"]
                )
                head = row["head"] if newest else 0
                same = bool(newest) and newest[0]["digest"] == content.digest and not row["deleted"]
                if same and parent in (None, head, head - 1):
                    return {"name": name, "version": head, "added": False, "hash": content.hash}
                _check_parent(name, parent, head, row["deleted"])
                await self._connections.fetch(
                    connection,
                    "add_version",
                    name=name,
                    version=head + 1,
                    parent=head or None,
                    digest=content.digest,
                    author=author,
                    note=note,
                )
                await self._connections.fetch(connection, "move_head", name=name, version=head + 1)
                return {"name": name, "version": head + 1, "added": True, "hash": content.hash}

        try:
            return await self._connections.call(add)
        finally:
            self._changes.invalidate([name])

    async def scenario(self, name: str, version: int | None = None) -> dict[str, Any] | None:
        """Return a version of a scenario with its text, by default the newest one, or None if there is none.

        A removed scenario is found only with the number of a version. A shared store answers from memory while it
        receives the announcements of changes.
        """
        if not is_storable(name) or (version is not None and not 0 < version < 2**31):
            return None
        cached = self.cached_scenario(name, version)
        if cached is not None:
            return cached
        if self._connections.limit > 1:
            self._ensure_task("listen", self._changes.listen)
        changes = self._changes.changes
        rows = await self._connections.query("scenario", name=name, version=version)
        if not rows:
            return None
        check_row(rows[0], ScenarioRow)
        self._changes.cache(name, version, rows[0], changes)
        return rows[0]

    def cached_scenario(self, name: str, version: int | None = None) -> dict[str, Any] | None:
        """Return what `scenario` answers from memory, or None. Any thread may call this."""
        return self._changes.cached(name, version)

    async def scenarios(self) -> list[dict[str, Any]]:
        """Return the newest version of every scenario that is not removed. `text` is None for very long ones."""
        rows = await self._connections.query("scenarios")
        return sound_rows(rows, ListedScenarioRow, self._new_damaged())

    async def scenario_history(self, name: str) -> list[dict[str, Any]]:
        """Return all versions of a scenario without their texts, oldest first."""
        rows = await self._connections.query("history", name=name) if is_storable(name) else []
        return sound_rows(rows, VersionRow, self._new_damaged())

    async def remove_scenario(self, name: str) -> bool:
        """Remove a scenario and return whether there was one. Its versions and its runs stay in the database."""
        try:
            return is_storable(name) and bool(await self._connections.query("remove_scenario", name=name))
        finally:
            self._changes.invalidate([name])

    # Runs, as their drivers report them

    async def register_run(self, run: Registration) -> None:
        """Insert the row of a run. Registering it again changes nothing.

        A run that is resumed keeps its row, whose state becomes `running` again.
        """
        for field, text in (("name", run.name or ""), ("scenario", run.scenario), ("output", run.output)):
            check_text(field, text)
        values = msgspec.structs.asdict(run) | {
            "digest": run.content.digest,
            "settings": as_json(run.settings),
            "detail": None if run.detail is None else as_json(run.detail),
        }
        content = values.pop("content")

        async def register(connection: "AsyncConnection[Any]") -> None:
            async with connection.transaction():
                await self._connections.fetch(
                    connection, "add_content", digest=content.digest, **msgspec.structs.asdict(content)
                )
                await self._connections.fetch(connection, "register_run", **values)

        await self._connections.call(register)
        self._live.add(run)

    async def heartbeat(self, heartbeat: Heartbeat) -> HeartbeatReply:
        """Record the progress of a run.

        The answer comes at once, from memory: it is what the last write found out. The heartbeats of all runs are
        written together within a second or two.
        """
        reply = self._live.receive(heartbeat)
        self._ensure_task("heartbeats", self._write_heartbeats)
        return reply

    async def finish_run(
        self,
        run: uuid.UUID,
        state: State,
        error: str | None = None,
        measures: dict[str, Any] | None = None,
        last: Heartbeat | None = None,
    ) -> State:
        """Record how a run ended and return the state of its row. Calling it again changes nothing.

        Parameters
        ----------
        run
            Id of the run.
        state
            `succeeded`, `failed` or `cancelled`.
        error
            Why the run failed.
        measures
            Measures of a run that succeeded.
        last
            Progress of the run when it ended; None keeps the progress that was written before.
        """
        progress = {name: getattr(last, name, None) for name in ("patients", "fraction", "rate", "bytes")}
        detail = None if last is None or last.detail is None else as_json(last.detail)
        self._live.remove(run)

        async def finish(connection: "AsyncConnection[Any]") -> State:
            rows = await self._connections.fetch(
                connection,
                "finish_run",
                id=run,
                state=state,
                error=None if error is None else escape_unstorable(error),
                measures=None if measures is None else as_json(measures),
                detail=detail,
                **progress,
            )
            rows = rows or await self._connections.fetch(connection, "run_state", id=run)
            if not rows:
                raise StoreError(f"run {run} is not in the database")
            return rows[0]["state"]

        return await self._connections.call(finish)

    # Runs, as users see them

    async def runs(
        self, state: str | None = None, limit: int = 50, kinds: Sequence[Kind] = RUNS
    ) -> list[dict[str, Any]]:
        """Return the latest runs without their measures, newest first. Runs whose driver is silent become resumable."""
        await self._connections.query("sweep", seconds=SILENCE_SECONDS)
        rows = await self._connections.query("runs", state=state, limit=limit, others=_others(kinds))
        return sound_rows(rows, ListedRunRow, self._new_damaged())

    async def run(self, run: uuid.UUID) -> dict[str, Any] | None:
        """Return a run with the text of its scenario and its measures, or None if there is none."""
        await self._connections.query("sweep", seconds=SILENCE_SECONDS)
        rows = await self._connections.query("run", id=run)
        return check_row(rows[0], RunRow) if rows else None

    async def run_status(self, run: uuid.UUID) -> dict[str, Any] | None:
        """Return state and progress of a run, from memory while its driver sends heartbeats to this store."""
        live = self.live_status(run)
        if live is not None:
            return live
        row = await self.run(run)
        names = (*Heartbeat.__struct_fields__, "state", "cancelled_by")
        return None if row is None else {name: row[name] for name in names}

    def live_status(self, run: uuid.UUID) -> dict[str, Any] | None:
        """Return what `run_status` answers from memory, or None. Any thread may call this."""
        return self._live.status(run)

    async def find_run(self, reference: str, kinds: Sequence[Kind] = RUNS) -> uuid.UUID:
        """Return the run with this id, this beginning of an id (four or more characters), or this name.

        Only runs of these kinds are returned. Raises InputError when there is none, or more than one.
        """
        text = reference.lower()
        prefix = text if len(text) >= 4 and all(c in "0123456789abcdef-" for c in text) else ""
        others = _others(kinds)
        rows = (
            await self._connections.query("find_runs", reference=reference, prefix=prefix, others=others)
            if is_storable(reference)
            else []
        )
        for row in rows:
            check_row(row, FoundRunRow)
        found = [row for row in rows if row["kind"] not in others]
        if len(found) == 1:
            return found[0]["id"]
        noun, group = ("run", "runs") if "run" in kinds else ("experiment", "experiments")
        if not rows:
            near = await self._nearest_reference(text, others)
            raise InputError(
                f"there is no {noun} {shown(reference)}; allowed: an id, four or more of its first characters, or a "
                f"name, as `goldenhour {group} list` shows them{f'; did you mean {near}?' if near else ''}"
            )
        if not found:
            kind, short = rows[0]["kind"], str(rows[0]["id"])[:8]
            other = "runs" if kind in RUNS else "experiments"
            raise InputError(
                f"{shown(reference)} is not {_with_article(noun)} but {_with_article(kind)}: "
                f"`goldenhour {other} show {short}`"
            )
        some = ", ".join(f"{str(row['id'])[:8]} ({row['state']})" for row in found[:5])
        raise InputError(
            f"{shown(reference)} may mean {len(found)} {group}: {some}{' ...' if len(found) > 5 else ''}"
        )

    async def _nearest_reference(self, text: str, others: list[Kind]) -> str | None:
        """Return the name or short id of a recent run that is most similar to `text`, or None."""
        known: dict[str, str] = {}
        for row in await self._connections.query("latest_references", others=others):
            short = str(row["id"])[:8]
            known.setdefault(short, repr(short))
            if isinstance(row["name"], str) and row["name"]:
                known.setdefault(row["name"].lower(), repr(row["name"]))
        near = difflib.get_close_matches(text, known, n=1)
        return known[near[0]] if near else None

    async def run_of_output(self, output: str, kinds: Sequence[Kind] = RUNS) -> dict[str, Any] | None:
        """Return the run that was last started in this output, as `run` does, or None if there is none."""
        if not is_storable(output):
            return None
        rows = await self._connections.query("run_of_output", output=output, others=_others(kinds))
        return await self.run(rows[0]["id"]) if rows else None

    async def cancel_run(self, run: uuid.UUID, who: str) -> State | None:
        """Ask the driver of a run to stop it. A run whose driver is silent is cancelled at once.

        Returns the state of the run, or None if there is no such run. A driver needs a few seconds to stop; the state
        stays the same until then.
        """
        await self._connections.query("sweep", seconds=SILENCE_SECONDS)
        rows = await self._connections.query(
            "ask_to_cancel", id=run, who=who
        ) or await self._connections.query("cancel_silent", id=run, who=who)
        rows = rows or [
            check_row(row, EndedRunRow) for row in await self._connections.query("run_state", id=run)
        ]
        return rows[0]["state"] if rows else None

    async def remove_run(self, run: uuid.UUID) -> bool:
        """Delete the row of a run that has ended or whose driver is silent, and return whether there was one.

        The files of the run stay.
        """
        return bool(await self._connections.query("remove_run", id=run))

    # Changes of scenarios

    async def subscribe(self, subscriber: Any) -> str:
        """Notify an actor of changes of scenarios: `subscriber.invalidate.remote(["scenario:NAME", ...])`.

        After a time without a connection, in which announcements are lost, it is notified of all scenarios.

        Returns this store's epoch. A store that was started again has another epoch and no subscribers. A subscriber
        should therefore subscribe again every few seconds, and treat another epoch as a change of all scenarios.
        """
        self._changes.subscribe(subscriber)
        await self._connections.ready()
        self._ensure_task("listen", self._changes.listen)
        return self._changes.epoch

    # Tasks in the background

    async def _write_heartbeats(self) -> None:
        swept = time.monotonic()
        while True:
            begin = time.monotonic()
            try:
                await self._live.write()
                shared = self._connections.limit > 1
                if shared and begin - swept > SWEEP_SECONDS and self._live.error is None:
                    swept = begin
                    await self._connections.query("sweep", seconds=SILENCE_SECONDS)
                self._live.error = None
            except GoldenhourError as error:
                self._live.error = str(error)
            self._connections.export_metrics()
            await asyncio.sleep(max(0.05, WRITE_SECONDS - (time.monotonic() - begin)))

    def _ensure_task(self, name: str, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start a task unless it is running."""
        task = self._tasks.get(name)
        if task is None or task.done():
            self._tasks[name] = asyncio.get_running_loop().create_task(function(), name=f"goldenhour-{name}")


def _others(kinds: Sequence[Kind]) -> list[Kind]:
    """Return the kinds that are not in `kinds`."""
    return [kind for kind in ALL_KINDS if kind not in kinds]


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _check_parent(name: str, parent: int | None, head: int, deleted: bool) -> None:
    """Raise ConflictError unless an edit of version `parent` may follow the newest version, `head` (0 for none)."""
    if parent is None and head and not deleted:
        raise ConflictError(
            f"scenario {shown(name)} exists, at version {head}; to edit that version, add --parent {head}"
        )
    if parent is not None and parent != head:
        raise ConflictError(
            f"scenario {shown(name)} is at version {head}, not {parent}: another user has changed it; "
            f"look at `goldenhour scenarios diff {name}@{parent} {name}@{head}` and edit that version"
            if 0 < parent < head
            else f"scenario {shown(name)} has no version {parent}; its newest one is {head or 'none'}"
        )


@contextlib.asynccontextmanager
async def open_store(
    database: Database, patience_seconds: float = PATIENCE_SECONDS
) -> AsyncIterator[ConfigStore]:
    """Open a store in this process, with one connection, for the length of the block.

    An embedded server is started if it is not running.
    """
    server = Server(database.folder) if database.embedded else None
    if server is not None:
        await asyncio.to_thread(server.open)
    try:
        store = ConfigStore(database.conninfo(), key=database.key, patience_seconds=patience_seconds)
        try:
            yield store
        finally:
            await store.close()
    finally:
        if server is not None:
            await asyncio.to_thread(server.close)

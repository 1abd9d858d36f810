"""ConfigStore: the only code that talks to the database. Scenarios with their versions, and runs.

On a shared cluster one named actor has it for all drivers (shared_store.py); for the command line and in a driver's own
Ray it works in process. SQL stands in sql/queries.sql, the schema in sql/migrations.
"""

import asyncio
import contextlib
import difflib
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from actors.cluster import hide_pyarrow_in_worker
from actors.store import database
from actors.store.connections import Connections
from actors.store.values import (
    Beat,
    Content,
    Registration,
    Reply,
    State,
    as_json,
    check_name,
    check_text,
    clean,
    storable,
)
from engine.errors import ConflictError, GoldenhourError, InputError, StoreError, shown

hide_pyarrow_in_worker()

if TYPE_CHECKING:
    from psycopg import AsyncConnection

CHANNEL = "goldenhour_changes"
"""PostgreSQL channel of changes of scenarios: {"kind": "scenario", "name": ..., "hash": ...}."""

SILENCE_SECONDS = 15.0
"""A run whose driver has not been heard of for so long is taken for dead."""

FLUSH_SECONDS = 1.0
"""Time between two writings of what the drivers said."""

SWEEP_SECONDS = 5.0
"""Time between two looks for runs whose driver has died."""

REMEMBERED_SCENARIOS = 256
"""Scenarios a shared store keeps in memory."""

PATIENCE_SECONDS = 10.0
"""How long a call waits for a database that is away."""


class _Live(NamedTuple):
    """A run whose driver beats to this store."""

    beat: Beat
    at: float
    state: State
    reply: Reply
    written: bool


class ConfigStore:
    """Scenarios and runs in a PostgreSQL database, through at most `connections` connections and one that listens.

    `conninfo` are keyword arguments of psycopg. Nothing is opened before the first call, which also brings the schema
    up to date. Calls wait up to `patience_seconds` for a database that is away. All methods raise StoreError when the
    database cannot be used, InputError for values that cannot be stored or found.
    """

    def __init__(
        self,
        conninfo: dict[str, Any],
        connections: int = 1,
        key: str = "",
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._connections = Connections(conninfo, connections, patience_seconds)
        self._key = key
        self._live: dict[uuid.UUID, _Live] = {}
        self._trouble: str | None = None
        self._subscribers: list[Any] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._epoch = uuid.uuid4().hex
        self._looked_up: dict[tuple[str, int | None], dict[str, Any]] = {}
        self._listening = False
        self._changes = 0

    # The store itself

    async def key(self) -> str:
        """Which database this is (`Database.key`)."""
        return self._key

    async def open(self) -> None:
        """Connect, and bring the schema up to date. Optional: every call does so when needed."""
        await self._connections.retried(lambda: self._connections.ready())

    async def close(self) -> None:
        """Write what is known of the runs and close all connections. The store may be used again."""
        if any(not live.written for live in self._live.values()):
            with contextlib.suppress(GoldenhourError):
                await self._flush()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()
        await self._connections.close()

    async def status(self) -> dict[str, Any]:
        """The server, its migrations and how much is in the database; the schema is left as it is."""

        async def ask(connection: "AsyncConnection[Any]") -> dict[str, Any]:
            server = await self._connections.fetch(connection, "server")
            steps = await database.applied(connection)
            known = [{"number": step.number, "name": step.name} for step in database.migrations()]
            current = len(steps) == len(known)
            counts = (await self._connections.fetch(connection, "counts"))[0] if current else {}
            return {**server[0], **counts, "applied": steps, "known": known}

        return await self._connections.retried(lambda: self._connections.alone(ask))

    async def upgrade(self) -> list[int]:
        """Apply the migrations that are missing; their numbers."""
        done = await self._connections.retried(lambda: self._connections.alone(database.upgrade))
        return [step.number for step in done]

    async def rollback(self, target: int | None = None) -> list[int]:
        """Take back the migrations above `target`, by default the newest one; their numbers."""
        if target is None:
            target = max(0, len((await self.status())["applied"]) - 1)
        wanted = target
        done = await self._connections.retried(
            lambda: self._connections.alone(lambda connection: database.rollback(connection, wanted))
        )
        return [step.number for step in done]

    # Scenarios

    async def add_scenario(
        self, name: str, content: Content, author: str, note: str = "", parent: int | None = None
    ) -> dict[str, Any]:
        """Store a scenario: the first version of a new name, or the version after `parent` of an existing one.

        The text of the newest version again makes no new one. Raises ConflictError when the newest version is not
        `parent`: somebody else has changed the scenario.
        """
        check_name(name)
        for what, text in (("note", note), ("author", author), ("scenario", content.text)):
            check_text(what, text)

        async def add(connection: "AsyncConnection[Any]") -> dict[str, Any]:
            async with connection.transaction():
                await self._connections.fetch(
                    connection, "add_content", digest=content.digest, **msgspec.structs.asdict(content)
                )
                row = (await self._connections.fetch(connection, "lock_scenario", name=name))[0]
                # A statement of its own: one that waited for the lock would not see what was committed meanwhile.
                newest = await self._connections.fetch(
                    connection, "digest_of_version", name=name, version=row["head"]
                )
                head = row["head"] if newest else 0
                same = bool(newest) and newest[0]["digest"] == content.digest and not row["deleted"]
                if same and parent in (None, head, head - 1):
                    return {"name": name, "version": head, "added": False, "hash": content.hash}
                if parent is None and head and not row["deleted"]:
                    raise ConflictError(
                        f"scenario {shown(name)} exists, at version {head}; an edit of it says so: --parent {head}"
                    )
                if parent is not None and parent != head:
                    raise ConflictError(
                        f"scenario {shown(name)} is at version {head}, not {parent}: somebody else has changed it; "
                        f"look at `goldenhour scenarios diff {name}@{parent} {name}@{head}` and edit that version"
                        if 0 < parent < head
                        else f"scenario {shown(name)} has no version {parent}; its newest one is {head or 'none'}"
                    )
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
            self._forget([name])

    async def scenario(self, name: str, version: int | None = None) -> dict[str, Any] | None:
        """A version of a scenario with its text, by default the newest; None when there is none.

        A removed scenario is found by its number only. A shared store answers from memory as long as it hears of
        changes.
        """
        if not storable(name) or (version is not None and not 0 < version < 2**31):
            return None
        known = self.known_scenario(name, version)
        if known is not None:
            return known
        if self._connections.most > 1:
            self._keep("listen", self._listen_loop)
        changes = self._changes
        rows = await self._connections.query("scenario", name=name, version=version)
        if rows and self._listening and changes == self._changes:
            if len(self._looked_up) >= REMEMBERED_SCENARIOS:
                self._looked_up.clear()
            self._looked_up[name, version] = rows[0]
        return rows[0] if rows else None

    def known_scenario(self, name: str, version: int | None = None) -> dict[str, Any] | None:
        """What `scenario` answers from memory; None where it has to ask the database. May be called by any thread."""
        return self._looked_up.get((name, version))

    async def scenarios(self) -> list[dict[str, Any]]:
        """The newest version of every scenario that was not removed."""
        return await self._connections.query("scenarios")

    async def scenario_history(self, name: str) -> list[dict[str, Any]]:
        """All versions of a scenario without their texts, oldest first."""
        return await self._connections.query("history", name=name) if storable(name) else []

    async def remove_scenario(self, name: str) -> bool:
        """Take a scenario off the list; its versions and the runs of it stay. Whether there was one."""
        try:
            return storable(name) and bool(await self._connections.query("remove_scenario", name=name))
        finally:
            self._forget([name])

    # Runs, by their drivers

    async def register_run(self, run: Registration) -> None:
        """Enter a run, once however often it is asked for.

        One that is resumed keeps its row, which is `running` again.
        """
        for what, text in (("name", run.name or ""), ("scenario", run.scenario), ("output", run.output)):
            check_text(what, text)
        values = msgspec.structs.asdict(run) | {
            "digest": run.content.digest,
            "settings": as_json(run.settings),
        }
        content = values.pop("content")

        async def register(connection: "AsyncConnection[Any]") -> None:
            async with connection.transaction():
                await self._connections.fetch(
                    connection, "add_content", digest=content.digest, **msgspec.structs.asdict(content)
                )
                await self._connections.fetch(connection, "register_run", **values)

        await self._connections.call(register)
        beat = Beat(id=run.id, expected=run.expected)
        self._live[run.id] = _Live(beat, time.monotonic(), "queued", Reply(), True)

    async def beat(self, beat: Beat) -> Reply:
        """Take note of how far a run is; written within a second or two, with those of all other runs.

        Answers at once, from memory: what the last writing found out.
        """
        before = self._live.get(beat.id)
        state: State = "queued" if beat.phase in ("waiting", "starting") else "running"
        reply = before.reply if before else Reply()
        self._live[beat.id] = _Live(beat, time.monotonic(), state, reply, False)
        self._keep("flush", self._flush_loop)
        return msgspec.structs.replace(reply, trouble=self._trouble)

    async def finish_run(
        self,
        run: uuid.UUID,
        state: State,
        error: str | None = None,
        measures: dict[str, Any] | None = None,
        beat: Beat | None = None,
    ) -> State:
        """Enter how a run ended, once however often it is asked for. Returns the state it is in."""
        values = {name: getattr(beat, name, None) for name in ("patients", "fraction", "rate", "bytes")}
        self._live.pop(run, None)

        async def finish(connection: "AsyncConnection[Any]") -> State:
            rows = await self._connections.fetch(
                connection,
                "finish_run",
                id=run,
                state=state,
                error=None if error is None else clean(error),
                measures=None if measures is None else as_json(measures),
                **values,
            )
            rows = rows or await self._connections.fetch(connection, "run_state", id=run)
            if not rows:
                raise StoreError(f"run {run} is not in the database")
            return rows[0]["state"]

        return await self._connections.call(finish)

    # Runs, by those who look at them

    async def runs(self, state: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
        """The latest runs, newest first, without their measures. Those whose driver has died become resumable."""
        await self._connections.query("sweep", seconds=SILENCE_SECONDS)
        return await self._connections.query("runs", state=state, limit=limit)

    async def run(self, run: uuid.UUID) -> dict[str, Any] | None:
        """All that is known of a run, its scenario's text and its measures included; None when there is none."""
        await self._connections.query("sweep", seconds=SILENCE_SECONDS)
        rows = await self._connections.query("run", id=run)
        return rows[0] if rows else None

    async def run_status(self, run: uuid.UUID) -> dict[str, Any] | None:
        """State and progress of a run; from memory while its driver beats to this store."""
        known = self.known_status(run)
        if known is not None:
            return known
        row = await self.run(run)
        names = (*Beat.__struct_fields__, "state", "cancelled_by")
        return None if row is None else {name: row[name] for name in names}

    def known_status(self, run: uuid.UUID) -> dict[str, Any] | None:
        """What `run_status` answers from memory; None where it has to ask the database. May be called by any thread."""
        live = self._live.get(run)
        if live is None or time.monotonic() - live.at >= SILENCE_SECONDS:
            return None
        return {
            **msgspec.structs.asdict(live.beat),
            "state": live.state,
            "cancelled_by": live.reply.cancelled_by,
        }

    async def find_run(self, reference: str) -> uuid.UUID:
        """The run that an id, the first characters of one (four or more) or a name mean.

        Raises InputError when there is none, or more than one.
        """
        text = reference.lower()
        prefix = text if len(text) >= 4 and all(c in "0123456789abcdef-" for c in text) else ""
        rows = (
            await self._connections.query("find_runs", reference=reference, prefix=prefix)
            if storable(reference)
            else []
        )
        if len(rows) == 1:
            return rows[0]["id"]
        if not rows:
            near = await self._near(text)
            raise InputError(
                f"there is no run {shown(reference)}; allowed: an id, four or more of its first characters, or a name, "
                f"as `goldenhour runs list` shows them{f'; did you mean {near}?' if near else ''}"
            )
        some = ", ".join(f"{str(row['id'])[:8]} ({row['state']})" for row in rows[:5])
        raise InputError(
            f"{shown(reference)} may mean {len(rows)} runs: {some}{' ...' if len(rows) > 5 else ''}"
        )

    async def _near(self, text: str) -> str | None:
        """The name or short id among the latest runs' that is most like `text`."""
        known: dict[str, str] = {}
        for row in await self._connections.query("latest_references"):
            short = str(row["id"])[:8]
            known.setdefault(short, repr(short))
            if row["name"]:
                known.setdefault(row["name"].lower(), repr(row["name"]))
        near = difflib.get_close_matches(text, known, n=1)
        return known[near[0]] if near else None

    async def run_of_output(self, output: str) -> dict[str, Any] | None:
        """The run that was last started in this output, as `run` gives it; None when there is none."""
        rows = await self._connections.query("run_of_output", output=output) if storable(output) else []
        return await self.run(rows[0]["id"]) if rows else None

    async def cancel_run(self, run: uuid.UUID, who: str) -> State | None:
        """Ask a run's driver to stop; one that is silent is entered as cancelled. The run's state now, None without it.

        A driver stops within a few seconds; until then the state stays as it is.
        """
        await self._connections.query("sweep", seconds=SILENCE_SECONDS)
        rows = await self._connections.query(
            "ask_to_cancel", id=run, who=who
        ) or await self._connections.query("cancel_silent", id=run, who=who)
        rows = rows or await self._connections.query("run_state", id=run)
        return rows[0]["state"] if rows else None

    async def remove_run(self, run: uuid.UUID) -> bool:
        """Forget a run that has ended or whose driver is silent; its files stay. Whether it is gone."""
        return bool(await self._connections.query("remove_run", id=run))

    # Changes of scenarios

    async def subscribe(self, subscriber: Any) -> str:
        """Tell an actor which scenarios change: `subscriber.invalidate.remote(["scenario:NAME", ...])`.

        After a time without a connection, in which announcements are lost, it hears of all scenarios. Returns this
        store's epoch: a store that was re-created has another one and knows no subscribers, so subscribe again every
        few seconds and take another epoch for a change of everything.
        """
        if subscriber not in self._subscribers:
            self._subscribers.append(subscriber)
        await self._connections.ready()
        self._keep("listen", self._listen_loop)
        return self._epoch

    async def _listen_loop(self) -> None:
        import psycopg
        from psycopg.rows import dict_row

        while True:
            with contextlib.suppress(psycopg.Error, OSError):
                connection = await psycopg.AsyncConnection.connect(
                    **self._connections.conninfo, autocommit=True, row_factory=dict_row
                )
                async with connection:
                    await connection.execute(f"LISTEN {CHANNEL}".encode())
                    names = await self._connections.fetch(connection, "scenario_names")
                    self._listening = True
                    self._announce([row["name"] for row in names])
                    while True:
                        async for notice in connection.notifies(timeout=1):
                            self._announce([json.loads(notice.payload)["name"]])
                        await connection.execute(b"SELECT 1")
            self._listening = False
            self._forget(None)
            await asyncio.sleep(0.5)

    def _forget(self, names: Sequence[str] | None) -> None:
        """Look these scenarios up again when they are next asked for; None: all of them."""
        self._changes += 1
        for key in [key for key in self._looked_up if names is None or key[0] in names]:
            del self._looked_up[key]

    def _announce(self, names: Sequence[str]) -> None:
        self._forget(names)
        for subscriber in list(self._subscribers):
            if names:
                with contextlib.suppress(Exception):  # an actor that is gone is told nothing
                    subscriber.invalidate.remote([f"scenario:{name}" for name in names])

    # What the drivers said

    async def _flush_loop(self) -> None:
        swept = time.monotonic()
        while True:
            begin = time.monotonic()
            try:
                await self._flush()
                if self._connections.most > 1 and begin - swept > SWEEP_SECONDS and self._trouble is None:
                    swept = begin
                    await self._connections.query("sweep", seconds=SILENCE_SECONDS)
                self._trouble = None
            except GoldenhourError as error:
                self._trouble = str(error)
            self._connections.measure()
            await asyncio.sleep(max(0.05, FLUSH_SECONDS - (time.monotonic() - begin)))

    async def _flush(self) -> None:
        """Write the beats that came since the last time, and learn what others did to those runs."""
        now = time.monotonic()
        self._live = {run: live for run, live in self._live.items() if now - live.at < 10 * SILENCE_SECONDS}
        fresh = {run: live for run, live in self._live.items() if not live.written}
        if not fresh:
            return
        beats = [msgspec.structs.asdict(live.beat) | {"id": str(run)} for run, live in fresh.items()]
        found = {row["id"]: row for row in await self._connections.query("beat", beats=as_json(beats))}
        for run, live in fresh.items():
            row = found.get(run)
            if row is None:  # ended by somebody else, or removed
                rows = await self._connections.query("run_state", id=run)
                if not rows:
                    reply = Reply(missing=True)
                else:
                    reply = Reply(cancelled_by=rows[0]["cancelled_by"] or f"its state, {rows[0]['state']}")
            else:
                reply = Reply(cancelled_by=row["cancelled_by"])
            now_live = self._live.get(run)
            if now_live is not None:
                self._live[run] = now_live._replace(reply=reply, written=now_live.beat is live.beat)

    def _keep(self, name: str, loop: Callable[[], Any]) -> None:
        task = self._tasks.get(name)
        if task is None or task.done():
            self._tasks[name] = asyncio.get_running_loop().create_task(loop(), name=f"goldenhour-{name}")


@contextlib.asynccontextmanager
async def opened(
    where: database.Database, patience_seconds: float = PATIENCE_SECONDS
) -> AsyncIterator[ConfigStore]:
    """A store in this process with one connection, for the length of a command; starts an embedded server if needed."""
    from actors.store.postgres import Server

    server = Server(where.folder) if where.embedded else None
    if server is not None:
        await asyncio.to_thread(server.open)
    try:
        store = ConfigStore(where.conninfo(), key=where.key, patience_seconds=patience_seconds)
        try:
            yield store
        finally:
            await store.close()
    finally:
        if server is not None:
            await asyncio.to_thread(server.close)

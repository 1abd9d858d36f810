"""The runs whose drivers send heartbeats to this store."""

import time
import uuid
from typing import Any, NamedTuple

import msgspec

from actors.store.connections import Connections
from actors.store.messages import Heartbeat, HeartbeatReply, Registration, State
from actors.store.rows import EndedRunRow, check_row
from actors.store.text import as_json

SILENCE_SECONDS = 15.0
"""A driver that has sent no heartbeat for this long is considered dead."""


class _LiveRun(NamedTuple):
    """The last heartbeat of a run, and the answer to the next one."""

    heartbeat: Heartbeat
    received_at: float
    state: State
    reply: HeartbeatReply
    written: bool


class LiveRuns:
    """The last heartbeat of each live run, in memory.

    `receive` answers at once. `write` writes the heartbeats of all runs in one statement, and finds out what other
    processes did to these runs meanwhile. `error` says why the last `write` failed; its caller sets it.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._runs: dict[uuid.UUID, _LiveRun] = {}
        self.error: str | None = None

    @property
    def unwritten(self) -> bool:
        """Whether a heartbeat has not been written yet."""
        return any(not live.written for live in self._runs.values())

    def add(self, run: Registration) -> None:
        """Add a run that was registered."""
        heartbeat = Heartbeat(id=run.id, expected=run.expected)
        self._runs[run.id] = _LiveRun(heartbeat, time.monotonic(), "queued", HeartbeatReply(), True)

    def remove(self, run: uuid.UUID) -> None:
        """Remove a run that has ended, if it is there."""
        self._runs.pop(run, None)

    def receive(self, heartbeat: Heartbeat) -> HeartbeatReply:
        """Store a heartbeat and return what the last `write` found out about its run."""
        before = self._runs.get(heartbeat.id)
        state: State = "queued" if heartbeat.phase in ("waiting", "starting") else "running"
        reply = before.reply if before else HeartbeatReply()
        self._runs[heartbeat.id] = _LiveRun(heartbeat, time.monotonic(), state, reply, False)
        return msgspec.structs.replace(reply, error=self.error)

    def status(self, run: uuid.UUID) -> dict[str, Any] | None:
        """Return state and progress of a run, or None if its driver is silent. Any thread may call this."""
        live = self._runs.get(run)
        if live is None or time.monotonic() - live.received_at >= SILENCE_SECONDS:
            return None
        return {
            **msgspec.structs.asdict(live.heartbeat),
            "detail": msgspec.to_builtins(live.heartbeat.detail),
            "state": live.state,
            "cancelled_by": live.reply.cancelled_by,
        }

    async def write(self) -> None:
        """Write the heartbeats that are not written yet, and update the replies to their drivers."""
        now = time.monotonic()
        self._runs = {
            run: live for run, live in self._runs.items() if now - live.received_at < 10 * SILENCE_SECONDS
        }
        unwritten = {run: live for run, live in self._runs.items() if not live.written}
        if not unwritten:
            return
        heartbeats = [
            msgspec.structs.asdict(live.heartbeat) | {"id": str(run)} for run, live in unwritten.items()
        ]
        updated = await self._connections.query("beat", beats=as_json(heartbeats))
        rows = {row["id"]: check_row(row, EndedRunRow) for row in updated}
        for run, live in unwritten.items():
            row = rows.get(run)
            reply = (
                await self._reply_for_ended(run)
                if row is None
                else HeartbeatReply(cancelled_by=row["cancelled_by"])
            )
            current = self._runs.get(run)
            if current is not None:
                same = current.heartbeat is live.heartbeat
                self._runs[run] = current._replace(reply=reply, written=same)

    async def _reply_for_ended(self, run: uuid.UUID) -> HeartbeatReply:
        """Return the reply for a run that another process has ended or removed."""
        rows = await self._connections.query("run_state", id=run)
        if not rows:
            return HeartbeatReply(missing=True)
        check_row(rows[0], EndedRunRow)
        return HeartbeatReply(cancelled_by=rows[0]["cancelled_by"] or f"its state, {rows[0]['state']}")

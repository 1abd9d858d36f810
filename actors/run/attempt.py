"""One try to bring a run to its end on Ray: its actors, the calls under way, and the window of chunks.

A fault ends it; `pipeline` then makes another one, which goes on after the journal.
"""

import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors.cluster import Session, as_remote
from actors.run import generator, shards
from actors.run.generator import CHUNK, PART
from actors.run.journal import Part
from actors.run.shards import MergingSimulator, ShardSimulator
from actors.run.simulator import FlowSimulator, Head
from actors.run.writer import Ledger, OutOfOrder, Share, Writer
from engine.errors import GoldenhourError, RunError, StoppedRun
from engine.records import PARQUET_PART_PATIENTS, PART_PATIENTS

if TYPE_CHECKING:
    from actors.run.pipeline import Run, RunRequest

TICK_SECONDS = 0.25
"""Longest time without a word on progress."""

PREPARE_PATIENCE = 4.0
"""So many times as long may the kernel take to compile: minutes on a busy machine."""

SAVE_SECONDS = 1.5
"""Time the writers of an interrupted run have to bring to the disk what they hold."""

END_SECONDS = 1.0
"""Time an actor has to end when it is asked to."""


def _make_sure_of_the_end(pids: list[int]) -> None:
    """Kill those of this node's actors that do not end: Ray asks them to, which one that hangs never does."""
    until = time.monotonic() + END_SECONDS
    while pids:
        late = time.monotonic() > until
        try:
            os.kill(pids[-1], signal.SIGKILL if late else 0)
        except OSError:
            pids.pop()
            continue
        if late:
            pids.pop()
        else:
            time.sleep(0.005)


def _shares(request: "RunRequest") -> list[Share]:
    """The parts of each writer."""
    if request.writers == 1:
        return [Share()]
    block = -(-PARQUET_PART_PATIENTS // request.chunk_size)
    chunks = ((CHUNK, block * (PART_PATIENTS // PARQUET_PART_PATIENTS)), (PART, block))
    return [Share(index, request.writers, chunks) for index in range(request.writers)]


class StalledError(Exception):
    """Nothing has happened for too long."""


def mendable(error: Exception) -> str:
    """The reason of a fault of Ray, in a line; raises what is not Ray's fault and would happen again."""
    from ray.exceptions import RayError, RayTaskError

    if isinstance(error, StalledError):
        return str(error)
    if isinstance(error, RayTaskError):
        cause = error.cause
        if isinstance(cause, GoldenhourError):
            raise cause from None
        if isinstance(cause, MemoryError):
            raise StoppedRun("out of memory: use a smaller --chunk-size or fewer --workers") from error
        if not isinstance(cause, RayError | OutOfOrder):
            raise RunError(f"{type(cause).__name__}: {cause}") from error
        error = cause
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


class Attempt:
    """The actors and calls of one try to bring a run to its end."""

    def __init__(self, run: "Run", session: Session, phase: str) -> None:
        import ray

        self._ray: Any = ray
        self._run = run
        self._phase = phase
        request = run.request
        self._node = ray.get_runtime_context().get_node_id()
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(self._node, soft=False)
        stateful: dict[str, Any] = {"num_cpus": 0, "max_restarts": 0, "max_task_retries": 0}
        simulated = (run.scenario, request.seed, request.replication, request.chunk_size, run.cache)
        parts = shards.divide_fronts(run.scenario, request.simulators)
        # away from the driver and the writer: two nodes then carry alike
        spread: dict[str, Any] = stateful | {"scheduling_strategy": "DEFAULT" if session.local else "SPREAD"}
        self._simulators = [
            as_remote(ShardSimulator).options(**spread).remote(*simulated, fronts=fronts) for fronts in parts
        ]
        if parts:
            merging = as_remote(MergingSimulator).options(**stateful)
            self._simulator = merging.remote(*simulated, parts=parts, shards=self._simulators)
        else:
            self._simulator = as_remote(FlowSimulator).options(**spread).remote(*simulated)
        self._shares = _shares(request)
        self._writers = [
            as_remote(Writer)
            .options(**stateful, scheduling_strategy=here if request.writers == 1 else "SPREAD")
            .remote(str(run.folder.partial), run.folder.run.run, share, run.sync_seconds)
            for share in self._shares
        ]
        self._generate = as_remote(generator.generate, "goldenhour.generate").options(
            num_cpus=1,
            num_returns=2,
            max_retries=3,
            retry_exceptions=False,
            scheduling_strategy="DEFAULT" if session.local else "SPREAD",
        )
        self._orders = {lane: ray.put(order) for lane, order in run.orders.items()}
        # Where the run has the whole cluster, a second task for each CPU waits there with its chunk: no CPU idles while
        # results travel.
        whole = not session.local and request.workers >= session.generators() - request.cpus_of_simulators
        ahead = request.workers if whole else 0
        self._most_running = len(run.orders) * 1000 if session.local else request.workers + ahead
        self._per_part = -(-PARQUET_PART_PATIENTS // request.chunk_size) if PART in run.orders else 0
        self._limit = request.workers + ahead + 3 + request.workers * self._per_part
        self._here: list[int] = []
        self._issued = 0
        self._heads: deque[tuple[Any, Any]] = deque()
        self._gathered: list[Any] = []
        self._queue: deque[tuple[str, int, list[Any]]] = deque()
        self._running: dict[Any, None] = {}
        self._receipts: dict[Any, tuple[int, str]] = {}
        self._last_event = time.monotonic()

    def work(self) -> tuple[list[Part], bytes]:
        """Bring the run to its end; returns the finished parts and the measures as JSON."""
        run = self._run
        simulators = (*self._simulators, self._simulator)
        actors = [
            *(("simulator" if actor is self._simulator else "shard", actor) for actor in simulators),
            *(("writer", writer) for writer in self._writers),
        ]
        greeted = [
            (role, actor.hello.remote()) for role, actor in actors
        ]  # before what may take them minutes
        opened = [writer.open.remote((*run.orders,)) for writer in self._writers]
        prepared = [simulator.prepare.remote() for simulator in simulators]
        warm = [self._generate.remote(next(iter(self._orders.values()))) for _ in range(run.request.workers)]
        for role, greeting in greeted:
            node, pid = self._result(greeting, f"the {role} to start")
            self._watch(role, node, pid)
            if node == self._node:
                self._here.append(pid)
        run.ledger = Ledger((*run.orders,), len(self._writers))
        for index, receipt in enumerate(opened):
            run.ledger.enter(index, self._result(receipt, "a writer to open its files"))
        self._running = {origin: None for _, origin in warm}
        del warm
        for ready in prepared:
            run.note_fault(
                self._result(ready, "the simulator to load or compile its kernel", PREPARE_PATIENCE)
            )
        if not run.complete:
            self._issued = max(
                0, run.done - 1
            )  # the last chunk there is must be seen, also where it is written
            while not self._result(self._simulator.skip.remote(self._issued), "the simulator to go forward"):
                pass
        while not run.complete:
            self._issue()
            self._step()
            run.report("running")
        self._phase = "finishing"
        request = run.request
        measures, tables = self._simulator.measures.options(num_returns=2).remote(
            request.formats, request.compress
        )
        closing = [
            writer.close.remote(*([tables] if index == 0 else []))
            for index, writer in enumerate(self._writers)
        ]
        parts = [part for ref in closing for part in self._result(ref, "a writer to close its files")]
        return parts, self._result(measures, "the simulator's measures")

    def save(self) -> None:
        """On the way out: have the writers bring to the disk what they hold, as far as that goes fast."""
        with contextlib.suppress(Exception):
            saved = [writer.checkpoint.remote() for writer in self._writers]
            self._ray.wait(saved, num_returns=len(saved), timeout=SAVE_SECONDS)

    def end(self) -> None:
        """Drop all that is under way and end the actors.

        Encodings that run are short and end by themselves: cancelling a task that is just ending makes Ray's core end
        the driver's process ("Tried to complete task that was not pending").
        """
        for actor in (self._simulator, *self._simulators, *self._writers):
            with contextlib.suppress(Exception):
                self._ray.kill(actor)
        _make_sure_of_the_end(self._here)
        self._heads.clear()
        self._gathered.clear()
        self._queue.clear()
        self._running.clear()
        self._receipts.clear()

    def _issue(self) -> None:
        """Ask for chunks as far as the window allows."""
        run = self._run
        while self._issued < (run.chunks or self._issued + 1) and self._issued - run.done < self._limit:
            self._heads.append(self._simulator.next.options(num_returns=2).remote())
            self._issued += 1

    def _step(self) -> None:
        """Wait for something to happen, at most a tick, and deal with all that has."""
        waiting = [*self._running]
        if self._heads:
            waiting.append(self._heads[0][1])
        waiting += self._receipts if len(self._writers) > 1 else [*self._receipts][:1]
        ready, _ = self._ray.wait(waiting, num_returns=1, timeout=TICK_SECONDS, fetch_local=False)
        self._check_stalled(bool(ready), self._awaited)
        for ref in ready:
            found = self._ray.get(ref, timeout=self._run.stall_seconds)
            if ref in self._running:
                del self._running[ref]
                self._watch("generator", *found)
            elif ref in self._receipts:
                index, _ = self._receipts.pop(ref)
                self._run.ledger.enter(index, found)
            else:
                chunk, _ = self._heads.popleft()
                self._arrived(chunk, found)
        self._dispatch()
        self._run.queues = {
            "chunks": len(self._heads),
            "queued": len(self._queue),
            "running": len(self._running),
            "receipts": len(self._receipts),
        }

    def _awaited(self) -> str:
        """What has to come for the run to go on."""
        awaited = []
        if self._heads:
            awaited.append(f"chunk {self._issued - len(self._heads)} from the simulator")
        if self._running:
            awaited.append(f"{len(self._running)} generator task(s); is a CPU free for them?")
        if self._receipts:
            index, words = next(iter(self._receipts.values()))
            awaited.append(f"writer {index} to write {words}")
        return ", ".join(awaited) or "nothing"

    def _arrived(self, chunk: Any, head: Head | None) -> None:
        """Queue what has to be generated now that a chunk exists."""
        run = self._run
        if head is None:
            return
        run.note_head(head)
        for lane in run.orders:
            owner = self._shares[0].owner(lane, head.number)
            if head.number < run.ledger.next(owner, lane):
                continue
            if lane != PART:
                self._queue.append((lane, head.number, [chunk]))
                continue
            self._gathered.append(chunk)
            if head.ends_part:
                self._queue.append((lane, head.number, self._gathered))
                self._gathered = []

    def _dispatch(self) -> None:
        while self._queue and len(self._running) < self._most_running:
            lane, number, chunks = self._queue.popleft()
            owner = self._shares[0].owner(lane, number)
            delivery, origin = self._generate.remote(self._orders[lane], *chunks)
            self._running[origin] = None
            receipt = self._writers[owner].append.remote(delivery)
            self._receipts[receipt] = owner, f"chunk {number} (lane {lane!r})"

    def _result(self, ref: Any, what: str, patience: float = 1.0) -> Any:
        """The value of one call, `what` in words, with reports while it is awaited."""
        while True:
            ready, _ = self._ray.wait([ref], timeout=TICK_SECONDS)
            self._check_stalled(bool(ready), lambda: what, patience)
            if ready:
                return self._ray.get(ref, timeout=self._run.stall_seconds)
            self._run.report(self._phase)

    def _check_stalled(self, event: bool, awaited: Callable[[], str], patience: float = 1.0) -> None:
        """The watchdog: raises StalledError, with what is awaited, when nothing has come for too long."""
        now = time.monotonic()
        if event:
            self._last_event = now
        idle, limit = now - self._last_event, self._run.stall_seconds * patience
        self._run.idle = idle
        if idle > limit:
            raise StalledError(f"nothing has happened for {limit:g} s, waiting for {awaited()}")

    def _watch(self, role: str, node: str, pid: int) -> None:
        if node == self._node:
            self._run.sampler.watch(role, pid)


__all__ = ["Attempt", "StalledError", "mendable"]

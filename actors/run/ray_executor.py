"""RayExecutor: carries out one attempt at a run on Ray, with actors of its own.

References to chunks and encoded pieces travel from process to process. The driver sees only heads and receipts.
"""

from collections import deque
from typing import TYPE_CHECKING, Any

from actors.cluster import Sampler, Session
from actors.run.executor import BatchReady, ChunksWritten, Event, Fault, OnWait
from actors.run.messages import Compiling, ProcessId, Receipt, chunks_per_batch
from actors.run.part import Part
from actors.run.ray_actors import RayActors
from actors.run.ray_faults import ray_fault
from actors.run.scheduler import EncodeTask
from actors.run.watchdog import Watchdog

if TYPE_CHECKING:
    from actors.run.plan import RunPlan

TICK_SECONDS = 0.25
"""Longest time between two reports of the progress."""

PREPARE_FACTOR = 4.0
"""The simulator may take this many times the stall limit to answer while it compiles: minutes on a busy machine."""

SAVE_SECONDS = 1.5
"""Time that the writers of an interrupted run have to sync their data to disk."""

LOCAL_TASKS_PER_LANE = 1000
"""Most encodings submitted to a local Ray at once, per lane. In practice the window sets a lower limit."""

SPARE_BATCHES = 2
"""Batches in the window beyond one for each generator, so that neither the simulator nor the writer waits."""

SPARE_PARTS = 1
"""Likewise Parquet parts: the chunks of the next one are gathered while another is encoded and written."""


class RayExecutor:
    """Simulates, encodes and writes in processes of their own: see `actors.run.executor.Executor`."""

    def __init__(self, plan: "RunPlan", session: Session, sampler: Sampler) -> None:
        import ray

        self._ray: Any = ray
        self._plan = plan
        self._session = session
        self._sampler = sampler
        self._actors = RayActors()
        self._watchdog = Watchdog(plan.stall_seconds)
        request = plan.request
        # If the run has the whole cluster, queue a second task for each CPU, so that no CPU is idle while
        # results are in transit.
        whole = not session.local and request.workers >= session.generators() - request.cpus_of_simulators
        waiting = request.workers if whole else 0
        self._most_encodings = (
            len(plan.lanes) * LOCAL_TASKS_PER_LANE if session.local else request.workers + waiting
        )
        self.batch_chunks = chunks_per_batch(request.chunk_size)
        self.window = waiting * self.batch_chunks + max(
            (request.workers + SPARE_BATCHES) * self.batch_chunks,
            (request.workers + SPARE_PARTS) * plan.chunks_per_part_task,
        )
        self.cache_fault: str | None = None
        self.compiling: Compiling | None = None
        self._settings = {lane: ray.put(settings) for lane, settings in plan.lanes.items()}
        self._compiling: Any = None
        self._simulator_is_local = False
        self._prepared: list[Any] = []
        self._requests: deque[tuple[Any, Any]] = deque()
        """References to the chunks and to their heads, for each batch requested."""
        self._next_chunk = 0
        self._encodings: dict[Any, None] = {}
        """References to the `ProcessId` that each encoding under way returns when it is done."""
        self._appends: dict[Any, tuple[int, str]] = {}
        """Appends under way: the writer and a description, keyed by the reference to the receipt."""
        self._measures: tuple[Any, Any] | None = None
        """References to the measures and to the encoded tables of the run, once they have been requested."""

    @property
    def idle_seconds(self) -> float:
        """Time since the last event."""
        return self._watchdog.idle_seconds

    def open(self, on_wait: OnWait) -> list[Receipt]:
        """Start all actors, and wait until they have started and the writers are open."""
        actors = self._actors
        actors.start(self._plan, self._session)
        # before `compile_some` and `prepare`, which may keep an actor busy
        asked = [(role, actor.process_id.remote()) for role, actor in actors.by_role()]
        opened = [writer.open.remote((*self._plan.lanes,)) for writer in actors.writers]
        self._compiling = actors.simulator.compile_some.remote(self._plan.request.formats)
        self._warm_up_generators()
        for role, reference in asked:
            process = self._result(reference, f"the {role} to start", on_wait)
            self._watch(role, process)
            if process.node == actors.node:
                actors.add_local(process.pid)
                self._simulator_is_local |= role == "simulator"
        return [self._result(receipt, "a writer to open its files", on_wait) for receipt in opened]

    def _warm_up_generators(self) -> None:
        """Have the generators start, and load what encoding needs, while the other processes start."""
        for settings in self._settings.values():
            for _ in range(self._plan.request.workers):
                _, process = self._actors.generate.remote(settings, 0)
                self._encodings[process] = None

    def prepare(self, on_wait: OnWait) -> None:
        """Compile what is not in the cache, and wait until the simulators have loaded the kernel."""
        actors, formats = self._actors, self._plan.request.formats
        awaited = "the simulator to compile or load its kernel"
        while (state := self._result(self._compiling, awaited, on_wait, PREPARE_FACTOR)) is not None:
            self.compiling = state if self._simulator_is_local else state._replace(processes=())
            on_wait()
            self._compiling = actors.simulator.compile_some.remote(formats)
        self.compiling = None
        self._prepared = [simulator.prepare.remote() for simulator in actors.simulators]
        for ready in self._prepared:
            fault = self._result(ready, awaited, on_wait, PREPARE_FACTOR)
            self.cache_fault = self.cache_fault or fault

    def skip_to(self, chunk: int, on_wait: OnWait) -> int:
        """Have the simulator discard the chunks before number `chunk`."""
        skip = self._actors.simulator.skip_to
        while not self._result(skip.remote(chunk), "the simulator to skip chunks that are on disk", on_wait):
            pass
        self._next_chunk = chunk
        return chunk

    def request_batch(self) -> None:
        """Request the simulator's next chunks."""
        request = self._actors.simulator.next_batch.options(num_returns=2)
        self._requests.append(request.remote(self.batch_chunks))

    def wait(self) -> list[Event]:
        """Wait for a chunk, an encoding or a receipt, for at most TICK_SECONDS. Raises StalledError."""
        ray = self._ray
        references = [*self._encodings]
        if self._requests:
            references.append(self._requests[0][1])
        references += self._appends if len(self._actors.writers) > 1 else [*self._appends][:1]
        ready, _ = ray.wait(references, num_returns=1, timeout=TICK_SECONDS, fetch_local=False)
        self._watchdog.check(bool(ready), self._awaited)
        events: list[Event] = []
        for reference in ready:
            value = ray.get(reference, timeout=self._plan.stall_seconds)
            if reference in self._encodings:
                del self._encodings[reference]
                self._watch("generator", value)
            elif reference in self._appends:
                writer, _ = self._appends.pop(reference)
                events.append(ChunksWritten(writer, value))
            else:
                batch, _ = self._requests.popleft()
                if value:  # empty: requested after the last chunk
                    self._next_chunk = value[-1].number + 1
                    if value[-1].last:
                        self._request_measures()
                    events.append(BatchReady(value, batch))
        return events

    @property
    def can_encode(self) -> bool:
        """Whether there is room for one more encoding."""
        return len(self._encodings) < self._most_encodings

    def encode(self, task: EncodeTask) -> None:
        """Start to encode the chunks of a task; the result goes to its writer."""
        encoded, process = self._actors.generate.remote(
            self._settings[task.lane], task.first_chunk, *task.batches
        )
        self._encodings[process] = None
        receipt = self._actors.writers[task.writer].append.remote(encoded)
        self._appends[receipt] = task.writer, f"chunk {task.last_chunk} (lane {task.lane!r})"

    def queue_depths(self) -> dict[str, int]:
        """Batches requested, encodings under way and receipts awaited."""
        return {
            "chunks": len(self._requests),
            "running": len(self._encodings),
            "receipts": len(self._appends),
        }

    def finish(self, on_wait: OnWait) -> tuple[list[Part], bytes]:
        """Compute the measures and close the writers. The tables of the run go to the first writer."""
        measures, tables = self._measures or self._request_measures()
        closing = [
            writer.close.remote(*([tables] if index == 0 else []))
            for index, writer in enumerate(self._actors.writers)
        ]
        parts = [
            part
            for closed in closing
            for part in self._result(closed, "a writer to close its files", on_wait)
        ]
        return parts, self._result(measures, "the simulator's measures", on_wait)

    def _request_measures(self) -> tuple[Any, Any]:
        """Have the simulator compute the measures; after its last chunk, while the generators still encode."""
        request = self._plan.request
        measures, tables = self._actors.simulator.measures.options(num_returns=2).remote()
        pieces = self._actors.generate_run_tables.remote(tables, request.formats, request.compress)
        self._measures = measures, pieces
        return self._measures

    def fault(self, error: Exception) -> Fault | None:
        """See `ray_fault`."""
        return ray_fault(error)

    def save(self) -> None:
        """Have the writers sync their data to disk within SAVE_SECONDS."""
        self._actors.save(SAVE_SECONDS)

    def close(self) -> None:
        """End the actors and drop all that is under way.

        Encodings under way are short and end by themselves. Cancelling a task that is just ending makes Ray's core end
        the driver's process ("Tried to complete task that was not pending").
        """
        self._actors.kill()
        self._prepared.clear()
        self._requests.clear()
        self._encodings.clear()
        self._appends.clear()

    def _awaited(self) -> str:
        """What the run waits for, in words."""
        awaited = []
        if self._requests:
            awaited.append(f"chunk {self._next_chunk} from the simulator")
        if self._encodings:
            awaited.append(f"{len(self._encodings)} generator task(s); is a CPU free for them?")
        if self._appends:
            writer, description = next(iter(self._appends.values()))
            awaited.append(f"writer {writer} to write {description}")
        return ", ".join(awaited) or "nothing"

    def _result(self, reference: Any, awaited: str, on_wait: OnWait, factor: float = 1.0) -> Any:
        """The value of a call. `awaited` describes it in words; `factor` extends the stall limit."""
        while True:
            ready, _ = self._ray.wait([reference], timeout=TICK_SECONDS)
            self._watchdog.check(bool(ready), lambda: awaited, factor)
            if ready:
                return self._ray.get(reference, timeout=self._plan.stall_seconds)
            on_wait()

    def _watch(self, role: str, process: ProcessId) -> None:
        if process.node == self._actors.node:
            self._sampler.watch(role, process.pid)

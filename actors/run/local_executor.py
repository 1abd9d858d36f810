"""LocalExecutor: carries out a run in this process, without Ray."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from actors.run.chunk_stream import ChunkStream
from actors.run.compilation import compile_before
from actors.run.executor import BatchReady, ChunksWritten, Event, Fault, OnWait
from actors.run.generator import encode, encode_run_tables
from actors.run.lanes import writes_texts
from actors.run.messages import Compiling, EncodedChunks, Receipt
from actors.run.part import Part
from actors.run.scheduler import EncodeTask
from actors.run.writer import Writer
from engine.precomputed import SIMULATION_KINDS

if TYPE_CHECKING:
    from actors.run.plan import RunPlan


TICK_SECONDS = 0.1
"""Longest time for which `wait` waits."""

ENCODERS = 2
"""Threads that encode and compress. Compression takes longer than all other work on a record."""

CHUNKS_AHEAD = 2
"""Chunks that are simulated or written while others are encoded."""


class LocalExecutor:
    """Simulates in this thread, encodes in others and writes in one more: see `actors.run.executor.Executor`.

    The kernels, the compressors, the hash and the disk do not hold Python's lock, so that the threads use several
    cores. It holds up to `CHUNKS_AHEAD` chunks and one for each thread that encodes, or the chunks of two parts if a
    format needs all chunks of a part at once.
    """

    def __init__(self, plan: "RunPlan") -> None:
        self.window = max(ENCODERS + CHUNKS_AHEAD, 2 * plan.chunks_per_part_task)
        self.batch_chunks = 1
        self.idle_seconds = 0.0
        self.compiling: Compiling | None = None
        self._plan = plan
        self._kernel_fault: str | None = None
        self._writer = Writer(str(plan.folder), plan.run_id, sync_seconds=plan.sync_seconds)
        self._stream: ChunkStream | None = None
        self._requested = 0
        # A part takes memory, and its encoding has a second thread of its own.
        encoders = 1 if plan.chunks_per_part_task else ENCODERS
        self._encoders = ThreadPoolExecutor(encoders, thread_name_prefix="goldenhour-encoder")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="goldenhour-writer")
        self._receipts: deque[Future[Receipt]] = deque()
        """The tasks under way, oldest first."""

    @property
    def cache_fault(self) -> str | None:
        """What went wrong with the cache, if anything."""
        return (self._plan.cache.fault if self._plan.cache else None) or self._kernel_fault

    def open(self, on_wait: OnWait) -> list[Receipt]:
        """Open the writer."""
        return [self._writer.open((*self._plan.lanes,))]

    def prepare(self, on_wait: OnWait) -> None:
        """Compile what is not in the cache, and load it."""
        for settings in self._plan.lanes.values():
            # A warm-up. What fails in it fails again, and is reported, when there is something to encode.
            self._encoders.submit(encode, settings, 0)

        from engine.numeric import cache_refusal
        from engine.run import Simulation, entry_points

        request, cache = self._plan.request, self._plan.cache

        def report(state: Compiling) -> None:
            self.compiling = state
            on_wait()

        compile_before(entry_points(request.scenario, writes_texts(request.formats)), report)
        self.compiling = None
        self._kernel_fault = cache_refusal()
        precomputed = cache.get_or_build(request.scenario, SIMULATION_KINDS) if cache else {}
        simulation = Simulation(
            request.scenario, request.seed, request.replication, request.chunk_size, precomputed
        )
        self._stream = ChunkStream(simulation, request.scenario)

    def skip_to(self, chunk: int, on_wait: OnWait) -> int:
        """Skip nothing: no chunk travels here, so delivering all of them costs nothing and shows the progress."""
        return 0

    def request_batch(self) -> None:
        """Have one more chunk simulated by a later `wait`."""
        self._requested += 1

    def wait(self) -> list[Event]:
        """Return the receipts of the tasks done. Without any, simulate one chunk, or wait for a task."""
        done: list[Event] = []
        while self._receipts and (self._receipts[0].done() or not (done or self._requested)):
            wait([self._receipts[0]], TICK_SECONDS)
            if not self._receipts[0].done():
                break
            done.append(ChunksWritten(0, self._receipts.popleft().result()))
        if done or not self._requested:
            return done
        self._requested -= 1
        assert self._stream is not None
        chunks, heads = self._stream.next_batch(self.batch_chunks)
        return [BatchReady(heads, chunks)] if heads else []

    @property
    def can_encode(self) -> bool:
        """Always."""
        return True

    def encode(self, task: EncodeTask) -> None:
        """Encode in one of the other threads, and append in the order of the tasks."""
        settings = self._plan.lanes[task.lane]
        encoded = self._encoders.submit(encode, settings, task.first_chunk, *task.batches)
        self._receipts.append(self._thread.submit(_append, self._writer, [encoded]))

    def queue_depths(self) -> dict[str, int]:
        """The tasks under way."""
        return {"running": len(self._receipts)}

    def finish(self, on_wait: OnWait) -> tuple[list[Part], bytes]:
        """Compute the measures and close the writer."""
        assert self._stream is not None
        request = self._plan.request
        measures, tables = self._stream.measures()
        return self._writer.close(encode_run_tables(tables, request.formats, request.compress)), measures

    def fault(self, error: Exception) -> Fault | None:
        """None: what fails in this process would fail again."""
        return None

    def save(self) -> None:
        """Bring to the disk what is written."""
        self._stop_threads()
        self._writer.checkpoint()

    def close(self) -> None:
        """Wait for the tasks that are being carried out, and release the files."""
        self._stop_threads()
        self._writer.release()

    def _stop_threads(self) -> None:
        for threads in (self._encoders, self._thread):
            threads.shutdown(wait=True, cancel_futures=True)


def _append(writer: Writer, encoded: list[Future[EncodedChunks]]) -> Receipt:
    """Append chunks once they are encoded. Taken from the list, they are freed before the next ones are awaited."""
    return writer.append(encoded.pop().result())

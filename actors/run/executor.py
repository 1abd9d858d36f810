"""Executor: the interface for simulating chunks, encoding them and appending them to files, in process or on Ray."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from actors.run.messages import ChunkHead, Compiling, Receipt
from actors.run.part import Part
from actors.run.scheduler import EncodeTask

OnWait = Callable[[], None]
"""Called again and again while an executor waits, so that the run reports its progress."""


class BatchReady(NamedTuple):
    """The simulator has delivered the next batch: a list of consecutive chunks, or a reference to it."""

    heads: list[ChunkHead]
    batch: Any


class ChunksWritten(NamedTuple):
    """A writer has appended the result of a task."""

    writer: int
    receipt: Receipt


Event = BatchReady | ChunksWritten


class Fault(NamedTuple):
    """Why an attempt ended early. Another attempt may succeed. `stalled`: the watchdog ended it."""

    reason: str
    stalled: bool


class Executor(Protocol):
    """Carries out one attempt at a run.

    The calls are `open`, `prepare` and, if chunks are missing, `skip_to`; then `request_batch`, `wait` and `encode` as
    the scheduler decides; then `finish`. `close` comes last, also after an error.
    """

    @property
    def window(self) -> int:
        """Chunks that may be requested before the first of them is written in all lanes."""
        ...

    @property
    def batch_chunks(self) -> int:
        """Most chunks that one request delivers."""
        ...

    @property
    def idle_seconds(self) -> float:
        """Time since the last event."""
        ...

    @property
    def cache_fault(self) -> str | None:
        """What went wrong with the cache, if anything."""
        ...

    @property
    def compiling(self) -> Compiling | None:
        """How far the compilation is, in `prepare`; None when nothing is being compiled.

        Its processes are those on the driver's machine.
        """
        ...

    def open(self, on_wait: OnWait) -> list[Receipt]:
        """Open the writers. Returns what each of them has on the disk."""
        ...

    def prepare(self, on_wait: OnWait) -> None:
        """Wait until the simulator can deliver chunks. Entry points that are not in the cache are compiled first."""
        ...

    def skip_to(self, chunk: int, on_wait: OnWait) -> int:
        """Skip chunks before number `chunk`. Returns the number of the chunk that comes first, at most `chunk`."""
        ...

    def request_batch(self) -> None:
        """Request the simulator's next chunks, for a later `wait`."""
        ...

    def wait(self) -> list[Event]:
        """Wait until something happens, but not for long. Returns the events in order."""
        ...

    @property
    def can_encode(self) -> bool:
        """Whether `encode` may be called now."""
        ...

    def encode(self, task: EncodeTask) -> None:
        """Encode and append the chunks of a task; a later `wait` returns the receipt."""
        ...

    def queue_depths(self) -> dict[str, int]:
        """The work under way, by kind."""
        ...

    def finish(self, on_wait: OnWait) -> tuple[list[Part], bytes]:
        """Compute the measures and close the writers. Returns the finished parts, and the measures as JSON."""
        ...

    def fault(self, error: Exception) -> Fault | None:
        """The fault behind `error`, an exception of another method; None if another attempt would fail as well.

        It may raise a clearer exception in place of `error`.
        """
        ...

    def save(self) -> None:
        """After an interrupt: sync what the writers have appended to disk, so that the run can be resumed."""
        ...

    def close(self) -> None:
        """End everything that this executor started."""
        ...

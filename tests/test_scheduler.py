"""Which chunk goes to which lane and writer, and how far ahead of the writers a run may be: without Ray or files."""

from typing import Any

import pytest

from actors.run.attempt import Finished, run_attempt
from actors.run.executor import BatchReady, ChunksWritten, Event, Fault
from actors.run.lanes import chunks_per_parquet_part, formats_by_lane
from actors.run.messages import ChunkHead, Receipt
from actors.run.part import Part
from actors.run.part_owners import NO_CHUNK, PartOwners, part_owners
from actors.run.recovery import MAX_RECOVERIES, RecoveryLimit
from actors.run.scheduler import EncodeTask, Scheduler
from actors.run.watchdog import StalledError, Watchdog
from engine.errors import StoppedRun
from engine.records import PARQUET_PART_PATIENTS

SIZE = PARQUET_PART_PATIENTS // 4
"""Patients in a chunk: four chunks make a Parquet part, sixteen make a part of the other formats."""


def head(number: int, last: int = 1000, patients: int = SIZE) -> ChunkHead:
    """The head of chunk `number` of a run whose last chunk is `last`."""
    return ChunkHead(number, number * SIZE, patients, number == last, last_patient_ms=1000 * number)


def written(part_bytes: int = 0, **next_chunks: int) -> Receipt:
    """A receipt: the next chunk of each lane, and the bytes in the only part."""
    part = Part(path="patients.json", format="json", table="patients", patients=0, rows=0, bytes=part_bytes)
    return Receipt(next_chunks, (part,))


def scheduler(lanes: tuple[str, ...], window: int = 100, writers: int = 1, *receipts: Receipt) -> Scheduler:
    """A scheduler in its first attempt."""
    found = Scheduler(lanes, part_owners(writers, SIZE))
    found.restart(window, receipts or [Receipt({}, ())] * writers)
    found.start_at(0)
    return found


def tasks(found: Scheduler) -> list[EncodeTask]:
    """Take all tasks."""
    return list(iter(found.next_task, None))


def request_all(found: Scheduler) -> int:
    """Request batches until the window is full. Returns their number."""
    count = 0
    while found.may_request:
        found.add_request()
        count += 1
    return count


# --- lanes and parts


def test_formats_share_a_lane_when_they_need_the_same_chunks() -> None:
    formats = ("parquet", "jsonl", "json", "csv")
    assert formats_by_lane(formats) == {"part": ("parquet",), "chunk": ("jsonl", "json", "csv")}
    assert formats_by_lane(formats, writers=2) == {
        "part": ("parquet",),
        "chunk": ("jsonl", "csv"),
        "whole": ("json",),
    }


@pytest.mark.parametrize(("chunk_size", "expected"), [(16_384, 1), (16_383, 2), (2048, 8), (1000, 17)])
def test_a_part_that_chunks_do_not_divide_has_one_more(chunk_size: int, expected: int) -> None:
    assert chunks_per_parquet_part(chunk_size) == expected


def test_each_chunk_is_encoded_once_in_each_lane() -> None:
    found = scheduler(("chunk", "whole"))
    for number in range(3):
        found.add_batch([head(number)], f"chunk {number}")
    assert tasks(found) == [
        EncodeTask(lane, 0, number, number, [f"chunk {number}"])
        for number in range(3)
        for lane in ("chunk", "whole")
    ]
    assert found.queued_tasks == 0


def test_the_part_lane_gathers_the_chunks_of_a_part() -> None:
    found = scheduler(("part",))
    for number in range(10):
        found.add_batch([head(number, last=9)], number)
    assert tasks(found) == [
        EncodeTask("part", 0, 0, 3, [0, 1, 2, 3]),
        EncodeTask("part", 0, 4, 7, [4, 5, 6, 7]),
        EncodeTask("part", 0, 8, 9, [8, 9]),  # the last part is not full
    ]


def test_chunks_go_to_the_writer_that_owns_their_part() -> None:
    found = scheduler(("chunk", "part", "whole"), 100, 3)
    for number in range(64):
        found.add_batch([head(number)], number)
    for lane, writer, _, last_chunk, _ in tasks(found):
        expected = {"chunk": last_chunk // 16 % 3, "part": last_chunk // 4 % 3, "whole": 0}[lane]
        assert writer == expected, (lane, last_chunk)


def test_a_single_writer_owns_every_part() -> None:
    owners = part_owners(1, SIZE)
    assert owners == PartOwners()
    assert {owners.owner(lane, number) for lane in ("chunk", "part") for number in range(100)} == {0}


# --- the window


def test_no_more_chunks_are_requested_than_the_window_holds() -> None:
    found = scheduler(("chunk",), window=5)
    assert request_all(found) == 5
    for number in range(3):
        found.add_batch([head(number)], number)
    assert request_all(found) == 0  # encoded is not written
    found.add_receipt(0, written(chunk=2))
    assert request_all(found) == 2


def arrive(found: Scheduler, chunks: int) -> None:
    """So many chunks arrive."""
    for number in range(chunks):
        found.add_batch([head(number)], number)


def test_a_false_journal_does_not_make_the_window_endless() -> None:
    found = scheduler(("chunk",), 5, 1, written(chunk=1 << 62))
    found.start_at(0)
    assert request_all(found) == 5


def test_the_slowest_lane_holds_the_window() -> None:
    found = scheduler(("chunk", "part"), window=6)
    assert request_all(found) == 6
    arrive(found, 6)
    found.add_receipt(0, written(chunk=6))
    assert request_all(found) == 0
    found.add_receipt(0, written(part=4))
    assert request_all(found) == 4


def test_the_slowest_writer_holds_the_window() -> None:
    found = scheduler(("chunk",), 20, 2, written(chunk=0), written(chunk=16))
    assert request_all(found) == 20
    arrive(found, 32)
    found.add_receipt(1, written(chunk=48))
    assert request_all(found) == 0
    found.add_receipt(0, written(chunk=32))
    assert request_all(found) == 32


def test_nothing_is_requested_after_the_last_chunk() -> None:
    found = scheduler(("chunk",), window=5)
    request_all(found)
    for number in range(2):
        found.add_batch([head(number, last=1)], number)
    found.add_receipt(0, written(chunk=1))
    assert request_all(found) == 0
    assert not found.complete
    found.add_receipt(0, written(chunk=2))
    assert found.complete


# --- batches of several chunks


def batch(first: int, stop: int, last: int = 1000) -> list[ChunkHead]:
    """The heads of chunks `first` to `stop` - 1."""
    return [head(number, last) for number in range(first, stop)]


def test_a_batch_is_one_task_in_each_lane() -> None:
    found = scheduler(("chunk", "part"))
    found.add_batch(batch(0, 2), "a")
    found.add_batch(batch(2, 4), "b")
    found.add_batch(batch(4, 5, last=4), "c")
    assert tasks(found) == [
        EncodeTask("chunk", 0, 0, 1, ["a"]),
        EncodeTask("chunk", 0, 2, 3, ["b"]),
        EncodeTask("part", 0, 0, 3, ["a", "b"]),
        EncodeTask("chunk", 0, 4, 4, ["c"]),
        EncodeTask("part", 0, 4, 4, ["c"]),
    ]
    assert (found.run_chunks, found.run_patients) == (5, 5 * SIZE)


def test_of_a_batch_only_what_is_not_on_disk_is_encoded() -> None:
    found = scheduler(("chunk", "part"), 100, 1, written(chunk=6, part=4))
    found.start_at(3)
    found.add_batch(batch(3, 4), "a")
    found.add_batch(batch(4, 8), "b")
    assert tasks(found) == [EncodeTask("chunk", 0, 6, 7, ["b"]), EncodeTask("part", 0, 4, 7, ["b"])]


def test_whole_batches_fit_into_the_window() -> None:
    found = scheduler(("chunk",))
    found.restart(window=14, receipts=[written(chunk=0)], batch_chunks=4)
    found.start_at(0)
    assert request_all(found) == 3
    found.add_batch(batch(0, 4), "a")
    found.add_batch(batch(4, 6), "b")  # fewer: the part ends
    assert request_all(found) == 1  # six chunks have arrived, four are requested, four more fit
    found.add_receipt(0, written(chunk=4))
    assert request_all(found) == 1


# --- what is on disk already


def test_a_resumed_run_encodes_only_what_is_not_on_disk() -> None:
    found = scheduler(("chunk", "part"), 100, 1, written(chunk=6, part=4))
    assert found.first_needed == 3
    found.start_at(found.first_needed)
    for number in range(3, 9):
        found.add_batch([head(number, last=8)], number)
    assert tasks(found) == [
        EncodeTask("chunk", 0, 6, 6, [6]),
        EncodeTask("chunk", 0, 7, 7, [7]),
        EncodeTask("part", 0, 4, 7, [4, 5, 6, 7]),
        EncodeTask("chunk", 0, 8, 8, [8]),
        EncodeTask("part", 0, 8, 8, [8]),
    ]


def test_a_run_starts_at_the_first_chunk_if_a_lane_has_nothing_on_disk() -> None:
    found = scheduler(("chunk", "part"), 100, 1, written(chunk=9))
    assert found.first_needed == 0


def test_the_last_chunk_is_delivered_even_if_it_is_on_disk() -> None:
    found = scheduler(("chunk",), 100, 1, written(chunk=5))
    assert found.first_needed == 4
    found.start_at(4)
    assert not found.complete  # only the last chunk says that it is the last
    found.add_batch([head(4, last=4, patients=7)], 4)
    assert tasks(found) == []
    assert found.complete
    assert (found.run_chunks, found.run_patients) == (5, 4 * SIZE + 7)


def test_a_run_has_caught_up_when_chunks_arrive_that_are_not_on_disk() -> None:
    found = scheduler(("chunk",), 100, 1, written(chunk=5))
    caught_up = []
    for number in range(6):
        found.add_batch([head(number)], number)
        caught_up.append(found.caught_up)
    assert caught_up == [False, False, False, True, True, True]
    assert scheduler(("chunk",)).caught_up


def test_an_attempt_forgets_what_was_under_way_and_remembers_how_long_the_run_is() -> None:
    found = scheduler(("chunk", "part"))
    request_all(found)
    for number in range(10):
        found.add_batch([head(number, last=9)], number)
    found.add_receipt(0, written(100, chunk=9, part=8))
    assert (found.written_chunks, found.written_bytes, found.written_to[0]) == (8, 100, 8 * SIZE)
    found.restart(100, [written(40, chunk=5, part=4)])  # the rest was not on the disk
    assert (found.queued_tasks, found.written_chunks, found.written_bytes) == (0, 4, 40)
    assert found.written_to[0] == 8 * SIZE  # the progress never goes back
    assert found.run_chunks == 10
    found.start_at(found.first_needed)
    assert request_all(found) == 10 - 3
    found.add_batch([head(3)], 3)
    found.add_batch([head(4)], 4)
    assert tasks(found) == []  # a part gathered before the fault does not leak into this attempt
    found.add_batch([head(5)], 5)
    assert [task.batches for task in tasks(found)] == [[5]]


def test_bytes_count_each_part_once() -> None:
    found = scheduler(("chunk",))
    for size in (10, 25, 30):
        found.add_receipt(0, written(size, chunk=1))
    assert found.written_bytes == 30


def test_a_writer_without_parts_holds_nothing_back() -> None:
    found = scheduler(("whole",), 5, 2, written(whole=0), written(whole=NO_CHUNK))
    assert request_all(found) == 5
    found.add_batch([head(0, last=0)], 0)
    (task,) = tasks(found)
    assert task.writer == 0
    found.add_receipt(0, written(whole=1))
    assert found.complete
    assert found.written_chunks == 1


# --- attempts


class FakeExecutor:
    """An executor without processes: `chunks` chunks; the receipts of tasks come back one `wait` later."""

    idle_seconds = 0.0
    cache_fault = None
    can_encode = True
    batch_chunks = 1

    def __init__(self, chunks: int, on_disk: Receipt, window: int = 4, fail_at: int | None = None) -> None:
        self.window = window
        self.encoded: list[tuple[str, list[int]]] = []
        self.most_under_way = 0
        self._chunks = chunks
        self._on_disk = on_disk
        self._fail_at = fail_at
        self._next = 0
        self._requested = 0
        self._receipts: list[Receipt] = []

    def open(self, on_wait: Any) -> list[Receipt]:
        on_wait()
        return [self._on_disk]

    def prepare(self, on_wait: Any) -> None:
        on_wait()

    def skip_to(self, chunk: int, on_wait: Any) -> int:
        self._next = chunk
        return chunk

    def request_batch(self) -> None:
        self._requested += 1

    def wait(self) -> list[Event]:
        events: list[Event] = [ChunksWritten(0, receipt) for receipt in self._receipts]
        self._receipts = []
        if self._requested and self._next < self._chunks:
            if self._next == self._fail_at:
                raise ConnectionError("the simulator died")
            events.append(BatchReady([head(self._next, last=self._chunks - 1)], self._next))
            self._next += 1
            self._requested -= 1
        self.most_under_way = max(self.most_under_way, self._requested)
        return events

    def encode(self, task: EncodeTask) -> None:
        self.encoded.append((task.lane, task.batches))
        self._receipts.append(Receipt({task.lane: task.last_chunk + 1}, ()))

    def queue_depths(self) -> dict[str, int]:
        return {}

    def finish(self, on_wait: Any) -> tuple[list[Part], bytes]:
        on_wait()
        return [], b"{}"

    def fault(self, error: Exception) -> Fault | None:
        return Fault(str(error), stalled=False) if isinstance(error, ConnectionError) else None

    def save(self) -> None: ...

    def close(self) -> None: ...


def test_an_attempt_brings_every_chunk_through_every_lane() -> None:
    executor, phases = FakeExecutor(10, Receipt({}, ())), []
    found = Scheduler(("chunk", "part"), PartOwners())
    assert run_attempt(executor, found, "preparing", phases.append) == Finished([], b"{}")
    assert [chunks for lane, chunks in executor.encoded if lane == "chunk"] == [[n] for n in range(10)]
    assert [chunks for lane, chunks in executor.encoded if lane == "part"] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
    ]
    assert executor.most_under_way <= executor.window
    assert list(dict.fromkeys(phases)) == ["preparing", "running", "finishing"]


def test_an_attempt_returns_the_fault_and_the_next_one_completes_the_run() -> None:
    found = Scheduler(("chunk",), PartOwners())
    first = FakeExecutor(10, Receipt({}, ()), fail_at=6)
    assert run_attempt(first, found, "preparing", lambda phase: None) == Fault("the simulator died", False)
    second = FakeExecutor(10, Receipt({"chunk": 4}, ()))  # the journal has less than was written
    assert isinstance(run_attempt(second, found, "recovering", lambda phase: None), Finished)
    assert second.encoded == [("chunk", [n]) for n in range(4, 10)]


def test_an_attempt_raises_what_would_happen_again() -> None:
    class Broken(FakeExecutor):
        def encode(self, task: EncodeTask) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_attempt(Broken(3, Receipt({}, ())), Scheduler(("chunk",), PartOwners()), "preparing", print)


def test_a_run_whose_chunks_are_all_written_only_finishes() -> None:
    found = Scheduler(("chunk",), PartOwners())
    run_attempt(FakeExecutor(3, Receipt({}, ())), found, "preparing", lambda phase: None)
    second = FakeExecutor(3, Receipt({"chunk": 3}, ()), fail_at=0)
    assert isinstance(run_attempt(second, found, "recovering", lambda phase: None), Finished)
    assert second.encoded == []


# --- faults


def test_a_run_gives_up_after_too_many_faults() -> None:
    limit = RecoveryLimit()
    for _ in range(MAX_RECOVERIES):
        limit.add(Fault("killed", stalled=False))
    assert limit.count == MAX_RECOVERIES
    with pytest.raises(StoppedRun, match="gave up after 3 recoveries; the last fault: killed"):
        limit.add(Fault("killed", stalled=False))


def test_a_run_that_stalls_twice_in_a_row_is_stopped() -> None:
    limit = RecoveryLimit()
    for stalled in (True, False, True):
        limit.add(Fault("nothing has happened", stalled))
    with pytest.raises(StoppedRun, match="the run stalled: nothing has happened"):
        limit.add(Fault("nothing has happened", stalled=True))


def test_the_watchdog_raises_only_when_nothing_has_happened_for_its_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    watchdog = Watchdog(5.0)
    now[0] += 4
    watchdog.check(False, lambda: "chunk 1")
    assert watchdog.idle_seconds == 4
    now[0] += 2
    watchdog.check(False, lambda: "the kernel", factor=4.0)
    with pytest.raises(StalledError, match="nothing has happened for 5 s, waiting for chunk 1"):
        watchdog.check(False, lambda: "chunk 1")
    watchdog.check(True, lambda: "chunk 1")
    assert watchdog.idle_seconds == 0

"""Replications of the points of an experiment: from the cache, simulated in this process, or in tasks on Ray."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from actors.cache import LocalCache
from actors.cluster import as_remote
from actors.experiments.batches import Batch, FinishedBatch, Request, batches_between, size_for
from actors.experiments.pace import COMPILATION_SECONDS, Pace, expected_seconds
from actors.experiments.tasks import (
    LargeScenarios,
    Order,
    Simulated,
    compile_order,
    found_tilts,
    simulate_apart,
    simulate_order,
    simulate_orders,
)
from engine.errors import GoldenhourError, RunError, StoppedRun
from engine.precomputed import (
    REPLICATIONS_KIND,
    TILTS_KIND,
    CacheKey,
    ReplicationKeys,
    keys_of_scenario,
    pack_value,
    unpack_value,
)
from engine.scenario import Scenario, workload_of

if TYPE_CHECKING:
    from engine.run import Replications

_TRIES = 5
"""How often Ray repeats a task whose node or process is lost."""

_WAIT_SECONDS = 0.2
"""Longest time between two reports of the progress."""

STALLED_SECONDS, STALLED_TIMES = 60.0, 10.0
"""A task that takes so long, and so many times what was expected, is sent again once no other work is left."""

_LOOKED_UP = 16
"""Batches of a point that are looked up in the cache at a time."""


class Point(NamedTuple):
    """A scenario of an experiment, and the seed of its replications."""

    scenario: Scenario
    """Resolved."""
    seed: int
    label: str = ""
    """What errors call it; empty: its number, unless it is the only one."""


class Points(Protocol):
    """The points of an experiment: a list, or an object that makes each when it is read."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, number: int, /) -> Point:
        """The point of a number, from 0."""
        ...


class ReplicationProgress(NamedTuple):
    """How far an experiment is."""

    done: int
    """Replications that are finished, those from the cache included."""
    wanted: int
    """Replications that have been asked for."""
    cached: int
    """Replications that came from the cache."""


OnReplications = Callable[[ReplicationProgress], None]


class _Work(NamedTuple):
    """A batch of which replications are missing."""

    point: int
    label: str
    packed: bytes
    """The scenario, `ReplicationKeys.packed`."""
    key: CacheKey
    """Of the whole batch."""
    wanted: Batch
    """What is asked for."""
    known: "Replications | None"
    """The replications before those that are missing, from the cache."""
    missing: Batch
    """What is to be simulated."""
    tilts_key: CacheKey | None
    """Of the tilts; None if the scenario has none."""
    tilts: bytes | None
    """The packed tilts, if the cache has them."""
    seconds: float
    """Expected time."""


class _Sent(NamedTuple):
    """A task on Ray."""

    works: list[_Work]
    since: float
    """When it was sent, of `time.monotonic`."""


class Replicator:
    """Simulates replications of the points of an experiment. Finished batches are kept in the cache.

    Parameters
    ----------
    points
        The scenarios. Each is read when its replications are looked up, and not held.
    cache
        Where batches are looked up and stored; None: nowhere.
    workers
        0: batches are simulated in this process. Otherwise the tasks on Ray at a time; a session must be open.
    on_progress
        Called several times a second.
    apart
        Without workers: simulate in a process of its own, so that this one stays small.
    """

    def __init__(
        self,
        points: Points,
        cache: LocalCache | None,
        workers: int = 0,
        on_progress: OnReplications = lambda progress: None,
        apart: bool = False,
    ) -> None:
        self._points = points
        self._apart = apart
        self._cache = cache
        self._workers = workers
        self._on_progress = on_progress
        self._pace = Pace(max(1, workers))
        self._done = self._wanted = self._cached = self._assigned = 0
        self._reported_at = 0.0

    def extend(self, counts: Sequence[tuple[int, int]]) -> "list[Replications]":
        """Return replications `first` to `stop` - 1 of each point, shape (stop - first, measures) each.

        Parameters
        ----------
        counts
            `first` and `stop` by point.

        Raises
        ------
        RunError, StoppedRun
            As `stream` does.
        """
        return self.collect([Request(point, first, stop) for point, (first, stop) in enumerate(counts)])

    def collect(self, requests: Sequence[Request]) -> "list[Replications]":
        """Return the replications of each request, shape (stop - first, measures) each.

        Parameters
        ----------
        requests
            At most one for each point.

        Raises
        ------
        RunError, StoppedRun
            As `stream` does.
        """
        from engine.run import join_replications

        found: defaultdict[int, dict[int, Replications]] = defaultdict(dict)
        for point, batch, replications in self.stream(requests):
            found[point][batch.first] = replications
        return [
            join_replications([found[request.point][first] for first in sorted(found[request.point])])
            for request in requests
        ]

    def stream(self, requests: Sequence[Request]) -> Iterator[FinishedBatch]:
        """Yield the replications of all requests batch by batch, in the order in which they are finished.

        What a batch contains depends on its point and on the request alone, not on the cache or the workers.

        Raises
        ------
        RunError
            If a replication cannot be simulated to its end. The message names point and replication.
        StoppedRun
            If Ray has lost the same task again and again.
        """
        self._wanted += sum(request.stop - request.first for request in requests)
        batches = self._look_up(requests)
        for finished in self._simulate_on_ray(batches) if self._workers else self._simulate_here(batches):
            self._done += finished.batch.size
            self._report()
            yield finished
        self._report(now=True)

    def _look_up(self, requests: Sequence[Request]) -> Iterator[FinishedBatch | _Work]:
        """Yield the batches of all requests: the replications where the cache has all of them, else what is missing."""
        from engine.run import cut_replications

        for number, first, stop in requests:
            point = self._points[number]
            casualties = workload_of(point.scenario).casualties
            size = size_for(casualties)
            keys = ReplicationKeys.of_scenario(point.scenario, point.seed)
            label = point.label or (f"point {number}" if len(self._points) > 1 else "")
            tilts_key, tilts = self._look_up_tilts(point.scenario)
            seconds = COMPILATION_SECONDS
            batches = batches_between(first, stop, size)
            while some := list(islice(batches, _LOOKED_UP)):
                whole = [keys.of(batch.first, size) for batch in some]
                found = [None] * len(some) if self._cache is None else self._cache.get_all(whole)
                for batch, key, known in zip(some, whole, found, strict=True):
                    begin, end = max(first, batch.first), batch.first + batch.size
                    wanted = Batch(begin, end - begin)
                    have = batch.first if known is None else batch.first + len(known.values)
                    if self._cache is None:
                        have = begin
                    self._cached += min(max(0, have - begin), wanted.size) if known is not None else 0
                    if have >= end:
                        part = cut_replications(known, begin - batch.first, batch.size)
                        yield FinishedBatch(number, wanted, part)
                        continue
                    seconds += expected_seconds(casualties, end - have)
                    missing = Batch(have, end - have)
                    yield _Work(
                        number, label, keys.packed, key, wanted, known, missing, tilts_key, tilts, seconds
                    )
                    seconds = 0.0

    def _look_up_tilts(self, scenario: Scenario) -> tuple[CacheKey | None, bytes | None]:
        """The key of the tilts of a scenario, if it has any, and what the cache has for it, packed."""
        for key in keys_of_scenario(scenario, (TILTS_KIND,)):
            value = None if self._cache is None else self._cache.get(key)
            return key, None if value is None else pack_value(TILTS_KIND, value)
        return None, None

    def _simulate_here(self, batches: Iterator[FinishedBatch | _Work]) -> Iterator[FinishedBatch]:
        for each in batches:
            if isinstance(each, FinishedBatch):
                yield each
                continue
            self._report()
            order = _order([each])
            simulated = simulate_apart(order) if self._apart else None
            if simulated is not None:
                yield from self._receive([each], simulated)
                continue
            compiled = compile_order(order)
            self._store_tilts(each, found_tilts(order, compiled))
            for packed in simulate_order(order, compiled):
                yield self._finish(each, packed)

    def _simulate_on_ray(self, batches: Iterator[FinishedBatch | _Work]) -> Iterator[FinishedBatch]:
        """Yield the batches as they come. A task gets several of them."""
        import ray

        remote = as_remote(
            simulate_orders, "goldenhour.simulate_replications", num_cpus=1, max_retries=_TRIES
        )
        large = LargeScenarios()
        running: dict[Any, _Sent] = {}

        def send(works: list[_Work]) -> None:
            orders = [_order(same) for same in _by_point(works)]
            running[remote.remote(*large.arguments(orders))] = _Sent(works, time.monotonic())

        collected: list[_Work] = []
        exhausted = False
        try:
            while True:
                while not exhausted and len(running) <= self._workers + self._workers // 4:
                    each = next(batches, None)
                    if isinstance(each, FinishedBatch):
                        yield each
                        continue
                    exhausted = each is None
                    if each is not None:
                        collected.append(each)
                        self._assigned += each.missing.size
                    if collected and (exhausted or self._is_enough(collected)):
                        send(collected)
                        collected = []
                if not running:
                    return
                ready, _ = ray.wait(list(running), timeout=_WAIT_SECONDS)
                self._report()
                for reference in ready:
                    if reference not in running:
                        continue
                    works, _ = running.pop(reference)
                    for other in [other for other, sent in running.items() if sent.works is works]:
                        del running[other]
                        ray.cancel(other, force=True)
                    yield from self._receive(works, _fetch(reference))
                if exhausted and len(running) < self._workers:
                    for works in self._stalled(running):
                        send(works)
        finally:
            for reference in running:
                ray.cancel(reference, force=True)

    def _stalled(self, running: "dict[Any, _Sent]") -> "list[list[_Work]]":
        """The batches of tasks that take much longer than expected, and that no other task simulates too."""
        found = []
        for works, since in running.values():
            usual = self._pace.expected(sum(work.seconds for work in works))
            twice = sum(sent.works is works for sent in running.values()) > 1
            if not twice and time.monotonic() - since > max(STALLED_SECONDS, STALLED_TIMES * usual):
                found.append(works)
        return found

    def _is_enough(self, works: Sequence[_Work]) -> bool:
        """Whether these batches are enough for a task."""
        seconds = sum(work.seconds for work in works)
        each = seconds / sum(work.missing.size for work in works)
        return self._pace.is_enough(seconds, each * (self._wanted - self._cached - self._assigned))

    def _receive(self, works: Sequence[_Work], simulated: Simulated) -> Iterator[FinishedBatch]:
        """Yield what a task has simulated, after all of it has been stored."""
        finished = [self._finish(work, packed) for work, packed in zip(works, simulated.packed, strict=False)]
        for same, tilts in zip(_by_point(works), simulated.tilts, strict=False):
            self._store_tilts(same[0], tilts)
        if simulated.error is not None:
            raise simulated.error
        self._pace.learn(sum(work.seconds for work in works), simulated.seconds)
        yield from finished

    def _finish(self, work: _Work, packed: bytes) -> FinishedBatch:
        """Store a batch with what has been simulated, and return what was asked for."""
        from engine.run import cut_replications, join_replications

        value = unpack_value(REPLICATIONS_KIND, packed)
        begin = work.missing.first
        if work.known is not None:
            begin -= len(work.known.values)
            value = join_replications([work.known, value])
        if self._cache is not None:
            if work.known is None:
                self._cache.put_packed(work.key, packed)
            else:
                self._cache.put(work.key, value)
        skipped = work.wanted.first - begin
        return FinishedBatch(
            work.point, work.wanted, cut_replications(value, skipped, skipped + work.wanted.size)
        )

    def _store_tilts(self, work: _Work, tilts: bytes | None) -> None:
        if tilts is not None and self._cache is not None and work.tilts_key is not None:
            self._cache.put_packed(work.tilts_key, tilts)

    def _report(self, now: bool = False) -> None:
        moment = time.monotonic()
        if now or moment - self._reported_at >= _WAIT_SECONDS:
            self._reported_at = moment
            self._on_progress(ReplicationProgress(self._done, self._wanted, self._cached))


def _by_point(works: Sequence[_Work]) -> list[list[_Work]]:
    """Return the batches in groups of one point each."""
    return [list(same) for _, same in groupby(works, key=attrgetter("point"))]


def _order(works: Sequence[_Work]) -> Order:
    """Return the order for batches of one point."""
    first = works[0]
    return Order(
        first.label,
        first.packed,
        ReplicationKeys(first.packed).of(*first.missing).key,
        tuple(work.missing for work in works),
        first.tilts,
    )


def _fetch(reference: Any) -> Simulated:
    """The result of a task. Raises the error of the simulation as it was, or StoppedRun for one of Ray's."""
    import ray

    try:
        simulated: Simulated = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, GoldenhourError):
            raise error.cause from None
        raise RunError(f"{type(error.cause).__name__}: {error.cause}") from error
    except ray.exceptions.RayError as error:
        line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        raise StoppedRun(f"Ray lost replications {_TRIES + 1} times: {line}") from error
    return simulated

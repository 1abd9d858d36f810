"""Replications of several scenarios: fetched from the cache, simulated in this process, or simulated on Ray."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from actors.cache import LocalCache
from actors.cluster import as_remote
from actors.experiments.batches import Batch, batch_size, batches_between
from actors.experiments.tasks import simulate_batch
from engine.errors import GoldenhourError, RunError, StoppedRun
from engine.precomputed import (
    SIMULATION_KINDS,
    CacheKey,
    build_value,
    key_of_replications,
    keys_of_scenario,
    pack_value,
    unpack_value,
)
from engine.scenario import Scenario

if TYPE_CHECKING:
    from engine.run import Replications

_TRIES = 5
"""How often Ray repeats a task whose node or process is lost."""

_WAIT_SECONDS = 0.2
"""Longest time between two reports of the progress."""


class Point(NamedTuple):
    """A scenario of an experiment, and the seed of its replications."""

    scenario: Scenario
    """Resolved."""
    seed: int


class ReplicationProgress(NamedTuple):
    """How far an experiment is."""

    done: int
    """Replications that are finished, those from the cache included."""
    wanted: int
    """Replications that have been asked for."""
    cached: int
    """Replications that came from the cache."""


OnReplications = Callable[[ReplicationProgress], None]


class _Task(NamedTuple):
    """A batch that is to be simulated."""

    number: int
    """Its place in the results."""
    point: int
    size: int
    key: CacheKey


class Replicator:
    """Simulates replications of the points of an experiment. Finished batches are kept in the cache.

    Parameters
    ----------
    points
        The scenarios.
    cache
        Where batches are looked up and stored; None: nowhere.
    workers
        0: batches are simulated in this process. Otherwise the most tasks on Ray at a time; a session must be open.
    on_progress
        Called several times a second.
    """

    def __init__(
        self,
        points: Sequence[Point],
        cache: LocalCache | None,
        workers: int = 0,
        on_progress: OnReplications = lambda progress: None,
    ) -> None:
        self._points = list(points)
        self._sizes = [batch_size(point.scenario) for point in points]
        self._cache = cache
        self._workers = workers
        self._on_progress = on_progress
        self._compiled: dict[int, dict[str, Any]] = {}
        self._sent: dict[int, Any] = {}
        self._done = self._wanted = self._cached = 0
        self._reported_at = 0.0

    def extend(self, counts: Sequence[tuple[int, int]]) -> "list[Replications]":
        """Return replications `first` to `stop` - 1 of each point, shape (stop - first, measures) each.

        Parameters
        ----------
        counts
            `first` and `stop` by point.

        Raises
        ------
        RunError
            If a replication cannot be simulated to its end.
        StoppedRun
            If Ray has lost the same batch again and again.
        """
        from engine.run import Replications, join_replications

        batches = [
            (number, batch)
            for number, (first, stop) in enumerate(counts)
            for batch in batches_between(first, stop, self._sizes[number])
        ]
        tasks = [
            _Task(place, number, batch.size, self._key(number, batch))
            for place, (number, batch) in enumerate(batches)
        ]
        self._wanted += sum(task.size for task in tasks)
        found: dict[int, Replications] = {}
        missing = []
        for task in tasks:
            value = None if self._cache is None else self._cache.get(task.key)
            if value is None:
                missing.append(task)
            else:
                found[task.number] = value
                self._cached += task.size
                self._count(task)
        for task, value in self._simulate(missing):
            found[task.number] = value
            self._count(task)
        self._report(now=True)
        result = []
        for number, (first, stop) in enumerate(counts):
            mine = [(place, batch) for place, (point, batch) in enumerate(batches) if point == number]
            joined = join_replications([found[place] for place, _ in mine])
            skipped = first - mine[0][1].first if mine else 0
            result.append(Replications(joined.names, joined.values[skipped : skipped + stop - first]))
        return result

    def _key(self, number: int, batch: Batch) -> CacheKey:
        point = self._points[number]
        return key_of_replications(point.scenario, point.seed, batch.first, batch.size)

    def _simulate(self, tasks: Sequence[_Task]) -> "Iterator[tuple[_Task, Replications]]":
        """Yield what is simulated, as it comes."""
        simulate = self._simulate_on_ray if self._workers else self._simulate_here
        for task, value in simulate(tasks):
            if self._cache is not None:
                self._cache.put(task.key, value)
            yield task, value

    def _simulate_here(self, tasks: Sequence[_Task]) -> "Iterator[tuple[_Task, Replications]]":
        for task in tasks:
            self._report()
            yield task, build_value(task.key.kind, task.key.inputs, self._compile(task.point))

    def _simulate_on_ray(self, tasks: Sequence[_Task]) -> "Iterator[tuple[_Task, Replications]]":
        import ray

        remote = as_remote(simulate_batch, "goldenhour.simulate_batch", num_cpus=1, max_retries=_TRIES)
        waiting = iter(tasks)
        running: dict[Any, _Task] = {}
        try:
            while True:
                for task in waiting:
                    running[remote.remote(task.key, task.key.key, self._send(task.point))] = task
                    if len(running) > self._workers:
                        break
                if not running:
                    return
                ready, _ = ray.wait(list(running), timeout=_WAIT_SECONDS)
                self._report()
                for reference in ready:
                    task = running.pop(reference)
                    yield task, unpack_value(task.key.kind, _fetch(reference))
        finally:
            for reference in running:
                ray.cancel(reference, force=True)

    def _compile(self, number: int) -> dict[str, Any]:
        """What the scenario of a point is compiled to, once."""
        if number not in self._compiled:
            scenario = self._points[number].scenario
            slow = {} if self._cache is None else self._cache.get_or_build(scenario, SIMULATION_KINDS)
            self._compiled[number] = {
                key.kind: slow[key.kind] if key.kind in slow else build_value(key.kind, key.inputs)
                for key in keys_of_scenario(scenario, SIMULATION_KINDS)
            }
        return self._compiled[number]

    def _send(self, number: int) -> Any:
        """A reference to what the scenario of a point is compiled to, in Ray's object store."""
        if number not in self._sent:
            import ray

            packed = {kind: pack_value(kind, value) for kind, value in self._compile(number).items()}
            self._sent[number] = ray.put(packed)
        return self._sent[number]

    def _count(self, task: _Task) -> None:
        self._done += task.size
        self._report()

    def _report(self, now: bool = False) -> None:
        moment = time.monotonic()
        if now or moment - self._reported_at >= _WAIT_SECONDS:
            self._reported_at = moment
            self._on_progress(ReplicationProgress(self._done, self._wanted, self._cached))


def _fetch(reference: Any) -> bytes:
    """The result of a task. Raises the error of the simulation as it was, or StoppedRun for one of Ray's."""
    import ray

    try:
        data: bytes = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, GoldenhourError):
            raise error.cause from None
        raise RunError(f"{type(error.cause).__name__}: {error.cause}") from error
    except ray.exceptions.RayError as error:
        line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        raise StoppedRun(f"Ray lost a batch of replications {_TRIES + 1} times: {line}") from error
    return data

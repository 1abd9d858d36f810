"""What drives experiments and optimisations alike: the request, the output folder, and replications of the points."""

import contextlib
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

from actors.experiments import (
    ExperimentIdentity,
    ExperimentOutput,
    FinishedBatch,
    ReplicationProgress,
    Replicator,
    Request,
    ResultFile,
    batch_size,
)
from actors.store import ExperimentDetail
from engine.errors import RunError
from engine.experiments import DesignPoints, Price
from engine.run import EntryPoints, Replications
from engine.scenario import PreparedScenario
from goldenhour import __version__
from goldenhour.experiments import batch_cache, open_workers, replication_seconds, workers_for_seconds
from goldenhour.gathered import Gathered, PreparedPoints, entry_points_of, left_resumable

CHECK_SECONDS = 2.0
"""Expected time up to which replications are simulated to see which measures there are, before anything is recorded."""

NOTHING = ReplicationProgress(0, 0, 0)
"""Nothing is done, and nothing is wanted."""

Kind = Literal["experiment", "optimisation"]

OnDetail = Callable[[ExperimentDetail, str], object]
"""Called with how far an experiment is, and its phase: running or finishing."""

OnStart = Callable[[str, bool], None]
"""Called before anything is simulated that takes long, once the output folder, if any, is claimed.

Its arguments are the id of the experiment, and whether it was started before.
"""


class Loaded(Protocol):
    """An experiment or an optimisation that can be carried out."""

    @property
    def plan(self) -> Any:
        """What its file says, an `engine.experiments.PlanHeader`."""
        ...

    @property
    def base(self) -> PreparedScenario:
        """The scenario that its points change."""
        ...

    def design(self) -> DesignPoints:
        """Its points. Raises ScenarioError and InputError."""
        ...

    def price(self, points: int) -> Price:
        """What it costs."""
        ...

    def as_run(self) -> str:
        """Its file, complete."""
        ...


L = TypeVar("L", bound=Loaded)


@dataclass(frozen=True)
class PlanRequest(Generic[L]):
    """An experiment or an optimisation, and how it is carried out."""

    loaded: L
    design: DesignPoints
    output: Path | None = None
    """The folder of its results; None: they are only returned."""
    force: bool = False
    """Replace the files of an earlier run, experiment or optimisation."""
    workers: int = 0
    """Tasks on Ray at a time; 0: in this process; ALL_CPUS: as many as a cluster has CPUs."""
    address: str | None = None
    """A Ray cluster; None: a local Ray, if any."""
    run_id: str | None = None
    """Its id; None: a new one."""

    def entry_points(self) -> list[EntryPoints]:
        """What is compiled before it starts."""
        return entry_points_of(self.loaded.plan, self.loaded.base, self.design)


class Workplace(NamedTuple):
    """What an experiment works with."""

    output: ExperimentOutput | None
    workers: int
    """Tasks on Ray at a time; 0: in this process."""
    finished: list[FinishedBatch]
    """Replications of the first point that showed which measures there are."""
    progress: ReplicationProgress
    """Of these."""


def workers_for_plan(loaded: Loaded, points: int, address: str | None) -> int:
    """Return how many tasks to run on Ray at a time: 0, in this process, for what is quick."""
    return workers_for_seconds(loaded.price(points).seconds, address)


@contextlib.contextmanager
def open_workplace(
    request: PlanRequest[Any],
    kind: Kind,
    on_start: OnStart,
    find: Callable[[Collection[str]], object],
    first: int,
    packages: tuple[str, ...] = (),
) -> Iterator[Workplace]:
    """Claim the output folder, if there is one, and open a session on Ray, if there are workers.

    What is cut off in the block can be resumed.

    Parameters
    ----------
    request
        What is carried out.
    kind
        What it is.
    on_start
        Called when all that can be checked before has been checked.
    find
        Looks up what is measured among the names of all measures. Raises InputError.
    first
        How many replications of the first point show these names.
    packages
        Packages besides pyarrow whose version determines the results.

    Raises
    ------
    InputError
        As `find` raises it, or if the output folder cannot be used.
    """
    loaded = request.loaded
    with contextlib.ExitStack() as stack:
        output = None
        if request.output is not None:
            identity = ExperimentIdentity(
                loaded.as_run(), loaded.base, loaded.base.resolved.seed, __version__, packages, kind
            )
            output = ExperimentOutput.claim(
                request.output, request.force, identity, request.run_id, request.workers, request.address
            )
            stack.enter_context(left_resumable(output, f"the {kind}"))
        started_before = output is not None and output.started_before
        finished, progress = ([], NOTHING) if started_before else _first_replications(request, first)
        if finished:
            find({name for each in finished for name in each.replications.names})
        run_id = request.run_id or str(uuid.uuid4()) if output is None else output.run_id
        on_start(run_id, started_before)
        workers = stack.enter_context(open_workers(request.workers, request.address))
        yield Workplace(output, workers, finished, progress)


def _first_replications(
    request: PlanRequest[Any], count: int
) -> tuple[list[FinishedBatch], ReplicationProgress]:
    """Replications of the first point; none if they take long, or if one fails.

    A driver that only sends tasks simulates them in another process, so as not to load what simulates.
    """
    loaded = request.loaded
    if count * replication_seconds(loaded.base) > CHECK_SECONDS:
        return [], NOTHING
    points = PreparedPoints(loaded.plan, loaded.base, request.design)
    reports: list[ReplicationProgress] = []
    try:
        apart = request.workers != 0
        replicator = Replicator([points[0]], batch_cache(), on_progress=reports.append, apart=apart)
        return list(replicator.stream([Request(0, 0, count)])), reports[-1]
    except RunError:  # it is met again, and recorded then
        return [], NOTHING


class PointDriver(ABC):
    """Simulates replications of the points on demand. What the output folder has is not simulated again.

    Parameters
    ----------
    request
        What is carried out.
    workplace
        The output folder and the workers.
    on_progress
        Called several times a second.
    needed
        Names of the measures that are kept; None: all.
    """

    def __init__(
        self,
        request: PlanRequest[Any],
        workplace: Workplace,
        on_progress: OnDetail,
        needed: frozenset[str] | None = None,
    ) -> None:
        loaded = request.loaded
        self._output = workplace.output
        self._design = request.design
        self._on_progress = on_progress
        self._points = PreparedPoints(loaded.plan, loaded.base, request.design)
        self._batch = batch_size(loaded.base.resolved)
        self._gathered = Gathered(needed, [{} for _ in range(len(request.design))])
        self._replicator = Replicator(self._points, batch_cache(), workplace.workers, self._report)
        self._progress = NOTHING
        self._progress_before = workplace.progress
        self._resumed = 0
        """Replications that the output folder had."""
        if workplace.output is not None:
            for point, batch, replications in workplace.output.journal.begin():
                self._gathered.add(point, batch.first, replications)
                self._resumed += batch.size
        for point, batch, replications in workplace.finished:
            self._keep(point, batch.first, replications)

    @abstractmethod
    def _points_done(self) -> int:
        """How many points need no more replications, as far as is known."""

    @abstractmethod
    def _in_question(self) -> str:
        """What more replications are simulated for, in words; empty if nothing is known of that."""

    def _expected_replications(self) -> float:
        """How many replications will be needed, judged so far; at least those that have been asked for."""
        return 0.0

    def _missing(self, stops: Iterable[tuple[int, int]]) -> list[Request]:
        """The replications below `stop` that points do not have, for pairs of a point and its stop."""
        return [request for point, stop in stops for request in self._gathered.missing(point, stop)]

    def _keep(self, point: int, first: int, replications: Replications) -> None:
        """Keep the measures that are needed of finished replications, also in the output folder."""
        kept = self._gathered.add(point, first, replications)
        if self._output is not None:
            self._output.journal.append(point, first, kept)

    def _publish(
        self, files: Iterable[tuple[str, Iterable[bytes], int]], counts: dict[str, int]
    ) -> Path | None:
        """Write the files of the results: names, pieces and rows. Returns the folder; None if there is none."""
        if self._output is None:
            return None
        self._output.publish(counts, [ResultFile(*file) for file in files])
        return self._output.path

    def _report(self, progress: ReplicationProgress) -> None:
        self._progress = progress
        self._report_phase("running")

    def _report_phase(self, phase: Literal["running", "finishing"]) -> None:
        counts = zip(self._progress_before, self._progress, strict=True)
        done, wanted, cached = (before + count + self._resumed for before, count in counts)
        detail = ExperimentDetail(
            points=len(self._design),
            points_done=self._points_done(),
            replications=done,
            replications_wanted=max(wanted, int(min(self._expected_replications(), 1e12))),
            cached=cached,
            widest=self._in_question()[:1000],
        )
        self._on_progress(detail, phase)

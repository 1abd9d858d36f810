"""What experiments and optimisations share while they are carried out: points, replications, and the output folder."""

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from actors.experiments import ExperimentOutput, Point, Request
from engine.errors import InputError, StoppedRun
from engine.experiments import DesignPoints, PlanHeader, prepare_point
from engine.run import EntryPoints, Replications, entry_points, join_replications
from engine.scenario import PreparedScenario

COMPILED_POINTS = 50
"""Points whose scenarios decide what is compiled before anything is simulated."""


def entry_points_of(plan: PlanHeader, base: PreparedScenario, design: DesignPoints) -> list[EntryPoints]:
    """What is compiled before the points of a plan are simulated."""
    found = dict.fromkeys(entry_points(base.resolved, texts=False))
    for number in range(0, len(design), 1 + len(design) // COMPILED_POINTS):
        scenario = prepare_point(plan, base, design[number]).resolved
        found |= dict.fromkeys(entry_points(scenario, texts=False))
    return list(found)


class PreparedPoints(Sequence[Point]):
    """The points as the replicator takes them. Each is prepared when it is asked for; its hash is kept."""

    def __init__(self, plan: PlanHeader, base: PreparedScenario, design: DesignPoints) -> None:
        self._plan = plan
        self._base = base
        self._design = design
        self._hashes: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._design)

    def __getitem__(self, number: Any) -> Any:
        point = self._design[number]
        prepared = prepare_point(self._plan, self._base, point)
        self._hashes[number] = prepared.hash
        return Point(prepared.resolved, self._base.resolved.seed, point.label)

    def hash_of(self, number: int) -> str:
        """SHA-256 (hex) of the scenario of a point."""
        if number not in self._hashes:
            self[number]
        return self._hashes[number]


@dataclass
class Gathered:
    """The finished replications of each point, with the measures that are needed."""

    needed: frozenset[str] | None
    """Names of the measures; None: all."""
    batches: list[dict[int, Replications]]
    """By point and number of the first replication."""
    known: set[str] = field(default_factory=set)
    """Names of all measures that any replication had."""

    def add(self, point: int, first: int, replications: Replications) -> Replications:
        """Add a batch, and return what is kept of it."""
        self.known.update(replications.names)
        if self.needed is not None:
            columns = [column for column, name in enumerate(replications.names) if name in self.needed]
            names = tuple(replications.names[column] for column in columns)
            replications = Replications(names, np.ascontiguousarray(replications.values[:, columns]))
        self.batches[point][first] = replications
        return replications

    def missing(self, point: int, stop: int) -> Iterator[Request]:
        """The replications below `stop` that a point does not have."""
        have = 0
        for first, batch in sorted(self.batches[point].items(), key=lambda item: item[0]):
            if have < min(first, stop):
                yield Request(point, have, min(first, stop))
            have = max(have, first + len(batch.values))
        if have < stop:
            yield Request(point, have, stop)

    def joined(self, point: int, stop: int) -> Replications:
        """The first `stop` replications of a point."""
        parts, have = [], 0
        for first, batch in sorted(self.batches[point].items(), key=lambda item: item[0]):
            values = batch.values[max(0, have - first) : stop - first]
            if first < stop and len(values):
                parts.append(Replications(batch.names, values))
                have = first + len(batch.values)
        return join_replications(parts)


@contextlib.contextmanager
def left_resumable(output: ExperimentOutput | None, what: str) -> Iterator[None]:
    """Leave an output folder, if there is one, so that what was begun in the block can be resumed.

    A user's mistake leaves nothing of what was begun just now. `what` names what is carried out: the experiment.

    Raises
    ------
    StoppedRun
        As the block does, and says how it is resumed.
    """
    try:
        yield
    except InputError:
        if output is not None and not output.resumed:
            output.discard()
        raise
    except StoppedRun as error:
        if output is None:
            raise
        raise StoppedRun(
            f"{error}\n`goldenhour resume {shlex.quote(str(output.path))}` continues {what}"
        ) from error
    finally:
        if output is not None:
            output.suspend()

"""One replication of a scenario, chunk by chunk: arrivals enter the event kernel, told patients leave it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from engine.arrivals import generate_arrivals, plan_arrivals
from engine.codes import RESOURCE_COUNT
from engine.compile import NOTHING, compile_scenario
from engine.errors import RunError
from engine.kernel import (
    ALL_RESOURCES,
    SAMPLE_ROWS,
    KernelExit,
    advance,
    begin_run,
    finish_statistics,
    new_kernel_state,
)
from engine.measures import FlowMeasures, Measures, Statistics
from engine.scenario import Scenario
from engine.tables import (
    ARRIVAL,
    DAY,
    ENDS,
    HOUR,
    PARQUET_PART,
    PATIENTS,
    SLOTS,
    UNLIMITED,
    Chunk,
    Table,
    drop_first_patients,
    new_output,
    number_chunks,
)

DEFAULT_CHUNK = 2048

_NOBODY = np.zeros(0, np.int64)

NAMES_OF_RESOURCES = ("triage teams", "treatment bays", "operating tables", "ICU beds", "ward beds", "places")


class End(NamedTuple):
    """Where a simulation ended: ms and turn (columns.LEFT) of the last that happened to a patient, and ms of the last
    release of a resource that is promised for later.
    """

    at: float
    turn: int
    promised: float


class Simulation:
    """The chunks of one replication, in record order; `measures` and `flow` are complete after the last.

    `scenario` is resolved; `chunk_size` patients at the most make a chunk, which never crosses a multiple of
    PARQUET_PART; `made` has compiled values by kind of `precomputed.cache_keys`. A run without casualties is one
    empty chunk.
    Raises RunError where patients wait for what can never come.

    `fronts`: the patients of these fronts alone, one of `run.partition.partition_fronts`. Then the chunks have
    `left`, and
    `flow` is complete after `close`, which wants to know where all the simulations of the run ended (`end`).
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        replication: int,
        chunk_size: int = DEFAULT_CHUNK,
        made: Mapping[str, Any] = NOTHING,
        fronts: Sequence[int] | None = None,
    ) -> None:
        if not 1 <= chunk_size <= PARQUET_PART:
            raise ValueError(f"chunk_size {chunk_size}: allowed 1 to {PARQUET_PART}")
        self.measures = Measures(scenario)
        self.flow = FlowMeasures.empty(scenario)
        self._scenario = scenario
        self._model = compile_scenario(scenario, seed, replication, made)
        self._chunk_size = chunk_size
        plan = made["arrivals"] if "arrivals" in made else plan_arrivals(scenario)
        self._batches = generate_arrivals(plan, seed, replication)
        self._net = self._model["network"][0]
        self._finite = bool(self._net["poi_ahead"].any())
        self._world = new_kernel_state()
        self._apart = fronts is not None
        if fronts is not None:
            foreign = ~np.isin(np.arange(len(scenario.fronts)), fronts)
            self._world["foreign"][0, : len(foreign)] = foreign
        self._quiet = new_output(quiet=True)
        self._series_interval()
        self._arrivals = np.zeros(0, ARRIVAL)
        self._open: Any = None
        self._ahead: Any = None  # told already, for the next chunk
        self._over = False
        begin_run(self._world, self._model)

    @property
    def most_open(self) -> int:
        """Patients open at the same time, at the most, so far."""
        return int(self._world["most_open"][0])

    def __iter__(self) -> Iterator[Chunk]:
        self._world["told"] = 1
        return number_chunks(
            self._take, self._chunk_size, lambda: None if self._apart else self._close_books()
        )

    def end(self) -> End:
        """After the last chunk of some of the fronts: where these ended."""
        w = self._world[0]
        lines = np.flatnonzero(w["promised_first"][:ALL_RESOURCES] >= 0)
        promised = w["notes"]["at"][w["promised_last"][lines]]
        return End(float(w["turn_at"]), int(w["turn"]), float(promised.max(initial=0.0)))

    def close(self, end: End) -> tuple[Measures, Statistics | None]:
        """Bring clocks and integrals to the end of the whole run, as they would be there had all fronts been in one;
        returns the measures of these fronts' patients and, where anything is finite, what the kernel has counted.
        """
        w = self._world
        w["until"], w["until_turn"] = end.at, end.turn
        o = new_output()
        while not self._advance(o, 1):
            pass
        w["now"] = max(float(w["now"][0]), min(float(self._model["care"]["horizon"][0, 0]), end.promised))
        self._close_books()
        return self.measures, self._raw() if self._finite else None

    def run_flow(self) -> FlowMeasures:
        """The flow alone, without records: what comes out are `outcomes` and the measures of the flow."""
        o = new_output()
        while not self._advance(o, 1 << 40):
            pass
        self._close_books()
        return self.flow

    def outcomes(self) -> Any:
        """After `run_flow`: numbers of casualties by stream and columns.STATUSES, shape (3, 8)."""
        return self._world["outcomes"][0].copy()

    def _series_interval(self) -> None:
        """The interval of the time series: whole hours, as short as its table allows."""
        finite = int(np.count_nonzero(self._net["finite"]))
        if finite:
            hours = (self._scenario.horizon_days or self._scenario.days + 30) * DAY / HOUR
            self._world["sample_every"] = max(1, int(np.ceil(hours * finite / SAMPLE_ROWS))) * HOUR

    def _take(self, size: int) -> Chunk:
        """The next `size` patients; fewer where the run ends. A hit may close more at once: they are the next ones."""
        o = new_output() if self._ahead is None else self._ahead
        told = o["rows"][0]
        while not self._over and told[PATIENTS] < size:
            self._over = self._advance(o, size)
        n = min(size, int(told[PATIENTS]))
        self._ahead = drop_first_patients(o, n) if n < told[PATIENTS] else None
        chunk = Chunk(number=0, first=0, last=False, patients=o["patients"][0, :n])
        for name, end in ENDS.items():
            setattr(chunk, name, o[name][0, : int(chunk.patients[-1][end]) if n else 0])
        if self._apart:
            chunk.left = o["left"][0, :n]
        if n:
            self.measures.add(chunk)
        return chunk

    def _advance(self, o: Table, room: int) -> bool:
        """One call of the kernel, and what it asks for; whether the run is over."""
        w = self._world
        if self._open is not None:
            return self._finish_open(o, room)
        advance(w, self._arrivals, self._model, self._quiet, o, room, _NOBODY)
        status = int(w["status"][0])
        if status == KernelExit.NEEDS_ARRIVALS:
            batch = next(self._batches, None)
            if batch is None:
                w["exhausted"] = 1
            else:
                self._arrivals = batch
                w["cursor"] = 0
        elif status == KernelExit.HORIZON:
            used = w["states"][0, : int(w["used_slots"][0])]
            slots = np.flatnonzero(used["nobody"] == 0)
            self._open = slots[np.argsort(used["order"][slots])]
            return self._finish_open(o, room)
        elif status == KernelExit.DEADLOCK:
            raise RunError(self._deadlock())
        elif status == KernelExit.TABLES_FULL:
            raise RunError(
                f"more than {SLOTS:,} patients are open at a time: care is far too scarce for the casualties; "
                "set horizon_days, or give more of what `summary` shows to be short"
            )
        elif status == KernelExit.CONTRADICTION:
            raise RunError(
                f"internal error: record and flow of casualty {int(w['blame'][0])} contradict each other"
            )
        return status == KernelExit.FINISHED

    def _finish_open(self, o: Table, room: int) -> bool:
        """At the horizon: the patients still open, as many as there is room for."""
        left = room - int(o["rows"][0, PATIENTS])
        if len(self._open):
            advance(self._world, self._arrivals, self._model, self._quiet, o, room, self._open[:left])
        self._open = self._open[left:]
        if int(self._world["status"][0]) == KernelExit.CONTRADICTION:
            raise RunError("internal error: a record contradicts the flow")
        return len(self._open) == 0

    def _deadlock(self) -> str:
        """Who waits for what, where: the five longest lines."""
        w = self._world[0]
        lines = []
        for line in np.argsort(-w["waiting"], kind="stable")[:5]:
            number = int(w["waiting"][line])
            if number:
                lines.append(f"{number} wait for {self._line_name(int(line))}")
        days = float(w["now"]) / DAY
        return (
            f"deadlock on day {days:.0f}: nothing can happen any more, but {int(w['open'])} patients are still open; "
            + "; ".join(lines)
        )

    def _line_name(self, line: int) -> str:
        facilities = self._scenario.facilities
        if line < ALL_RESOURCES:
            return f"{NAMES_OF_RESOURCES[line % RESOURCE_COUNT]} at {facilities[line // RESOURCE_COUNT].id}"
        way = line - ALL_RESOURCES
        links = [
            self._scenario.links[int(self._net["candidate_link"][k])]
            for k in range(
                int(self._net["way_first"][way]),
                int(self._net["way_first"][way]) + int(self._net["way_count"][way]),
            )
        ]
        return f"transport from {links[0].origin} to {' or '.join(link.destination for link in links)}"

    def _close_books(self) -> None:
        finish_statistics(self._world, self._model)
        if self._finite:
            self.flow = FlowMeasures(self._scenario, self._raw())

    def _raw(self) -> Statistics:
        """The statistics of the kernel, copied out of its world."""
        w = self._world[0]
        net = self._net
        f = len(self._scenario.facilities)
        r = f * RESOURCE_COUNT
        ways = int(net["ways"])
        pools = int(net["pools"])
        lines = slice(ALL_RESOURCES, ALL_RESOURCES + ways)
        origin = np.full(ways, -1, np.int64)
        front = np.full(ways, -1, np.int64)
        for k in range(f):
            for way in set(net["way"][k].tolist()) - {-1}:
                origin[way] = k
        for k in range(len(self._scenario.fronts)):
            if net["poi_way"][k] >= 0:
                front[net["poi_way"][k]] = k
        return Statistics(
            time_end=float(w["now"]),
            capacity_time=w["capacity_area"][:r].copy(),
            used_area=w["used_area"][:r].copy(),
            stay_sum=w["stay_sum"][:r].copy(),
            queue_area=w["queue_area"][:r].copy(),
            max_queue=w["max_queue"][:r].copy(),
            max_used=w["max_used"][:r].copy(),
            served=w["served"][:r].copy(),
            wait_sum=w["wait_sum"][:r].copy(),
            wait_count=w["wait_count"][:r].copy(),
            blocked=w["blocked"][:r].copy(),
            died=w["died_waiting"][:r].copy(),
            finite=(net["capacity"][:r] < UNLIMITED).astype(np.uint8),
            way_wait_sum=w["wait_sum"][lines].copy(),
            way_wait_count=w["wait_count"][lines].copy(),
            way_queue_area=w["queue_area"][lines].copy(),
            way_died=w["died_waiting"][lines].copy(),
            way_origin=origin,
            way_front=front,
            sorties=w["sorties"][:pools].copy(),
            carried=w["carried"][:pools].copy(),
            litters_used=w["litters_used"][:pools].copy(),
            busy=w["busy"][:pools].copy(),
            lost=w["vehicles_lost"][:pools].copy(),
            arrived=w["arrived_at"][:f].copy(),
            refused=w["refused"][:f].copy(),
            bypassed=w["bypassed"][:f].copy(),
            blood_used=w["blood_used"][:f].copy(),
            blood_short=w["blood_short"][:f].astype(np.float64),
            samples=w["sample"][: int(w["samples"])].copy(),
        )

"""One replication of a scenario, chunk by chunk: arrivals enter the event kernel, and records come out."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrivals import find_peak, generate_arrivals, peak_of, plan_arrivals
from engine.codes import RESOURCE_COUNT, RESOURCES
from engine.compile import NOTHING, begin_replication, compile_tables
from engine.errors import RunError
from engine.kernel import (
    ALL_RESOURCES,
    MAX_DECISIONS,
    MAX_ENTRIES,
    REMAINS_QUEUES,
    SAMPLE_ROWS,
    FullTable,
    KernelExit,
    advance,
    advance_unlimited,
    begin_run,
    finish_statistics,
    new_kernel_state,
    uses_calendar,
)
from engine.measures import ConsumptionRates, FlowMeasures, Measures, Statistics
from engine.scenario import MAX_HORIZON_DAYS, Scenario
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
    OutputPool,
    Table,
    drop_first_patients,
    new_output,
    number_chunks,
)

DEFAULT_CHUNK = 2048

_NO_SLOTS = np.zeros(0, np.int64)
_NO_LIMIT = 1 << 40
_MAX_IDLE_EVENTS = 1_000_000_000
_FEWER_OPEN = "set horizon_days, add capacity, or reduce the casualties"
_FULL_TABLES = {
    FullTable.SLOTS: (f"more than {SLOTS:,} patients are open at a time", _FEWER_OPEN),
    FullTable.DECISIONS: (
        f"the decision logs of the open patients and the pending releases need more than {MAX_DECISIONS:,} rows",
        _FEWER_OPEN,
    ),
    FullTable.CALENDAR: (
        f"the calendar is full: one of its levels holds {MAX_ENTRIES:,} events",
        _FEWER_OPEN,
    ),
    FullTable.OUTPUT: (
        "a hit closes more patients at once than the output has room for",
        "lower `killed` of the hit, or split it into several hits at different times",
    ),
}
"""By `FullTable`: the cause of the error, and what helps."""


class RunEnd(NamedTuple):
    """Where a simulation ended."""

    at: float
    """Time of the last event, ms. With `sequence`, its place in the write order (tables.WRITE_ORDER)."""
    sequence: int
    last_release: float
    """Time of the last pending release of a resource, ms; 0 if there is none."""


class Reused(NamedTuple):
    """What simulations of one scenario share, one after the other."""

    rates: ConsumptionRates
    """The `consumption_rates` of the scenario."""
    outputs: OutputPool
    """Memory for the tables that the kernel fills."""


class Simulation:
    """The chunks of one replication, in record order; `measures` and `flow` are complete after the last.

    A run without casualties is one empty chunk. A simulation of some fronts, one of `partition_fronts`, is a shard of
    a run: its chunks have `write_order`, and `flow` is complete only after `close`.

    Parameters
    ----------
    scenario
        A resolved scenario.
    seed, replication
        They select the random draws.
    chunk_size
        Patients in a chunk, at most. A chunk never crosses a multiple of PARQUET_PART.
    precomputed
        Compiled tables by kind of `engine.precomputed.cache_keys`. What is missing is compiled here.
    fronts
        Simulate only the patients of these fronts, given by index; None: of all.
    model
        The tables of another simulation of the scenario that has ended; None: they are compiled. A scenario with listed
        casualties needs its own.
    reused
        What other simulations of the scenario share with this one, one after the other.
    only_measures
        The chunks have no vital signs, and `flow` has no resources over time. All measures are the same.

    Raises
    ------
    ValueError
        If `chunk_size` is not within 1 to PARQUET_PART.
    RunError
        During the run: patients are deadlocked, a table of the kernel is full, or the two passes disagree.
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        replication: int,
        chunk_size: int = DEFAULT_CHUNK,
        precomputed: Mapping[str, Any] = NOTHING,
        fronts: Sequence[int] | None = None,
        model: Table | None = None,
        reused: Reused | None = None,
        only_measures: bool = False,
    ) -> None:
        if not 1 <= chunk_size <= PARQUET_PART:
            raise ValueError(f"chunk_size {chunk_size}: allowed 1 to {PARQUET_PART}")
        self.measures = Measures(scenario, reused.rates if reused else None)
        self.flow = FlowMeasures.empty(scenario)
        self._scenario = scenario
        self._model = compile_tables(scenario, precomputed) if model is None else model
        begin_replication(scenario, self._model, seed, replication)
        self._model["vital_signs"]["taken"] = not only_measures
        self._chunk_size = chunk_size
        plan = precomputed["arrivals"] if "arrivals" in precomputed else plan_arrivals(scenario)
        self._batches = generate_arrivals(plan, seed, replication)
        self._find_peak = partial(find_peak, plan, seed, replication)
        self._only_measures = only_measures
        self._network = self._model["network"][0]
        self._is_finite = bool(self._network["poi_finite_ahead"].any())
        self._uses_calendar = uses_calendar(self._network)
        self._state = new_kernel_state()
        self._is_shard = fronts is not None
        if fronts is not None:
            excluded = ~np.isin(np.arange(len(scenario.fronts)), fronts)
            self._state["excluded_front"][0, : len(excluded)] = excluded
        self._outputs = reused.outputs if reused else OutputPool()
        self._scratch = self._outputs.take(quiet=True)
        self._state["sample_interval"] = self._sample_interval()
        self._arrivals = np.zeros(0, ARRIVAL)
        self._open_slots: Any = None  # at the horizon: slots whose records are still to be written
        self._surplus: Any = None  # output already written for the next chunk
        self._finished = False
        self._progress = (0, 0)  # casualties so far, and open ones, when either last changed
        self._idle_since = 0  # events until then
        if self._uses_calendar:
            begin_run(self._state, self._model)

    @property
    def max_open(self) -> int:
        """The most patients that have been open at a time."""
        return int(self._state["max_open_count"][0])

    def __iter__(self) -> Iterator[Chunk]:
        self._state["writes_records"] = 1
        finish = (lambda: None) if self._is_shard else self._finish_statistics
        return number_chunks(self._next_chunk, self._chunk_size, finish)

    def end(self) -> RunEnd:
        """Return where this shard ended, after its last chunk."""
        state = self._state[0]
        pending = np.flatnonzero(state["pending_first"][:ALL_RESOURCES] >= 0)
        releases = state["pending_until"][pending]
        return RunEnd(float(state["sequence_at"]), int(state["sequence"]), float(releases.max(initial=0.0)))

    def close(self, end: RunEnd) -> tuple[Measures, Statistics | None]:
        """Advance clocks and integrals of this shard to the end of the whole run.

        Parameters
        ----------
        end
            The latest of the ends of all shards.

        Returns
        -------
        The measures of this shard's patients, and the kernel's statistics if anything is finite.
        """
        state = self._state
        state["end_at"], state["end_sequence"] = end.at, end.sequence
        output = new_output()
        while not self._advance(output, 1):
            pass
        last_release = min(float(self._model["care"]["horizon"][0, 0]), end.last_release)
        state["now"] = max(float(state["now"][0]), last_release)
        self._finish_statistics()
        return self.measures, self._statistics() if self._is_finite else None

    def run_flow(self) -> FlowMeasures:
        """Simulate the flow without writing records. Afterwards `outcomes` is complete."""
        output = new_output()
        while not self._advance(output, _NO_LIMIT):
            pass
        self._finish_statistics()
        return self.flow

    def outcomes(self) -> NDArray[np.int64]:
        """Return the numbers of casualties by stream and `Outcome` after `run_flow`, shape (3, 8)."""
        return self._state["outcomes"][0].copy()

    def _sample_interval(self) -> float:
        """Return the interval of the time series, ms: whole hours, as short as its table allows; 0: no series."""
        finite = int(np.count_nonzero(self._network["finite"]))
        if not finite:
            return 0.0
        hours = (self._scenario.horizon_days or self._scenario.days + 30) * DAY / HOUR
        return max(1, int(np.ceil(hours * finite / SAMPLE_ROWS))) * HOUR

    def _next_chunk(self, size: int) -> Chunk:
        """Return the next `size` patients, fewer only where the run ends.

        A hit may close more patients at once than a chunk holds: the rest become the next chunk's first.
        """
        output = self._outputs.take() if self._surplus is None else self._surplus
        self._surplus = None
        rows = output["rows"][0]
        while not self._finished and rows[PATIENTS] < size:
            self._finished = self._advance(output, size)
        n = min(size, int(rows[PATIENTS]))
        if n < rows[PATIENTS]:
            self._surplus = self._outputs.take()
            drop_first_patients(output, n, self._surplus)
        chunk = Chunk(number=0, first=0, last=False, patients=output["patients"][0, :n])
        for name, end in ENDS.items():
            setattr(chunk, name, output[name][0, : int(chunk.patients[-1][end]) if n else 0])
        if self._is_shard:
            chunk.write_order = output["write_order"][0, :n]
        if n:
            self.measures.add(chunk)
        return chunk

    def _advance(self, output: Table, room: int) -> bool:
        """Call the kernel once and act on why it returned; return whether the run is finished."""
        state = self._state
        if self._open_slots is not None:
            return self._write_open(output, room)
        if self._uses_calendar:
            advance(state, self._arrivals, self._model, self._scratch, output, room, _NO_SLOTS)
        else:
            advance_unlimited(state, self._arrivals, self._model, self._scratch, output, room)
        status = int(state["status"][0])
        if status == KernelExit.NEEDS_ARRIVALS:
            self._load_arrivals()
        elif status == KernelExit.HORIZON:
            casualties = state["casualties"][0, : int(state["used_slots"][0])]
            slots = np.flatnonzero(casualties["is_free"] == 0)
            self._open_slots = slots[np.argsort(casualties["arrival_number"][slots])]
            return self._write_open(output, room)
        elif status == KernelExit.RUNNING:
            self._check_end_in_sight()
        else:
            self._raise_for(status)
        return status == KernelExit.FINISHED

    def _raise_for(self, status: int) -> None:
        """Raise RunError if the kernel returned because of an error."""
        if status == KernelExit.DEADLOCK:
            raise RunError(self._describe_deadlock())
        if status == KernelExit.TABLES_FULL:
            raise RunError(self._describe_full_table())
        if status == KernelExit.CONTRADICTION:
            number = int(self._state["contradicted_arrival"][0])
            raise RunError(f"internal error: record and flow of casualty {number} contradict each other")
        if status == KernelExit.NOT_IN_QUEUE:
            raise RunError("internal error: a patient leaves a queue for transport without being in it")

    def _check_end_in_sight(self) -> None:
        """Raise RunError if a run without a horizon follows its patients for more than a century, or in vain."""
        if self._scenario.horizon_days is not None:
            return
        state = self._state[0]
        found = (int(state["arrival_count"]), int(state["open_count"]))
        if found != self._progress:
            self._progress, self._idle_since = found, int(state["steps"])
        days = float(state["now"]) / DAY
        if days > MAX_HORIZON_DAYS:
            since = "more than a century after the start"
        elif int(state["steps"]) - self._idle_since > _MAX_IDLE_EVENTS:
            since = f"after {_MAX_IDLE_EVENTS:,} events without another patient"
        else:
            return
        raise RunError(
            f"on day {days:,.0f}, {since}, {found[1]:,} patients are still open{self._describe_queues()}; "
            "set horizon_days, shorten times, or add vehicles and capacity"
        )

    def _load_arrivals(self) -> None:
        """Give the kernel the next batch of arrivals, or note that there are no more."""
        if self._is_finite and not self._state["arrival_count"][0]:
            self._set_periods()
        batch = next(self._batches, None)
        if batch is None:
            self._state["arrivals_exhausted"] = 1
        else:
            self._arrivals = batch
            self._state["next_arrival"] = 0

    def _set_periods(self) -> None:
        """Set the periods for which the kernel keeps statistics of their own.

        Where two batches hold all arrivals, they are generated once for this and for the kernel, else twice.
        """
        first = list(islice(self._batches, 3))
        self._batches = chain(first, self._batches)
        peak = peak_of(first, self._scenario.days) if len(first) < 3 else self._find_peak()
        state = self._state[0]
        begin, end, casualties = 0.0, float(self._scenario.days * DAY), peak.within_days
        if self._scenario.casualties.only_listed and peak.total:
            begin, end = float(peak.first // HOUR * HOUR), float((peak.last // HOUR + 1) * HOUR)
            casualties = peak.total
        state["period_begin"] = begin, peak.begin
        state["period_end"] = end, peak.begin + DAY
        state["period_casualties"] = casualties, peak.casualties

    def _write_open(self, output: Table, room: int) -> bool:
        """Write the records of patients open at the horizon, up to `room`; return whether that was the last."""
        count = room - int(output["rows"][0, PATIENTS])
        if len(self._open_slots):
            slots = self._open_slots[:count]
            advance(self._state, self._arrivals, self._model, self._scratch, output, room, slots)
            self._raise_for(int(self._state["status"][0]))
        self._open_slots = self._open_slots[count:]
        return len(self._open_slots) == 0

    def _describe_deadlock(self) -> str:
        """Describe who waits for what and where."""
        state = self._state[0]
        days = float(state["now"]) / DAY
        return (
            f"deadlock on day {days:.0f}: nothing can happen any more, but {int(state['open_count'])} patients are "
            f"still open{self._describe_queues()}"
        )

    def _describe_full_table(self) -> str:
        """Describe which table is full, and when, who waits, and what helps."""
        state = self._state[0]
        cause, remedy = _FULL_TABLES[FullTable(int(state["full_table"]))]
        return (
            f"on day {float(state['now']) / DAY:,.1f}, {cause}; {int(state['open_count']):,} patients are still open"
            f"{self._describe_queues()}; {remedy}"
        )

    def _describe_queues(self) -> str:
        """Describe the five longest queues, each after a semicolon."""
        lengths = self._state[0]["queue_length"]
        longest = [int(queue) for queue in np.argsort(-lengths, kind="stable")[:5]]
        return "".join(
            f"; {int(lengths[queue])} wait for {self._describe_queue(queue)}"
            for queue in longest
            if lengths[queue]
        )

    def _describe_queue(self, queue: int) -> str:
        """Return what those in a queue wait for, and where."""
        if queue < ALL_RESOURCES:
            facility = self._scenario.facilities[queue // RESOURCE_COUNT]
            return f"{RESOURCES[queue % RESOURCE_COUNT].label} at {facility.id}"
        is_for_dead = queue >= REMAINS_QUEUES
        way = queue - (REMAINS_QUEUES if is_for_dead else ALL_RESOURCES)
        first = int(self._network["way_first"][way])
        candidates = range(first, first + int(self._network["way_count"][way]))
        links = [self._scenario.links[int(self._network["candidate_link"][k])] for k in candidates]
        what = "transport of the dead" if is_for_dead else "transport"
        return f"{what} from {links[0].origin} to {' or '.join(link.destination for link in links)}"

    def _finish_statistics(self) -> None:
        """Bring the kernel's statistics to the end of the run and set `flow`."""
        if self._uses_calendar:
            finish_statistics(self._state, self._model)
        if self._is_finite:
            self.flow = FlowMeasures(self._scenario, self._statistics())

    def _way_origins(self) -> tuple[Any, Any]:
        """Return the facility and the front from which each way leads; -1 for none."""
        network = self._network
        ways = int(network["ways"])
        origin = np.full(ways, -1, np.int64)
        front = np.full(ways, -1, np.int64)
        for k in range(len(self._scenario.facilities)):
            for way in set(network["way"][k].tolist()) - {-1}:
                origin[way] = k
        for k in range(len(self._scenario.fronts)):
            if network["poi_way"][k] >= 0:
                front[network["poi_way"][k]] = k
        return origin, front

    def _statistics(self) -> Statistics:
        """Return copies of the kernel's statistics."""
        state = self._state[0]
        network = self._network
        facilities = len(self._scenario.facilities)
        resources = facilities * RESOURCE_COUNT
        pools = int(network["pools"])
        ways = slice(ALL_RESOURCES, ALL_RESOURCES + int(network["ways"]))
        dead = slice(REMAINS_QUEUES, REMAINS_QUEUES + int(network["ways"]))
        origin, front = self._way_origins()
        return Statistics(
            time_end=float(state["now"]),
            capacity_time=state["capacity_area"][:resources].copy(),
            used_area=state["used_area"][:resources].copy(),
            stay_sum=state["stay_sum"][:resources].copy(),
            queue_area=state["queue_area"][:resources].copy(),
            max_queue=state["max_queue"][:resources].copy(),
            max_used=state["max_used"][:resources].copy(),
            served=state["served"][:resources].copy(),
            wait_sum=state["wait_sum"][:resources].copy(),
            wait_count=state["wait_count"][:resources].copy(),
            blocked=state["blocked_time"][:resources].copy(),
            died=state["died_waiting"][:resources].copy(),
            finite=(network["capacity"][:resources] < UNLIMITED).astype(np.uint8),
            way_wait_sum=state["wait_sum"][ways].copy(),
            way_wait_count=state["wait_count"][ways].copy(),
            way_queue_area=state["queue_area"][ways].copy(),
            way_max_queue=state["max_queue"][ways].copy(),
            way_died=state["died_waiting"][ways].copy(),
            way_origin=origin,
            way_front=front,
            sorties=state["sorties"][:pools].copy(),
            carried=state["carried"][:pools].copy(),
            litters_used=state["litters_used"][:pools].copy(),
            busy=state["busy_time"][:pools].copy(),
            lost=state["vehicles_lost"][:pools].copy(),
            way_remains_count=state["wait_count"][dead, 0].copy(),
            way_remains_sum=state["wait_sum"][dead, 0].copy(),
            way_remains_area=state["queue_area"][dead].copy(),
            way_remains_max=state["max_queue"][dead].copy(),
            way_remains_left=state["queue_length"][dead].astype(np.int64),
            remains_carried=state["remains_carried"][:pools].copy(),
            remains_time=state["remains_time"][:pools].copy(),
            arrived=state["arrived_at"][:facilities].copy(),
            refused=state["refused"][:facilities].copy(),
            bypassed=state["bypassed"][:facilities].copy(),
            blood_used=state["blood_used"][:facilities].copy(),
            blood_short=state["blood_short"][:facilities].astype(np.float64),
            periods=np.stack(
                [state["period_begin"], state["period_end"], state["period_casualties"]], axis=1
            ),
            period_used_area=state["period_used_area"][:resources].copy(),
            period_capacity_time=state["period_capacity_area"][:resources].copy(),
            period_queue_area=state["period_queue_area"][:resources].copy(),
            period_max_queue=state["period_max_queue"][:resources].copy(),
            period_wait_sum=state["period_wait_sum"][:resources].copy(),
            period_wait_count=state["period_wait_count"][:resources].copy(),
            way_period_queue_area=state["period_queue_area"][ways].copy(),
            way_period_max_queue=state["period_max_queue"][ways].copy(),
            way_period_wait_sum=state["period_wait_sum"][ways].copy(),
            way_period_wait_count=state["period_wait_count"][ways].copy(),
            period_busy=state["period_busy_time"][:pools].copy(),
            samples=state["series"][: 0 if self._only_measures else int(state["series_length"])].copy(),
        )

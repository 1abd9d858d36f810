"""How long a run will take on this machine: what it has to do, times what each piece took when it was measured."""

from collections.abc import Sequence
from typing import NamedTuple

from actors.cluster import default_workers, ray_address
from actors.run import AUTOMATIC_WORKERS
from engine.records import FORMATS
from engine.scenario import PreparedScenario, workload_of

SMALL_RUN = 50_000
"""Expected patients from which a run uses Ray by default. Up to here one process is done before Ray has started."""

LONG_SECONDS = 600.0
"""A run that is expected to take longer is announced before it starts."""

# Measured with `bench.throughput`, `bench.capacity load` and process times on two cores (docs/clusters.md section
# "Scale" has the rates). Another machine differs by a factor of two or so; the note says "about".
_SIMULATE_SECONDS = 3e-6
"""Simulation of a casualty where nothing is finite."""
_SIMULATE_FINITE_SECONDS = 8e-6
"""Simulation of a casualty who may have to wait: two passes, some sixteen events. It takes up to three times as long
where most patients wait, whatever the length of the queues: there are more events, and memory is read at random."""
_COLUMNS_SECONDS = 1e-6
"""What the columns of a casualty add to the simulation, once for all formats. `Format.patient_seconds` has the rest."""
_COMPRESS_SECONDS = 4e-6
"""Compressing a casualty in one format."""
_EVENT_SECONDS = 0.1e-6
"""An event by the clock."""


class ExpectedTime(NamedTuple):
    """How long a run is expected to take."""

    seconds: float
    reasons: str
    """What there is to do, in words."""

    def note(self) -> str | None:
        """What to say before a run of more than ten minutes; None for a shorter one."""
        if self.seconds <= LONG_SECONDS:
            return None
        return (
            f"a run will take about {_duration(self.seconds)} on this machine, up to three times as long if most "
            f"patients wait: {self.reasons}"
        )


def automatic_workers(
    prepared: PreparedScenario, address: str | None = None, writers: int = 1, simulators: int = 1
) -> int:
    """How many generator processes `run` takes by default.

    On this machine none for a small run, which then needs no Ray, unless it asks for several writers or simulators.
    On a cluster AUTOMATIC_WORKERS: how many CPUs it has is unknown before it is joined.
    """
    if ray_address(address) != "local":
        return AUTOMATIC_WORKERS
    small = workload_of(prepared.resolved).casualties < SMALL_RUN
    return 0 if small and writers == simulators == 1 else default_workers()


def expected_time(
    prepared: PreparedScenario,
    formats: Sequence[str] = ("jsonl",),
    compress: str = "none",
    workers: int | None = None,
) -> ExpectedTime:
    """How long a run of a scenario is expected to take on this machine.

    Parameters
    ----------
    prepared
        The scenario.
    formats, compress
        What is written. Without formats: the time of the simulation alone.
    workers
        Generator processes, which write what one simulator makes; 0: a thread simulates, another writes; None: as many
        as `run` takes by default.
    """
    work = workload_of(prepared.resolved)
    simulate = work.casualties * (_SIMULATE_FINITE_SECONDS if work.is_finite else _SIMULATE_SECONDS)
    simulate += work.events * _EVENT_SECONDS
    packed = _COMPRESS_SECONDS if compress != "none" else 0.0
    columns = work.casualties * _COLUMNS_SECONDS if formats else 0.0
    write = work.casualties * sum(FORMATS[name].patient_seconds + packed for name in formats)
    processes = automatic_workers(prepared) if workers is None else workers
    seconds = max(simulate + columns, write / max(1, processes))
    reasons = f"{work.casualties:,.0f} casualties"
    if work.events >= 1e6:
        reasons += f", and {work.events:,.0f} lifts, deliveries and shifts in {work.days:,.0f} days"
    return ExpectedTime(seconds, reasons)


def _duration(seconds: float) -> str:
    """A time in words, to two figures or so."""
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes"
    if seconds < 2 * 86_400:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 86_400:,.0f} days"

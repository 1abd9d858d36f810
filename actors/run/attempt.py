"""run_attempt: one attempt to complete a run, with any executor. It drives the executor and the scheduler."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from actors.run.executor import BatchReady, Event, Executor, Fault
from actors.run.part import Part
from actors.run.scheduler import Scheduler

ReportPhase = Callable[[str], None]
"""Called frequently with the phase of the run."""


class Finished(NamedTuple):
    """All chunks are written and the writers are closed: the finished parts, and the measures as JSON."""

    parts: list[Part]
    measures: bytes


def run_attempt(
    executor: Executor, scheduler: Scheduler, first_phase: str, report: ReportPhase
) -> Finished | Fault:
    """Try to complete a run.

    Parameters
    ----------
    executor
        A new executor. The caller closes it.
    scheduler
        The run's scheduler; this function restarts it from what is on disk.
    first_phase
        The phase reported until chunks arrive: preparing, resuming or recovering.
    report
        Called with the current phase.

    Returns
    -------
    Finished
        If the run is complete.
    Fault
        If another attempt may succeed.

    Raises
    ------
    Exception
        Any error that another attempt would meet again.
    """
    try:
        return _complete(executor, scheduler, first_phase, report)
    except Exception as error:
        fault = executor.fault(error)
        if fault is None:
            raise
        return fault


def _complete(executor: Executor, scheduler: Scheduler, first_phase: str, report: ReportPhase) -> Finished:
    on_wait = partial(report, first_phase)
    scheduler.restart(executor.window, executor.open(on_wait), executor.batch_chunks)
    on_wait()
    executor.prepare(on_wait)
    if not scheduler.complete:  # a fault may have come after the last chunk
        scheduler.start_at(executor.skip_to(scheduler.first_needed, on_wait))
    while not scheduler.complete:
        _request_batches(executor, scheduler)
        _add_events(scheduler, executor.wait())
        _start_tasks(executor, scheduler)
        report("running" if scheduler.caught_up else "resuming")
    return Finished(*executor.finish(partial(report, "finishing")))


# The loop's steps are functions so that no variable holds a chunk while the next one is simulated.


def _request_batches(executor: Executor, scheduler: Scheduler) -> None:
    while scheduler.may_request:
        executor.request_batch()
        scheduler.add_request()


def _add_events(scheduler: Scheduler, events: list[Event]) -> None:
    for event in events:
        if isinstance(event, BatchReady):
            scheduler.add_batch(event.heads, event.batch)
        else:
            scheduler.add_receipt(event.writer, event.receipt)


def _start_tasks(executor: Executor, scheduler: Scheduler) -> None:
    while executor.can_encode and (task := scheduler.next_task()) is not None:
        executor.encode(task)

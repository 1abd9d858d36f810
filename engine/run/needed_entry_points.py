"""The compiled functions that a run needs, so that they can be compiled before it starts, side by side."""

from typing import NamedTuple

from engine.arrivals import ENTRY_POINTS_RATES, ENTRY_POINTS_TOTAL
from engine.clinical import triage_of_sample
from engine.compile import compile_network, is_severity_fitted
from engine.kernel import advance, advance_unlimited, begin_run, finish_statistics, uses_calendar
from engine.measures import count_chunk
from engine.numeric import NativeFunction
from engine.records import ASSEMBLE
from engine.scenario import Scenario


class EntryPoints(NamedTuple):
    """Entry points that share most of what they call, so that one process compiles them all."""

    name: str
    """What they compute, in words."""
    functions: tuple[NativeFunction, ...]
    cost: int
    """About how many functions are compiled for it."""


SEVERITY = EntryPoints("severity of injuries", (triage_of_sample,), 40)
"""The search for the severity that meets an author's triage weights."""


def entry_points(scenario: Scenario, texts: bool) -> list[EntryPoints]:
    """Return the entry points that a run of a resolved scenario calls.

    Parameters
    ----------
    scenario
        The resolved scenario.
    texts
        Whether records are written as text or MessagePack.
    """
    finite = uses_calendar(compile_network(scenario)[0])
    flow = (advance, begin_run, finish_statistics) if finite else (advance_unlimited,)
    has_total = scenario.casualties.total is not None
    found = [
        EntryPoints("flow of casualties", flow, 300 if finite else 170),
        EntryPoints("arrivals", ENTRY_POINTS_TOTAL if has_total else ENTRY_POINTS_RATES, 60),
    ]
    found.append(EntryPoints("measures", (count_chunk,), 10))
    if is_severity_fitted(scenario):
        found.append(SEVERITY)
    if texts:
        found.append(EntryPoints("records", (ASSEMBLE,), 20))
    return found

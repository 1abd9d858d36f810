"""The compiled functions that a run needs, so that they can be compiled before it starts, side by side."""

from typing import NamedTuple

from engine.arrivals import arrival_entry_points, draw_listed
from engine.clinical import draw_sample, iss_of_listed
from engine.compile import compile_network, has_mean_iss
from engine.kernel import advance, advance_unlimited, begin_run, finish_statistics, uses_calendar
from engine.measures import count_blocking, count_chunk, count_consumption, split_delays
from engine.numeric import NativeFunction
from engine.records import ASSEMBLE
from engine.scenario import Scenario, has_tilts


class EntryPoints(NamedTuple):
    """Entry points that share most of what they call, so that one process compiles them all."""

    name: str
    """What they compute, in words."""
    functions: tuple[NativeFunction, ...]
    cost: int
    """About how many functions are compiled for it."""


ARRIVALS = "arrivals"
"""Name of the entry points that draw who is hurt when and where."""

SEVERITY = EntryPoints("severity of injuries", (draw_sample,), 40)
"""The search for the tilts that meet an author's shares."""

LISTED_SEVERITY = EntryPoints("severity of listed casualties", (iss_of_listed, draw_listed), 40)
"""The search for the severity that meets the mean ISS of listed casualties."""


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
    found = [
        EntryPoints("flow of casualties", flow, 300 if finite else 170),
        EntryPoints(ARRIVALS, arrival_entry_points(scenario), 60),
    ]
    found.append(EntryPoints("measures", (count_chunk, split_delays, count_consumption, count_blocking), 20))
    if has_tilts(scenario):
        found.append(SEVERITY)
    if has_mean_iss(scenario):
        found.append(LISTED_SEVERITY)
    if texts:
        found.append(EntryPoints("records", (ASSEMBLE,), 20))
    return found

"""Deadlock: patients wait, and nothing in the calendar can ever help them."""

import math

from engine.clinical import death_time
from engine.kernel.calendar import BUCKETS, FAR, FRONT
from engine.kernel.codes import ENTRY_KIND_SHIFT, EntryKind
from engine.kernel.state import KernelState
from engine.numeric import compiled
from engine.tables import DAY, Model

STALL_TIME = 60.0 * DAY
"""Shortest time without progress, in ms, before the kernel checks for a deadlock."""


@compiled
def stall_time(model: Model) -> float:
    """Return the time without progress, in ms, after which the kernel checks for a deadlock.

    It is STALL_TIME, or longer if batches may wait long, lifts are rare or bad weather often grounds vehicles.
    """
    longest = STALL_TIME
    for k in range(
        model.network.way_first[model.network.ways - 1] + model.network.way_count[model.network.ways - 1]
    ):
        longest = max(longest, model.network.batch_wait[k] + DAY)
    for pool in range(model.network.pools):
        interval = DAY
        if model.network.lift_interval[pool] > 0.0 and model.network.lift_cancelled[pool] < 1.0:
            interval = max(
                interval, model.network.lift_interval[pool] / (1.0 - model.network.lift_cancelled[pool])
            )
            longest = max(longest, model.network.first_lift_at[pool] + 20.0 * interval)
        if model.network.grounded_probability[pool] < 1.0:
            longest = max(longest, 20.0 * interval / (1.0 - model.network.grounded_probability[pool]))
    return longest


@compiled
def _may_help_waiting(state: KernelState, tie: int, subject: int, version: int) -> bool:
    """Return whether an entry of the calendar may help a patient who waits."""
    kind = tie >> ENTRY_KIND_SHIFT
    if kind == EntryKind.PATIENT or kind == EntryKind.RETRIAGE:
        casualty = state.casualties[subject]
        return bool(
            version == casualty.version
            and not casualty.is_free
            and (casualty.queue < 0 or death_time(casualty) < math.inf)
        )
    return kind in (
        EntryKind.WORLD,
        EntryKind.SERVE,
        EntryKind.VEHICLE_RETURN,
        EntryKind.RELEASE,
        EntryKind.PICK_UP,
        EntryKind.SURGE,
    )


@compiled
def is_deadlocked(state: KernelState) -> bool:
    """Return whether the calendar holds only lifts, clock events and re-triage; `stall_time` has let them try."""
    calendar = state.calendar
    for k in range(calendar.in_front):
        event = calendar.heap[FRONT + k]
        if _may_help_waiting(state, event.tie, event.subject, event.version):
            return False
    for number in range(BUCKETS):
        at = int(calendar.bucket[number])
        while at >= 0:
            event = calendar.listed[at]
            if _may_help_waiting(state, event.tie, event.subject, event.version):
                return False
            at = int(event.next)
    for k in range(calendar.in_far):
        event = calendar.heap[FAR + k]
        if _may_help_waiting(state, event.tie, event.subject, event.version):
            return False
    return True

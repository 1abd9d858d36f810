"""The queues for transport: who joins and leaves, and the first patients who make given demands on a vehicle.

Besides the order of all (`engine.kernel.resources`) there is a group for each category and `Demand`, and where the
scenario prefers facilities of the own nation one for each nation as well.
"""

from engine.kernel.codes import Demand
from engine.kernel.destinations import awaits_surgery
from engine.kernel.queue_groups import first, group_of, join_group
from engine.kernel.resources import join_queue
from engine.kernel.state import ALL_RESOURCES, KernelState
from engine.kernel.vehicles import needs_litter
from engine.numeric import compiled
from engine.tables import CasualtyState, Model, Output


@compiled
def demand_of(casualty: CasualtyState) -> int:
    """Return the `Demand` of a patient."""
    if needs_litter(casualty):
        return Demand.SURGERY if awaits_surgery(casualty) else Demand.LITTER
    return Demand.SURGERY_SEAT if awaits_surgery(casualty) else Demand.SEAT


@compiled
def may_prefer(state: KernelState, way: int, category: int, model: Model) -> bool:
    """Return whether those of a category may wait for a vehicle to a preferred facility: their groups are trees."""
    preferring = model.network.operating_categories[way] | model.network.diverted_categories[way]
    return bool(state.separates_nations or preferring >> category & 1)


@compiled
def join_transport_queue(state: KernelState, scratch: Output, slot: int, now: float, model: Model) -> None:
    """Join the queue of the patient's way at the end of the category; the caller has set `wait_since`."""
    casualty = state.casualties[slot]
    join_queue(state, slot, ALL_RESOURCES + casualty.way, now, False)
    group = group_of(casualty.way, casualty.category, demand_of(casualty))
    in_list = not may_prefer(state, casualty.way, casualty.category, model)
    join_group(state, group, in_list, int(scratch.patients[slot].nation), slot)


@compiled
def first_who_sits(state: KernelState, way: int, category: int) -> int:
    """Return the slot of the first patient of a category who needs no litter; -1 if there is none."""
    one = first(state, group_of(way, category, Demand.SEAT))
    other = first(state, group_of(way, category, Demand.SURGERY_SEAT))
    if one < 0 or other < 0:
        return max(one, other)
    return one if state.queue_nodes[one].ticket < state.queue_nodes[other].ticket else other

"""Places at facilities: whether a facility accepts a patient, and the places reserved for those on the way."""

from engine.codes import RESOURCE_COUNT, Resource
from engine.kernel.resources import update_integrals
from engine.kernel.state import KernelState
from engine.numeric import compiled
from engine.tables import Model


@compiled
def accepts(state: KernelState, facility: int, model: Model) -> bool:
    """Return whether a facility accepts one more patient, counting those on the way to it."""
    if state.closures[facility] > 0:
        return False
    resource = facility * RESOURCE_COUNT + Resource.PLACE
    return bool(
        model.network.push
        or not model.network.finite[resource]
        or state.in_use[resource] < state.capacity[resource]
    )


@compiled
def reserve_place(state: KernelState, facility: int, now: float, model: Model) -> None:
    """Reserve a place at a facility for a patient on the way."""
    if not model.network.counts_places[facility]:
        return
    state.occupancy[facility] += 1
    resource = facility * RESOURCE_COUNT + Resource.PLACE
    if model.network.finite[resource] and not model.network.push:
        update_integrals(state, resource, now)
        state.in_use[resource] += 1
        state.stay_sum[resource] -= now
        state.max_used[resource] = max(state.max_used[resource], state.in_use[resource])


@compiled
def free_place(state: KernelState, facility: int, now: float, model: Model) -> None:
    """Free a place at a facility. The caller must then dispatch vehicles for patients who can now go there."""
    if not model.network.counts_places[facility]:
        return
    state.occupancy[facility] -= 1
    resource = facility * RESOURCE_COUNT + Resource.PLACE
    if model.network.finite[resource] and not model.network.push:
        update_integrals(state, resource, now)
        state.in_use[resource] -= 1
        state.served[resource] += 1
        state.stay_sum[resource] += now

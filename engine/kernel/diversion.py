"""Diversion: whether a facility diverts patients to others now (docs/model.md section 2.9.4)."""

from engine.codes import RESOURCE_COUNT, Resource
from engine.kernel.resources import update_integrals
from engine.kernel.state import KernelState
from engine.numeric import compiled
from engine.tables import Model


@compiled
def _is_filled(state: KernelState, resource: int, share: float, now: float) -> bool:
    """Return whether at least a share of the present capacity of a resource is in use."""
    update_integrals(state, resource, now)
    return bool(state.in_use[resource] >= share * state.capacity[resource])


@compiled
def diverts(state: KernelState, facility: int, category: int, now: float, model: Model) -> bool:
    """Return whether a facility diverts patients of a category at `now`: whether a condition of its `divert` holds."""
    network = model.network
    if not network.divert_categories[facility] >> category & 1:
        return False
    first = facility * RESOURCE_COUNT
    if network.divert_queue[facility] > 0:
        waiting = (
            state.queue_length[first + Resource.TRIAGE_TEAM]
            + state.queue_length[first + Resource.TREATMENT_BAY]
            + state.queue_length[first + Resource.OPERATING_TABLE]
        )
        if waiting >= network.divert_queue[facility]:
            return True
    if network.divert_no_team[facility] and state.surgical_teams[facility] == 0:
        return True
    if network.divert_tables_busy[facility] and _is_filled(state, first + Resource.OPERATING_TABLE, 1.0, now):
        return True
    if network.divert_ward_share[facility] > 0.0 and _is_filled(
        state, first + Resource.WARD_BED, network.divert_ward_share[facility], now
    ):
        return True
    return bool(
        network.divert_icu_share[facility] > 0.0
        and _is_filled(state, first + Resource.ICU_BED, network.divert_icu_share[facility], now)
    )

"""The choice of a destination: by which candidate of a way a patient would go now (docs/model.md section 2.9).

A candidate is a link to a destination together with the pool of vehicles that serve it.
"""

import math

from engine.clinical import to_uniform
from engine.codes import DESTINATION_BLOCKS, DESTINATION_CHOICE, RESOURCE_COUNT, DrawPurpose, Resource
from engine.kernel.codes import DestinationPolicy, PlaceCount
from engine.kernel.diversion import diverts
from engine.kernel.state import KernelState
from engine.kernel.travel import relocation_factor
from engine.kernel.vehicles import can_send, has_litter_if_needed
from engine.numeric import compiled, words
from engine.tables import CasualtyState, Model, Output

NOBODY = -1
"""Returned instead of a slot or candidate: there is none."""

FOREIGN_PENALTY, DIVERTED_PENALTY, INCAPABLE_PENALTY = 1.0, 2.0, 4.0
"""Penalties on candidates: each is larger than those before it together. They come before distance and load."""


@compiled
def awaits_surgery(casualty: CasualtyState) -> bool:
    """Return whether the patient still needs damage control surgery."""
    return bool(casualty.needs_surgery and not casualty.operated)


@compiled
def preference_penalty(
    state: KernelState,
    casualty: CasualtyState,
    nation: int,
    candidate: int,
    minds_diversion: bool,
    now: float,
    model: Model,
) -> float:
    """Return the penalty on a candidate that the scenario's preferences, distance aside, speak against.

    A facility that cannot operate costs a patient who needs surgery most, one that diverts costs less, and one of
    another nation least. Callers apply the penalty only if the scenario allows bypassing.
    """
    facility = model.network.destination[model.network.candidate_link[candidate]]
    penalty = 0.0
    if (
        awaits_surgery(casualty)
        and not model.network.candidate_operates[candidate]
        and model.network.operating_categories[model.network.candidate_way[candidate]]
    ):
        penalty = INCAPABLE_PENALTY
    if minds_diversion and diverts(state, facility, casualty.category, now, model):
        penalty += DIVERTED_PENALTY
    if model.network.prefers_own_nation and model.network.nation[facility] != nation:
        penalty += FOREIGN_PENALTY
    return penalty


@compiled
def distance(candidate: int, now: float, model: Model) -> float:
    """Return the candidate's rank by mean travel time or, if facilities move, the mean travel time in minutes."""
    if model.network.move_count == 0:
        return model.network.distance_rank[candidate]
    link = model.network.candidate_link[candidate]
    return model.network.minutes[link] * relocation_factor(link, now, model)


@compiled
def _load_of(state: KernelState, facility: int, model: Model) -> float:
    """Return patients per place of a facility at present, or their number where places are unlimited."""
    resource = facility * RESOURCE_COUNT + Resource.PLACE
    if model.network.finite[resource]:
        return state.occupancy[facility] / max(1.0, float(state.capacity[resource]))
    return float(state.occupancy[facility])


@compiled
def _load_in_tie(state: KernelState, facility: int, model: Model) -> float:
    """Return patients per place of a facility, surge and hits aside; without a limit of places see `PlaceCount`."""
    resource = facility * RESOURCE_COUNT + Resource.PLACE
    if model.network.finite[resource]:
        return state.occupancy[facility] / max(1.0, float(model.network.capacity[resource]))
    if model.network.counts_places[facility] == PlaceCount.UNTIL_CARE_ENDS:
        return state.occupancy[facility] / model.network.fewest_units[facility]
    return 0.0


@compiled
def _policy_value(
    state: KernelState, casualty: CasualtyState, way: int, candidate: int, now: float, model: Model
) -> float:
    """Return the value of a candidate under the scenario's destination policy; the smallest is chosen."""
    facility = model.network.destination[model.network.candidate_link[candidate]]
    if not model.network.bypass:
        return distance(candidate, now, model)
    if model.network.destination_policy == DestinationPolicy.SPREAD_OUT:
        number = candidate - model.network.way_first[way]
        block = DESTINATION_CHOICE + DESTINATION_BLOCKS * casualty.leg + number
        return to_uniform(words(model.keys[DrawPurpose.TRAVEL], casualty.cell, casualty.index, block)[2])
    if model.network.destination_policy == DestinationPolicy.LEAST_LOADED:
        return _load_of(state, facility, model)
    return distance(candidate, now, model)


@compiled
def may_take(casualty: CasualtyState, candidate: int, model: Model) -> bool:
    """Return whether a candidate takes the patient's category, and has litters if the patient needs one."""
    return bool(
        model.network.allowed_categories[candidate] >> casualty.category & 1
    ) and has_litter_if_needed(casualty, candidate, model)


@compiled
def choose_candidate(
    state: KernelState,
    scratch: Output,
    way: int,
    slot: int,
    pool: int,
    operates: int,
    now: float,
    model: Model,
) -> int:
    """Return the candidate by which the patient would go now under the scenario's policies; NOBODY if there is none.

    Without `bypass` only the closest that takes the patient is considered. Under `CLOSEST` the less loaded of equally
    close facilities is chosen, and of equally loaded ones the first.

    Parameters
    ----------
    pool
        Only vehicles of this pool; -1: of any.
    operates
        1: only to a facility that operates.
    """
    casualty = state.casualties[slot]
    bypass = model.network.bypass
    balances = bypass and model.network.destination_policy == DestinationPolicy.CLOSEST
    first = model.network.way_first[way]
    chosen = NOBODY
    least_penalty = math.inf
    best = math.inf
    least_load = math.inf
    for candidate in range(first, first + model.network.way_count[way]):
        if not may_take(casualty, candidate, model):
            continue
        if bypass and not can_send(state, candidate, casualty.category, now, model):
            continue
        value = _policy_value(state, casualty, way, candidate, now, model)
        penalty = 0.0
        if bypass:
            nation = scratch.patients[slot].nation
            penalty = preference_penalty(state, casualty, nation, candidate, True, now, model)
        load = 0.0
        if balances:
            load = _load_in_tie(
                state, model.network.destination[model.network.candidate_link[candidate]], model
            )
        if penalty < least_penalty or (
            penalty == least_penalty and (value < best or (value == best and load < least_load))
        ):
            least_penalty = penalty
            best = value
            least_load = load
            chosen = candidate
    if chosen < 0:
        return NOBODY
    if not bypass and not can_send(state, chosen, casualty.category, now, model):
        return NOBODY
    if pool >= 0 and model.network.candidate_pool[chosen] != pool:
        return NOBODY
    if operates and not model.network.candidate_operates[chosen]:
        return NOBODY
    return chosen

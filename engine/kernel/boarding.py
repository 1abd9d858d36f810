"""Boarding: who of those who wait goes with a vehicle (docs/model.md section 2.9).

The most urgent patients go, as far as litters, seats and places at the destination allow. Those of a category who make
the same demands are a group. The head of each group is its next patient, and the head who joined the queue first is
considered first. Patients who wait for another vehicle, or who find no room, are passed over without a visit to each
(`queue_groups`).
"""

from engine.codes import CATEGORY_COUNT, TriageCategory
from engine.kernel.codes import DEMAND_COUNT, Demand
from engine.kernel.destinations import FOREIGN_PENALTY, may_take, preference_penalty
from engine.kernel.places import accepts, reserve_place
from engine.kernel.queue_groups import first, following, group_of, nation_tree, nth, rank
from engine.kernel.rides import ride_time
from engine.kernel.state import ALL_RESOURCES, NATION_NODES, KernelState
from engine.kernel.transport_queue import may_prefer
from engine.kernel.vehicles import has_vehicle, is_batch_ready
from engine.numeric import compiled
from engine.tables import Model, Output

UNLIMITED_ROOM = 1 << 30
"""Room of vehicles without limit."""
UNKNOWN = -1
"""Room that has not been asked for."""

UNLOADED, TRAVEL = 0, 1
"""Indices of `vehicle_times`: the end of unloading, and ms of travel."""


@compiled
def _preferred_room(
    state: KernelState,
    scratch: Output,
    slot: int,
    candidate: int,
    is_last_chance: bool,
    now: float,
    model: Model,
) -> int:
    """Return for how many patients there is room in other vehicles, to a facility that the scenario prefers.

    That is the room in vehicles for such a facility which are under way or can set off now. So many of those who make
    the demands of this patient wait for one. For the own nation the next vehicle of the same pool will do, unless this
    one would leave empty (`is_last_chance`). Then it also takes patients to a facility that diverts them.
    """
    casualty = state.casualties[slot]
    nation = scratch.patients[slot].nation
    penalty = preference_penalty(state, casualty, nation, candidate, not is_last_chance, now, model)
    if penalty == 0.0 or not model.network.bypass:
        return 0
    pool = model.network.candidate_pool[candidate]
    way = model.network.candidate_way[candidate]
    closest = model.network.way_first[way]
    room = 0
    for other in range(closest, closest + model.network.way_count[way]):
        if not may_take(casualty, other, model):
            continue
        if preference_penalty(state, casualty, nation, other, not is_last_chance, now, model) >= penalty:
            continue
        room += int(state.expected_litters[other])
        if not accepts(state, model.network.destination[model.network.candidate_link[other]], model):
            continue
        other_pool = model.network.candidate_pool[other]
        if other_pool == pool and model.network.lift_interval[pool] > 0.0:
            return UNLIMITED_ROOM  # the same lift goes there too
        if other_pool == pool and penalty == FOREIGN_PENALTY and not is_last_chance:
            return UNLIMITED_ROOM  # wait for the next vehicle of the pool
        if has_vehicle(state, other, now, model) and is_batch_ready(
            state, way, other, casualty.category, now, model
        ):
            if other_pool < 0:
                room += UNLIMITED_ROOM
            else:
                room += int(state.idle_vehicles[other_pool]) * max(1, int(model.network.litters[other_pool]))
    return room


@compiled
def _slot_of(node: int) -> int:
    """Return the slot of a node of a search tree."""
    return node if node < NATION_NODES else node - NATION_NODES


@compiled
def _add_group(state: KernelState, tree: int, demand: int) -> None:
    """Add the patients of a search tree to those who are considered."""
    loading = state.loading
    number = int(loading.groups)
    loading.group[number] = tree
    loading.demand[number] = demand
    loading.head[number] = int(state.queue_trees[tree]) - 1 if loading.in_lists else first(state, tree)
    loading.had_no_room[number] = 0
    loading.room[number] = UNKNOWN
    loading.waiting[number] = 0
    loading.groups = number + 1


@compiled
def _find_groups(state: KernelState, way: int, category: int, model: Model) -> None:
    """Find the groups of a category."""
    state.loading.groups = 0
    lying = state.queue_trees[group_of(way, category, Demand.SURGERY)]
    sitting = state.queue_trees[group_of(way, category, Demand.SURGERY_SEAT)]
    both_await_surgery = lying > 0 and sitting > 0
    state.loading.several_wait = (
        state.separates_nations or model.network.diverted_categories[way] > 0 or both_await_surgery
    )
    state.loading.in_lists = not may_prefer(state, way, category, model)
    for demand in range(DEMAND_COUNT):
        tree = group_of(way, category, demand)
        if state.queue_trees[tree] == 0:
            continue
        if not state.separates_nations:
            _add_group(state, tree, demand)
            continue
        nations = int(state.nations_waiting[tree])
        nation = 0
        while nations > 0:
            if nations & 1:
                _add_group(state, nation_tree(tree, nation), demand)
            nations >>= 1
            nation += 1


@compiled
def _first_group(state: KernelState) -> int:
    """Return the group of the patient who is considered next; -1: all have been."""
    loading = state.loading
    found = -1
    earliest = 0
    for group in range(loading.groups):
        head = loading.head[group]
        if head >= 0 and (found < 0 or state.queue_nodes[head].ticket < earliest):
            found = group
            earliest = state.queue_nodes[head].ticket
    return found


@compiled
def _waiting_before(state: KernelState, ticket: int) -> int:
    """Return how many before a place in the queue wait for another vehicle, those of earlier categories included."""
    loading = state.loading
    waiting = int(loading.waiting_of_earlier)
    for group in range(loading.groups):
        if loading.waiting[group] > 0:
            waiting += min(int(loading.waiting[group]), rank(state, loading.group[group], ticket))
    return waiting


@compiled
def _pass_over_waiting(state: KernelState, group: int, ticket: int) -> bool:
    """Pass over the head of a group, at `ticket`, if it waits for another vehicle; return whether it does.

    A group waits as long as fewer than its room wait before. So nobody waits behind one of the group who does not.
    """
    loading = state.loading
    tree = int(loading.group[group])
    room = int(loading.room[group])
    if room <= 0:
        return False
    if room >= UNLIMITED_ROOM:
        loading.waiting[group] = UNLIMITED_ROOM
        loading.head[group] = -1
        return True
    if room <= _waiting_before(state, ticket):
        return False
    if loading.several_wait:
        loading.waiting[group] += 1
        loading.head[group] = following(state, tree, ticket)
    else:  # no other group waits
        loading.waiting[group] = room - loading.waiting_of_earlier
        loading.head[group] = nth(state, tree, int(loading.waiting[group]))
    return True


@compiled
def _board(
    state: KernelState, slot: int, group: int, candidate: int, sits: bool, now: float, model: Model
) -> None:
    """Let the head of a group board.

    Where the groups are search trees, groups that found no room are considered again, from this patient's place on.
    """
    loading = state.loading
    if sits:
        loading.seats -= 1
    else:
        loading.litters -= 1
        state.litters_used[model.network.candidate_pool[candidate]] += 1
    if loading.reserved > 0:
        loading.reserved -= 1
    else:
        reserve_place(state, model.network.destination[model.network.candidate_link[candidate]], now, model)
    if loading.passengers == 0:
        state.vehicle_times[TRAVEL] = ride_time(state.casualties[slot], candidate, now, model)
        loading.first_aboard = slot
    else:
        state.queue_nodes[loading.last_aboard].next_aboard = slot
    state.queue_nodes[slot].next_aboard = -1
    loading.last_aboard = slot
    loading.passengers += 1
    loading.last_ticket = state.queue_nodes[slot].ticket
    if loading.in_lists:
        loading.head[group] = state.queue_nodes[slot].right
        return
    for other in range(loading.groups):
        if other == group or loading.had_no_room[other]:
            loading.head[other] = following(state, int(loading.group[other]), int(loading.last_ticket))
            loading.had_no_room[other] = 0


@compiled
def _is_full_for_those_without_room(state: KernelState, facility: int, model: Model) -> bool:
    """Return whether the destination is full, and a patient for whom the vehicle had no room finds it so.

    Such a patient comes after the last who boarded. The destination is full for all later categories too, so the search
    ends. In lists nobody waits for another vehicle, so it is enough to ask this once, after all have been considered.
    """
    loading = state.loading
    if loading.last_ticket < 0 or loading.reserved > 0 or accepts(state, facility, model):
        return False
    for group in range(loading.groups):
        if loading.had_no_room[group]:
            last = int(state.list_last[loading.group[group]]) - 1
            if state.queue_nodes[last].ticket > loading.last_ticket:
                return True
    return False


@compiled
def _consider_head(
    state: KernelState,
    scratch: Output,
    group: int,
    candidate: int,
    is_last_chance: bool,
    now: float,
    model: Model,
) -> None:
    """Let the head of a group board, or pass it over."""
    loading = state.loading
    node = int(loading.head[group])
    slot = _slot_of(node)
    state.visited += 1
    if loading.room[group] == UNKNOWN:
        loading.room[group] = _preferred_room(state, scratch, slot, candidate, is_last_chance, now, model)
    if _pass_over_waiting(state, group, int(state.queue_nodes[node].ticket)):
        return
    facility = model.network.destination[model.network.candidate_link[candidate]]
    if loading.reserved <= 0 and not accepts(state, facility, model):
        loading.litters = 0
        loading.seats = 0
        return
    sits = loading.demand[group] >= Demand.SEAT and loading.seats > 0
    if sits or loading.litters > 0:
        _board(state, slot, group, candidate, sits, now, model)
    else:
        loading.had_no_room[group] = 1
        loading.head[group] = -1


@compiled
def _select_of_category(
    state: KernelState,
    scratch: Output,
    candidate: int,
    category: int,
    is_last_chance: bool,
    now: float,
    model: Model,
) -> None:
    """Let those of a category board who can."""
    loading = state.loading
    _find_groups(state, model.network.candidate_way[candidate], category, model)
    loading.last_ticket = -1
    facility = model.network.destination[model.network.candidate_link[candidate]]
    while loading.litters + loading.seats > 0:
        if category <= TriageCategory.T2 and loading.litters == 0:
            loading.waiting_of_earlier = _waiting_before(state, int(loading.last_ticket) + 1)
            return
        group = _first_group(state)
        if group < 0:
            if loading.in_lists and _is_full_for_those_without_room(state, facility, model):
                loading.litters = 0
                loading.seats = 0
            loading.waiting_of_earlier = _waiting_before(state, int(state.last_ticket) + 1)
            return
        _consider_head(state, scratch, group, candidate, is_last_chance, now, model)


@compiled
def select_passengers(
    state: KernelState,
    scratch: Output,
    candidate: int,
    litters: int,
    seats: int,
    reserved: int,
    now: float,
    model: Model,
) -> None:
    """Choose who goes with a vehicle, the most urgent first: `state.loading` has their number and the first.

    Whoever needs a litter lies; others sit, or lie where no seat is free. If all stay behind for a preferred
    facility, a second round lets those go who can. Sets `vehicle_times[TRAVEL]`. `reserved` places at the destination
    have been reserved already.
    """
    loading = state.loading
    loading.litters = litters
    loading.seats = seats
    loading.reserved = reserved
    loading.passengers = 0
    loading.first_aboard = -1
    loading.waiting_of_earlier = 0
    state.vehicle_times[TRAVEL] = 0.0
    queue = ALL_RESOURCES + model.network.candidate_way[candidate]
    for step in range(2 * CATEGORY_COUNT):
        category = step % CATEGORY_COUNT
        if step == CATEGORY_COUNT:
            if loading.passengers > 0 or loading.waiting_of_earlier == 0:
                break
            loading.waiting_of_earlier = 0
        if (
            state.queue_first[queue, category] >= 0
            and model.network.allowed_categories[candidate] >> category & 1
        ):
            _select_of_category(state, scratch, candidate, category, step >= CATEGORY_COUNT, now, model)

"""Finite resources: who waits for what, who gets it, who gives way (MODEL section 5).

Queues are by assigned triage category, first come first served within; a more urgent patient may take a treatment bay
where the scenario allows bumping, and the bumped one resumes before the others of the same category.
"""

import math

from engine.clinical import set_factor
from engine.codes import CATEGORY_COUNT, RESOURCE_COUNT, CasualtyKind, Resource
from engine.kernel.codes import Decision, EntryKind, GrantFlag, Stage
from engine.kernel.stages import bump_from_bay, start_wait
from engine.kernel.state import (
    ALL_RESOURCES,
    KernelState,
    add_pending_release,
    log_decision,
    next_pending_release,
    pop_pending_release,
    schedule,
)
from engine.numeric import compiled
from engine.tables import CasualtyState, Model, Output, PatientRow


@compiled
def update_integrals(state: KernelState, resource: int, now: float) -> None:
    """Bring the time integrals of resource r up to `now`, releases that were promised until then included."""
    while next_pending_release(state, resource) <= now:
        at = pop_pending_release(state, resource)
        _integrate(state, resource, at)
        state.in_use[resource] -= 1
        state.stay_sum[resource] += at
    _integrate(state, resource, now)


@compiled
def release_later(state: KernelState, resource: int, at: float) -> None:
    """A unit of resource r is free again at `at`: seen to when somebody looks, or in the calendar if somebody waits."""
    if state.waiting[resource] > 0:
        state.releases += 1
        schedule(state, at, EntryKind.RELEASE, resource, resource, 0)
    else:
        add_pending_release(state, resource, at)


@compiled
def _schedule_pending_releases(state: KernelState, resource: int) -> None:
    """Somebody waits for resource r from now on: what is promised goes into the calendar."""
    while state.promised_first[resource] >= 0:
        state.releases += 1
        schedule(state, pop_pending_release(state, resource), EntryKind.RELEASE, resource, resource, 0)


@compiled
def _integrate(state: KernelState, resource: int, now: float) -> None:
    elapsed = now - state.touched[resource]
    if elapsed > 0.0:
        state.used_area[resource] += state.in_use[resource] * elapsed
        state.capacity_area[resource] += max(state.capacity[resource], state.in_use[resource]) * elapsed
        state.queue_area[resource] += state.waiting[resource] * elapsed
        state.touched[resource] = now


@compiled
def update_queue_integral(state: KernelState, queue: int, now: float) -> None:
    """Bring the time integral of a waiting line up to `now`."""
    if queue < ALL_RESOURCES:
        update_integrals(state, queue, now)
    else:
        elapsed = now - state.touched[queue]
        if elapsed > 0.0:
            state.queue_area[queue] += state.waiting[queue] * elapsed
            state.touched[queue] = now


@compiled
def join_queue(state: KernelState, slot: int, queue: int, now: float, in_front: bool) -> None:
    """Enter a waiting line at the end of the category, or in front of it; `wait_since` is the caller's."""
    casualty = state.states[slot]
    update_queue_integral(state, queue, now)
    category = casualty.category
    casualty.line = queue
    if in_front:
        casualty.previous = -1
        casualty.next = state.first[queue, category]
        if casualty.next >= 0:
            state.states[casualty.next].previous = slot
        else:
            state.last[queue, category] = slot
        state.first[queue, category] = slot
    else:
        casualty.next = -1
        casualty.previous = state.last[queue, category]
        if casualty.previous >= 0:
            state.states[casualty.previous].next = slot
        else:
            state.first[queue, category] = slot
        state.last[queue, category] = slot
    if queue < ALL_RESOURCES and state.promised_first[queue] >= 0:
        _schedule_pending_releases(state, queue)
    state.waiting[queue] += 1
    state.waiting_as[queue, category] += 1
    state.max_queue[queue] = max(state.max_queue[queue], state.waiting[queue])


@compiled
def leave_queue(state: KernelState, slot: int, category: int, now: float) -> None:
    """Leave the waiting line in which one stood under `category`."""
    casualty = state.states[slot]
    queue = casualty.line
    update_queue_integral(state, queue, now)
    if casualty.previous >= 0:
        state.states[casualty.previous].next = casualty.next
    else:
        state.first[queue, category] = casualty.next
    if casualty.next >= 0:
        state.states[casualty.next].previous = casualty.previous
    else:
        state.last[queue, category] = casualty.previous
    casualty.line = -1
    casualty.next = -1
    casualty.previous = -1
    state.waiting[queue] -= 1
    state.waiting_as[queue, category] -= 1


@compiled
def end_wait(state: KernelState, slot: int, now: float) -> None:
    """Leave the line for good, and count the wait."""
    casualty = state.states[slot]
    queue = casualty.line
    leave_queue(state, slot, casualty.category, now)
    state.wait_sum[queue, casualty.category] += now - casualty.wait_since
    state.wait_count[queue, casualty.category] += 1


@compiled
def _add_to_bay_list(state: KernelState, slot: int, resource: int) -> None:
    """Bumping: enter the list of those in a treatment bay."""
    casualty = state.states[slot]
    category = casualty.category
    casualty.previous = -1
    casualty.next = state.serving[resource, category]
    if casualty.next >= 0:
        state.states[casualty.next].previous = slot
    state.serving[resource, category] = slot
    casualty.in_bay = 1 + category


@compiled
def remove_from_bay_list(state: KernelState, slot: int, resource: int) -> None:
    """Bumping: leave the list of those in a treatment bay."""
    casualty = state.states[slot]
    if casualty.in_bay == 0:
        return
    category = casualty.in_bay - 1
    if casualty.previous >= 0:
        state.states[casualty.previous].next = casualty.next
    else:
        state.serving[resource, category] = casualty.next
    if casualty.next >= 0:
        state.states[casualty.next].previous = casualty.previous
    casualty.next = -1
    casualty.previous = -1
    casualty.in_bay = 0


@compiled
def _start_surge(state: KernelState, facility: int, now: float, model: Model) -> None:
    """Open the surge places of a facility when its ward has filled to the trigger, after their delay."""
    if state.surge_open[facility] or state.surge_coming[facility]:
        return
    ward = facility * RESOURCE_COUNT + Resource.WARD_BED
    if state.in_use[ward] >= model.network.surge_trigger[facility]:
        state.surge_coming[facility] = 1
        schedule(state, now + model.network.surge_delay[facility], EntryKind.SURGE, facility, facility, 0)


@compiled
def set_surge(state: KernelState, facility: int, is_open: int, now: float, model: Model) -> None:
    """Add or take away the surge places of a facility."""
    state.surge_open[facility] = is_open
    for k in range(RESOURCE_COUNT):
        if model.network.surge[facility, k] > 0:
            resource = facility * RESOURCE_COUNT + k
            update_integrals(state, resource, now)
            state.capacity[resource] += (
                model.network.surge[facility, k] if is_open else -model.network.surge[facility, k]
            )


@compiled
def _end_surge(state: KernelState, facility: int, now: float, model: Model) -> None:
    """Close the surge places when all their patients have gone and the ward is below the trigger."""
    if (
        not state.surge_open[facility]
        or state.in_use[facility * RESOURCE_COUNT + Resource.WARD_BED]
        >= model.network.surge_trigger[facility]
    ):
        return
    for k in range(RESOURCE_COUNT):
        resource = facility * RESOURCE_COUNT + k
        if (
            model.network.surge[facility, k] > 0
            and state.in_use[resource] > state.capacity[resource] - model.network.surge[facility, k]
        ):
            return
    set_surge(state, facility, 0, now, model)


@compiled
def update_operating_tables(state: KernelState, facility: int, now: float, model: Model) -> None:
    """Operating tables in use are limited by the surgical teams on shift."""
    resource = facility * RESOURCE_COUNT + Resource.OPERATING_TABLE
    if model.network.finite[resource]:
        update_integrals(state, resource, now)
        state.capacity[resource] = max(
            0, min(model.network.tables[facility], state.teams[facility]) - state.lost[resource]
        )


@compiled
def _grant(state: KernelState, scratch: Output, slot: int, resource: int, now: float, model: Model) -> None:
    """Resource r is the patient's from now on; what was held before is given back by the caller of the stage."""
    casualty = state.states[slot]
    record = scratch.patients[slot]
    facility = resource // RESOURCE_COUNT
    kind = resource - facility * RESOURCE_COUNT
    update_integrals(state, resource, now)
    state.in_use[resource] += 1
    state.stay_sum[resource] -= now
    state.max_used[resource] = max(state.max_used[resource], state.in_use[resource])
    state.served[resource] += 1
    value = 0
    base = state.capacity[resource]
    if state.surge_open[facility]:
        base -= model.network.surge[facility, kind]
    if (
        state.in_use[resource] > base
        and state.surge_open[facility]
        and model.network.surge[facility, kind] > 0
    ):
        value = GrantFlag.SURGE_PLACE
    if (
        kind == Resource.TREATMENT_BAY
        and casualty.stage == Stage.TREAT
        and state.blood[facility] >= 0
        and needs_blood(record, casualty, facility, model)
    ):
        if state.blood[facility] >= model.network.blood_units:
            state.blood[facility] -= model.network.blood_units
            state.blood_used[facility] += model.network.blood_units
        else:
            state.blood_short[facility] += model.network.blood_units
            value += GrantFlag.NO_BLOOD
    log_decision(state, casualty, now, Decision.GRANT, value)
    apply_grant(casualty, now, value, model)
    casualty.at = now
    casualty.granted = 1
    casualty.wait_until = now
    casualty.retriage_at = math.inf
    casualty.granted_resource = resource
    if kind in (Resource.WARD_BED, Resource.ICU_BED, Resource.PLACE):
        _start_surge(state, facility, now, model)


@compiled
def apply_grant(casualty: CasualtyState, now: float, value: int, model: Model) -> None:
    """What the grant of a journal does to the clock: a surge place is an overflow area; without blood DCR does less."""
    surged = 1 if value & GrantFlag.SURGE_PLACE else 0
    if surged != casualty.surged:
        casualty.surged = surged
        set_factor(casualty, now, model.survival.factor[0] * (model.network.overflow if surged else 1.0))
    if value & GrantFlag.NO_BLOOD:
        casualty.no_blood = 1


@compiled
def needs_blood(record: PatientRow, casualty: CasualtyState, facility: int, model: Model) -> bool:
    """Whether resuscitation here would need blood: a haemorrhage (MODEL section 4's torso, junctional, extremity)."""
    return bool(
        record.kind == CasualtyKind.WOUNDED
        and casualty.needs_surgery
        and model.network.resuscitates[facility]
        and not casualty.resuscitated
        and 3 <= record.lethal <= 5
    )


@compiled
def acquire(state: KernelState, scratch: Output, slot: int, resource: int, now: float, model: Model) -> bool:
    """Take resource r now, or stand in its line; whether it was taken."""
    casualty = state.states[slot]
    facility = resource // RESOURCE_COUNT
    update_integrals(state, resource, now)
    if state.in_use[resource] >= state.capacity[resource] and not (
        state.surge_open[facility] or state.surge_coming[facility]
    ):
        _start_surge(state, facility, now, model)
    if state.in_use[resource] < state.capacity[resource] and state.waiting[resource] == 0:
        state.wait_count[resource, casualty.category] += 1
        _grant(state, scratch, slot, resource, now, model)
        return True
    if (
        model.network.bumping
        and resource - facility * RESOURCE_COUNT == Resource.TREATMENT_BAY
        and casualty.stage == Stage.TREAT
    ):
        victim = _find_patient_to_bump(state, resource, casualty.category)
        if victim >= 0:
            _bump(state, scratch, victim, resource, now, model)
            state.wait_count[resource, casualty.category] += 1
            _grant(state, scratch, slot, resource, now, model)
            return True
    casualty.wait_until = math.inf
    if resource - facility * RESOURCE_COUNT == Resource.PLACE:
        state.refused[facility] += 1
    start_wait(scratch, slot, casualty, now, resource - facility * RESOURCE_COUNT, model)
    casualty.at = math.inf
    if casualty.in_bay:
        remove_from_bay_list(state, slot, casualty.held)
    join_queue(state, slot, resource, now, False)
    if casualty.held >= 0:
        casualty.blocked_since = now
    return False


@compiled
def _find_patient_to_bump(state: KernelState, resource: int, category: int) -> int:
    """Who gives way in treatment bays r for a patient of `category`: the least urgent, of those the latest."""
    for c in range(CATEGORY_COUNT - 1, category, -1):
        slot = state.serving[resource, c]
        while slot >= 0:
            if state.states[slot].stage == Stage.TREATED:
                return slot
            slot = state.states[slot].next
    return -1


@compiled
def _bump(state: KernelState, scratch: Output, slot: int, resource: int, now: float, model: Model) -> None:
    casualty = state.states[slot]
    remove_from_bay_list(state, slot, resource)
    update_integrals(state, resource, now)
    state.in_use[resource] -= 1
    state.stay_sum[resource] += now
    casualty.held = -1
    bump_from_bay(scratch, slot, casualty, now)
    log_decision(state, casualty, now, Decision.BUMPED, 0)
    casualty.wait_until = math.inf
    start_wait(scratch, slot, casualty, now, Resource.TREATMENT_BAY, model)
    casualty.at = math.inf
    join_queue(state, slot, resource, now, True)
    schedule_next_event(state, slot)


@compiled
def schedule_next_event(state: KernelState, slot: int) -> None:
    """Enter the patient's next own event in the calendar; earlier entries no longer count (`version`).

    First aid of one who waits for transport is no event: it is made up for before the next (`board` and own events).
    Until then the clock runs faster, so that no death is missed.
    """
    casualty = state.states[slot]
    at = casualty.retriage_at
    if casualty.stage != Stage.FIRST_AID or casualty.line < 0:
        at = min(at, casualty.at)
    death = casualty.late
    if casualty.life < math.inf and casualty.rate > 0.0:
        death = min(death, casualty.since + (casualty.life - casualty.used) / casualty.rate)
    at = min(at, death)
    casualty.version += 1
    if at < math.inf:
        schedule(state, at, EntryKind.PATIENT, casualty.order, slot, casualty.version)


@compiled
def serve_queue(state: KernelState, scratch: Output, resource: int, now: float, model: Model) -> None:
    """What is free of resource r goes to those who wait for it; they go on at `now`, in the order of the calendar."""
    while state.waiting[resource] > 0 and state.in_use[resource] < state.capacity[resource]:
        for category in range(CATEGORY_COUNT):
            slot = state.first[resource, category]
            if slot >= 0:
                casualty = state.states[slot]
                end_wait(state, slot, now)
                if casualty.held >= 0:
                    state.blocked[casualty.held] += now - casualty.blocked_since
                _grant(state, scratch, slot, resource, now, model)
                casualty.version += 1
                schedule(state, now, EntryKind.PATIENT, casualty.order, slot, casualty.version)
                break


@compiled
def release(state: KernelState, scratch: Output, resource: int, now: float, model: Model) -> None:
    """One unit of resource r is free again."""
    update_integrals(state, resource, now)
    state.in_use[resource] -= 1
    state.stay_sum[resource] += now
    facility = resource // RESOURCE_COUNT
    _end_surge(state, facility, now, model)
    serve_queue(state, scratch, resource, now, model)


@compiled
def release_held(state: KernelState, scratch: Output, slot: int, now: float, model: Model) -> None:
    """Give back the resource that the patient holds, if any."""
    casualty = state.states[slot]
    resource = casualty.held
    if resource >= 0:
        casualty.held = -1
        remove_from_bay_list(state, slot, resource)
        release(state, scratch, resource, now, model)


@compiled
def start_holding(state: KernelState, scratch: Output, slot: int, now: float, model: Model) -> None:
    """The stage that took a resource is performed: it is held, what was held before is free."""
    casualty = state.states[slot]
    release_held(state, scratch, slot, now, model)
    casualty.held = casualty.granted_resource
    casualty.granted_resource = -1
    if (
        model.network.bumping
        and casualty.held - (casualty.held // RESOURCE_COUNT) * RESOURCE_COUNT == Resource.TREATMENT_BAY
    ):
        _add_to_bay_list(state, slot, casualty.held)

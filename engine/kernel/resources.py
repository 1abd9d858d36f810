"""Finite resources: who waits for one, who gets it, who is bumped (docs/model.md section 2.8).

Queues are ordered by assigned triage category, first come first served within a category. Where the scenario allows
bumping, a more urgent patient may take a treatment bay; the bumped one resumes before the others of the same category.
"""

import math

from engine.clinical import set_factor, starts_resuscitation
from engine.codes import CATEGORY_COUNT, RESOURCE_COUNT, Resource
from engine.kernel.codes import GRANTED_BLOOD_SHIFT, Decision, EntryKind, GrantFlag, Stage
from engine.kernel.interruptions import bump_from_bay
from engine.kernel.periods import (
    count_joining_in_periods,
    count_queue_in_periods,
    count_use_in_periods,
    count_wait_in_periods,
)
from engine.kernel.queue_groups import leave_group
from engine.kernel.state import (
    ALL_RESOURCES,
    REMAINS_QUEUES,
    KernelState,
    add_pending_release,
    kind_of,
    log_decision,
    next_pending_release,
    pop_pending_release,
    schedule,
)
from engine.kernel.waiting import start_wait
from engine.numeric import compiled
from engine.tables import CasualtyState, Model, Output, PatientRow

_NO_BLOOD = int(GrantFlag.NO_BLOOD)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""


@compiled
def update_integrals(state: KernelState, resource: int, now: float) -> None:
    """Bring the time integrals of a resource up to `now`, releases scheduled until then included."""
    while next_pending_release(state, resource) <= now:
        at = pop_pending_release(state, resource)
        _integrate(state, resource, at)
        state.in_use[resource] -= 1
        state.stay_sum[resource] += at
    _integrate(state, resource, now)


@compiled
def release_later(state: KernelState, resource: int, at: float) -> None:
    """Release a unit of a resource at `at`.

    It goes into the calendar if a patient waits; otherwise it is a pending release, applied lazily on the next access.
    """
    if state.queue_length[resource] > 0:
        state.scheduled_releases += 1
        schedule(state, at, EntryKind.RELEASE, resource, resource, 0)
    else:
        add_pending_release(state, resource, at)


@compiled
def _schedule_pending_releases(state: KernelState, resource: int) -> None:
    """Put the pending releases of a resource in the calendar, because a patient waits for it from now on."""
    while state.pending_first[resource] >= 0:
        state.scheduled_releases += 1
        schedule(state, pop_pending_release(state, resource), EntryKind.RELEASE, resource, resource, 0)


@compiled
def _integrate(state: KernelState, resource: int, now: float) -> None:
    """Add the time since the last update to the integrals of a resource."""
    elapsed = now - state.integrated_until[resource]
    if elapsed > 0.0:
        state.used_area[resource] += state.in_use[resource] * elapsed
        state.capacity_area[resource] += max(state.capacity[resource], state.in_use[resource]) * elapsed
        state.queue_area[resource] += state.queue_length[resource] * elapsed
        count_use_in_periods(state, resource, state.integrated_until[resource], now)
        count_queue_in_periods(state, resource, state.integrated_until[resource], now)
        state.integrated_until[resource] = now


@compiled
def update_queue_integral(state: KernelState, queue: int, now: float) -> None:
    """Bring the time integral of a queue up to `now`."""
    if queue < ALL_RESOURCES:
        update_integrals(state, queue, now)
    else:
        elapsed = now - state.integrated_until[queue]
        if elapsed > 0.0:
            state.queue_area[queue] += state.queue_length[queue] * elapsed
            count_queue_in_periods(state, queue, state.integrated_until[queue], now)
            state.integrated_until[queue] = now


@compiled
def join_queue(state: KernelState, slot: int, queue: int, now: float, at_front: bool) -> None:
    """Join a queue at the end of the category, or at its front; the caller has set `wait_since`."""
    casualty = state.casualties[slot]
    update_queue_integral(state, queue, now)
    category = casualty.category
    casualty.queue = queue
    if at_front:
        casualty.previous = -1
        casualty.next = state.queue_first[queue, category]
        if casualty.next >= 0:
            state.casualties[casualty.next].previous = slot
        else:
            state.queue_last[queue, category] = slot
        state.queue_first[queue, category] = slot
    else:
        casualty.next = -1
        casualty.previous = state.queue_last[queue, category]
        if casualty.previous >= 0:
            state.casualties[casualty.previous].next = slot
        else:
            state.queue_first[queue, category] = slot
        state.queue_last[queue, category] = slot
    if queue < ALL_RESOURCES and state.pending_first[queue] >= 0:
        _schedule_pending_releases(state, queue)
    state.queue_length[queue] += 1
    state.queue_length_by_category[queue, category] += 1
    state.max_queue[queue] = max(state.max_queue[queue], state.queue_length[queue])
    count_joining_in_periods(state, queue, now)


@compiled
def leave_queue(state: KernelState, slot: int, category: int, now: float) -> None:
    """Leave the queue that was joined under `category`."""
    casualty = state.casualties[slot]
    queue = casualty.queue
    update_queue_integral(state, queue, now)
    if casualty.previous >= 0:
        state.casualties[casualty.previous].next = casualty.next
    else:
        state.queue_first[queue, category] = casualty.next
    if casualty.next >= 0:
        state.casualties[casualty.next].previous = casualty.previous
    else:
        state.queue_last[queue, category] = casualty.previous
    casualty.queue = -1
    casualty.next = -1
    casualty.previous = -1
    if ALL_RESOURCES <= queue < REMAINS_QUEUES:
        leave_group(state, slot)
    state.queue_length[queue] -= 1
    state.queue_length_by_category[queue, category] -= 1


@compiled
def count_wait(state: KernelState, queue: int, casualty: CasualtyState, now: float) -> None:
    """Count the wait that ends at `now`, or at the horizon."""
    state.wait_sum[queue, casualty.category] += now - casualty.wait_since
    state.wait_count[queue, casualty.category] += 1
    count_wait_in_periods(state, queue, casualty.category, casualty.wait_since, now)


@compiled
def end_wait(state: KernelState, slot: int, now: float) -> None:
    """Leave the queue for good and count the wait."""
    casualty = state.casualties[slot]
    queue = casualty.queue
    leave_queue(state, slot, casualty.category, now)
    count_wait(state, queue, casualty, now)


@compiled
def _add_to_bay_list(state: KernelState, slot: int, resource: int) -> None:
    """Add the patient to those in a treatment bay, who may be bumped."""
    casualty = state.casualties[slot]
    category = casualty.category
    casualty.previous = -1
    casualty.next = state.bay_patients[resource, category]
    if casualty.next >= 0:
        state.casualties[casualty.next].previous = slot
    state.bay_patients[resource, category] = slot
    casualty.in_bay = 1 + category


@compiled
def remove_from_bay_list(state: KernelState, slot: int, resource: int) -> None:
    """Remove the patient from those in a treatment bay, who may be bumped."""
    casualty = state.casualties[slot]
    if casualty.in_bay == 0:
        return
    category = casualty.in_bay - 1
    if casualty.previous >= 0:
        state.casualties[casualty.previous].next = casualty.next
    else:
        state.bay_patients[resource, category] = casualty.next
    if casualty.next >= 0:
        state.casualties[casualty.next].previous = casualty.previous
    casualty.next = -1
    casualty.previous = -1
    casualty.in_bay = 0


@compiled
def _start_surge(state: KernelState, facility: int, now: float, model: Model) -> None:
    """Schedule the opening of a facility's surge places if its ward has filled to the trigger."""
    if state.surge_open[facility] or state.surge_scheduled[facility]:
        return
    ward = facility * RESOURCE_COUNT + Resource.WARD_BED
    if state.in_use[ward] >= model.network.surge_trigger[facility]:
        state.surge_scheduled[facility] = 1
        schedule(state, now + model.network.surge_delay[facility], EntryKind.SURGE, facility, facility, 0)


@compiled
def set_surge(state: KernelState, facility: int, is_open: int, now: float, model: Model) -> None:
    """Add or remove the surge places of a facility."""
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
    """Close the surge places once all their patients have left and the ward is below the trigger."""
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
    """Set the operating tables of a facility, limited by the surgical teams on shift."""
    resource = facility * RESOURCE_COUNT + Resource.OPERATING_TABLE
    if model.network.finite[resource]:
        update_integrals(state, resource, now)
        state.capacity[resource] = max(
            0,
            min(model.network.operating_tables[facility], state.surgical_teams[facility])
            - state.capacity_lost[resource],
        )


@compiled
def _is_surge_place(state: KernelState, resource: int, model: Model) -> bool:
    """Return whether the unit that has just been granted is a surge place."""
    facility = resource // RESOURCE_COUNT
    surge = model.network.surge[facility, resource - facility * RESOURCE_COUNT]
    return bool(
        state.surge_open[facility] and surge > 0 and state.in_use[resource] > state.capacity[resource] - surge
    )


@compiled
def _take_blood(state: KernelState, facility: int, wanted: int) -> int:
    """Take the blood of one resuscitation from the stock, as much as there is; return the units."""
    units = min(int(wanted), int(state.blood[facility]))
    state.blood[facility] -= units
    state.blood_used[facility] += units
    state.blood_short[facility] += wanted - units
    return units


@compiled
def _grant(state: KernelState, scratch: Output, slot: int, resource: int, now: float, model: Model) -> None:
    """Grant a resource to the patient and log the decision.

    What the patient held before is released when the stage is performed (`start_holding`).
    """
    casualty = state.casualties[slot]
    record = scratch.patients[slot]
    facility = resource // RESOURCE_COUNT
    kind = resource - facility * RESOURCE_COUNT
    update_integrals(state, resource, now)
    state.in_use[resource] += 1
    state.stay_sum[resource] -= now
    state.max_used[resource] = max(state.max_used[resource], state.in_use[resource])
    state.served[resource] += 1
    flags = 0
    if _is_surge_place(state, resource, model):
        flags = GrantFlag.SURGE_PLACE
    if (
        kind == Resource.TREATMENT_BAY
        and casualty.stage == Stage.TREAT
        and state.blood[facility] >= 0
        and needs_blood(record, casualty, facility, model)
    ):
        units = _take_blood(state, facility, casualty.blood_units)
        flags += units << GRANTED_BLOOD_SHIFT if units > 0 else _NO_BLOOD
    log_decision(state, casualty, now, Decision.GRANT, flags)
    apply_grant(casualty, now, flags, model)
    casualty.at = now
    casualty.granted = 1
    casualty.wait_until = now
    casualty.retriage_at = math.inf
    casualty.granted_resource = resource
    if kind in (Resource.WARD_BED, Resource.ICU_BED, Resource.PLACE):
        _start_surge(state, facility, now, model)


@compiled
def apply_grant(casualty: CasualtyState, now: float, flags: int, model: Model) -> None:
    """Apply the `GrantFlag` bits of a grant: faster clock in a surge place; weaker resuscitation without blood."""
    in_surge_place = 1 if flags & GrantFlag.SURGE_PLACE else 0
    if in_surge_place != casualty.in_surge_place:
        casualty.in_surge_place = in_surge_place
        factor = model.network.overflow_factor if in_surge_place else 1.0
        set_factor(casualty, now, model.survival.factor[0] * factor)
    if flags & GrantFlag.NO_BLOOD:
        casualty.no_blood = 1
    if flags >> GRANTED_BLOOD_SHIFT:
        casualty.blood_given = flags >> GRANTED_BLOOD_SHIFT


@compiled
def needs_blood(record: PatientRow, casualty: CasualtyState, facility: int, model: Model) -> bool:
    """Return whether resuscitation here would need blood: for a haemorrhage (docs/model.md section 2.5)."""
    return bool(casualty.blood_units > 0 and starts_resuscitation(record, casualty, facility, model))


@compiled
def _take_by_bumping(
    state: KernelState, scratch: Output, slot: int, resource: int, now: float, model: Model
) -> bool:
    """Bump a less urgent patient from a treatment bay, if the scenario allows it; return whether one was bumped."""
    casualty = state.casualties[slot]
    if (
        not model.network.bumping
        or kind_of(resource) != Resource.TREATMENT_BAY
        or casualty.stage != Stage.TREAT
    ):
        return False
    victim = _find_patient_to_bump(state, resource, casualty.category)
    if victim < 0:
        return False
    _bump(state, scratch, victim, resource, now, model)
    return True


@compiled
def acquire(state: KernelState, scratch: Output, slot: int, resource: int, now: float, model: Model) -> bool:
    """Grant a resource to the patient now, or let the patient join its queue; return whether it was granted."""
    casualty = state.casualties[slot]
    facility = resource // RESOURCE_COUNT
    update_integrals(state, resource, now)
    if state.in_use[resource] >= state.capacity[resource] and not (
        state.surge_open[facility] or state.surge_scheduled[facility]
    ):
        _start_surge(state, facility, now, model)
    is_free = state.in_use[resource] < state.capacity[resource] and state.queue_length[resource] == 0
    if is_free or _take_by_bumping(state, scratch, slot, resource, now, model):
        state.wait_count[resource, casualty.category] += 1
        count_wait_in_periods(state, resource, casualty.category, now, now)
        _grant(state, scratch, slot, resource, now, model)
        return True
    casualty.wait_until = math.inf
    if kind_of(resource) == Resource.PLACE:
        state.refused[facility] += 1
    start_wait(scratch, slot, casualty, now, kind_of(resource), model)
    casualty.at = math.inf
    if casualty.in_bay:
        remove_from_bay_list(state, slot, casualty.held)
    join_queue(state, slot, resource, now, False)
    if casualty.held >= 0:
        casualty.blocked_since = now
    return False


@compiled
def _find_patient_to_bump(state: KernelState, resource: int, category: int) -> int:
    """Return the slot to bump for a patient of `category`: the least urgent, then the latest; -1: none."""
    for c in range(CATEGORY_COUNT - 1, category, -1):
        slot = state.bay_patients[resource, c]
        while slot >= 0:
            if state.casualties[slot].stage == Stage.TREATED:
                return slot
            slot = state.casualties[slot].next
    return -1


@compiled
def _bump(state: KernelState, scratch: Output, slot: int, resource: int, now: float, model: Model) -> None:
    """Bump a patient from a treatment bay to the front of its queue."""
    casualty = state.casualties[slot]
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
    """Put the patient's next event in the calendar, and invalidate earlier entries by raising `version`.

    The first aid of a patient who waits for transport gets no entry: it is applied before the patient's next event
    (`assign_ride`, `advance_casualty`). The clock runs faster until then, so no death is missed.
    """
    casualty = state.casualties[slot]
    at = casualty.retriage_at
    if casualty.stage != Stage.FIRST_AID or casualty.queue < 0:
        at = min(at, casualty.at)
    death = casualty.late_death_at
    if casualty.life < math.inf and casualty.rate > 0.0:
        death = min(death, casualty.since + (casualty.life - casualty.used) / casualty.rate)
    at = min(at, death)
    casualty.version += 1
    if at < math.inf:
        kind = EntryKind.RETRIAGE if casualty.retriage_at < min(casualty.at, death) else EntryKind.PATIENT
        schedule(state, at, kind, casualty.arrival_number, slot, casualty.version)


@compiled
def serve_queue(state: KernelState, scratch: Output, resource: int, now: float, model: Model) -> None:
    """Grant the free units of a resource to those who wait; they continue at `now`, in calendar order.

    During a hit nothing is granted; a SERVE entry follows.
    """
    if state.in_hit:
        return
    while state.queue_length[resource] > 0 and state.in_use[resource] < state.capacity[resource]:
        for category in range(CATEGORY_COUNT):
            slot = state.queue_first[resource, category]
            if slot >= 0:
                casualty = state.casualties[slot]
                end_wait(state, slot, now)
                if casualty.held >= 0:
                    state.blocked_time[casualty.held] += now - casualty.blocked_since
                _grant(state, scratch, slot, resource, now, model)
                casualty.version += 1
                schedule(state, now, EntryKind.PATIENT, casualty.arrival_number, slot, casualty.version)
                break


@compiled
def release(state: KernelState, scratch: Output, resource: int, now: float, model: Model) -> None:
    """Release a unit of a resource and serve its queue."""
    update_integrals(state, resource, now)
    state.in_use[resource] -= 1
    state.stay_sum[resource] += now
    facility = resource // RESOURCE_COUNT
    _end_surge(state, facility, now, model)
    serve_queue(state, scratch, resource, now, model)


@compiled
def release_held(state: KernelState, scratch: Output, slot: int, now: float, model: Model) -> None:
    """Release the resource that the patient holds, if any."""
    casualty = state.casualties[slot]
    resource = casualty.held
    if resource >= 0:
        casualty.held = -1
        remove_from_bay_list(state, slot, resource)
        release(state, scratch, resource, now, model)


@compiled
def start_holding(state: KernelState, scratch: Output, slot: int, now: float, model: Model) -> None:
    """Hold the granted resource from now on, and release what was held before."""
    casualty = state.casualties[slot]
    release_held(state, scratch, slot, now, model)
    casualty.held = casualty.granted_resource
    casualty.granted_resource = -1
    if model.network.bumping and kind_of(casualty.held) == Resource.TREATMENT_BAY:
        _add_to_bay_list(state, slot, casualty.held)

"""Finite resources: who waits for what, who gets it, who gives way (MODEL section 5).

Queues are by assigned triage category, first come first served within; a more urgent patient may take a treatment bay
where the scenario allows bumping, and the bumped one resumes before the others of the same category.
"""

import math
from typing import Any

from engine.clinical import set_factor
from engine.codes import CasualtyKind, Resource
from engine.kernel.codes import Decision, EntryKind, GrantFlag, Stage
from engine.kernel.parameters import RESOURCE_COUNT
from engine.kernel.stages import bump_from_bay, start_wait
from engine.kernel.state import (
    ALL_RESOURCES,
    CATEGORY_COUNT,
    add_pending_release,
    log_decision,
    next_pending_release,
    pop_pending_release,
    schedule,
)
from engine.numeric import compiled


@compiled
def update_integrals(w: Any, r: Any, now: Any) -> None:
    """Bring the time integrals of resource r up to `now`, releases that were promised until then included."""
    while next_pending_release(w, r) <= now:
        at = pop_pending_release(w, r)
        _integrate(w, r, at)
        w.in_use[r] -= 1
        w.stay_sum[r] += at
    _integrate(w, r, now)


@compiled
def release_later(w: Any, r: Any, at: Any) -> None:
    """A unit of resource r is free again at `at`: seen to when somebody looks, or in the calendar if somebody waits."""
    if w.waiting[r] > 0:
        w.releases += 1
        schedule(w, at, EntryKind.RELEASE, r, r, 0)
    else:
        add_pending_release(w, r, at)


@compiled
def _schedule_pending_releases(w: Any, r: Any) -> None:
    """Somebody waits for resource r from now on: what is promised goes into the calendar."""
    while w.promised_first[r] >= 0:
        w.releases += 1
        schedule(w, pop_pending_release(w, r), EntryKind.RELEASE, r, r, 0)


@compiled
def _integrate(w: Any, r: Any, now: Any) -> None:
    dt = now - w.touched[r]
    if dt > 0.0:
        w.used_area[r] += w.in_use[r] * dt
        w.capacity_area[r] += max(w.capacity[r], w.in_use[r]) * dt
        w.queue_area[r] += w.waiting[r] * dt
        w.touched[r] = now


@compiled
def update_queue_integral(w: Any, line: Any, now: Any) -> None:
    """Bring the time integral of a waiting line up to `now`."""
    if line < ALL_RESOURCES:
        update_integrals(w, line, now)
    else:
        dt = now - w.touched[line]
        if dt > 0.0:
            w.queue_area[line] += w.waiting[line] * dt
            w.touched[line] = now


@compiled
def join_queue(w: Any, slot: Any, line: Any, now: Any, in_front: Any) -> None:
    """Enter a waiting line at the end of the category, or in front of it; `wait_since` is the caller's."""
    s = w.states[slot]
    update_queue_integral(w, line, now)
    c = s.category
    s.line = line
    if in_front:
        s.previous = -1
        s.next = w.first[line, c]
        if s.next >= 0:
            w.states[s.next].previous = slot
        else:
            w.last[line, c] = slot
        w.first[line, c] = slot
    else:
        s.next = -1
        s.previous = w.last[line, c]
        if s.previous >= 0:
            w.states[s.previous].next = slot
        else:
            w.first[line, c] = slot
        w.last[line, c] = slot
    if line < ALL_RESOURCES and w.promised_first[line] >= 0:
        _schedule_pending_releases(w, line)
    w.waiting[line] += 1
    w.waiting_as[line, c] += 1
    w.max_queue[line] = max(w.max_queue[line], w.waiting[line])


@compiled
def leave_queue(w: Any, slot: Any, category: Any, now: Any) -> None:
    """Leave the waiting line in which one stood under `category`."""
    s = w.states[slot]
    line = s.line
    update_queue_integral(w, line, now)
    if s.previous >= 0:
        w.states[s.previous].next = s.next
    else:
        w.first[line, category] = s.next
    if s.next >= 0:
        w.states[s.next].previous = s.previous
    else:
        w.last[line, category] = s.previous
    s.line = -1
    s.next = -1
    s.previous = -1
    w.waiting[line] -= 1
    w.waiting_as[line, category] -= 1


@compiled
def end_wait(w: Any, slot: Any, now: Any) -> None:
    """Leave the line for good, and count the wait."""
    s = w.states[slot]
    line = s.line
    leave_queue(w, slot, s.category, now)
    w.wait_sum[line, s.category] += now - s.wait_since
    w.wait_count[line, s.category] += 1


@compiled
def _add_to_bay_list(w: Any, slot: Any, r: Any) -> None:
    """Bumping: enter the list of those in a treatment bay."""
    s = w.states[slot]
    c = s.category
    s.previous = -1
    s.next = w.serving[r, c]
    if s.next >= 0:
        w.states[s.next].previous = slot
    w.serving[r, c] = slot
    s.in_bay = 1 + c


@compiled
def remove_from_bay_list(w: Any, slot: Any, r: Any) -> None:
    """Bumping: leave the list of those in a treatment bay."""
    s = w.states[slot]
    if s.in_bay == 0:
        return
    c = s.in_bay - 1
    if s.previous >= 0:
        w.states[s.previous].next = s.next
    else:
        w.serving[r, c] = s.next
    if s.next >= 0:
        w.states[s.next].previous = s.previous
    s.next = -1
    s.previous = -1
    s.in_bay = 0


@compiled
def _start_surge(w: Any, f: Any, now: Any, m: Any) -> None:
    """Open the surge places of a facility when its ward has filled to the trigger, after their delay."""
    if w.surge_open[f] or w.surge_coming[f]:
        return
    ward = f * RESOURCE_COUNT + Resource.WARD_BED
    if w.in_use[ward] >= m.network.surge_trigger[f]:
        w.surge_coming[f] = 1
        schedule(w, now + m.network.surge_delay[f], EntryKind.SURGE, f, f, 0)


@compiled
def set_surge(w: Any, f: Any, is_open: Any, now: Any, m: Any) -> None:
    """Add or take away the surge places of a facility."""
    w.surge_open[f] = is_open
    for k in range(RESOURCE_COUNT):
        if m.network.surge[f, k] > 0:
            r = f * RESOURCE_COUNT + k
            update_integrals(w, r, now)
            w.capacity[r] += m.network.surge[f, k] if is_open else -m.network.surge[f, k]


@compiled
def _end_surge(w: Any, f: Any, now: Any, m: Any) -> None:
    """Close the surge places when all their patients have gone and the ward is below the trigger."""
    if not w.surge_open[f] or w.in_use[f * RESOURCE_COUNT + Resource.WARD_BED] >= m.network.surge_trigger[f]:
        return
    for k in range(RESOURCE_COUNT):
        r = f * RESOURCE_COUNT + k
        if m.network.surge[f, k] > 0 and w.in_use[r] > w.capacity[r] - m.network.surge[f, k]:
            return
    set_surge(w, f, 0, now, m)


@compiled
def update_operating_tables(w: Any, f: Any, now: Any, m: Any) -> None:
    """Operating tables in use are limited by the surgical teams on shift."""
    r = f * RESOURCE_COUNT + Resource.OPERATING_TABLE
    if m.network.finite[r]:
        update_integrals(w, r, now)
        w.capacity[r] = max(0, min(m.network.tables[f], w.teams[f]) - w.lost[r])


@compiled
def _grant(w: Any, q: Any, slot: Any, r: Any, now: Any, m: Any) -> None:
    """Resource r is the patient's from now on; what was held before is given back by the caller of the stage."""
    s = w.states[slot]
    p = q.patients[slot]
    f = r // RESOURCE_COUNT
    kind = r - f * RESOURCE_COUNT
    update_integrals(w, r, now)
    w.in_use[r] += 1
    w.stay_sum[r] -= now
    w.max_used[r] = max(w.max_used[r], w.in_use[r])
    w.served[r] += 1
    value = 0
    base = w.capacity[r]
    if w.surge_open[f]:
        base -= m.network.surge[f, kind]
    if w.in_use[r] > base and w.surge_open[f] and m.network.surge[f, kind] > 0:
        value = GrantFlag.SURGE_PLACE
    if (
        kind == Resource.TREATMENT_BAY
        and s.stage == Stage.TREAT
        and w.blood[f] >= 0
        and needs_blood(p, s, f, m)
    ):
        if w.blood[f] >= m.network.blood_units:
            w.blood[f] -= m.network.blood_units
            w.blood_used[f] += m.network.blood_units
        else:
            w.blood_short[f] += m.network.blood_units
            value += GrantFlag.NO_BLOOD
    log_decision(w, s, now, Decision.GRANT, value)
    apply_grant(s, now, value, m)
    s.at = now
    s.granted = 1
    s.wait_until = now
    s.retriage_at = math.inf
    s.granted_resource = r
    if kind in (Resource.WARD_BED, Resource.ICU_BED, Resource.PLACE):
        _start_surge(w, f, now, m)


@compiled
def apply_grant(s: Any, now: Any, value: Any, m: Any) -> None:
    """What the grant of a journal does to the clock: a surge place is an overflow area; without blood DCR does less."""
    surged = 1 if value & GrantFlag.SURGE_PLACE else 0
    if surged != s.surged:
        s.surged = surged
        set_factor(s, now, m.survival.factor[0] * (m.network.overflow if surged else 1.0))
    if value & GrantFlag.NO_BLOOD:
        s.no_blood = 1


@compiled
def needs_blood(p: Any, s: Any, f: Any, m: Any) -> bool:
    """Whether resuscitation here would need blood: a haemorrhage (MODEL section 4's torso, junctional, extremity)."""
    return bool(
        p.kind == CasualtyKind.WOUNDED
        and s.needs_surgery
        and m.network.resuscitates[f]
        and not s.resuscitated
        and 3 <= p.lethal <= 5
    )


@compiled
def acquire(w: Any, q: Any, slot: Any, r: Any, now: Any, m: Any) -> bool:
    """Take resource r now, or stand in its line; whether it was taken."""
    s = w.states[slot]
    f = r // RESOURCE_COUNT
    update_integrals(w, r, now)
    if w.in_use[r] >= w.capacity[r] and not (w.surge_open[f] or w.surge_coming[f]):
        _start_surge(w, f, now, m)
    if w.in_use[r] < w.capacity[r] and w.waiting[r] == 0:
        w.wait_count[r, s.category] += 1
        _grant(w, q, slot, r, now, m)
        return True
    if m.network.bumping and r - f * RESOURCE_COUNT == Resource.TREATMENT_BAY and s.stage == Stage.TREAT:
        victim = _find_patient_to_bump(w, r, s.category)
        if victim >= 0:
            _bump(w, q, victim, r, now, m)
            w.wait_count[r, s.category] += 1
            _grant(w, q, slot, r, now, m)
            return True
    s.wait_until = math.inf
    if r - f * RESOURCE_COUNT == Resource.PLACE:
        w.refused[f] += 1
    start_wait(q, slot, s, now, r - f * RESOURCE_COUNT, m)
    s.at = math.inf
    if s.in_bay:
        remove_from_bay_list(w, slot, s.held)
    join_queue(w, slot, r, now, False)
    if s.held >= 0:
        s.blocked_since = now
    return False


@compiled
def _find_patient_to_bump(w: Any, r: Any, category: Any) -> int:
    """Who gives way in treatment bays r for a patient of `category`: the least urgent, of those the latest."""
    for c in range(CATEGORY_COUNT - 1, category, -1):
        slot = w.serving[r, c]
        while slot >= 0:
            if w.states[slot].stage == Stage.TREATED:
                return slot
            slot = w.states[slot].next
    return -1


@compiled
def _bump(w: Any, q: Any, slot: Any, r: Any, now: Any, m: Any) -> None:
    s = w.states[slot]
    remove_from_bay_list(w, slot, r)
    update_integrals(w, r, now)
    w.in_use[r] -= 1
    w.stay_sum[r] += now
    s.held = -1
    bump_from_bay(q, slot, s, now)
    log_decision(w, s, now, Decision.BUMPED, 0)
    s.wait_until = math.inf
    start_wait(q, slot, s, now, Resource.TREATMENT_BAY, m)
    s.at = math.inf
    join_queue(w, slot, r, now, True)
    schedule_next_event(w, slot)


@compiled
def schedule_next_event(w: Any, slot: Any) -> None:
    """Enter the patient's next own event in the calendar; earlier entries no longer count (`version`).

    First aid of one who waits for transport is no event: it is made up for before the next (`board` and own events).
    Until then the clock runs faster, so that no death is missed.
    """
    s = w.states[slot]
    at = s.retriage_at
    if s.stage != Stage.FIRST_AID or s.line < 0:
        at = min(at, s.at)
    death = s.late
    if s.life < math.inf and s.rate > 0.0:
        death = min(death, s.since + (s.life - s.used) / s.rate)
    at = min(at, death)
    s.version += 1
    if at < math.inf:
        schedule(w, at, EntryKind.PATIENT, s.order, slot, s.version)


@compiled
def serve_queue(w: Any, q: Any, r: Any, now: Any, m: Any) -> None:
    """What is free of resource r goes to those who wait for it; they go on at `now`, in the order of the calendar."""
    while w.waiting[r] > 0 and w.in_use[r] < w.capacity[r]:
        for c in range(CATEGORY_COUNT):
            slot = w.first[r, c]
            if slot >= 0:
                s = w.states[slot]
                end_wait(w, slot, now)
                if s.held >= 0:
                    w.blocked[s.held] += now - s.blocked_since
                _grant(w, q, slot, r, now, m)
                s.version += 1
                schedule(w, now, EntryKind.PATIENT, s.order, slot, s.version)
                break


@compiled
def release(w: Any, q: Any, r: Any, now: Any, m: Any) -> None:
    """One unit of resource r is free again."""
    update_integrals(w, r, now)
    w.in_use[r] -= 1
    w.stay_sum[r] += now
    f = r // RESOURCE_COUNT
    _end_surge(w, f, now, m)
    serve_queue(w, q, r, now, m)


@compiled
def release_held(w: Any, q: Any, slot: Any, now: Any, m: Any) -> None:
    """Give back the resource that the patient holds, if any."""
    s = w.states[slot]
    r = s.held
    if r >= 0:
        s.held = -1
        remove_from_bay_list(w, slot, r)
        release(w, q, r, now, m)


@compiled
def start_holding(w: Any, q: Any, slot: Any, now: Any, m: Any) -> None:
    """The stage that took a resource is performed: it is held, what was held before is free."""
    s = w.states[slot]
    release_held(w, q, slot, now, m)
    s.held = s.granted_resource
    s.granted_resource = -1
    if m.network.bumping and s.held - (s.held // RESOURCE_COUNT) * RESOURCE_COUNT == Resource.TREATMENT_BAY:
        _add_to_bay_list(w, slot, s.held)

"""What is done on the ward again and again: dressings are renewed, and wounds left open are closed."""

import math

from engine.clinical.log import insert_treatment
from engine.clinical.needs import last_start, minutes_of
from engine.codes import NONE, CasualtyKind, Treatment
from engine.numeric import compiled
from engine.tables import (
    CARE_ROWS,
    HOUR,
    MINUTE,
    QUIET,
    TREATMENT_COUNT,
    CasualtyState,
    Model,
    Output,
)

_DELAYED_CLOSURE = int(Treatment.DELAYED_CLOSURE)
_BURN_DRESSING = int(Treatment.BURN_DRESSING)
_BURN_EXCISION = int(Treatment.BURN_EXCISION)
_WOUND_CARE = int(Treatment.WOUND_CARE)
_WOUND_CLOSURE = int(Treatment.WOUND_CLOSURE)
_WOUND_DEBRIDEMENT = int(Treatment.WOUND_DEBRIDEMENT)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""
_TYPICAL_PACE = 0.5
"""Pace at which a treatment takes its mode."""
_SURGICAL_ROLE = 2


@compiled
def _renew(
    output: Output,
    row: int,
    casualty: CasualtyState,
    kind: int,
    wound: int,
    now: float,
    until: float,
    model: Model,
) -> None:
    """Log that a dressing of a wound is renewed in its interval from `now` until `until`, ms."""
    limits = model.treatments.limits
    last = last_start(output, casualty, kind, wound)
    minutes = minutes_of(kind, _TYPICAL_PACE, model.treatments.rules)
    if last < 0:
        return
    at = max(now + HOUR, last + limits.dressing_hours * HOUR)
    left = int(limits.most_dressings)
    while at + HOUR < until and left > 0:
        if output.rows[TREATMENT_COUNT] >= casualty.first_treatment + CARE_ROWS:
            return
        insert_treatment(output, row, casualty, kind, at, at + minutes * MINUTE, casualty.facility, wound)
        at += limits.dressing_hours * HOUR
        left -= 1


@compiled
def _close(
    output: Output, row: int, casualty: CasualtyState, wound: int, now: float, until: float, model: Model
) -> None:
    """Log the delayed primary closure of a wound that was cleaned and left open, days later."""
    limits = model.treatments.limits
    kind = _WOUND_CLOSURE
    cleaned = last_start(output, casualty, _WOUND_DEBRIDEMENT, wound)
    if (
        cleaned < 0
        or last_start(output, casualty, kind, wound) >= 0
        or last_start(output, casualty, _DELAYED_CLOSURE, wound) >= 0
    ):
        return
    at = max(now + HOUR, cleaned + limits.closure_hours[0] * HOUR)
    if at > cleaned + limits.closure_hours[1] * HOUR or at + HOUR >= until:
        return
    if output.rows[TREATMENT_COUNT] >= casualty.first_treatment + CARE_ROWS:
        return
    minutes = minutes_of(kind, _TYPICAL_PACE, model.treatments.rules)
    insert_treatment(output, row, casualty, kind, at, at + minutes * MINUTE, casualty.facility, wound)


@compiled
def log_ward_rounds(
    output: Output, row: int, casualty: CasualtyState, now: float, until: float, model: Model
) -> None:
    """Log what is done on the ward from `now` until `until`, ms, where that is known.

    The dressings of the worst burn and the worst open wound are renewed. At Role 2 and above wounds that were cleaned
    and left open, but no burns, stumps and open fractures, are closed after days.
    """
    if output.rows[QUIET] or until == math.inf:
        return
    record = output.patients[row]
    rules = model.treatments.rules
    if record.kind != CasualtyKind.WOUNDED:
        _renew(output, row, casualty, _BURN_DRESSING, NONE, now, until, model)
        _renew(output, row, casualty, _WOUND_CARE, NONE, now, until, model)
        return
    burn, opened = NONE, NONE
    excised = last_start(output, casualty, _BURN_EXCISION, NONE) >= 0
    for number in range(casualty.wounds):
        condition = output.wounds[casualty.wound + number].condition
        needs = rules.needs[condition]
        if burn == NONE and needs & rules.bit[_BURN_DRESSING] and not excised:
            burn = int(number)
            _renew(output, row, casualty, _BURN_DRESSING, burn, now, until, model)
        elif opened == NONE and last_start(output, casualty, _WOUND_CARE, number) >= 0:
            opened = int(number)
            _renew(output, row, casualty, _WOUND_CARE, opened, now, until, model)
        if (
            model.network.role[casualty.facility] >= _SURGICAL_ROLE
            and not rules.bares_bone[condition]
            and not needs & rules.bit[_BURN_DRESSING]
        ):
            _close(output, row, casualty, int(number), now, until, model)

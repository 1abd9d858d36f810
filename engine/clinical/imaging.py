"""Images: ultrasound at once, X-ray and computed tomography before an operation (docs/model.md section 2.7.5)."""

import math

from engine.clinical.log import insert_treatment, log_treatment
from engine.clinical.needs import bleeds_to_death, last_start, minutes_of
from engine.codes import NONE, CasualtyKind, Effect, LethalMechanism, Region, Treatment
from engine.numeric import compiled
from engine.tables import (
    CARE_ROWS,
    MINUTE,
    TREATMENT_COUNT,
    CasualtyState,
    Model,
    Output,
    PatientRow,
)

_X_RAY = int(Treatment.X_RAY)
_ULTRASOUND = int(Treatment.ULTRASOUND)
_CT_SCAN = int(Treatment.CT_SCAN)
_ELECTROCARDIOGRAM = int(Treatment.ELECTROCARDIOGRAM)
_HEAD = int(Region.HEAD)
_FACE = int(Region.FACE)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""

_BIT_OF_X_RAY, _BIT_OF_ULTRASOUND, _BIT_OF_CT, _BIT_OF_ECG = 0, 1, 2, 3
"""Bits of `CareRules.images`."""
_AWAKE = 14.5
"""A Glasgow Coma Scale that is rounded to 15, at least."""
_TYPICAL_PACE = 0.5
"""Pace at which a treatment takes its mode."""
_RESERVED_SHARE = 0.6
"""Of a short care that its images take at most."""
_LEAST_MINUTES = 12.0
"""Of care, in which the rest waits for an ultrasound."""
_X_RAY_ROLE, _CT_ROLE = 2, 3
"""Lowest roles with X-ray, and with computed tomography; a Role 2 with intensive care has that too."""


@compiled
def _calls_for(output: Output, record: PatientRow, casualty: CasualtyState, image: int, model: Model) -> int:
    """Return the number of the first wound that calls for an image, -1 for none, 0 for an illness that does.

    Whoever has a wound of head or face and is not fully awake after the injury is scanned, whatever the diagnosis.
    """
    images = model.treatments.rules.images
    if record.kind != CasualtyKind.WOUNDED:
        return 0 if images[record.condition] >> image & 1 else -1
    for number in range(casualty.wounds):
        wound = output.wounds[casualty.wound + number]
        if images[wound.condition] >> image & 1:
            return int(number)
        of_head = wound.region == _HEAD or wound.region == _FACE
        if image == _BIT_OF_CT and of_head and casualty.gcs < _AWAKE:
            return int(number)
    return -1


@compiled
def _is_due(output: Output, record: PatientRow, casualty: CasualtyState, kind: int) -> bool:
    """Return whether there is room for an image, and none of its kind has been taken."""
    return bool(
        output.rows[TREATMENT_COUNT] < casualty.first_treatment + CARE_ROWS
        and last_start(output, casualty, kind, NONE) < 0
    )


@compiled
def _named(record: PatientRow, number: int) -> int:
    """Return the wound that an image names: NONE of an illness."""
    return number if record.kind == CasualtyKind.WOUNDED else NONE


@compiled
def log_ultrasound(
    output: Output, row: int, casualty: CasualtyState, now: float, end: float, model: Model
) -> float:
    """Log an ultrasound at the beginning of care from `now` to `end`, ms; return when the rest of the care begins.

    Nobody waits for it whose lung is collapsing under tension, or whose care is short.
    """
    record = output.patients[row]
    number = _calls_for(output, record, casualty, _BIT_OF_ULTRASOUND, model)
    if number < 0 or not _is_due(output, record, casualty, _ULTRASOUND):
        return now
    lasts = minutes_of(_ULTRASOUND, _TYPICAL_PACE, model.treatments.rules)
    named = _named(record, number)
    log_treatment(output, row, casualty.facility, _ULTRASOUND, now, lasts, Effect.SUPPORTIVE, named)
    dying = record.lethal != NONE and casualty.life < math.inf
    if (dying and record.lethal == LethalMechanism.TENSION_PNEUMOTHORAX) or (
        end - now < _LEAST_MINUTES * MINUTE
    ):
        return now
    return now + lasts * MINUTE


@compiled
def log_images(
    output: Output, row: int, casualty: CasualtyState, now: float, end: float, model: Model
) -> None:
    """Enter what else shows the inside of a casualty in care from `now` to `end`, ms: at its end, before an operation.

    It is taken once, at the first facility that has the machine. Who bleeds to death goes to the operation of
    a Role 2 without.
    """
    record = output.patients[row]
    rules = model.treatments.rules
    here = casualty.facility
    role = model.network.role[here]
    number = _calls_for(output, record, casualty, _BIT_OF_ECG, model)
    if number >= 0 and _is_due(output, record, casualty, _ELECTROCARDIOGRAM):
        lasts = minutes_of(_ELECTROCARDIOGRAM, _TYPICAL_PACE, rules)
        until = min(end, now + lasts * MINUTE)
        insert_treatment(output, row, casualty, _ELECTROCARDIOGRAM, now, until, here, _named(record, number))
    dying = bleeds_to_death(record) and casualty.life < math.inf
    if role < _X_RAY_ROLE or (dying and role < _CT_ROLE):
        return
    film = NONE
    if not rules.off & rules.bit[_X_RAY]:
        number = _calls_for(output, record, casualty, _BIT_OF_X_RAY, model)
        if number >= 0 and _is_due(output, record, casualty, _X_RAY):
            film = number
    scan = NONE
    if role >= _CT_ROLE or model.network.has_icu[here]:
        number = _calls_for(output, record, casualty, _BIT_OF_CT, model)
        if number >= 0 and _is_due(output, record, casualty, _CT_SCAN):
            scan = number
    filming = minutes_of(_X_RAY, _TYPICAL_PACE, rules) if film != NONE else 0.0
    scanning = minutes_of(_CT_SCAN, _TYPICAL_PACE, rules) if scan != NONE else 0.0
    total = (filming + scanning) * MINUTE
    if total <= 0.0:
        return
    scale = min(1.0, _RESERVED_SHARE * (end - now) / total)
    at = end - scale * total
    if film != NONE:
        until = at + scale * filming * MINUTE
        insert_treatment(output, row, casualty, _X_RAY, at, until, here, _named(record, film))
        at = until
    if scan != NONE and _is_due(output, record, casualty, _CT_SCAN):
        insert_treatment(output, row, casualty, _CT_SCAN, at, end, here, _named(record, scan))

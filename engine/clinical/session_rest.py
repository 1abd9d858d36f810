"""What goes with the operations of a session: closures, backslabs, and the blood of an excision (section 2.7.5)."""

from engine.clinical.burns import burn_area
from engine.clinical.log import log_treatment
from engine.clinical.needs import last_start
from engine.codes import NONE, Effect, Treatment
from engine.numeric import compiled
from engine.tables import CARE_ROWS, HOUR, MINUTE, TREATMENT_COUNT, CasualtyState, Model, Output

_AMPUTATION = int(Treatment.AMPUTATION)
_BLOOD_TRANSFUSION = int(Treatment.BLOOD_TRANSFUSION)
_BURN_EXCISION = int(Treatment.BURN_EXCISION)
_CALCIUM = int(Treatment.CALCIUM)
_CAST = int(Treatment.CAST)
_DELAYED_CLOSURE = int(Treatment.DELAYED_CLOSURE)
_EXTERNAL_FIXATION = int(Treatment.EXTERNAL_FIXATION)
_FRACTURE_FIXATION = int(Treatment.FRACTURE_FIXATION)
_SUPPORTIVE = int(Effect.SUPPORTIVE)
_WOUND_CLOSURE = int(Treatment.WOUND_CLOSURE)
_WOUND_DEBRIDEMENT = int(Treatment.WOUND_DEBRIDEMENT)
"""Plain: Numba cannot unify a member with an integer (docs/platform.md section 2.3)."""


@compiled
def _is_operated_on(output: Output, casualty: CasualtyState, number: int, now: float) -> bool:
    """Return whether an operation on wound `number` is in the session that begins at `now`, ms."""
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        if treatment.wound == number and treatment.start >= now:
            return True
    return False


@compiled
def log_closures(output: Output, row: int, casualty: CasualtyState, now: float, model: Model) -> None:
    """Log the second look at wounds that were cleaned a day before or earlier: they are clean, and are closed.

    Whatever else is done on a wound in this session closes it as well.
    """
    limits = model.treatments.limits
    left = int(limits.most_closures)
    for number in range(casualty.wounds):
        cleaned = last_start(output, casualty, _WOUND_DEBRIDEMENT, number)
        if cleaned < 0 or now < cleaned + limits.second_look_hours * HOUR:
            continue
        if (
            last_start(output, casualty, _DELAYED_CLOSURE, number) >= 0
            or last_start(output, casualty, _WOUND_CLOSURE, number) >= 0
        ):
            continue
        if _is_operated_on(output, casualty, number, now):
            continue
        if left == 0 or output.rows[TREATMENT_COUNT] >= casualty.first_treatment + CARE_ROWS:
            return
        log_treatment(output, row, casualty.facility, _DELAYED_CLOSURE, now, 0.0, _SUPPORTIVE, number)
        left -= 1


@compiled
def log_casts(
    output: Output, row: int, casualty: CasualtyState, first: int, last: int, end: float, model: Model
) -> None:
    """Log the backslab, by the end of a session, ms, of fractures that rows `first` to `last` clean and none fix."""
    rules = model.treatments.rules
    if rules.off & rules.bit[_CAST]:
        return
    lasts = rules.minutes[_CAST, 0] * MINUTE
    for k in range(first, last):
        treatment = output.treatments[k]
        number = int(treatment.wound)
        if treatment.kind != _WOUND_DEBRIDEMENT or number == NONE:
            continue
        condition = output.wounds[casualty.wound + number].condition
        if not rules.breaks_limb[condition] or last_start(output, casualty, _CAST, number) >= 0:
            continue
        if (
            last_start(output, casualty, _EXTERNAL_FIXATION, number) >= 0
            or last_start(output, casualty, _FRACTURE_FIXATION, number) >= 0
            or last_start(output, casualty, _AMPUTATION, number) >= 0
        ):
            continue
        if output.rows[TREATMENT_COUNT] >= casualty.first_treatment + CARE_ROWS:
            return
        begin = max(float(treatment.end), end - lasts)
        log_treatment(
            output, row, casualty.facility, _CAST, begin, (end - begin) / MINUTE, Effect.SUPPORTIVE, number
        )


@compiled
def log_blood_of_excision(
    output: Output, row: int, casualty: CasualtyState, first: int, last: int, model: Model
) -> None:
    """Log the blood that is given while a large burn is excised, among the rows `first` to `last` of a session."""
    rules = model.treatments.rules
    if rules.off & rules.bit[_BLOOD_TRANSFUSION]:
        return
    area = burn_area(output, output.patients[row], casualty, model.injuries)
    units = int(
        min(area, model.treatments.limits.excised_area) * model.treatments.limits.excision_units + 0.5
    )
    if units < 1 or area < model.treatments.limits.excision_blood_area:
        return
    for k in range(first, last):
        treatment = output.treatments[k]
        if treatment.kind != _BURN_EXCISION:
            continue
        if output.rows[TREATMENT_COUNT] >= casualty.first_treatment + CARE_ROWS:
            return
        minutes = (float(treatment.end) - treatment.start) / MINUTE
        kind = _BLOOD_TRANSFUSION
        log_treatment(
            output, row, casualty.facility, kind, float(treatment.start), minutes, _SUPPORTIVE, NONE
        )
        output.treatments[output.rows[TREATMENT_COUNT] - 1].units = units
        if not rules.off & rules.bit[_CALCIUM]:
            lasts = rules.minutes[_CALCIUM, 1]
            begin = float(treatment.start)
            log_treatment(output, row, casualty.facility, _CALCIUM, begin, lasts, _SUPPORTIVE, NONE)
        return

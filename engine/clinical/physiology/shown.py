"""What shows of the threat to life: the share of the life that is used up, less what treatments have taken away.

A treatment that works sets a new anchor: what shows falls by its relief, within minutes, and from there it rises again
to 1 at death, as the clock runs. So signs do not fall back to where they were after a treatment that works, and a
patient who dies of the clock shows it.
"""

import math

from engine import numeric
from engine.clinical.survival import clock_at
from engine.codes import NONE, CasualtyKind, Effect, LethalMechanism, Treatment, Tube
from engine.numeric import compiled
from engine.tables import (
    HOUR,
    MINUTE,
    TREATMENT_COUNT,
    CasualtyState,
    Model,
    Output,
    PatientRow,
    Physiology,
    TreatmentRow,
)

_GONE = 30.0
"""Time constants after which nothing is left."""


@compiled
def fading(since: float, time_constant: float) -> float:
    """Return exp(-since / time_constant), both in ms; 1 before."""
    if since <= 0.0:
        return 1.0
    return numeric.exp(-since / time_constant) if since < _GONE * time_constant else 0.0


@compiled
def used_share(casualty: CasualtyState, at: float) -> float:
    """Return the share u/T of the life that is used up at the time `at`; 0 where nothing threatens life."""
    if casualty.life == math.inf:
        return 0.0
    if casualty.life <= 0.0:
        return 1.0
    return min(1.0, max(0.0, clock_at(casualty, at) / casualty.life))


@compiled
def shown_share(casualty: CasualtyState, state: Physiology, at: float) -> float:
    """Return what shows of the threat to life at the time `at`, from 0 to 1."""
    lift = 0.0
    if state.lift > 0.0:
        lift = state.lift * fading(at - state.lift_at, state.lift_minutes * MINUTE)
    if casualty.life == math.inf:
        return lift
    used = used_share(casualty, at)
    left = 1.0 - state.anchor_used
    share = 1.0
    if left > 0.0:
        share = state.anchor_shown + (1.0 - state.anchor_shown) * (used - state.anchor_used) / left
    return min(1.0, max(0.0, share) + lift)


@compiled
def decline_share(
    record: PatientRow, casualty: CasualtyState, state: Physiology, at: float, model: Model
) -> float:
    """Return how far a casualty has declined before a late death, from 0 to 1."""
    if casualty.late_death_at == math.inf:
        return 0.0
    begin = casualty.late_death_at - model.vital_signs.decline.hours * HOUR
    begin = max(begin, state.admitted_at if state.admitted_at < math.inf else float(record.onset))
    span = casualty.late_death_at - begin
    if span <= 0.0:
        return 1.0 if at >= casualty.late_death_at else 0.0
    return min(1.0, max(0.0, (at - begin) / span))


@compiled
def _relieve(casualty: CasualtyState, state: Physiology, start: float, share: float, minutes: float) -> None:
    """Take away a share of what shows, from `start` on within minutes."""
    shown = shown_share(casualty, state, start)
    state.anchor_used = used_share(casualty, start)
    state.anchor_shown = shown * (1.0 - share)
    state.lift = shown - state.anchor_shown
    state.lift_at = start
    state.lift_minutes = minutes


@compiled
def note_rescue(
    record: PatientRow, casualty: CasualtyState, state: Physiology, now: float, model: Model
) -> None:
    """Let what shows fade once the threat to life is over."""
    if record.lethal == NONE or casualty.life < math.inf or state.rescued_at < math.inf:
        return
    state.rescued_at = now
    state.lift = state.shown
    state.lift_at = now
    state.lift_minutes = model.vital_signs.rescue_minutes


@compiled
def _tube_hours(record: PatientRow, model: Model) -> float:
    """Return how long the tube stays after intubation."""
    hours = model.vital_signs.tube.hours
    if record.lethal == LethalMechanism.TBI:
        return hours[0]
    if record.lethal == LethalMechanism.AIRWAY:
        return hours[1]
    antidotes = model.treatments.rules.bit
    if record.kind == CasualtyKind.AGENT and model.treatments.rules.needs[record.condition] & (
        antidotes[Treatment.ATROPINE_AND_OXIME] | antidotes[Treatment.CYANIDE_ANTIDOTE]
    ):
        return hours[3]
    return hours[2]


@compiled
def _note_tube(record: PatientRow, state: Physiology, treatment: TreatmentRow, model: Model) -> None:
    """Note an intubation, or anaesthesia or ventilation through a tube while a treatment lasts."""
    kind = model.vital_signs.tubes[treatment.kind]
    if kind == Tube.NONE:
        return
    start = float(treatment.start)
    end = float(treatment.end)
    if kind != Tube.STAYS:
        if start > state.asleep_until:
            state.asleep_at = start
        state.asleep_until = max(state.asleep_until, end)
    if kind == Tube.ANAESTHESIA:
        return
    if start > state.tube_until:
        state.tube_at = start
    stays = _tube_hours(record, model) * HOUR if kind == Tube.STAYS else 0.0
    state.tube_until = max(state.tube_until, end + stays)
    if treatment.kind == Treatment.INTUBATION:
        state.paralysed_until = end + model.vital_signs.tube.paralysed_minutes * MINUTE


@compiled
def _note_further_blood(state: Physiology, treatment: TreatmentRow, model: Model) -> None:
    """Note that blood goes on after the bay, for what is lost meanwhile, most of it in the operation."""
    per_unit = model.vital_signs.loss.operative[0]
    state.bled = max(state.bled, per_unit * numeric.log(1.0 + float(treatment.units)))
    state.bled_at = min(state.bled_at, float(treatment.start))
    state.bled_until = max(state.bled_until, float(treatment.end))


@compiled
def eased_by_analgesia(state: Physiology, at: float, model: Model) -> float:
    """Return the points of pain that analgesia takes at the time `at`, ms: a dose acts after minutes, for hours.

    In a facility so much is taken at least, once analgesia has begun.
    """
    if at < state.analgesia_at:
        return 0.0
    pain = model.vital_signs.pain
    since = at - state.analgesia_at
    waiting = fading(since, pain.onset_minutes * MINUTE)
    eased = state.analgesia - (state.analgesia - state.analgesia_before) * waiting
    eased *= fading(since, pain.analgesia_minutes * MINUTE)
    if at < state.admitted_at:
        return eased
    return max(eased, pain.maintained - max(0.0, pain.maintained - state.analgesia_before) * waiting)


@compiled
def _note_treatment(
    record: PatientRow, casualty: CasualtyState, state: Physiology, treatment: TreatmentRow, model: Model
) -> None:
    """Note what a treatment that has begun does to the signs."""
    signs = model.vital_signs
    kind = treatment.kind
    start = float(treatment.start)
    if treatment.effect == Effect.EFFECTIVE:
        if state.antidote_at == math.inf:
            state.antidote_at = start
        if signs.relief[kind] > 0.0 and casualty.life < math.inf:
            share = signs.relief[kind]
            if record.lethal == LethalMechanism.TBI:
                share *= signs.brain.relief
            _relieve(casualty, state, start, share, signs.relief_minutes[kind])
    if kind == Treatment.AUTOINJECTOR or kind == Treatment.ATROPINE_AND_OXIME or kind == Treatment.ATROPINE:
        state.atropine_from = min(state.atropine_from, start)
        state.atropine_at = start
    if kind == Treatment.BAG_MASK_VENTILATION:
        if start > state.bagged_until + signs.apnoea.gap_minutes * MINUTE:
            state.bagged_from = start
        state.bagged_until = float(treatment.end)
    if kind == Treatment.TOURNIQUET:
        state.ischaemic_at = min(state.ischaemic_at, start + signs.pain.ischaemic[1] * MINUTE)
    ends_pain = kind == Treatment.TOURNIQUET_CONVERSION or kind == Treatment.REGIONAL_ANAESTHESIA
    if ends_pain or signs.tubes[kind] == Tube.ANAESTHESIA:
        state.ischaemic_at = math.inf
    if kind == Treatment.BLOOD_TRANSFUSION:
        if start > state.transfused_at:
            _note_further_blood(state, treatment, model)
        state.transfused_at = min(state.transfused_at, start)
    if signs.analgesia[kind] > 0.0:
        state.analgesia_before = eased_by_analgesia(state, start, model)
        state.analgesia_at = start
        state.analgesia = signs.analgesia[kind]
    _note_tube(record, state, treatment, model)


@compiled
def _note_reduction(output: Output, casualty: CasualtyState, state: Physiology, start: float) -> None:
    """Note a reduction in a facility that begins at `start`, ms: with an access it is done under ketamine."""
    for k in range(casualty.first_treatment, output.rows[TREATMENT_COUNT]):
        treatment = output.treatments[k]
        if treatment.start > start:
            continue
        if treatment.kind == Treatment.IV_ACCESS or treatment.kind == Treatment.INTRAOSSEOUS_ACCESS:
            state.dissociated_at = min(start, max(state.analgesia_at, start - HOUR))
            return


@compiled
def _note_inserted_tubes(output: Output, row: int, casualty: CasualtyState, model: Model) -> None:
    """Note the tubes among the rows inserted since, which have begun before what has been noted already."""
    state = output.physiology
    for k in range(casualty.first_treatment, state.treatments_seen):
        treatment = output.treatments[k]
        if state.inserted_at <= treatment.start < state.noted_until:
            _note_tube(output.patients[row], state, treatment, model)
    state.inserted_at = math.inf


@compiled
def is_bagged(state: Physiology, at: float, model: Model) -> bool:
    """Return whether breaths are given by bag and mask at the time `at`, ms; between two bags as well."""
    until = state.bagged_until + model.vital_signs.apnoea.gap_minutes * MINUTE
    return bool(state.bagged_from < at <= until)


@compiled
def note_treatments(output: Output, row: int, casualty: CasualtyState, limit: float, model: Model) -> None:
    """Note the treatments in the record that have begun before `limit` (ms), each once.

    Those that begin later may still be cut from the record.
    """
    state = output.physiology
    count = output.rows[TREATMENT_COUNT]
    if count == state.treatments_seen and not state.pending:
        return
    if state.inserted_at < math.inf:
        _note_inserted_tubes(output, row, casualty, model)
    state.pending = 0
    for k in range(casualty.first_treatment, count):
        treatment = output.treatments[k]
        if treatment.start >= limit:
            state.pending = 1
        elif k >= state.treatments_seen or treatment.start >= state.noted_until:
            _note_treatment(output.patients[row], casualty, state, treatment, model)
            if treatment.kind == Treatment.CLOSED_REDUCTION and treatment.facility >= 0:
                _note_reduction(output, casualty, state, float(treatment.start))
    state.treatments_seen = count
    state.noted_until = limit

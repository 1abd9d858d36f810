"""Parameters of the vital signs, and the state of the patient from which they are read (docs/model.md section 2.12).

The fields of the parameters have the names of the keys in `scenarios/data/model/vital_signs.toml`, which gives the
source of each value.
"""

from typing import Annotated

from engine.codes import TREATMENTS
from engine.tables.rows import Float64, Floats, Int32, Int64, Ints, Row, dtype_of

CONDITION_ROWS = 2048
"""Rows of the tables by condition: as many as the tables of injuries have."""

PATTERNS = 32
"""Rows of the table of illnesses, at most."""

WATCHES = 7
"""Places of a schedule: `Watch`."""


class Baseline(Row):
    """Signs of a healthy adult under stress: mean and SD between people."""

    spread: Float64  # SD from the mean that nobody exceeds
    heart_rate: Annotated[Floats, "f8", 2]  # per minute
    systolic: Annotated[Floats, "f8", 2]  # mmHg, at rest
    bleeding: Annotated[Floats, "f8", 3]  # pressure of who needs blood and is in no danger: mean, SD; stress
    well: Annotated[Floats, "f8", 4]  # pulse and pressure of wounded who need no blood: mean, SD of each
    ill: Annotated[Floats, "f8", 4]  # the same of the others
    respiratory_rate: Annotated[Floats, "f8", 2]  # per minute
    spo2: Annotated[Floats, "f8", 2]  # %
    temperature: Annotated[Floats, "f8", 2]  # degrees Celsius
    haemoglobin_male: Annotated[Floats, "f8", 2]  # g/dL
    haemoglobin_female: Annotated[Floats, "f8", 2]
    diastolic: Annotated[Floats, "f8", 2]  # share of the systolic pressure, and mmHg added to it
    rest_pulse: Float64  # per minute
    stress_share: Float64  # of what the pulse is above this: goes in care
    stress_systolic: Float64  # mmHg beyond the pressure at rest: goes in care
    calm_hours: Float64  # time constant of that


class SignBounds(Row):
    """Lowest and highest value that is recorded."""

    heart_rate: Annotated[Floats, "f8", 2]
    systolic: Annotated[Floats, "f8", 2]
    diastolic: Annotated[Floats, "f8", 2]
    respiratory_rate: Annotated[Floats, "f8", 2]
    spo2: Annotated[Floats, "f8", 2]
    etco2: Annotated[Floats, "f8", 2]
    temperature: Annotated[Floats, "f8", 2]
    lactate: Annotated[Floats, "f8", 2]
    base_excess: Annotated[Floats, "f8", 2]
    haemoglobin: Annotated[Floats, "f8", 2]
    inr: Annotated[Floats, "f8", 2]


class ReadingNoise(Row):
    """What a reading adds to the state: a drift that persists, and the error of measurement."""

    persistence: Float64  # correlation of the drift over five minutes
    heart_rate: Annotated[Floats, "f8", 2]  # SD of the drift and of the error
    systolic: Annotated[Floats, "f8", 2]
    respiratory_rate: Float64  # SD
    spo2: Float64
    gcs: Float64
    temperature: Float64
    etco2: Float64
    laboratory: Annotated[Floats, "f8", 4]  # lactate as a share of it, base excess, haemoglobin, INR
    # probability that a sign is not taken before the first MTF
    no_heart_rate: Float64
    no_systolic: Float64
    no_respiratory_rate: Float64
    no_spo2: Float64
    no_gcs: Float64
    no_pain: Float64
    no_temperature: Float64
    no_temperature_minor: Float64  # in a bay, of wounded of T3
    no_signal: Annotated[
        Floats, "f8", 3
    ]  # pulse oximeter without a signal: below this pressure, with this probability; below the third always


class BloodLoss(Row):
    """Share of the blood volume lost."""

    at_death: Float64
    exponent: Float64  # of the share of the life that is used up
    non_lethal: Annotated[
        Floats, "f8", 3
    ]  # by wounds that do not kill, with NISS `niss_scale` or more: median, sigma of its logarithm, most
    niss_scale: Float64
    amputation: Float64  # least share lost with an amputation
    collapse: Annotated[
        Floats, "f8", 5
    ]  # minutes before death: the circulation fails; mmHg then; fall of the saturation; minutes, airway; pulse
    last_hour: Annotated[Floats, "f8", 2]  # minutes before death; % by which the saturation falls in them
    units: Annotated[
        Floats, "f8", 4
    ]  # of who needs blood: at one unit, per e-fold of the units, SD between people, most
    operative: Annotated[
        Floats, "f8", 3
    ]  # where blood goes on after the bay: loss per logarithm of 1 + units; minutes, time constants of rise and fall
    transfused_minutes: Float64  # time constant of what a transfusion gives back
    onset_minutes: Float64
    restored_hours: Float64  # time constant from the first admission on
    pulse: Float64  # heart rate per share lost
    pulse_collapse: Annotated[Floats, "f8", 2]  # loss from which the pulse falls, and fall per share lost
    pressure: Annotated[
        Floats, "f8", 4
    ]  # fall of the pressure at a loss, mmHg; that loss; most at death, in proportion to the loss; but at least
    failing: Annotated[Floats, "f8", 2]  # mmHg: pressure below which any pulse falls; fall per mmHg
    response: Annotated[
        Floats, "f8", 2
    ]  # per SD of a person's response: part of the rise of the pulse, log of the fall of the pressure
    breaths: Annotated[Floats, "f8", 2]  # loss from which breathing quickens, and rise per share lost
    coma: Annotated[Floats, "f8", 2]  # pressure under which the GCS falls, and points per mmHg
    saturation: Annotated[Floats, "f8", 2]  # loss from which the saturation falls, and fall per share lost
    agonal: Annotated[Floats, "f8", 3]  # loss from which it is agonal, breaths and GCS then
    last: Annotated[Floats, "f8", 2]  # loss from which the pressure falls in all; mmHg at death
    base_deficit_at: Annotated[Floats, "f8", 5]  # losses
    base_deficit: Annotated[Floats, "f8", 5]  # mmol/L at these losses
    dilution: Float64  # share of the loss by which haemoglobin falls
    dilution_worst: Float64  # weight of the worst loss so far against the present one
    dilution_minutes: Float64


class BrainInjury(Row):
    """The Glasgow Coma Scale by the worst AIS of the head, and how pressure in the skull shows."""

    severe: Annotated[Floats, "f8", 6]  # probability of GCS 3-8 by AIS 0 to 5
    moderate: Annotated[Floats, "f8", 6]  # of GCS 9-13
    mild: Annotated[Floats, "f8", 6]  # of GCS 14
    lethal_most: Float64  # highest GCS of those whom it kills
    concussion: Annotated[Floats, "f8", 3]  # AIS at most; least GCS; hours, time constant of the recovery
    relief: Float64  # share of the relief of a treatment where it kills
    recovery_hours: Annotated[Floats, "f8", 3]  # time constant: mild, moderate, severe
    stay_constants: Float64  # time constants that fit into the stay, at least
    fall_to: Float64  # share of the life used up at which the GCS is 3
    cushing: Annotated[Floats, "f8", 4]  # from this share on; pressure added, pulse and breaths at the end
    masked_below: Float64  # mmHg: no Cushing response under this pressure
    last: Annotated[Floats, "f8", 2]  # from this share on the pressure falls, mmHg at the end
    breaths_last: Annotated[Floats, "f8", 2]  # from this share on breathing fails; breaths at the end
    eye: Annotated[Ints, "i8", 13]  # points by GCS, 3 to 15
    verbal: Annotated[Ints, "i8", 13]
    motor: Annotated[Ints, "i8", 13]


class LowPressure(Row):
    """A low pressure beyond what the loss of blood explains: AIS, probability, mmHg, change of the pulse."""

    brain: Annotated[Floats, "f8", 4]  # from this AIS on
    cord: Annotated[Floats, "f8", 4]  # of neck or chest, from this AIS on
    alone: Float64  # both only where every other wound is below this AIS
    other: Annotated[
        Floats, "f8", 4
    ]  # of whose worst wound has this AIS, bleeds and is T1 or T2: they get blood
    hours: Float64  # time constant from the first admission on
    seen_below: Float64  # mmHg: pressure of a person below which triage in a facility sees it


class Apnoea(Row):
    """What too few breaths do to the saturation."""

    breaths: Float64  # per minute, below which it falls
    saturation: Float64  # % for each breath
    gap_minutes: Float64  # between two bags
    bagged: Annotated[Floats, "f8", 2]  # saturation and breaths at least with bag and mask


class AirwayLoss(Row):
    """An obstructed airway, by the share of the life that is used up."""

    saturation: Annotated[Floats, "f8", 2]  # fall at the end, exponent
    breaths: Annotated[Floats, "f8", 3]  # rise; share from which they fail; breaths then
    pulse: Annotated[Floats, "f8", 3]  # rise; share from which it is slow; pulse then
    coma: Annotated[Floats, "f8", 2]  # share from which the GCS falls; points at the end


class ChestInjury(Row):
    """A tension pneumothorax by the share of the life that is used up, and an injured chest that does not kill."""

    breaths: Float64
    saturation: Float64
    pulse: Float64
    pressure: Annotated[Floats, "f8", 2]  # share from which it falls; mmHg at the end
    minor_ais: Int64  # of a thorax wound without a flag
    minor_breaths: Float64
    minor_saturation: Float64
    minor_hours: Float64  # time constant from the first admission on


class BurnInjury(Row):
    """Burns, by % of the body surface."""

    pulse: Annotated[Floats, "f8", 2]  # per %, at most
    pressure: Annotated[Floats, "f8", 2]  # % from which it falls, mmHg per %
    temperature: Float64  # per %, until the first admission
    hours: Float64  # time constant from the first admission on
    large: Annotated[Floats, "f8", 2]  # % from which it is large; hours, time constant of the pulse then
    pain: Annotated[
        Floats, "f8", 4
    ]  # of large burns: least; more after an operation; hours of that; days of both
    haemoglobin: Annotated[
        Floats, "f8", 5
    ]  # of large burns: fall, g/dL; hours; fall by an operation; hours; % at which it is so much
    inhalation: Annotated[Floats, "f8", 2]  # breaths added, % of saturation lost; burns of neck and chest
    inhalation_ais: Int64


class NerveAgent(Row):
    """Signs by severity, mild to very severe."""

    heart_rate: Annotated[Floats, "f8", 4]
    respiratory_rate: Annotated[Floats, "f8", 4]
    spo2: Annotated[Floats, "f8", 4]
    gcs: Annotated[Floats, "f8", 4]
    treated_hours: Float64  # time constant from the antidote on
    drying_minutes: Float64  # time constant of the saturation from the antidote on
    atropine_less: Float64  # per grade
    atropine_pulse: Float64  # what atropine drives the pulse to
    atropine_minutes: Annotated[Floats, "f8", 2]  # time constants of rise and fall
    bagged_spo2: Float64  # at least, while breaths are given by bag and mask
    bagged_respiratory_rate: Float64
    untreated_hours: Float64  # of those whom it does not kill
    collapse: Annotated[Floats, "f8", 2]  # share that shows from which the pressure falls; mmHg at death


class Decline(Row):
    """Sepsis and organ failure before a late death, and the end of a lethal illness: changes at the end."""

    hours: Float64  # how long before a late death it begins, at most from the first admission on
    heart_rate: Float64
    systolic: Float64
    respiratory_rate: Float64
    spo2: Float64
    gcs: Annotated[Floats, "f8", 2]  # share of the decline from which it falls; points at the end
    temperature: Annotated[Floats, "f8", 3]  # fever; fall of those who get cold; their share
    base_deficit: Float64


class Illness(Row):
    """Changes of the signs by an illness or accident of T2, before it is treated."""

    heart_rate: Annotated[Floats, "f8", PATTERNS]
    systolic: Annotated[Floats, "f8", PATTERNS]
    respiratory_rate: Annotated[Floats, "f8", PATTERNS]
    spo2: Annotated[Floats, "f8", PATTERNS]
    temperature: Annotated[Floats, "f8", PATTERNS]
    gcs: Annotated[Floats, "f8", PATTERNS]
    pain: Annotated[Floats, "f8", PATTERNS]
    by_triage: Annotated[Floats, "f8", 5]  # factor by true category, 0 to 4
    spread: Annotated[Floats, "f8", 2]  # factor of a person: lowest, span
    onset_hours: Float64  # time constant of the beginning
    recovery_hours: Annotated[Floats, "f8", PATTERNS]  # time constant from the first admission on
    cold_coma: Annotated[
        Floats, "f8", 2
    ]  # of hypothermia: temperature below which the GCS falls, points per degree


class Pain(Row):
    """Pain from 0 to 10."""

    by_worst_ais: Annotated[Floats, "f8", 7]
    amputation: Float64
    slight_limb: Float64  # factor for accidents to a limb at T3
    ischaemic: Annotated[
        Floats, "f8", 4
    ]  # least pain of a limb without blood; minutes until it begins; minutes, time constant; hours at most
    burn: Float64
    days: Float64  # time constant
    felt_from: Float64  # points above which pulse and pressure rise
    pulse: Float64  # heart rate per point
    pressure: Float64  # systolic pressure per point, mmHg
    spoken_gcs: Int64  # lowest GCS of those who can say
    onset_minutes: Float64  # time constant of the relief from a dose on
    analgesia_minutes: Float64  # time constant of analgesia
    maintained: Float64  # points that analgesia takes away in an MTF
    kept: Annotated[Floats, "f8", 2]  # pain is at most this after analgesia in an MTF; minutes, time constant


class Cooling(Row):
    """Loss of heat until the first admission."""

    per_hour: Float64  # degrees Celsius at the full share
    least: Float64  # share of the unhurt
    by_loss: Float64  # share per share of blood lost
    by_niss: Float64  # share per point of NISS
    most: Float64  # share
    sigma: Float64  # of the logarithm of the share of a person
    most_hours: Float64
    cold_factor: Float64  # in extreme cold
    rewarming_hours: Float64  # time constant from the first admission on


class TubeRules(Row):
    """Intubated patients."""

    hours: Annotated[
        Floats, "f8", 4
    ]  # after intubation: for the brain, for the airway, for anything else, and by an agent with an antidote
    breaths: Annotated[Floats, "f8", 2]  # of the ventilator: lowest, spread between patients
    saturation: Annotated[
        Floats, "f8", 3
    ]  # % above the person's; share left of what the lung lacks; most below the person's
    eye: Int64  # sedated
    motor: Int64  # at most
    paralysed_minutes: Float64  # after intubation: no movement
    etco2: Annotated[Floats, "f8", 3]  # mmHg; loss from which it falls; fall per share lost
    asleep_minutes: Float64  # from the end of an operation until the patient begins to wake
    waking: Annotated[
        Floats, "f8", 2
    ]  # points of the GCS that anaesthesia costs then; minutes, time constant
    weaning: Annotated[
        Floats, "f8", 3
    ]  # minutes before the tube is out: sedation ends; points of the GCS that it costs after; minutes, time constant
    weaned_eye: Int64  # at most then
    weaned_motor: Int64
    waiting_hours: Float64  # least stay of the tube once evacuation is requested
    landed_minutes: Float64  # least stay after the arrival
    settled_hours: Float64  # least stay in intensive care after an operation
    awake_hours: Float64  # out at least so long before the end of intensive care, or not at all
    unfinished_hours: Float64  # from damage control surgery in a cavity on, at most
    finished_hours: Float64  # from the last operation on, after much blood
    dissociated_minutes: Float64  # after ketamine for a reduction: no GCS
    recovery_minutes: Annotated[Floats, "f8", 2]  # from any other operation on; from intensive care on
    brain_ais: Int64  # AIS of the head from which the tube stays in for the journey


class Laboratory(Row):
    """Laboratory values, from Role 2 on."""

    lactate: Annotated[Floats, "f8", 2]  # mmol/L: healthy, per base deficit
    inr: Annotated[Floats, "f8", 3]  # healthy; base deficit from which it rises; per base deficit
    inr_loss: Annotated[
        Floats, "f8", 3
    ]  # per share of blood lost; hours after admission, time constant; sigma of the logarithm of a person's part
    failing_deficit: Float64  # base deficit at the end of an airway or chest that fails
    least_urgent: Int64  # triage category of those from whom blood is taken, at most
    least_ais: Int64  # worst AIS of wounded from whom blood is taken where nothing else calls for it
    hours: Annotated[Floats, "f8", WATCHES]  # from a sample that is not normal to the next, by `Watch`
    normal_hours: Annotated[Floats, "f8", WATCHES]  # from a normal one
    normal: Annotated[Floats, "f8", 4]  # lactate, base deficit at most; haemoglobin at least; INR at most


class Schedule(Row):
    """When signs are taken."""

    minutes: Annotated[Floats, "f8", (WATCHES, 5)]  # by `Watch` and category, 0 to 4
    thinning: Float64  # share of the time at a place that is the least interval there
    recovery: Annotated[Floats, "f8", 2]  # on a ward after an operation: for so many hours, minutes at most
    settled: Annotated[
        Floats, "f8", 2
    ]  # minutes at a place from which those in no danger are seen less often; least interval then
    agent: Annotated[
        Floats, "f8", 4
    ]  # agent casualties: minutes from the onset, largest interval until then; the same for the time after it
    unwell: Annotated[
        Floats, "f8", 4
    ]  # pulse above which, systolic pressure, saturation and GCS below which a patient is in danger
    most_minutes: Float64  # between two readings
    core_minutes: Float64  # between two readings of small records
    fresh_minutes: Float64  # small records: no reading before a procedure if the last is younger
    last_minutes: Float64  # before death, at most this old
    lasts_before: Float64  # minutes before death of the last reading
    medic: Float64  # probability that first aid is given by a medic, who takes signs
    unattended_minutes: Float64  # after the field triage, until somebody else takes signs
    slight_minutes: Float64  # least interval before and between facilities of the slightly hurt and ill
    dying_minutes: Float64  # largest interval in intensive care of the dying
    dying_hours: Float64  # before a late death in which it holds
    arrest_minutes: Float64  # who dies within this time of the first door arrives in arrest


class VitalSignParameters(Row):
    """Parameters of the vital signs."""

    baseline: Baseline
    bounds: SignBounds
    noise: ReadingNoise
    loss: BloodLoss
    brain: BrainInjury
    low_pressure: LowPressure
    apnoea: Apnoea
    airway: AirwayLoss
    chest: ChestInjury
    burn: BurnInjury
    nerve_agent: NerveAgent
    decline: Decline
    illness: Illness
    pain: Pain
    cooling: Cooling
    tube: TubeRules
    laboratory: Laboratory
    schedule: Schedule
    relief: Annotated[
        Floats, "f8", len(TREATMENTS)
    ]  # share of what shows that a treatment takes away, if effective
    relief_minutes: Annotated[Floats, "f8", len(TREATMENTS)]  # time constant
    rescue_minutes: Float64  # time constant once the threat to life is over
    tubes: Annotated[Ints, "i8", len(TREATMENTS)]  # `Tube`
    analgesia: Annotated[Floats, "f8", len(TREATMENTS)]  # points of pain
    patterns: Annotated[Ints, "u1", CONDITION_ROWS]  # row of the table of illnesses by condition
    full: Int64  # 1: the whole series; 0: small records
    taken: Int64  # 0: no vital signs are written, where only the measures of a run are wanted


VITAL_SIGN_PARAMETERS = dtype_of(VitalSignParameters)


class Signs(Row):
    """The state of the patient at one time, as the signs show it, before the noise of a reading."""

    heart_rate: Float64
    systolic: Float64
    respiratory_rate: Float64
    spo2: Float64
    gcs: Float64
    temperature: Float64
    pain: Float64
    loss: Float64  # share of the blood volume
    base_deficit: Float64  # mmol/L


class Physiology(Row):
    """What the vital signs need to know of the patient whose record is being written. Times are in ms."""

    signs: Signs  # of the last reading
    # the person
    heart_rate: Float64
    systolic: Float64
    respiratory_rate: Float64
    spo2: Float64
    temperature: Float64
    haemoglobin: Float64
    ventilator: Float64  # breaths per minute
    # the injury
    gcs: Float64  # by the head injury
    gcs_hours: Float64  # time constant of the recovery
    burn: Float64  # % of the body surface
    inhalation: Float64  # 1: burnt airways
    lost: Float64  # share of the blood volume lost by wounds that do not kill
    response: Float64  # SD by which the person responds worse to the loss of blood
    clotting: Float64  # factor on what the INR rises by
    cools: Float64  # factor on the loss of heat
    chest: Float64  # 1: injured chest
    pain: Float64
    illness: Float64  # factor on the changes by the illness; 0: none
    gets_cold: Float64  # 1: sepsis shows as a low temperature
    # the threat to life: what shows of it is a share of the life, of which 1 is death
    shown: Float64  # at the end of the last interval
    anchor_used: Float64  # share of the life used up at the last relief
    anchor_shown: Float64  # what shows of it after the relief
    lift: Float64  # what still showed beyond that then
    lift_at: Float64
    lift_minutes: Float64  # time constant
    rescued_at: Float64  # infinity: still threatened
    antidote_at: Float64
    atropine_from: Float64  # the first dose
    atropine_at: Float64  # the last dose
    bagged_from: Float64  # breaths by bag and mask
    bagged_until: Float64
    ischaemic_at: Float64  # of a limb: a tourniquet on it, or a compartment syndrome; infinity
    admitted_at: Float64  # at the first MTF; infinity
    worst_loss: Float64
    transfused_at: Float64
    bled: Float64  # share of the blood volume that goes on to be lost while blood goes on after the bay
    bled_at: Float64
    bled_until: Float64
    # treatments
    tube_at: Float64
    tube_until: Float64
    paralysed_until: Float64
    asleep_at: Float64  # under anaesthesia
    asleep_until: Float64
    analgesia_at: Float64  # the last dose
    analgesia_before: Float64  # points of pain that earlier doses still took then
    analgesia: Float64
    # readings
    drift_heart_rate: Float64
    drift_systolic: Float64
    drift_elapsed: Float64  # ms between the last two readings within an hour ...
    drift_kept: Float64  # ... and the share of the drift that is kept over such a time
    last_at: Float64
    next_at: Float64
    watch_since: Float64
    laboratory_at: Float64
    laboratory_normal: Float64  # 1: the last sample was normal
    pattern: Int32
    watch: Int32
    number: Int32  # readings so far
    dissociated_at: Float64  # ms of ketamine for a reduction; infinity
    stress: Float64  # mmHg beyond the pressure at rest, which go in care
    attended: Int32  # 1: a medic gives the first aid
    stays_awake: Int32  # 1: known never to become unconscious
    events_seen: Int64  # rows of the tables up to here have been considered
    treatments_seen: Int64
    inserted_at: Float64  # start of the first row inserted among those considered; infinity
    noted_until: Float64  # treatments that began before have been considered
    pending: Int32  # 1: some treatments in the record have not begun

"""Rules of care by need: who gets which treatment where, and which operations a condition calls for."""

from typing import Annotated

from engine.codes import TREATMENTS, CarePlace, LethalMechanism, Region
from engine.tables.rows import Float64, Floats, Int64, Ints, Row, dtype_of

CARE_ROWS = 104
"""Rows of treatments of a patient after which no more are given by need; the engine's own rules add the rest."""

CONDITIONS = 4096
"""Rows of the tables by condition; fixed, so that the kernel is compiled once for all scenarios."""

CARE_RANKS = 63
"""Most treatments that are given by need: each has a bit of a whole number, by its rank in the order of priority."""

OPERATIONS_OF_CONDITION = 4
"""Most operations that one condition calls for."""


class CareRules(Row):
    """Who gets what where: `scenarios/data/catalogue/treatments.csv` (docs/model.md section 2.7.5).

    Arrays of length CARE_RANKS go by rank in the order of priority; masks have the bit `1 << rank`.
    """

    count: Int64  # number of ranks
    kind: Annotated[Ints, "u1", CARE_RANKS]  # Treatment
    bit: Annotated[Ints, "i8", len(TREATMENTS)]  # mask of each Treatment; 0: not given by need
    here: Annotated[Ints, "i8", len(CarePlace)]  # mask of what can be given at each place
    off: Int64  # mask of what the scenario has switched off
    each_wound: Int64  # masks
    until_end: Int64
    needs_access: Int64
    access: Int64  # what gives an access
    once: Int64
    repeat: Annotated[Floats, "f8", len(TREATMENTS)]  # ms, by Treatment
    latest: Annotated[Floats, "f8", len(TREATMENTS)]  # ms from the injury, by Treatment; infinity
    needless: Annotated[Ints, "i8", CARE_RANKS]  # mask of what the treatment makes needless
    instead: Annotated[Ints, "u1", len(TREATMENTS)]  # Treatment given where this one is switched off; NONE
    minutes: Annotated[Floats, "f8", (len(TREATMENTS), 3)]  # low, mode and high, by Treatment
    needs: Annotated[Ints, "i8", CONDITIONS]  # mask of what each condition calls for
    on_skin: Int64  # mask of the dressings, which lie on the skin
    inside: Annotated[
        Ints, "u1", CONDITIONS
    ]  # 1: inside skull, chest or belly, under the hole that a dressing covers
    kills_by: Annotated[Ints, "u1", CONDITIONS]  # bit m: a wound that can kill by LethalMechanism m
    open_skull: Annotated[Ints, "u1", CONDITIONS]  # 1: an open fracture of the skull
    contused: Annotated[Ints, "u1", CONDITIONS]  # of the brain, without a haematoma: 1 contused, 2 diffuse
    breaks_limb: Annotated[Ints, "u1", CONDITIONS]  # 1: a fracture of a limb
    images: Annotated[Ints, "u1", CONDITIONS]  # bits of `scenarios.catalogue.care.IMAGES`
    bares_bone: Annotated[Ints, "u1", CONDITIONS]  # 1: an open fracture or a stump of a limb
    opened: Annotated[
        Ints, "u1", CONDITIONS
    ]  # 1: an opened eye, or an open fracture of a large bone of a limb
    drained: Annotated[Ints, "u1", CONDITIONS]  # 1: of lung or chest wall, for which a drain is enough
    both_sides: Annotated[Ints, "u1", CONDITIONS]  # 1: of both lungs
    holds_airway: Annotated[Ints, "u1", CONDITIONS]  # 1: calls for a tube because of the airway itself
    contaminated: Annotated[Ints, "u1", CONDITIONS]  # 1: antibiotics in a facility are ertapenem
    late: Annotated[
        Ints, "u1", CONDITIONS
    ]  # 1: an illness whose drug only Role 3 begins, after the diagnosis
    intensive: Annotated[Ints, "u1", CONDITIONS]  # 1: calls for intensive care
    operations: Annotated[
        Ints, "u1", (CONDITIONS, OPERATIONS_OF_CONDITION)
    ]  # Treatment, main one first; NONE
    in_theatre: Annotated[Ints, "u1", (len(TREATMENTS), 5)]  # 1: the operation can be done at the role
    separate: Annotated[Ints, "u1", len(TREATMENTS)]  # 1: an operation on each wound that calls for it
    needs_airway: Annotated[Ints, "u1", len(TREATMENTS)]  # 1: an operation on an intubated patient
    operation_bit: Annotated[Ints, "i8", len(TREATMENTS)]  # mask of each operation; 0: none
    in_cavity: Int64  # mask of the operations in head, neck, chest or belly
    on_arrival: Annotated[
        Ints, "u1", len(TREATMENTS)
    ]  # 1: an operation of a higher role that does not wait for a day after the first
    short_of: Annotated[Ints, "u1", len(TREATMENTS)]  # operation in place of one that cannot be done; NONE
    # Treatment against each lethal mechanism, by region of the worst wound; NONE
    first_aid: Annotated[Ints, "u1", (len(LethalMechanism), len(Region))]
    resuscitation: Annotated[Ints, "u1", (len(LethalMechanism), len(Region))]
    operation: Annotated[Ints, "u1", (len(LethalMechanism), len(Region))]


class CareLimits(Row):
    """Thresholds and limits of care by need, `scenarios/data/model/treatments.toml`."""

    unconscious_gcs: Int64  # from this Glasgow Coma Scale downwards
    analgesia_ais: Int64  # lowest worst AIS
    on_the_way_ais: Int64  # lowest worst AIS with which the wounded get an access and a blanket on the way
    analgesia_pain: Float64  # lowest pain, 0 to 10
    analgesia_breaths: Float64  # per minute, below which no analgesia is given ...
    analgesia_systolic: Float64  # ... or below this systolic pressure, mmHg
    mild_pain: Float64  # lowest pain that is treated at all
    mild_hours: Float64  # after a dose, in which it is treated again only from `analgesia_pain` on ...
    severe_pain: Float64  # ... and from this pain on in T3, and in the others too in the first ...
    moderate_hours: Float64  # ... so many hours
    bagged_respiratory_rate: Float64  # below it breaths are given by bag and mask
    bagged_spo2: Float64  # ... or below this saturation, %
    bagged_airway_spo2: Float64  # ... and of wounded whose airway closes
    oxygen_spo2: Float64  # saturation, %, below which oxygen is given, ...
    oxygen_systolic: Float64  # ... or systolic pressure, mmHg
    craniotomy_gcs: Float64  # highest Glasgow Coma Scale after the injury with which the skull is opened
    contusion_gcs: Float64  # the same without a haematoma, and of any opening of the skull at Role 2
    atropine_grade: Int64  # lowest grade of a nerve agent casualty with repeated atropine
    atropine_minutes: Float64  # between doses during decontamination and care ...
    atropine_later_minutes: Float64  # ... and in intensive care
    atropine_doses: Int64  # most of them at one stage of care
    field_atropine_doses: Int64  # most of them before the first facility
    dressing_hours: Float64  # between two dressings of a wound or burn on the ward
    most_dressings: Int64  # so many of each during a stay
    closure_hours: Annotated[Floats, "f8", 2]  # after cleaning in which a wound left open is closed
    cold_temperature: Float64  # below it T1 and T2 are rewarmed again, degrees Celsius
    oxygen_hours: (
        Float64  # from the injury or the first sign, in which oxygen goes on in beds and between facilities
    )
    antibiotic_hours: (
        Float64  # from the injury, in which antibiotics go on in intensive care after an operation
    )
    burn_fluid_area: Float64  # % of the body surface from which burns get fluids and a urinary catheter ...
    burn_fluid_hours: Float64  # ... for so long, from the injury on
    burn_cooling_area: Float64  # % below which burns are cooled ...
    burn_cooling_hours: Float64  # ... from the injury on
    waiting_care_minutes: Float64  # that breaths, fluids and a collar last where nobody knows the end yet
    incision_minutes: Float64  # within so many before an operation cefazolin is not given again ...
    broad_minutes: Float64  # ... and after ertapenem or moxifloxacin nothing
    bed_analgesia_minutes: Float64  # after admission to a bed the first dose is given
    bed_analgesia_days: Float64  # as long it is given daily after an operation, and in a stay
    bed_pain: Float64  # lowest pain with which it is given to others
    further_injectors: Int64  # most of them after the first before the first facility
    second_injector_minutes: Float64  # between injectors of agent casualties below severe ...
    agent_spo2: (
        Float64  # ... if the saturation is below this, %, or the GCS below 15; else no atropine in care
    )
    grave_ais: Int64  # lowest worst AIS of who is resuscitated and goes to intensive care after an operation
    operates_by_category: Int64  # 1: true T1, T2 and T4 are operated on and nobody else; 0: who needs it
    most_wounds: Int64  # that get the same treatment at one place
    intraosseous_share: Float64  # share of bleeding casualties outside in whom no vein is found
    most_operations: (
        Int64  # in one session, the debridement of soft tissue and further open fractures among them
    )
    most_urgent_operations: Int64  # in one session, without these
    massive_units: Int64  # units of blood from which a casualty stays on the ventilator after an operation
    second_look_hours: Float64  # after its cleaning a wound is looked at again and closed in the theatre ...
    most_closures: Int64  # ... so many in one session
    excised_area: Float64  # % of the body surface excised in one session at most ...
    excision_blood_area: Float64  # % from which blood is given ...
    excision_units: Float64  # ... and units of blood for each %
    tube_minutes: Float64  # operations that take longer are done on an intubated patient
    ventilated_spo2: Float64  # saturation below which the wounded need a tube, %


class TreatmentParameters(Row):
    """What treatments are given when (docs/model.md section 2.7.5)."""

    rules: CareRules
    limits: CareLimits


CARE_LIMITS = dtype_of(CareLimits)
CARE_RULES = dtype_of(CareRules)
TREATMENT_PARAMETERS = dtype_of(TreatmentParameters)

"""Codes of the course of a casualty: events, treatments, effects, outcomes, causes of death and reasons for waiting."""

from engine.codes.base import Code
from engine.codes.casualties import LethalMechanism

AT_POI = -1
"""In a column of facilities: at the point of injury."""
EN_ROUTE = -2
"""In a column of facilities: on the way from one place to another."""


class Event(Code):
    """Kind of event in the event log.

    The column `detail` holds the category of TRIAGED, the precedence of EVACUATION_REQUESTED, the resource of WAITING
    and REFUSED (index of AWAITED), what COMPLICATION is, and 1 + the kind of transport of DEPARTED where vehicles are
    limited and the link names it, else 0.
    """

    INJURED = 0
    FELL_ILL = 1
    EXPOSED = 2
    """Exposed to a CBRN agent."""
    SYMPTOM_ONSET = 3
    FIRST_AID = 4
    TRIAGED = 5
    EVACUATION_REQUESTED = 6
    DEPARTED = 7
    ARRIVED = 8
    """At the door of an MTF."""
    DECONTAMINATION_STARTED = 9
    DECONTAMINATION_ENDED = 10
    CARE_STARTED = 11
    CARE_ENDED = 12
    RESUSCITATION_STARTED = 13
    """Damage control resuscitation."""
    RESUSCITATION_ENDED = 14
    SURGERY_STARTED = 15
    """Damage control surgery."""
    SURGERY_ENDED = 16
    DEFINITIVE_SURGERY_STARTED = 17
    DEFINITIVE_SURGERY_ENDED = 18
    ICU_ADMITTED = 19
    WARD_ADMITTED = 20
    RETURNED_TO_DUTY = 21
    DIED = 22
    LEFT_THEATRE = 23
    """Arrived at Role 4."""
    DISCHARGED = 24
    """Left the force at Role 4."""
    IN_CARE_AT_HORIZON = 25
    WAITING = 26
    """Joined the queue for a resource."""
    BUMPED = 27
    """Gave up a treatment bay to a more urgent patient."""
    CARE_RESUMED = 28
    REFUSED = 29
    """Refused by a full facility; waits at its door for a place."""
    FACILITY_HIT = 30
    STAGED = 31
    """Arrived at a casualty staging unit, which is not an MTF."""
    REMAINS_COLLECTED = 32
    """The remains left a place with a vehicle, after death."""
    REMAINS_ARRIVED = 33
    """The remains reached a facility from which they are moved on."""
    REMAINS_DELIVERED = 34
    """The remains reached the end of their way: the next facility, or a collection point."""
    COMPLICATION = 35
    """A complication is found; `detail` is LIMBS * its `Complication` + the limb."""
    QUARTERS = 36
    """Goes back to his unit with limited duty, as an outpatient of the facility, and lies in none of its beds."""


class Treatment(Code):
    """Kind of treatment."""

    TOURNIQUET = 0
    PRESSURE_DRESSING = 1
    HAEMOSTATIC_DRESSING = 2
    AIRWAY_ADJUNCT = 3
    NEEDLE_DECOMPRESSION = 4
    AUTOINJECTOR = 5
    ANALGESIA = 6
    SPLINT = 7
    WOUND_CARE = 8
    ANTIBIOTICS = 9
    IV_ACCESS = 10
    BLOOD_TRANSFUSION = 11
    TRANEXAMIC_ACID = 12
    CHEST_DRAIN = 13
    INTUBATION = 14
    DECONTAMINATION = 15
    ATROPINE_AND_OXIME = 16
    LAPAROTOMY = 17
    THORACOTOMY = 18
    CRANIOTOMY = 19
    NECK_EXPLORATION = 20
    VASCULAR_REPAIR = 21
    EXTERNAL_FIXATION = 22
    WOUND_DEBRIDEMENT = 23
    AMPUTATION = 24
    EYE_REPAIR = 25
    SURGICAL_AIRWAY = 26
    CRITICAL_CARE = 27
    WARD_CARE = 28
    DEFINITIVE_SURGERY = 29
    FRACTURE_FIXATION = 30
    MEDICATION = 31
    REHYDRATION = 32
    PSYCHOLOGICAL_SUPPORT = 33
    PHYSIOTHERAPY = 34
    COOLING = 35
    REWARMING = 36
    OBSERVATION = 37
    EMERGENCY_CARE = 38
    JUNCTIONAL_TOURNIQUET = 39
    PELVIC_BINDER = 40
    CHEST_SEAL = 41
    EYE_SHIELD = 42
    BURN_DRESSING = 43
    BURN_FLUIDS = 44
    ESCHAROTOMY = 45
    HYPOTHERMIA_PREVENTION = 46
    SPINAL_PRECAUTIONS = 47
    CALCIUM = 48
    HYPERTONIC_SALINE = 49
    ANTISEIZURE = 50
    OXYGEN = 51
    VENTILATION = 52
    CLOSED_REDUCTION = 53
    VASCULAR_SHUNT = 54
    FASCIOTOMY = 55
    LIGATION = 56
    PELVIC_PACKING = 57
    SPLENECTOMY = 58
    BOWEL_RESECTION = 59
    COLOSTOMY = 60
    UROLOGICAL_REPAIR = 61
    SPINAL_SURGERY = 62
    MAXILLOFACIAL_SURGERY = 63
    BURN_EXCISION = 64
    TRACHEOSTOMY = 65
    EAR_CARE = 66
    TETANUS_PROPHYLAXIS = 67
    ANTICONVULSANT = 68
    CYANIDE_ANTIDOTE = 69
    ADRENALINE = 70
    ANTIVENOM = 71
    ANTIMALARIAL = 72
    DENTAL_CARE = 73
    APPENDICECTOMY = 74
    HERNIA_REPAIR = 75
    ABSCESS_DRAINAGE = 76
    GYNAECOLOGICAL_SURGERY = 77
    RESPIRATORY_SUPPORT = 78
    FILGRASTIM = 79
    INTRAOSSEOUS_ACCESS = 80
    ANTIEMETIC = 81
    BRONCHODILATOR = 82
    THROMBOPROPHYLAXIS = 83
    BAG_MASK_VENTILATION = 84
    WOUND_CLOSURE = 85
    FOREIGN_BODY_REMOVAL = 86
    X_RAY = 87
    CAST = 88
    BRACE = 89
    PERSONAL_DECONTAMINATION = 90
    ATROPINE = 91
    TOURNIQUET_CONVERSION = 92
    URINARY_CATHETER = 93
    CT_SCAN = 94
    ULTRASOUND = 95
    ELECTROCARDIOGRAM = 96
    GENERAL_ANAESTHESIA = 97
    REGIONAL_ANAESTHESIA = 98
    SEDATION = 99
    DELAYED_CLOSURE = 100
    VENTRICULAR_DRAIN = 101


class Complication(Code):
    """Kind of complication in the course: what `complication_kinds.csv` describes."""

    WOUND_INFECTION = 0
    BONE_INFECTION = 1
    ABDOMINAL_INFECTION = 2
    PNEUMONIA = 3
    SEPSIS = 4
    ACUTE_KIDNEY_INJURY = 5
    ACUTE_RESPIRATORY_DISTRESS = 6
    DEEP_VEIN_THROMBOSIS = 7
    PULMONARY_EMBOLISM = 8
    COMPARTMENT_SYNDROME = 9
    TRANSFUSION_REACTION = 10
    ORGAN_FAILURE = 11


class Limb(Code):
    """The limb of a complication."""

    NO_LIMB = 0
    """None, or not known."""
    RIGHT_ARM = 1
    LEFT_ARM = 2
    RIGHT_LEG = 3
    LEFT_LEG = 4


LIMBS = len(Limb)
"""What a `Complication` is multiplied with in `detail` of Event.COMPLICATION."""


class Risk(Code):
    """What makes a complication more likely: the words of `complication_risks.csv`. Its bit is 1 << the member."""

    OPEN_WOUND = 0
    OPEN_FRACTURE = 1
    LONG_BONE_FRACTURE = 2
    PELVIS_OR_SPINE_FRACTURE = 3
    LIMB_AT_RISK = 4
    """A vessel, crush or fracture of forearm or leg that may raise the pressure in a compartment."""
    LOWER_LIMB_AMPUTATION = 5
    BOWEL_INJURY = 6
    LAPAROTOMY = 7
    """A wound calls for an operation in the belly, and the casualty has been operated on."""
    BURN = 8
    BURN_OVER_20 = 9
    CHEST_INJURY = 10
    BRAIN_INJURY = 11
    """Moderate or severe."""
    FASCIOTOMY = 12
    """A wound calls for a fasciotomy, and the casualty has been operated on."""
    OPERATED = 13
    INTENSIVE_CARE = 14
    VENTILATED = 15
    """Has been on the ventilator in intensive care."""
    SHOCK = 16
    """Bled for so long before the first facility that it shows."""
    TRANSFUSED = 17
    MASSIVE_TRANSFUSION = 18
    """Ten units or more."""
    TOURNIQUET_OVER_2_HOURS = 19
    NISS_9 = 20
    """NISS of 9 or more."""
    NISS_16 = 21
    NISS_25 = 22


class CarePlace(Code):
    """Where care by need is given: what can be done differs."""

    POINT_OF_INJURY = 0
    ON_THE_WAY = 1
    """On the way from the point of injury to the first facility."""
    ROLE_1 = 2
    ROLE_2 = 3
    ROLE_3 = 4
    """Role 3 or 4."""


class Effect(Code):
    """Effect of a treatment on the lethal mechanism."""

    SUPPORTIVE = 0
    """The treatment was not aimed at the lethal mechanism, or there was none."""
    EFFECTIVE = 1
    """The treatment worked against the lethal mechanism."""
    INEFFECTIVE = 2
    """The treatment was aimed at the lethal mechanism and failed."""


class Outcome(Code):
    """Outcome of a casualty: column `status`."""

    KIA = 0
    """Killed in action: a battle casualty who died before reaching an MTF."""
    DOW = 1
    """Died of wounds: a battle casualty who died after reaching an MTF."""
    DIED_NONBATTLE = 2
    """A non-battle casualty who died."""
    RTD = 3
    """Returned to duty."""
    EVACUATED = 4
    """Reached Role 4."""
    DISCHARGED = 5
    """Left the force at Role 4, under transition-matrix routing."""
    IN_CARE = 6
    """Still a patient at the horizon."""


class DeathCause(Code):
    """Cause of death. A lethal mechanism m is cause 1 + m."""

    INSTANTLY_FATAL_INJURY = 0
    TBI = 1 + LethalMechanism.TBI
    AIRWAY = 1 + LethalMechanism.AIRWAY
    TENSION_PNEUMOTHORAX = 1 + LethalMechanism.TENSION_PNEUMOTHORAX
    TORSO_HAEMORRHAGE = 1 + LethalMechanism.TORSO_HAEMORRHAGE
    JUNCTIONAL_HAEMORRHAGE = 1 + LethalMechanism.JUNCTIONAL_HAEMORRHAGE
    EXTREMITY_HAEMORRHAGE = 1 + LethalMechanism.EXTREMITY_HAEMORRHAGE
    AGENT = 1 + LethalMechanism.AGENT
    NON_BATTLE_INJURY = 1 + LethalMechanism.NON_BATTLE_INJURY
    DISEASE = 1 + LethalMechanism.DISEASE
    LATE_COMPLICATIONS = 10
    """Sepsis or organ failure of a severely wounded casualty after the first admission, operated on or not."""
    TRANSITION = 11
    """Death drawn from the matrix, under transition-matrix routing."""
    FACILITY_HIT = 12
    """Killed in a facility that was hit."""


class WaitingFor(Code):
    """What a casualty was waiting for at death or at the horizon."""

    FIRST_AID = 0
    EVACUATION = 1
    TRANSPORT = 2
    """Already in a vehicle: waiting to arrive. A casualty who waits for a vehicle waits for EVACUATION."""
    TRIAGE = 3
    TREATMENT = 4
    SURGERY = 5
    RECOVERY = 6
    ICU_BED = 7
    WARD_BED = 8
    PLACE = 9
    """At a full facility, for a place."""


EVENTS = Event.labels()
TREATMENTS = Treatment.labels()
EFFECTS = Effect.labels()
OUTCOMES = Outcome.labels()
DEATH_CAUSES = DeathCause.labels()
WAITING_FOR = WaitingFor.labels()
COMPLICATIONS = Complication.labels()
RISKS = Risk.labels()

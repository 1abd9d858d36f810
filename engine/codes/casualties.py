"""Who and what the casualties are: streams, mechanisms, body regions, triage, and what is wrong with them."""

from engine.codes.base import Code

NONE = 255
"""In a one-byte column of codes: no value."""


class Stream(Code):
    """How a person became a casualty."""

    BATTLE = 0
    """Battle injury by enemy action, CBRN agents included."""
    NBI = 1
    """Non-battle injury."""
    DISEASE = 2
    """Disease, psychological casualties included."""


class CasualtyKind(Code):
    """Kind of casualty: selects the tables that describe the condition."""

    WOUNDED = 0
    """Weapon wounds, each with region and AIS."""
    AGENT = 1
    """A CBRN agent."""
    NBI = 2
    """An accident."""
    DISEASE = 3
    """An illness."""
    PSYCHOLOGICAL = 4
    """A psychological casualty; it arrives as DISEASE and becomes one when its condition is drawn."""


class Mechanism(Code):
    """Mechanism of injury."""

    EXPLOSION = 0
    GUNSHOT = 1
    OTHER = 2
    """Another weapon; the last of the mechanisms of wounds."""
    CBRN = 3
    ACCIDENT = 4
    ILLNESS = 5
    PSYCHOLOGICAL = 6


class Sex(Code):
    """Sex of a person."""

    FEMALE = 0
    MALE = 1


class Region(Code):
    """Body region of a wound (docs/model.md section 2.4)."""

    HEAD = 0
    EYES = 1
    EARS = 2
    FACE = 3
    NECK = 4
    THORAX = 5
    ABDOMEN = 6
    UPPER_LIMB = 7
    """The first of the limbs."""
    LOWER_LIMB = 8


SIDED_REGIONS = ("eyes", "ears", "thorax", "upper_limb", "lower_limb")
"""Labels of the regions that have a left and a right side."""


class IssRegion(Code):
    """Body region of the Injury Severity Score (Baker 1974; docs/model.md section 2.4.2)."""

    HEAD_NECK = 0
    FACE = 1
    CHEST = 2
    ABDOMEN = 3
    EXTREMITIES = 4
    EXTERNAL = 5


SIDES = ("", "left", "right")
"""Labels of the sides of the body; 0 for a region without sides."""


class LethalMechanism(Code):
    """What kills a casualty whose survival clock runs out (docs/model.md section 2.5.2)."""

    TBI = 0
    """Traumatic brain injury."""
    AIRWAY = 1
    """Obstructed airway."""
    TENSION_PNEUMOTHORAX = 2
    TORSO_HAEMORRHAGE = 3
    """The first of the three haemorrhages."""
    JUNCTIONAL_HAEMORRHAGE = 4
    EXTREMITY_HAEMORRHAGE = 5
    """The last of the haemorrhages, and of the mechanisms of wounds."""
    AGENT = 6
    """A CBRN agent."""
    NON_BATTLE_INJURY = 7
    DISEASE = 8


class TriageCategory(Code):
    """Triage category; a smaller number is more urgent. 0 means not triaged."""

    T1 = 1
    """Immediate."""
    T2 = 2
    """Urgent."""
    T3 = 3
    """Delayed."""
    T4 = 4
    """Expectant; assigned only under a declared MASCAL policy (docs/model.md section 2.6.3)."""


TRIAGE = ("", *(category.name for category in TriageCategory))
"""Labels by triage category; index 0 is not triaged."""

CATEGORY_COUNT = len(TRIAGE)
"""Length of an array that is indexed by triage category; index 0 is not used."""

PRECEDENCES = ("", "urgent", "priority", "routine")
"""Labels of the precedence of an evacuation request."""


class ConditionFlag(Code):
    """Bits of a condition, which decide on its treatment."""

    FRACTURE = 1
    AMPUTATION = 2
    VESSEL = 4
    """An injured vessel of a limb."""
    BURN = 8
    EYE = 16
    PNEUMOTHORAX = 32


class CareNeed(Code):
    """Kind of care that an illness or accident calls for."""

    MEDICAL = 0
    MUSCULOSKELETAL = 1
    FLUIDS = 2
    COOLING = 3
    REWARMING = 4
    FRACTURE = 5
    SURGICAL = 6


STREAMS = Stream.labels()
CASUALTY_KINDS = CasualtyKind.labels()
MECHANISMS = Mechanism.labels()
SEXES = Sex.labels()
REGIONS = Region.labels()
ISS_REGIONS = IssRegion.labels()
LETHAL_MECHANISMS = LethalMechanism.labels()

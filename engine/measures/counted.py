"""What is counted of the patients, and where `Measures` has it."""

from enum import IntEnum

from engine.codes import TriageCategory

DAY = 86_400_000
"""ms"""

LAST_DAY = 50_000
"""Days that are counted one by one. What happens after them is counted by role only, in `Measures.later`."""

ROLES = 5
"""Role 0 is everything before Role 1: the point of injury, staging units and the way between facilities."""


GROUPS = 1 + len(TriageCategory)
"""Groups of patients: all, then by true category, T1 to T3 and T4, which is true only under expectant care. The fronts
follow.
"""

STANDARD = {"first_care": 10, "role2": 60, "surgery": 120}
"""The 10-1-2 standard, in minutes: care within 10 minutes, Role 2 within 1 hour, surgery within 2 hours. The names are
columns of PATIENT.
"""


class Daily(IntEnum):
    """What is counted by day and role."""

    ARRIVALS = 0
    """First arrivals at a facility of the role."""
    RETURNED_TO_DUTY = 1
    """Returns to duty from it."""
    LITTERS = 2
    """Departures of patients who need a litter: T1 and T2 (a planning assumption, as in `engine.kernel.vehicles`)."""
    SEATS = 3
    """Departures of those who can sit."""
    TRANSFUSIONS = 4
    """Transfusions there."""
    OPERATIONS = 5
    """Operations there, damage control and definitive."""


class Took(IntEnum):
    """Times that are measured, from the injury (for agents the exposure); `Delays` has that to surgery."""

    FIRST_CARE = 0
    ROLE1 = 1
    ROLE2 = 2


class ByStream(IntEnum):
    """What is counted by stream."""

    RTD72 = 0
    """Patients back on duty within 72 hours."""
    ARRIVED = 1
    """Patients who reached an MTF."""
    ARRIVED_RTD72 = 2
    """Patients of whom both is true."""


class ByRole(IntEnum):
    """What is summed by role over the injured (ISS above 0) who reach it; role 0: over all injured."""

    INJURED = 0
    """Their number."""
    ISS = 1
    NISS = 2


class Operation(IntEnum):
    """Kinds of operation that are counted by place."""

    DAMAGE_CONTROL = 0
    DEFINITIVE = 1


class DelayStage(IntEnum):
    """Stages of the time from injury to the first operation: `STAGE_MEANINGS`. Each millisecond belongs to one."""

    POINT_OF_INJURY = 0
    VEHICLE = 1
    TRAVEL = 2
    TRIAGE = 3
    PREPARATION = 4
    BAY = 5
    TREATMENT = 6
    TEAM = 7
    TABLE = 8
    BLOCKED = 9
    OTHER = 10


STAGES = tuple(member.name.lower() for member in DelayStage)
"""Names of `DelayStage`."""

STAGE_MEANINGS = dict(
    zip(
        STAGES,
        (
            "from the injury to the request for a vehicle: first aid, and the time before it",
            "from the request to the departure: the preparation for the journey, waiting for a vehicle, or for a "
            "facility with room; loading",
            "from the departure to the arrival, unloading included",
            "from the arrival to the end of triage: waiting at the door or for a triage team, and triage",
            "the model's fixed times between triage and treatment, and between treatment and the operation",
            "waiting for a treatment bay",
            "care or resuscitation in a bay",
            "waiting for an operating table while fewer surgical teams are on shift than there are tables",
            "waiting for an operating table at any other time",
            "treated, and waiting for a bed before the next move",
            "stays in a bed, at a staging unit or in decontamination before the operation",
        ),
        strict=True,
    )
)
"""By name of the stage."""

TO_SURGERY = len(DelayStage)
"""After the stages: all of them together, the time from injury to the first operation."""

DAILY, TIMES = (tuple(member.name.lower() for member in members) for members in (Daily, Took))
"""Names of `Daily`, and of `Took`: columns of PATIENT."""

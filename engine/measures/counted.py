"""What is counted of the patients, and where `Measures` has it."""

from enum import IntEnum

DAY = 86_400_000
"""ms"""

LAST_DAY = 50_000
"""Days that are counted one by one. What happens after them is counted by role only, in `Measures.later`."""

ROLES = 5
"""Role 0 is everything before Role 1: the point of injury, staging units and the way between facilities."""


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


class Took(IntEnum):
    """Times that are measured, from the injury (for agents the exposure)."""

    FIRST_CARE = 0
    ROLE1 = 1
    ROLE2 = 2
    SURGERY = 3


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
            "from the request to the departure: waiting for a vehicle, or for a facility with room; loading",
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

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


DAILY, TIMES = (tuple(member.name.lower() for member in members) for members in (Daily, Took))
"""Names of `Daily`, and of `Took`: columns of PATIENT."""

"""The codes of the event kernel: stages, entries of the calendar, decisions, and why the kernel returns."""

from collections.abc import Mapping

from engine.codes import NONE, Code


def by_code(values: Mapping[Code, int], codes: type[Code]) -> tuple[int, ...]:
    """Return `values` as a tuple that compiled functions can index by code; NONE where there is no value."""
    return tuple(int(values.get(code, NONE)) for code in codes)


class Stage(Code):
    """What is due next for a casualty (docs/model.md section 2.7)."""

    FIRST_AID = 0
    """First aid, at the point of injury or on the way."""
    REQUEST = 1
    """Triage by the first responder, and the evacuation request."""
    DEPART = 2
    """Leaves the point of injury."""
    ARRIVE = 3
    """Reaches the next place."""
    DECONTAMINATED = 4
    """Decontamination ends."""
    TRIAGE = 5
    """Triage ends: a category is assigned."""
    TREAT = 6
    """Resuscitation or care begins; takes a treatment bay."""
    TREATED = 7
    """It ends."""
    SURGERY = 8
    """Damage control surgery begins; takes an operating table."""
    OPERATED = 9
    """It ends."""
    DEFINITIVE_SURGERY = 10
    """The definitive operation begins; takes an operating table."""
    DEFINITIVE_DONE = 11
    """It ends."""
    ICU = 12
    """Intensive care begins where it is needed; takes an ICU bed."""
    DISPOSITION = 13
    """Return to duty here or evacuation onwards; takes a ward bed."""
    RETURN = 14
    """Returns to duty, or leaves the force at Role 4."""
    CLOSED = 15
    """The outcome is fixed."""
    ADMIT = 16
    """Enters a facility; takes a place."""
    START_TRIAGE = 17
    """Triage begins; takes a triage team."""
    RESUME = 18
    """Care resumes after a bump; takes a treatment bay."""
    AWAIT_TRANSPORT = 19
    """Waits for a vehicle."""
    LEAVE = 20
    """Leaves a facility with a vehicle."""
    AWAIT_OPERATION = 21
    """On the ward until a further operation is due; takes a ward bed."""
    REOPERATION = 22
    """A further operation begins; takes an operating table."""
    REOPERATED = 23
    """It ends."""
    COMPLICATION = 24
    """A complication occurs on the ward: return to duty here or evacuation onwards is decided again."""
    FIT_TO_TRAVEL = 25
    """Has recovered, and the journey is arranged: evacuation onwards is requested."""
    REMAINS = 26
    """The remains are to be moved: asks for a vehicle. From this stage on the casualty is dead."""
    AWAIT_COLLECTION = 27
    """The remains wait for a vehicle."""
    COLLECT = 28
    """The remains leave with a vehicle."""
    DELIVER = 29
    """The remains reach the next facility."""


LAST_POI_STAGE = Stage.DEPART
"""Stages up to this one come before arrival at the first facility. First aid may be given on the way there."""

REQUEST_SHARE, DEPARTURE_SHARE = 0, 1
"""Indices of `request_shares`: the shares of the first leg at which evacuation is requested and begins."""


class EntryKind(Code):
    """Kinds of entry in the calendar, in the order in which ties are broken (docs/model.md section 2.8.7).

    `subject` is a slot (PATIENT, RETRIAGE), resource (RELEASE), candidate (PICK_UP), pool, facility, way or world
    event.
    """

    WORLD = 0
    """A world event of the scenario."""
    ROSTER = 1
    """A shift begins; `version` is its number in the roster."""
    SERVE = 2
    """What a world event of this instant has made available goes to those who wait: at the facility `subject` and for
    transport to it (`version` 0), or for a vehicle of the pool `subject` (1)."""
    VEHICLE_RETURN = 3
    """A vehicle is back at its base."""
    RELEASE = 4
    """A resource is released at a time known in advance; with `version` 1, a place at the facility `subject`."""
    PICK_UP = 5
    """A vehicle reaches those it was sent for: patients (`version` 0) or the dead (1)."""
    PATIENT = 6
    """Something is due for a patient. The entry is void unless `version` is still the casualty's."""
    LIFT = 7
    """A scheduled lift leaves."""
    RESUPPLY = 8
    """Blood is delivered."""
    SURGE = 9
    """Surge places open."""
    WAKE = 10
    """Dispatch is tried again: for a pool that could not move (`version` 0), or for a way (1)."""
    RETRIAGE = 11
    """A waiting patient is triaged again, unless the wait ends at this instant; `version` as for PATIENT."""
    SAMPLE = 12
    """The time series takes a sample."""


ENTRY_KIND_SHIFT = 48
"""An entry's tie is its kind shifted left by this many bits, plus an order among entries of the same kind."""

WAY_WAKE_ORDER = 1 << 16
"""Order of the WAKE entry of way 0; the entries of ways come after those of pools."""

REMAINS_ORDER = 1 << 16
"""Order of the PICK_UP entry of candidate 0 for the dead; the entries for the dead come after those for patients."""


class Decision(Code):
    """What the decision pass logs of a casualty for the replay pass, in the order of time."""

    GRANT = 0
    """Gets the resource it asked for; the value holds bits of `GrantFlag`."""
    RIDE = 1
    """Gets a ride; the value is the candidate. Two TIME entries follow: departure and arrival."""
    TIME = 2
    """Departure or arrival time of the preceding RIDE."""
    COLLECTION = 3
    """The remains get a ride; the value and the two TIME entries that follow are those of RIDE."""
    BUMPED = 4
    """Is bumped from a treatment bay. This and the codes below interrupt a casualty."""
    KILLED = 5
    """Killed in a facility that is hit."""
    REQUEUED = 6
    """Survives a hit on the facility and starts again with triage."""


FIRST_INTERRUPTION = Decision.BUMPED
"""From this code on, a decision interrupts a casualty."""


class GrantFlag(Code):
    """Bits of the value of a grant."""

    SURGE_PLACE = 1
    """In a surge place, where the clock runs faster."""
    NO_BLOOD = 2
    """Resuscitation without blood."""


GRANTED_BLOOD_SHIFT = 2
"""From this bit on, the value of a grant holds the units of blood; 0 where the stock decides nothing."""


class Demand(Code):
    """What a patient who waits for transport demands of a vehicle and its destination."""

    LITTER = 0
    """A litter."""
    SURGERY = 1
    """A litter, and a destination that operates if there is one."""
    SEAT = 2
    """A seat, or a litter where no seat is left."""
    SURGERY_SEAT = 3
    """As `SEAT`, and a destination that operates if there is one."""


DEMAND_COUNT = len(Demand)


class Recovery(Code):
    """Whose remains are moved (docs/model.md section 2.9.5)."""

    NONE = 0
    BEFORE_ADMISSION = 1
    """Of those who die before they reach an MTF."""
    ALL = 2


NO_VEHICLE = -2
"""In the column of pools that move the dead: none does."""


class KernelExit(Code):
    """Why the kernel returned. From DEADLOCK on the run has failed."""

    RUNNING = 0
    """The run is not over: returned after MAX_STEPS entries and visits so that Ctrl-C works."""
    CHUNK_FULL = 1
    """The output holds as many patients as were asked for."""
    NEEDS_ARRIVALS = 2
    FINISHED = 3
    """All patients are closed."""
    HORIZON = 4
    """Reached the horizon; patients may still be open."""
    DEADLOCK = 5
    """Nothing can happen any more, and patients are waiting."""
    TABLES_FULL = 6
    """A table is full: `full_table` of the state says which."""
    CONTRADICTION = 7
    """The two passes came to different outcomes: an error in the program."""
    NOT_IN_QUEUE = 8
    """A patient was to leave a queue for transport without being in it: an error in the program."""


class FullTable(Code):
    """Which table of the kernel is full."""

    SLOTS = 0
    """The slots of open patients."""
    DECISIONS = 1
    """The decision logs and pending releases."""
    CALENDAR = 2
    OUTPUT = 3
    """The records that are to be written."""


class ServiceTime(Code):
    """Service times that a facility may set."""

    TRIAGE = 0
    CARE = 1
    RESUSCITATION = 2
    SURGERY = 3
    ICU = 4


class FieldTime(Code):
    """Times at the point of injury that a front may have (docs/model.md section 2.7.2), in the order of
    `PointOfInjury`.
    """

    FIRST_AID_AFTER = 0
    TREATMENT = 1
    TRIAGE_AFTER = 2
    TRIAGE = 3


class DestinationPolicy(Code):
    """How a destination is chosen."""

    CLOSEST = 0
    SPREAD_OUT = 1
    """At random."""
    LEAST_LOADED = 2


class PlaceCount(Code):
    """Which patients of a facility are counted."""

    NONE = 0
    UNTIL_DEPARTURE = 1
    """Those on the way and inside: where places are limited, or the destination is the least loaded."""
    UNTIL_CARE_ENDS = 2
    """Those on the way and in care, because another facility is equally close and places are not limited. The load is
    their number divided by the units of its scarcest resource."""


class WorldEventKind(Code):
    """Kinds of world event in a scenario."""

    OPEN = 0
    """A facility opens."""
    CLOSE = 1
    HIT = 2
    """A facility is hit; the value is the share of capacity lost."""
    HIT_END = 3
    """The capacity lost in a hit is available again."""
    VEHICLES_OUT = 4
    """Vehicles go out of use; the value is their number."""
    VEHICLES_BACK = 5


class MatrixOutcome(Code):
    """Outcomes under transition-matrix routing. Values 1 to 4 are the role that the casualty goes to next."""

    DEAD = 5
    RETURNED = 6

"""The columns a simulation is made of: one documented dtype per table, the code lists behind the codes, and `Chunk`.

Every table is a NumPy structured array. Times are integer milliseconds from the scenario's start; -1 means "never".
Codes index the tuples of this module; `condition`, `cause`, `nation`, `rank`, names and blood groups index the
catalogues of `scenarios.catalogue`; `front`, `type`, `special` and `facility` index the lists of the scenario.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

STREAMS = ("battle", "nbi", "disease")
"""Stream of a casualty: battle injury (CBRN by enemy action included), non-battle injury, disease."""

KINDS = ("wounded", "agent", "nbi", "disease", "psychological")
"""Which tables describe the casualty: weapon wounds, CBRN agent, non-battle injury, disease, psychological."""
WOUNDED, AGENT, NBI, DISEASE, PSYCHOLOGICAL = range(5)

MECHANISMS = ("explosion", "gunshot", "other", "cbrn", "accident", "illness", "psychological")
"""Mechanism of the injury; the first three belong to weapon wounds (MODEL section 3)."""

SEXES = ("female", "male")

REGIONS = ("head", "eyes", "ears", "face", "neck", "thorax", "abdomen", "upper_limb", "lower_limb")
"""Body regions of a wound, in the order of MODEL section 3's table."""

ISS_REGIONS = ("head_neck", "face", "chest", "abdomen", "extremities", "external")

SIDES = ("", "left", "right")
SIDED_REGIONS = ("eyes", "ears", "thorax", "upper_limb", "lower_limb")

LETHAL_MECHANISMS = (
    "tbi",
    "airway",
    "tension_pneumothorax",
    "torso_haemorrhage",
    "junctional_haemorrhage",
    "extremity_haemorrhage",
    "agent",
    "non_battle_injury",
    "disease",
)
"""What kills a casualty whose clock runs out; 255 in the columns where nothing would."""

DEATH_CAUSES = (
    "instantly_fatal_injury",
    *LETHAL_MECHANISMS,
    "late_complications",
    "transition",
    "facility_hit",
)
"""Cause of death; 255 for the living. `transition` is a death drawn under transition-matrix routing."""
DEATH_INSTANT = 0
DEATH_LATE = 10
DEATH_TRANSITION = 11
DEATH_HIT = 12

WAITING_FOR = (
    "first_aid",
    "evacuation",
    "transport",
    "triage",
    "treatment",
    "surgery",
    "recovery",
    "icu_bed",
    "ward_bed",
    "place",
)
"""What a casualty who died (or is in care at the horizon) was waiting for; 255 for the others."""

TRIAGE = ("", "T1", "T2", "T3", "T4")
PRECEDENCES = ("", "urgent", "priority", "routine")

STATUSES = ("kia", "dow", "died_nonbattle", "rtd", "evacuated", "discharged", "in_care")
KIA, DOW, DIED_NONBATTLE, RTD, EVACUATED, DISCHARGED, IN_CARE = range(7)

EVENTS = (
    "injured",
    "fell_ill",
    "exposed",
    "symptom_onset",
    "first_aid",
    "triaged",
    "evacuation_requested",
    "departed",
    "arrived",
    "decontamination_started",
    "decontamination_ended",
    "care_started",
    "care_ended",
    "resuscitation_started",
    "resuscitation_ended",
    "surgery_started",
    "surgery_ended",
    "definitive_surgery_started",
    "definitive_surgery_ended",
    "icu_admitted",
    "ward_admitted",
    "returned_to_duty",
    "died",
    "left_theatre",
    "discharged",
    "in_care_at_horizon",
    "waiting",
    "bumped",
    "care_resumed",
    "refused",
    "facility_hit",
    "staged",
)
"""Kinds of event. `detail` holds the triage category of `triaged`, the precedence of `evacuation_requested`
(codes of TRIAGE and PRECEDENCES), what is waited for of `waiting` (an index of AWAITED), else 0."""

AWAITED = ("triage_team", "treatment_bay", "operating_table", "icu_bed", "ward_bed", "place", "transport")
"""What a casualty waits for where it is finite: the resources of a facility, then transport."""

TREATMENTS = (
    "tourniquet",
    "pressure_dressing",
    "haemostatic_dressing",
    "airway_adjunct",
    "needle_decompression",
    "autoinjector",
    "analgesia",
    "splint",
    "wound_care",
    "antibiotics",
    "iv_access",
    "blood_transfusion",
    "tranexamic_acid",
    "chest_drain",
    "intubation",
    "decontamination",
    "atropine_and_oxime",
    "laparotomy",
    "thoracotomy",
    "craniotomy",
    "neck_exploration",
    "vascular_repair",
    "external_fixation",
    "wound_debridement",
    "amputation",
    "eye_repair",
    "surgical_airway",
    "critical_care",
    "ward_care",
    "definitive_surgery",
    "fracture_fixation",
    "medication",
    "rehydration",
    "psychological_support",
    "physiotherapy",
    "cooling",
    "rewarming",
    "observation",
    "emergency_care",
)
"""Kinds of treatment."""

EFFECTS = ("supportive", "effective", "ineffective")
"""`effective`: it acted on what would have killed; `ineffective`: it was meant to and did not; else `supportive`."""

AT_POI = -1
EN_ROUTE = -2
"""Values of a `facility` column that are not an index of the scenario's facilities."""

NONE = 255
"""'None of them' in the one-byte code columns that may be empty."""

ARRIVAL = np.dtype(
    [
        ("time", "i8"),  # ms from the start: the injury, exposure or falling ill
        ("id_hi", "u8"),  # the 128 bits of the patient's UUID
        ("id_lo", "u8"),
        ("cell", "u8"),  # key of the cell in the random streams
        ("incident", "u8"),  # id of the incident
        ("incident_time", "i8"),  # ms: when the incident began
        ("index", "u4"),  # index within the cell
        ("incident_size", "i4"),  # casualties of the incident
        ("front", "u2"),  # index of scenario.fronts
        ("kind", "u1"),  # KINDS; psychological casualties arrive as `disease`
        ("type", "u1"),  # index of scenario.warfare, NONE without warfare type
        ("special", "u1"),  # index of scenario.events, NONE outside special events
    ],
    align=True,
)
"""One casualty as `engine.arrivals.generate` hands it on, sorted by (time, id_hi, id_lo)."""

PATIENT = np.dtype(
    [
        ("id_hi", "u8"),
        ("id_lo", "u8"),
        ("incident", "u8"),
        ("incident_time", "i8"),
        ("time", "i8"),  # injury, exposure or falling ill
        ("onset", "i8"),  # when the survival clock starts: `time`, or the symptom onset of agent casualties
        ("closed", "i8"),  # when the outcome was fixed
        ("untreated_death", "i8"),  # when the casualty would have died without any care; -1: never
        ("first_care", "i8"),  # first aid or first treatment
        ("role1", "i8"),  # arrivals at the door
        ("role2", "i8"),
        ("role3", "i8"),
        ("role4", "i8"),
        ("surgery", "i8"),  # start of the first operation
        ("service_number", "u4"),
        ("incident_size", "i4"),
        ("birth", "i4"),  # days from 1970-01-01
        ("event_end", "u4"),  # exclusive ends of the patient's rows in the chunk's other tables
        ("treatment_end", "u4"),
        ("wound_end", "u4"),
        ("vital_end", "u4"),
        ("front", "u2"),
        ("nation", "u2"),
        ("given_name", "u2"),  # index of the nation's male_given or female_given
        ("family_name", "u2"),  # index of the nation's male_family or female_family
        ("unit", "u2"),
        ("condition", "u2"),  # main diagnosis: that of the worst wound, or the illness
        ("cause", "u2"),  # external cause; 65535 without
        ("facility", "i2"),  # where the outcome fell
        ("type", "u1"),
        ("special", "u1"),
        ("stream", "u1"),
        ("kind", "u1"),
        ("mechanism", "u1"),
        ("sex", "u1"),
        ("age", "u1"),
        ("rank", "u1"),
        ("blood_group", "u1"),
        ("weight", "u1"),  # kg
        ("iss", "u1"),
        ("niss", "u1"),
        ("worst_ais", "u1"),
        ("triage", "u1"),  # true category, 1..3
        ("severity", "u1"),  # of agent casualties: 0 mild .. 3 very severe; else NONE
        ("lethal", "u1"),  # LETHAL_MECHANISMS or NONE
        ("mascal", "u1"),  # 1: the incident passed the scenario's MASCAL threshold
        ("rtd72", "u1"),  # 1: returned to duty within 72 h of the injury
        ("status", "u1"),
        ("death_cause", "u1"),
        ("waiting_for", "u1"),
    ],
    align=True,
)
"""One row per patient, in record order."""

EVENT = np.dtype(
    [("at", "i8"), ("patient", "i4"), ("facility", "i2"), ("kind", "u1"), ("detail", "u1")], align=True
)
"""The event log: one row per change of state; `patient` is the row of the chunk's patients."""

TREATMENT = np.dtype(
    [
        ("start", "i8"),
        ("end", "i8"),
        ("patient", "i4"),
        ("facility", "i2"),  # AT_POI for first aid
        ("kind", "u1"),
        ("effect", "u1"),
        ("wound", "u1"),  # index among the patient's wounds, NONE where it treats no single wound
    ],
    align=True,
)

WOUND = np.dtype(
    [("patient", "i4"), ("condition", "u2"), ("region", "u1"), ("side", "u1"), ("ais", "u1")], align=True
)

VITAL = np.dtype(
    [
        ("at", "i8"),
        ("patient", "i4"),
        ("facility", "i2"),
        ("score", "i2"),  # health score in tenths, 0..200 (MODEL section 4)
        ("heart_rate", "u1"),  # per minute
        ("systolic", "u1"),  # mmHg
        ("respiratory_rate", "u1"),  # per minute
        ("spo2", "u1"),  # %
        ("gcs", "u1"),  # 3..15
    ],
    align=True,
)
"""Vital signs and health score, taken at the door of each MTF and after resuscitation and surgery."""

LEFT = np.dtype([("at", "f8"), ("turn", "i8")], align=True)
"""When a patient's record was told: ms, and the turn among all that happens at the same time: ARRIVES plus the number
of the arrival, the largest tie of the calendar's entries so far, or AT_HORIZON plus that number. Both together never
become less from one patient to the next."""

ARRIVES, AT_HORIZON = -(1 << 62), 1 << 62

TABLES = {"patients": PATIENT, "events": EVENT, "treatments": TREATMENT, "wounds": WOUND, "vitals": VITAL}

ENDS = {"events": "event_end", "treatments": "treatment_end", "wounds": "wound_end", "vitals": "vital_end"}
"""Tables with rows of the patients, and the column of PATIENT that says where those of a patient end."""

PART = 65_536
"""Patients in a part (DESIGN); Parquet parts hold a quarter. Chunks never cross a multiple of PARQUET_PART."""
PARQUET_PART = 16_384

Table = NDArray[np.void]


def _empty(dtype: "np.dtype[np.void]") -> Table:
    return np.empty(0, dtype)


@dataclass(slots=True)
class Chunk:
    """Consecutive patients in record order with all their rows.

    `first` is the index of the first patient in the run; `number` counts chunks. The run's last chunk has
    `last` set; a run without a single casualty is one empty chunk that is both first and last. `left`, a row a patient,
    is filled only where the fronts of a run are simulated apart (`engine.run.merging`).
    """

    number: int
    first: int
    last: bool
    patients: Table = field(default_factory=lambda: _empty(PATIENT))
    events: Table = field(default_factory=lambda: _empty(EVENT))
    treatments: Table = field(default_factory=lambda: _empty(TREATMENT))
    wounds: Table = field(default_factory=lambda: _empty(WOUND))
    vitals: Table = field(default_factory=lambda: _empty(VITAL))
    left: Table = field(default_factory=lambda: _empty(LEFT))

    def __len__(self) -> int:
        return len(self.patients)


def numbered(take: Callable[[int], Chunk], chunk_size: int, close: Callable[[], None]) -> Iterator[Chunk]:
    """The chunks of a run, the last one marked: `take(n)` gives the next `n` patients, fewer only where the run ends.

    `close` is called when there are no more, before the last chunk comes out.
    """
    number = first = 0
    pending: Chunk | None = None
    while True:
        chunk = take(min(chunk_size, PARQUET_PART - first % PARQUET_PART))
        chunk.number, chunk.first = number, first
        if not len(chunk):
            break
        if pending is not None:
            yield pending
        pending = chunk
        number += 1
        first += len(chunk)
    pending = chunk if pending is None else pending
    pending.last = True
    close()
    yield pending

"""The schema of the patient record: every field, declared once.

The Structs are the record in `jsonl`, `json` and `msgpack` files. Each field says what it means, where its value comes
from and which column of the flat tables it is (`engine.records.fields`). The files, the tables in memory, the JSON
Schema and docs/records.md all follow from these declarations. Longer than 600 lines because every field is declared
here, with what it means.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import UNSET, Meta, Struct, UnsetType

from engine.codes import (
    AWAITED,
    CASUALTY_KINDS,
    COMPLICATIONS,
    DEATH_CAUSES,
    EFFECTS,
    EN_ROUTE,
    EVENTS,
    ISS_REGIONS,
    LETHAL_MECHANISMS,
    LIMBS,
    MECHANISMS,
    NONE,
    OUTCOMES,
    PRECEDENCES,
    REGIONS,
    SEXES,
    SIDES,
    STREAMS,
    TREATMENTS,
    TRIAGE,
    WAITING_FOR,
)
from engine.records.burns import burnt_of_patients
from engine.records.code_tables import (
    AGENT_SEVERITIES,
    AGENTS,
    Codes,
    incident_ids,
    iss_regions,
    uuids,
)
from engine.records.doses import avpu_codes, dose_values, drugs, routes
from engine.records.fields import (
    Composed,
    Constant,
    Date,
    Digits,
    GroupText,
    Identifier,
    Label,
    Looked,
    Number,
    Rows,
    Source,
    Text,
    TextPair,
    Time,
    View,
    field,
)
from engine.records.movements import NOWHERE, PLATFORMS, escorts, movement_rows
from engine.records.narratives import (
    MIST_PARTS,
    NARRATIVE_PARTS,
    allergy_values,
    history_values,
    medication_values,
    mist_texts,
    narrative_texts,
    posture_codes,
    protection_values,
)
from engine.records.operation_notes import (
    MOST_PROCEDURES,
    finding_texts,
    operation_rows,
    procedure_codes,
    procedure_texts,
)
from engine.records.outcome_notes import (
    LINES,
    TENTHS_OF_DAYS,
    coding_codes,
    coding_texts,
    death_lines,
    diagnosis_rows,
    duty_values,
    icu_tenths,
    ventilator_tenths,
)
from engine.records.patient_rows import ends_of, first_after, of_kinds, wound_rows
from engine.tables import COLDEST, ENDS, LOWEST_BASE_EXCESS, Table
from scenarios.catalogue import AVPU, POSTURES

NO_CODE = 65535
"""In a column of conditions: none."""

_COMPLICATION_DETAILS = tuple(label for label in COMPLICATIONS for _ in range(LIMBS))
DETAIL_COUNT = max(len(TRIAGE), len(PRECEDENCES), len(AWAITED), len(_COMPLICATION_DETAILS))
"""Number of values that the `detail` of an event may have: the row length of the tables below."""


def _texts_by_detail(labels: dict[str, tuple[str, ...]]) -> tuple[str | None, ...]:
    """Return a text for each kind of event and each value of `detail`, at DETAIL_COUNT * kind + detail.

    `labels` has the labels of `detail` by event. The text is None for other events, and where the label is empty.
    """
    return tuple(
        (labels.get(event, ())[detail : detail + 1] or ("",))[0] or None
        for event in EVENTS
        for detail in range(DETAIL_COUNT)
    )


EVENT_DETAILS = _texts_by_detail(
    {"triaged": TRIAGE, "evacuation_requested": PRECEDENCES, "complication": _COMPLICATION_DETAILS}
)
"""Texts of `Event.detail`, at DETAIL_COUNT * kind + detail."""

EVENT_AWAITED = _texts_by_detail({"waiting": AWAITED})
"""Texts of `Event.waiting_for`, at DETAIL_COUNT * kind + detail."""

_REQUESTED = EVENTS.index("evacuation_requested")
_TRIAGED = EVENTS.index("triaged")
_OPERATED = EVENTS.index("surgery_started")

_COMPLICATION = EVENTS.index("complication")


def _detail_codes(view: View) -> Codes:
    """Return the indices of EVENT_DETAILS and EVENT_AWAITED of each event."""
    codes: Codes = DETAIL_COUNT * view.rows["kind"].astype(np.int16) + view.rows["detail"]
    return codes


def _nation_and_sex(view: View) -> Codes:
    codes: Codes = len(SEXES) * view.rows["nation"].astype(np.int64) + view.rows["sex"]
    return codes


def _nation_and_service(view: View) -> Codes:
    afloat = view.code_tables.afloat.take(view.rows["front"].astype(np.int64), mode="clip")
    codes: Codes = 2 * view.rows["nation"].astype(np.int64) + afloat
    return codes


def _incident_types(view: View) -> Codes:
    return view.code_tables.incident_type_codes(view.rows)


def _iss_regions(view: View) -> Codes:
    return iss_regions(view.rows)


def _uuids(view: View) -> Any:
    return uuids(view.rows)


def _incident_texts(view: View) -> Any:
    return incident_ids(view.rows["incident"])


def _patient_ids(view: View) -> Any:
    return uuids(view.chunk.patients)


def _wound_numbers(view: View) -> Codes:
    """Return the index of each wound among the wounds of its patient."""
    starts = np.concatenate(([0], view.chunk.patients["wound_end"].astype(np.int64)))
    numbers: Codes = np.arange(len(view.rows)) - starts.take(view.rows["patient"])
    return numbers


def _first_precedences(view: View) -> Codes:
    """Return the precedence of each patient's first evacuation request, 0 without one."""
    events = view.chunk.events
    # In reverse order the first request of a patient is assigned last.
    requested = np.flatnonzero(events["kind"] == _REQUESTED)[::-1]
    precedences = np.zeros(len(view.rows), np.uint8)
    precedences[events["patient"][requested]] = events["detail"][requested]
    return precedences


def _triages(view: View) -> tuple[Table, Codes]:
    """Return the events that assign a triage category, and the ends of the patients' rows."""
    events = view.chunk.events
    triaged = events[events["kind"] == _TRIAGED]
    return triaged, np.bincount(triaged["patient"], minlength=len(view.chunk.patients)).cumsum()


_TOURNIQUETS = ("tourniquet", "junctional_tourniquet")
_CONVERSION = TREATMENTS.index("tourniquet_conversion")
_TOURNIQUET = np.dtype(
    [
        ("start", "i8"),
        ("off", "i8"),
        ("patient", "i4"),
        ("region", "u1"),
        ("side", "u1"),
        ("wound", "u1"),
        ("kind", "u1"),
    ]
)


def _tourniquets(view: View) -> tuple[Table, Codes]:
    """Return the tourniquets of all patients, by time, and the ends of the patients' rows."""
    patients, events, wounds = view.chunk.patients, view.chunk.events, view.chunk.wounds
    put = view.chunk.treatments
    put = put[of_kinds(put, [TREATMENTS.index(name) for name in _TOURNIQUETS])]
    rows = np.zeros(len(put), _TOURNIQUET)
    for name in ("start", "patient", "wound", "kind"):
        rows[name] = put[name]
    places = wound_rows(view.chunk, put["patient"], put["wound"])
    if len(wounds):
        found = wounds[np.maximum(places, 0)]
        rows["region"] = np.where(places < 0, NONE, found["region"])
        rows["side"] = np.where(places < 0, 0, found["side"])
    operated = events[events["kind"] == _OPERATED]
    after = first_after(operated, "at", put["patient"], put["start"])
    rows["off"] = np.where(after < 0, -1, operated["at"].take(np.maximum(after, 0))) if len(operated) else -1
    _convert(rows, view.chunk.treatments)
    return rows, ends_of(rows, len(patients))


def _convert(rows: Table, treatments: Table) -> None:
    """Let the tourniquets that are converted to a dressing come off then."""
    dressed = treatments[treatments["kind"] == _CONVERSION]
    key = rows["patient"].astype(np.int64) << 8 | rows["wound"]
    keys = dressed["patient"].astype(np.int64) << 8 | dressed["wound"]
    _, ours, theirs = np.intersect1d(key, keys, return_indices=True)
    rows["off"][ours] = dressed["start"][theirs]


def _complications(view: View) -> tuple[Table, Codes]:
    """Return the events that are complications, and the ends of the patients' rows."""
    events = view.chunk.events
    found = events[events["kind"] == _COMPLICATION]
    return found, np.bincount(found["patient"], minlength=len(view.chunk.patients)).cumsum()


def _table(name: str) -> Rows:
    """Return the rows of one of the chunk's tables."""
    return Rows(lambda view: (getattr(view.chunk, name), view.chunk.patients[ENDS[name]]))


_PLACE = "place: id of a facility, 'POI' (point of injury) or 'en route'"


def _place(table: str = "facilities") -> Source:
    """Return the source of a text by place: 0 en route, 1 POI, then the scenario's facilities."""
    return Text(table, "facility", EN_ROUTE)


def _label(labels: tuple[str, ...], column: str) -> Source:
    """Return the source of a label that is null where the code is 255."""
    return Label(labels, column, optional=True)


class Demographics(Struct, gc=False):
    """Personal details of the casualty. All of them are invented."""

    given_name: Annotated[
        str,
        field(
            "given name in Latin letters, usual in the nation",
            GroupText("given_names", _nation_and_sex, "given_name"),
        ),
    ]
    family_name: Annotated[
        str,
        field(
            "family name in Latin letters, usual in the nation",
            GroupText("family_names", _nation_and_sex, "family_name"),
        ),
    ]
    sex: Annotated[str, field("sex", Label(SEXES, "sex"))]
    birth_date: Annotated[str, field("date of birth, ISO 8601", Date("birth"))]
    age: Annotated[int, field("age when injured or falling ill", Number("age"), unit="years")]
    rank: Annotated[
        str, field("rank, in the nation's own term", GroupText("ranks", _nation_and_service, "rank"))
    ]
    nato_rank: Annotated[
        str, field("NATO rank code (STANAG 2116), OR-1 to OF-5", GroupText("nato_ranks", "nation", "rank"))
    ]
    unit: Annotated[str, field("unit the casualty belongs to", GroupText("units", "front", "unit"))]
    service_number: Annotated[
        str,
        field(
            "service number, unique within the nation: eight digits, more only in very large runs",
            Digits("service_number", 8),
        ),
    ]
    blood_group: Annotated[str, field("ABO and Rh(D) blood group", Text("blood_groups", "blood_group"))]
    weight_kg: Annotated[int, field("body weight", Number("weight"), unit="kg")]


class Incident(Struct, gc=False):
    """The incident in which the casualty was injured or fell ill. All casualties of an incident share these values."""

    id: Annotated[
        str,
        field(
            "id of the incident: 'i-' and 16 hexadecimal digits",
            Identifier(_incident_texts, 18),
            flat="incident",
        ),
    ]
    type: Annotated[
        str,
        field(
            "type of warfare, or 'standard' where the scenario names none",
            Text("incident_types", _incident_types),
            flat="incident_type",
        ),
    ]
    special_event: Annotated[
        str | None,
        field("special event of the scenario it is part of, else null", Text("special_events", "special")),
    ]
    at: Annotated[str, field("start of the incident", Time("incident_time"), flat="incident_at")]
    casualties: Annotated[
        int,
        field(
            "number of casualties of the incident, including this one",
            Number("incident_size"),
            unit="persons",
            flat="incident_casualties",
        ),
    ]
    mascal: Annotated[
        bool,
        field(
            "whether the incident reached the scenario's mass casualty threshold",
            Label((False, True), "mascal"),
        ),
    ]


def _further_diagnoses(view: View) -> tuple[Table, Codes]:
    """Return the further diagnoses, patient after patient, and the ends of the patients' rows."""
    patients = view.chunk.patients
    found = np.stack([patients[name] for name in ("second", "third", "fourth")], axis=1)
    given = found != NO_CODE
    rows = np.empty(int(given.sum()), [("condition", found.dtype)])
    rows["condition"] = found[given]
    return rows, given.sum(axis=1).cumsum()


class Coding(Struct, gc=False):
    """A code of ICD-10-CM with its text."""

    code: Annotated[str, field("ICD-10-CM code")]
    display: Annotated[str, field("text of the code in ICD-10-CM")]


class Wound(Struct, gc=False):
    """One wound caused by a weapon."""

    region: Annotated[str, field("body region", Label(REGIONS, "region"))]
    side: Annotated[
        str | None,
        field("side of the body, null where the region has no sides", Label((None, *SIDES[1:]), "side")),
    ]
    ais: Annotated[
        int, field("Abbreviated Injury Scale severity, 1 minor to 6 not survivable", Number("ais"))
    ]
    iss_region: Annotated[
        str, field("body region of the Injury Severity Score", Label(ISS_REGIONS, _iss_regions))
    ]
    code: Annotated[str, field("ICD-10-CM code", Text("condition_codes", "condition"))]
    display: Annotated[str, field("text of the code in ICD-10-CM", Text("condition_displays", "condition"))]


class FurtherDiagnosis(Struct, gc=False):
    """A diagnosis beside the main one."""

    code: Annotated[str, field("ICD-10-CM code", Text("condition_codes", "condition"))]
    display: Annotated[str, field("text of the code in ICD-10-CM", Text("condition_displays", "condition"))]


class Circumstances(Struct, gc=False):
    """How it happened."""

    posture: Annotated[
        str | None,
        field(
            "where the casualty was, null of accidents other than crashes and of illness",
            Label(POSTURES, posture_codes, optional=True),
        ),
    ]
    protection: Annotated[
        str | None,
        field("protective equipment, null where `posture` is", Looked(protection_values)),
    ]
    narrative: Annotated[
        str | None,
        field(
            "what happened, where the casualty was and what was worn; null without an external cause",
            Composed(narrative_texts, NARRATIVE_PARTS),
        ),
    ]


class Diagnosis(Struct, gc=False):
    """A diagnosis in the order of gravity."""

    place: Annotated[int, field("place in the order, 1 is the main diagnosis", Number("place"))]
    code: Annotated[str, field("ICD-10-CM code", Text("condition_codes", "condition"))]
    display: Annotated[str, field("text of the code in ICD-10-CM", Text("condition_displays", "condition"))]


class Complication(Struct, gc=False):
    """A diagnosis that came up in the course, with the time it was found."""

    at: Annotated[str, field("time it was found", Time("at"))]
    facility: Annotated[str, field(_PLACE, _place())]
    code: Annotated[str, field("ICD-10-CM code", Text("complication_codes", "detail"))]
    display: Annotated[str, field("text of the code in ICD-10-CM", Text("complication_displays", "detail"))]


class Injury(Struct, gc=False):
    """The injury or illness."""

    category: Annotated[
        str,
        field(
            "battle injury (including enemy use of CBRN agents), non-battle injury or disease",
            Label(STREAMS, "stream"),
        ),
    ]
    kind: Annotated[
        str, field("kind of casualty: wounded, exposed to an agent, ...", Label(CASUALTY_KINDS, "kind"))
    ]
    mechanism: Annotated[str, field("mechanism of the injury", Label(MECHANISMS, "mechanism"))]
    at: Annotated[str, field("time of injury, exposure or falling ill", Time("time"), flat="injured_at")]
    onset: Annotated[
        str,
        field(
            "onset of symptoms: the time of injury, or later for agents with delayed onset",
            Time("onset"),
            flat="onset_at",
        ),
    ]
    external_cause: Annotated[
        Coding | None,
        field(
            "external cause of the injury, null if none is coded",
            TextPair("cause_codes", "cause_displays", "cause", Coding),
            flat={"code": "external_cause_code", "display": "external_cause"},
        ),
    ]
    diagnosis: Annotated[
        Coding,
        field(
            "main diagnosis: the worst wound, or the illness",
            TextPair("condition_codes", "condition_displays", "condition", Coding),
            flat={"code": "diagnosis_code", "display": "diagnosis"},
        ),
    ]
    further_diagnoses: Annotated[
        list[FurtherDiagnosis],
        field(
            "up to three further diagnoses of the ill and of agent casualties, such as dehydration",
            Rows(_further_diagnoses),
        ),
    ]
    complications: Annotated[
        list[Complication],
        field(
            "diagnoses that came up in the course, by time, such as a wound infection", Rows(_complications)
        ),
    ]
    iss: Annotated[int, field("Injury Severity Score: 0 without wounds, 75 with an AIS 6", Number("iss"))]
    niss: Annotated[int, field("New Injury Severity Score, with the same limits", Number("niss"))]
    severity: Annotated[
        str | None,
        field("severity of agent casualties, null for all others", _label(AGENT_SEVERITIES, "severity")),
    ]
    agent: Annotated[
        str | None,
        field("CBRN agent, the same for all of an incident; null for others", _label(AGENTS, "agent")),
    ]
    wounds: Annotated[list[Wound], field("wounds; empty unless `kind` is 'wounded'", _table("wounds"))]
    circumstances: Annotated[
        Circumstances | UnsetType, field("where the casualty was, and what happened", full=True)
    ] = UNSET
    burnt_percent: Annotated[
        int | UnsetType | None,
        field(
            "share of the body surface with burns of second degree and deeper, null where there are none",
            Number(burnt_of_patients),
            unit="%",
            full=True,
        ),
    ] = UNSET
    diagnoses: Annotated[
        list[Diagnosis] | UnsetType,
        field("all diagnoses, the gravest first", Rows(diagnosis_rows), full=True),
    ] = UNSET


class AssignedTriage(Struct, gc=False):
    """A triage category assigned at one place."""

    at: Annotated[str, field("time of triage", Time("at"))]
    facility: Annotated[str, field(_PLACE, _place())]
    category: Annotated[str, field("category assigned", Label(TRIAGE, "detail"), codes=TRIAGE[1:])]


class Triage(Struct, gc=False):
    """Triage: the true category, and the category assigned at each place."""

    true: Annotated[
        str,
        field(
            "true category: T1 immediate, T2 urgent, T3 delayed, T4 expectant",
            Label(TRIAGE, "triage"),
            codes=TRIAGE[1:],
            flat="triage",
        ),
    ]
    precedence: Annotated[
        str | None,
        field(
            "precedence of the first evacuation request, null if there was none",
            Label((None, *PRECEDENCES[1:]), _first_precedences),
            flat=None,
        ),
    ]
    assigned: Annotated[list[AssignedTriage], field("assigned categories, by time", Rows(_triages))]


class Treatment(Struct, gc=False, omit_defaults=True):
    """One treatment. What does not apply is omitted: `units` from all but transfusions, `drug` where none is given."""

    treatment: Annotated[str, field("kind of treatment", Label(TREATMENTS, "kind"))]
    facility: Annotated[str, field(_PLACE, _place())]
    start: Annotated[str, field("start of the treatment", Time("start"))]
    end: Annotated[str | None, field("end of the treatment, null if it has none", Time("end"))]
    effect: Annotated[
        str,
        field(
            "'effective' or 'ineffective' against what would have killed; 'supportive' if not meant to act on it",
            Label(EFFECTS, "effect"),
        ),
    ]
    wound: Annotated[
        int | None,
        field(
            "index of the treated wound among the patient's wounds, null if the treatment is not for one wound",
            Label(range(NONE), "wound", optional=True),
        ),
    ]
    units: Annotated[
        int | None,
        field("units of blood, omitted from all but transfusions", Label((None, *range(1, 61)), "units")),
    ] = None
    drug: Annotated[
        str | None,
        field("drug, fluid or blood product; omitted where none is given", Looked(drugs), full=True),
    ] = None
    dose: Annotated[
        str | None,
        field("dose of the drug, omitted from blood, which has units", Looked(dose_values), full=True),
    ] = None
    route: Annotated[
        str | None,
        field(
            "route of the drug: IV and IO only with that access, OTFC through the mouth's lining",
            Looked(routes),
            full=True,
        ),
    ] = None
    procedure_code: Annotated[
        str | None,
        field(
            "code of ICD-10-PCS, omitted where it depends on more than the record knows",
            Looked(procedure_codes),
            full=True,
        ),
    ] = None


class Event(Struct, gc=False, omit_defaults=True):
    """One change of state. `name`, `role`, `detail` and `waiting_for` are omitted where they do not apply."""

    at: Annotated[str, field("time of the event", Time("at"))]
    event: Annotated[str, field("kind of event", Label(EVENTS, "kind"))]
    facility: Annotated[str, field(_PLACE, _place())]
    name: Annotated[
        str | None,
        field(
            "name of the facility, omitted if the scenario gives none", _place("facility_names"), flat=None
        ),
    ] = None
    role: Annotated[
        int | None,
        field("role of the facility, 0 (staging unit) to 4, omitted outside facilities", _place("roles")),
    ] = None
    detail: Annotated[
        str | None,
        field(
            "category assigned by `triaged`, precedence of `evacuation_requested`, kind of `complication`; omitted "
            "from others",
            Label(EVENT_DETAILS, _detail_codes),
            codes=TRIAGE + PRECEDENCES + COMPLICATIONS,
        ),
    ] = None
    waiting_for: Annotated[
        str | None,
        field(
            "finite resource or transport that the patient now waits for; omitted from all but `waiting`",
            Label(EVENT_AWAITED, _detail_codes),
            codes=AWAITED,
        ),
    ] = None


def _sign(meaning: str, loinc: str, unit: str, column: str, labels: Sequence[Any] = range(NONE)) -> Meta:
    """Declare a sign that is omitted where it was not taken; its unit is that of UCUM."""
    return field(f"{meaning} (LOINC {loinc})", Label(labels, column, optional=True), unit=unit)


_TENTHS = [value / 10 for value in range(NONE)]
_TEMPERATURES = [round(COLDEST + tenth, 1) for tenth in _TENTHS]
_BASE_EXCESSES = [round(LOWEST_BASE_EXCESS + tenth, 1) for tenth in _TENTHS]


class Vitals(Struct, gc=False, omit_defaults=True):
    """Vital signs and laboratory values at one time. What was not taken is omitted, in the flat table it is null."""

    at: Annotated[str, field("time of measurement", Time("at"))]
    facility: Annotated[str, field(_PLACE, _place())]
    health_score: Annotated[
        float,
        field(
            "health score from 0 (dead) to 20 (well), see docs/model.md section 2.5.7",
            Label([score / 10 for score in range(201)], "score"),
        ),
    ]
    heart_rate: Annotated[int | None, _sign("heart rate", "8867-4", "/min", "heart_rate")] = None
    systolic: Annotated[int | None, _sign("systolic blood pressure", "8480-6", "mm[Hg]", "systolic")] = None
    diastolic: Annotated[int | None, _sign("diastolic blood pressure", "8462-4", "mm[Hg]", "diastolic")] = (
        None
    )
    respiratory_rate: Annotated[
        int | None,
        _sign("respiratory rate, of the ventilator where intubated", "9279-1", "/min", "respiratory_rate"),
    ] = None
    spo2: Annotated[int | None, _sign("oxygen saturation by pulse oximetry", "59408-5", "%", "spo2")] = None
    gcs: Annotated[
        int | None,
        _sign("Glasgow Coma Scale, 3 to 15; 1 for verbal where intubated", "9269-2", "{score}", "gcs"),
    ] = None
    gcs_eye: Annotated[int | None, _sign("its eye opening, 1 to 4", "9267-6", "{score}", "gcs_eye")] = None
    gcs_verbal: Annotated[
        int | None, _sign("its verbal response, 1 to 5; 1 where intubated", "9270-0", "{score}", "gcs_verbal")
    ] = None
    gcs_motor: Annotated[
        int | None, _sign("its motor response, 1 to 6", "9268-4", "{score}", "gcs_motor")
    ] = None
    pain: Annotated[int | None, _sign("pain, 0 to 10, as the patient says", "72514-3", "{score}", "pain")] = (
        None
    )
    etco2: Annotated[
        int | None, _sign("end-tidal carbon dioxide; only where intubated", "19889-5", "mm[Hg]", "etco2")
    ] = None
    temperature: Annotated[
        float | None, _sign("body temperature", "8310-5", "Cel", "temperature", _TEMPERATURES)
    ] = None
    lactate: Annotated[float | None, _sign("lactate in blood", "32693-4", "mmol/L", "lactate", _TENTHS)] = (
        None
    )
    base_excess: Annotated[
        float | None, _sign("base excess", "11555-0", "mmol/L", "base_excess", _BASE_EXCESSES)
    ] = None
    haemoglobin: Annotated[float | None, _sign("haemoglobin", "718-7", "g/dL", "haemoglobin", _TENTHS)] = None
    inr: Annotated[
        float | None, _sign("international normalised ratio", "6301-6", "{INR}", "inr", _TENTHS)
    ] = None
    avpu: Annotated[
        str | None,
        field(
            "AVPU by eye opening and motor response, scenarios/data/catalogue/avpu.csv",
            Label(AVPU, avpu_codes, optional=True),
            full=True,
        ),
    ] = None


class Tourniquet(Struct, gc=False):
    """A tourniquet on a limb, as on a casualty card (DD 1380)."""

    region: Annotated[
        str | None,
        field("limb, null if the treatment is not for one wound", Label(REGIONS, "region", optional=True)),
    ]
    side: Annotated[str | None, field("side of the body", Label((None, *SIDES[1:]), "side"))]
    wound: Annotated[int | None, field("index of the wound", Label(range(NONE), "wound", optional=True))]
    kind: Annotated[str, field("kind of tourniquet", Label(TREATMENTS, "kind"), codes=_TOURNIQUETS)]
    at: Annotated[str, field("time of application", Time("start"))]
    operated_at: Annotated[
        str | None,
        field(
            "start of the next damage control operation, in which it is replaced or taken off, or of its conversion to "
            "a pressure dressing; null without either",
            Time("off"),
        ),
    ]


class CasualtyCard(Struct, gc=False):
    """What a casualty card (DD 1380) and a handover say beside treatments and signs."""

    mist: Annotated[
        str | None,
        field(
            "MIST report on leaving the point of injury: mechanism, the gravest injuries, the last signs and the "
            "treatments there; null for those who never left",
            Composed(mist_texts, MIST_PARTS),
        ),
    ]
    allergies: Annotated[str, field("allergies", Looked(allergy_values))]
    history: Annotated[str, field("medical history", Looked(history_values))]
    medication: Annotated[str, field("medication taken for it", Looked(medication_values))]
    tourniquets: Annotated[list[Tourniquet], field("tourniquets, by time", Rows(_tourniquets))]


class Movement(Struct, gc=False):
    """One movement between places: an evacuation request, and what came of it."""

    precedence: Annotated[
        str, field("precedence of the request", Label(PRECEDENCES, "precedence"), codes=PRECEDENCES[1:])
    ]
    origin: Annotated[str, field(f"origin: {_PLACE}", Text("facilities", "origin", EN_ROUTE))]
    destination: Annotated[
        str | None,
        field(
            "destination, null of those who have not arrived", Text("destinations", "destination", NOWHERE)
        ),
    ]
    requested_at: Annotated[str, field("time of the request", Time("requested"))]
    ready_at: Annotated[
        str | None,
        field("when the patient was prepared to leave, null if never", Time("ready")),
    ]
    departed_at: Annotated[str | None, field("departure, null if the patient never left", Time("departed"))]
    arrived_at: Annotated[str | None, field("arrival, null if the patient never arrived", Time("arrived"))]
    position: Annotated[str, field("how the patient travels", Label(("ambulatory", "litter"), "lies"))]
    platform: Annotated[
        str | None,
        field(
            "kind of transport, null where the scenario names none, and of those who never left",
            Label(PLATFORMS, "platform", optional=True),
        ),
    ]
    escort: Annotated[str, field("who goes with the patient", Looked(escorts))]


class Operation(Struct, gc=False):
    """The note of an operation: one session in the theatre."""

    kind: Annotated[
        str,
        field("damage control or definitive surgery", Label(("damage_control", "definitive"), "definitive")),
    ]
    facility: Annotated[str, field(_PLACE, _place())]
    start: Annotated[str, field("start of the operation", Time("started"))]
    end: Annotated[str | None, field("end, null if the patient died in it or it is not over", Time("ended"))]
    minutes: Annotated[
        int | None, field("duration in full minutes, null without an end", Number("minutes"), unit="min")
    ]
    procedures: Annotated[
        str | None,
        field(
            "what was done, in order, with a code of ICD-10-PCS where one holds whatever the wound",
            Composed(procedure_texts, MOST_PROCEDURES),
        ),
    ]
    findings: Annotated[
        str | None,
        field(
            "what was found: the wounds operated on, or the illness", Composed(finding_texts, MOST_PROCEDURES)
        ),
    ]
    blood_units: Annotated[
        int,
        field(
            "units of blood whose transfusion began at the facility before its end, in the resuscitation before it "
            "or in it, and after the operation before",
            Number("units"),
        ),
    ]


class DeathLine(Struct, gc=False):
    """A line of a certificate of death."""

    line: Annotated[
        str, field("immediate cause, what it is due to, and the underlying cause", Label(LINES, "line"))
    ]
    code: Annotated[str, field("ICD-10-CM code", Looked(coding_codes))]
    display: Annotated[
        str, field("text of the code, without its words on the encounter", Looked(coding_texts))
    ]


class Outcome(Struct, gc=False):
    """The outcome."""

    status: Annotated[str, field("outcome", Label(OUTCOMES, "status"))]
    at: Annotated[str, field("time of the outcome", Time("closed"), flat="closed_at")]
    facility: Annotated[str, field(_PLACE, _place())]
    cause_of_death: Annotated[
        str | None, field("cause of death, null for survivors", _label(DEATH_CAUSES, "death_cause"))
    ]
    fatal_complication: Annotated[
        str | None,
        field(
            "complication that a death of `late_complications` is of, else null",
            _label(COMPLICATIONS, "fatal_complication"),
        ),
    ]
    waiting_for: Annotated[
        str | None,
        field(
            "what a patient who died, or is in care at the horizon, was waiting for, else null",
            _label(WAITING_FOR, "waiting_for"),
        ),
    ]
    rtd_within_72h: Annotated[
        bool, field("returned to duty within 72 h of the injury", Label((False, True), "rtd72"))
    ]
    icu_days: Annotated[
        float | UnsetType,
        field(
            "time in intensive care, tenths rounded down",
            Label(TENTHS_OF_DAYS, icu_tenths),
            unit="days",
            full=True,
        ),
    ] = UNSET
    ventilator_days: Annotated[
        float | UnsetType,
        field(
            "time between readings with end-tidal carbon dioxide, tenths rounded down",
            Label(TENTHS_OF_DAYS, ventilator_tenths),
            unit="days",
            full=True,
        ),
    ] = UNSET
    duty: Annotated[
        str | UnsetType | None,
        field("limits of the duty of those who returned, null of all others", Looked(duty_values), full=True),
    ] = UNSET
    death_chain: Annotated[
        list[DeathLine] | UnsetType,
        field("certificate of death, empty for survivors", Rows(death_lines), full=True),
    ] = UNSET


class Patient(Struct, gc=False):
    """One casualty, from injury or illness to the outcome."""

    id: Annotated[
        str,
        field(
            "UUID of the patient, the same in every run of the same scenario and seed", Identifier(_uuids, 36)
        ),
    ]
    synthetic: Annotated[Literal[True], field("always true: no such person exists", Constant(True))]
    nationality: Annotated[str, field("nation, ISO 3166-1 alpha-3 code", Text("nations", "nation"))]
    front: Annotated[str, field("front of the scenario", Text("fronts", "front"))]
    demographics: Annotated[Demographics, field("personal details")]
    incident: Annotated[Incident, field("the incident")]
    injury: Annotated[Injury, field("the injury or illness")]
    triage: Annotated[Triage, field("true and assigned triage categories")]
    treatments: Annotated[list[Treatment], field("treatments, by start", _table("treatments"))]
    timeline: Annotated[
        list[Event],
        field(
            "event log, by time: every change of state (after 240 events without repeated triage and waits)",
            _table("events"),
        ),
    ]
    vitals: Annotated[list[Vitals], field("vital signs, by time", _table("vitals"))]
    outcome: Annotated[Outcome, field("the outcome")]
    casualty_card: Annotated[
        CasualtyCard | UnsetType, field("what a casualty card and a handover say", full=True)
    ] = UNSET
    movements: Annotated[
        list[Movement] | UnsetType, field("movements, by request", Rows(movement_rows), full=True)
    ] = UNSET
    operations: Annotated[
        list[Operation] | UnsetType, field("notes of operations, by start", Rows(operation_rows), full=True)
    ] = UNSET


class PatientColumns(Struct):
    """Columns of the flat table `patients` that the record does not have."""

    second_diagnosis_code: Annotated[
        str | None,
        field("ICD-10-CM code of the second diagnosis", Text("further_codes", "second"), after="diagnosis"),
    ]
    third_diagnosis_code: Annotated[
        str | None, field("ICD-10-CM code of the third diagnosis", Text("further_codes", "third"))
    ]
    fourth_diagnosis_code: Annotated[
        str | None, field("ICD-10-CM code of the fourth diagnosis", Text("further_codes", "fourth"))
    ]
    worst_ais: Annotated[
        int, field("highest AIS of the wounds, 0 without wounds", Number("worst_ais"), after="niss")
    ]
    lethal_mechanism: Annotated[
        str | None,
        field(
            "what would kill the casualty without care",
            _label(LETHAL_MECHANISMS, "lethal"),
            after="triage",
        ),
    ]
    untreated_death_at: Annotated[
        str | None, field("when the casualty would have died without care", Time("untreated_death"))
    ]
    first_care_at: Annotated[str | None, field("first aid or first treatment", Time("first_care"))]
    role1_at: Annotated[str | None, field("first arrival at a Role 1 facility", Time("role1"))]
    role2_at: Annotated[str | None, field("first arrival at a Role 2 facility", Time("role2"))]
    role3_at: Annotated[str | None, field("first arrival at a Role 3 facility", Time("role3"))]
    role4_at: Annotated[str | None, field("first arrival at a Role 4 facility", Time("role4"))]
    surgery_at: Annotated[str | None, field("start of the first operation", Time("surgery"))]


class RowColumns(Struct):
    """Columns of the flat tables `events`, `treatments` and `vitals` that the record does not have."""

    patient_id: Annotated[
        str,
        field("`id` of the patient in table `patients`", Identifier(_patient_ids, 36, "patient"), after=""),
    ]


class WoundColumns(RowColumns):
    """Columns of the flat table `wounds` that the record does not have."""

    wound: Annotated[int, field("index among the patient's wounds, from 0", Number(_wound_numbers))]


FLAT: dict[str, tuple[type[Struct], type[Struct]]] = {
    "patients": (Patient, PatientColumns),
    "events": (Event, RowColumns),
    "treatments": (Treatment, RowColumns),
    "wounds": (Wound, WoundColumns),
    "vitals": (Vitals, RowColumns),
}
"""The flat tables: the Struct whose fields are their columns, and the columns that only they have."""

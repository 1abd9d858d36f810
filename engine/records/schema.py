"""The patient record: the entry of one casualty in `jsonl`, `json` and `msgpack` files.

The Structs are the specification; `docs/records.md` is generated from them (`python -m engine.documentation`).
`build_patients` creates them as Python objects. `engine.records.formats.patient_encoder` writes the
same bytes faster, without Structs.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct

from engine.codes import (
    AWAITED,
    CASUALTY_KINDS,
    DEATH_CAUSES,
    EFFECTS,
    EVENTS,
    ISS_REGIONS,
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
from engine.records.code_tables import (
    AGENT_SEVERITIES,
    Codes,
    CodeTables,
    facility_codes,
    incident_ids,
    iss_regions,
    optional_codes,
    service_numbers,
    uuids,
)
from engine.tables import Chunk, Table


def _field(description: str, unit: str = "", codes: tuple[str, ...] = ()) -> Meta:
    """Return the documentation of a field: its meaning, its unit, and its values where they are labels of a code."""
    return Meta(description=description, extra={"unit": unit, "codes": [code for code in codes if code]})


class Demographics(Struct, gc=False):
    """Personal details of the casualty. All of them are invented."""

    given_name: Annotated[str, _field("given name in Latin letters, usual in the nation")]
    family_name: Annotated[str, _field("family name in Latin letters, usual in the nation")]
    sex: Annotated[str, _field("sex", codes=SEXES)]
    birth_date: Annotated[str, _field("date of birth, ISO 8601", "date")]
    age: Annotated[int, _field("age when injured or falling ill", "years")]
    rank: Annotated[str, _field("rank, in the nation's own term")]
    nato_rank: Annotated[str, _field("NATO rank code (STANAG 2116), OR-1 to OF-5")]
    unit: Annotated[str, _field("unit the casualty belongs to")]
    service_number: Annotated[
        str, _field("service number, unique within the nation: eight digits, more only in very large runs")
    ]
    blood_group: Annotated[str, _field("ABO and Rh(D) blood group")]
    weight_kg: Annotated[int, _field("body weight", "kg")]


class Incident(Struct, gc=False):
    """The incident in which the casualty was injured or fell ill. All casualties of an incident share these values."""

    id: Annotated[str, _field("id of the incident: 'i-' and 16 hexadecimal digits")]
    type: Annotated[str, _field("type of warfare, or 'standard' where the scenario names none")]
    special_event: Annotated[str | None, _field("special event of the scenario it is part of, else null")]
    at: Annotated[str, _field("start of the incident", "time")]
    casualties: Annotated[int, _field("number of casualties of the incident, including this one", "persons")]
    mascal: Annotated[bool, _field("whether the incident reached the scenario's mass casualty threshold")]


class Coded(Struct, gc=False):
    """A code of ICD-10-CM with its text."""

    code: Annotated[str, _field("ICD-10-CM code")]
    display: Annotated[str, _field("text of the code in ICD-10-CM")]


class Wound(Struct, gc=False):
    """One wound caused by a weapon."""

    region: Annotated[str, _field("body region", codes=REGIONS)]
    side: Annotated[str | None, _field("side of the body, null where the region has no sides", codes=SIDES)]
    ais: Annotated[int, _field("Abbreviated Injury Scale severity, 1 minor to 6 not survivable")]
    iss_region: Annotated[str, _field("body region of the Injury Severity Score", codes=ISS_REGIONS)]
    code: Annotated[str, _field("ICD-10-CM code")]
    display: Annotated[str, _field("text of the code in ICD-10-CM")]


class Injury(Struct, gc=False):
    """The injury or illness."""

    category: Annotated[
        str,
        _field(
            "battle injury (including enemy use of CBRN agents), non-battle injury or disease", codes=STREAMS
        ),
    ]
    kind: Annotated[str, _field("kind of casualty: wounded, exposed to an agent, ...", codes=CASUALTY_KINDS)]
    mechanism: Annotated[str, _field("mechanism of the injury", codes=MECHANISMS)]
    at: Annotated[str, _field("time of injury, exposure or falling ill", "time")]
    onset: Annotated[
        str, _field("onset of symptoms: the same as `at`, or later for agents with delayed onset", "time")
    ]
    external_cause: Annotated[Coded | None, _field("external cause of the injury, null if none is coded")]
    diagnosis: Annotated[Coded, _field("main diagnosis: the worst wound, or the illness")]
    iss: Annotated[int, _field("Injury Severity Score: 0 without wounds, 75 with an AIS 6")]
    niss: Annotated[int, _field("New Injury Severity Score, with the same limits")]
    severity: Annotated[
        str | None, _field("severity of agent casualties, null for all others", codes=AGENT_SEVERITIES)
    ]
    wounds: Annotated[list[Wound], _field("wounds; empty unless `kind` is 'wounded'")]


class AssignedTriage(Struct, gc=False):
    """A triage category assigned at one place."""

    at: Annotated[str, _field("time of triage", "time")]
    facility: Annotated[str, _field("place: id of a facility, 'POI' or 'en route'")]
    category: Annotated[str, _field("category assigned", codes=TRIAGE)]


class Triage(Struct, gc=False):
    """Triage: the true category, and the category assigned at each place."""

    true: Annotated[str, _field("true category: T1 immediate, T2 urgent, T3 delayed", codes=TRIAGE)]
    precedence: Annotated[
        str | None,
        _field("precedence of the first evacuation request, null if there was none", codes=PRECEDENCES),
    ]
    assigned: Annotated[list[AssignedTriage], _field("assigned categories, by time")]


class Treatment(Struct, gc=False):
    """One treatment."""

    treatment: Annotated[str, _field("kind of treatment", codes=TREATMENTS)]
    facility: Annotated[str, _field("place: id of a facility, 'POI' or 'en route'")]
    start: Annotated[str, _field("start of the treatment", "time")]
    end: Annotated[str | None, _field("end of the treatment, null if it has none", "time")]
    effect: Annotated[
        str,
        _field(
            "'effective' or 'ineffective' against what would have killed; 'supportive' if not meant to act on it",
            codes=EFFECTS,
        ),
    ]
    wound: Annotated[
        int | None, _field("index in `injury.wounds`, null if the treatment is not for one wound")
    ]


class Event(Struct, gc=False, omit_defaults=True):
    """One change of state. `name`, `role`, `detail` and `waiting_for` are omitted where they do not apply."""

    at: Annotated[str, _field("time of the event", "time")]
    event: Annotated[str, _field("kind of event", codes=EVENTS)]
    facility: Annotated[str, _field("place: id of a facility, 'POI' or 'en route'")]
    name: Annotated[str | None, _field("name of the facility, omitted if the scenario gives none")] = None
    role: Annotated[
        int | None, _field("role of the facility, 0 (staging unit) to 4, omitted outside facilities")
    ] = None
    detail: Annotated[
        str | None,
        _field(
            "category assigned by `triaged`, precedence of `evacuation_requested`; omitted from others",
            codes=TRIAGE + PRECEDENCES,
        ),
    ] = None
    waiting_for: Annotated[
        str | None,
        _field(
            "finite resource or transport that the patient now waits for; omitted from all but `waiting`",
            codes=AWAITED,
        ),
    ] = None


class Vitals(Struct, gc=False):
    """Vital signs on arrival at a facility, or after resuscitation or surgery."""

    at: Annotated[str, _field("time of measurement", "time")]
    facility: Annotated[str, _field("place: id of a facility, 'POI' or 'en route'")]
    health_score: Annotated[
        float, _field("health score from 0 (dead) to 20 (well), see docs/model.md section 2.5.7")
    ]
    heart_rate: Annotated[int, _field("heart rate", "per minute")]
    systolic: Annotated[int, _field("systolic blood pressure", "mmHg")]
    respiratory_rate: Annotated[int, _field("respiratory rate", "per minute")]
    spo2: Annotated[int, _field("oxygen saturation", "%")]
    gcs: Annotated[int, _field("Glasgow Coma Scale, 3 to 15")]


class Outcome(Struct, gc=False):
    """The outcome."""

    status: Annotated[str, _field("outcome", codes=OUTCOMES)]
    at: Annotated[str, _field("time of the outcome", "time")]
    facility: Annotated[str, _field("place: id of a facility, 'POI' or 'en route'")]
    cause_of_death: Annotated[str | None, _field("cause of death, null for survivors", codes=DEATH_CAUSES)]
    waiting_for: Annotated[
        str | None,
        _field(
            "what a patient who died, or is in care at the horizon, was waiting for, else null",
            codes=WAITING_FOR,
        ),
    ]
    rtd_within_72h: Annotated[bool, _field("returned to duty within 72 h of the injury")]


class Patient(Struct, gc=False):
    """One casualty, from injury or illness to the outcome."""

    id: Annotated[
        str,
        _field("UUID of the patient, the same in every run of the same scenario and seed"),
    ]
    synthetic: Annotated[Literal[True], _field("always true: no such person exists")]
    nationality: Annotated[str, _field("nation, ISO 3166-1 alpha-3 code")]
    front: Annotated[str, _field("front of the scenario")]
    demographics: Annotated[Demographics, _field("personal details")]
    incident: Annotated[Incident, _field("the incident")]
    injury: Annotated[Injury, _field("the injury or illness")]
    triage: Annotated[Triage, _field("true and assigned triage categories")]
    treatments: Annotated[list[Treatment], _field("treatments, by start")]
    timeline: Annotated[
        list[Event],
        _field(
            "event log, by time: every change of state (after 240 events without repeated triage and waits)"
        ),
    ]
    vitals: Annotated[list[Vitals], _field("vital signs, by time")]
    outcome: Annotated[Outcome, _field("the outcome")]


DETAIL_COUNT = max(len(TRIAGE), len(PRECEDENCES), len(AWAITED))
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


EVENT_DETAILS = _texts_by_detail({"triaged": TRIAGE, "evacuation_requested": PRECEDENCES})
"""Texts of `Event.detail`, at DETAIL_COUNT * kind + detail."""

EVENT_AWAITED = _texts_by_detail({"waiting": AWAITED})
"""Texts of `Event.waiting_for`, at DETAIL_COUNT * kind + detail."""


def detail_codes(events: Table) -> Codes:
    """Return the indices of EVENT_DETAILS and EVENT_AWAITED of each event."""
    return DETAIL_COUNT * events["kind"].astype(np.int64) + events["detail"]


@contextmanager
def paused_garbage_collector() -> Iterator[None]:
    """Pause Python's garbage collector. It would visit every record that is being created and find nothing to free."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def build_patients(chunk: Chunk, code_tables: CodeTables) -> list[Patient]:
    """Return the patients of `chunk` as records, in its order."""
    with paused_garbage_collector():
        return _build(chunk, code_tables)


def _build(chunk: Chunk, code_tables: CodeTables) -> list[Patient]:
    patients = chunk.patients
    timelines = _grouped(_events(chunk.events, code_tables), patients["event_end"])
    triages = [_triage(timeline) for timeline in timelines]
    return [
        Patient(
            identity,
            True,
            nationality,
            front,
            demographics,
            incident,
            injury,
            Triage(true, *triage),
            treatments,
            timeline,
            vitals,
            outcome,
        )
        for (
            identity,
            nationality,
            front,
            demographics,
            incident,
            injury,
            true,
            triage,
            treatments,
            timeline,
            vitals,
            outcome,
        ) in zip(
            _texts(uuids(patients)),
            _look_up(code_tables.nations, patients["nation"]),
            _look_up(code_tables.fronts, patients["front"]),
            _demographics(patients, code_tables),
            _incidents(patients, code_tables),
            _injuries(chunk, code_tables),
            _look_up(TRIAGE, patients["triage"]),
            triages,
            _grouped(_treatments(chunk.treatments, code_tables), patients["treatment_end"]),
            timelines,
            _grouped(_vitals(chunk.vitals, code_tables), patients["vital_end"]),
            _outcomes(patients, code_tables),
            strict=True,
        )
    ]


def _texts(values: "np.ndarray[Any, np.dtype[np.bytes_]]") -> list[str]:
    result: list[str] = values.astype("U").tolist()
    return result


def _look_up(table: Any, codes: "np.ndarray[Any, Any]") -> list[Any]:
    return list(map(table.__getitem__, codes.tolist()))


def _optional(table: Any, codes: "np.ndarray[Any, Any]") -> list[Any]:
    """Look up `codes` in `table`: None for the code of "none of them"."""
    return _look_up((*table, None), optional_codes(codes, len(table)))


def _grouped(rows: list[Any], ends: "np.ndarray[Any, Any]") -> list[list[Any]]:
    """Split `rows` by patient; `ends` are the exclusive ends."""
    return [rows[start:end] for start, end in pairwise([0, *ends.tolist()])]


def _demographics(patients: Table, code_tables: CodeTables) -> Iterator[Demographics]:
    nation = patients["nation"].astype(np.int64)
    by_sex = 2 * nation + patients["sex"]
    texts = (
        (code_tables.given_names, by_sex, "given_name"),
        (code_tables.family_names, by_sex, "family_name"),
        (code_tables.ranks, nation, "rank"),
        (code_tables.nato_ranks, nation, "rank"),
        (code_tables.units, patients["front"], "unit"),
    )
    given, family, rank, nato_rank, unit = (
        _look_up(grouped.texts, codes)
        for grouped, codes in [
            (grouped, grouped.codes(group, patients[name])) for grouped, group, name in texts
        ]
    )
    return map(
        Demographics,
        given,
        family,
        _look_up(SEXES, patients["sex"]),
        _texts(code_tables.dates(patients["birth"].astype(np.int64))),
        patients["age"].tolist(),
        rank,
        nato_rank,
        unit,
        _texts(service_numbers(patients["service_number"])),
        _look_up(code_tables.blood_groups, patients["blood_group"]),
        patients["weight"].tolist(),
    )


def _incidents(patients: Table, code_tables: CodeTables) -> Iterator[Incident]:
    return map(
        Incident,
        _texts(incident_ids(patients["incident"])),
        _look_up(code_tables.incident_types, code_tables.incident_type_codes(patients)),
        _look_up(
            code_tables.special_events,
            optional_codes(patients["special"], len(code_tables.special_events) - 1),
        ),
        _texts(code_tables.instants(patients["incident_time"])),
        patients["incident_size"].tolist(),
        patients["mascal"].astype(bool).tolist(),
    )


def _coded(code: str | None, display: str | None) -> Coded | None:
    return None if code is None or display is None else Coded(code, display)


def _injuries(chunk: Chunk, code_tables: CodeTables) -> Iterator[Injury]:
    patients = chunk.patients
    causes = list(map(_coded, code_tables.cause_codes, code_tables.cause_displays))
    diagnoses = list(map(_coded, code_tables.condition_codes, code_tables.condition_displays))
    return map(
        Injury,
        _look_up(STREAMS, patients["stream"]),
        _look_up(CASUALTY_KINDS, patients["kind"]),
        _look_up(MECHANISMS, patients["mechanism"]),
        _texts(code_tables.instants(patients["time"])),
        _texts(code_tables.instants(patients["onset"])),
        _look_up(causes, optional_codes(patients["cause"], len(causes) - 1)),
        _look_up(diagnoses, patients["condition"]),
        patients["iss"].tolist(),
        patients["niss"].tolist(),
        _optional(AGENT_SEVERITIES, patients["severity"]),
        _grouped(_wounds(chunk.wounds, code_tables), patients["wound_end"]),
    )


def _wounds(wounds: Table, code_tables: CodeTables) -> list[Wound]:
    return list(
        map(
            Wound,
            _look_up(REGIONS, wounds["region"]),
            _look_up((None, *SIDES[1:]), wounds["side"]),
            wounds["ais"].tolist(),
            _look_up(ISS_REGIONS, iss_regions(wounds)),
            _look_up(code_tables.condition_codes, wounds["condition"]),
            _look_up(code_tables.condition_displays, wounds["condition"]),
        )
    )


def _treatments(treatments: Table, code_tables: CodeTables) -> list[Treatment]:
    ends = [
        text if end >= 0 else None
        for text, end in zip(
            _texts(code_tables.instants(treatments["end"])), treatments["end"].tolist(), strict=True
        )
    ]
    return list(
        map(
            Treatment,
            _look_up(TREATMENTS, treatments["kind"]),
            _look_up(code_tables.facilities, facility_codes(treatments["facility"])),
            _texts(code_tables.instants(treatments["start"])),
            ends,
            _look_up(EFFECTS, treatments["effect"]),
            _optional(range(NONE), treatments["wound"]),
        )
    )


def _events(events: Table, code_tables: CodeTables) -> list[Event]:
    facility = facility_codes(events["facility"])
    detail = detail_codes(events)
    return list(
        map(
            Event,
            _texts(code_tables.instants(events["at"])),
            _look_up(EVENTS, events["kind"]),
            _look_up(code_tables.facilities, facility),
            _look_up(code_tables.facility_names, facility),
            _look_up(code_tables.roles, facility),
            _look_up(EVENT_DETAILS, detail),
            _look_up(EVENT_AWAITED, detail),
        )
    )


def _triage(timeline: list[Event]) -> tuple[str | None, list[AssignedTriage]]:
    """Return the precedence of the first evacuation request, and the assigned categories."""
    precedence = next((event.detail for event in timeline if event.event == "evacuation_requested"), None)
    return precedence, [
        AssignedTriage(event.at, event.facility, event.detail or "")
        for event in timeline
        if event.event == "triaged"
    ]


def _vitals(vitals: Table, code_tables: CodeTables) -> list[Vitals]:
    return list(
        map(
            Vitals,
            _texts(code_tables.instants(vitals["at"])),
            _look_up(code_tables.facilities, facility_codes(vitals["facility"])),
            (vitals["score"] / 10).tolist(),
            vitals["heart_rate"].tolist(),
            vitals["systolic"].tolist(),
            vitals["respiratory_rate"].tolist(),
            vitals["spo2"].tolist(),
            vitals["gcs"].tolist(),
        )
    )


def _outcomes(patients: Table, code_tables: CodeTables) -> Iterator[Outcome]:
    return map(
        Outcome,
        _look_up(OUTCOMES, patients["status"]),
        _texts(code_tables.instants(patients["closed"])),
        _look_up(code_tables.facilities, facility_codes(patients["facility"])),
        _optional(DEATH_CAUSES, patients["death_cause"]),
        _optional(WAITING_FOR, patients["waiting_for"]),
        patients["rtd72"].astype(bool).tolist(),
    )


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a patient record."""
    return msgspec.json.schema(Patient)

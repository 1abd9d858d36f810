"""The patient record: what one casualty's entry in `jsonl`, `json` and `msgpack` files is, and how columns become it.

The Structs are the specification: `docs/records.md` is generated from them (`python -m engine.documentation`). `build`
makes them as Python objects; files are written by `records.formats.fragments`, which assembles the same bytes faster.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct

from engine import tables as layouts
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
    CodeTables,
    facility_codes,
    hexadecimal,
    iss_regions,
    optional_codes,
    service_numbers,
    uuids,
)

Time = Annotated[str, Meta(description="ISO 8601, UTC, to the second", extra={"unit": "time"})]
Place = Annotated[str, Meta(description="id of a facility, 'POI' (point of injury) or 'en route'")]


def _is(description: str, unit: str = "", codes: tuple[str, ...] = ()) -> Meta:
    """Documentation of a field: meaning, unit, and the tuple of `engine.tables.columns` its values come from."""
    return Meta(description=description, extra={"unit": unit, "codes": [code for code in codes if code]})


class Demographics(Struct, gc=False):
    """Who the casualty is. All of it is invented."""

    given_name: Annotated[str, _is("given name, Latin letters, usual in the nation")]
    family_name: Annotated[str, _is("family name, Latin letters, usual in the nation")]
    sex: Annotated[str, _is("sex", codes=SEXES)]
    birth_date: Annotated[str, _is("date of birth, ISO 8601", "date")]
    age: Annotated[int, _is("age when injured or falling ill", "years")]
    rank: Annotated[str, _is("rank in the nation's own words")]
    nato_rank: Annotated[str, _is("NATO rank code (STANAG 2116), OR-1 to OF-5")]
    unit: Annotated[str, _is("unit the casualty belongs to")]
    service_number: Annotated[str, _is("service number, eight digits")]
    blood_group: Annotated[str, _is("ABO and Rh(D) blood group")]
    weight_kg: Annotated[int, _is("body weight", "kg")]


class Incident(Struct, gc=False):
    """The event that hurt the casualty; the casualties of one incident share all of it."""

    id: Annotated[str, _is("id of the incident, 16 hexadecimal digits")]
    type: Annotated[str, _is("type of warfare, or 'standard' where the scenario names none")]
    special_event: Annotated[str | None, _is("special event of the scenario it belongs to, else null")]
    at: Annotated[str, _is("when it began", "time")]
    casualties: Annotated[int, _is("casualties of the incident, this one included", "persons")]
    mascal: Annotated[bool, _is("whether it passed the scenario's threshold of a mass casualty incident")]


class Coded(Struct, gc=False):
    """A code with the words of its code system (ICD-10-CM)."""

    code: Annotated[str, _is("ICD-10-CM code")]
    display: Annotated[str, _is("the code's words in ICD-10-CM")]


class Wound(Struct, gc=False):
    """One wound by a weapon."""

    region: Annotated[str, _is("body region", codes=REGIONS)]
    side: Annotated[str, _is("side of the body, empty where the region has none", codes=SIDES)]
    ais: Annotated[int, _is("Abbreviated Injury Scale severity, 1 minor to 6 not survivable")]
    iss_region: Annotated[str, _is("body region as the ISS counts it", codes=ISS_REGIONS)]
    code: Annotated[str, _is("ICD-10-CM code")]
    display: Annotated[str, _is("the code's words in ICD-10-CM")]


class Injury(Struct, gc=False):
    """What is wrong with the casualty."""

    category: Annotated[
        str,
        _is("battle injury (CBRN by the enemy included), non-battle injury or disease", codes=STREAMS),
    ]
    kind: Annotated[str, _is("what describes the casualty: wounds, agent, illness ...", codes=CASUALTY_KINDS)]
    mechanism: Annotated[str, _is("mechanism of the injury", codes=MECHANISMS)]
    at: Annotated[str, _is("when injured, exposed or fallen ill", "time")]
    onset: Annotated[str, _is("when symptoms began: `at`, later for agents with delayed onset", "time")]
    external_cause: Annotated[Coded | None, _is("external cause of the injury, null where none is coded")]
    diagnosis: Annotated[Coded, _is("main diagnosis: that of the worst wound, or the illness")]
    iss: Annotated[int, _is("Injury Severity Score of the wounds, 0 without wounds, 75 with an AIS 6")]
    niss: Annotated[int, _is("New Injury Severity Score of the wounds, likewise")]
    severity: Annotated[
        str | None, _is("severity of agent casualties, null for all others", codes=AGENT_SEVERITIES)
    ]
    wounds: Annotated[list[Wound], _is("the wounds, empty unless `kind` is 'wounded'")]


class AssignedTriage(Struct, gc=False):
    """A triage category given at one place."""

    at: Annotated[str, _is("when", "time")]
    facility: Annotated[str, _is("where: id of a facility, 'POI' or 'en route'")]
    category: Annotated[str, _is("category assigned", codes=TRIAGE)]


class Triage(Struct, gc=False):
    """Triage: the truth, and what was thought of it at each place."""

    true: Annotated[str, _is("true category: T1 immediate, T2 urgent, T3 delayed", codes=TRIAGE)]
    precedence: Annotated[
        str | None,
        _is("precedence of the first evacuation request, null without request", codes=PRECEDENCES),
    ]
    assigned: Annotated[list[AssignedTriage], _is("categories assigned, in the order of time")]


class Treatment(Struct, gc=False):
    """One treatment."""

    treatment: Annotated[str, _is("what was done", codes=TREATMENTS)]
    facility: Annotated[str, _is("where: id of a facility, 'POI' or 'en route'")]
    start: Annotated[str, _is("begin", "time")]
    end: Annotated[str | None, _is("end, null if it had none", "time")]
    effect: Annotated[
        str,
        _is(
            "'effective': acted on what would have killed; 'ineffective': meant to and did not; else 'supportive'",
            codes=EFFECTS,
        ),
    ]
    wound: Annotated[int | None, _is("index in `injury.wounds`, null if it treats no single wound")]


class Event(Struct, gc=False, omit_defaults=True):
    """One change of state. `name`, `role`, `detail` and `waiting_for` are left out where they say nothing."""

    at: Annotated[str, _is("when", "time")]
    event: Annotated[str, _is("what happened", codes=EVENTS)]
    facility: Annotated[str, _is("where: id of a facility, 'POI' or 'en route'")]
    name: Annotated[str | None, _is("name of the facility, left out where the scenario gives none")] = None
    role: Annotated[
        int | None, _is("role of the facility, 0 for a staging unit, 1 to 4, left out outside facilities")
    ] = None
    detail: Annotated[
        str | None,
        _is(
            "category assigned by `triaged`, precedence of `evacuation_requested`; left out of others",
            codes=TRIAGE + PRECEDENCES,
        ),
    ] = None
    waiting_for: Annotated[
        str | None,
        _is(
            "what is waited for from here on: a finite resource or transport; left out of all but `waiting`",
            codes=AWAITED,
        ),
    ] = None


class Vitals(Struct, gc=False):
    """Vital signs at the door of a facility, or after resuscitation or surgery."""

    at: Annotated[str, _is("when", "time")]
    facility: Annotated[str, _is("where: id of a facility, 'POI' or 'en route'")]
    health_score: Annotated[float, _is("health score, 0 dead to 20 well (MODEL section 4)")]
    heart_rate: Annotated[int, _is("heart rate", "per minute")]
    systolic: Annotated[int, _is("systolic blood pressure", "mmHg")]
    respiratory_rate: Annotated[int, _is("respiratory rate", "per minute")]
    spo2: Annotated[int, _is("oxygen saturation", "%")]
    gcs: Annotated[int, _is("Glasgow Coma Scale, 3 to 15")]


class Outcome(Struct, gc=False):
    """How it ended."""

    status: Annotated[str, _is("outcome", codes=OUTCOMES)]
    at: Annotated[str, _is("when the outcome was fixed", "time")]
    facility: Annotated[str, _is("where: id of a facility, 'POI' or 'en route'")]
    cause_of_death: Annotated[str | None, _is("cause of death, null for the living", codes=DEATH_CAUSES)]
    waiting_for: Annotated[
        str | None,
        _is(
            "what the dead, or those in care at the horizon, were waiting for, else null",
            codes=WAITING_FOR,
        ),
    ]
    rtd_within_72h: Annotated[bool, _is("returned to duty within 72 h of the injury")]


class Patient(Struct, gc=False):
    """One casualty, from injury or illness to the outcome."""

    id: Annotated[str, _is("id of the patient, a UUID; the same in every run of the same scenario and seed")]
    synthetic: Annotated[Literal[True], _is("always true: no such person exists")]
    nationality: Annotated[str, _is("nation, ISO 3166-1 alpha-3 code")]
    front: Annotated[str, _is("front of the scenario")]
    demographics: Annotated[Demographics, _is("who")]
    incident: Annotated[Incident, _is("the event that hurt them")]
    injury: Annotated[Injury, _is("what is wrong with them")]
    triage: Annotated[Triage, _is("how urgent it was, and was thought to be")]
    treatments: Annotated[list[Treatment], _is("treatments, by begin")]
    timeline: Annotated[list[Event], _is("every change of state, by time: the simulation's event log")]
    vitals: Annotated[list[Vitals], _is("vital signs, by time")]
    outcome: Annotated[Outcome, _is("how it ended")]


def _by_detail(meanings: dict[str, tuple[str, ...]]) -> tuple[str | None, ...]:
    """Texts of an event's code of detail, at 8 * kind + detail, where `meanings` has the kind."""
    return tuple(
        (meanings.get(kind, ())[detail : detail + 1] or ("",))[0] or None
        for kind in EVENTS
        for detail in range(8)
    )


EVENT_DETAILS = _by_detail({"triaged": TRIAGE, "evacuation_requested": PRECEDENCES})
"""Texts of an event's `detail`, at 8 * kind + detail."""

EVENT_AWAITED = _by_detail({"waiting": AWAITED})
"""Texts of an event's `waiting_for`, at 8 * kind + detail."""


@contextmanager
def collector_off() -> Iterator[None]:
    """Python's garbage collector stands still inside: it would walk every record made and find nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def portion(chunk: layouts.Chunk, first: int, stop: int) -> layouts.Chunk:
    """Patients first to stop - 1 of `chunk` (fewer at its end) with their rows, as a chunk of its own."""
    patients = chunk.patients[first:stop].copy()
    tables = []
    for table, column in (
        (chunk.events, "event_end"),
        (chunk.treatments, "treatment_end"),
        (chunk.wounds, "wound_end"),
        (chunk.vitals, "vital_end"),
    ):
        start = int(chunk.patients[column][first - 1]) if first else 0
        rows = table[start : int(patients[column][-1]) if len(patients) else start].copy()
        rows["patient"] -= first
        patients[column] -= start
        tables.append(rows)
    last = chunk.last and first + len(patients) == len(chunk)
    return layouts.Chunk(chunk.number, chunk.first + first, last, patients, *tables)


def build_patients(chunk: layouts.Chunk, lexicon: CodeTables) -> list[Patient]:
    """The patients of `chunk` as records, in its order."""
    with collector_off():
        return _build(chunk, lexicon)


def _build(chunk: layouts.Chunk, lexicon: CodeTables) -> list[Patient]:
    patients = chunk.patients
    timelines = _grouped(_events(chunk.events, lexicon), patients["event_end"])
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
            _look_up(lexicon.nations, patients["nation"]),
            _look_up(lexicon.fronts, patients["front"]),
            _demographics(patients, lexicon),
            _incidents(patients, lexicon),
            _injuries(chunk, lexicon),
            _look_up(TRIAGE, patients["triage"]),
            triages,
            _grouped(_treatments(chunk.treatments, lexicon), patients["treatment_end"]),
            timelines,
            _grouped(_vitals(chunk.vitals, lexicon), patients["vital_end"]),
            _outcomes(patients, lexicon),
            strict=True,
        )
    ]


def _texts(values: "np.ndarray[Any, np.dtype[np.bytes_]]") -> list[str]:
    result: list[str] = values.astype("U").tolist()
    return result


def _look_up(table: Any, codes: "np.ndarray[Any, Any]") -> list[Any]:
    return list(map(table.__getitem__, codes.tolist()))


def _optional(table: Any, codes: "np.ndarray[Any, Any]") -> list[Any]:
    """Entries of `table`, None for codes of 'none of them'."""
    return _look_up((*table, None), optional_codes(codes, len(table)))


def _grouped(rows: list[Any], ends: "np.ndarray[Any, Any]") -> list[list[Any]]:
    return [rows[start:end] for start, end in pairwise([0, *ends.tolist()])]


def _demographics(patients: layouts.Table, lexicon: CodeTables) -> Iterator[Demographics]:
    nation = patients["nation"].astype(np.int64)
    by_sex = 2 * nation + patients["sex"]
    pools = (
        (lexicon.given_names, by_sex, "given_name"),
        (lexicon.family_names, by_sex, "family_name"),
        (lexicon.ranks, nation, "rank"),
        (lexicon.nato_ranks, nation, "rank"),
        (lexicon.units, patients["front"], "unit"),
    )
    given, family, rank, nato_rank, unit = (
        _look_up(pool.values, codes)
        for pool, codes in [(pool, pool.codes(group, patients[name])) for pool, group, name in pools]
    )
    return map(
        Demographics,
        given,
        family,
        _look_up(SEXES, patients["sex"]),
        _texts(lexicon.dates(patients["birth"].astype(np.int64))),
        patients["age"].tolist(),
        rank,
        nato_rank,
        unit,
        _texts(service_numbers(patients["service_number"])),
        _look_up(lexicon.blood_groups, patients["blood_group"]),
        patients["weight"].tolist(),
    )


def _incidents(patients: layouts.Table, lexicon: CodeTables) -> Iterator[Incident]:
    return map(
        Incident,
        _texts(hexadecimal(patients["incident"])),
        _look_up(lexicon.incident_types, lexicon.incident_type_codes(patients)),
        _look_up(
            lexicon.special_events, optional_codes(patients["special"], len(lexicon.special_events) - 1)
        ),
        _texts(lexicon.instants(patients["incident_time"])),
        patients["incident_size"].tolist(),
        patients["mascal"].astype(bool).tolist(),
    )


def _coded(code: str | None, display: str | None) -> Coded | None:
    return None if code is None or display is None else Coded(code, display)


def _injuries(chunk: layouts.Chunk, lexicon: CodeTables) -> Iterator[Injury]:
    patients = chunk.patients
    causes = list(map(_coded, lexicon.cause_codes, lexicon.cause_displays))
    diagnoses = list(map(_coded, lexicon.condition_codes, lexicon.condition_displays))
    return map(
        Injury,
        _look_up(STREAMS, patients["stream"]),
        _look_up(CASUALTY_KINDS, patients["kind"]),
        _look_up(MECHANISMS, patients["mechanism"]),
        _texts(lexicon.instants(patients["time"])),
        _texts(lexicon.instants(patients["onset"])),
        _look_up(causes, optional_codes(patients["cause"], len(causes) - 1)),
        _look_up(diagnoses, patients["condition"]),
        patients["iss"].tolist(),
        patients["niss"].tolist(),
        _optional(AGENT_SEVERITIES, patients["severity"]),
        _grouped(_wounds(chunk.wounds, lexicon), patients["wound_end"]),
    )


def _wounds(wounds: layouts.Table, lexicon: CodeTables) -> list[Wound]:
    return list(
        map(
            Wound,
            _look_up(REGIONS, wounds["region"]),
            _look_up(SIDES, wounds["side"]),
            wounds["ais"].tolist(),
            _look_up(ISS_REGIONS, iss_regions(wounds)),
            _look_up(lexicon.condition_codes, wounds["condition"]),
            _look_up(lexicon.condition_displays, wounds["condition"]),
        )
    )


def _treatments(treatments: layouts.Table, lexicon: CodeTables) -> list[Treatment]:
    ends = [
        text if end >= 0 else None
        for text, end in zip(
            _texts(lexicon.instants(treatments["end"])), treatments["end"].tolist(), strict=True
        )
    ]
    return list(
        map(
            Treatment,
            _look_up(TREATMENTS, treatments["kind"]),
            _look_up(lexicon.facilities, facility_codes(treatments["facility"])),
            _texts(lexicon.instants(treatments["start"])),
            ends,
            _look_up(EFFECTS, treatments["effect"]),
            _optional(range(NONE), treatments["wound"]),
        )
    )


def _events(events: layouts.Table, lexicon: CodeTables) -> list[Event]:
    facility = facility_codes(events["facility"])
    detail = 8 * events["kind"].astype(np.int64) + (events["detail"] & 7)
    return list(
        map(
            Event,
            _texts(lexicon.instants(events["at"])),
            _look_up(EVENTS, events["kind"]),
            _look_up(lexicon.facilities, facility),
            _look_up(lexicon.facility_names, facility),
            _look_up(lexicon.roles, facility),
            _look_up(EVENT_DETAILS, detail),
            _look_up(EVENT_AWAITED, detail),
        )
    )


def _triage(timeline: list[Event]) -> tuple[str | None, list[AssignedTriage]]:
    """Precedence of the first evacuation request, and the categories assigned."""
    precedence = next((event.detail for event in timeline if event.event == "evacuation_requested"), None)
    return precedence, [
        AssignedTriage(event.at, event.facility, event.detail or "")
        for event in timeline
        if event.event == "triaged"
    ]


def _vitals(vitals: layouts.Table, lexicon: CodeTables) -> list[Vitals]:
    return list(
        map(
            Vitals,
            _texts(lexicon.instants(vitals["at"])),
            _look_up(lexicon.facilities, facility_codes(vitals["facility"])),
            (vitals["score"] / 10).tolist(),
            vitals["heart_rate"].tolist(),
            vitals["systolic"].tolist(),
            vitals["respiratory_rate"].tolist(),
            vitals["spo2"].tolist(),
            vitals["gcs"].tolist(),
        )
    )


def _outcomes(patients: layouts.Table, lexicon: CodeTables) -> Iterator[Outcome]:
    return map(
        Outcome,
        _look_up(OUTCOMES, patients["status"]),
        _texts(lexicon.instants(patients["closed"])),
        _look_up(lexicon.facilities, facility_codes(patients["facility"])),
        _optional(DEATH_CAUSES, patients["death_cause"]),
        _optional(WAITING_FOR, patients["waiting_for"]),
        patients["rtd72"].astype(bool).tolist(),
    )


def schema() -> dict[str, Any]:
    """JSON Schema of a patient record."""
    return msgspec.json.schema(Patient)

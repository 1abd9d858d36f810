"""The flat tables of csv, parquet and the notebook: what their columns are, and how columns of codes become them.

`FLAT_COLUMNS` is the specification, from which `docs/records.md` is generated. `columns` decodes a chunk to NumPy
arrays,
`tables` to Arrow tables.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import tables as layouts
from engine.codes import (
    AWAITED,
    CASUALTY_KINDS,
    DEATH_CAUSES,
    EFFECTS,
    EVENTS,
    ISS_REGIONS,
    LETHAL_MECHANISMS,
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
    hexadecimal,
    iss_regions,
    optional_codes,
    service_numbers,
    uuids,
)
from engine.records.schema import EVENT_AWAITED, EVENT_DETAILS

if TYPE_CHECKING:
    import pyarrow as pa

Array = NDArray[Any]


class Column(NamedTuple):
    """A column: `kind` is text, integer, number, truth, time or date; `codes` are its values where they are few."""

    name: str
    kind: str
    meaning: str
    unit: str = ""
    codes: tuple[str, ...] = ()
    nullable: bool = False


_ID = Column("patient_id", "text", "`id` of the patient in table patients")
_FACILITY = "id of a facility, 'POI' (point of injury) or 'en route'"

FLAT_COLUMNS: dict[str, tuple[Column, ...]] = {
    "patients": (
        Column("id", "text", "id of the patient, a UUID"),
        Column("synthetic", "truth", "always true: no such person exists"),
        Column("nationality", "text", "nation, ISO 3166-1 alpha-3 code"),
        Column("front", "text", "front of the scenario"),
        Column("given_name", "text", "given name"),
        Column("family_name", "text", "family name"),
        Column("sex", "text", "sex", codes=SEXES),
        Column("birth_date", "date", "date of birth"),
        Column("age", "integer", "age when injured or falling ill", "years"),
        Column("rank", "text", "rank in the nation's own words"),
        Column("nato_rank", "text", "NATO rank code (STANAG 2116)"),
        Column("unit", "text", "unit the casualty belongs to"),
        Column("service_number", "text", "service number, eight digits"),
        Column("blood_group", "text", "ABO and Rh(D) blood group"),
        Column("weight_kg", "integer", "body weight", "kg"),
        Column("incident", "text", "id of the incident, 16 hexadecimal digits"),
        Column("incident_type", "text", "type of warfare, or 'standard'"),
        Column("special_event", "text", "special event of the scenario it belongs to", nullable=True),
        Column("incident_at", "time", "when the incident began"),
        Column("incident_casualties", "integer", "casualties of the incident", "persons"),
        Column("mascal", "truth", "whether the incident passed the mass casualty threshold"),
        Column("category", "text", "battle injury, non-battle injury or disease", codes=STREAMS),
        Column("kind", "text", "what describes the casualty", codes=CASUALTY_KINDS),
        Column("mechanism", "text", "mechanism of the injury", codes=MECHANISMS),
        Column("injured_at", "time", "when injured, exposed or fallen ill"),
        Column("onset_at", "time", "when symptoms began"),
        Column("external_cause_code", "text", "external cause, ICD-10-CM code", nullable=True),
        Column("external_cause", "text", "external cause in ICD-10-CM's words", nullable=True),
        Column("diagnosis_code", "text", "main diagnosis, ICD-10-CM code"),
        Column("diagnosis", "text", "main diagnosis in ICD-10-CM's words"),
        Column("iss", "integer", "Injury Severity Score, 0 to 75"),
        Column("niss", "integer", "New Injury Severity Score, 0 to 75"),
        Column("worst_ais", "integer", "highest AIS of the wounds, 0 without wounds"),
        Column("severity", "text", "severity of agent casualties", codes=AGENT_SEVERITIES, nullable=True),
        Column("triage", "text", "true triage category", codes=TRIAGE),
        Column(
            "lethal_mechanism",
            "text",
            "what would kill the casualty without care",
            codes=LETHAL_MECHANISMS,
            nullable=True,
        ),
        Column("untreated_death_at", "time", "when the casualty would have died without care", nullable=True),
        Column("first_care_at", "time", "first aid or first treatment", nullable=True),
        *(
            Column(f"role{role}_at", "time", f"first arrival at a Role {role} facility", nullable=True)
            for role in (1, 2, 3, 4)
        ),
        Column("surgery_at", "time", "begin of the first operation", nullable=True),
        Column("status", "text", "outcome", codes=OUTCOMES),
        Column("closed_at", "time", "when the outcome was fixed"),
        Column("facility", "text", f"where the outcome fell: {_FACILITY}"),
        Column("cause_of_death", "text", "cause of death", codes=DEATH_CAUSES, nullable=True),
        Column(
            "waiting_for",
            "text",
            "what the dead, or those in care at the horizon, were waiting for",
            codes=WAITING_FOR,
            nullable=True,
        ),
        Column("rtd_within_72h", "truth", "returned to duty within 72 h of the injury"),
    ),
    "events": (
        _ID,
        Column("at", "time", "when"),
        Column("event", "text", "what happened", codes=EVENTS),
        Column("facility", "text", _FACILITY),
        Column("role", "integer", "role of the facility, 0 for a staging unit, 1 to 4", nullable=True),
        Column(
            "detail",
            "text",
            "category assigned by `triaged`, precedence of `evacuation_requested`",
            codes=TRIAGE + PRECEDENCES,
            nullable=True,
        ),
        Column("waiting_for", "text", "what `waiting` waits for", codes=AWAITED, nullable=True),
    ),
    "treatments": (
        _ID,
        Column("treatment", "text", "what was done", codes=TREATMENTS),
        Column("facility", "text", _FACILITY),
        Column("start", "time", "begin"),
        Column("end", "time", "end", nullable=True),
        Column("effect", "text", "effect on what would have killed", codes=EFFECTS),
        Column("wound", "integer", "`wound` of the treated wound in table wounds", nullable=True),
    ),
    "wounds": (
        _ID,
        Column("wound", "integer", "index among the patient's wounds, from 0"),
        Column("region", "text", "body region", codes=REGIONS),
        Column("side", "text", "side of the body, empty where the region has none", codes=SIDES),
        Column("ais", "integer", "Abbreviated Injury Scale severity, 1 to 6"),
        Column("iss_region", "text", "body region as the ISS counts it", codes=ISS_REGIONS),
        Column("code", "text", "ICD-10-CM code"),
        Column("display", "text", "the code in ICD-10-CM's words"),
    ),
    "vitals": (
        _ID,
        Column("at", "time", "when"),
        Column("facility", "text", _FACILITY),
        Column("health_score", "number", "health score, 0 dead to 20 well"),
        Column("heart_rate", "integer", "heart rate", "per minute"),
        Column("systolic", "integer", "systolic blood pressure", "mmHg"),
        Column("respiratory_rate", "integer", "respiratory rate", "per minute"),
        Column("spo2", "integer", "oxygen saturation", "%"),
        Column("gcs", "integer", "Glasgow Coma Scale, 3 to 15"),
    ),
}


class _Coded(NamedTuple):
    """Texts as indices of a table; None in the table is null."""

    values: Any
    codes: Codes


class _Integers(NamedTuple):
    """Integers, null where negative."""

    values: Array


class _Times(NamedTuple):
    """Times in ms from the scenario's start, null where negative."""

    values: NDArray[np.int64]


class _Dates(NamedTuple):
    """Days since 1970."""

    values: Array


_Values = _Coded | _Integers | _Times | _Dates | Array


def _optional(values: tuple[str, ...], codes: Codes) -> _Coded:
    return _Coded((*values, None), optional_codes(codes, len(values)))


def _patients(chunk: layouts.Chunk, lexicon: CodeTables, identity: Array) -> tuple[_Values, ...]:
    p = chunk.patients
    nation = p["nation"].astype(np.int64)
    by_sex = 2 * nation + p["sex"]
    pools = (
        (lexicon.given_names, by_sex, "given_name"),
        (lexicon.family_names, by_sex, "family_name"),
        (lexicon.ranks, nation, "rank"),
        (lexicon.nato_ranks, nation, "rank"),
        (lexicon.units, p["front"], "unit"),
    )
    given, family, rank, nato_rank, unit = (
        _Coded(pool.values, pool.codes(group, p[name])) for pool, group, name in pools
    )
    causes = optional_codes(p["cause"], len(lexicon.cause_codes) - 1)
    return (
        identity,
        np.ones(len(p), bool),
        _Coded(lexicon.nations, p["nation"]),
        _Coded(lexicon.fronts, p["front"]),
        given,
        family,
        _Coded(SEXES, p["sex"]),
        _Dates(p["birth"]),
        _Integers(p["age"]),
        rank,
        nato_rank,
        unit,
        service_numbers(p["service_number"]),
        _Coded(lexicon.blood_groups, p["blood_group"]),
        _Integers(p["weight"]),
        hexadecimal(p["incident"]),
        _Coded(lexicon.incident_types, lexicon.incident_type_codes(p)),
        _Coded(lexicon.special_events, optional_codes(p["special"], len(lexicon.special_events) - 1)),
        _Times(p["incident_time"]),
        _Integers(p["incident_size"]),
        p["mascal"].astype(bool),
        _Coded(STREAMS, p["stream"]),
        _Coded(CASUALTY_KINDS, p["kind"]),
        _Coded(MECHANISMS, p["mechanism"]),
        _Times(p["time"]),
        _Times(p["onset"]),
        _Coded(lexicon.cause_codes, causes),
        _Coded(lexicon.cause_displays, causes),
        _Coded(lexicon.condition_codes, p["condition"]),
        _Coded(lexicon.condition_displays, p["condition"]),
        _Integers(p["iss"]),
        _Integers(p["niss"]),
        _Integers(p["worst_ais"]),
        _optional(AGENT_SEVERITIES, p["severity"]),
        _Coded(TRIAGE, p["triage"]),
        _optional(LETHAL_MECHANISMS, p["lethal"]),
        _Times(p["untreated_death"]),
        _Times(p["first_care"]),
        _Times(p["role1"]),
        _Times(p["role2"]),
        _Times(p["role3"]),
        _Times(p["role4"]),
        _Times(p["surgery"]),
        _Coded(OUTCOMES, p["status"]),
        _Times(p["closed"]),
        _Coded(lexicon.facilities, facility_codes(p["facility"])),
        _optional(DEATH_CAUSES, p["death_cause"]),
        _optional(WAITING_FOR, p["waiting_for"]),
        p["rtd72"].astype(bool),
    )


def _events(chunk: layouts.Chunk, lexicon: CodeTables, identity: Array) -> tuple[_Values, ...]:
    rows = chunk.events
    facility = facility_codes(rows["facility"])
    roles = np.array([-1 if role is None else role for role in lexicon.roles])
    detail = 8 * rows["kind"].astype(np.int64) + (rows["detail"] & 7)
    return (
        identity.take(rows["patient"]),
        _Times(rows["at"]),
        _Coded(EVENTS, rows["kind"]),
        _Coded(lexicon.facilities, facility),
        _Integers(roles.take(facility)),
        _Coded(EVENT_DETAILS, detail),
        _Coded(EVENT_AWAITED, detail),
    )


def _treatments(chunk: layouts.Chunk, lexicon: CodeTables, identity: Array) -> tuple[_Values, ...]:
    rows = chunk.treatments
    return (
        identity.take(rows["patient"]),
        _Coded(TREATMENTS, rows["kind"]),
        _Coded(lexicon.facilities, facility_codes(rows["facility"])),
        _Times(rows["start"]),
        _Times(rows["end"]),
        _Coded(EFFECTS, rows["effect"]),
        _Integers(np.where(rows["wound"] == NONE, -1, rows["wound"].astype(np.int64))),
    )


def _wounds(chunk: layouts.Chunk, lexicon: CodeTables, identity: Array) -> tuple[_Values, ...]:
    rows = chunk.wounds
    starts = np.concatenate(([0], chunk.patients["wound_end"].astype(np.int64)))
    return (
        identity.take(rows["patient"]),
        _Integers(np.arange(len(rows)) - starts.take(rows["patient"])),
        _Coded(REGIONS, rows["region"]),
        _Coded(SIDES, rows["side"]),
        _Integers(rows["ais"]),
        _Coded(ISS_REGIONS, iss_regions(rows)),
        _Coded(lexicon.condition_codes, rows["condition"]),
        _Coded(lexicon.condition_displays, rows["condition"]),
    )


def _vitals(chunk: layouts.Chunk, lexicon: CodeTables, identity: Array) -> tuple[_Values, ...]:
    rows = chunk.vitals
    return (
        identity.take(rows["patient"]),
        _Times(rows["at"]),
        _Coded(lexicon.facilities, facility_codes(rows["facility"])),
        rows["score"] / 10,
        *(_Integers(rows[name]) for name in ("heart_rate", "systolic", "respiratory_rate", "spo2", "gcs")),
    )


_BUILDERS = {
    "patients": _patients,
    "events": _events,
    "treatments": _treatments,
    "wounds": _wounds,
    "vitals": _vitals,
}


def columns(chunk: layouts.Chunk, lexicon: CodeTables) -> dict[str, dict[str, Array]]:
    """The flat tables of `chunk` as NumPy arrays.

    Texts are object arrays (None: null), ids `U`, times datetime64[s] (NaT: null), dates datetime64[D], integers
    int64 (-1: null).
    """
    identity = uuids(chunk.patients)
    return {
        table: {
            column.name: _readable(values, lexicon)
            for column, values in zip(FLAT_COLUMNS[table], builder(chunk, lexicon, identity), strict=True)
        }
        for table, builder in _BUILDERS.items()
    }


def _readable(values: _Values, lexicon: CodeTables) -> Array:
    match values:
        case _Coded():
            return np.array([*values.values, None], object)[:-1].take(values.codes)
        case _Integers():
            return values.values.astype(np.int64)
        case _Times():
            seconds = lexicon.seconds(values.values).astype("datetime64[s]")
            return np.where(values.values < 0, np.datetime64("NaT", "s"), seconds)
        case _Dates():
            return values.values.astype("datetime64[D]")
    return values.astype("U") if values.dtype.kind == "S" else values


def tables(chunk: layouts.Chunk, lexicon: CodeTables, text_times: bool = False) -> "dict[str, pa.Table]":
    """The flat tables of `chunk` as Arrow tables; see `chunk_arrow_table`."""
    return {table: chunk_arrow_table(chunk, lexicon, table, text_times) for table in FLAT_COLUMNS}


def chunk_arrow_table(
    chunk: layouts.Chunk, lexicon: CodeTables, table: str, text_times: bool = False
) -> "pa.Table":
    """One of the flat tables of `chunk` as an Arrow table of the schema `schema(table)`.

    `text_times`: times are ISO 8601 texts instead of timestamps.
    """
    import pyarrow as pa

    fields = schema(table, text_times)
    values = _BUILDERS[table](chunk, lexicon, uuids(chunk.patients))
    arrays = [
        _arrow(column, field.type, lexicon, text_times) for column, field in zip(values, fields, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=fields)


def schema(table: str, text_times: bool = False) -> "pa.Schema":
    """The Arrow schema of a flat table."""
    return schema_of(FLAT_COLUMNS[table], text_times)


def schema_of(columns: tuple[Column, ...], text_times: bool = False) -> "pa.Schema":
    """The Arrow schema of columns."""
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "integer": pa.int32(),
        "number": pa.float64(),
        "truth": pa.bool_(),
        "time": pa.string() if text_times else pa.timestamp("ms", "UTC"),
        "date": pa.date32(),
    }
    return pa.schema([pa.field(column.name, types[column.kind], column.nullable) for column in columns])


def _arrow(values: _Values, kind: "pa.DataType", lexicon: CodeTables, text_times: bool) -> Any:
    import pyarrow as pa

    match values:
        case _Coded():
            return pa.array(list(values.values), pa.string()).take(_ints(values.codes))
        case _Integers():
            return pa.array(values.values.astype(np.int32), kind, mask=values.values < 0)
        case _Times():
            missing = values.values < 0
            if text_times:
                return _arrow_texts(lexicon.instants(values.values), missing)
            return pa.array(lexicon.seconds(values.values) * 1000, kind, mask=missing)
        case _Dates():
            return pa.array(values.values.astype(np.int32), kind)
    if values.dtype.kind == "S":
        return _arrow_texts(values, None)
    return pa.array(values, kind)


def _ints(codes: Codes) -> Any:
    import pyarrow as pa

    return pa.array(codes.astype(np.int32), pa.int32())


def _arrow_texts(texts: Array, missing: Array | None) -> Any:
    """Texts that fill their fixed width, null where `missing`."""
    import pyarrow as pa

    offsets = np.arange(len(texts) + 1, dtype=np.int32) * texts.itemsize
    valid, nulls = None, 0
    if missing is not None and missing.any():
        valid = pa.py_buffer(np.packbits(~missing, bitorder="little").tobytes())
        nulls = int(missing.sum())
    data = pa.py_buffer(np.ascontiguousarray(texts).view(np.uint8).data)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets.data), data, valid, nulls)


def spare_memory() -> None:
    """Make Arrow take memory from the system: its own pools keep what was freed, some 40 MB in a process."""
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())

"""The flat tables of csv and parquet files and of `goldenhour.simulate`: their columns, and how they are decoded.

`FLAT_COLUMNS` is the specification; `docs/records.md` is generated from it. `decode_columns` decodes a chunk to NumPy
arrays, `arrow_tables` to Arrow tables.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    incident_ids,
    iss_regions,
    optional_codes,
    service_numbers,
    uuids,
)
from engine.records.schema import EVENT_AWAITED, EVENT_DETAILS, detail_codes
from engine.tables import Chunk

if TYPE_CHECKING:
    import pyarrow as pa

Array = NDArray[Any]


class Column(NamedTuple):
    """A column of a flat table."""

    name: str
    kind: str
    """text, integer, number, truth, time or date."""
    meaning: str
    unit: str = ""
    codes: tuple[str, ...] = ()
    """The values, where they are labels of a code."""
    nullable: bool = False


_ID = Column("patient_id", "text", "`id` of the patient in table `patients`")
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
        Column("rank", "text", "rank, in the nation's own term"),
        Column("nato_rank", "text", "NATO rank code (STANAG 2116)"),
        Column("unit", "text", "unit the casualty belongs to"),
        Column(
            "service_number",
            "text",
            "service number, unique within the nation: eight digits, more only in very large runs",
        ),
        Column("blood_group", "text", "ABO and Rh(D) blood group"),
        Column("weight_kg", "integer", "body weight", "kg"),
        Column("incident", "text", "id of the incident: 'i-' and 16 hexadecimal digits"),
        Column("incident_type", "text", "type of warfare, or 'standard'"),
        Column(
            "special_event",
            "text",
            "special event of the scenario that the incident is part of",
            nullable=True,
        ),
        Column("incident_at", "time", "start of the incident"),
        Column("incident_casualties", "integer", "number of casualties of the incident", "persons"),
        Column("mascal", "truth", "whether the incident reached the mass casualty threshold"),
        Column("category", "text", "battle injury, non-battle injury or disease", codes=STREAMS),
        Column("kind", "text", "kind of casualty", codes=CASUALTY_KINDS),
        Column("mechanism", "text", "mechanism of the injury", codes=MECHANISMS),
        Column("injured_at", "time", "time of injury, exposure or falling ill"),
        Column("onset_at", "time", "onset of symptoms"),
        Column("external_cause_code", "text", "external cause, ICD-10-CM code", nullable=True),
        Column("external_cause", "text", "external cause, ICD-10-CM text", nullable=True),
        Column("diagnosis_code", "text", "main diagnosis, ICD-10-CM code"),
        Column("diagnosis", "text", "main diagnosis, ICD-10-CM text"),
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
        Column("surgery_at", "time", "start of the first operation", nullable=True),
        Column("status", "text", "outcome", codes=OUTCOMES),
        Column("closed_at", "time", "time of the outcome"),
        Column("facility", "text", f"place of the outcome: {_FACILITY}"),
        Column("cause_of_death", "text", "cause of death", codes=DEATH_CAUSES, nullable=True),
        Column(
            "waiting_for",
            "text",
            "what a patient who died, or is in care at the horizon, was waiting for",
            codes=WAITING_FOR,
            nullable=True,
        ),
        Column("rtd_within_72h", "truth", "returned to duty within 72 h of the injury"),
    ),
    "events": (
        _ID,
        Column("at", "time", "time of the event"),
        Column("event", "text", "kind of event", codes=EVENTS),
        Column("facility", "text", _FACILITY),
        Column("role", "integer", "role of the facility, 0 (staging unit) to 4", nullable=True),
        Column(
            "detail",
            "text",
            "category assigned by `triaged`, precedence of `evacuation_requested`",
            codes=TRIAGE + PRECEDENCES,
            nullable=True,
        ),
        Column(
            "waiting_for",
            "text",
            "finite resource or transport that the patient now waits for",
            codes=AWAITED,
            nullable=True,
        ),
    ),
    "treatments": (
        _ID,
        Column("treatment", "text", "kind of treatment", codes=TREATMENTS),
        Column("facility", "text", _FACILITY),
        Column("start", "time", "start of the treatment"),
        Column("end", "time", "end of the treatment", nullable=True),
        Column("effect", "text", "effect on what would have killed the patient", codes=EFFECTS),
        Column("wound", "integer", "`wound` of the treated wound in table `wounds`", nullable=True),
    ),
    "wounds": (
        _ID,
        Column("wound", "integer", "index among the patient's wounds, from 0"),
        Column("region", "text", "body region", codes=REGIONS),
        Column(
            "side",
            "text",
            "side of the body, null where the region has no sides",
            codes=SIDES[1:],
            nullable=True,
        ),
        Column("ais", "integer", "Abbreviated Injury Scale severity, 1 to 6"),
        Column("iss_region", "text", "body region of the Injury Severity Score", codes=ISS_REGIONS),
        Column("code", "text", "ICD-10-CM code"),
        Column("display", "text", "text of the code in ICD-10-CM"),
    ),
    "vitals": (
        _ID,
        Column("at", "time", "time of measurement"),
        Column("facility", "text", _FACILITY),
        Column("health_score", "number", "health score from 0 (dead) to 20 (well)"),
        Column("heart_rate", "integer", "heart rate", "per minute"),
        Column("systolic", "integer", "systolic blood pressure", "mmHg"),
        Column("respiratory_rate", "integer", "respiratory rate", "per minute"),
        Column("spo2", "integer", "oxygen saturation", "%"),
        Column("gcs", "integer", "Glasgow Coma Scale, 3 to 15"),
    ),
}


class _Coded(NamedTuple):
    """Texts as indices of a list; None in the list is null."""

    texts: Any
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


class _Tenths(NamedTuple):
    """Numbers with one decimal, in tenths."""

    values: Array


_Values = _Coded | _Integers | _Times | _Dates | _Tenths | Array


def _optional(texts: tuple[str, ...], codes: Codes) -> _Coded:
    """Decode codes of which 255 means "none of them"."""
    return _Coded((*texts, None), optional_codes(codes, len(texts)))


def _patients(chunk: Chunk, code_tables: CodeTables, identity: Array) -> tuple[_Values, ...]:
    patients = chunk.patients
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
        _Coded(grouped.texts, grouped.codes(group, patients[name])) for grouped, group, name in texts
    )
    causes = optional_codes(patients["cause"], len(code_tables.cause_codes) - 1)
    return (
        identity,
        np.ones(len(patients), bool),
        _Coded(code_tables.nations, patients["nation"]),
        _Coded(code_tables.fronts, patients["front"]),
        given,
        family,
        _Coded(SEXES, patients["sex"]),
        _Dates(patients["birth"]),
        _Integers(patients["age"]),
        rank,
        nato_rank,
        unit,
        service_numbers(patients["service_number"]),
        _Coded(code_tables.blood_groups, patients["blood_group"]),
        _Integers(patients["weight"]),
        incident_ids(patients["incident"]),
        _Coded(code_tables.incident_types, code_tables.incident_type_codes(patients)),
        _Coded(
            code_tables.special_events,
            optional_codes(patients["special"], len(code_tables.special_events) - 1),
        ),
        _Times(patients["incident_time"]),
        _Integers(patients["incident_size"]),
        patients["mascal"].astype(bool),
        _Coded(STREAMS, patients["stream"]),
        _Coded(CASUALTY_KINDS, patients["kind"]),
        _Coded(MECHANISMS, patients["mechanism"]),
        _Times(patients["time"]),
        _Times(patients["onset"]),
        _Coded(code_tables.cause_codes, causes),
        _Coded(code_tables.cause_displays, causes),
        _Coded(code_tables.condition_codes, patients["condition"]),
        _Coded(code_tables.condition_displays, patients["condition"]),
        _Integers(patients["iss"]),
        _Integers(patients["niss"]),
        _Integers(patients["worst_ais"]),
        _optional(AGENT_SEVERITIES, patients["severity"]),
        _Coded(TRIAGE, patients["triage"]),
        _optional(LETHAL_MECHANISMS, patients["lethal"]),
        _Times(patients["untreated_death"]),
        _Times(patients["first_care"]),
        _Times(patients["role1"]),
        _Times(patients["role2"]),
        _Times(patients["role3"]),
        _Times(patients["role4"]),
        _Times(patients["surgery"]),
        _Coded(OUTCOMES, patients["status"]),
        _Times(patients["closed"]),
        _Coded(code_tables.facilities, facility_codes(patients["facility"])),
        _optional(DEATH_CAUSES, patients["death_cause"]),
        _optional(WAITING_FOR, patients["waiting_for"]),
        patients["rtd72"].astype(bool),
    )


def _events(chunk: Chunk, code_tables: CodeTables, identity: Array) -> tuple[_Values, ...]:
    rows = chunk.events
    facility = facility_codes(rows["facility"])
    roles = np.array([-1 if role is None else role for role in code_tables.roles])
    detail = detail_codes(rows)
    return (
        identity.take(rows["patient"]),
        _Times(rows["at"]),
        _Coded(EVENTS, rows["kind"]),
        _Coded(code_tables.facilities, facility),
        _Integers(roles.take(facility)),
        _Coded(EVENT_DETAILS, detail),
        _Coded(EVENT_AWAITED, detail),
    )


def _treatments(chunk: Chunk, code_tables: CodeTables, identity: Array) -> tuple[_Values, ...]:
    rows = chunk.treatments
    return (
        identity.take(rows["patient"]),
        _Coded(TREATMENTS, rows["kind"]),
        _Coded(code_tables.facilities, facility_codes(rows["facility"])),
        _Times(rows["start"]),
        _Times(rows["end"]),
        _Coded(EFFECTS, rows["effect"]),
        _Integers(np.where(rows["wound"] == NONE, -1, rows["wound"].astype(np.int64))),
    )


def _wounds(chunk: Chunk, code_tables: CodeTables, identity: Array) -> tuple[_Values, ...]:
    rows = chunk.wounds
    starts = np.concatenate(([0], chunk.patients["wound_end"].astype(np.int64)))
    return (
        identity.take(rows["patient"]),
        _Integers(np.arange(len(rows)) - starts.take(rows["patient"])),
        _Coded(REGIONS, rows["region"]),
        _Coded((None, *SIDES[1:]), rows["side"]),
        _Integers(rows["ais"]),
        _Coded(ISS_REGIONS, iss_regions(rows)),
        _Coded(code_tables.condition_codes, rows["condition"]),
        _Coded(code_tables.condition_displays, rows["condition"]),
    )


def _vitals(chunk: Chunk, code_tables: CodeTables, identity: Array) -> tuple[_Values, ...]:
    rows = chunk.vitals
    return (
        identity.take(rows["patient"]),
        _Times(rows["at"]),
        _Coded(code_tables.facilities, facility_codes(rows["facility"])),
        _Tenths(rows["score"]),
        *(_Integers(rows[name]) for name in ("heart_rate", "systolic", "respiratory_rate", "spo2", "gcs")),
    )


_BUILDERS = {
    "patients": _patients,
    "events": _events,
    "treatments": _treatments,
    "wounds": _wounds,
    "vitals": _vitals,
}


def decode_columns(chunk: Chunk, code_tables: CodeTables) -> dict[str, dict[str, Array]]:
    """Return the flat tables of `chunk` as NumPy arrays, by table and column.

    Texts are object arrays, ids `U`, times datetime64[s], dates datetime64[D], integers int64. Null is None, NaT, and
    -1 for integers.
    """
    identity = uuids(chunk.patients)
    return {
        table: {
            column.name: _decode(values, code_tables)
            for column, values in zip(FLAT_COLUMNS[table], builder(chunk, code_tables, identity), strict=True)
        }
        for table, builder in _BUILDERS.items()
    }


def _decode(values: _Values, code_tables: CodeTables) -> Array:
    match values:
        case _Coded():
            return np.array([*values.texts, None], object)[:-1].take(values.codes)
        case _Integers():
            return values.values.astype(np.int64)
        case _Times():
            seconds = code_tables.seconds(values.values).astype("datetime64[s]")
            return np.where(values.values < 0, np.datetime64("NaT", "s"), seconds)
        case _Dates():
            return values.values.astype("datetime64[D]")
        case _Tenths():
            return values.values / 10
    return values.astype("U") if values.dtype.kind == "S" else values


def arrow_tables(chunk: Chunk, code_tables: CodeTables, as_texts: bool = False) -> "dict[str, pa.Table]":
    """Return the flat tables of `chunk` as Arrow tables by name; see `chunk_arrow_table`."""
    return {table: chunk_arrow_table(chunk, code_tables, table, as_texts) for table in FLAT_COLUMNS}


def chunk_arrow_table(
    chunk: Chunk, code_tables: CodeTables, table: str, as_texts: bool = False
) -> "pa.Table":
    """Return one of the flat tables of `chunk` as an Arrow table with the schema of `table_schema`.

    Parameters
    ----------
    chunk, code_tables
        The patients, and the texts behind their codes.
    table
        A key of FLAT_COLUMNS.
    as_texts
        Whether the table is for CSV: times are ISO 8601 texts, and numbers are decimals, which keep their last zero.
    """
    import pyarrow as pa

    fields = table_schema(table, as_texts)
    values = _BUILDERS[table](chunk, code_tables, uuids(chunk.patients))
    arrays = [
        _arrow(column, field.type, code_tables, as_texts)
        for column, field in zip(values, fields, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=fields)


def table_schema(table: str, as_texts: bool = False) -> "pa.Schema":
    """Return the Arrow schema of a flat table, for CSV or for Parquet."""
    return arrow_schema(FLAT_COLUMNS[table], as_texts)


def arrow_schema(columns: tuple[Column, ...], as_texts: bool = False) -> "pa.Schema":
    """Return the Arrow schema of these columns, for CSV or for Parquet."""
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "integer": pa.int32(),
        "number": pa.decimal128(9, 1) if as_texts else pa.float64(),
        "truth": pa.bool_(),
        "time": pa.string() if as_texts else pa.timestamp("ms", "UTC"),
        "date": pa.date32(),
    }
    return pa.schema([pa.field(column.name, types[column.kind], column.nullable) for column in columns])


def _arrow(values: _Values, kind: "pa.DataType", code_tables: CodeTables, as_texts: bool) -> Any:
    import pyarrow as pa

    match values:
        case _Coded():
            return pa.array(list(values.texts), pa.string()).take(_arrow_codes(values.codes))
        case _Integers():
            return pa.array(values.values.astype(np.int32), kind, mask=values.values < 0)
        case _Times():
            missing = values.values < 0
            if as_texts:
                return _arrow_texts(code_tables.instants(values.values), missing)
            return pa.array(code_tables.seconds(values.values) * 1000, kind, mask=missing)
        case _Dates():
            return pa.array(values.values.astype(np.int32), kind)
        case _Tenths():
            return _arrow_decimals(values.values, kind) if as_texts else pa.array(values.values / 10, kind)
    if values.dtype.kind == "S":
        return _arrow_texts(values, None)
    return pa.array(values, kind)


def _arrow_codes(codes: Codes) -> Any:
    import pyarrow as pa

    return pa.array(codes.astype(np.int32), pa.int32())


def _arrow_decimals(tenths: Array, kind: "pa.DataType") -> Any:
    """Return numbers in tenths as Arrow decimals, which are always written with their decimal: 2.0, never 2."""
    import pyarrow as pa

    words = np.zeros((len(tenths), 2), "<i8")  # 128 bits: the sign fills the upper half
    words[:, 0] = tenths
    words[:, 1] = words[:, 0] >> 63
    return pa.Array.from_buffers(kind, len(tenths), [None, pa.py_buffer(words.data)])


def _arrow_texts(texts: Array, missing: Array | None) -> Any:
    """Return texts as an Arrow array without padding, null where `missing`. Most are of the same width."""
    import pyarrow as pa

    octets = np.ascontiguousarray(texts).view(np.uint8)
    if not octets.reshape(len(texts), texts.itemsize)[
        :, -1
    ].all():  # padding: service numbers of several lengths
        return pa.array(texts.astype("U").tolist(), pa.string(), mask=missing)
    offsets = np.arange(len(texts) + 1, dtype=np.int32) * texts.itemsize
    valid, nulls = None, 0
    if missing is not None and missing.any():
        valid = pa.py_buffer(np.packbits(~missing, bitorder="little").tobytes())
        nulls = int(missing.sum())
    data = pa.py_buffer(octets.data)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets.data), data, valid, nulls)


def use_system_allocator() -> None:
    """Make Arrow allocate from the system. Its own pools would retain freed memory, some 40 MB in each process."""
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())

"""Patient records as JSON, assembled from fragments (`engine.records.formats.fragments`).

Building the forty Structs of a record takes ten times as long as encoding it. So each part of a record is assembled as
JSON, and msgspec encodes one Struct of `msgspec.Raw` for each patient. The bytes are those of
`engine.records.schema.build_patients`, encoded; a test compares them.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw, Struct
from numpy.typing import NDArray

from engine.codes import (
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
    incident_ids,
    iss_region,
    optional_codes,
    service_numbers,
    uuids,
)
from engine.records.formats.fragments import (
    FixedWidth,
    FragmentTable,
    ListPart,
    ObjectPart,
    first_and_last,
    join_columns,
)
from engine.records.schema import DETAIL_COUNT, EVENT_AWAITED, EVENT_DETAILS, paused_garbage_collector
from engine.tables import Chunk, Table, slice_chunk

BLOCK = 1024
"""Patients whose fragments are looked up together: enough to hide NumPy's overhead, few enough to stay small."""

SLICE = 512
"""Patients whose texts are joined together: few enough for the processor's cache (1 MB)."""

_BOOLEANS = 2
_BYTE = 256
"""Number of values of a one-byte column."""
_AIS_LEVELS = 7
"""AIS 0 (none) to 6."""

_EMPTY = b"[]"
_OPENINGS = np.array([b',{"at":"', b'[{"at":"'], "S8")
"""Begin of a list item that starts with `at`: of any but the first, and of the first."""

json: Callable[[Any], bytes] = msgspec.json.Encoder().encode


class EncodedPatient(Struct, gc=False):
    """`engine.records.schema.Patient` with its parts encoded."""

    id: Raw
    synthetic: bool
    nationality: str
    front: str
    demographics: Raw
    incident: Raw
    injury: Raw
    triage: Raw
    treatments: Raw
    timeline: Raw
    vitals: Raw
    outcome: Raw


def encode_patients(chunk: Chunk, code_tables: CodeTables) -> Iterator[list[EncodedPatient]]:
    """Yield the patients of `chunk`, ready for msgspec's JSON encoder, in its order and SLICE at a time."""
    encoder = code_tables.encoders.get("json")
    if encoder is None:
        encoder = code_tables.encoders["json"] = PatientEncoder(code_tables)
    slices: Iterator[list[EncodedPatient]] = encoder.slices(chunk)
    return slices


class PatientEncoder:
    """Encodes the patients of chunks with one set of code tables. It reuses its fragments from chunk to chunk."""

    def __init__(self, code_tables: CodeTables) -> None:
        self._code_tables = code_tables
        self._demographics = _Demographics(code_tables)
        self._incident = _Incident(code_tables)
        self._injury = _Injury(code_tables)
        self._triage = _Triage(code_tables)
        self._treatments = _Treatments(code_tables)
        self._timeline = _Timeline(code_tables)
        self._vitals = _Vitals(code_tables)
        self._outcome = _Outcome(code_tables)

    def slices(self, chunk: Chunk) -> Iterator[list[EncodedPatient]]:
        """Yield the patients of `chunk` in its order, SLICE at a time."""
        for first in range(0, len(chunk), BLOCK):
            block = slice_chunk(chunk, first, first + BLOCK)
            with paused_garbage_collector():
                parts = self._parts(block)
            for start in range(0, len(block), SLICE):
                with paused_garbage_collector():
                    patients = self._join(block.patients, parts, start, min(start + SLICE, len(block)))
                yield patients

    def _parts(self, chunk: Chunk) -> tuple[ObjectPart | ListPart, ...]:
        """Look up the fragments of all parts of `EncodedPatient` that are `Raw`, in its order."""
        return (
            ObjectPart(join_columns(b'"', uuids(chunk.patients), b'"')),
            self._demographics.encode(chunk.patients),
            self._incident.encode(chunk.patients),
            self._injury.encode(chunk),
            self._triage.encode(chunk),
            self._treatments.encode(chunk),
            self._timeline.encode(chunk),
            self._vitals.encode(chunk),
            self._outcome.encode(chunk.patients),
        )

    def _join(
        self, patients: Table, parts: Sequence[ObjectPart | ListPart], first: int, stop: int
    ) -> list[EncodedPatient]:
        """Join the texts of patients `first` to `stop` - 1."""
        identity, demographics, incident, injury, triage, treatments, timeline, vitals, outcome = (
            map(Raw, part.texts(first, stop)) for part in parts
        )
        return list(
            map(
                EncodedPatient,
                identity,
                repeat(True),
                map(self._code_tables.nations.__getitem__, patients["nation"][first:stop].tolist()),
                map(self._code_tables.fronts.__getitem__, patients["front"][first:stop].tolist()),
                demographics,
                incident,
                injury,
                triage,
                treatments,
                timeline,
                vitals,
                outcome,
            )
        )


class _Demographics:
    """Encodes `Patient.demographics`."""

    def __init__(self, code_tables: CodeTables) -> None:
        self._code_tables = code_tables
        given, family, unit = code_tables.given_names, code_tables.family_names, code_tables.units
        ranks, nato_ranks = code_tables.ranks, code_tables.nato_ranks
        self._given = FragmentTable(
            (), lambda code: b'{"given_name":' + json(given.texts[code]) + b',"family_name":'
        )
        self._family = FragmentTable(
            (len(SEXES),),
            lambda code, sex: json(family.texts[code]) + b',"sex":' + json(SEXES[sex]) + b',"birth_date":"',
        )
        self._age = FragmentTable((), lambda age: b'","age":%d,"rank":' % age)
        self._rank = FragmentTable(
            (),
            lambda code: (
                json(ranks.texts[code]) + b',"nato_rank":' + json(nato_ranks.texts[code]) + b',"unit":'
            ),
        )
        self._unit = FragmentTable((), lambda code: json(unit.texts[code]) + b',"service_number":"')
        self._body = FragmentTable(
            (_BYTE,),
            lambda group, weight: (
                b'","blood_group":' + json(code_tables.blood_groups[group]) + b',"weight_kg":%d}' % weight
            ),
        )

    def encode(self, patients: Table) -> ObjectPart:
        tables = self._code_tables
        nation = patients["nation"].astype(np.int64)
        sex = patients["sex"]
        by_sex = len(SEXES) * nation + sex
        tables.nato_ranks.load_groups(nation)
        return ObjectPart(
            self._given.lookup(tables.given_names.codes(by_sex, patients["given_name"])),
            self._family.lookup(tables.family_names.codes(by_sex, patients["family_name"]), sex),
            tables.dates(patients["birth"].astype(np.int64)),
            self._age.lookup(patients["age"]),
            self._rank.lookup(tables.ranks.codes(nation, patients["rank"])),
            self._unit.lookup(tables.units.codes(patients["front"], patients["unit"])),
            service_numbers(patients["service_number"]),
            self._body.lookup(patients["blood_group"], patients["weight"]),
        )


class _Incident:
    """Encodes `Patient.incident`."""

    def __init__(self, code_tables: CodeTables) -> None:
        self._code_tables = code_tables
        self._type = FragmentTable(
            (len(code_tables.special_events),),
            lambda kind, special: (
                b'","type":'
                + json(code_tables.incident_types[kind])
                + b',"special_event":'
                + json(code_tables.special_events[special])
                + b',"at":"'
            ),
        )
        self._size = FragmentTable(
            (_BOOLEANS,),
            lambda size, mascal: b'","casualties":%d,"mascal":%b}' % (size, json(bool(mascal))),
        )

    def encode(self, patients: Table) -> ObjectPart:
        tables = self._code_tables
        return ObjectPart(
            join_columns(b'{"id":"', incident_ids(patients["incident"])),
            self._type.lookup(
                tables.incident_type_codes(patients),
                optional_codes(patients["special"], len(tables.special_events) - 1),
            ),
            tables.instants(patients["incident_time"]),
            self._size.lookup(patients["incident_size"], patients["mascal"]),
        )


class _Injury:
    """Encodes `Patient.injury`."""

    def __init__(self, code_tables: CodeTables) -> None:
        self._code_tables = code_tables
        self._category = FragmentTable(
            (len(CASUALTY_KINDS), len(MECHANISMS)),
            lambda stream, kind, mechanism: (
                b'{"category":'
                + json(STREAMS[stream])
                + b',"kind":'
                + json(CASUALTY_KINDS[kind])
                + b',"mechanism":'
                + json(MECHANISMS[mechanism])
                + b',"at":"'
            ),
        )
        cause_codes, cause_displays = code_tables.cause_codes, code_tables.cause_displays
        self._cause = FragmentTable(
            (),
            lambda code: (
                b'","external_cause":' + _coded(cause_codes[code], cause_displays[code]) + b',"diagnosis":'
            ),
        )
        conditions, displays = code_tables.condition_codes, code_tables.condition_displays
        self._diagnosis = FragmentTable(
            (), lambda code: _coded(conditions[code], displays[code]) + b',"iss":'
        )
        severities = (*AGENT_SEVERITIES, None)
        self._scores = FragmentTable(
            (_BYTE, len(severities)),
            lambda iss, niss, severity: (
                b'%d,"niss":%d,"severity":%b,"wounds":' % (iss, niss, json(severities[severity]))
            ),
        )
        self._wound = FragmentTable(
            (len(SIDES), _AIS_LEVELS, _BOOLEANS),
            lambda region, side, ais, first: (
                (b"[" if first else b",")
                + b'{"region":'
                + json(REGIONS[region])
                + b',"side":'
                + json(SIDES[side] or None)
                + b',"ais":%d,"iss_region":' % ais
                + json(ISS_REGIONS[iss_region(region, ais)])
                + b',"code":'
            ),
        )
        self._wound_condition = FragmentTable(
            (_BOOLEANS,),
            lambda code, last: (
                json(conditions[code]) + b',"display":' + json(displays[code]) + (b"}]}" if last else b"}")
            ),
        )

    def encode(self, chunk: Chunk) -> ObjectPart:
        tables, patients, wounds = self._code_tables, chunk.patients, chunk.wounds
        first, last = first_and_last(patients["wound_end"])
        return ObjectPart(
            self._category.lookup(patients["stream"], patients["kind"], patients["mechanism"]),
            join_columns(
                tables.instants(patients["time"]), b'","onset":"', tables.instants(patients["onset"])
            ),
            self._cause.lookup(optional_codes(patients["cause"], len(tables.cause_codes) - 1)),
            self._diagnosis.lookup(patients["condition"]),
            self._scores.lookup(
                patients["iss"], patients["niss"], optional_codes(patients["severity"], len(AGENT_SEVERITIES))
            ),
            ListPart(
                patients["wound_end"],
                b"[]}",
                self._wound.lookup(wounds["region"], wounds["side"], wounds["ais"], first),
                self._wound_condition.lookup(wounds["condition"], last),
            ),
        )


class _Triage:
    """Encodes `Patient.triage` from the patients' true categories and the event log."""

    _REQUESTED = EVENTS.index("evacuation_requested")
    _TRIAGED = EVENTS.index("triaged")

    def __init__(self, code_tables: CodeTables) -> None:
        self._code_tables = code_tables
        facility = _encoded_facilities(code_tables)
        self._true = FragmentTable(
            (len(PRECEDENCES),),
            lambda true, precedence: (
                b'{"true":'
                + json(TRIAGE[true])
                + b',"precedence":'
                + json(PRECEDENCES[precedence] or None)
                + b',"assigned":'
            ),
        )
        self._assigned = FragmentTable(
            (len(TRIAGE), _BOOLEANS),
            lambda place, category, last: (
                b'","facility":'
                + facility[place]
                + b',"category":'
                + json(TRIAGE[category])
                + (b"}]}" if last else b"}")
            ),
        )

    def encode(self, chunk: Chunk) -> ObjectPart:
        patients, events = chunk.patients, chunk.events
        # In reverse order the first request of a patient is assigned last.
        requested = np.flatnonzero(events["kind"] == self._REQUESTED)[::-1]
        precedence = np.zeros(len(patients), np.int64)
        precedence[events["patient"][requested]] = events["detail"][requested]
        triaged = events[events["kind"] == self._TRIAGED]
        ends = np.bincount(triaged["patient"], minlength=len(patients)).cumsum()
        first, last = first_and_last(ends)
        return ObjectPart(
            self._true.lookup(patients["triage"], precedence),
            ListPart(
                ends,
                b"[]}",
                _item_times(self._code_tables, triaged["at"], first),
                self._assigned.lookup(facility_codes(triaged["facility"]), triaged["detail"], last),
            ),
        )


class _Treatments:
    """Encodes `Patient.treatments`."""

    def __init__(self, code_tables: CodeTables) -> None:
        self._code_tables = code_tables
        facility = _encoded_facilities(code_tables)
        self._treatment = FragmentTable(
            (len(facility), _BOOLEANS),
            lambda kind, place, first: (
                (b"[" if first else b",")
                + b'{"treatment":'
                + json(TREATMENTS[kind])
                + b',"facility":'
                + facility[place]
                + b',"start":"'
            ),
        )
        self._effect = FragmentTable(
            (_BYTE, _BOOLEANS),
            lambda effect, wound, last: (
                b',"effect":'
                + json(EFFECTS[effect])
                + b',"wound":'
                + json(wound if wound != NONE else None)
                + (b"}]" if last else b"}")
            ),
        )

    def encode(self, chunk: Chunk) -> ListPart:
        treatments, ends = chunk.treatments, chunk.patients["treatment_end"]
        first, last = first_and_last(ends)
        return ListPart(
            ends,
            _EMPTY,
            self._treatment.lookup(treatments["kind"], facility_codes(treatments["facility"]), first),
            self._spans(treatments),
            self._effect.lookup(treatments["effect"], treatments["wound"], last),
        )

    def _spans(self, treatments: Table) -> FixedWidth:
        """Return begin and end of each treatment."""
        start = self._code_tables.instants(treatments["start"])
        end = self._code_tables.instants(treatments["end"])
        spans: Any = join_columns(start, b'","end":"', end, b'"')
        endless = treatments["end"] < 0
        if endless.any():
            # Shorter than the column is wide: NumPy strips the padding when it returns the text.
            spans[endless] = join_columns(start[endless], b'","end":null')
        return spans


class _Timeline:
    """Encodes `Patient.timeline`."""

    def __init__(self, code_tables: CodeTables) -> None:
        self._code_tables = code_tables
        facility = _encoded_facilities(code_tables)
        names, roles = code_tables.facility_names, code_tables.roles
        self._event = FragmentTable(
            (len(facility), DETAIL_COUNT, _BOOLEANS),
            lambda kind, place, detail, last: (
                b'","event":'
                + json(EVENTS[kind])
                + b',"facility":'
                + facility[place]
                + _optional_field(b',"name":', names[place])
                + _optional_field(b',"role":', roles[place])
                + _optional_field(b',"detail":', EVENT_DETAILS[DETAIL_COUNT * kind + detail])
                + _optional_field(b',"waiting_for":', EVENT_AWAITED[DETAIL_COUNT * kind + detail])
                + (b"}]" if last else b"}")
            ),
        )

    def encode(self, chunk: Chunk) -> ListPart:
        events, ends = chunk.events, chunk.patients["event_end"]
        first, last = first_and_last(ends)
        return ListPart(
            ends,
            _EMPTY,
            _item_times(self._code_tables, events["at"], first),
            self._event.lookup(events["kind"], facility_codes(events["facility"]), events["detail"], last),
        )


class _Vitals:
    """Encodes `Patient.vitals`."""

    def __init__(self, code_tables: CodeTables) -> None:
        self._code_tables = code_tables
        facility = _encoded_facilities(code_tables)
        self._health = FragmentTable(
            (_BYTE,),
            lambda place, score: (
                b'","facility":'
                + facility[place]
                + b',"health_score":'
                + json(score / 10)
                + b',"heart_rate":'
            ),
        )
        self._heart_rate = FragmentTable((), lambda rate: b'%d,"systolic":' % rate)
        self._systolic = FragmentTable((), lambda pressure: b'%d,"respiratory_rate":' % pressure)
        self._respiratory_rate = FragmentTable((), lambda rate: b'%d,"spo2":' % rate)
        self._spo2 = FragmentTable(
            (_BYTE, _BOOLEANS),
            lambda spo2, gcs, last: b'%d,"gcs":%d%b' % (spo2, gcs, b"}]" if last else b"}"),
        )

    def encode(self, chunk: Chunk) -> ListPart:
        vitals, ends = chunk.vitals, chunk.patients["vital_end"]
        first, last = first_and_last(ends)
        return ListPart(
            ends,
            _EMPTY,
            _item_times(self._code_tables, vitals["at"], first),
            self._health.lookup(facility_codes(vitals["facility"]), vitals["score"]),
            self._heart_rate.lookup(vitals["heart_rate"]),
            self._systolic.lookup(vitals["systolic"]),
            self._respiratory_rate.lookup(vitals["respiratory_rate"]),
            self._spo2.lookup(vitals["spo2"], vitals["gcs"], last),
        )


class _Outcome:
    """Encodes `Patient.outcome`."""

    def __init__(self, code_tables: CodeTables) -> None:
        self._code_tables = code_tables
        facility = _encoded_facilities(code_tables)
        self._status = FragmentTable((), lambda status: b'{"status":' + json(OUTCOMES[status]) + b',"at":"')
        self._place = FragmentTable(
            (), lambda place: b'","facility":' + facility[place] + b',"cause_of_death":'
        )
        causes, waiting_for = (*DEATH_CAUSES, None), (*WAITING_FOR, None)
        self._end = FragmentTable(
            (len(waiting_for), _BOOLEANS),
            lambda cause, waiting, rtd: (
                json(causes[cause])
                + b',"waiting_for":'
                + json(waiting_for[waiting])
                + b',"rtd_within_72h":'
                + json(bool(rtd))
                + b"}"
            ),
        )

    def encode(self, patients: Table) -> ObjectPart:
        return ObjectPart(
            self._status.lookup(patients["status"]),
            self._code_tables.instants(patients["closed"]),
            self._place.lookup(facility_codes(patients["facility"])),
            self._end.lookup(
                optional_codes(patients["death_cause"], len(DEATH_CAUSES)),
                optional_codes(patients["waiting_for"], len(WAITING_FOR)),
                patients["rtd72"],
            ),
        )


def _item_times(code_tables: CodeTables, times: NDArray[np.int64], first: NDArray[np.bool_]) -> FixedWidth:
    """Return the begin of list items that start with `at`. The first item of a list also opens the list."""
    return join_columns(_OPENINGS.take(first), code_tables.instants(times))


def _encoded_facilities(code_tables: CodeTables) -> list[bytes]:
    """Return the facilities' ids as JSON texts, in the order of `CodeTables.facilities`."""
    return [json(name) for name in code_tables.facilities]


def _coded(code: str | None, display: str | None) -> bytes:
    return b"null" if code is None else b'{"code":%b,"display":%b}' % (json(code), json(display))


def _optional_field(key: bytes, value: Any) -> bytes:
    return b"" if value is None else key + json(value)

"""Patients ready for msgspec: `records.schema.Patient` with its parts as JSON already, joined from ready-made pieces.

Building the forty Structs of a record costs ten times what encoding it costs. But most of a record's text is one of a
few thousand pieces ('","event":"triaged","facility":"R1-North","role":1,"detail":"T2"}'), the rest is times and ids
of fixed width, which NumPy writes a column at a time. So a part is one `bytes.join`, and msgspec encodes one Struct of
`msgspec.Raw` a patient. The bytes are those of `engine.records.schema.build_patients` encoded (tested).
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, repeat
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw, Struct
from numpy.typing import NDArray

from engine import tables
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
    Codes,
    CodeTables,
    facility_codes,
    hexadecimal,
    iss_region,
    optional_codes,
    service_numbers,
    uuids,
)
from engine.records.schema import EVENT_AWAITED, EVENT_DETAILS, collector_off, portion

Objects = NDArray[np.object_]
"""Ready-made pieces: an array of bytes objects."""

Fixed = NDArray[np.bytes_]
"""Texts of fixed width: times, dates, ids."""

BLOCK = 1024
"""Patients whose pieces are looked up at once: enough to hide NumPy's overhead, few enough to stay small."""

SLICE = 512
"""Patients joined at once: few enough for the processor's cache (1 MB)."""

_KEPT = 1 << 18
"""Codes below this have their pieces kept, in an array."""

_EMPTY = b"[]"
_REQUESTED = EVENTS.index("evacuation_requested")
_TRIAGED = EVENTS.index("triaged")

json: Callable[[Any], bytes] = msgspec.json.Encoder().encode


class EncodedPatient(Struct, gc=False):
    """`engine.records.schema.Patient`, its parts encoded."""

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


class Pieces:
    """Pieces of text by code, each made when it first occurs.

    A piece may depend on several codes at once; `sizes` says how many values each code after the first may have.
    """

    def __init__(self, sizes: Sequence[int], make: Callable[..., bytes]) -> None:
        self._sizes = sizes
        self._make = make
        self._table: Objects = np.empty(0, object)
        self._known = np.zeros(0, bool)

    def at(self, *codes: Codes | NDArray[np.bool_]) -> Objects:
        """The pieces at `codes`, an array of bytes."""
        combined = codes[0].astype(np.int64)
        for size, code in zip(self._sizes, codes[1:], strict=True):
            combined *= size
            combined += code
        if combined.max(initial=0) >= len(self._known) and not self._grow(int(combined.max(initial=0))):
            made = {code: self._piece(code) for code in set(combined.tolist())}
            return np.array([made[code] for code in combined.tolist()], object)
        known = self._known.take(combined)
        if not known.all():
            for code in set(combined[~known].tolist()):
                self._table[code] = self._piece(code)
                self._known[code] = True
        return self._table.take(combined)

    def _grow(self, code: int) -> bool:
        """Make room for `code`; false where the table would grow too large to keep."""
        if code >= _KEPT:
            return False
        more = max(2 * code, 256) - len(self._known)
        self._table = np.concatenate((self._table, np.empty(more, object)))
        self._known = np.concatenate((self._known, np.zeros(more, bool)))
        return True

    def _piece(self, code: int) -> bytes:
        codes = []
        for size in reversed(self._sizes):
            code, rest = divmod(code, size)
            codes.append(rest)
        return self._make(code, *reversed(codes))


class Composer:
    """Joins the patients of chunks for one lexicon; keeps the pieces it has made."""

    def __init__(self, lexicon: CodeTables) -> None:
        self.lexicon = lexicon
        n_facilities = len(lexicon.facilities)
        facility = [json(words) for words in lexicon.facilities]

        # demographics
        given, family, unit = lexicon.given_names, lexicon.family_names, lexicon.units
        self._given = Pieces(
            (), lambda code: b'{"given_name":' + json(given.values[code]) + b',"family_name":'
        )
        self._family = Pieces(
            (2,),
            lambda code, sex: json(family.values[code]) + b',"sex":' + json(SEXES[sex]) + b',"birth_date":"',
        )
        self._age = Pieces((), lambda age: b'","age":%d,"rank":' % age)
        self._rank = Pieces(
            (),
            lambda code: (
                json(lexicon.ranks.values[code])
                + b',"nato_rank":'
                + json(lexicon.nato_ranks.values[code])
                + b',"unit":'
            ),
        )
        self._unit = Pieces((), lambda code: json(unit.values[code]) + b',"service_number":"')
        self._body = Pieces(
            (256,),
            lambda group, weight: (
                b'","blood_group":' + json(lexicon.blood_groups[group]) + b',"weight_kg":%d}' % weight
            ),
        )
        # incident
        self._incident = Pieces(
            (len(lexicon.special_events),),
            lambda kind, special: (
                b'","type":'
                + json(lexicon.incident_types[kind])
                + b',"special_event":'
                + json(lexicon.special_events[special])
                + b',"at":"'
            ),
        )
        self._size = Pieces(
            (2,),
            lambda size, mascal: b'","casualties":%d,"mascal":%b}' % (size, json(bool(mascal))),
        )
        # injury
        self._category = Pieces(
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
        self._cause = Pieces(
            (),
            lambda code: (
                b'","external_cause":'
                + _coded(lexicon.cause_codes[code], lexicon.cause_displays[code])
                + b',"diagnosis":'
            ),
        )
        self._condition = Pieces(
            (),
            lambda code: _coded(lexicon.condition_codes[code], lexicon.condition_displays[code]) + b',"iss":',
        )
        severities = (*AGENT_SEVERITIES, None)
        self._scores = Pieces(
            (256, len(severities)),
            lambda iss, niss, severity: (
                b'%d,"niss":%d,"severity":%b,"wounds":' % (iss, niss, json(severities[severity]))
            ),
        )
        self._wound = Pieces(
            (len(SIDES), 8, 2),
            lambda region, side, ais, first: (
                (b"[" if first else b",")
                + b'{"region":'
                + json(REGIONS[region])
                + b',"side":'
                + json(SIDES[side])
                + b',"ais":%d,"iss_region":' % ais
                + json(ISS_REGIONS[iss_region(region, ais)])
                + b',"code":'
            ),
        )
        self._wound_condition = Pieces(
            (2,),
            lambda code, last: (
                json(lexicon.condition_codes[code])
                + b',"display":'
                + json(lexicon.condition_displays[code])
                + (b"}]}" if last else b"}")
            ),
        )
        # triage
        self._true = Pieces(
            (len(PRECEDENCES),),
            lambda true, precedence: (
                b'{"true":'
                + json(TRIAGE[true])
                + b',"precedence":'
                + json(PRECEDENCES[precedence] or None)
                + b',"assigned":'
            ),
        )
        self._assigned = Pieces(
            (len(TRIAGE), 2),
            lambda place, category, last: (
                b'","facility":'
                + facility[place]
                + b',"category":'
                + json(TRIAGE[category])
                + (b"}]}" if last else b"}")
            ),
        )
        # treatments
        self._treatment = Pieces(
            (n_facilities, 2),
            lambda kind, place, first: (
                (b"[" if first else b",")
                + b'{"treatment":'
                + json(TREATMENTS[kind])
                + b',"facility":'
                + facility[place]
                + b',"start":"'
            ),
        )
        self._effect = Pieces(
            (256, 2),
            lambda effect, wound, last: (
                b',"effect":'
                + json(EFFECTS[effect])
                + b',"wound":'
                + json(wound if wound != NONE else None)
                + (b"}]" if last else b"}")
            ),
        )
        # timeline
        names, roles = lexicon.facility_names, lexicon.roles
        self._event = Pieces(
            (n_facilities, 8, 2),
            lambda kind, place, detail, last: (
                b'","event":'
                + json(EVENTS[kind])
                + b',"facility":'
                + facility[place]
                + _entry(b',"name":', names[place])
                + _entry(b',"role":', roles[place])
                + _entry(b',"detail":', EVENT_DETAILS[8 * kind + detail])
                + _entry(b',"waiting_for":', EVENT_AWAITED[8 * kind + detail])
                + (b"}]" if last else b"}")
            ),
        )
        # vitals
        self._health = Pieces(
            (256,),
            lambda place, score: (
                b'","facility":'
                + facility[place]
                + b',"health_score":'
                + json(score / 10)
                + b',"heart_rate":'
            ),
        )
        self._heart_rate = Pieces((), lambda rate: b'%d,"systolic":' % rate)
        self._systolic = Pieces((), lambda pressure: b'%d,"respiratory_rate":' % pressure)
        self._respiratory_rate = Pieces((), lambda rate: b'%d,"spo2":' % rate)
        self._spo2 = Pieces(
            (256, 2),
            lambda spo2, gcs, last: b'%d,"gcs":%d%b' % (spo2, gcs, b"}]" if last else b"}"),
        )
        # outcome
        self._status = Pieces((), lambda status: b'{"status":' + json(OUTCOMES[status]) + b',"at":"')
        causes, waiting_for = (*DEATH_CAUSES, None), (*WAITING_FOR, None)
        self._outcome_place = Pieces(
            (), lambda place: b'","facility":' + facility[place] + b',"cause_of_death":'
        )
        self._end = Pieces(
            (len(waiting_for), 2),
            lambda cause, waiting, rtd: (
                json(causes[cause])
                + b',"waiting_for":'
                + json(waiting_for[waiting])
                + b',"rtd_within_72h":'
                + json(bool(rtd))
                + b"}"
            ),
        )

    def slices(self, chunk: tables.Chunk) -> Iterator[list[EncodedPatient]]:
        """The patients of `chunk` in its order, `SLICE` at a time."""
        for first in range(0, len(chunk), BLOCK):
            block = portion(chunk, first, first + BLOCK)
            with collector_off():
                parts = self._parts(block)
            for start in range(0, len(block), SLICE):
                with collector_off():
                    patients = self._encoded(block.patients, parts, start, min(start + SLICE, len(block)))
                yield patients

    def _encoded(
        self, patients: tables.Table, parts: "Sequence[_One | _Many]", first: int, stop: int
    ) -> list[EncodedPatient]:
        identity, demographics, incident, injury, triage, treatments, timeline, vitals, outcome = (
            map(Raw, part.texts(first, stop)) for part in parts
        )
        return list(
            map(
                EncodedPatient,
                identity,
                repeat(True),
                map(self.lexicon.nations.__getitem__, patients["nation"][first:stop].tolist()),
                map(self.lexicon.fronts.__getitem__, patients["front"][first:stop].tolist()),
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

    def _parts(self, chunk: tables.Chunk) -> "tuple[_One | _Many, ...]":
        """The parts of `EncodedPatient` that are `Raw`, in its order, with all their pieces looked up."""
        patients = chunk.patients
        return (
            _One(_side_by_side(b'"', uuids(patients), b'"')),
            self._demographics(patients),
            self._incidents(patients),
            self._injuries(chunk),
            self._triage(chunk),
            self._treatments(chunk.treatments, patients["treatment_end"]),
            self._timelines(chunk.events, patients["event_end"]),
            self._vitals(chunk.vitals, patients["vital_end"]),
            self._outcomes(patients),
        )

    def _demographics(self, patients: tables.Table) -> "_One":
        lexicon = self.lexicon
        nation = patients["nation"].astype(np.int64)
        sex = patients["sex"]
        by_sex = 2 * nation + sex
        lexicon.nato_ranks.prepare(nation)
        return _One(
            self._given.at(lexicon.given_names.codes(by_sex, patients["given_name"])),
            self._family.at(lexicon.family_names.codes(by_sex, patients["family_name"]), sex),
            lexicon.dates(patients["birth"].astype(np.int64)),
            self._age.at(patients["age"]),
            self._rank.at(lexicon.ranks.codes(nation, patients["rank"])),
            self._unit.at(lexicon.units.codes(patients["front"], patients["unit"])),
            service_numbers(patients["service_number"]),
            self._body.at(patients["blood_group"], patients["weight"]),
        )

    def _incidents(self, patients: tables.Table) -> "_One":
        lexicon = self.lexicon
        return _One(
            _side_by_side(b'{"id":"', hexadecimal(patients["incident"])),
            self._incident.at(
                lexicon.incident_type_codes(patients),
                optional_codes(patients["special"], len(lexicon.special_events) - 1),
            ),
            lexicon.instants(patients["incident_time"]),
            self._size.at(patients["incident_size"], patients["mascal"]),
        )

    def _injuries(self, chunk: tables.Chunk) -> "_One":
        lexicon, patients, wounds = self.lexicon, chunk.patients, chunk.wounds
        first, last = _borders(patients["wound_end"])
        return _One(
            self._category.at(patients["stream"], patients["kind"], patients["mechanism"]),
            _side_by_side(
                lexicon.instants(patients["time"]), b'","onset":"', lexicon.instants(patients["onset"])
            ),
            self._cause.at(optional_codes(patients["cause"], len(lexicon.cause_codes) - 1)),
            self._condition.at(patients["condition"]),
            self._scores.at(
                patients["iss"], patients["niss"], optional_codes(patients["severity"], len(AGENT_SEVERITIES))
            ),
            _Many(
                patients["wound_end"],
                b"[]}",
                self._wound.at(wounds["region"], wounds["side"], wounds["ais"], first),
                self._wound_condition.at(wounds["condition"], last),
            ),
        )

    def _triage(self, chunk: tables.Chunk) -> "_One":
        """The truth, the precedence first asked for, and the categories assigned."""
        patients, events = chunk.patients, chunk.events
        asked = np.flatnonzero(events["kind"] == _REQUESTED)[::-1]
        precedence = np.zeros(len(patients), np.int64)
        precedence[events["patient"][asked]] = events["detail"][asked]
        triaged = events[events["kind"] == _TRIAGED]
        ends = np.bincount(triaged["patient"], minlength=len(patients)).cumsum()
        first, last = _borders(ends)
        return _One(
            self._true.at(patients["triage"], precedence),
            _Many(
                ends,
                b"[]}",
                self._moments(triaged["at"], first),
                self._assigned.at(facility_codes(triaged["facility"]), triaged["detail"], last),
            ),
        )

    def _treatments(self, treatments: tables.Table, ends: Codes) -> "_Many":
        first, last = _borders(ends)
        facility = facility_codes(treatments["facility"])
        start, end = self.lexicon.instants(treatments["start"]), self.lexicon.instants(treatments["end"])
        spans: Any = _side_by_side(start, b'","end":"', end, b'"')
        endless = treatments["end"] < 0
        if endless.any():
            without = _side_by_side(start[endless], b'","end":null')
            spans[endless] = without  # shorter: its rest is the padding that NumPy strips
        return _Many(
            ends,
            _EMPTY,
            self._treatment.at(treatments["kind"], facility, first),
            spans,
            self._effect.at(treatments["effect"], treatments["wound"], last),
        )

    def _timelines(self, events: tables.Table, ends: Codes) -> "_Many":
        first, last = _borders(ends)
        return _Many(
            ends,
            _EMPTY,
            self._moments(events["at"], first),
            self._event.at(events["kind"], facility_codes(events["facility"]), events["detail"] & 7, last),
        )

    def _vitals(self, vitals: tables.Table, ends: Codes) -> "_Many":
        first, last = _borders(ends)
        return _Many(
            ends,
            _EMPTY,
            self._moments(vitals["at"], first),
            self._health.at(facility_codes(vitals["facility"]), vitals["score"]),
            self._heart_rate.at(vitals["heart_rate"]),
            self._systolic.at(vitals["systolic"]),
            self._respiratory_rate.at(vitals["respiratory_rate"]),
            self._spo2.at(vitals["spo2"], vitals["gcs"], last),
        )

    def _outcomes(self, patients: tables.Table) -> "_One":
        return _One(
            self._status.at(patients["status"]),
            self.lexicon.instants(patients["closed"]),
            self._outcome_place.at(facility_codes(patients["facility"])),
            self._end.at(
                optional_codes(patients["death_cause"], len(DEATH_CAUSES)),
                optional_codes(patients["waiting_for"], len(WAITING_FOR)),
                patients["rtd72"],
            ),
        )

    def _moments(self, times: NDArray[np.int64], first: NDArray[np.bool_]) -> Fixed:
        """The begin of list items that start with `at`; the first of a list opens it."""
        return _side_by_side(_OPENINGS.take(first), self.lexicon.instants(times))


class _One:
    """One text a patient: columns side by side, each of ready-made pieces, of fixed-width texts, or of lists."""

    def __init__(self, *columns: "Objects | Fixed | _Many") -> None:
        self._columns = columns

    def texts(self, first: int, stop: int) -> Iterator[bytes]:
        """The texts of patients first to stop - 1."""
        columns = (
            column.texts(first, stop) if isinstance(column, _Many) else column[first:stop].tolist()
            for column in self._columns
        )
        return map(b"".join, zip(*columns, strict=True))


class _Many:
    """One text a patient: that patient's rows (up to `ends`) one after another, `empty` where there are none."""

    def __init__(self, ends: Codes, empty: bytes, *columns: "Objects | Fixed") -> None:
        self._bounds = np.concatenate(([0], ends.astype(np.int64)))
        self._empty = empty
        self._columns = columns

    def texts(self, first: int, stop: int) -> list[bytes]:
        """The texts of patients first to stop - 1."""
        bounds = self._bounds[first : stop + 1]
        width, start, end = len(self._columns), bounds[0], bounds[-1]
        matrix = np.empty((end - start, width), object)
        for place, column in enumerate(self._columns):
            matrix[:, place] = column[start:end]
        pieces = matrix.reshape(-1).tolist()
        join, empty = b"".join, self._empty
        cuts = ((bounds - start) * width).tolist()
        return [join(pieces[one:next_]) or empty for one, next_ in pairwise(cuts)]


_OPENINGS = np.array([b',{"at":"', b'[{"at":"'], "S8")


def _coded(code: str | None, display: str | None) -> bytes:
    return b"null" if code is None else b'{"code":%b,"display":%b}' % (json(code), json(display))


def _entry(key: bytes, value: Any) -> bytes:
    return b"" if value is None else key + json(value)


def _side_by_side(*parts: bytes | Fixed) -> Fixed:
    """Fixed-width texts, and constant ones, of each row as one text."""
    rows = next(len(part) for part in parts if not isinstance(part, bytes))
    widths = [len(part) if isinstance(part, bytes) else part.itemsize for part in parts]
    out = np.empty(rows, [(str(place), f"S{width}") for place, width in enumerate(widths)])
    for place, part in enumerate(parts):
        out[str(place)] = part
    return out.view(f"S{out.itemsize}")


def _borders(ends: Codes) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows are the first and which the last of their patient."""
    stops = ends.astype(np.int64)
    starts = np.concatenate(([0], stops[:-1]))
    filled = stops > starts
    rows = int(stops[-1]) if len(stops) else 0
    first, last = np.zeros(rows, bool), np.zeros(rows, bool)
    first[starts[filled]] = True
    last[stops[filled] - 1] = True
    return first, last


def encoded(chunk: tables.Chunk, lexicon: CodeTables) -> Iterator[list[EncodedPatient]]:
    """The patients of `chunk` ready for msgspec's JSON encoder, in its order, `SLICE` at a time."""
    composer = lexicon.kept.get("json")
    if composer is None:
        composer = lexicon.kept["json"] = Composer(lexicon)
    slices: Iterator[list[EncodedPatient]] = composer.slices(chunk)
    return slices

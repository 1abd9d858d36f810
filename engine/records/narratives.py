"""How it happened, who was hurt, and what is handed over: texts of full records (docs/model.md section 2.12).

What no column says is drawn when the record is written: a hash of the id of the patient or the incident.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.codes import AT_POI, NONE, TREATMENTS, CasualtyKind, Event, RecordDraw, Stream
from engine.records.code_tables import Codes, CodeTables
from engine.records.doses import avpu_of
from engine.records.fields import View
from engine.records.operation_notes import without_encounter
from engine.records.outcome_notes import ordered_diagnoses
from engine.records.patient_rows import earliest
from engine.records.values import Coded, Joined, Values, joined
from engine.tables import Table
from scenarios import catalogue

NO_CODE = 65535

_GOLDEN = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio: the step of SplitMix64."""


def draw(words: NDArray[np.uint64], purpose: RecordDraw) -> NDArray[np.float64]:
    """Return a number on [0, 1) for each word: SplitMix64 (Steele, Lea and Flood 2014), begun at the word.

    >>> float(draw(np.array([0], np.uint64), RecordDraw.POSTURE)[0])
    0.8833108082136426
    """
    step = np.uint64((1 + int(purpose)) * _GOLDEN % (1 << 64))
    state = words.astype(np.uint64) + step
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    numbers: NDArray[np.float64] = (state >> np.uint64(11)).astype(np.float64) / float(1 << 53)
    return numbers


def _bounds(shares: Sequence[float]) -> NDArray[np.float64]:
    """Return the upper bounds of shares on [0, 1]; all zero without shares."""
    total = sum(shares)
    return np.cumsum(shares) / total if total else np.zeros(len(shares))


def _choose(bounds: NDArray[np.float64], uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return which share each number falls into. `bounds` has one row for each number, or is one row for all."""
    if bounds.ndim == 1:
        return np.minimum(np.searchsorted(bounds, uniforms, "right"), len(bounds) - 1)
    return np.minimum((uniforms[:, None] >= bounds).sum(axis=-1), bounds.shape[-1] - 1)


class _Circumstances(NamedTuple):
    """Circumstances as look-ups by external cause; the last entry is for patients without one."""

    words: list[str]
    """What happened."""
    known: NDArray[np.bool_]
    """Whether there are postures."""
    only: NDArray[np.bool_]
    """Whether there is only one, such as in a vehicle."""
    postures: NDArray[np.float64]
    """Bounds of the postures. Shape (causes + 1, postures)."""
    protection: list[str]
    worn: NDArray[np.float64]
    """Bounds of the protective equipment. Shape (3, postures, equipment); the first of others than agent
    casualties, the last of those whom a liquid on the skin poisons."""


def _circumstances(code_tables: CodeTables) -> _Circumstances:
    by_code = {code: row for row in catalogue.circumstances() for code in row.causes}
    words, known, only, postures = [], [], [], []
    for code, display in zip(code_tables.cause_codes, code_tables.cause_displays, strict=True):
        row = by_code.get((code or "").removesuffix("A").rstrip("X"))
        words.append(row.words if row else without_encounter(display or "").lower())
        known.append(row is not None)
        given = row.postures if row else {}
        only.append(len(given) == 1)
        postures.append(_bounds([given.get(posture, 0.0) for posture in catalogue.POSTURES]))
    equipment = list(dict.fromkeys(row.protection for row in catalogue.protections()))
    worn = np.zeros((3, len(catalogue.POSTURES), len(equipment)))
    for protection in catalogue.protections():
        for posture in protection.postures:
            place = int(protection.agents) + int(protection.liquid), catalogue.POSTURES.index(posture)
            worn[place][equipment.index(protection.protection)] = protection.share
    bounds = np.apply_along_axis(lambda shares: _bounds(shares.tolist()), 2, worn)
    return _Circumstances(words, np.array(known), np.array(only), np.array(postures), equipment, bounds)


class _Drawn(NamedTuple):
    """What was drawn for each patient; -1 where it does not apply."""

    cause: NDArray[np.int64]
    posture: NDArray[np.int64]
    protection: NDArray[np.int64]


def _drawn(view: View) -> _Drawn:
    """Return posture and protective equipment of those hurt in an attack or a crash.

    All casualties of an incident who were hurt by the same cause were in the same posture. At sea they were aboard.
    """
    tables: _Circumstances = view.code_tables.reusable(_circumstances, _circumstances)
    patients = view.chunk.patients
    cause = np.minimum(patients["cause"].astype(np.int64), len(tables.words) - 1)
    posture = _choose(tables.postures[cause], draw(patients["incident"], RecordDraw.POSTURE))
    types = np.array(view.code_tables.incident_types, object)[view.code_tables.incident_type_codes(patients)]
    aboard = catalogue.POSTURES.index("aboard")
    at_sea = (types == "naval") & (patients["stream"] == Stream.BATTLE) & ~tables.only[cause]
    posture = np.where(at_sea, aboard, posture)
    agent = (patients["kind"] == CasualtyKind.AGENT).astype(np.int64)
    nerve = list(catalogue.agent_kinds()).index("nerve")
    agent += (patients["agent"] == nerve) & (patients["onset"] > patients["time"])
    worn = _choose(tables.worn[agent, posture], draw(patients["id_lo"], RecordDraw.PROTECTION))
    known = tables.known[cause]
    return _Drawn(cause, np.where(known, posture, -1), np.where(known, worn, -1))


def posture_codes(view: View) -> Codes:
    """Return the index of each patient's posture; NONE where it does not apply."""
    posture = view.compute_of_chunk(_drawn).posture
    codes: Codes = np.where(posture < 0, NONE, posture).astype(np.uint8)
    return codes


def protection_values(view: View) -> Values:
    """Return the protective equipment of each patient; null where it does not apply."""
    tables: _Circumstances = view.code_tables.reusable(_circumstances, _circumstances)
    worn = view.compute_of_chunk(_drawn).protection
    return Coded([*tables.protection, None], np.where(worn < 0, len(tables.protection), worn))


_POSTURE_WORDS = {
    "dismounted": "; dismounted",
    "mounted": "; in a vehicle",
    "in_position": "; in a position or shelter",
    "aboard": "; aboard a ship",
    "in_aircraft": "; in an aircraft",
}

NARRATIVE_PARTS = 3


def narrative_texts(view: View) -> Joined:
    """Return what happened to each patient: cause, posture, protective equipment; null without an external cause."""
    return joined(_narrative_parts(view), view.rows["cause"] != NO_CODE)


def _narrative_parts(view: View) -> list[tuple[list[str], NDArray[np.int64]]]:
    """Return the parts of the narratives; the first text of each is empty."""
    drawn: _Drawn = view.compute_of_chunk(_drawn)
    texts = view.code_tables.reusable(_narrative_words, _narrative_words)
    return list(zip(texts, (1 + drawn.cause, 1 + drawn.posture, 1 + drawn.protection), strict=True))


def _narrative_words(code_tables: CodeTables) -> tuple[list[str], list[str], list[str]]:
    """Return the texts of the parts of the narratives."""
    tables: _Circumstances = code_tables.reusable(_circumstances, _circumstances)
    return (
        ["", *(text[:1].upper() + text[1:] for text in tables.words)],
        ["", *(_POSTURE_WORDS[posture] for posture in catalogue.POSTURES)],
        ["", *(f"; {text}" for text in tables.protection)],
    )


def allergy_values(view: View) -> Values:
    """Return the allergies of each patient."""
    rows = catalogue.allergies()
    bounds = _bounds([row.share for row in rows])
    return Coded([row.words for row in rows], _choose(bounds, draw(view.rows["id_lo"], RecordDraw.ALLERGY)))


def _histories(view: View) -> NDArray[np.int64]:
    bounds = _bounds([row.share for row in catalogue.histories()])
    return _choose(bounds, draw(view.rows["id_lo"], RecordDraw.HISTORY))


def history_values(view: View) -> Values:
    """Return the medical history of each patient."""
    return Coded([row.words for row in catalogue.histories()], view.compute(_histories))


def medication_values(view: View) -> Values:
    """Return what each patient takes for that history."""
    rows = catalogue.histories()
    which = view.compute(_histories)
    taken = (
        draw(view.rows["id_lo"], RecordDraw.MEDICATION) < np.array([row.taken_share for row in rows])[which]
    )
    return Coded(["none", *(row.medication for row in rows)], np.where(taken, 1 + which, 0))


_SECOND = 1000
"""ms. A MIST report names what is done up to the end of the second of departure."""

MIST_INJURIES, MIST_TREATMENTS = 4, 8
"""Injuries and treatments that a MIST report names: the gravest, and the first."""

_SIGNS = (
    ("heart_rate", "HR {}", "HR not taken"),
    ("systolic", ", BP {}", ""),
    ("diastolic", "/{}", ""),
    ("respiratory_rate", ", RR {}", ""),
    ("spo2", ", SpO2 {} %", ""),
    ("gcs", ", GCS {}", ""),
    ("pain", ", pain {}/10", ""),
)
"""Signs of a MIST report: column, words, and words where it was not taken."""

MIST_PARTS = NARRATIVE_PARTS + MIST_INJURIES + len(_SIGNS) + 1 + MIST_TREATMENTS + 5


def mist_texts(view: View) -> Joined:
    """Return the MIST report with which each patient leaves the point of injury; null for those who never leave it.

    Mechanism, the gravest injuries, the last signs before departure, and the first treatments there.
    """
    patients, events = view.chunk.patients, view.chunk.events
    left = events[(events["kind"] == Event.DEPARTED) & (events["facility"] == AT_POI)]
    departed = earliest(len(patients), left, "at") // _SECOND * _SECOND + _SECOND - 1
    shown = np.zeros(len(patients), bool)
    shown[left["patient"]] = True
    one = np.ones(len(patients), np.int64)
    parts: list[tuple[Any, Any]] = [(["", "M: "], one)]
    parts += _mechanism_parts(view)
    parts += [(["", ". I: "], one), *_injury_parts(view)]
    parts += [(["", ". S: "], one), *_sign_parts(view, np.where(shown, departed, -1))]
    parts += [(["", ". T: "], one), *_treatment_parts(view, departed)]
    parts += [(["", "."], one)]
    return joined(parts, shown)


def _mechanism_parts(view: View) -> list[tuple[list[str], NDArray[np.int64]]]:
    """Return the narrative; without an external cause that there is none."""
    (words, cause), *others = _narrative_parts(view)
    return [([*words[:-1], "Illness"], cause), *others]


def _injury_parts(view: View) -> list[tuple[list[str], NDArray[np.int64]]]:
    """Return the gravest diagnoses."""
    rows: Table = view.compute_of_chunk(ordered_diagnoses)
    slots = np.zeros((len(view.chunk.patients), MIST_INJURIES), np.int64)
    kept = rows[rows["place"] <= MIST_INJURIES]
    slots[kept["patient"], kept["place"].astype(np.int64) - 1] = 1 + kept["condition"].astype(np.int64)
    first, further = view.code_tables.reusable(_diagnosis_texts, _diagnosis_texts)
    return [(further if number else first, slots[:, number]) for number in range(MIST_INJURIES)]


def _diagnosis_texts(code_tables: CodeTables) -> tuple[list[str], list[str]]:
    texts = [without_encounter(display) for display in code_tables.condition_displays]
    return ["", *texts], ["", *(f"; {text}" for text in texts)]


@cache
def _sign_texts(column: str) -> list[str]:
    """Return the texts of a sign of a MIST report by 1 + its value; NONE is the last."""
    words, missing = next((words, missing) for name, words, missing in _SIGNS if name == column)
    return ["", *(words.format(value) for value in range(NONE)), missing]


def _sign_parts(view: View, departed: NDArray[np.int64]) -> list[tuple[list[str], NDArray[np.int64]]]:
    """Return each sign as it was last taken before departure, and AVPU; of those who never leave, that none was."""
    vitals = view.chunk.vitals
    vitals = vitals[vitals["at"] <= departed.take(vitals["patient"])]
    parts = []
    for column, _, _ in _SIGNS:
        parts.append((_sign_texts(column), 1 + _last_taken(vitals, column, len(departed)).astype(np.int64)))
    taken = vitals[vitals["gcs_eye"] != NONE]
    states = np.full(len(departed), NONE)
    # Assigned in their order, the last row of a patient stays.
    states[taken["patient"]] = avpu_of(view.code_tables, taken["gcs_eye"], taken["gcs_motor"])
    # Whoever does not answer says nothing of pain, whatever was said before.
    silent = (states != NONE) & (states >= catalogue.AVPU.index("pain"))
    pain = [column for column, _, _ in _SIGNS].index("pain")
    parts[pain] = parts[pain][0], np.where(silent, 1 + NONE, parts[pain][1])
    texts = ["", *(f", AVPU {state}" for state in catalogue.AVPU)]
    parts.append((texts, np.where(states == NONE, 0, 1 + states.astype(np.int64))))
    return parts


def _last_taken(vitals: Table, column: str, patients: int) -> Codes:
    """Return the last value of a sign of each patient that is not NONE; NONE without one."""
    values = vitals[column]
    taken = np.flatnonzero(values != NONE)
    found: Codes = np.full(patients, NONE, np.uint8)
    found[vitals["patient"].take(taken)] = values.take(taken)
    return found


_TREATMENT_WORDS = [label.replace("_", " ") for label in TREATMENTS]
_FIRST_WORDS = ["", *_TREATMENT_WORDS, "none"]
_FURTHER_WORDS = ["", *(f", {text}" for text in _TREATMENT_WORDS), ""]
"""By 1 + the kind of treatment; the last where there is none."""


def _treatment_parts(view: View, departed: NDArray[np.int64]) -> list[tuple[list[str], NDArray[np.int64]]]:
    """Return the kinds of treatments at the point of injury before departure, in their order."""
    treatments = view.chunk.treatments
    early = (treatments["facility"] == AT_POI) & (treatments["start"] <= departed.take(treatments["patient"]))
    given = treatments[early]
    key = given["patient"].astype(np.int64) * len(TREATMENTS) + given["kind"]
    order = np.sort(np.unique(key, return_index=True)[1])
    given = given[order]
    who = given["patient"]
    numbers = np.arange(len(given)) - np.searchsorted(who, who)
    slots = np.zeros((len(departed), MIST_TREATMENTS), np.int64)
    kept = numbers < MIST_TREATMENTS
    slots[who[kept], numbers[kept]] = 1 + given["kind"][kept]
    slots[slots[:, 0] == 0, 0] = 1 + len(TREATMENTS)
    return [
        (_FURTHER_WORDS if number else _FIRST_WORDS, slots[:, number]) for number in range(MIST_TREATMENTS)
    ]

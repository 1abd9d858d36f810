"""Intensive care, diagnoses in order, the chain of a death and limits of duty (docs/model.md section 2.12)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.codes import DEATH_CAUSES, NONE, DeathCause, Event, Outcome
from engine.records.code_tables import Codes, CodeTables
from engine.records.fields import View
from engine.records.operation_notes import without_encounter
from engine.records.patient_rows import ends_of, of_kinds
from engine.records.values import Coded, Values
from engine.tables import DAY, Table
from scenarios import catalogue

NO_CODE = 65535

TENTHS_OF_DAYS = [tenth / 10 for tenth in range(1 << 14)]
"""Values of the columns of days."""

_LEAVES_ICU = (
    Event.WARD_ADMITTED,
    Event.SURGERY_STARTED,
    Event.DEFINITIVE_SURGERY_STARTED,
    Event.FACILITY_HIT,
    Event.DEPARTED,
    Event.RETURNED_TO_DUTY,
    Event.DIED,
    Event.LEFT_THEATRE,
    Event.DISCHARGED,
    Event.IN_CARE_AT_HORIZON,
)
"""What ends a stay in intensive care."""


def _tenths(patients: int, who: NDArray[Any], spans: NDArray[np.int64]) -> Codes:
    """Return the sum of the spans of each patient, ms, as tenths of a day, rounded down."""
    total = np.bincount(who, spans, patients)
    found: Codes = np.clip(total * 10.0 / DAY, 0, len(TENTHS_OF_DAYS) - 1).astype(np.uint16)
    return found


def icu_tenths(view: View) -> Codes:
    """Return the tenths of days that each patient spent in intensive care: from admission to what ended the stay."""
    events = view.chunk.events
    steps = events[of_kinds(events, (Event.ICU_ADMITTED, *_LEAVES_ICU))]
    admitted = np.flatnonzero(steps["kind"][:-1] == Event.ICU_ADMITTED)
    same = steps["patient"][admitted] == steps["patient"][admitted + 1]
    admitted = admitted[same]
    return _tenths(
        len(view.rows), steps["patient"][admitted], steps["at"][admitted + 1] - steps["at"][admitted]
    )


def ventilator_tenths(view: View) -> Codes:
    """Return the tenths of days that each patient was ventilated: between readings with end-tidal carbon dioxide."""
    vitals = view.chunk.vitals
    tubed = vitals["etco2"] != NONE
    both = np.flatnonzero(tubed[:-1] & tubed[1:] & (vitals["patient"][:-1] == vitals["patient"][1:]))
    return _tenths(len(view.rows), vitals["patient"][both], vitals["at"][both + 1] - vitals["at"][both])


_DIAGNOSIS = np.dtype([("patient", "i4"), ("condition", "u2"), ("place", "u1")])


def diagnosis_rows(view: View) -> tuple[Table, Codes]:
    """Return the diagnoses of all patients, the gravest first, and the ends of the patients' rows."""
    rows: Table = view.compute_of_chunk(ordered_diagnoses)
    return rows, ends_of(rows, len(view.chunk.patients))


def ordered_diagnoses(view: View) -> Table:
    """Return the diagnoses of all patients, the gravest first.

    The main diagnosis comes first, then the wounds by AIS, then the further diagnoses. Each is named once.
    """
    patients, wounds = view.chunk.patients, view.chunk.wounds
    numbers = np.arange(len(patients))
    further = [patients[name] for name in ("second", "third", "fourth")]
    who = np.concatenate((numbers, wounds["patient"], np.tile(numbers, 3)))
    conditions = np.concatenate((patients["condition"], wounds["condition"], *further))
    # By gravity: the main diagnosis 0, a wound 10 - AIS, further diagnoses 20 and more.
    gravity = np.concatenate(
        (
            np.zeros(len(patients), np.int64),
            10 - wounds["ais"].astype(np.int64),
            *(np.full(len(patients), 20 + number) for number in range(3)),
        )
    )
    order = np.lexsort((gravity, who))
    order = order[conditions[order] != NO_CODE]
    key = who[order].astype(np.int64) << 16 | conditions[order]
    _, first = np.unique(key, return_index=True)
    order = order[np.sort(first)]
    rows = np.zeros(len(order), _DIAGNOSIS)
    rows["patient"], rows["condition"] = who[order], conditions[order]
    ends = ends_of(rows, len(patients))
    starts = np.concatenate(([0], ends[:-1])) if len(ends) else ends
    rows["place"] = np.minimum(1 + np.arange(len(rows)) - starts.take(rows["patient"]), 255)
    return rows


_LINK = np.dtype([("patient", "i4"), ("coding", "i4"), ("line", "u1")])

LINES = ("immediate", "due_to", "underlying")
"""The lines of a certificate of death."""


def _killing_wounds(view: View) -> NDArray[np.int64]:
    """Return the row of the wound of which each patient died, -1 if of none: the first that can kill in that way."""
    patients, wounds = view.chunk.patients, view.chunk.wounds
    found = np.full(len(patients), -1, np.int64)
    if not len(wounds):
        return found
    from engine.compile import killing_masks

    masks = killing_masks()
    mechanism = np.minimum(patients["lethal"], 31).take(wounds["patient"]).astype(np.int64)
    able = np.flatnonzero((masks.take(wounds["condition"]).astype(np.int64) >> mechanism) & 1)
    # In reverse order the first wound of a patient is assigned last.
    found[wounds["patient"][able][::-1]] = able[::-1]
    return found


def _codings(code_tables: CodeTables) -> tuple[list[str | None], list[str | None]]:
    """Return codes and texts: those of conditions, of external causes and of immediate causes of death."""
    chains = catalogue.death_chains().values()
    codes: list[str | None] = [*code_tables.condition_codes, *code_tables.cause_codes[:-1]]
    codes += [row.code for row in chains]
    texts: list[str | None] = [
        *map(without_encounter, code_tables.condition_displays),
        *(without_encounter(text or "") for text in code_tables.cause_displays[:-1]),
        *(row.display for row in chains),
    ]
    return codes, texts


def coding_codes(view: View) -> Values:
    """Return the code of each line of a certificate."""
    return Coded(view.code_tables.reusable(_codings, _codings)[0], view.rows["coding"])


def coding_texts(view: View) -> Values:
    """Return the text of each line of a certificate."""
    return Coded(view.code_tables.reusable(_codings, _codings)[1], view.rows["coding"])


def _immediate_table(code_tables: CodeTables) -> NDArray[np.int32]:
    """Return the place in `_codings` of the immediate cause by cause of death; -1: the main diagnosis."""
    first = len(code_tables.condition_codes) + len(code_tables.cause_codes) - 1
    names = list(catalogue.death_chains())
    return np.array(
        [first + names.index(cause) if cause in names else -1 for cause in DEATH_CAUSES], np.int32
    )


def death_lines(view: View) -> tuple[Table, Codes]:
    """Return the lines of the certificates of death of all patients, and the ends of the patients' rows.

    Immediate is what the cause of death names, else the main diagnosis. It is due to the wound that killed, else to the
    main diagnosis. Underlying is the external cause. A line that repeats the one before is left out, and a death in a
    facility that was hit is due to nothing that the patient had.
    """
    patients, wounds = view.chunk.patients, view.chunk.wounds
    dead = np.flatnonzero(patients["death_cause"] != NONE)
    causes = patients["death_cause"][dead].astype(np.int64)
    table = view.code_tables.reusable(_immediate_table, _immediate_table)
    main = patients["condition"][dead].astype(np.int64)
    killers = np.where(causes == DeathCause.INSTANTLY_FATAL_INJURY, -1, _killing_wounds(view)[dead])
    if len(wounds):
        main = np.where(killers < 0, main, wounds["condition"].take(np.maximum(killers, 0)))
    immediate = np.where(table.take(causes) < 0, main, table.take(causes))
    hit = causes == DeathCause.FACILITY_HIT
    due = np.where((immediate == main) | hit, -1, main)
    external = patients["cause"][dead].astype(np.int64)
    underlying = np.where((external == NO_CODE) | hit, -1, len(view.code_tables.condition_codes) + external)
    lines = np.stack((immediate, due, underlying), axis=1)
    given = lines >= 0
    rows = np.zeros(int(given.sum()), _LINK)
    places = np.nonzero(given)
    rows["patient"], rows["line"], rows["coding"] = dead[places[0]], places[1], lines[given]
    return rows, ends_of(rows, len(patients))


def _duty_texts(_: CodeTables) -> tuple[list[str | None], NDArray[np.int64]]:
    """Return the limits of duty, "full duty" and None at the end, and by condition the index of its limit."""
    limits = catalogue.duty_limits()
    texts: list[str | None] = [f"{row.limit} for {row.days} days" for row in limits]
    table = [
        next((number for number, row in enumerate(limits) if row.holds(condition)), len(limits))
        for condition in catalogue.conditions()
    ]
    return [*texts, "full duty", None], np.array(table)


def duty_values(view: View) -> Values:
    """Return the duty of each patient who returned to it, by the main diagnosis; null for all others."""
    texts, table = view.code_tables.reusable(_duty_texts, _duty_texts)
    limits = table.take(view.rows["condition"])
    return Coded(texts, np.where(view.rows["status"] == Outcome.RTD, limits, len(texts) - 1))

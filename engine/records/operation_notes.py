"""The notes of operations: one for each session in the theatre (docs/model.md section 2.12)."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.codes import NONE, TREATMENTS, Event, Treatment
from engine.records.code_tables import Codes, CodeTables
from engine.records.fields import View
from engine.records.patient_rows import ends_of, first_after, last_before, of_kinds, wound_rows
from engine.records.values import Coded, Joined, Values, joined
from engine.tables import MINUTE, Table
from scenarios import catalogue

MOST_PROCEDURES = 12
"""Procedures of a session that its note names, and their findings."""

_OPERATION = np.dtype(
    [
        ("started", "i8"),
        ("ended", "i8"),
        ("minutes", "i4"),
        ("patient", "i4"),
        ("facility", "i2"),
        ("definitive", "u1"),
        ("units", "u1"),
        ("procedures", "u1", MOST_PROCEDURES),
        ("findings", "u2", MOST_PROCEDURES),
    ]
)
"""`procedures` are kinds of treatment, NONE at the end; `findings` conditions, NO_FINDING at the end."""

NO_FINDING = 65535

_STARTED = (Event.SURGERY_STARTED, Event.DEFINITIVE_SURGERY_STARTED)
_ENDED = (Event.SURGERY_ENDED, Event.DEFINITIVE_SURGERY_ENDED)
_MOST_UNITS = 255


@cache
def operations_by_kind() -> NDArray[np.bool_]:
    """Return by kind of treatment whether it is an operation."""
    kinds = catalogue.treatment_kinds()
    return np.array([kinds[label].theatre for label in TREATMENTS])


def operation_rows(view: View) -> tuple[Table, Codes]:
    """Return the operations of all patients, by start, and the ends of the patients' rows."""
    rows: Table = view.compute_of_chunk(_operations)
    return rows, ends_of(rows, len(view.chunk.patients))


def _operations(view: View) -> Table:
    patients, events, treatments = view.chunk.patients, view.chunk.events, view.chunk.treatments
    steps = events[of_kinds(events, _STARTED + _ENDED)]
    began = np.flatnonzero(of_kinds(steps, _STARTED))
    rows = np.zeros(len(began), _OPERATION)
    who = rows["patient"] = steps["patient"][began]
    rows["started"], rows["facility"] = steps["at"][began], steps["facility"][began]
    rows["definitive"] = steps["kind"][began] == Event.DEFINITIVE_SURGERY_STARTED
    following = steps[np.minimum(began + 1, len(steps) - 1)] if len(began) else steps[:0]
    ended = (began + 1 < len(steps)) & (following["patient"] == who) & of_kinds(following, _ENDED)
    rows["ended"] = np.where(ended, following["at"], -1)
    rows["minutes"] = np.where(ended, (following["at"] - rows["started"]) // int(MINUTE), -1)
    rows["procedures"], rows["findings"] = NONE, NO_FINDING
    if len(rows):
        _add_procedures(rows, patients, treatments, view)
        _add_blood(rows, patients, treatments)
    return rows


def _session_of(rows: Table, treatments: Table, patients: Table) -> NDArray[np.int64]:
    """Return the operation during which each treatment began; -1 for none."""
    sessions = last_before(rows, "started", treatments["patient"], treatments["start"])
    ends = np.where(rows["ended"] < 0, patients["closed"].take(rows["patient"]), rows["ended"])
    inside = treatments["start"] <= ends.take(np.maximum(sessions, 0))
    found: NDArray[np.int64] = np.where(inside, sessions, -1)
    return found


def _add_procedures(rows: Table, patients: Table, treatments: Table, view: View) -> None:
    """Set the procedures of each session in their order, and the finding of each wound once."""
    done = treatments[operations_by_kind().take(treatments["kind"])]
    sessions = _session_of(rows, done, patients)
    done, sessions = done[sessions >= 0], sessions[sessions >= 0]
    order = np.argsort(sessions, kind="stable")
    done, sessions = done[order], sessions[order]
    numbers = np.arange(len(done)) - np.searchsorted(sessions, sessions)
    kept = numbers < MOST_PROCEDURES
    done, sessions, numbers = done[kept], sessions[kept], numbers[kept]
    rows["procedures"][sessions, numbers] = done["kind"]
    wounds = wound_rows(view.chunk, done["patient"], done["wound"])
    wounds = np.where(done["wound"] == NONE, -1, wounds)
    main = patients["condition"].take(done["patient"])
    if len(view.chunk.wounds):
        main = np.where(wounds < 0, main, view.chunk.wounds["condition"].take(np.maximum(wounds, 0)))
    findings = rows["findings"]
    findings[sessions, numbers] = main
    for number in range(1, MOST_PROCEDURES):
        repeated = (findings[:, :number] == findings[:, number : number + 1]).any(axis=1)
        findings[repeated, number] = NO_FINDING
    rows["findings"] = findings


def _add_blood(rows: Table, patients: Table, treatments: Table) -> None:
    """Set the units of blood whose transfusion began before the end of each operation, at the same facility.

    What began before the end of an earlier operation belongs to that one.
    """
    blood = treatments[treatments["kind"] == Treatment.BLOOD_TRANSFUSION]
    until = rows.copy()
    until["ended"] = np.where(rows["ended"] < 0, patients["closed"].take(rows["patient"]), rows["ended"])
    sessions = first_after(until, "ended", blood["patient"], blood["start"])
    given = (sessions >= 0) & (rows["facility"].take(np.maximum(sessions, 0)) == blood["facility"])
    units = np.bincount(sessions[given], blood["units"][given], len(rows))
    rows["units"] = np.minimum(units, _MOST_UNITS)


def _procedure_texts(_: CodeTables) -> tuple[list[str], list[str]]:
    """Return the texts of a procedure by 1 + its kind: as the first of a session, and as a further one."""
    kinds, codes = catalogue.treatment_kinds(), catalogue.procedure_codes()
    texts = [kinds[label].display + (f" ({codes[label]})" if label in codes else "") for label in TREATMENTS]
    return ["", *texts], ["", *(f"; {text}" for text in texts)]


def procedure_texts(view: View) -> Joined:
    """Return the procedures of each operation as a text."""
    first, further = view.code_tables.reusable(_procedure_texts, _procedure_texts)
    kinds = view.rows["procedures"].astype(np.int64)
    return _listed(np.where(kinds == NONE, 0, 1 + kinds), first, further)


def _finding_texts(code_tables: CodeTables) -> tuple[list[str], list[str]]:
    """Return the texts of a finding by 1 + its condition: as the first of an operation, and as a further one."""
    texts = [without_encounter(display) for display in code_tables.condition_displays]
    return ["", *texts], ["", *(f"; {text}" for text in texts)]


def finding_texts(view: View) -> Joined:
    """Return the findings of each operation as a text: the wounds that were operated on, or the illness."""
    first, further = view.code_tables.reusable(_finding_texts, _finding_texts)
    conditions = view.rows["findings"].astype(np.int64)
    return _listed(np.where(conditions == NO_FINDING, 0, 1 + conditions), first, further)


def _listed(codes: NDArray[np.int64], first: list[str], further: list[str]) -> Joined:
    """Return texts of lists, whose entries are the columns of `codes`; null where the first is 0."""
    parts: list[tuple[Any, Any]] = [(first, codes[:, 0])]
    parts += [(further, codes[:, number]) for number in range(1, codes.shape[1])]
    return joined(parts, codes[:, 0] > 0)


def without_encounter(display: str) -> str:
    """Return the text of a code of ICD-10-CM without its words on the encounter.

    >>> without_encounter("Traumatic hemothorax, initial encounter")
    'Traumatic hemothorax'
    >>> without_encounter("Fracture of sacrum, initial encounter for open fracture")
    'Fracture of sacrum, open fracture'
    """
    display = display.replace("/ initial encounter for open fracture NOS", "")
    return display.replace(", initial encounter for ", ", ").replace(", initial encounter", "")


@cache
def _procedure_codes() -> list[str | None]:
    codes = catalogue.procedure_codes()
    return [codes.get(label) for label in TREATMENTS]


def procedure_codes(view: View) -> Values:
    """Return the code of ICD-10-PCS of each treatment that has one, whatever the wound."""
    return Coded(_procedure_codes(), view.rows["kind"])

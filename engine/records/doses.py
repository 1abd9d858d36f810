"""Drug, dose and route of a treatment, and AVPU: what a casualty card (DD 1380) says (docs/model.md section 2.12)."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.codes import (
    COMPLICATIONS,
    LIMBS,
    NONE,
    TREATMENTS,
    CasualtyKind,
    Event,
    Treatment,
    TriageCategory,
)
from engine.records.burns import MOST_BURNT, burnt_percent
from engine.records.code_tables import Codes, CodeTables
from engine.records.fields import View
from engine.records.patient_rows import Lookup, earliest, of_kinds, wound_rows
from engine.records.values import Coded, Values
from engine.tables import DAY, HOUR, MINUTE, Table
from scenarios import catalogue

_HEAVIEST = 255
"""kg; the largest weight that a column can hold."""

_HEAVY, _HEAVY_STEP, _HEAVY_STEPS, _HEAVY_STEP_DOSE = 80, 10, 18, 100.0
"""Of doses by the burnt share: kg from which they rise, kg of a step, steps, and what each adds (the rule of ten)."""

TUBES = (Treatment.INTUBATION, Treatment.SURGICAL_AIRWAY, Treatment.TRACHEOSTOMY)
"""Treatments that put a tube into the airway."""

_FASTING_HOURS = 12
"""After an intubation in which nothing is given by mouth."""

_INFECTIONS = tuple(
    COMPLICATIONS.index(name)
    for name in COMPLICATIONS
    if "infection" in name or name in ("pneumonia", "sepsis")
)
_INFECTION_DAYS = 7
"""After the onset of an infection in which antibiotics are given for it."""

_SEVERE_GRADES = (2, 3)
"""Grades of agent casualties that are severe: `PatientRow.severity`."""


class _Formulary(NamedTuple):
    """The doses of the catalogue as look-ups. The rows are those of doses.csv, then those of medications.csv."""

    rows: NDArray[np.int16]
    """Row of doses.csv by treatment where no state holds; -1 without one."""
    by_state: dict[int, list[tuple[int, int]]]
    """By treatment on which states decide: mask of states and row of doses.csv, the last row first."""
    depends: NDArray[np.bool_]
    """By treatment, whether any of the states decides."""
    of_diagnosis: dict[int, NDArray[np.int64]]
    """By treatment the row of medications.csv of each condition; -1 without one."""
    drugs: list[str | None]
    """By row; None at the end."""
    doses: list[str | None]
    first: NDArray[np.int32]
    """By row, the first of its texts in `doses`: one, or one for each body weight in kg."""
    per_kg: NDArray[np.int32]
    """By row: 1 where the dose follows the weight."""
    per_percent: NDArray[np.int32]
    """By row: 1 where the dose follows the burnt share of the body surface and, above 80 kg, the weight."""
    routes: list[str | None]
    allowed: NDArray[np.int8]
    """By row and access (bit 0 intravenous, bit 1 intraosseous), the index of the route. Shape (rows, 4)."""


def _formulary(_: CodeTables) -> _Formulary:
    by_state, by_code = catalogue.doses(), catalogue.medications()
    rows = np.full(len(TREATMENTS), -1, np.int16)
    choices: dict[int, list[tuple[int, int]]] = {}
    for number in reversed(range(len(by_state))):
        row = by_state[number]
        treatment = TREATMENTS.index(row.treatment)
        mask = sum(1 << catalogue.DOSE_STATES.index(state) for state in row.states)
        choices.setdefault(treatment, []).append((mask, number))
        if not mask:
            rows[treatment] = number
    choices = {code: found for code, found in choices.items() if any(mask for mask, _ in found)}
    depends = np.isin(np.arange(len(TREATMENTS)), list(choices))
    codes = [condition.code for condition in catalogue.conditions()]
    of_diagnosis = {}
    for treatment_name in dict.fromkeys(medication.treatment for medication in by_code):
        found = np.full(len(codes), -1, np.int64)
        for number, medication in reversed(list(enumerate(by_code, len(by_state)))):
            if medication.treatment == treatment_name:
                found[[code.startswith(medication.codes) for code in codes]] = number
        of_diagnosis[TREATMENTS.index(treatment_name)] = found
    given: list[catalogue.Dose] = [
        *by_state,
        *(
            catalogue.Dose(
                treatment=row.treatment,
                drug=row.drug,
                dose=row.dose,
                unit=row.unit,
                routes=row.routes,
                source=row.source,
                tag=row.tag,
            )
            for row in by_code
        ),
    ]
    doses: list[str | None] = []
    first = []
    for row in given:
        first.append(len(doses))
        doses += _dose_texts(row)
    routes: list[str] = list(dict.fromkeys(route for row in given for route in row.routes))
    allowed = np.array(
        [[routes.index(_route(row.routes, access)) for access in range(4)] for row in given], np.int8
    )
    return _Formulary(
        rows,
        choices,
        depends,
        of_diagnosis,
        [*(row.drug for row in given), None],
        [*doses, None],
        np.array([*first, len(doses)], np.int32),
        np.array([*(row.per_kg for row in given), 0], np.int32),
        np.array([*(row.per_percent for row in given), 0], np.int32),
        [*routes, None],
        allowed,
    )


def _dose_texts(row: catalogue.Dose) -> list[str | None]:
    """Return the text of a dose, or one for each body weight in kg, or one for each per cent of the body surface burnt.

    None where the catalogue gives no dose.
    """
    if row.per_percent:
        return [
            f"{float(row.dose) * percent + _HEAVY_STEP_DOSE * step:.0f} {row.unit}"
            for percent in range(MOST_BURNT + 1)
            for step in range(_HEAVY_STEPS)
        ]
    if row.per_kg:
        amounts = [float(amount) for amount in row.dose.split(" and ")]
        return [
            " and ".join(f"{amount * weight:.0f} {row.unit}" for amount in amounts)
            for weight in range(_HEAVIEST + 1)
        ]
    return [f"{row.dose} {row.unit}".strip() or None]


def _route(routes: tuple[str, ...], access: int) -> str:
    """Return the first route for which there is the access; else the last that needs none, else the first."""
    without = [route for route in routes if route not in ("IV", "IO")]
    for route in routes:
        if (route == "IV" and access & 1) or (route == "IO" and access & 2) or route in without:
            return route
    return without[-1] if without else routes[0]


class _Given(NamedTuple):
    """What is given in each treatment: row of doses.csv, -1 without one; weight and burns of the patient; route."""

    rows: NDArray[np.int64]
    weights: NDArray[np.int64]
    burns: NDArray[np.int64]
    """Index of the dose among those by burnt share and weight."""
    routes: NDArray[np.int64]


def _given(view: View) -> _Given:
    formulary: _Formulary = view.code_tables.reusable(_formulary, _formulary)
    treatments, patients = view.rows, view.chunk.patients
    who = treatments["patient"]
    access = np.zeros(len(treatments), np.int64)
    for bit, kind in ((1, Treatment.IV_ACCESS), (2, Treatment.INTRAOSSEOUS_ACCESS)):
        since = earliest(len(patients), treatments[treatments["kind"] == kind], "start")
        access |= np.where(since.take(who) <= treatments["start"], bit, 0)
    depends = np.flatnonzero(formulary.depends.take(treatments["kind"]))
    masks = _states(view, treatments[depends], access[depends] > 0)
    rows = formulary.rows.take(treatments["kind"]).astype(np.int64)
    for code, choices in formulary.by_state.items():
        chosen = np.flatnonzero(treatments["kind"][depends] == code)
        for mask, number in choices:
            rows[depends[chosen[(masks[chosen] & mask) == mask]]] = number
    for code, by_condition in formulary.of_diagnosis.items():
        of_kind = np.flatnonzero(treatments["kind"] == code)
        drugs = _of_diagnosis(view, by_condition).take(who[of_kind])
        places = wound_rows(view.chunk, who[of_kind], treatments["wound"][of_kind])
        if len(view.chunk.wounds):  # of a wound that is named, its own
            named = by_condition.take(view.chunk.wounds["condition"].take(np.maximum(places, 0)))
            drugs = np.where(places >= 0, named, drugs)
        rows[of_kind] = np.where(drugs >= 0, drugs, rows[of_kind])
    routes = formulary.allowed[rows, access].astype(np.int64)
    weights = patients["weight"].take(who).astype(np.int64)
    burnt = np.maximum(view.compute_of_chunk(burnt_percent), 0).take(who)
    burns = burnt * _HEAVY_STEPS + np.clip((weights - _HEAVY) // _HEAVY_STEP, 0, _HEAVY_STEPS - 1)
    return _Given(rows, weights, burns, np.where(rows < 0, -1, routes))


def _of_diagnosis(view: View, found: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return by patient the row of medications.csv of a wound or the main diagnosis; -1 without one."""
    patients, wounds = view.chunk.patients, view.chunk.wounds
    rows = np.where(
        patients["kind"] == CasualtyKind.WOUNDED, -1, found.take(patients["condition"], mode="clip")
    )
    np.maximum.at(rows, wounds["patient"], found.take(wounds["condition"]))
    return rows


def _is_infected(view: View, treatments: Table) -> NDArray[np.bool_]:
    """Return which treatments are in the days after the onset of an infection that is a complication."""
    events = view.chunk.events
    found = events[events["kind"] == Event.COMPLICATION]
    infections = found[np.isin(found["detail"] // LIMBS, _INFECTIONS)]
    who, start = treatments["patient"], treatments["start"].astype(np.int64)
    if not len(infections):
        return np.zeros(len(treatments), bool)
    place = Lookup(infections, "at", who, start).last_before()
    since = start - infections["at"].take(np.maximum(place, 0))
    infected: NDArray[np.bool_] = (place >= 0) & (since < _INFECTION_DAYS * DAY)
    return infected


def _states(view: View, treatments: Table, access: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the mask of the states of DOSE_STATES that hold at each of some treatments; `access` is one of them.

    What was last taken before a tube was put in says nothing any more: such a patient is in none of the states.
    """
    vitals, patients = view.chunk.vitals, view.chunk.patients
    who = treatments["patient"]
    holds: NDArray[np.bool_]
    masks = np.zeros(len(treatments), np.int64)

    def put(state: str, holds: NDArray[np.bool_]) -> None:
        masks[holds] |= 1 << catalogue.DOSE_STATES.index(state)  # type: ignore[arg-type]

    readings = Lookup(vitals, "at", who, treatments["start"])
    tubes = view.rows[of_kinds(view.rows, TUBES)]
    tube = Lookup(tubes, "start", who, treatments["start"]).last_before()
    tubed_at = tubes["start"].take(np.maximum(tube, 0)) if len(tubes) else np.zeros(len(who), np.int64)
    found = {}
    for name in dict.fromkeys(sign.sign for sign in catalogue.dose_signs()):
        taken = vitals[name] != NONE
        reading = readings.last_before(taken)
        if ((reading < 0) & (tube < 0)).any():
            reading = np.where((reading < 0) & (tube < 0), readings.first_after(taken), reading)
        values, taken_at = np.full(len(who), NONE), np.zeros(len(who), np.int64)
        if len(vitals):
            values = vitals[name].take(np.maximum(reading, 0))
            taken_at = vitals["at"].take(np.maximum(reading, 0))
        found[name] = values, reading, (reading >= 0) & ((tube < 0) | (taken_at > tubed_at))
    for sign in catalogue.dose_signs():
        values, reading, valid = found[sign.sign]
        low, high = sign.within
        put(sign.state, (values >= low) & (values <= high) & valid)
        if sign.untaken:
            put(sign.state, (reading < 0) & (patients["triage"].take(who) == TriageCategory.T3) & (tube < 0))
    for name in dict.fromkeys(row.state for row in catalogue.dose_diagnoses()):
        holds = _diagnosed(view, name).take(who)
        if name == "no_mouth":
            fasting = (tube >= 0) & (treatments["start"].astype(np.int64) < tubed_at + _FASTING_HOURS * HOUR)
            put("mouth", ~holds & ~fasting)
        else:
            put(name, holds)
    for row in catalogue.dose_times():
        put(row.state, _is_near(view, treatments, row))
    put("severe_agent", np.isin(patients["severity"].take(who), _SEVERE_GRADES))
    put("minor", patients["triage"].take(who) == TriageCategory.T3)
    put("hospital_infection", _is_infected(view, treatments))
    put("ill", patients["kind"].take(who) == CasualtyKind.DISEASE)
    put("access", access)
    put("facility", treatments["facility"] >= 0)
    return masks


@cache
def _lowest_ais(state: str) -> NDArray[np.uint8]:
    """Return by condition the AIS from which it puts a patient into a state of dose_diagnoses.csv; NONE: never."""
    rows = [row for row in catalogue.dose_diagnoses() if row.state == state]
    found = np.full(len(catalogue.conditions()), NONE, np.uint8)
    pairs = zip(catalogue.conditions(), catalogue.condition_needs(), strict=True)
    for place, (condition, wanted) in enumerate(pairs):
        holds = [row.ais_from for row in rows if row.holds(condition, wanted.operations)]
        found[place] = min(holds, default=NONE)
    return found


def _diagnosed(view: View, state: str) -> NDArray[np.bool_]:
    """Return the patients whom a wound, or the main diagnosis of the others, puts into a state."""
    lowest = _lowest_ais(state)
    patients, wounds = view.chunk.patients, view.chunk.wounds
    found: NDArray[np.bool_] = lowest.take(patients["condition"], mode="clip") == 0
    found[wounds["patient"][lowest[wounds["condition"]] <= wounds["ais"]]] = True
    return found


def _is_near(view: View, treatments: Table, row: catalogue.DoseTime) -> NDArray[np.bool_]:
    """Return which treatments have the other treatment of a row of dose_times.csv near enough before or after them."""
    others = view.rows[view.rows["kind"] == TREATMENTS.index(row.treatment)]
    if not len(others):
        return np.zeros(len(treatments), bool)
    who, start = treatments["patient"], treatments["start"].astype(np.int64)
    if row.after:
        place = Lookup(others, "start", who, start).first_after()
    else:
        place = Lookup(others, "start", who, start - 1).last_before()
    low, high = (minutes * MINUTE for minutes in row.within_minutes)
    apart = np.abs(others["start"].take(np.maximum(place, 0)) - start)
    near: NDArray[np.bool_] = (place >= 0) & (apart >= low) & (apart < high)
    return near


def drugs(view: View) -> Values:
    """Return the drug, fluid or blood product of each treatment."""
    formulary: _Formulary = view.code_tables.reusable(_formulary, _formulary)
    return Coded(formulary.drugs, _or_last(view.compute(_given).rows, formulary.drugs))


def dose_values(view: View) -> Values:
    """Return the dose of each treatment, by body weight where the catalogue says so."""
    formulary: _Formulary = view.code_tables.reusable(_formulary, _formulary)
    given: _Given = view.compute(_given)
    further = formulary.per_kg[given.rows] * given.weights + formulary.per_percent[given.rows] * given.burns
    return Coded(formulary.doses, formulary.first[given.rows] + further)


def routes(view: View) -> Values:
    """Return the route of the drug of each treatment: by the access that the patient has by then."""
    formulary: _Formulary = view.code_tables.reusable(_formulary, _formulary)
    return Coded(formulary.routes, _or_last(view.compute(_given).routes, formulary.routes))


def _or_last(indices: NDArray[np.int64], texts: list[Any]) -> Codes:
    return np.where(indices < 0, len(texts) - 1, indices)


_EYES, _MOTORS = 5, 7


def _avpu_table(_: CodeTables) -> NDArray[np.uint8]:
    """Return the index of AVPU by eye opening and motor response, in one row; NONE where one of them is unknown."""
    table = np.full((_EYES + 1, _MOTORS + 1), NONE, np.uint8)
    for row in catalogue.avpu_rows():
        low, high = map(int, row.motor)
        table[row.eye, low : high + 1] = catalogue.AVPU.index(row.avpu)
    return table.reshape(-1)


def avpu_codes(view: View) -> Codes:
    """Return the index of AVPU at each reading, by eye opening and motor response; NONE where they were not taken."""
    return avpu_of(view.code_tables, view.rows["gcs_eye"], view.rows["gcs_motor"])


def avpu_of(code_tables: CodeTables, eye: Codes, motor: Codes) -> Codes:
    """Return the index of AVPU by eye opening and motor response; NONE where they were not taken."""
    table = code_tables.reusable(_avpu_table, _avpu_table)
    codes: Codes = table.take(np.minimum(eye, _EYES) * np.uint8(_MOTORS + 1) + np.minimum(motor, _MOTORS))
    return codes

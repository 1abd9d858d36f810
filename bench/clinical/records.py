"""The records of a run as clinical rules see them: its tables as columns, with sets of codes and times of the course.

`Records` has an attribute for each table (`wounds`, `treatments`, `events`, `vitals`, `patients`) and for values that
many rules use. A name that the records do not have, such as a vital sign that no version of the model wrote yet, raises
`Missing`; a name that nobody ever planned raises `KeyError`.
"""

import re
import tomllib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.clinical.columns import NEVER, Array, Column, Rows, count, first, has, last
from engine.codes import (
    AT_POI,
    CASUALTY_KINDS,
    DEATH_CAUSES,
    EFFECTS,
    EN_ROUTE,
    EVENTS,
    LETHAL_MECHANISMS,
    MECHANISMS,
    NONE,
    OUTCOMES,
    REGIONS,
    SEXES,
    SIDES,
    STREAMS,
    TREATMENTS,
)
from engine.scenario import Scenario
from engine.tables import Chunk, Table
from scenarios import catalogue

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "clinical_rules"
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

LABELS: dict[tuple[str, str], tuple[str, ...]] = {
    ("wounds", "region"): REGIONS,
    ("wounds", "side"): SIDES,
    ("treatments", "kind"): TREATMENTS,
    ("treatments", "effect"): EFFECTS,
    ("events", "kind"): EVENTS,
    ("patients", "kind"): CASUALTY_KINDS,
    ("patients", "stream"): STREAMS,
    ("patients", "mechanism"): MECHANISMS,
    ("patients", "status"): OUTCOMES,
    ("patients", "sex"): SEXES,
    ("patients", "lethal"): LETHAL_MECHANISMS,
    ("patients", "death_cause"): DEATH_CAUSES,
}
"""By table and column: the labels of its codes."""

TIMES = {
    "at",
    "start",
    "end",
    "time",
    "onset",
    "closed",
    "untreated_death",
    "first_care",
    "role1",
    "role2",
    "role3",
    "role4",
    "surgery",
    "incident_time",
}
"""Columns of times: -1, which is "never" in the tables, is NEVER here."""

SIGN_SCALES = {
    "temperature": (20.0, 0.1),
    "lactate": (0.0, 0.1),
    "base_excess": (-21.0, 0.1),
    "haemoglobin": (0.0, 0.1),
    "inr": (0.0, 0.1),
}
"""By vital sign or laboratory value that is not stored in its unit: the value of 0, and the step."""


class Missing(LookupError):
    """The records have no such treatment, vital sign or attribute of a condition (yet)."""


class CodeSets:
    """Named sets of ICD-10-CM codes (`codes.toml`), as masks over the conditions of the catalogue."""

    def __init__(self, path: Path) -> None:
        self.patterns: dict[str, str] = {
            name: "|".join(f"(?:{part})" for part in parts)
            for name, parts in tomllib.loads(path.read_text("utf-8"))["sets"].items()
        }
        self.conditions = catalogue.conditions()
        self.codes = [condition.code for condition in self.conditions]
        self.cause_codes = [cause.code for cause in catalogue.external_causes()]
        self._masks: dict[tuple[str, bool], Array] = {}

    def mask(self, name: str, causes: bool = False) -> Array:
        """Return whether each condition, or each external cause, belongs to the set."""
        if (name, causes) not in self._masks:
            pattern = re.compile(self.patterns[name])
            codes = self.cause_codes if causes else self.codes
            self._masks[name, causes] = np.array([pattern.match(code) is not None for code in codes])
        return self._masks[name, causes]

    def attribute(self, name: str) -> Sequence[Any]:
        """Return an attribute of each condition.

        Raises
        ------
        Missing
            If conditions have no such attribute.
        """
        if not hasattr(self.conditions[0], name):
            raise Missing(f"conditions.{name}")
        return [getattr(condition, name) for condition in self.conditions]


class View:
    """One table of a run: its columns as attributes, with masks by label and by code."""

    def __init__(self, name: str, table: Table, rows: Rows, sets: CodeSets, planned: frozenset[str]) -> None:
        self._name, self._table, self.rows, self._sets, self._planned = name, table, rows, sets, planned

    def __getattr__(self, name: str) -> Column:
        if name.startswith("_"):
            raise AttributeError(name)
        fields = self._table.dtype.names or ()
        if name not in fields:
            if f"{self._name}.{name}" in self._planned:
                raise Missing(f"{self._name}.{name}")
            raise KeyError(f"{self._name} has no column {name!r}")
        values = self._table[name]
        if self._name == "vitals" and values.dtype == np.uint8:
            low, step = SIGN_SCALES.get(name, (0.0, 1.0))
            values = np.where(values == NONE, np.nan, low + step * values)
        elif name in TIMES:
            values = np.where(values < 0, NEVER, values.astype(np.float64))
        elif values.dtype.kind in "iu":
            values = values.astype(np.int64)
        return Column(self.rows, values)

    def labelled(self, column: str, *labels: str) -> Column:
        """Whether the column has one of these labels. Labels that are only planned match nothing."""
        known = LABELS[self._name, column]
        strange = [x for x in labels if x not in known and f"{self._name}.{x}" not in self._planned]
        if strange:
            raise KeyError(f"{self._name}.{column} has no {', '.join(strange)}")
        codes = [known.index(label) for label in labels if label in known]
        if not codes:
            raise Missing(", ".join(labels))
        return Column(self.rows, np.isin(self._table[column], codes))

    def kind(self, *labels: str) -> Column:
        """Whether the kind is one of these."""
        return self.labelled("kind", *labels)

    def among(self, *names: str) -> Column:
        """Whether the condition belongs to one of these sets of codes."""
        mask = np.logical_or.reduce([self._sets.mask(name) for name in names])
        return Column(self.rows, mask[self._table["condition"]])

    def condition(self, attribute: str, *values: Any) -> Column:
        """Whether an attribute of the condition is one of `values`; without values, whether there is any."""
        given = self._sets.attribute(attribute)
        if values:
            mask = [bool({*values} & ({*x} if isinstance(x, tuple) else {x})) for x in given]
        else:
            mask = [bool(x) for x in given]
        return Column(self.rows, np.array(mask)[self._table["condition"]])

    def everything(self) -> Column:
        """All rows."""
        return Column(self.rows, np.ones(len(self._table), bool))


class Records:
    """The tables of one chunk of a run, and the values that several rules derive from them."""

    def __init__(self, scenario: Scenario, chunk: Chunk, sets: CodeSets, planned: frozenset[str]) -> None:
        self.scenario = scenario
        self.chunk = chunk
        self.sets = sets
        self._patients = Rows("patients", np.arange(len(chunk)))
        self.patients = View("patients", chunk.patients, self._patients, sets, planned)
        for name in ("events", "treatments", "wounds", "vitals"):
            table = getattr(chunk, name)
            rows = Rows(name, table["patient"], self._patients)
            setattr(self, name, View(name, table, rows, sets, planned))

    events: View
    treatments: View
    wounds: View
    vitals: View

    # --- places

    @cached_property
    def _roles(self) -> Array:
        """Role by facility; the last two are the way and the point of injury."""
        return np.array([*(facility.role for facility in self.scenario.facilities), 0, 0])

    def role(self, view: View) -> Column:
        """Return the role of each row's place: 0 at the point of injury, on the way and in a staging unit."""
        return view.rows.column(self._roles[view.facility.values])

    def at_facility(self, view: View) -> Column:
        """Whether each row's place is a medical treatment facility."""
        return self.role(view) >= 1

    def able(self, *capabilities: str) -> Column:
        """Whether the place of each event has all these capabilities: `dcr`, `dcs`, `definitive`, `icu`."""
        able = [all(bool(getattr(f, x)) for x in capabilities) for f in self.scenario.facilities]
        return self.events.rows.column(np.array([*able, False, False])[self.events.facility.values])

    @cached_property
    def at_poi(self) -> Column:
        """Treatments at the point of injury."""
        return self.treatments.facility == AT_POI

    @cached_property
    def en_route(self) -> Column:
        """Treatments on the way."""
        return self.treatments.facility == EN_ROUTE

    # --- the course of a patient

    @cached_property
    def door(self) -> Column:
        """Time of the first arrival at a facility of Role 1 or above."""
        return first(self.events.at, self.events.kind("arrived"))

    @cached_property
    def role2(self) -> Column:
        """Time of the first arrival at a facility of Role 2 or above; NEVER without one."""
        return first(self.events.at, self.events.kind("arrived") & (self.role(self.events) >= 2))

    @cached_property
    def before_role2(self) -> Column:
        """Treatments that start before the first arrival at Role 2 or above."""
        return self.treatments.start < self.role2

    def door_of(self, *capabilities: str) -> Column:
        """Return the time of the first arrival at a facility with all these capabilities; NEVER without one."""
        return first(self.events.at, self.events.kind("arrived") & self.able(*capabilities))

    @cached_property
    def surgical_door(self) -> Column:
        """Time of the first arrival at a facility that operates."""
        return self.door_of("dcs")

    @cached_property
    def first_operation(self) -> Column:
        """Start of the first operation, with its anaesthesia."""
        anaesthesia = self.treatments.kind("general_anaesthesia", "regional_anaesthesia", "sedation")
        return first(self.treatments.start, self.operations | anaesthesia)

    @cached_property
    def survivor(self) -> Column:
        """Patients who left care alive: back on duty, evacuated to Role 4 or discharged."""
        return self.patients.labelled("status", "rtd", "evacuated", "discharged")

    @cached_property
    def dead(self) -> Column:
        """Patients who died."""
        return self.patients.labelled("status", "kia", "dow", "died_nonbattle")

    @cached_property
    def operable(self) -> Column:
        """Survivors who were at a facility that operates."""
        return self.survivor & (self.surgical_door < NEVER)

    @cached_property
    def operations(self) -> Column:
        """Treatments that are operations."""
        return self.treatments.kind(*OPERATIONS)

    @cached_property
    def dnbi(self) -> Column:
        """Patients with a non-battle injury or a disease, psychological casualties included."""
        return ~self.patients.labelled("stream", "battle")

    def hours_from_injury(self, column: Column) -> Column:
        """Return times as hours from injury, exposure or falling ill."""
        return (column - self.patients.time) * (1 / HOUR)

    # --- wounds and their treatments

    @cached_property
    def _first_wound(self) -> Array:
        ends = self.chunk.patients["wound_end"].astype(np.int64)
        starts: Array = np.concatenate(([0], ends[:-1]))
        return starts

    @cached_property
    def _treated_wound(self) -> Array:
        """By treatment: the row of the wound that it names, -1 without one."""
        table = self.chunk.treatments
        rows: Array = self._first_wound[table["patient"]] + table["wound"].astype(np.int64)
        rows[table["wound"] == NONE] = -1
        return rows

    def of_wound(self, wounds: Column) -> Column:
        """Whether the wound that a treatment names is one of `wounds`; false if it names none."""
        values = np.append(wounds.values.astype(bool), False)
        return self.treatments.rows.column(values[self._treated_wound])

    def treated(self, treatments: Column) -> Column:
        """Whether any of these treatments names each wound."""
        found = np.zeros(len(self.chunk.wounds) + 1, bool)
        found[self._treated_wound[treatments.values]] = True
        return self.wounds.rows.column(found[:-1])

    @cached_property
    def names_wound(self) -> Column:
        """Treatments that name a wound."""
        return self.treatments.wound != NONE

    def diagnosed(self, *names: str) -> Column:
        """Patients whose main diagnosis or any of whose wounds is in one of these sets of codes."""
        return self.patients.among(*names) | has(self.wounds.among(*names))

    def with_condition(self, conditions: Array) -> Column:
        """Return the patients whose main diagnosis or any of whose wounds is one of `conditions`, a mask."""
        main = self.patients.rows.column(conditions[self.chunk.patients["condition"]])
        return main | has(self.wounds.rows.column(conditions[self.chunk.wounds["condition"]]))

    def caused(self, name: str) -> Column:
        """Patients whose external cause is in this set of codes."""
        mask = np.append(self.sets.mask(name, causes=True), False)
        cause = self.chunk.patients["cause"].astype(np.int64)
        return self.patients.rows.column(mask[np.minimum(cause, len(mask) - 1)])

    @cached_property
    def has_cause(self) -> Column:
        """Patients with an external cause."""
        return self.patients.cause != np.iinfo(np.uint16).max

    def given(self, *labels: str) -> Column:
        """Patients who are given one of these treatments, at any place and time."""
        return has(self.treatments.kind(*labels))

    def started(self, *labels: str) -> Column:
        """Start of the first of these treatments of each patient; NEVER without one."""
        return first(self.treatments.start, self.treatments.kind(*labels))

    def ended(self, *labels: str) -> Column:
        """End of the last of these treatments of each patient; -NEVER without one."""
        return last(self.treatments.end, self.treatments.kind(*labels))

    def happened(self, *labels: str) -> Column:
        """Patients with one of these events."""
        return has(self.events.kind(*labels))

    def event_time(self, *labels: str) -> Column:
        """Time of the first of these events of each patient; NEVER without one."""
        return first(self.events.at, self.events.kind(*labels))

    @cached_property
    def wound_count(self) -> Column:
        """Number of wounds of each patient."""
        return count(self.wounds.everything())

    # --- vital signs

    @cached_property
    def at_first_door(self) -> Column:
        """The first set of vital signs of each patient at or after the first door."""
        at = self.vitals.at
        return at == first(at, at >= self.door)

    @cached_property
    def pairs_of_wounds(self) -> tuple[Array, Array]:
        """Rows of all pairs of wounds of one patient, the first before the second."""
        counts = self.wound_count.values
        places = np.arange(len(self.chunk.wounds)) - self._first_wound[self.chunk.wounds["patient"]]
        left = counts[self.chunk.wounds["patient"]] - places - 1
        one = np.repeat(np.arange(len(left)), left)
        step = np.arange(len(one)) - np.repeat(np.cumsum(left) - left, left)
        return one, one + step + 1

    def patients_of_pairs(self, wrong: Array) -> Column:
        """Return the patients with a wrong pair; `wrong` is by pair of `pairs_of_wounds`."""
        found = np.zeros(len(self.chunk), bool)
        found[self.chunk.wounds["patient"][self.pairs_of_wounds[0][wrong]]] = True
        return self.patients.rows.column(found)


OPERATIONS = (
    "laparotomy",
    "thoracotomy",
    "craniotomy",
    "neck_exploration",
    "vascular_repair",
    "external_fixation",
    "wound_debridement",
    "amputation",
    "eye_repair",
    "surgical_airway",
    "definitive_surgery",
    "fracture_fixation",
    "vascular_shunt",
    "fasciotomy",
    "ligation",
    "pelvic_packing",
    "splenectomy",
    "bowel_resection",
    "colostomy",
    "urological_repair",
    "spinal_surgery",
    "maxillofacial_surgery",
    "burn_excision",
    "escharotomy",
    "tracheostomy",
    "appendicectomy",
    "hernia_repair",
    "abscess_drainage",
    "gynaecological_surgery",
)
"""Labels of the treatments that are operations."""

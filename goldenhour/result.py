"""The Python API: `goldenhour.simulate` runs a scenario in this process, without Ray, and returns its columns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from actors.run import compile_before
from engine.codes import STREAMS, Outcome
from engine.errors import InputError, shown
from engine.measures import (
    Delays,
    consumption_table,
    facilities_table,
    flow_of,
    measures_table,
    run_arrow_table,
    summary,
    table_rows,
)
from engine.records import RUN_TABLES, CodeTables, RunTable
from engine.run import Simulation, entry_points
from engine.scenario import (
    Scenario,
    ScenarioOrigin,
    ScenarioOverrides,
    Setting,
    hash_of_resolved,
    prepare,
    read_tree,
)
from engine.tables import DAY, ENDS, TABLES, Chunk, Table
from goldenhour import scenario_files
from goldenhour.chance import Chance, chance_of
from goldenhour.packages import import_package
from goldenhour.result_html import result_html
from goldenhour.tilts import tilts_of_scenario

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from engine.records import Patient

CHUNK_SIZE = 2048
"""Patients that are simulated at a time."""

TITLES = {"events": {"kind": "event"}, "treatments": {"kind": "treatment"}}
"""By table and field: the name that docs/records.md gives it."""

ScenarioSource = str | Path | Scenario | Mapping[str, Any]
"""What `simulate` takes as a scenario."""


@dataclass(frozen=True, eq=False)
class Result:
    """One replication of a scenario, all of it in memory (about 1.5 kB per patient).

    `to_pandas`, `to_polars` and `to_arrow` return tables with the columns of docs/records.md. The attributes are the
    same tables as NumPy structured arrays of codes and milliseconds; `engine.tables` documents them. `patients` has one
    row per patient, in the order of the records. In the other tables the field `patient` is the row in `patients`, and
    the rows of a patient are consecutive: they end before the row that `patients` holds in `event_end`,
    `treatment_end`, `wound_end` and `vital_end`. The code of an event is `event`, that of a treatment `treatment`.

    Results are equal if their scenarios, replications and tables are.
    """

    scenario: Scenario
    """The scenario as it was run, resolved: with a value for every setting that its author left open."""
    replication: int
    """Number of the replication."""
    measures: dict[str, Any]
    """The measures of the run: the content of the file summary.json."""
    patients: Table
    """One row per patient, shape (patients,)."""
    events: Table
    """One row per event of a patient."""
    treatments: Table
    """One row per treatment of a patient."""
    wounds: Table
    """One row per wound of a patient."""
    vitals: Table
    """One row per set of vital signs of a patient."""
    facilities: Table
    """Occupancy and queues of the limited resources over time, dtype `engine.measures.resources.SERIES`."""
    measures_table: tuple[dict[str, Any], ...]
    """`measures` as one row per figure: the objects of the file measures.jsonl."""
    consumption: Table
    """What care consumed by day, place and item, dtype `engine.measures.consumption.CONSUMPTION`."""

    def __len__(self) -> int:
        """Number of patients."""
        return len(self.patients)

    def __repr__(self) -> str:
        """Number of patients, scenario, seed and replication in one line."""
        return (
            f"<{len(self):,} patients of {self.scenario.name!r}, seed {self.scenario.seed}, "
            f"replication {self.replication}>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: the patients by category and outcome, and the mortality."""
        note = "" if self.chance is None else self.chance.sentence
        return result_html(repr(self)[1:-1], self.measures, note)

    def __eq__(self, other: object) -> bool:
        """Whether another result is of the same scenario and replication, with the same rows in all tables."""
        if not isinstance(other, Result):
            return NotImplemented
        return (
            self.replication == other.replication
            and self.scenario == other.scenario
            and self.measures == other.measures
            and all(_is_equal(getattr(self, name), getattr(other, name)) for name in (*TABLES, "facilities"))
        )

    def __hash__(self) -> int:
        """The hash of scenario, seed and replication, which determine the rest."""
        return hash((self._scenario_hash, self.seed, self.replication))

    def __getstate__(self) -> dict[str, Any]:
        """The fields, without what was derived from them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self.scenario.seed

    @cached_property
    def chance(self) -> Chance | None:
        """How many casualties other replications of the scenario have; None where that would take long."""
        return chance_of(self.scenario, self.seed, len(self))

    def delays(self) -> Table:
        """The time from injury to the first operation by stage: why surgery is late.

        Returns
        -------
        Table
            A row for each patient, in ms; a field for each stage of `measures["time_to_surgery"]`, and `to_surgery`,
            which is their sum. -1 where a patient was not operated on.
        """
        delays = Delays(self.scenario)
        return np.concatenate([delays.table(chunk) for chunk in self._chunks()])

    def return_to_duty(self) -> dict[str, dict[str, Any]]:
        """Who returned to duty and when, by stream, as `casualties.rates.return_to_duty` of a scenario takes it.

        The days are a lognormal with mean and standard deviation of the patients. Patients still in care at a horizon
        count as not returned. A stream of which nobody returned is left out.

        Returns
        -------
        dict
            By stream: `share` of its patients, and `days` from injury or illness to the return.
        """
        found: dict[str, dict[str, Any]] = {}
        for number, stream in enumerate(STREAMS):
            patients = self.patients[self.patients["stream"] == number]
            back = patients[patients["status"] == Outcome.RTD]
            if not len(back):
                continue
            days = (back["closed"] - back["time"]) / DAY
            mean, sd = round(float(days.mean()), 4), round(float(days.std()), 4)
            kind = {"distribution": "lognormal", "mean": mean, "sd": sd} if sd else mean
            found[stream] = {"share": round(len(back) / len(patients), 4), "days": kind}
        return found

    def records(self) -> Iterator["Patient"]:
        """Yield the patient records, one after the other, as a jsonl file holds them."""
        from engine.records import build_patients

        for chunk in self._chunks():
            yield from build_patients(chunk, self._code_tables)

    def to_arrow(self, table: str = "patients") -> "pyarrow.Table":
        """A table as a PyArrow table, with names in place of codes: the columns of the Parquet and CSV files.

        docs/records.md documents the columns.

        Parameters
        ----------
        table
            patients, events, treatments, wounds, vitals, facilities, measures or consumption.

        Raises
        ------
        InputError
            If there is no such table.
        """
        _check_table(table)
        arrow = import_package("pyarrow")
        from engine.records import patient_arrow_table

        if table in RUN_TABLES:
            return run_arrow_table(self._run_table(table))
        return arrow.concat_tables(
            patient_arrow_table([chunk], self._code_tables, table) for chunk in self._chunks()
        )

    def to_pandas(self, table: str = "patients") -> "pandas.DataFrame":
        """A table as a pandas DataFrame, with the columns of `to_arrow`. Raises InputError, and NotInstalledError.

        Labels are categories, times and dates datetime64, and an integer that may be missing is an Int32 with NA.
        """
        _check_table(table)
        pandas = import_package("pandas")
        arrow = self.to_arrow(table)
        frame = arrow.to_pandas(date_as_object=False)
        for field in arrow.schema:
            if field.nullable and field.type == "int32":
                frame[field.name] = arrow[field.name].to_pandas(types_mapper=lambda _: pandas.Int32Dtype())
        return frame

    def to_polars(self, table: str = "patients") -> "polars.DataFrame":
        """A table as a polars DataFrame, with the columns of `to_arrow`. Raises InputError, and NotInstalledError."""
        _check_table(table)
        return import_package("polars").from_arrow(self.to_arrow(table))

    def _run_table(self, name: str) -> RunTable:
        if name == "facilities":
            return facilities_table(self.scenario, self.facilities)
        if name == "consumption":
            return consumption_table(self.scenario, self.consumption)
        return measures_table(self.measures)

    @cached_property
    def _scenario_hash(self) -> str:
        return hash_of_resolved(self.scenario)

    @cached_property
    def _code_tables(self) -> CodeTables:
        return CodeTables(self.scenario)

    def _chunks(self) -> Iterator[Chunk]:
        """The tables in chunks of `CHUNK_SIZE` patients, as the file formats take them."""
        count = len(self)
        for number, first in enumerate(range(0, max(1, count), CHUNK_SIZE)):
            stop = min(first + CHUNK_SIZE, count)
            patients = self.patients[first:stop].view(TABLES["patients"]).copy()
            others = {}
            for name, end in ENDS.items():
                begin = int(self.patients[end][first - 1]) if first else 0
                final = int(self.patients[end][stop - 1]) if stop else 0
                rows = getattr(self, name)[begin:final].view(TABLES[name]).copy()
                rows["patient"] -= first
                patients[end] -= np.uint32(begin)
                others[name] = rows
            yield Chunk(number, first, stop == count, patients, **others)


def simulate(
    scenario: ScenarioSource,
    seed: int | None = None,
    replication: int = 0,
    patients: int | None = None,
    days: int | None = None,
    allow_long: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> Result:
    """Simulate a scenario in this process and return its columns and measures.

    The patients are the same as those that `goldenhour run` writes for this scenario, seed and replication. The first
    call on a machine compiles the engine in processes of their own, for about half a minute.

    Parameters
    ----------
    scenario
        A built-in scenario's name, the path of a .toml or .json file, a Scenario, or a mapping with its fields.
    seed
        Seed of the random draws; default: the scenario's.
    replication
        Number of the replication, from 0. Each number gives other patients from the same seed.
    patients
        Simulate exactly this many patients; default: the scenario's total or rates.
    days
        Simulate this many days; default: the scenario's.
    allow_long
        Accept numbers of lifts, deliveries, shifts and vehicles that no theatre has.
    settings
        Values for single settings of the scenario by their path, as `--set` of the command line takes them:
        `{"facilities[R2-North].surgical_teams": 2}`.

    Returns
    -------
    Result
        The tables of the run and its measures.

    Raises
    ------
    InputError
        If there is no such scenario, if `replication` is out of range, or if a path of `settings` is none.
    ScenarioError
        If the scenario, with the other values, cannot be run.

    Examples
    --------
    >>> import goldenhour
    >>> result = goldenhour.simulate("standard", seed=1, patients=100)
    >>> result
    <100 patients of 'standard', seed 1, replication 0>
    >>> sum(result.measures["outcomes"].values())
    100
    >>> result.to_arrow("patients").num_rows
    100
    """
    if isinstance(replication, bool) or not isinstance(replication, int) or not 0 <= replication < 2**31:
        raise InputError(
            f"replication: got {shown(replication)}; allowed: a whole number from 0 to {2**31 - 1}"
        )
    written, origin = load_scenario(scenario)
    overrides = ScenarioOverrides(seed, patients, days, settings_of(settings))
    prepared = prepare(written, overrides, origin, allow_long)
    resolved = prepared.resolved
    compile_before(entry_points(resolved, texts=False), lambda state: None)
    simulation = Simulation(resolved, resolved.seed, replication, CHUNK_SIZE, tilts_of_scenario(resolved))
    tables = _join_chunks(list(simulation))
    flow = flow_of(simulation, resolved)
    measures = summary(simulation, flow)
    rows = table_rows(measures_table(measures))
    return Result(
        resolved,
        replication,
        measures,
        **tables,
        facilities=flow.series(),
        measures_table=tuple(rows),
        consumption=simulation.measures.consumption.rows(),
    )


def load_scenario(source: ScenarioSource) -> tuple[Scenario, ScenarioOrigin | None]:
    """The scenario that `source` is or names, and where it was read from. Raises InputError or ScenarioError."""
    if isinstance(source, Scenario):
        return source, None
    if isinstance(source, str | Path):
        return scenario_files.load_with_origin(source)
    if isinstance(source, Mapping):
        try:
            data = msgspec.json.encode(dict(source))
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(f"scenario: {error}") from None
        return scenario_files.from_tree(read_tree(data, "json"), Path()), None
    raise InputError(
        f"scenario: got {shown(source)}; allowed: a name, a path, a Scenario or a mapping with its fields"
    )


def settings_of(settings: Mapping[str, Any] | None) -> tuple[Setting, ...]:
    """The settings that a mapping from paths to values gives. Numbers of NumPy become Python's. Raises InputError."""
    if settings is None:
        return ()
    if not isinstance(settings, Mapping) or not all(isinstance(path, str) for path in settings):
        raise InputError(f"settings: got {shown(settings)}; allowed: a mapping from paths to values")
    return tuple(
        Setting(path, value.item() if isinstance(value, np.generic) else value)
        for path, value in settings.items()
    )


def _join_chunks(chunks: list[Chunk]) -> dict[str, Table]:
    """The tables of all chunks joined, with row numbers that count from the start of the run. Changes the chunks."""
    offsets = dict.fromkeys(ENDS, 0)
    for chunk in chunks:
        for name, end in ENDS.items():
            rows = getattr(chunk, name)
            rows["patient"] += chunk.first
            chunk.patients[end] += np.uint32(offsets[name])
            offsets[name] += len(rows)
    return {
        name: np.concatenate([getattr(chunk, name) for chunk in chunks]).view(_with_titles(name))
        for name in TABLES
    }


def _with_titles(name: str) -> "np.dtype[np.void]":
    """The dtype of a table; a field with a name of its own in docs/records.md can be read by that name too."""
    dtype, titles = TABLES[name], TITLES.get(name, {})
    assert dtype.names is not None and dtype.fields is not None
    return np.dtype(
        {
            "names": list(dtype.names),
            "formats": [dtype.fields[field][0] for field in dtype.names],
            "offsets": [dtype.fields[field][1] for field in dtype.names],
            "titles": [titles.get(field) for field in dtype.names],
            "itemsize": dtype.itemsize,
        }
    )


def _is_equal(one: Table, other: Table) -> bool:
    """Whether two tables have the same rows; NaN is equal to NaN, and padding does not count."""
    return (
        one.dtype == other.dtype
        and len(one) == len(other)
        and all(
            np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f")
            for name in one.dtype.names or ()
        )
    )


def _check_table(name: str) -> None:
    allowed = (*TABLES, *RUN_TABLES)
    if name not in allowed:
        raise InputError(f"table: got {shown(name)}; allowed: {', '.join(allowed)}")

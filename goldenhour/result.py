"""`goldenhour.simulate`: a whole run in this process, without Ray, returned as columns. For notebooks and tests."""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from engine.errors import GoldenhourError, InputError, shown
from engine.measures import (
    RunTable,
    facilities_table,
    flow_of,
    measures_table,
    run_arrow_table,
    summary,
    table_rows,
)
from engine.records import RUN_TABLES, CodeTables
from engine.run import Simulation
from engine.scenario import Scenario, check, parse, resolve, with_overrides
from engine.tables import ENDS, TABLES, Chunk, Table
from goldenhour import scenario_files

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from engine.records import Patient

CHUNK_SIZE = 2048
Source = str | Path | Scenario | Mapping[str, Any]


class NotInstalledError(GoldenhourError, ImportError):
    """A package that is not part of goldenhour's own dependencies is needed."""


@dataclass(frozen=True)
class Result:
    """One replication of a scenario, all of it in memory (about 1.5 kB a patient).

    The columns are NumPy structured arrays, their dtypes and codes documented in `tables.columns`: one row per patient
    in record order in `patients`; in the other tables `patient` is the row of `patients`, and a patient's rows end
    before `event_end`, `treatment_end`, `wound_end`, `vital_end`.
    """

    scenario: Scenario
    """As it was run, with everything its author left open filled in."""
    replication: int
    measures: dict[str, Any]
    """What summary.json holds."""
    patients: Table
    events: Table
    treatments: Table
    wounds: Table
    vitals: Table
    facilities: Table
    """Occupancy and queues of the finite resources over time, dtype `engine.measures.resources.SERIES`."""
    measures_table: tuple[dict[str, Any], ...]
    """`measures` as tidy rows: the objects of the file measures.jsonl."""

    def __len__(self) -> int:
        """Number of patients."""
        return len(self.patients)

    def __repr__(self) -> str:
        """One line; the arrays would fill the screen."""
        return (
            f"<{len(self):,} patients of {self.scenario.name!r}, seed {self.scenario.seed}, "
            f"replication {self.replication}>"
        )

    @property
    def seed(self) -> int:
        """The seed it was run with."""
        return self.scenario.seed

    def records(self) -> Iterator["Patient"]:
        """The patient records, as in a jsonl file, one after the other."""
        from engine.records import build_patients

        for chunk in self._chunks():
            yield from build_patients(chunk, self._lexicon)

    def to_arrow(self, table: str = "patients") -> "pyarrow.Table":
        """A table with names in place of codes: the columns of the Parquet and CSV files (docs/records.md).

        `table`: patients, events, treatments, wounds, vitals, facilities or measures.
        """
        _check_table(table)
        arrow = _need("pyarrow")
        from engine.records import patient_arrow_table

        if table in RUN_TABLES:
            return run_arrow_table(self._run_table(table))
        return arrow.concat_tables(
            patient_arrow_table([chunk], self._lexicon, table) for chunk in self._chunks()
        )

    def to_pandas(self, table: str = "patients") -> "pandas.DataFrame":
        """`to_arrow` as a pandas DataFrame."""
        _check_table(table)
        _need("pandas")
        return self.to_arrow(table).to_pandas()

    def to_polars(self, table: str = "patients") -> "polars.DataFrame":
        """`to_arrow` as a polars DataFrame."""
        _check_table(table)
        return _need("polars").from_arrow(self.to_arrow(table))

    def _run_table(self, name: str) -> RunTable:
        if name == "facilities":
            return facilities_table(self.scenario, self.facilities)
        return measures_table(self.measures)

    @cached_property
    def _lexicon(self) -> CodeTables:
        return CodeTables(self.scenario)

    def _chunks(self) -> Iterator[Chunk]:
        """The result cut up again, as the formats take it."""
        count = len(self)
        for number, first in enumerate(range(0, max(1, count), CHUNK_SIZE)):
            stop = min(first + CHUNK_SIZE, count)
            patients = self.patients[first:stop].copy()
            others = {}
            for name, end in ENDS.items():
                begin = int(self.patients[end][first - 1]) if first else 0
                final = int(self.patients[end][stop - 1]) if stop else 0
                rows = getattr(self, name)[begin:final].copy()
                rows["patient"] -= first
                patients[end] -= np.uint32(begin)
                others[name] = rows
            yield Chunk(number, first, stop == count, patients, **others)


def simulate(
    scenario: Source,
    seed: int | None = None,
    replication: int = 0,
    patients: int | None = None,
    days: int | None = None,
) -> Result:
    """Simulate a scenario in this process and return its columns and measures.

    `scenario`: a built-in's name, the path of a .toml or .json file, a Scenario, or a mapping with its fields. `seed`,
    `patients` and `days` replace the scenario's own. The same patients as the command line writes for the same
    scenario, seed and replication. Raises InputError or ScenarioError when the input cannot be used.
    """
    if isinstance(replication, bool) or not isinstance(replication, int) or not 0 <= replication < 2**31:
        raise InputError(
            f"replication: got {shown(replication)}; allowed: a whole number from 0 to {2**31 - 1}"
        )
    original = with_overrides(_scenario(scenario), seed=seed, total=patients, days=days)
    check(original)
    resolved = resolve(original)
    simulation = Simulation(resolved, resolved.seed, replication, CHUNK_SIZE)
    tables = _joined(list(simulation))
    flow = flow_of(simulation, resolved)
    measures = summary(simulation, flow)
    rows = table_rows(measures_table(measures))
    return Result(
        resolved, replication, measures, **tables, facilities=flow.series(), measures_table=tuple(rows)
    )


def _scenario(source: Source) -> Scenario:
    if isinstance(source, Scenario):
        return source
    if isinstance(source, str | Path):
        return scenario_files.load(source)
    if isinstance(source, Mapping):
        try:
            data = msgspec.json.encode(dict(source))
        except (TypeError, ValueError) as error:
            raise InputError(f"scenario: {error}") from None
        return parse(data, "json")
    raise InputError(
        f"scenario: got {shown(source)}; allowed: a name, a path, a Scenario or a mapping with its fields"
    )


def _joined(chunks: list[Chunk]) -> dict[str, Table]:
    """All chunks' tables, with references that hold for the whole run."""
    offsets = dict.fromkeys(ENDS, 0)
    for chunk in chunks:
        for name, end in ENDS.items():
            rows = getattr(chunk, name)
            rows["patient"] += chunk.first
            chunk.patients[end] += np.uint32(offsets[name])
            offsets[name] += len(rows)
    return {name: np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in TABLES}


def _check_table(name: str) -> None:
    allowed = (*TABLES, *RUN_TABLES)
    if name not in allowed:
        raise InputError(f"table: got {shown(name)}; allowed: {', '.join(allowed)}")


def _need(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError:
        raise NotInstalledError(f"this needs the package {package}: pip install {package}") from None

"""Clinical rules as data: their files, their evaluation on the records of a run, and the counts.

`tests/clinical_rules/README.md` describes the files. An expression is Python on columns (`bench.clinical.columns`): its
names are the attributes and methods of `Records`, the functions of `columns` and the values of `PREDICATES`.
"""

import csv
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import msgspec
import numpy as np

from bench.clinical import columns
from bench.clinical.builtins import pool
from bench.clinical.columns import NEVER, Column
from bench.clinical.predicates import PREDICATES
from bench.clinical.records import DAY, FOLDER, HOUR, MINUTE, CodeSets, Missing, Records
from engine.scenario import Scenario
from engine.tables import Chunk

KINDS = ("codes", "treatments", "vitals", "course")
"""Kinds of rules: each is a file."""
TOLERANCE = 0.001
"""Share of the records a rule applies to that may violate it, where the rule names none; 0 for rules on codes."""
EXAMPLES = 3
"""Patients shown of those who violate a rule."""
TODAY = FOLDER / "today.csv"
_CONSTANTS = {"NEVER": NEVER, "MINUTE": MINUTE, "HOUR": HOUR, "DAY": DAY}
_FUNCTIONS = {
    function.__name__: function
    for function in (
        columns.count,
        columns.first,
        columns.has,
        columns.last,
        columns.meet,
        columns.total,
        columns.value_at_first,
        columns.value_at_last,
    )
}


class RuleError(ValueError):
    """A rule is written wrongly."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule: what it says, why, and the expressions that are evaluated."""

    id: str
    condition: str = msgspec.field(name="if")
    """In words: the records that the rule applies to."""
    then: str
    """In words: what is always or never true of them."""
    reason: str
    source: str
    """Where to look it up: an id of the clinical sources, a guideline by name, or `definition`."""
    applies: str
    """Expression: the patients it applies to."""
    always: str = ""
    """Expression that must be true of them; either this or `never`."""
    never: str = ""
    tolerance: float | None = None
    """Share of violations that is allowed; unset: 0 for codes, else TOLERANCE."""
    kind: str = ""
    """Set from the file."""

    @property
    def allowed(self) -> float:
        """Share of violations that is allowed."""
        if self.tolerance is not None:
            return self.tolerance
        return 0.0 if self.kind == "codes" else TOLERANCE


def load(folder: Path = FOLDER) -> list[Rule]:
    """Return all rules.

    Raises
    ------
    RuleError
        If two rules share an id, or a rule has not exactly one of `always` and `never`.
    """
    rules = []
    for kind in KINDS:
        document = tomllib.loads((folder / f"{kind}.toml").read_text("utf-8"))
        rules += [msgspec.convert(row | {"kind": kind}, Rule) for row in document["rule"]]
    ids = [rule.id for rule in rules]
    for rule in rules:
        if ids.count(rule.id) > 1:
            raise RuleError(f"two rules are called {rule.id}")
        if bool(rule.always) == bool(rule.never):
            raise RuleError(f"{rule.id}: give either `always` or `never`")
    return rules


def planned(folder: Path = FOLDER) -> frozenset[str]:
    """Return what rules may name before the records have it."""
    return frozenset(tomllib.loads((folder / "sets.toml").read_text("utf-8"))["planned"])


class Names(Mapping[str, Any]):
    """The names of an expression, evaluated on first use."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self.known:
            self.known[name] = self._value(name)
        return self.known[name]

    def _value(self, name: str) -> Any:
        if name in _FUNCTIONS:
            return _FUNCTIONS[name]
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name in PREDICATES:
            return PREDICATES[name](self.records)
        if name.startswith("_") or (not hasattr(type(self.records), name) and name not in vars(self.records)):
            raise KeyError(name)
        return getattr(self.records, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)


@cache
def _compiled(expression: str) -> CodeType:
    return compile(expression, "<expression>", "eval")


def evaluated(expression: str, names: Names) -> Column:
    """Return the value of an expression.

    Raises
    ------
    Missing
        If the records do not have what it names (yet).
    """
    value: Column = eval(_compiled(expression), {"__builtins__": {}}, names)
    return value


@dataclass
class Count:
    """What a rule found in the records so far."""

    rule: Rule
    applies: int = 0
    violations: int = 0
    needs: str = ""
    """What the records lack for this rule; then nothing is counted."""
    scenarios: dict[str, int] = field(default_factory=dict)
    """Violations by scenario."""
    examples: list[tuple[str, int]] = field(default_factory=list)
    """Scenario and row of some patients who violate it, of different scenarios as far as possible."""

    @property
    def share(self) -> float:
        """Share of the records it applies to that violate it; not a number if it applies to none."""
        return self.violations / self.applies if self.applies else math.nan

    @property
    def state(self) -> str:
        """`holds`, `not yet`, or `dormant` where it applies to no record."""
        if self.needs or not self.applies:
            return "dormant"
        return "holds" if self.violations <= self.rule.allowed * self.applies else "not yet"


class Checker:
    """Counts the violations of rules in chunks of records."""

    def __init__(self, rules: Iterable[Rule], folder: Path = FOLDER) -> None:
        self.counts = [Count(rule) for rule in rules]
        self._sets = CodeSets(folder / "sets.toml")
        self._planned = planned(folder)

    def add(self, scenario: Scenario, name: str, chunk: Chunk, first: int = 0) -> None:
        """Judge the records of a chunk, the first of which has the row `first`, by all rules."""
        if not len(chunk):
            return
        names = Names(Records(scenario, chunk, self._sets, self._planned))
        for result in self.counts:
            if result.needs:
                continue
            try:
                applies, violated = self._judged(result.rule, names)
            except Missing as error:
                result.needs = str(error)
                continue
            except Exception as error:
                raise RuleError(f"{result.rule.id}: {type(error).__name__}: {error}") from error
            result.applies += int(applies.sum())
            found = np.flatnonzero(violated)
            if len(found):
                result.violations += len(found)
                result.scenarios[name] = result.scenarios.get(name, 0) + len(found)
                if len(result.examples) < EXAMPLES:
                    result.examples.append((name, first + int(found[0])))

    def _judged(self, rule: Rule, names: Names) -> tuple[Any, Any]:
        applies = evaluated(rule.applies, names)
        if rule.always:
            violated = applies & ~evaluated(rule.always, names)
        else:
            violated = applies & evaluated(rule.never, names)
        for column in (applies, violated):
            if not isinstance(column, Column) or column.rows is not column.rows.patients:
                raise RuleError("the expressions must be of patients: use has(...) or count(...)")
        return applies.values.astype(bool), violated.values.astype(bool)

    def run(self, scenario: Scenario, name: str, number: int, seed: int, chunk_size: int = 8192) -> int:
        """Simulate a scenario until there are `number` records, judge them, and return how many there are."""
        judged = 0
        for first, chunk in pool(scenario, number, seed, chunk_size):
            self.add(scenario, name, chunk, first)
            judged += len(chunk)
        return judged


# --- the file of today


class Today(msgspec.Struct, frozen=True):
    """The state of a rule when the file was last written."""

    state: str
    applies: int
    violations: int
    needs: str = ""

    @property
    def share(self) -> float:
        """Share of violations."""
        return self.violations / self.applies if self.applies else 0.0


def today(path: Path = TODAY) -> dict[str, Today]:
    """Return the recorded state of each rule, by id."""
    with path.open(newline="") as file:
        return {
            row["rule"]: Today(row["state"], int(row["applies"]), int(row["violations"]), row["needs"])
            for row in csv.DictReader(file)
        }


def write_today(counts: Iterable[Count], path: Path = TODAY) -> None:
    """Record the state of each rule."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("rule", "state", "applies", "violations", "share", "needs"))
        for each in counts:
            share = "" if math.isnan(each.share) else f"{each.share:.5f}"
            writer.writerow((each.rule.id, each.state, each.applies, each.violations, share, each.needs))


def surely_broken(count: Count) -> bool:
    """Whether there are more violations than a rule that holds has by chance, once in 10,000 samples."""
    if not count.applies:
        return False
    expected = count.rule.allowed * count.applies
    return count.violations > expected + 3.8 * math.sqrt(expected) + (2 if expected else 0)


def surely_mended(count: Count, then: Today) -> bool:
    """Whether a rule that did not hold now does, in records enough to tell."""
    expected = then.share * count.applies
    return count.state == "holds" and expected >= 10 and count.violations < expected / 2

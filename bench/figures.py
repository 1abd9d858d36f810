"""Figures with their requirements, shown as a table and summed up in an exit code."""

import math
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from bench import results_file


class Figure(NamedTuple):
    """A measured value as text, its requirement, and whether it meets it."""

    name: str
    value: str
    wanted: str
    met: bool


def at_most(name: str, value: float, limit: float, unit: str = "") -> Figure:
    """Return a figure that must not exceed `limit`."""
    return Figure(name, f"{value:,.4g} {unit}".strip(), f"<= {limit:g} {unit}".strip(), value <= limit)


def at_least(name: str, value: float, limit: float, unit: str = "") -> Figure:
    """Return a figure that must not be below `limit`."""
    return Figure(name, f"{value:,.4g} {unit}".strip(), f">= {limit:g} {unit}".strip(), value >= limit)


def between(name: str, value: float, low: float, high: float) -> Figure:
    """Return a figure that must be neither below `low` nor above `high`."""
    return Figure(name, f"{value:.4g}", f"{low:g} to {high:g}", low <= value <= high)


def printed(name: str, value: float, unit: str = "") -> Figure:
    """Return a figure that has no requirement."""
    return Figure(name, f"{value:,.4g} {unit}".strip(), "printed", math.isfinite(value))


def exactly(name: str, value: Any, wanted: Any) -> Figure:
    """Return a figure that must equal `wanted`."""
    return Figure(name, str(value), str(wanted), value == wanted)


Section = tuple[str, Callable[[], Iterable[Figure]]]


def _measured(section: Callable[[], Iterable[Figure]]) -> Iterator[Figure]:
    """Yield the figures of a section, and its error as the last one."""
    try:
        yield from section()
    except Exception as error:
        traceback.print_exc()
        text = next(iter(str(error).splitlines()), "")
        yield Figure("the section", f"{type(error).__name__}: {text}", "ends without an error", False)


def run(kind: str, sections: Iterable[Section]) -> int:
    """Measure all sections, print each figure when it is known and all of them at the end; return the exit code.

    A section that ends with an error counts as a failed figure, and the other sections are still measured.
    """
    rows: list[tuple[str, Figure]] = []
    for title, section in sections:
        print(f"{title} ...", flush=True)
        for figure in _measured(section):
            rows.append((title, figure))
            print(f"  {'ok' if figure.met else 'FAILED'}: {figure.name}: {figure.value}", flush=True)
    table = Table(title=f"{kind}; {results_file.machine()['cpu']}", title_justify="left")
    for column in ("section", "figure", "measured", "required", ""):
        table.add_column(column)
    for title, figure in rows:
        table.add_row(title, figure.name, figure.value, figure.wanted, "ok" if figure.met else "FAILED")
    Console(width=None if sys.stdout.isatty() else 150).print(table)
    failed = sum(not figure.met for _, figure in rows)
    figures = [{"section": title, **figure._asdict()} for title, figure in rows]
    path = results_file.append(kind, {"figures": figures, "failed": failed})
    print(
        f"{len(rows) - failed} of {len(rows)} meet their requirement; figures appended to bench/results/{path.name}"
    )
    return 1 if failed else 0

"""What a bench of requirements finds: figures with what is wanted of them, as a table and an exit code."""

import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from bench import results_file


class Figure(NamedTuple):
    """A measured value in words, what is wanted, and whether it is so."""

    name: str
    value: str
    wanted: str
    met: bool


def at_most(name: str, value: float, limit: float, unit: str = "") -> Figure:
    """A figure that must not be above `limit`."""
    return Figure(name, f"{value:,.4g} {unit}".strip(), f"<= {limit:g} {unit}".strip(), value <= limit)


def at_least(name: str, value: float, limit: float, unit: str = "") -> Figure:
    """A figure that must not be below `limit`."""
    return Figure(name, f"{value:,.4g} {unit}".strip(), f">= {limit:g} {unit}".strip(), value >= limit)


def exactly(name: str, value: Any, wanted: Any) -> Figure:
    """A figure that must be this."""
    return Figure(name, str(value), str(wanted), value == wanted)


Section = tuple[str, Callable[[], Iterable[Figure]]]


def run(kind: str, sections: Iterable[Section]) -> int:
    """Measure all sections, print each figure as it comes and all at the end; the exit code."""
    rows: list[tuple[str, Figure]] = []
    for title, section in sections:
        print(f"{title} ...", flush=True)
        for figure in section():
            rows.append((title, figure))
            print(f"  {'ok' if figure.met else 'FAILED'}: {figure.name}: {figure.value}", flush=True)
    table = Table(title=f"{kind}; {results_file.machine()['cpu']}", title_justify="left")
    for column in ("what", "figure", "measured", "wanted", ""):
        table.add_column(column)
    for title, figure in rows:
        table.add_row(title, figure.name, figure.value, figure.wanted, "ok" if figure.met else "FAILED")
    Console(width=None if sys.stdout.isatty() else 150).print(table)
    failed = sum(not figure.met for _, figure in rows)
    figures = [{"section": title, **figure._asdict()} for title, figure in rows]
    path = results_file.append(kind, {"figures": figures, "failed": failed})
    print(f"{len(rows) - failed} of {len(rows)} as wanted; figures appended to bench/results/{path.name}")
    return 1 if failed else 0

"""The empty tables that the views fill, and the console that prints them."""

import sys

from rich import box
from rich.console import Console
from rich.table import Table


def table(*columns: str, right: tuple[str, ...] = (), title: str | None = None) -> Table:
    """An empty table without a frame. The columns named in `right` are aligned to the right."""
    empty = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    empty.show_edge = False
    for column in columns:
        empty.add_column(column, justify="right" if column in right else "left")
    return empty


def console(width: int = 120, highlight: bool = True) -> Console:
    """A console on stdout, as wide as the terminal. Without a terminal it has `width` columns."""
    return Console(width=None if sys.stdout.isatty() else width, highlight=highlight)

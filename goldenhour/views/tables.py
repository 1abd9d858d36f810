"""Tables and the console they are printed on."""

import sys

from rich import box
from rich.console import Console
from rich.table import Table


def table(*columns: str, right: tuple[str, ...] = (), title: str | None = None) -> Table:
    """An empty table without a frame; columns named in `right` are aligned to the right."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    made.show_edge = False
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left")
    return made


def console(width: int = 120) -> Console:
    """A console as wide as the terminal, else of `width` columns."""
    return Console() if sys.stdout.isatty() else Console(width=width)

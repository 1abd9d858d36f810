"""The progress of replications, in one line on stderr."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from goldenhour import console

if TYPE_CHECKING:
    from actors.experiments import ReplicationProgress

LINE_SECONDS = 10.0
"""Time between two lines of progress where stderr is no terminal."""


def replications_words(progress: "ReplicationProgress") -> str:
    """How many replications are done, of how many."""
    done, wanted, cached = progress
    words = f"Simulating: {done:,} of {wanted:,} replications"
    return f"{words}, {cached:,} from the cache" if cached else words


@contextlib.contextmanager
def replications_line(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows what is being done: on a terminal in a line that changes, else every ten seconds.

    Nothing is shown if `quiet`.
    """
    if quiet:
        yield lambda words: None
        return
    screen = console.error_screen()
    shown_at = time.monotonic() - LINE_SECONDS + 1.0
    with screen.status("Simulating ...", spinner=screen.spinner) as status:

        def show(words: str) -> None:
            nonlocal shown_at
            status.update(words)
            if not screen.is_terminal and time.monotonic() - shown_at >= LINE_SECONDS:
                shown_at = time.monotonic()
                console.print_error_line(words)

        yield show

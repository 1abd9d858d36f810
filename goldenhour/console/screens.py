"""Consoles of rich that show any text: cleaned, in the characters of the stream, with no number divided."""

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.segment import Segment
from rich.status import Status
from rich.text import Text

from goldenhour.console.streams import trusted_file
from goldenhour.console.texts import LaidOutText, console_text, wrap

_LEFT = (None, "default", "left")


class Screen(Console):
    """A console on which every text is cleaned before it is laid out. Strings have neither markup nor emoji codes.

    Parameters
    ----------
    stderr
        Print on stderr instead of stdout.
    width
        Columns of the terminal; None: ask the terminal.
    highlight
        Colour numbers and quoted words on a terminal.
    """

    def __init__(self, stderr: bool = False, width: int | None = None, highlight: bool = True) -> None:
        file = trusted_file(sys.stderr if stderr else sys.stdout)
        super().__init__(
            file=file, stderr=stderr, width=width, highlight=highlight, markup=False, emoji=False
        )

    @property
    def spinner(self) -> str:
        """Name of the spinner that the encoding can show."""
        return "dots" if self.encoding.startswith("utf") else "line"

    def print(self, *objects: Any, crop: bool = False, **options: Any) -> None:
        """Print as rich does. Lines that are wider than the screen are not cut."""
        super().print(*objects, crop=crop, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as rich does, after texts have been cleaned and wrapped."""
        chosen = options or self.options
        if isinstance(renderable, str | Text) and not isinstance(renderable, LaidOutText):
            renderable = self._prepare(console_text(self, renderable, chosen.highlight), chosen)
        return super().render(renderable, chosen)

    def _prepare(self, text: Text, options: ConsoleOptions) -> Text:
        is_wrapped = not (text.no_wrap or options.no_wrap) and "ignore" not in (
            text.overflow,
            options.overflow,
        )
        if not is_wrapped or (text.justify or options.justify) not in _LEFT:
            return text
        wrapped = wrap(text, options.max_width)
        wrapped.overflow = "ignore"
        return wrapped


def screen(width: int = 120, highlight: bool = True) -> Screen:
    """A console on stdout, as wide as the terminal. Without a terminal it has `width` columns."""
    return Screen(
        width=None if sys.stdout is not None and sys.stdout.isatty() else width, highlight=highlight
    )


def error_screen() -> Screen:
    """A console on stderr, as wide as the terminal."""
    return Screen(stderr=True)


def status(text: str) -> Status:
    """A spinner with a text on stderr, for use in a `with` statement."""
    shown = error_screen()
    return shown.status(text, spinner=shown.spinner)


def live_display() -> Live | None:
    """A display on stdout whose content is replaced in place; None if stdout is no terminal."""
    return Live(console=Screen()) if sys.stdout is not None and sys.stdout.isatty() else None

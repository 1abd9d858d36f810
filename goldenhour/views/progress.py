"""The progress of a run, on stderr: a live bar on a terminal, plain lines elsewhere, nothing with --quiet."""

import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import RenderableType
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from goldenhour import console
from goldenhour.console import Screen
from goldenhour.views.formatting import format_duration

if TYPE_CHECKING:
    from actors.run import Compiling, Progress
    from engine.run import EntryPoints

LINE_SECONDS = 5.0
"""Without a terminal, the seconds between two lines of the same phase."""

PHASE_LABELS = {
    "starting": "Starting Ray",
    "preparing": "Loading the kernel",
    "resuming": "Resuming the unfinished run: simulating again what is already written",
    "running": "Simulating",
    "recovering": "Recovering",
    "finishing": "Finishing",
    "uploading": "Uploading",
}


def _compiling_label(state: "Compiling") -> str:
    """What is compiled, and how many of how many it is."""
    return f"Compiling for this processor: {state.what}, {state.number} of {state.total}"


def _label(progress: "Progress") -> str:
    """What the run does."""
    if progress.runs_ahead:
        others = "another run" if progress.runs_ahead == 1 else f"{progress.runs_ahead} other runs"
        return f"Waiting for {others} to start Ray"
    if progress.compiling is not None:
        return _compiling_label(progress.compiling)
    return PHASE_LABELS.get(progress.phase, progress.phase)


class Meter:
    """Patients per second and the time left, measured from the first report with patients on file."""

    def __init__(self) -> None:
        self._first: tuple[float, int, float] | None = None
        self._last: Progress | None = None

    def update(self, progress: "Progress") -> None:
        """Note a progress report."""
        self._last = progress
        if self._first is None and progress.patients > 0:
            self._first = time.monotonic(), progress.patients, progress.fraction

    def describe(self) -> str:
        """Text such as `12,288 of 100,000 patients, 84,000/s, 1 s left`, as far as known; empty before any patient."""
        return ", ".join(self.parts())

    def parts(self) -> list[str]:
        """The parts of that text, the most important first."""
        if self._last is None or self._first is None:
            return []
        now = self._last
        first_time, first_patients, first_fraction = self._first
        total = f" of {now.expected:,}" if now.expected is not None else ""
        parts = [f"{now.patients:,}{total} patients"]
        elapsed = time.monotonic() - first_time
        if elapsed > 0.5 and now.patients > first_patients:
            parts.append(f"{(now.patients - first_patients) / elapsed:,.0f}/s")
            if first_fraction < now.fraction < 1.0:
                left = elapsed * (1.0 - now.fraction) / (now.fraction - first_fraction)
                parts.append(f"{format_duration(left)} left")
        return parts


class ProgressView:
    """The base of the views of a run's progress. It shows warnings and nothing else."""

    def __enter__(self) -> Self:
        """Start the view."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the view and leave the screen clean."""

    def report(self, progress: "Progress") -> None:
        """Show a progress report."""

    def warn(self, message: str) -> None:
        """Show a warning, with --quiet too. May be called from another thread."""
        console.print_error_line(message)


class ProgressLines(ProgressView):
    """Plain lines, for log files and pipes: one for each phase, and one every `LINE_SECONDS` within a phase."""

    def __init__(self) -> None:
        self._meter = Meter()
        self._label = ""
        self._since = time.monotonic()
        self._end = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="goldenhour-progress", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread that prints a line every `LINE_SECONDS`."""
        self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop that thread."""
        self._end.set()
        self._ticker.join()

    def report(self, progress: "Progress") -> None:
        """Print a line if a phase begins or the run moves up in the queue, and the note of the report."""
        self._meter.update(progress)
        label = _label(progress)
        if label != self._label:
            self._label, self._since = label, time.monotonic()
            console.print_error_line(f"{label} ...")
        if progress.note:
            console.print_error_line(progress.note)

    def _tick(self) -> None:
        while not self._end.wait(LINE_SECONDS):
            if self._label:
                elapsed = format_duration(time.monotonic() - self._since)
                console.print_error_line(self._meter.describe() or f"  {elapsed}")


BAR_COLUMNS = 20


class _MeterColumn(ProgressColumn):
    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter
        self.columns = 0

    def text(self, task: Task) -> str:
        """Patients, rate and time left; before the first patient, the time since the start."""
        return self._meter.describe() or format_duration(task.elapsed or 0.0)

    def render(self, task: Task) -> Text:
        """That text, as far as it fits without dividing a number."""
        text = self.text(task)
        parts = self._meter.parts()
        while parts and len(text) > self.columns:
            parts.pop()
            text = ", ".join(parts)
        return Text(text)


class _FittingProgress(RichProgress):
    """A line with a spinner, the phase, a bar and the meter, and less than that on a narrow terminal."""

    def __init__(self, screen: Screen, meter: Meter) -> None:
        spinner = SpinnerColumn(screen.spinner)
        phase = TextColumn("{task.description}", markup=False)
        word = TextColumn("{task.fields[word]}", markup=False)
        bar = BarColumn(bar_width=BAR_COLUMNS)
        self._meter_column = _MeterColumn(meter)
        self._choices = [
            (spinner, phase, bar, self._meter_column),
            (spinner, phase, self._meter_column),
            (spinner, word, self._meter_column),
            (spinner, self._meter_column),
        ]
        super().__init__(*self._choices[0], console=screen, transient=True)

    def get_renderables(self) -> Iterable[RenderableType]:
        """The line of each task, with the columns that fit."""
        for task in self.tasks:
            room = self.console.width - 2
            meter = len(self._meter_column.text(task))
            phase, word = (len(text) + 1 + meter for text in (task.description, task.fields["word"]))
            fits = [phase + BAR_COLUMNS + 1 <= room, phase <= room, word <= room, True]
            self.columns = self._choices[fits.index(True)]
            self._meter_column.columns = room
        yield self.make_tasks_table(self.tasks)


class ProgressBar(ProgressView):
    """A live bar for a terminal. Its spinner turns ten times a second even without reports."""

    def __init__(self, screen: Screen) -> None:
        self._meter = Meter()
        self._progress = _FittingProgress(screen, self._meter)
        self._task = self._progress.add_task("Starting", total=None, word="Starting")

    def __enter__(self) -> Self:
        """Start drawing."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar from the screen."""
        self._progress.stop()

    def report(self, progress: "Progress") -> None:
        """Move the bar, and print the note of the report above it."""
        self._meter.update(progress)
        phase = _label(progress)
        self._progress.update(
            self._task,
            description=phase,
            word=phase.split()[0].rstrip(":"),
            completed=progress.fraction,
            total=1.0 if progress.patients else None,
        )
        if progress.note:
            self.warn(progress.note)

    def warn(self, message: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(message, highlight=False)


def progress_view(quiet: bool) -> ProgressView:
    """The view that suits stderr: a bar on a terminal, else lines; if `quiet`, warnings only."""
    if quiet:
        return ProgressView()
    screen = console.error_screen()
    return ProgressBar(screen) if screen.is_terminal and not screen.is_dumb_terminal else ProgressLines()


def compile_first(wanted: "Iterable[EntryPoints]") -> None:
    """Compile the entry points that are not in the cache, with a line on stderr for each of them."""
    from actors.run import compile_before

    shown = ""

    def show(state: "Compiling") -> None:
        nonlocal shown
        label = _compiling_label(state)
        if label != shown:
            shown = label
            console.print_error_line(f"{label} ...")

    compile_before(wanted, show)

"""The progress of a run, on stderr: a live bar on a terminal, plain lines elsewhere, nothing with --quiet."""

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import Progress as RichProgress
from rich.status import Status
from rich.text import Text

from goldenhour.views.formatting import format_duration

if TYPE_CHECKING:
    from actors.run import Progress

LINE_SECONDS = 5.0
"""Without a terminal, the seconds between two lines of the same phase."""

PHASE_LABELS = {
    "starting": "Starting Ray",
    "preparing": "Preparing the kernel (its first use on a machine compiles it)",
    "resuming": "Resuming the unfinished run: simulating again what is already written",
    "running": "Simulating",
    "recovering": "Recovering",
    "finishing": "Finishing",
    "uploading": "Uploading",
}


def _label(progress: "Progress") -> str:
    """What the run does."""
    if progress.runs_ahead:
        others = "another run" if progress.runs_ahead == 1 else f"{progress.runs_ahead} other runs"
        return f"Waiting for {others} to start Ray"
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
        if self._last is None or self._first is None:
            return ""
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
        return ", ".join(parts)


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
        _print_line(message)


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
            _print_line(f"{label} ...")
        if progress.note:
            _print_line(progress.note)

    def _tick(self) -> None:
        while not self._end.wait(LINE_SECONDS):
            if self._label:
                _print_line(self._meter.describe() or f"  {format_duration(time.monotonic() - self._since)}")


class _MeterColumn(ProgressColumn):
    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def render(self, task: Task) -> Text:
        """Patients, rate and time left; before the first patient, the time since the start."""
        return Text(self._meter.describe() or format_duration(task.elapsed or 0.0))


class ProgressBar(ProgressView):
    """A live bar for a terminal. Its spinner turns ten times a second even without reports."""

    def __init__(self, console: Console) -> None:
        self._meter = Meter()
        self._progress = RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            _MeterColumn(self._meter),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("Starting", total=None)

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
        self._progress.update(
            self._task,
            description=_label(progress),
            completed=progress.fraction,
            total=1.0 if progress.patients else None,
        )
        if progress.note:
            self.warn(progress.note)

    def warn(self, message: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(message, highlight=False, markup=False)


def progress_view(quiet: bool) -> ProgressView:
    """The view that suits stderr: a bar on a terminal, else lines; if `quiet`, warnings only."""
    if quiet:
        return ProgressView()
    console = Console(stderr=True)
    return ProgressBar(console) if console.is_terminal and not console.is_dumb_terminal else ProgressLines()


def _print_line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def status(text: str) -> Status:
    """A spinner with a text on stderr, for use in a `with` statement."""
    return Console(stderr=True).status(text)


def warn_if_kernel_is_cold() -> None:
    """Print a line if the kernel has to be compiled first, which takes a minute."""
    from engine.numeric import is_cold

    if is_cold():
        _print_line(f"{PHASE_LABELS['preparing']} ...")

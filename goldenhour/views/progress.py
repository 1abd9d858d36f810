"""What is going on, on stderr: a live bar on a terminal, plain lines elsewhere, nothing when asked for quiet."""

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

if TYPE_CHECKING:
    from actors.run import Progress

LINE_SECONDS = 5.0
"""Without a terminal, one line while a phase goes on, at this interval."""

PHASES = {
    "starting": "Starting Ray",
    "preparing": "Preparing the kernel (compiled at its first use on a machine)",
    "resuming": "Going on with the unfinished run: simulating what is already written",
    "running": "Simulating",
    "recovering": "Recovering",
    "finishing": "Finishing",
    "uploading": "Uploading",
}


def duration(seconds: float) -> str:
    """`seconds` as people say it: 8 s, 2 min 05 s, 1 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


class Meter:
    """Patients per second and the time left, reckoned from the first patients on file."""

    def __init__(self) -> None:
        self._begun: tuple[float, int, float] | None = None
        self._latest: Progress | None = None

    def update(self, progress: "Progress") -> None:
        """Take in a report."""
        self._latest = progress
        if self._begun is None and progress.patients > 0:
            self._begun = time.monotonic(), progress.patients, progress.fraction

    def describe(self) -> str:
        """`12,288 of 100,000 patients, 84,000/s, 1 s left`, as far as known; empty before the first patient."""
        if self._latest is None or self._begun is None:
            return ""
        now, then = self._latest, self._begun
        of = f" of {now.expected:,}" if now.expected is not None else ""
        parts = [f"{now.patients:,}{of} patients"]
        elapsed = time.monotonic() - then[0]
        if elapsed > 0.5 and now.patients > then[1]:
            parts.append(f"{(now.patients - then[1]) / elapsed:,.0f}/s")
            if then[2] < now.fraction < 1.0:
                left = elapsed * (1.0 - now.fraction) / (now.fraction - then[2])
                parts.append(f"{duration(left)} left")
        return ", ".join(parts)


class Display:
    """What a run tells its user while it works; this one says nothing."""

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the screen clean."""

    def report(self, progress: "Progress") -> None:
        """Show how far the run is."""

    def say(self, words: str) -> None:
        """A warning, shown in any case; may come from another thread."""
        _print_line(words)


class Lines(Display):
    """Plain lines, for log files and pipes: one for each phase, and one every `LINE_SECONDS` while it goes on."""

    def __init__(self) -> None:
        self._meter = Meter()
        self._phase = ""
        self._since = time.monotonic()
        self._end = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="goldenhour-progress", daemon=True)

    def __enter__(self) -> Self:
        """Begin to watch the clock."""
        self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching it."""
        self._end.set()
        self._ticker.join()

    def report(self, progress: "Progress") -> None:
        """A line when a phase begins."""
        self._meter.update(progress)
        if progress.phase != self._phase:
            self._phase, self._since = progress.phase, time.monotonic()
            _print_line(f"{PHASES.get(progress.phase, progress.phase)} ...")
        if progress.note:
            _print_line(progress.note)

    def _tick(self) -> None:
        while not self._end.wait(LINE_SECONDS):
            if self._phase:
                _print_line(self._meter.describe() or f"  {duration(time.monotonic() - self._since)}")


class _MeterColumn(ProgressColumn):
    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def render(self, task: Task) -> Text:
        """Patients, rate and time left once there are patients; the time since the start before that."""
        return Text(self._meter.describe() or duration(task.elapsed or 0.0))


class Bar(Display):
    """A live bar, its spinner turning ten times a second even while nothing is reported."""

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
        """Begin to draw."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar off the screen."""
        self._progress.stop()

    def report(self, progress: "Progress") -> None:
        """Move the bar."""
        self._meter.update(progress)
        self._progress.update(
            self._task,
            description=PHASES.get(progress.phase, progress.phase),
            completed=progress.fraction,
            total=1.0 if progress.patients else None,
        )
        if progress.note:
            self.say(progress.note)

    def say(self, words: str) -> None:
        """A line above the bar."""
        self._progress.console.print(words, highlight=False, markup=False)


def display(quiet: bool) -> Display:
    """The display that suits where stderr goes."""
    if quiet:
        return Display()
    console = Console(stderr=True)
    return Bar(console) if console.is_terminal and not console.is_dumb_terminal else Lines()


def _print_line(words: str) -> None:
    print(words, file=sys.stderr, flush=True)

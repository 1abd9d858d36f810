"""Values as text: numbers, durations and times."""

import math
from datetime import datetime


def format_duration(seconds: float) -> str:
    """A duration as people say it: `8 s`, `2 min 05 s`, `1 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def format_seconds(seconds: float) -> str:
    """A measured time: `0.05 s`, `7.3 s`."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2f} s"


def format_time(time: datetime | None) -> str:
    """A time in this machine's zone; `-` for None."""
    return "-" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def format_number(value: float) -> str:
    """A number with one decimal if it is small and not whole, else without decimals."""
    return f"{value:,.0f}" if value >= 100 or value == round(value) else f"{value:,.1f}"


def plural(count: int, word: str) -> str:
    """A count and its noun: `1 facility`, `2 facilities`."""
    many = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{count:,} {word if count == 1 else many}"


def plain_number(value: float) -> float | None:
    """The value, or None where JSON has no number for it."""
    return value if math.isfinite(value) else None

"""What a planner reads at a glance after a run: casualties, outcomes, mortality, times, and the files written."""

import sys
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from actors.pipeline import RunResult
    from engine.scenario import Scenario

STREAMS = {"battle": "battle", "nbi": "non-battle injury", "disease": "disease"}
OUTCOMES = {
    "kia": "KIA",
    "dow": "DOW",
    "died_nonbattle": "other deaths",
    "rtd": "RTD",
    "evacuated": "evacuated",
    "discharged": "discharged",
    "in_care": "in care",
}
ALWAYS_SHOWN = ("kia", "dow", "died_nonbattle", "rtd", "evacuated", "in_care")
TIMES = {"first_care": "first care", "role1": "Role 1", "role2": "Role 2", "surgery": "surgery"}
RATES = {
    "percent_kia": ("%KIA", "KIA / (battle casualties - RTD within 72 h)"),
    "percent_dow": ("%DOW", "DOW / (battle casualties reaching an MTF - RTD within 72 h)"),
    "case_fatality_rate": ("CFR", "(KIA + DOW) / battle casualties"),
}


def show(scenario: "Scenario", seed: int, replication: int, result: "RunResult") -> None:
    """Print the summary on stdout."""
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    days = "1 day" if scenario.days == 1 else f"{scenario.days} days"
    console.print(
        f"[bold]{_patients(result.patients)}[/] of {escape(scenario.name)} in {days}, "
        f"seed {seed}, replication {replication}",
        emoji=False,
    )
    for table in (casualties_table, mortality_table, times_table):
        console.print()
        console.print(table(result.measures))
    console.print()
    console.print(_files(result), markup=False, emoji=False, soft_wrap=True)


def casualties_table(measures: dict[str, Any]) -> Table:
    """Rows: category; columns: patients, true triage, outcomes (those nobody had are left out)."""
    outcomes = [name for name in OUTCOMES if name in ALWAYS_SHOWN or measures["outcomes"].get(name)]
    table = _table("casualties", "all", "T1", "T2", "T3", *(OUTCOMES[name] for name in outcomes))
    for stream, words in STREAMS.items():
        row = measures["categories"][stream]
        table.add_row(words, *_counts(row["patients"], row["triage"], row["outcomes"], outcomes))
    total = _counts(measures["patients"], measures["triage"], measures["outcomes"], outcomes)
    table.add_row("all", *total, style="bold")
    return table


def mortality_table(measures: dict[str, Any]) -> Table:
    """%KIA, %DOW and CFR with their denominators."""
    table = _table("mortality", "%", "of", "")
    table.columns[3].justify = "left"
    for key, (name, meaning) in RATES.items():
        value = measures["mortality"][key]
        shown = "-" if value is None else f"{value:.1f}"
        table.add_row(name, shown, f"{measures['mortality'][f'{key}_of']:,}", meaning)
    return table


def times_table(measures: dict[str, Any]) -> Table:
    """Median minutes from injury, and how many got there."""
    table = _table("from injury to", "median min", "patients", "in time")
    for key, name in TIMES.items():
        time = measures["minutes_from_injury"][key]
        median = "-" if time["median"] is None else f"{time['median']:,.0f}"
        standard = next((found for found in time if found.startswith("percent_within_")), None)
        in_time = ""
        if standard is not None and time[standard] is not None:
            in_time = f"{time[standard]:.0f} % within {standard.rsplit('_', 1)[1]} min"
        table.add_row(name, median, f"{time['patients']:,}", in_time)
    return table


def _counts(patients: int, triage: dict[str, int], outcomes: dict[str, int], names: list[str]) -> list[str]:
    values = [
        patients,
        *(triage[category] for category in ("T1", "T2", "T3")),
        *(outcomes[name] for name in names),
    ]
    return [f"{value:,}" for value in values]


def _files(result: "RunResult") -> str:
    others = [path.name for path in result.files if path.name not in {part.path for part in result.parts}]
    parts = sorted(part.path for part in result.parts)
    shown = ", ".join(parts) if len(parts) <= 4 else f"{parts[0]} ... {parts[-1]} ({len(parts)} parts)"
    return (
        f"{_bytes(result.bytes)} in {result.output}: {shown}, {', '.join(sorted(others))}\n"
        f"{result.seconds:.1f} s, {result.patients_per_second:,.0f} patients/s, "
        f"at most {result.peak_pss_mb:.0f} MB of memory"
    )


def _patients(count: int) -> str:
    return "1 patient" if count == 1 else f"{count:,} patients"


def _bytes(count: int) -> str:
    value = float(count)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} GB"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.show_edge = False
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table

"""What a planner reads at a glance after a run: casualties, outcomes, mortality, times, and the files written."""

import sys
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine.records import RUN_TABLES

if TYPE_CHECKING:
    from actors.run import RunResult
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

RESOURCES = {
    "triage_teams": "triage teams",
    "treatment_bays": "treatment bays",
    "operating_tables": "operating tables",
    "icu_beds": "ICU beds",
    "ward_beds": "ward beds",
    "places": "places",
}
BUSIEST = 8
"""Resources, and pools of vehicles, that are shown."""


def show_summary(scenario: "Scenario", seed: int, replication: int, result: "RunResult") -> None:
    """Print the summary on stdout."""
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    days = "1 day" if scenario.days == 1 else f"{scenario.days} days"
    console.print(
        f"[bold]{_patients(result.patients)}[/] of {escape(scenario.name)} in {days}, "
        f"seed {seed}, replication {replication}",
        emoji=False,
    )
    for table in summary_tables(result.measures):
        console.print()
        console.print(table)
    console.print()
    console.print(_files(result), markup=False, emoji=False, soft_wrap=True)


def summary_tables(measures: dict[str, Any]) -> list[Table]:
    """All tables of the summary; those of resources and vehicles where any is finite."""
    shown = [casualties_table(measures), mortality_table(measures), times_table(measures)]
    if measures["flow"]["resources"]:
        shown.append(resources_table(measures))
    if measures["flow"]["vehicles"]:
        shown.append(vehicles_table(measures))
    return shown


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


def resources_table(measures: dict[str, Any]) -> Table:
    """The busiest resources: utilisation, waits and queues."""
    rows = _busiest(measures["flow"]["resources"])
    table = _table(
        "busiest resources", "", "capacity", "in use %", "mean wait min", "T1", "most waiting", "died"
    )
    table.columns[1].justify = "left"
    for row in rows:
        table.add_row(
            escape(row["facility"]),
            RESOURCES[row["resource"]],
            f"{row['capacity']:,.4g}",
            _percent(row["utilisation"]),
            _number(row["mean_wait_minutes"]),
            _number(row["mean_wait_minutes_T1"]),
            f"{row['max_queue']:,}",
            f"{row['deaths_waiting']:,}",
        )
    return table


def vehicles_table(measures: dict[str, Any]) -> Table:
    """The busiest pools of vehicles."""
    table = _table("vehicles", "number", "in use %", "sorties", "patients", "lost")
    for row in _busiest(measures["flow"]["vehicles"]):
        table.add_row(
            escape(row["vehicle"]),
            f"{row['number']:,}",
            _percent(row["utilisation"]),
            f"{row['sorties']:,}",
            f"{row['patients']:,}",
            f"{row['lost']:,}",
        )
    return table


def _busiest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the highest utilisation, of equals those with the longest wait."""
    return sorted(
        rows, key=lambda row: (-(row["utilisation"] or 0.0), -(row.get("mean_wait_minutes") or 0.0))
    )[:BUSIEST]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _counts(patients: int, triage: dict[str, int], outcomes: dict[str, int], names: list[str]) -> list[str]:
    values = [
        patients,
        *(triage[category] for category in ("T1", "T2", "T3")),
        *(outcomes[name] for name in names),
    ]
    return [f"{value:,}" for value in values]


def _files(result: "RunResult") -> str:
    others = [path.name for path in result.files if path.name not in {part.path for part in result.parts}]
    parts = sorted(part.path for part in result.parts if part.table not in RUN_TABLES)
    shown = ", ".join(parts) if len(parts) <= 4 else f"{parts[0]} ... {parts[-1]} ({len(parts)} parts)"
    shown = ", ".join([shown, *(part.path for part in result.parts if part.table in RUN_TABLES)])
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

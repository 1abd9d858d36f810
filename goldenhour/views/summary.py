"""The summary of a run on the screen: casualties, mortality, times, resources, vehicles, and the files written."""

from typing import TYPE_CHECKING, Any

from rich.text import Text

from engine.codes import RESOURCES
from engine.records import RUN_TABLES
from goldenhour.console import Table, screen
from goldenhour.labels import OUTCOME_LABELS, STREAM_LABELS
from goldenhour.views.formatting import format_seconds

if TYPE_CHECKING:
    from actors.run import RunResult
    from engine.scenario import Scenario
    from goldenhour.chance import Chance

ALWAYS_SHOWN = ("kia", "dow", "died_nonbattle", "rtd", "evacuated", "in_care")
"""Outcomes with a column even if no patient had them."""
TIME_LABELS = {"first_care": "first care", "role1": "Role 1", "role2": "Role 2", "surgery": "surgery"}
RATE_LABELS = {
    "percent_kia": ("%KIA", "KIA / (battle casualties - RTD within 72 h)"),
    "percent_dow": ("%DOW", "DOW / (battle casualties reaching an MTF - RTD within 72 h)"),
    "case_fatality_rate": ("CFR", "(KIA + DOW) / battle casualties"),
}

STAGE_LABELS = {
    "point_of_injury": "point of injury",
    "vehicle": "waiting to leave",
    "travel": "travel",
    "triage": "place and triage",
    "preparation": "preparation",
    "bay": "waiting for a bay",
    "treatment": "treatment",
    "team": "waiting for a team",
    "table": "waiting for a table",
    "blocked": "waiting for a bed",
    "other": "other stays",
    "to_surgery": "injury to surgery",
}
ENDS_WITH_LABELS = {
    "last_use": "when the last limited resource or vehicle is free again",
    "horizon": "at the horizon",
}
PERIOD_LABELS = {"casualty_period": "casualty period", "peak_24_hours": "peak 24 h"}

RESOURCE_LABELS = {info.field: info.label for info in RESOURCES}

MAX_ROWS = 8
"""The tables of resources and of vehicles show at most this many rows."""
MAX_QUEUES = 4
"""Resources in the table of queues."""
MAX_DAYS = 10
"""Days with a row of their own in the table of days."""
FULL_PLACES = 0.8
"""Utilisation of a facility's places in the peak 24 hours from which on it is mentioned as often full."""
BUSY_VEHICLES = 0.5
"""Utilisation of the busiest pool in the peak 24 hours from which on a wait for vehicles may be a lack of them."""


def show_summary(
    scenario: "Scenario",
    seed: int,
    replication: int,
    result: "RunResult",
    chance: "Chance | None",
    command_seconds: float,
) -> None:
    """Print the summary of a run on stdout.

    Parameters
    ----------
    chance
        What other replications have; None: nothing is said of it.
    command_seconds
        How long the user has waited.
    """
    out = screen(110, highlight=False)
    days = "1 day" if scenario.days == 1 else f"{scenario.days} days"
    patients = Text(_patients(result.patients), style="bold")
    out.print(
        Text.assemble(patients, f" of {scenario.name} in {days}, seed {seed}, replication {replication}")
    )
    if chance is not None:
        out.print(chance.sentence)
    for each in summary_tables(result.measures):
        out.print()
        out.print(each)
    out.print()
    for line in (_files(result), _times(result, command_seconds)):
        out.print(line, soft_wrap=True)


def summary_tables(measures: dict[str, Any]) -> list[Table | Text]:
    """The tables of the summary, with a sentence on what delays surgery.

    Those of queues, resources and vehicles are left out if none is limited.

    Parameters
    ----------
    measures
        The content of summary.json.
    """
    shown: list[Table | Text] = [casualties_table(measures), mortality_table(measures), times_table(measures)]
    # runs of earlier versions in the database have neither
    if measures.get("time_to_surgery", {}).get("patients"):
        shown += [delays_table(measures), Text(measures["time_to_surgery"]["sentence"])]
        shown += [Text(note) for note in (_idle_vehicles_note(measures),) if note]
    if measures.get("in_time", {}).get("alive_at_first"):
        shown.append(groups_table(measures))
    if any(measures.get("by_day", {}).get("operations", ())):
        shown.append(days_table(measures))
    if measures["flow"].get("periods"):
        shown.append(periods_table(measures))
    if measures["flow"].get("periods") and "ends_at" in measures["flow"]:
        shown.append(Text(_end_of_run(measures)))
    if measures["flow"]["resources"]:
        shown.append(resources_table(measures))
    if measures["flow"]["vehicles"]:
        shown.append(vehicles_table(measures))
    if "mortuary_affairs" in measures:
        shown.append(Text(_recovery_note(measures)))
    return shown


def casualties_table(measures: dict[str, Any]) -> Table:
    """Patients by stream: in all, by true triage category, and by outcome. Rare outcomes only if they occur."""
    outcomes = [name for name in OUTCOME_LABELS if name in ALWAYS_SHOWN or measures["outcomes"].get(name)]
    result = _table("casualties", "all", *measures["triage"], *(OUTCOME_LABELS[name] for name in outcomes))
    for stream, words in STREAM_LABELS.items():
        row = measures["categories"][stream]
        result.add_row(words, *_counts(row["patients"], row["triage"], row["outcomes"], outcomes))
    total = _counts(measures["patients"], measures["triage"], measures["outcomes"], outcomes)
    result.add_row("all", *total, style="bold")
    return result


def mortality_table(measures: dict[str, Any]) -> Table:
    """%KIA, %DOW and case fatality rate (CFR), each with its denominator."""
    result = Table("mortality", "%", "of", "", right=("%", "of"))
    for key, (name, meaning) in RATE_LABELS.items():
        value = measures["mortality"][key]
        shown = "-" if value is None else f"{value:.1f}"
        result.add_row(name, shown, f"{measures['mortality'][f'{key}_of']:,}", meaning)
    if "wia" in measures["mortality"]:  # runs of earlier versions in the database have none
        share, wounded = measures["mortality"]["percent_dow_of_wia"], measures["mortality"]["wia"]
        result.add_row(
            "DOW/WIA",
            "-" if share is None else f"{share:.1f}",
            f"{wounded:,}",
            "DOW / (battle casualties - KIA)",
        )
    return result


def times_table(measures: dict[str, Any]) -> Table:
    """Median minutes from injury to the first care of each kind, and the number of patients who received it."""
    result = _table("from injury to", "median min", "patients", "of these in time")
    for key, name in TIME_LABELS.items():
        time = measures["minutes_from_injury"][key]
        median = "-" if time["median"] is None else f"{time['median']:,.0f}"
        standard = next((found for found in time if found.startswith("percent_within_")), None)
        in_time = ""
        if standard is not None and time[standard] is not None:
            in_time = f"{time[standard]:.0f} % within {standard.rsplit('_', 1)[1]} min"
        result.add_row(name, median, f"{time['patients']:,}", in_time)
    return result


def delays_table(measures: dict[str, Any]) -> Table:
    """Minutes from injury to the first operation by stage, the longest mean first; stages of no length are left out."""
    found = measures["time_to_surgery"]
    stages = {name: row for name, row in found["minutes"].items() if row["mean"]}
    whole = stages.pop("to_surgery", found["minutes"]["to_surgery"])
    right = ("mean min", "median", "90 % within", "%")
    result = Table("time to surgery", *right, right=right)
    for name, row in sorted(stages.items(), key=lambda item: -item[1]["mean"]):
        result.add_row(STAGE_LABELS[name], *_minutes(row), f"{100 * row['mean'] / whole['mean']:.0f}")
    result.add_row(STAGE_LABELS["to_surgery"], *_minutes(whole), "100", style="bold")
    return result


def _idle_vehicles_note(measures: dict[str, Any]) -> str:
    """What to look for where casualties wait longest for vehicles that are idle; empty if they do not."""
    ranking = measures["time_to_surgery"]["ranking"]
    pools = measures["flow"].get("periods", {}).get("peak_24_hours", {}).get("vehicles", [])
    busiest = max((pool["utilisation"] or 0.0 for pool in pools), default=1.0)
    if not ranking or ranking[0]["stage"] != "vehicle" or busiest >= BUSY_VEHICLES:
        return ""
    full = [
        row["facility"]
        for row in measures["flow"]["periods"]["peak_24_hours"]["resources"]
        if row["resource"] == "places" and (row["utilisation"] or 0.0) >= FULL_PLACES
    ]
    note = (
        f"No vehicles were in use for more than {100 * busiest:.0f} % of the peak 24 h: more of them may not help. "
        "Casualties also wait for a vehicle while their destinations are full or closed, or while it may not leave."
    )
    return f"{note} Often full in these hours: {', '.join(full)}." if full else note


def groups_table(measures: dict[str, Any]) -> Table:
    """Surgery by true triage category and, of several, by front: operated on, minutes, and in time of all patients.

    The share in time is one of all who were not killed instantly: those who were never operated on count as late.
    """
    in_time, operated = measures["in_time"], measures["time_to_surgery"]
    share = next(name for name in in_time if name.startswith("surgery_percent_within_"))
    right = ("operated on", "median min", "alive at first", "% of these in time")
    result = Table("surgery", *right, "longest stage", right=right)
    fronts = list(in_time["by_front"]) if len(in_time["by_front"]) > 1 else []
    rows = [
        (name, in_time["by_triage"][name], operated["by_triage"].get(name)) for name in in_time["by_triage"]
    ]
    rows += [(name, in_time["by_front"][name], operated["by_front"][name]) for name in fronts]
    for name, alive, group in (*rows, ("all", in_time, operated)):
        count = group["patients"] if group else 0
        longest = ""
        median = "-"
        if count:
            median = f"{group['minutes']['to_surgery']['median']:,.0f}"
            stages = {stage: row["mean"] for stage, row in group["minutes"].items() if stage != "to_surgery"}
            longest = STAGE_LABELS[max(stages, key=lambda stage: stages[stage])]
        result.add_row(
            name,
            f"{count:,}",
            median,
            f"{alive['alive_at_first']:,}",
            "-" if alive[share] is None else f"{alive[share]:.0f}",
            longest,
            style="bold" if name == "all" and alive is in_time else None,
        )
    limit = share.rsplit("_", 1)[1]
    result.caption = f"in time: operated on within {limit} min; of all who were not killed at once"
    return result


def days_table(measures: dict[str, Any]) -> Table:
    """Operations, blood, evacuations to Role 4, and returns to duty by day; days after MAX_DAYS in one row."""
    by_day = measures["by_day"]
    back = by_day["returned_to_duty"].values()
    blood = measures["consumption"]["blood"]
    columns: list[list[float]] = [
        by_day["operations"],
        blood["by_day"],
        by_day["role4_arrivals"],
        [sum(day) for day in zip(*back, strict=True)],
    ]
    heads = ("operations", "units of blood", "arrived at Role 4", "returned to duty")
    result = _table("by day", *heads)
    days = max(len(column) for column in columns)
    for day in range(min(days, MAX_DAYS)):
        result.add_row(f"day {day + 1}", *(f"{sum(column[day : day + 1]):,.0f}" for column in columns))
    if days > MAX_DAYS:
        later = (sum(column[MAX_DAYS:]) for column in columns)
        result.add_row(f"days {MAX_DAYS + 1} to {days:,}", *(f"{each:,.0f}" for each in later))
    return result


def _end_of_run(measures: dict[str, Any]) -> str:
    """Say when and with what the whole run ends, and when the last patient has an outcome."""
    flow, last = measures["flow"], measures["last_outcome"]["at"]
    outcome = "" if last is None else f"; the last patient has an outcome at {last}"
    return (
        f"The whole run ends at {flow['ends_at']} (after {flow['days']:,.1f} days), "
        f"{ENDS_WITH_LABELS[flow['ends_with']]}{outcome}."
    )


def periods_table(measures: dict[str, Any]) -> Table:
    """The resources with the longest queues: in the casualty period, in the peak 24 hours and in the whole run."""
    flow = measures["flow"]
    lists = [*(flow["periods"][name]["resources"] for name in PERIOD_LABELS), flow["resources"]]
    labels = (*PERIOD_LABELS.values(), "whole run")
    right = ("in use %", "mean wait min", "mean queue", "longest queue")
    result = Table("queues", "", "period", *right, right=right, keys=3)
    rows = sorted(zip(*lists, strict=True), key=lambda row: -row[0]["mean_queue"])
    for row in rows[:MAX_QUEUES]:
        for label, each in zip(labels, row, strict=True):
            result.add_row(
                each["facility"] if label == labels[0] else "",
                RESOURCE_LABELS[each["resource"]] if label == labels[0] else "",
                label,
                _percent(each["utilisation"]),
                _number(each["mean_wait_minutes"]),
                f"{each['mean_queue']:,.2f}",
                f"{each['max_queue']:,}",
            )
    return result


def _minutes(row: dict[str, Any]) -> list[str]:
    return [f"{row[key]:,.0f}" for key in ("mean", "median", "p90")]


def resources_table(measures: dict[str, Any]) -> Table:
    """Capacity, utilisation, waits and queues of the busiest resources."""
    rows = _busiest(measures["flow"]["resources"])
    right = ("capacity", "in use %", "mean wait min", "T1", "most waiting", "died")
    result = Table("busiest resources", "", *right, right=right, keys=2)
    for row in rows:
        result.add_row(
            row["facility"],
            RESOURCE_LABELS[row["resource"]],
            f"{row['capacity']:,.4g}",
            _percent(row["utilisation"]),
            _number(row["mean_wait_minutes"]),
            _number(row["mean_wait_minutes_T1"]),
            f"{row['max_queue']:,}",
            f"{row['deaths_waiting']:,}",
        )
    return result


def vehicles_table(measures: dict[str, Any]) -> Table:
    """Utilisation, sorties, patients and losses of the busiest vehicle pools."""
    result = _table("vehicles", "number", "in use %", "sorties", "patients", "lost")
    for row in _busiest(measures["flow"]["vehicles"]):
        result.add_row(
            row["vehicle"],
            f"{row['number']:,}",
            _percent(row["utilisation"]),
            f"{row['sorties']:,}",
            f"{row['patients']:,}",
            f"{row['lost']:,}",
        )
    return result


def _recovery_note(measures: dict[str, Any]) -> str:
    """A sentence on the recovery of the dead."""
    found = measures["mortuary_affairs"]
    flow = measures["flow"].get("mortuary_affairs", {"places": [], "vehicles": []})
    hours = sum(row["minutes"] for row in flow["vehicles"]) / 60.0
    waiting = sum(row["waiting_at_end"] for row in flow["places"])
    most = max((row["max_waiting"] for row in flow["places"]), default=0)
    text = f"The dead: {found['recovered']:,} of {found['dead']:,} recovered"
    if found["median_minutes"] is not None:
        text += f", median {found['median_minutes']:,.0f} minutes after death"
    return f"{text}; at most {most:,} waited at a place, {waiting:,} wait at the end; {hours:,.0f} vehicle hours."


def _busiest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the highest utilisation; among equals, those with the longest mean wait."""
    return sorted(
        rows, key=lambda row: (-(row["utilisation"] or 0.0), -(row.get("mean_wait_minutes") or 0.0))
    )[:MAX_ROWS]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _counts(patients: int, triage: dict[str, int], outcomes: dict[str, int], names: list[str]) -> list[str]:
    values = [
        patients,
        *triage.values(),
        *(outcomes[name] for name in names),
    ]
    return [f"{value:,}" for value in values]


def _files(result: "RunResult") -> str:
    others = [path.name for path in result.files if path.name not in {part.path for part in result.parts}]
    parts = sorted(part.path for part in result.parts if part.table not in RUN_TABLES)
    shown = ", ".join(parts) if len(parts) <= 4 else f"{parts[0]} ... {parts[-1]} ({len(parts)} parts)"
    shown = ", ".join([shown, *(part.path for part in result.parts if part.table in RUN_TABLES)])
    return f"{_bytes(result.bytes)} in {result.output}: {shown}, {', '.join(sorted(others))}"


def _times(result: "RunResult", command_seconds: float) -> str:
    """How long the run took, how long the whole command, and the memory."""
    compiled = result.compile_seconds
    return (
        f"{format_seconds(result.seconds)} to simulate and write, {result.patients_per_second:,.0f} patients/s; "
        f"{format_seconds(command_seconds)} for the whole command"
        f"{f', {format_seconds(compiled)} of it to compile' if compiled >= 0.1 else ''}; "
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
    """An empty table. All columns but the first are aligned to the right."""
    return Table(*columns, right=columns[1:])

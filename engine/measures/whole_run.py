"""The tables of a run as a whole: `facilities` (the resources over time) and `measures` (one figure in each row).

`RUN_COLUMNS` and `MEASURES` are the specification; `docs/records.md` is generated from them.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from engine.codes import EN_ROUTE, OUTCOMES, RESOURCE_FIELDS, STREAMS
from engine.measures.consumption import ITEMS
from engine.measures.counted import DAY, LAST_DAY, STANDARD
from engine.measures.figures import CATEGORY_LABELS
from engine.measures.patients import Measures
from engine.measures.resources import FlowMeasures, intervals
from engine.records import Column, RunTable
from engine.scenario import Scenario, start_seconds
from engine.tables import Table

SCOPES = ("run", "category", "front", "place", "resource", "transport", "vehicle", "role")
"""The subjects of a row of `measures`. The columns that name the subject are filled, the others null."""

RUN_COLUMNS: dict[str, tuple[Column, ...]] = {
    "facilities": (
        Column("start", "time", "start of the interval"),
        Column("end", "time", "end of the interval"),
        Column("facility", "text", "id of the facility"),
        Column("role", "integer", "role of the facility, 0 (staging unit) to 4"),
        Column(
            "resource",
            "text",
            "limited resource of the facility; others are not listed",
            codes=RESOURCE_FIELDS,
        ),
        Column("in_use", "number", "occupancy, mean over the interval", "units"),
        Column("queue", "number", "patients waiting for it, mean over the interval", "patients"),
        Column(
            "utilisation",
            "number",
            "occupancy divided by the capacity offered over the interval, null if none was",
            nullable=True,
        ),
        Column("capacity", "integer", "capacity at the end of the interval", "units", nullable=True),
        Column("in_use_at_end", "integer", "occupancy at the end of the interval", "units"),
        Column("queue_at_end", "integer", "patients waiting for it at the end of the interval", "patients"),
    ),
    "measures": (
        Column("measure", "text", "measure, see the list of measures"),
        Column("scope", "text", "subject of the row", codes=SCOPES),
        Column("facility", "text", "id of a facility, 'POI' or 'en route'", nullable=True),
        Column("resource", "text", "resource of the facility", codes=RESOURCE_FIELDS, nullable=True),
        Column("vehicle", "text", "id of a pool of vehicles", nullable=True),
        Column("front", "text", "front", nullable=True),
        Column("category", "text", "category of the casualties", codes=STREAMS, nullable=True),
        Column(
            "triage",
            "text",
            "triage category: the true one of patients, the assigned one of waits",
            codes=CATEGORY_LABELS,
            nullable=True,
        ),
        Column("role", "integer", "role, 0 for everything before Role 1", nullable=True),
        Column("day", "integer", "day, 1 is the first of the scenario", nullable=True),
        Column("detail", "text", "part of the measure, see the list of measures", nullable=True),
        Column("value", "number", "value, null if the denominator is 0", nullable=True),
        Column("unit", "text", "unit of the value"),
        Column("denominator", "number", "denominator of the value", nullable=True),
        Column("of", "text", "unit or meaning of the denominator", nullable=True),
    ),
    "consumption": (
        Column("start", "time", "start of the day, 24 hours from the scenario's start on"),
        Column("day", "integer", "day, 1 is the first of the scenario; 1001: all later days together"),
        Column("facility", "text", "id of a facility, 'POI' or 'en route'"),
        Column("role", "integer", "role, 0 for everything before Role 1"),
        Column("item", "text", "what is consumed", codes=tuple(ITEMS)),
        Column("quantity", "number", "quantity, estimated from the treatments given; above 0"),
        Column("unit", "text", "unit of the quantity"),
    ),
}


class Measure(NamedTuple):
    """A measure of table `measures`. `unit` and `of` are texts in the table, `meaning` is in the documentation."""

    unit: str
    meaning: str
    of: str | None = None
    """What the denominator counts, where there is one."""


_OPERATED = "patients operated on"
_WAITS = "waits, those of no length included"

MEASURES: dict[str, Measure] = {
    "patients": Measure("patients", "casualties; also by category, front and true triage"),
    "outcome": Measure("patients", "casualties with the outcome in `detail`", "patients"),
    "percent_kia": Measure("%", "%KIA (Holcomb)", "battle casualties less RTD within 72 h"),
    "percent_dow": Measure(
        "%", "%DOW (Holcomb)", "battle casualties who reached a facility less RTD within 72 h"
    ),
    "case_fatality_rate": Measure("%", "CFR (Holcomb)", "battle casualties"),
    "rtd_within_72h": Measure("patients", "returned to duty within 72 h of the injury", "patients"),
    "median_minutes": Measure(
        "minutes",
        "median time from the injury to the event in `detail`, to the next full minute (above 45 days to 1 / 32,768)",
        "patients",
    ),
    "percent_in_time": Measure(
        "%",
        "share in time of the patients who got the care in `detail`: within the time of the 10-1-2 standard",
        "patients",
    ),
    "percent_in_time_of_all": Measure(
        "%",
        "share in time of all patients, those who never got the care in `detail` included; also by true triage and "
        "by front",
        "patients not killed instantly",
    ),
    "wia": Measure("patients", "wounded in action: battle casualties who were not killed in action"),
    "percent_dow_of_wia": Measure("%", "died of wounds, share of the wounded in action", "wounded in action"),
    "stage_mean": Measure(
        "minutes",
        "mean time to surgery spent in the stage in `detail`; `to_surgery`: from injury to the first operation; "
        "also by true triage and by front",
        _OPERATED,
    ),
    "stage_median": Measure(
        "minutes",
        "median of the same, to 0.1 minutes or 1 / 128; of `to_surgery` as `median_minutes`",
        _OPERATED,
    ),
    "stage_p90": Measure("minutes", "90th percentile of the same", _OPERATED),
    "operations": Measure(
        "operations",
        "operations of the kind in `detail`, in all and by place; without `detail` of all kinds, by role and by day",
    ),
    "mean_iss": Measure(
        "ISS", "mean ISS of the injured on first arrival at the role; role 0: of all", "injured"
    ),
    "mean_niss": Measure("NISS", "mean NISS of the same", "injured"),
    "deaths_by_cause": Measure("patients", "deaths by status and cause, both in `detail`", "deaths"),
    "deaths_within": Measure(
        "patients", "deaths by status within the hours from the injury, both in `detail`", "deaths"
    ),
    "deaths": Measure(
        "patients", "deaths by place and, in `detail`, by what the patients were waiting for", "deaths"
    ),
    "arrivals": Measure("patients", "first arrivals at a facility of the role; for Role 4 also by day"),
    "returned_to_duty": Measure("patients", "returned to duty, by role and day"),
    "litters": Measure(
        "patients",
        "litter demand: departures of patients who need one (true T1, T2, T4), by role left, and by day",
    ),
    "seats": Measure("patients", "departures of patients who can sit (true T3), by role left, and by day"),
    "transfusions": Measure("treatments", "blood transfusions by role, and by day"),
    "capacity": Measure("units", "mean capacity"),
    "served": Measure("patients", "patients who got the resource"),
    "mean_wait": Measure("minutes", "mean wait; also by assigned triage", _WAITS),
    "mean_queue": Measure(
        "patients",
        "mean number waiting; of a role for all its limited resources, of vehicles where they pick up",
    ),
    "max_queue": Measure(
        "patients", "largest number waiting; of a role for one resource, of vehicles at one place"
    ),
    "mean_in_use": Measure("units", "mean occupancy"),
    "max_in_use": Measure("units", "highest occupancy"),
    "utilisation": Measure(
        "%",
        "occupancy divided by what was offered; units still in use after a loss of capacity count as offered",
        "unit-hours offered",
    ),
    "blocked": Measure("minutes", "time held by patients who no longer needed it"),
    "blocked_for": Measure(
        "minutes",
        "time for which treatment bays or operating tables were held by patients who waited for what is in `detail`",
        "minutes in use",
    ),
    "deaths_waiting": Measure("patients", "deaths while waiting for it"),
    "sorties": Measure("sorties", "sorties"),
    "carried": Measure("patients", "patients carried"),
    "carried_lying": Measure("patients", "patients carried on litters"),
    "load": Measure(
        "%", "patients carried, divided by litters and seats offered", "litters and seats of all sorties"
    ),
    "busy": Measure("minutes", "time that vehicles were on their way"),
    "lost": Measure("vehicles", "vehicles lost"),
    "dead": Measure("dead", "the dead whom `mortuary_affairs` covers"),
    "recovered": Measure("dead", "the dead who reached the end of their way", "dead"),
    "median_recovery": Measure("minutes", "median time from the death until then", "dead"),
    "mean_wait_of_dead": Measure("minutes", "mean wait of the dead for a vehicle", "waits"),
    "mean_waiting_dead": Measure("dead", "mean number of the dead who wait for a vehicle"),
    "max_waiting_dead": Measure("dead", "largest number of the dead who wait for a vehicle"),
    "waiting_dead_at_end": Measure("dead", "the dead who still wait for a vehicle at the end of the run"),
    "carried_dead": Measure("dead", "the dead carried"),
    "busy_for_dead": Measure(
        "minutes",
        "time of vehicles for the dead: until they reach them, and from loading them until the vehicle is back",
    ),
    "arrived": Measure("patients", "arrivals at the facility, including repeated ones"),
    "refused": Measure("patients", "patients refused at the door"),
    "bypassed": Measure("patients", "patients for whom another facility was chosen"),
    "blood_used": Measure("units", "units of blood used from the stock; null where no stock is set"),
    "blood_short": Measure(
        "units", "units of blood that were needed and not in stock; null where no stock is set"
    ),
    "run_length": Measure(
        "days",
        "length of the whole run: to the last use of a limited resource or vehicle, or to the horizon; 0 without them",
    ),
    "last_outcome": Measure("days", "time from the scenario's start to the last outcome of a patient"),
    "consumption": Measure(
        "", "what care consumed of the item in `detail`, by place and by day; the unit is the item's"
    ),
}


class RunMeasures(NamedTuple):
    """The measures of one replication. `summary` is the content of summary.json."""

    summary: dict[str, Any]
    facilities: RunTable
    measures: RunTable
    consumption: RunTable


class FinishedRun(Protocol):
    """A finished simulation, of the whole run or merged from several."""

    @property
    def measures(self) -> Measures:
        """Measures of the patients."""
        ...

    @property
    def flow(self) -> FlowMeasures:
        """Measures of the network."""
        ...


def find_measures(simulation: FinishedRun, scenario: Scenario) -> RunMeasures:
    """Return the measures of a finished simulation of the resolved `scenario`."""
    flow = flow_of(simulation, scenario)
    found = summary(simulation, flow)
    return RunMeasures(
        found,
        facilities_table(scenario, flow.series()),
        measures_table(found),
        consumption_table(scenario, simulation.measures.consumption.rows()),
    )


def summary(simulation: FinishedRun, flow: FlowMeasures) -> dict[str, Any]:
    """Return the content of summary.json."""
    return simulation.measures.summary() | {"flow": flow.summary()}


def flow_of(simulation: FinishedRun, scenario: Scenario) -> FlowMeasures:
    """Return the measures of the network; those of a run without finite resources if the simulation has none."""
    flow: FlowMeasures | None = getattr(simulation, "flow", None)
    return FlowMeasures.empty(scenario) if flow is None else flow


def facilities_table(scenario: Scenario, series: Table) -> RunTable:
    """Return the table `facilities`: one row for each sample of `FlowMeasures.series`."""
    start = start_seconds(scenario)
    facility = series["facility"].astype(np.int64)
    ids = [f.id for f in scenario.facilities]
    roles = [f.role for f in scenario.facilities]
    values: list[list[Any]] = [
        (intervals(series) // 1000 + start).tolist(),
        (series["at"] // 1000 + start).tolist(),
        [ids[f] for f in facility],
        [roles[f] for f in facility],
        [RESOURCE_FIELDS[r] for r in series["resource"]],
        [round(x, 4) for x in series["in_use"].tolist()],
        [round(x, 4) for x in series["queue"].tolist()],
        [
            round(used / offered, 4) if offered > 0 else None
            for used, offered in zip(series["in_use"].tolist(), series["offered"].tolist(), strict=True)
        ],
        [n if n >= 0 else None for n in series["capacity"].tolist()],
        series["in_use_now"].tolist(),
        series["queue_now"].tolist(),
    ]
    return RunTable("facilities", RUN_COLUMNS["facilities"], values)


def consumption_table(scenario: Scenario, consumed: Table) -> RunTable:
    """Return the table `consumption`: one row for each of `Consumption.rows`."""
    start = start_seconds(scenario)
    places = ["en route", "POI", *(f.id for f in scenario.facilities)]
    roles = [0, 0, *(f.role for f in scenario.facilities)]
    items = tuple(ITEMS)
    place = (consumed["facility"].astype(np.int64) - EN_ROUTE).tolist()
    item = consumed["item"].tolist()
    values: list[list[Any]] = [
        (consumed["day"].astype(np.int64) * (DAY // 1000) + start).tolist(),
        (consumed["day"] + 1).tolist(),
        [places[p] for p in place],
        [roles[p] for p in place],
        [items[k] for k in item],
        consumed["quantity"].tolist(),
        [ITEMS[items[k]] for k in item],
    ]
    return RunTable("consumption", RUN_COLUMNS["consumption"], values)


def measures_table(found: dict[str, Any]) -> RunTable:
    """Return the table `measures` from the content of summary.json, without counts by day that are 0.

    The first rows have a value in each column of integers or numbers, for readers that guess types from them.
    """
    columns = RUN_COLUMNS["measures"]
    rows = [
        *_times(found),
        *_days(found),
        *_patients(found),
        *_deaths(found),
        *_stages(found["time_to_surgery"]),
        *_care(found),
        *_consumption(found["consumption"]),
        *_recovery(found.get("mortuary_affairs"), found["flow"].get("mortuary_affairs")),
        _row("last_outcome", "run", found["last_outcome"]["days"]),
        *_flow(found["flow"]),
    ]
    values = [[_typed(row.get(column.name), column.kind) for row in rows] for column in columns]
    return RunTable("measures", columns, values)


def _typed(value: Any, kind: str) -> Any:
    """Return a value as the type of its column: counts in a column of numbers become floats."""
    return float(value) if kind == "number" and value is not None else value


def _row(measure: str, scope: str, value: Any, denominator: Any = None, **names: Any) -> dict[str, Any]:
    unit, _, of = MEASURES[measure]
    return {
        "measure": measure,
        "scope": scope,
        "value": value,
        "unit": unit,
        "denominator": denominator,
        "of": of if denominator is not None else None,
        **names,
    }


def _patients(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of casualties, outcomes and Holcomb's rates."""
    groups: list[tuple[str, dict[str, Any], dict[str, Any]]] = [("run", {}, found)]
    groups += [("category", {"category": name}, row) for name, row in found["categories"].items()]
    groups += [("front", {"front": name}, row) for name, row in found["fronts"].items()]
    for scope, names, group in groups:
        yield _row("patients", scope, group["patients"], **names)
        for triage, count in group.get("triage", {}).items():
            yield _row("patients", scope, count, triage=triage, **names)
        for status in OUTCOMES:
            count = group["outcomes"][status]
            yield _row("outcome", scope, count, group["patients"], detail=status, **names)
    for rate in ("percent_kia", "percent_dow", "case_fatality_rate"):
        mortality = found["mortality"]
        yield _row(rate, "category", mortality[rate], mortality[f"{rate}_of"], category="battle")
    yield _row("wia", "category", mortality["wia"], category="battle")
    yield _row(
        "percent_dow_of_wia", "category", mortality["percent_dow_of_wia"], mortality["wia"], category="battle"
    )
    for name, count in found["rtd_within_72h"].items():
        patients = found["categories"][name]["patients"]
        yield _row("rtd_within_72h", "category", count, patients, category=name)


def _times(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of median times from the injury, and of shares within the 10-1-2 standard."""
    for name, time in found["minutes_from_injury"].items():
        yield _row("median_minutes", "run", time["median"], time["patients"], detail=name)
    in_time = found["in_time"]
    groups: list[tuple[str, dict[str, Any], dict[str, Any]]] = [("run", {}, in_time)]
    groups += [("run", {"triage": name}, row) for name, row in in_time["by_triage"].items()]
    groups += [("front", {"front": name}, row) for name, row in in_time["by_front"].items()]
    for name, limit in STANDARD.items():
        time = found["minutes_from_injury"][name]
        detail = f"{name} within {limit} minutes"
        yield _row("percent_in_time", "run", time[f"percent_within_{limit}"], time["patients"], detail=detail)
        for scope, names, row in groups:
            share, alive = row[f"{name}_percent_within_{limit}"], row["alive_at_first"]
            yield _row("percent_in_time_of_all", scope, share, alive, detail=detail, **names)


def _deaths(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    deaths = sum(sum(places.values()) for places in found["deaths_by_waiting_for"].values())
    for what, places in found["deaths_by_waiting_for"].items():
        for place, count in places.items():
            yield _row("deaths", "place", count, deaths, facility=place, detail=what)


def _stages(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the stages of the time to surgery."""
    groups: list[tuple[str, dict[str, Any], dict[str, Any]]] = [("run", {}, found)]
    groups += [("run", {"triage": name}, row) for name, row in found["by_triage"].items()]
    groups += [("front", {"front": name}, row) for name, row in found["by_front"].items()]
    for scope, names, group in groups:
        for stage, minutes in group["minutes"].items():
            for statistic, value in minutes.items():
                yield _row(f"stage_{statistic}", scope, value, group["patients"], detail=stage, **names)
    for place, resources in found["blocked"].items():
        for resource, row in resources.items():
            names = {"facility": place, "resource": resource}
            for awaited, minutes in row["blocked_minutes"].items():
                yield _row("blocked_for", "resource", minutes, row["use_minutes"], detail=awaited, **names)


def _care(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of operations, severity by role, and causes and times of death."""
    for kind, counts in found["operations"].items():
        yield _row("operations", "run", counts["operations"], detail=kind)
        for place, count in counts["by_place"].items():
            yield _row("operations", "place", count, facility=place, detail=kind)
    for role, row in found["severity_by_role"].items():
        number = 0 if role == "injured" else _role_number(role)
        yield _row("mean_iss", "role", row["mean_iss"], row["patients"], role=number)
        yield _row("mean_niss", "role", row["mean_niss"], row["patients"], role=number)
    for status, row in found["deaths"].items():
        for cause, count in row["causes"].items():
            yield _row("deaths_by_cause", "run", count, row["deaths"], detail=f"{status}: {cause}")
        for hours, count in row["within_hours"].items():
            yield _row("deaths_within", "run", count, row["deaths"], detail=f"{status} within {hours} h")


def _consumption(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of what care consumed by place, and by day."""
    for item, row in found.items():
        unit = {"detail": item, "unit": row["unit"]}
        for place, quantity in row["by_place"].items():
            yield _row("consumption", "place", quantity, facility=place) | unit
        for day, quantity in enumerate(row["by_day"], 1):
            if quantity:
                yield _row("consumption", "run", quantity, day=day) | unit


def _recovery(
    of_patients: dict[str, Any] | None, of_network: dict[str, Any] | None
) -> Iterator[dict[str, Any]]:
    """Yield the rows of the recovery of the dead, where the scenario moves them."""
    if of_patients is not None:
        recovered = of_patients["recovered"]
        yield _row("dead", "run", of_patients["dead"])
        yield _row("recovered", "run", recovered, of_patients["dead"])
        yield _row("median_recovery", "run", of_patients["median_minutes"], recovered)
    if of_network is None:
        return
    for row in of_network["places"]:
        names = {"facility": row["origin"], "front": row["front"]}
        yield _row("mean_wait_of_dead", "transport", row["mean_wait_minutes"], row["waits"], **names)
        yield _row("mean_waiting_dead", "transport", row["mean_waiting"], **names)
        yield _row("max_waiting_dead", "transport", row["max_waiting"], **names)
        yield _row("waiting_dead_at_end", "transport", row["waiting_at_end"], **names)
    for row in of_network["vehicles"]:
        yield _row("carried_dead", "vehicle", row["dead"], vehicle=row["vehicle"])
        yield _row("busy_for_dead", "vehicle", row["minutes"], vehicle=row["vehicle"])


def _days(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of totals by role, then those of counts by day."""
    for measure, roles in found["by_role"].items():
        for role, count in roles.items():
            yield _row(measure, "role", count, role=_role_number(role))
    days = found["by_day"]
    for role, counts in days["returned_to_duty"].items():
        for day, count in enumerate(counts, 1):
            if count:
                yield _row("returned_to_duty", "role", count, role=_role_number(role), day=day)
    for measure, name, role in (
        ("arrivals", "role4_arrivals", {"role": 4}),
        ("litters", "litters", {}),
        ("seats", "seats", {}),
        ("transfusions", "transfusions", {}),
        ("operations", "operations", {}),
    ):
        for day, count in enumerate(days[name], 1):
            if count:
                yield _row(measure, "role" if role else "run", count, day=day, **role)
    for measure, count in days.get("later", {}).items():
        if count:
            yield _row(measure, "run", count, detail=f"after day {LAST_DAY}")


def _role_number(name: str) -> int:
    return int(name[-1]) if name != "before_role1" else 0


def _flow(flow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of resources, waits for transport, vehicles and facilities, and the length of the run."""
    yield _row("run_length", "run", flow["days"])
    yield from _resources(flow["resources"])
    yield from _transport(flow["transport"])
    yield from _vehicles(flow["vehicles"], flow["days"])
    yield from _queues_by_role(flow["roles"], {})
    for period, row in flow["periods"].items():
        yield from _period(row, {"detail": period})
    for row in flow["facilities"]:
        for measure in ("arrived", "refused", "bypassed", "blood_used", "blood_short"):
            yield _row(measure, "place", row[measure], facility=row["facility"])


def _resources(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        names = {"facility": row["facility"], "resource": row["resource"]}
        for measure in ("capacity", "served", "mean_queue", "max_queue", "mean_in_use", "max_in_use"):
            yield _row(measure, "resource", row[measure], **names)
        yield _row("utilisation", "resource", _percent(row["utilisation"]), row["capacity_hours"], **names)
        yield from _waits("resource", row, names)
        yield _row("blocked", "resource", row["blocked_minutes"], **names)
        yield _row("deaths_waiting", "resource", row["deaths_waiting"], **names)


def _transport(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        names = {"facility": row["origin"], "front": row["front"]}
        yield from _waits("transport", row, names)
        yield _row("mean_queue", "transport", row["mean_queue"], **names)
        yield _row("max_queue", "transport", row["max_queue"], **names)
        yield _row("deaths_waiting", "transport", row["deaths_waiting"], **names)


def _queues_by_role(roles: dict[str, Any], names: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for role, row in roles.items():
        for measure in ("mean_queue", "max_queue"):
            yield _row(measure, "role", row[measure], role=_role_number(role), **names)


def _period(period: dict[str, Any], detail: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a period, which is in `detail`."""
    yield _row("patients", "run", period["casualties"], **detail)
    hours = period["to_hours"] - period["from_hours"]
    for row in period["resources"]:
        names = {"facility": row["facility"], "resource": row["resource"], **detail}
        yield from _waits("resource", row, names)
        for measure in ("capacity", "mean_queue", "max_queue", "mean_in_use"):
            yield _row(measure, "resource", row[measure], **names)
        offered = round(row["capacity"] * hours, 3)
        yield _row("utilisation", "resource", _percent(row["utilisation"]), offered, **names)
    for row in period["transport"]:
        names = {"facility": row["origin"], "front": row["front"], **detail}
        yield from _waits("transport", row, names)
        for measure in ("mean_queue", "max_queue"):
            yield _row(measure, "transport", row[measure], **names)
    for row in period["vehicles"]:
        names = {"vehicle": row["vehicle"], **detail}
        offered = round(row["number"] * hours, 3)
        yield _row("utilisation", "vehicle", _percent(row["utilisation"]), offered, **names)
        yield _row("mean_wait", "vehicle", row["mean_wait_minutes"], row["waits"], **names)
        for measure in ("mean_queue", "max_queue"):
            yield _row(measure, "vehicle", row[measure], **names)
    yield from _queues_by_role(period["roles"], detail)


def _vehicles(rows: list[dict[str, Any]], days: float) -> Iterator[dict[str, Any]]:
    for row in rows:
        names = {"vehicle": row["vehicle"]}
        hours = round(row["number"] * days * 24, 3)
        yield _row("utilisation", "vehicle", _percent(row["utilisation"]), hours, **names)
        offered = row["litters_offered"] + row["seats_offered"]
        yield _row("load", "vehicle", _percent(row["load"]), offered, **names)
        for measure, field in (
            ("capacity", "number"),
            ("sorties", "sorties"),
            ("carried", "patients"),
            ("carried_lying", "litters_used"),
            ("busy", "busy_minutes"),
            ("lost", "lost"),
        ):
            yield _row(measure, "vehicle", row[field], **names)


def _waits(scope: str, row: dict[str, Any], names: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield _row("mean_wait", scope, row["mean_wait_minutes"], row["waits"], **names)
    for triage in CATEGORY_LABELS:
        value = row[f"mean_wait_minutes_{triage}"]
        if value is not None:
            yield _row("mean_wait", scope, value, row[f"waits_{triage}"], triage=triage, **names)


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 4)

"""Listed casualties: exactly as many, when and where the author gives (docs/model.md section 2.3.6).

Each row of the list is a cell of its own, keyed by time, front and stream, so a list changes no draw of the others.
Rows of the same time, front and stream are one incident; casualties of an agent are one apart.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import numeric
from engine.arrivals.draws import ArrivalDraw, arrival_keys
from engine.arrivals.incidents import four_words
from engine.arrivals.parts import write_arrival
from engine.arrivals.rows import LISTED, ListedArrivals
from engine.codes import CASUALTY_KINDS, NONE, CasualtyKind
from engine.numeric import compiled_entry, uniform
from engine.scenario import ListedRow, Scenario, WarfareType, agent_share, heaviest_type, listed_rows
from engine.tables import ARRIVAL, ArrivalRow, Ints, Rows, Table

IncidentKey = tuple[int, str, str, str]
"""Time, front and stream of an incident, and whether its casualties are, or may be drawn to be, of an agent."""

EIGHT_DIGITS = 90_000_000
"""Numbers of casualties that have service numbers of eight digits."""


def plan_listed(scenario: Scenario, first_number: int) -> Any:
    """Return the rows of a resolved scenario's list by time, dtype LISTED.

    Parameters
    ----------
    first_number
        A number above those of all casualties that are drawn; see `ArrivalRow.number`.
    """
    found = listed_rows(scenario)
    rows = np.zeros(len(found), LISTED)
    type_ = heaviest_type(scenario)
    fronts = {front.name: number for number, front in enumerate(scenario.fronts)}
    sizes: dict[IncidentKey, int] = {}
    for listed in found:
        sizes[_incident(listed, type_)] = sizes.get(_incident(listed, type_), 0) + listed.number
    ordinals: dict[IncidentKey, int] = {}
    counted = 0
    for row, listed in zip(rows, found, strict=True):
        incident = _incident(listed, type_)
        ordinals[incident] = ordinals.get(incident, 0) + 1
        row["time"], row["number"], row["day"] = listed.at, listed.number, listed.day - 1
        row["incident"] = numeric.cell("listed incident", *incident)
        row["incident_size"] = sizes[incident]
        row["key"] = numeric.cell("listed", *incident, ordinals[incident])
        row["first_number"], row["number_step"] = first_number + counted, 1
        row["front"] = fronts[listed.front]
        row["kind"], row["agent_share"] = _kind(listed, type_)
        row["type"] = NONE if type_ is None else [w.type for w in scenario.warfare].index(type_)
        row["special"] = NONE
        counted += listed.number
    return rows


def _incident(listed: ListedRow, type_: WarfareType | None) -> IncidentKey:
    """Return what the rows of one incident have in common."""
    kind, share = _kind(listed, type_)
    word = "drawn" if share > 0.0 else "agent" if kind == CasualtyKind.AGENT else ""
    return listed.at, listed.front, listed.incident.stream, word


def _kind(listed: ListedRow, type_: WarfareType | None) -> tuple[int, float]:
    """Return the `CasualtyKind` of a row, and the probability that its incident is one of an agent instead."""
    stream = listed.incident.stream
    if stream != "battle":
        return CASUALTY_KINDS.index(stream), 0.0
    if listed.incident.mechanism == "cbrn":
        return CasualtyKind.AGENT, 0.0
    is_drawn = all(getattr(listed.incident, name) is None for name in ("mechanism", "conditions", "mean_iss"))
    return CasualtyKind.WOUNDED, agent_share(type_) if is_drawn else 0.0


@compiled_entry("u8", LISTED, ARRIVAL)
def draw_listed(keys: Ints, rows: Rows[ListedArrivals], arrivals: Rows[ArrivalRow]) -> None:
    """Fill the arrivals of listed rows, one row of ARRIVAL for each casualty, in the order of the list."""
    place = 0
    for r in range(len(rows)):
        row = rows[r]
        _, _, c, d = four_words(keys[ArrivalDraw.INCIDENT], row.incident, np.uint64(0), np.uint64(0))
        incident = (c << np.uint64(32)) | d
        is_agent = row.agent_share > 0.0 and (
            uniform(keys[ArrivalDraw.SPLIT], row.incident, np.uint64(0), np.uint64(0)) < row.agent_share
        )
        for number in range(row.number):
            index = np.uint64(number)
            arrival = arrivals[place]
            write_arrival(arrival, keys, row, index, row.time, incident, row.time)
            arrival.incident_size = row.incident_size
            if is_agent:
                arrival.kind = CasualtyKind.AGENT
            place += 1


def listed_arrivals(rows: Any, seed: int, replication: int) -> Table:
    """Return the arrivals of listed rows, one row of ARRIVAL for each casualty, in the order of the rows."""
    arrivals = np.zeros(int(rows["number"].sum()), ARRIVAL)
    if len(rows):
        draw_listed(arrival_keys(seed, replication), rows, arrivals)
    return arrivals


def sorted_arrivals(arrivals: Table) -> Table:
    """Return arrivals sorted by time and identifier."""
    order = np.lexsort((arrivals["id_lo"], arrivals["id_hi"], arrivals["time"]))
    return arrivals[order]


def listed_by_day(rows: Any, days: int, fronts: int) -> NDArray[np.int64]:
    """Return the listed casualties by day and front, shape (days, fronts)."""
    counts = np.zeros((days, fronts), np.int64)
    np.add.at(counts, (rows["day"], rows["front"]), rows["number"])
    return counts

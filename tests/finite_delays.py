"""Why surgery is late, worked out again from the records: stages of each patient, and queues and use in a period."""

from collections import Counter, defaultdict
from typing import Any

import finite_oracle as oracle
import numpy as np
import pytest
from finite_laws import Network

from engine.codes import RESOURCE_FIELDS
from engine.measures import Delays
from engine.measures.blocking import Blocking
from engine.measures.counted import STAGES, TO_SURGERY
from engine.tables import Chunk

HOUR, MINUTE = oracle.HOUR, oracle.MINUTE


def delays_of(r: Any) -> Any:
    """The stages of each patient of a run or result, ms."""
    return Delays(r.scenario).add(chunk_of(r))


def chunk_of(r: Any) -> Chunk:
    return Chunk(0, 0, True, r.patients, r.events, r.treatments, r.wounds, r.vitals)


def overlap(begin: int, end: int, since: int, until: int) -> int:
    return max(0, min(end, until) - max(begin, since))


def time_short_of_teams(net: Network, f: int, since: int, until: int) -> int:
    """The time in which fewer teams are on duty than there are tables; shifts change at half hours."""
    tables = net.s.facilities[f].operating_tables
    half = HOUR // 2
    found = 0
    for at in range(since // half * half, until, half):
        teams = net.teams(f, at)
        if teams < (oracle.FOREVER if tables is None else tables):
            found += overlap(at, at + half, since, until)
    return found


def expected_stages(r: oracle.Run, observed: oracle.Observed) -> dict[int, Counter[str]]:
    """By patient who was operated on: the time in queues and on the way before the operation, from the records."""
    net = Network(r.scenario)
    found: dict[int, Counter[str]] = defaultdict(Counter)
    surgery = r.patients["surgery"]
    names = {oracle.BAY: "bay", oracle.ICU: "blocked", oracle.WARD: "blocked"}
    for (f, resource), waits in observed.waits.items():
        for wait in waits:
            until = min(wait.until, int(surgery[wait.patient]))
            if f < 0 or wait.since > until:
                continue
            if resource == oracle.TABLE:
                short = time_short_of_teams(net, f, wait.since, until)
                found[wait.patient]["team"] += short
                found[wait.patient]["table"] += until - wait.since - short
            elif resource in names:
                found[wait.patient][names[resource]] += until - wait.since
    for trip in observed.trips:
        if trip.departed <= surgery[trip.patient]:
            found[trip.patient]["vehicle"] += trip.departed - trip.asked
            found[trip.patient]["travel"] += trip.arrived - trip.departed
    return found


def check_delays(r: oracle.Run, observed: oracle.Observed) -> None:
    delays = delays_of(r)
    operated = r.patients["surgery"] >= 0
    assert (delays[~operated] == -1).all()
    assert (delays[operated] >= 0).all()
    whole = r.patients["surgery"] - r.patients["time"]
    assert (delays[operated, :TO_SURGERY].sum(axis=1) == whole[operated]).all()
    assert (delays[operated, TO_SURGERY] == whole[operated]).all()
    expected = expected_stages(r, observed)
    for k in np.flatnonzero(operated).tolist():
        for name in ("vehicle", "travel", "bay", "team", "table", "blocked"):
            assert delays[k, STAGES.index(name)] == expected[k][name], (k, name)


def check_blocking(r: oracle.Run) -> None:
    """Bays and tables are blocked as long as the kernel says, but for those who still wait at a horizon or a hit."""
    blocking = Blocking(r.scenario)
    blocking.add(chunk_of(r))
    found = blocking.summary()
    cut = r.scenario.horizon_days is not None or bool(r.scenario.world)
    for row in r.flow.resources():
        if row["resource"] not in ("treatment_bays", "operating_tables"):
            continue
        mine = found.get(row["facility"], {}).get(row["resource"], {"blocked_minutes": {}})
        blocked = sum(mine["blocked_minutes"].values())
        slack = 0.002 * (row["served"] + 1)
        assert blocked >= row["blocked_minutes"] - slack, row
        if not cut:
            assert blocked == pytest.approx(row["blocked_minutes"], abs=slack), row
            used = row["mean_in_use"] * r.flow.milliseconds / MINUTE
            slack += 1e-6 * r.flow.milliseconds / MINUTE  # the mean is rounded
            if blocked:  # those who die between treatment and operation have used the bay a little longer
                assert 0.98 * used - slack <= mine["use_minutes"] <= used + slack, row


def longest_queue(stays: list[tuple[int, int]], begin: int, end: int, at_least: bool) -> int:
    """Return the most stays (from, until) in a queue at a time of a period.

    Several may begin and end in the same ms: `at_least` the ends come first, else the beginnings.
    """
    order = 1 if at_least else -1
    steps = [
        (at, order * step, step)
        for since, until in stays
        if (begin < until and since < end and since < until)
        or (not at_least and begin <= until and since <= end)
        for at, step in ((since, 1), (until, -1))
    ]
    found = most = 0
    for at, _, step in sorted(steps):
        if at >= end + (not at_least):
            break
        found += step
        most = max(most, found)
    return most


def check_periods(r: oracle.Run, observed: oracle.Observed) -> None:
    """Queue, waits and use in each period agree with the records, to the rounding of times to ms."""
    names = [f.id for f in r.scenario.facilities]
    for period in r.flow.periods().values():
        begin, end = (round(period[key] * HOUR) for key in ("from_hours", "to_hours"))
        length = end - begin
        arrived = ((r.patients["time"] >= begin) & (r.patients["time"] < end)).sum()
        assert period["casualties"] >= arrived
        for row in period["resources"]:
            f, resource = names.index(row["facility"]), RESOURCE_FIELDS.index(row["resource"])
            if resource in (oracle.TEAM, oracle.PLACE):
                continue
            spans, waits = observed.spans.get((f, resource), []), observed.waits.get((f, resource), [])
            slack = 2e-6 * length + 10 * (len(waits) + len(spans))
            queue = sum(overlap(begin, end, w.since, w.until) for w in waits)
            assert abs(row["mean_queue"] * length - queue) <= slack, row
            used = sum(overlap(begin, end, since, until) for since, until, *_ in spans)
            assert abs(row["mean_in_use"] * length - used) <= slack, row
            # Who asks for a table gives up a bed; if that frees a table at once, no wait is in the record.
            at_once = [(since, since) for since, _, waited, *_ in spans if not waited]
            stays = [(w.since, w.until) for w in waits]
            least = longest_queue(stays, begin, end, at_least=True)
            most = longest_queue(stays + at_once, begin, end, at_least=False)
            assert least <= row["max_queue"] <= most, (row, least, most)
            began = [w for w in waits if begin <= w.since < end]
            close = sum(abs(w.since - edge) <= 10 for w in waits for edge in (begin, end))
            unhindered = sum(not waited and begin <= since < end for since, _, waited, *_ in spans)
            assert abs(row["waits"] - len(began) - unhindered) <= close + 2, row
            if not close and row["waits"]:
                last = r.flow.milliseconds
                waited = sum(min(w.until, last) - w.since for w in began)
                assert (
                    abs((row["mean_wait_minutes"] or 0) * MINUTE * row["waits"] - waited)
                    <= slack + 4 * len(waits) + row["waits"] * 6
                ), row

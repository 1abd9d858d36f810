"""Capacity against mortality, and the speed of finite care: `brigade` with more resources, more casualties, more days.

`make bench-capacity` runs three parts.

- `ladders`: twenty steps each of ambulances, operating tables and beds under a load for which all of them are short;
  thirty replications with the same casualties at every step. The exit code is 1 if a step raises the case fatality of
  battle casualties significantly (paired t, one-sided 5 % over all steps together, Bonferroni). This part writes
  docs/capacity.md and docs/capacity.svg.
- `load`: casualties per processor second, with and without records, from a quarter of the scenario's rates up to
  saturation.
- `growth`: time and peak memory of campaigns of 10^4 to 10^6 casualties (`--long`: 10^7), each in a separate process.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import stats

from bench import results_file
from engine.codes import STREAMS, Outcome
from engine.run import Simulation
from engine.scenario import Casualties, Distribution, Mix, Scenario, Survival, resolve
from goldenhour import scenario_files

DOCS = Path(__file__).resolve().parent.parent / "docs"
PARTS = ("ladders", "load", "growth")
BATTLE = STREAMS.index("battle")

REPLICATIONS = 30
LEVELS = range(1, 22)
CASUALTIES, DAYS, SCALE = 300, 1, 6
"""Casualties and days of a replication of the ladders, and the scale of the rest of the network."""
AMPLE_TABLES = 24
SEED = 1
ERROR = 0.05
"""Error of all steps together, one-sided."""

LOADS = (0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
LOAD_CASUALTIES = 20_000
LOAD_SCALE = 20
"""Scale at which the fixed cost of a day is negligible against that of its casualties."""
SATURATED = 0.95
"""Utilisation of a resource at which the load is not raised further."""
SHOWN = ("treatment_bays", "operating_tables", "icu_beds", "ward_beds")
"""Resources of Role 2 in the load table."""

SIZES = (10_000, 100_000, 1_000_000)
LONG = 10_000_000
GROWTH_SCALE = 300
"""Scale at which 10^7 casualties fit into the longest campaign."""
CASUALTIES_A_DAY = 9.0
"""Casualties of `brigade` a day: 2.25 per 1,000 of a strength of 4,000."""
TIME_LIMIT_SECONDS = 3600


def brigade() -> Scenario:
    """Return the built-in scenario, not resolved."""
    return scenario_files.load("brigade")


# --- ladders


def _by_road(s: Scenario) -> Scenario:
    """Return the scenario without the helicopters that take T1 from the point of injury straight to Role 2."""
    fleet = [v for v in s.vehicles if not v.id.startswith("casevac")]
    ids = {v.id for v in fleet}
    return replace(s, vehicles=fleet, links=[x for x in s.links if x.vehicle is None or x.vehicle in ids])


def _role_2(s: Scenario, **settings: Any) -> Scenario:
    return replace(s, facilities=[replace(f, **settings) if f.role == 2 else f for f in s.facilities])


def crowded() -> Scenario:
    """Return `brigade` times SCALE with CASUALTIES severe battle casualties in DAYS, resolved."""
    s = replace(
        brigade(),
        days=DAYS,
        network_scale=SCALE,
        casualties=Casualties(total=CASUALTIES),
        mix=Mix(battle=1, nbi=0, disease=0),
        survival=Survival(severity=1.0),
    )
    return resolve(s)


def _ambulances(s: Scenario, number: int) -> Scenario:
    fleet = [
        replace(v, number=number, litters=1, seats=0) if v.id.startswith("ambulances") else v
        for v in s.vehicles
    ]
    return replace(_tables(s, AMPLE_TABLES), vehicles=fleet)


def _tables(s: Scenario, number: int) -> Scenario:
    return _role_2(s, operating_tables=number, surgical_teams=number)


def _beds(s: Scenario, number: int) -> Scenario:
    return _role_2(_tables(s, AMPLE_TABLES), ward_beds=number, icu_beds=number, surge=None)


LADDERS: dict[str, Callable[[Scenario, int], Scenario]] = {
    "ambulances": lambda s, number: _ambulances(_by_road(s), number),
    "operating tables": lambda s, number: _tables(_by_road(s), number),
    "beds": lambda s, number: _beds(_by_road(s), number),
    "ambulances beside helicopters": _ambulances,
}
STEPS = len(LADDERS) * (len(LEVELS) - 1)


@dataclass(frozen=True)
class Rung:
    """A level of a ladder: mean case fatality in %, the paired change from the previous level, and its joint limit."""

    ladder: str
    level: int
    fatality: float
    band: float
    """Half the 95 % confidence interval of the paired difference to the ladder's last level."""
    change: float | None = None
    limit: float | None = None
    """Half the joint confidence interval of `change`."""
    killed: float = 0.0
    """Share of the casualties killed before the first door, %."""

    @property
    def holds(self) -> bool:
        """Whether the step does not raise mortality significantly."""
        return self.change is None or self.limit is None or self.change <= self.limit


def fatality(s: Scenario, replication: int) -> tuple[float, float]:
    """Return the deaths of battle casualties, and the deaths before the first door, in % of the battle casualties."""
    simulation = Simulation(s, SEED, replication)
    simulation.run_flow()
    battle = simulation.outcomes()[BATTLE] * (100.0 / simulation.outcomes()[BATTLE].sum())
    return float(battle[Outcome.KIA] + battle[Outcome.DOW]), float(battle[Outcome.KIA])


def rungs(ladder: str, measured: NDArray[np.float64]) -> list[Rung]:
    """Return the levels of a ladder; `measured`, shape (levels, replications, 2), has the results of `fatality`."""
    figures = measured[:, :, 0]
    n = figures.shape[1]
    single, joint = stats.t.ppf([0.975, 1.0 - ERROR / STEPS], n - 1).tolist()

    def half(factor: float, paired: NDArray[np.float64]) -> float:
        return factor * float(paired.std(ddof=1)) / math.sqrt(n)

    result = []
    for k, level in enumerate(LEVELS):
        step = figures[k] - figures[k - 1] if k else None
        result.append(
            Rung(
                ladder,
                level,
                fatality=float(figures[k].mean()),
                band=half(single, figures[k] - figures[-1]),
                change=None if step is None else float(step.mean()),
                limit=None if step is None else half(joint, step),
                killed=float(measured[k, :, 1].mean()),
            )
        )
    return result


def climb() -> list[Rung]:
    """Measure all levels of all ladders."""
    base = crowded()
    result = []
    for ladder, settle in LADDERS.items():
        levels = [settle(base, level) for level in LEVELS]
        measured = np.array([[fatality(s, r) for r in range(REPLICATIONS)] for s in levels])
        result += rungs(ladder, measured)
        print(f"{ladder}: {len(levels) * REPLICATIONS} runs", flush=True)
    return result


def show_ladders(result: Sequence[Rung]) -> None:
    """Print the table that the page shows."""
    table = Table(
        title="Case fatality of battle casualties, %, and its change by one more", title_justify="left"
    )
    table.add_column("number", justify="right")
    for ladder in LADDERS:
        table.add_column(ladder, justify="right")
    for cells in _cells(result):
        table.add_row(*cells)
    table.add_row("first to last", *_whole_changes(result).values())
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _cells(result: Sequence[Rung]) -> Iterator[list[str]]:
    found = {(rung.ladder, rung.level): rung for rung in result}
    for level in LEVELS:
        yield [str(level), *(_cell(found[ladder, level]) for ladder in LADDERS)]


def _whole_changes(result: Sequence[Rung]) -> dict[str, str]:
    """Return by ladder the change from the first level to the last, with its own 95 % confidence interval."""
    changes = {}
    for ladder in LADDERS:
        own = [rung for rung in result if rung.ladder == ladder]
        changes[ladder] = f"{own[-1].fatality - own[0].fatality:+.2f} ± {own[0].band:.2f}"
    return changes


def _cell(rung: Rung) -> str:
    if rung.change is None or rung.limit is None:
        return f"{rung.fatality:.2f}"
    worse = "" if rung.holds else " worse"
    return f"{rung.fatality:.2f} ({rung.change + 0.0:+.2f} ± {rung.limit:.2f}){worse}"


def _helicopters(result: Sequence[Rung]) -> Iterator[str]:
    """Yield the lines of the page about the last ladder."""
    own = [rung for rung in result if rung.ladder == tuple(LADDERS)[-1]]
    first, last = own[0], own[-1]
    later = [rung.fatality - rung.killed for rung in (first, last)]
    yield "The last column keeps a constant number of helicopters that fly T1 straight to Role 2. From one ambulance"
    yield f"to {last.level}, the share killed before the first door changes from {first.killed:.1f} to"
    yield f"{last.killed:.1f} %, and the share that dies of wounds later from {later[0]:.1f} to {later[1]:.1f} %:"
    yield "another ambulance brings patients to a Role 1, which cannot operate. The last line shows the sum of both"
    yield "effects. No single step is significant; the change from the first level to the last may be. More ambulances"
    yield "need not be better here."


def _failed(result: Sequence[Rung]) -> int:
    return sum(not rung.holds for rung in result)


def page(result: Sequence[Rung]) -> str:
    """Return the text of docs/capacity.md."""
    failed = _failed(result)
    verdict = (
        f"None of the {STEPS} steps raises it significantly"
        if not failed
        else f"{failed} of the {STEPS} steps raise it significantly"
    )
    lines = [
        "# Capacity and mortality",
        "",
        "What one more ambulance, operating table or bed is worth. This page is generated: `make bench-capacity`.",
        "",
        f"The network is `brigade` times {SCALE}, without helicopters before Role 2 except in the last column.",
        f"{CASUALTIES} battle casualties occur in {DAYS * 24} hours, with severity 1, so that each of these resources",
        f"is short. Every level has the same casualties with the same random draws, in {REPLICATIONS} replications.",
        "Ambulances carry one patient each. Each table has a team round the clock. Beds are those of Role 2, as many",
        "in its ward as in its ICU, without surge. In the columns of ambulances and beds, Role 2 has",
        f"{AMPLE_TABLES} tables.",
        "",
        "![Case fatality of battle casualties by number of ambulances, tables, beds](capacity.svg)",
        "",
        "Case fatality of battle casualties in %, at once or later. In brackets: the change from the level before, in",
        f"percentage points, with half its confidence interval (one-sided {1 - ERROR:.0%} for all {STEPS} steps",
        f"together, Bonferroni; paired t over the replications). {verdict}.",
        "The last line shows the change from the first level to the last, with its 95 % interval.",
        "",
        f"| number | {' | '.join(LADDERS)} |",
        f"|--:|{'--:|' * len(LADDERS)}",
        *(f"| {' | '.join(cells)} |" for cells in _cells(result)),
        f"| {LEVELS[0]} to {LEVELS[-1]} | {' | '.join(_whole_changes(result).values())} |",
        "",
        *_helicopters(result),
        "",
    ]
    return "\n".join(lines)


def picture(result: Sequence[Rung]) -> str:
    """Return docs/capacity.svg: one panel for each ladder on a common scale."""
    low = math.floor(min(r.fatality - r.band for r in result) * 2) / 2
    high = math.ceil(max(r.fatality + r.band for r in result) * 2) / 2
    width, height, top, left, panel, gap = 960, 300, 40, 56, 200, 24
    floor = height - 46

    def y(value: float) -> float:
        return round(floor - (value - low) / (high - low) * (floor - top), 1)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="12" fill="#333">',
        "<title>Case fatality of battle casualties by number of ambulances, operating tables and beds</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{left - 40}" y="16">Case fatality of battle casualties, % '
        "(band: 95 % interval of the paired difference to 21)</text>",
    ]
    for place, ladder in enumerate(LADDERS):
        begin = left + place * (panel + gap)
        own = [r for r in result if r.ladder == ladder]

        def x(level: int, begin: int = begin) -> float:
            return round(begin + 8 + (level - LEVELS[0]) / (len(LEVELS) - 1) * (panel - 16), 1)

        ticks = int((high - low) * 2)
        for k in range(0, ticks + 1, max(1, ticks // 6)):
            value = low + k / 2
            out.append(
                f'<line x1="{begin}" x2="{begin + panel}" y1="{y(value)}" y2="{y(value)}" stroke="#ddd"/>'
            )
            if place == 0:
                out.append(f'<text x="{begin - 6}" y="{y(value) + 4}" text-anchor="end">{value:g}</text>')
        upper = [f"{x(r.level)},{y(r.fatality + r.band)}" for r in own]
        lower = [f"{x(r.level)},{y(r.fatality - r.band)}" for r in reversed(own)]
        out.append(f'<polygon points="{" ".join(upper + lower)}" fill="#2166ac" fill-opacity="0.18"/>')
        line = " ".join(f"{x(r.level)},{y(r.fatality)}" for r in own)
        out.append(f'<polyline points="{line}" fill="none" stroke="#2166ac" stroke-width="1.5"/>')
        for r in own:
            colour = "#2166ac" if r.holds else "#b2182b"
            out.append(f'<circle cx="{x(r.level)}" cy="{y(r.fatality)}" r="2.5" fill="{colour}"/>')
        for level in (1, 6, 11, 16, 21):
            out.append(f'<text x="{x(level)}" y="{floor + 16}" text-anchor="middle">{level}</text>')
        out.append(f'<text x="{begin + panel // 2}" y="{floor + 34}" text-anchor="middle">{ladder}</text>')
    return "\n".join([*out, "</svg>", ""])


def ladders() -> bool:
    """Measure and print the ladders, write the page and the picture; return whether all steps hold."""
    begun = time.perf_counter()
    result = climb()
    show_ladders(result)
    DOCS.mkdir(exist_ok=True)
    (DOCS / "capacity.md").write_text(page(result), encoding="utf-8")
    (DOCS / "capacity.svg").write_text(picture(result), encoding="utf-8")
    failed = _failed(result)
    seconds = round(time.perf_counter() - begun, 1)
    print(f"{STEPS - failed} of {STEPS} steps hold, {seconds} s")
    print("docs/capacity.md and docs/capacity.svg written")
    rows = [
        {
            "ladder": r.ladder,
            "level": r.level,
            "fatality_percent": round(r.fatality, 4),
            "change": None if r.change is None else round(r.change, 4),
            "limit": None if r.limit is None else round(r.limit, 4),
            "killed_percent": round(r.killed, 4),
            "holds": r.holds,
        }
        for r in result
    ]
    settings = {"part": "ladders", "replications": REPLICATIONS, "casualties": CASUALTIES, "seconds": seconds}
    results_file.append("capacity", settings | {"rows": rows})
    return failed == 0


# --- load


def _times(given: Any, factor: float) -> Any:
    """Return a rate multiplied by `factor`."""
    assert isinstance(given, Distribution)
    assert given.mean is not None
    return replace(given, mean=given.mean * factor, sd=None if given.sd is None else given.sd * factor)


def loaded(load: float, casualties: int, scale: int = 1) -> Scenario:
    """`scale` times `brigade` in one with `load` times its rates, as long as it takes to have about `casualties`;
    resolved.
    """
    s = brigade()
    rates = s.casualties.rates
    assert rates is not None
    rates = replace(
        rates,
        battle=_times(rates.battle, load),
        nbi=_times(rates.nbi, load),
        disease=_times(rates.disease, load),
    )
    fronts = [replace(f, population=(f.population or 0) * scale) for f in s.fronts]
    days = min(3650, math.ceil(casualties / CASUALTIES_A_DAY / load / scale))
    return resolve(
        replace(
            s, days=days, fronts=fronts, network_scale=scale, casualties=replace(s.casualties, rates=rates)
        )
    )


def measure_load(load: float, casualties: int) -> dict[str, Any]:
    """Return one line of the load table; speeds are per processor second."""
    s = loaded(load, casualties)
    seconds = []
    for _ in range(2):
        simulation = Simulation(s, SEED, 0)
        begun = time.process_time()
        flow = simulation.run_flow()
        seconds.append(time.process_time() - begun)
    outcomes = simulation.outcomes()
    n = int(outcomes.sum())
    recorded = Simulation(s, SEED, 0)
    begun = time.process_time()
    events = sum(len(chunk.events) for chunk in recorded)
    with_records = time.process_time() - begun
    here = {row["resource"]: row for row in flow.resources() if row["facility"].startswith("R2")}
    way = next(row for row in flow.transport() if row["origin"] == "POI")
    ambulances = next(row for row in flow.vehicles() if row["vehicle"].startswith("ambulances"))
    deaths = int(outcomes[:, [Outcome.KIA, Outcome.DOW, Outcome.DIED_NONBATTLE]].sum())
    battle = outcomes[BATTLE]
    many = Simulation(loaded(load, casualties * LOAD_SCALE, LOAD_SCALE), SEED, 0)
    begun = time.process_time()
    many.run_flow()
    at_scale = time.process_time() - begun
    return {
        "load": load,
        "days": s.days,
        "casualties": n,
        "events_per_casualty": round(events / n, 1),
        "flow_per_second": round(n / min(seconds)),
        "flow_per_second_at_scale": round(int(many.outcomes().sum()) / at_scale),
        "records_per_second": round(n / with_records),
        "most_open": simulation.max_open,
        "utilisation": {name: here[name]["utilisation"] for name in SHOWN}
        | {"ambulances": ambulances["utilisation"]},
        "mean_wait_minutes": {name: here[name]["mean_wait_minutes"] for name in SHOWN}
        | {"ambulances": way["mean_wait_minutes"], "ambulances_T1": way["mean_wait_minutes_T1"]},
        "deaths_percent": round(100.0 * deaths / n, 2),
        "battle_fatality_percent": round(
            100.0 * float(battle[Outcome.KIA] + battle[Outcome.DOW]) / float(battle.sum()), 2
        ),
    }


def show_load(rows: Sequence[dict[str, Any]]) -> None:
    """Print the load table."""
    table = Table(
        title="brigade by load; utilisation in % / mean wait in minutes of its Role 2", title_justify="left"
    )
    names = (
        "load",
        "casualties",
        "events",
        "flow/s",
        f"of {LOAD_SCALE} in one",
        "records/s",
        "open",
        "bays",
        "tables",
        "ICU",
        "ward",
        "ambulances",
        "T1 wait",
        "died %",
        "CFR %",
    )
    for name in names:
        table.add_column(name, justify="right")
    for r in rows:
        used, waits = r["utilisation"], r["mean_wait_minutes"]
        table.add_row(
            f"{r['load']:g}",
            f"{r['casualties']:,}",
            f"{r['events_per_casualty']}",
            f"{r['flow_per_second']:,}",
            f"{r['flow_per_second_at_scale']:,}",
            f"{r['records_per_second']:,}",
            f"{r['most_open']:,}",
            *(
                f"{100 * (used[name] or 0.0):.0f} / {waits[name] or 0.0:,.0f}"
                for name in (*SHOWN, "ambulances")
            ),
            f"{waits['ambulances_T1'] or 0.0:,.0f}",
            f"{r['deaths_percent']}",
            f"{r['battle_fatality_percent']}",
        )
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def load_table(short: bool) -> None:
    """Raise the load until a resource is saturated; print and save the figures."""
    casualties = LOAD_CASUALTIES // 4 if short else LOAD_CASUALTIES
    Simulation(loaded(1.0, 500), SEED, 0).run_flow()  # compiles the kernel
    list(Simulation(loaded(1.0, 500), SEED, 0))
    rows = []
    for load in LOADS:
        rows.append(measure_load(load, casualties))
        if max(x or 0.0 for x in rows[-1]["utilisation"].values()) >= SATURATED:
            break
    show_load(rows)
    results_file.append("capacity", {"part": "load", "rows": rows})


# --- growth


def campaign(casualties: int) -> Scenario:
    """Return `brigade` times GROWTH_SCALE with `casualties` over as many days as they need, resolved."""
    s = brigade()
    days = max(1, round(casualties / CASUALTIES_A_DAY / GROWTH_SCALE))
    return resolve(
        replace(
            s,
            days=days,
            network_scale=GROWTH_SCALE,
            casualties=Casualties(total=casualties),
            mix=Mix(battle=0.67, nbi=0.13, disease=0.2),
        )
    )


def measure_growth(casualties: int) -> dict[str, Any]:
    """Simulate one campaign in this process; return time and peak memory."""
    Simulation(campaign(1000), SEED, 0).run_flow()
    s = campaign(casualties)
    simulation = Simulation(s, SEED, 0)
    begun = time.process_time()
    simulation.run_flow()
    seconds = time.process_time() - begun
    return {
        "casualties": int(simulation.outcomes().sum()),
        "days": s.days,
        "seconds": round(seconds, 3),
        "microseconds_per_casualty": round(1e6 * seconds / casualties, 2),
        "most_open": simulation.max_open,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def growth(sizes: Sequence[int]) -> None:
    """Simulate every campaign in a separate process; print and save the figures."""
    rows = []
    for size in sizes:
        command = [sys.executable, "-m", "bench.capacity", "--campaign", str(size)]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, timeout=TIME_LIMIT_SECONDS, check=True
        )
        rows.append(json.loads(done.stdout))
        print(f"{size:,} casualties: {rows[-1]['seconds']} s", flush=True)
    table = Table(title=f"Growth: {GROWTH_SCALE} times brigade, the flow alone", title_justify="left")
    for name in ("casualties", "days", "seconds", "µs each", "open", "peak RSS, MB"):
        table.add_column(name, justify="right")
    for r in rows:
        table.add_row(
            f"{r['casualties']:,}",
            f"{r['days']:,}",
            f"{r['seconds']:.2f}",
            f"{r['microseconds_per_casualty']:.2f}",
            f"{r['most_open']:,}",
            f"{r['peak_rss_mb']:.0f}",
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    results_file.append("capacity", {"part": "growth", "scale": GROWTH_SCALE, "rows": rows})


def main() -> int:
    """Run the chosen parts; return 1 if a step of a ladder fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--short", action="store_true", help="a quarter of the casualties of the load table")
    parser.add_argument("--long", action="store_true", help=f"growth to {LONG:,} casualties")
    parser.add_argument("--campaign", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.campaign:
        print(json.dumps(measure_growth(options.campaign)))
        return 0
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    holds = ladders() if "ladders" in options.parts else True
    if "load" in options.parts:
        load_table(options.short)
    if "growth" in options.parts:
        growth([*SIZES, *([LONG] if options.long else [])])
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())

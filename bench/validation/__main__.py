"""Measures every target, writes docs/validation.md with pictures, and fails if one is missed without explanation."""

import argparse
import sys
import time
from collections.abc import Iterator

import msgspec
from rich.console import Console
from rich.table import Table

from bench import results_file
from bench.clinical.builtins import builtin
from bench.validation import page, targets
from bench.validation.evidence import Line, Tally, coin_lines, dnbi_lines, historic_lines
from bench.validation.samples import Estimate
from bench.validation.targets import Finding, Samples
from engine import scenario as scenario_api
from engine.run import Simulation
from engine.scenario import Scenario

PATIENTS = 300_000
"""Patients of `coin`."""
OTHER_PATIENTS = 100_000
"""Patients of each other scenario."""
RATE_DAYS = 3650
"""Days of `coin` with its own rates, for the DNBI rate."""
CHUNK = 4096
COLOURS = {"met": "green", "missed": "bold red", "not measured": "red"}


def scenario_of(name: str, total: int) -> Scenario:
    """Return a built-in scenario with a number of patients; `coin+extreme_cold` is `coin` in that environment."""
    base, _, environment = name.partition("+")
    if not environment:
        return builtin(base, total)
    changed = msgspec.structs.replace(builtin(base, total), environment=(environment,))
    return scenario_api.resolve(changed)


def run(name: str, scenario: Scenario, seed: int, wanted: list[targets.Target]) -> tuple[Tally, Samples]:
    """Simulate a scenario; return the counts and the samples of the targets."""
    tally = Tally([facility.role for facility in scenario.facilities])
    samples = Samples([target for target in wanted if name in target.scenario.split("|")], scenario)
    begun = time.perf_counter()
    for chunk in Simulation(scenario, seed, 0, CHUNK):
        tally.add(chunk)
        samples.add(chunk)
    print(
        f"  {name}: {tally.battle + tally.dnbi:,} patients, {time.perf_counter() - begun:.0f} s", flush=True
    )
    return tally, samples


def of_evidence(lines: Iterator[Line], scenario: str) -> Iterator[Finding]:
    """Yield the findings of the targets of docs/model.md section 3.2.1."""
    of_target: dict[int, int] = {}
    for line in lines:
        of_target[line.target] = of_target.get(line.target, 0) + 1
        yield Finding(
            id=f"E{line.target}.{of_target[line.target]}",
            quantity=line.what,
            scenario=scenario,
            published=line.published,
            source=f"model {line.target}",
            measured=Estimate(line.measured, line.low, line.high, line.number),
            unit=line.unit,
            band=line.band,
        )


def measure(patients: int, seed: int) -> list[Finding]:
    """Run the scenarios and return all findings."""
    wanted = targets.load()
    names = sorted({name for target in wanted if not target.needs for name in target.scenario.split("|")})
    tallies, samples = {}, {}
    for name in ["coin", *(x for x in names if x != "coin")]:
        total = patients if name == "coin" else min(patients, OTHER_PATIENTS)
        tallies[name], samples[name] = run(name, scenario_of(name, total), seed, wanted)
    for name in ("falklands", "okinawa"):
        total = min(patients, OTHER_PATIENTS)
        tallies[name], _ = run(name, scenario_of(name, total), seed, [])
    rates = builtin("coin", days=RATE_DAYS)
    strength = sum(front.population or 0 for front in rates.fronts)
    long, _ = run("coin with its own rates", rates, seed, [])
    coin = tallies["coin"]
    return [
        *of_evidence(coin_lines(coin), "coin"),
        *of_evidence(dnbi_lines(coin, strength * RATE_DAYS, long), "coin"),
        *of_evidence(historic_lines(tallies["falklands"], tallies["okinawa"]), "falklands, okinawa"),
        *(targets.finding(target, samples) for target in wanted),
    ]


def show(findings: list[Finding]) -> None:
    """Print the table."""
    table = Table(title="Validation", title_justify="left")
    for name in ("id", "figure"):
        table.add_column(name)
    for name in ("measured", "95 % CI", "published", "accepted", "verdict"):
        table.add_column(name, justify="right")
    for each in findings:
        m, verdict = each.measured, each.verdict
        colour = COLOURS.get(verdict, "none")
        band = f"{each.band[0]:g} to {each.band[1]:g}" if each.band else ""
        measured = (f"{m.value:.3g} {each.unit}", f"{m.low:.3g} to {m.high:.3g}") if m.number else ("", "")
        note = f" ({each.needs})" if each.needs else ""
        table.add_row(
            each.id, each.quantity, *measured, each.published, band, f"[{colour}]{verdict}[/]{note}"
        )
    Console(width=None if sys.stdout.isatty() else 170).print(table)


def main() -> int:
    """Measure, print, write the page and the figures; return 1 if a target fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-page", action="store_true", help="do not write docs/validation.md")
    options = parser.parse_args()
    print(f"Simulating {options.patients:,} patients of coin, then the other scenarios ...", flush=True)
    begun = time.perf_counter()
    findings = measure(options.patients, options.seed)
    seconds = round(time.perf_counter() - begun, 1)
    show(findings)
    if not options.no_page:
        others = min(options.patients, OTHER_PATIENTS)
        page.write(
            findings,
            f"{options.patients:,} patients of `coin` and {others:,} of each other scenario, seed {options.seed}",
        )
        figures = [{**msgspec.to_builtins(each), "verdict": each.verdict} for each in findings]
        results_file.append(
            "validation",
            {"patients": options.patients, "seed": options.seed, "seconds": seconds, "figures": figures},
        )
    failing = [each for each in findings if each.verdict in ("missed", "not measured")]
    for each in failing:
        reason = f"needs {each.needs}" if each.needs else f"{each.measured.value:.4g} is outside {each.band}"
        print(f"{each.verdict}: {each.id} {each.quantity}: {reason}")
    print(f"{len(findings)} figures in {seconds} s: {page.counts(findings)}")
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main())

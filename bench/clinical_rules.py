"""The clinical rules (`tests/clinical_rules`) on simulated records of all built-in scenarios.

Prints for each rule the records that it applies to, the violations, their share, and patients to read. The exit code is
1 if a rule is violated that holds in `today.csv`, or if one holds that did not. `--update` writes that file anew.
"""

import argparse
import sys
import time

from rich.console import Console
from rich.table import Table

import scenarios
from bench import readers
from bench.clinical import rules as clinical_rules
from bench.clinical.builtins import sized
from bench.clinical.rules import Checker, Count

PATIENTS = 100_000
SLOW = {"brigade": 0.2, "division": 0.4, "lsco": 0.2, "nerve_agent": 0.2, "warship_hit": 0.2}
"""By scenario with more casualties than its care is for: its part of the patients, relative to the others."""
COLOURS = {"holds": "green", "not yet": "red", "dormant": "dim"}


def part_of(name: str, names: list[str], patients: int) -> int:
    """Return the number of patients of a scenario, of `patients` in all."""
    weight = sum(SLOW.get(each, 1.0) for each in names)
    return max(1, round(patients * SLOW.get(name, 1.0) / weight))


def check(names: list[str], patients: int, seed: int, checker: Checker, quiet: bool = True) -> int:
    """Judge about `patients` records of the named built-ins by all rules, and return their number."""
    number = 0
    for name in names:
        begun = time.perf_counter()
        part = part_of(name, names, patients)
        number += checker.run(sized(name, part), name, part, seed)
        if not quiet:
            print(f"  {name}: {part:,} patients, {time.perf_counter() - begun:.1f} s", flush=True)
    return number


def show(counts: list[Count], then: dict[str, clinical_rules.Today], everything: bool) -> None:
    """Print the table of the rules."""
    table = Table(title_justify="left")
    for name in ("rule", "kind"):
        table.add_column(name, no_wrap=True)
    for name in ("applies to", "violations", "%", "allowed %", "before %"):
        table.add_column(name, justify="right")
    for name in ("state", "read"):
        table.add_column(name)
    for each in counts:
        if each.state == "dormant" and not everything:
            continue
        before = then.get(each.rule.id)
        colour = COLOURS[each.state]
        table.add_row(
            each.rule.id,
            each.rule.kind,
            f"{each.applies:,}",
            f"{each.violations:,}",
            f"{100 * each.share:.2f}" if each.applies else "",
            f"{100 * each.rule.allowed:g}",
            f"{100 * before.share:.2f}" if before and before.applies else "",
            f"[{colour}]{each.state}[/]",
            f"needs {each.needs}"
            if each.needs
            else "; ".join(f"{name} {row}" for name, row in each.examples),
        )
    Console(width=None if sys.stdout.isatty() else 190).print(table)


def read(counts: list[Count], number: int, names: list[str], patients: int, seed: int) -> None:
    """Print up to `number` records that break each rule."""
    wanted: dict[str, list[tuple[str, int]]] = {}
    for each in counts:
        for name, row in each.examples[:number]:
            wanted.setdefault(name, []).append((each.rule.id, row))
    for name, rows in wanted.items():
        part = part_of(name, names, patients)
        scenario = sized(name, part)
        chunk = readers.simulated(scenario, part, seed)
        for rule, row in rows:
            (text,) = readers.texts(scenario, chunk, [row])
            print(f"{'=' * 10} {rule}: {name}, row {row} {'=' * 10}\n{text}\n")


def differences(counts: list[Count], then: dict[str, clinical_rules.Today]) -> list[str]:
    """Return what is no longer as `today.csv` says, in words."""
    found = []
    for each in counts:
        before = then.get(each.rule.id)
        if before is None:
            found.append(f"{each.rule.id}: is not in today.csv")
        elif before.state == "holds" and clinical_rules.surely_broken(each):
            share = f"{100 * each.share:.2f} %"
            found.append(
                f"{each.rule.id}: held, and {each.violations:,} of {each.applies:,} ({share}) break it now"
            )
        elif before.state == "not yet" and clinical_rules.surely_mended(each, before):
            found.append(f"{each.rule.id}: did not hold, and now it does")
        elif before.state == "dormant" and each.state == "not yet" and clinical_rules.surely_broken(each):
            found.append(
                f"{each.rule.id}: applied to nobody, now {each.violations:,} of {each.applies:,} break it"
            )
    return found


def main() -> int:
    """Check, print, and compare with the recorded state."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--scenario", action="append", help="a built-in; repeatable; default: all")
    parser.add_argument("--rule", action="append", help="a rule by id; repeatable; default: all")
    parser.add_argument("--kind", choices=clinical_rules.KINDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="also show the rules that apply to nobody")
    parser.add_argument(
        "--read", type=int, default=0, metavar="N", help="print N records that break each rule"
    )
    parser.add_argument("--update", action="store_true", help="write today.csv")
    options = parser.parse_args()
    names = options.scenario or list(scenarios.builtin_names())
    chosen = [
        rule
        for rule in clinical_rules.load()
        if (not options.rule or rule.id in options.rule) and options.kind in (None, rule.kind)
    ]
    checker = Checker(chosen)
    begun = time.perf_counter()
    print(f"{len(chosen)} rules on {options.patients:,} patients of {len(names)} scenarios ...", flush=True)
    number = check(names, options.patients, options.seed, checker, quiet=False)
    seconds = time.perf_counter() - begun
    then = clinical_rules.today() if clinical_rules.TODAY.exists() else {}
    show(checker.counts, then, options.all)
    states = [each.state for each in checker.counts]
    print(
        f"{number:,} records in {seconds:.0f} s: {states.count('holds')} rules hold, "
        f"{states.count('not yet')} do not yet, {states.count('dormant')} apply to nobody"
    )
    if options.read:
        read(checker.counts, options.read, names, options.patients, options.seed)
    if options.update:
        clinical_rules.write_today(checker.counts)
        return 0
    changed = differences(checker.counts, then)
    print("\n".join(changed) or "as today.csv says")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())

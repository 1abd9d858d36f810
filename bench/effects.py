"""What care and delay do to deaths in `coin`: care switched off, and before and after the evacuation mandate of 2009.

`make bench-effects` compares scenarios whose replications have the same casualties:

- `coin` without surgery, blood, tourniquets and first aid training, each by one setting: what each costs in points of
  the case fatality rate, in the order of its size;
- bench/mandate/before_2009.toml and after_2009.toml against Kotwal et al., JAMA Surg 2016;151:15, with the definitions
  of docs/model.md section 2.11.2, and the part that each group of their settings has in the fall from one to the other;
- the causes of death in `coin` before and after the first facility against Eastridge et al., J Trauma 2011;71:S4 and
  2012;73:S431. They are shown, not judged.

The exit code is 1 if a direction is wrong or cannot be told from chance, or if a figure of the mandate is more than 1.5
points off: its whole interval lies outside.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

import goldenhour
from bench import results_file
from bench.validation.samples import Estimate, wilson
from engine.inference import Interval
from engine.scenario import Scenario, TreatmentName
from engine.scenario.structs.treatments import TreatmentSetting
from goldenhour import scenario_files
from goldenhour.comparison import Replicated

MANDATE = Path(__file__).resolve().parent / "mandate"
REPLICATIONS = 100
BATTLE_ONLY: dict[str, Any] = {
    "casualties.rates.battle.mean": 30.0,
    "casualties.rates.nbi.mean": 0.0,
    "casualties.rates.disease.mean": 0.0,
}
"""A hundred times the battle casualties of `coin`, some 3,700 in a replication, and no others. No resource is limited
there, so the number changes no rate."""

WITHOUT: dict[str, dict[str, Any]] = {
    "surgery": {"treatments.surgery.available": False},
    "blood": {"treatments.blood_transfusion.available": False},
    "tourniquets": {"treatments.tourniquet.available": False},
    "first aid training": {"survival.aid_success_factor": 0.0},
}
"""By what is switched off: the setting. Without training no first aid works, tourniquets included."""

CFR = "mortality.case_fatality_rate"
PUBLISHED: dict[str, tuple[str, float, float]] = {
    "mortality.percent_kia": ("%KIA", 16.0, 9.9),
    "mortality.percent_dow": ("%DOW", 4.1, 4.3),
    CFR: ("CFR", 13.7, 7.6),
}
"""By measure: its name, and what is published before and after the mandate."""
FALLS = ("mortality.percent_kia", CFR)
"""Measures that fell. %DOW did not, and need not: fast vehicles bring more of the dying to the door alive."""
TOLERANCE = 1.5
"""Points by which a figure may be off."""

FIRST_AID = ("tourniquet", "tranexamic_acid")
BLOOD = ("prehospital_blood",)
BLEEDING = ("torso_haemorrhage", "extremity_haemorrhage", "junctional_haemorrhage")
NOT_SURVIVABLE = ("instantly_fatal_injury", "tbi")
"""Causes that stand for the injuries that a panel would call not survivable; the model has no such classification."""


@dataclass(frozen=True)
class Effect:
    """What switching something off does to the case fatality rate, in %."""

    name: str
    setting: str
    with_it: float
    without: float
    difference: Interval
    """Points; its interval holds together with those of the others."""

    @property
    def holds(self) -> bool:
        """Whether more die without it, beyond chance."""
        return self.difference.low > 0.0


@dataclass(frozen=True)
class MandateFigure:
    """A figure of one period, in %, against the published one."""

    name: str
    period: str
    measured: Interval
    published: float

    @property
    def met(self) -> bool:
        """Whether the interval reaches into the accepted band."""
        return (
            self.measured.low <= self.published + TOLERANCE
            and self.measured.high >= self.published - TOLERANCE
        )


@dataclass(frozen=True)
class Fall:
    """What some settings of the period after the mandate change in the scenario before it, in points."""

    settings: str
    changes: dict[str, Interval]
    """By measure."""


# --- what is simulated


def before() -> Scenario:
    """Return the scenario before the mandate, not resolved."""
    return scenario_files.load(MANDATE / "before_2009.toml")


def after() -> Scenario:
    """Return the scenario after the mandate, not resolved."""
    return scenario_files.load(MANDATE / "after_2009.toml")


def steps() -> dict[str, Scenario]:
    """Return the scenario before the mandate with one group of settings of that after it, by group; all: the latter."""
    old, new = before(), after()

    def treatments(*names: str) -> dict[TreatmentName, TreatmentSetting]:
        kept = {name: given for name, given in old.treatments.items() if name not in names}
        return kept | {name: given for name, given in new.treatments.items() if name in names}

    trained = replace(old.survival, aid_success_factor=new.survival.aid_success_factor)
    casualties = replace(
        old.survival,
        severity=new.survival.severity,
        instant_death=new.survival.instant_death,
        lethality=new.survival.lethality,
    )
    groups = {
        "transport": replace(old, links=new.links),
        "first aid": replace(old, survival=trained, treatments=treatments(*FIRST_AID)),
        "blood on the way": replace(old, treatments=treatments(*BLOOD)),
        "casualties": replace(old, survival=casualties, model=new.model),
    }
    return {name: replace(each, name=name) for name, each in groups.items()} | {"all": new}


# --- what is measured


def effects(replications: int, seed: int) -> list[Effect]:
    """Return what each kind of care is worth in `coin`, the largest first."""
    found = goldenhour.compare(
        "coin",
        settings=BATTLE_ONLY,
        changes=list(WITHOUT.values()),
        measures=[CFR],
        pairs=replications,
        seed=seed,
    )
    rows = [
        Effect(
            name,
            "; ".join(f"{path} = {str(value).lower()}" for path, value in WITHOUT[name].items()),
            each.baseline.estimate,
            each.mean.estimate,
            each.difference,
        )
        for name, each in zip(WITHOUT, found.differences, strict=True)
    ]
    return sorted(rows, key=lambda row: -row.difference.estimate)


def mandate(replications: int, seed: int) -> tuple[list[MandateFigure], list[Fall]]:
    """Return the figures before and after the mandate, and what each group of settings changes; the last one: all."""
    groups = steps()
    found = goldenhour.compare(
        before(),
        *groups.values(),
        settings=BATTLE_ONLY,
        measures=list(PUBLISHED),
        pairs=replications,
        seed=seed,
    )
    measured = {(each.quantity.name, each.alternative): each for each in found.differences}
    figures = []
    for measure, (name, old, new) in PUBLISHED.items():
        both = measured[measure, len(groups)]
        figures.append(MandateFigure(name, "before", both.baseline, old))
        figures.append(MandateFigure(name, "after", both.mean, new))
    falls = [
        Fall(group, {measure: measured[measure, number].difference for measure in PUBLISHED})
        for number, group in enumerate(groups, start=1)
    ]
    return figures, falls


def causes(replications: int, seed: int) -> list[tuple[str, Estimate, str]]:
    """Return shares of the causes of death in `coin`, in %, with what is published."""
    found = goldenhour.replicate("coin", replications, settings=BATTLE_ONLY, seed=seed)
    killed, died = _deaths(found, "kia"), _deaths(found, "dow")
    all_killed, all_died = sum(killed.values()), sum(died.values())
    survivable = all_killed - sum(killed.get(cause, 0) for cause in NOT_SURVIVABLE)

    def share(deaths: dict[str, int], names: Sequence[str], of: int) -> Estimate:
        return wilson(sum(deaths.get(name, 0) for name in names), of)

    bled = sum(died.get(cause, 0) for cause in BLEEDING)
    rest = "KIA, not at once and not of brain injury:"
    return [
        ("deaths before the first facility, of all", wilson(all_killed, all_killed + all_died), "87.3"),
        (f"{rest} haemorrhage", share(killed, BLEEDING, survivable), "91 of the potentially survivable"),
        (f"{rest} tension pneumothorax", share(killed, ("tension_pneumothorax",), survivable), "1 of these"),
        ("DOW: brain injury", share(died, ("tbi",), all_died), "40 or more"),
        ("DOW: haemorrhage", share(died, BLEEDING, all_died), "41 or more"),
        ("DOW of haemorrhage: torso", share(died, BLEEDING[:1], bled), "48"),
        ("DOW of haemorrhage: extremity", share(died, BLEEDING[1:2], bled), "31"),
        ("DOW of haemorrhage: junctional", share(died, BLEEDING[2:], bled), "21"),
    ]


def _deaths(found: Replicated, status: str) -> dict[str, int]:
    """Return the deaths with a status by cause, over all replications."""
    prefix = f"deaths.{status}.causes."
    return {
        name.removeprefix(prefix): int(np.nansum(found.values(name)))
        for name in found.replications.names
        if name.startswith(prefix)
    }


# --- what is printed


def _span(interval: Interval | Estimate, digits: int = 2) -> str:
    return f"{interval.low:.{digits}f} to {interval.high:.{digits}f}"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table


def _show_effects(console: Console, rows: Sequence[Effect]) -> None:
    table = _table(
        "coin without ...: case fatality rate",
        "", "setting", "with, %", "without, %", "points", "95 % interval", "order", "",
    )  # fmt: skip
    for order, row in enumerate(rows, start=1):
        table.add_row(
            row.name, row.setting, f"{row.with_it:.2f}", f"{row.without:.2f}",
            f"{row.difference.estimate:.2f}", _span(row.difference), str(order), "ok" if row.holds else "WRONG",
        )  # fmt: skip
    console.print(table)


def _show_mandate(console: Console, figures: Sequence[MandateFigure], falls: Sequence[Fall]) -> None:
    table = _table(
        f"the mandate of 2009, within {TOLERANCE:g} points",
        "", "period", "measured, %", "95 % interval", "published", "off by", "",
    )  # fmt: skip
    for row in figures:
        table.add_row(
            row.name, row.period, f"{row.measured.estimate:.2f}", _span(row.measured), f"{row.published:g}",
            f"{row.measured.estimate - row.published:+.2f}", "met" if row.met else "MISSED",
        )  # fmt: skip
    console.print(table)
    table = _table("before the mandate, but after it in ...: points", "", *(x[0] for x in PUBLISHED.values()))
    for fall in falls:
        changes = (fall.changes[measure] for measure in PUBLISHED)
        table.add_row(fall.settings, *(f"{each.estimate:+.2f} ({_span(each)})" for each in changes))
    console.print(table)


def _show_causes(console: Console, rows: Sequence[tuple[str, Estimate, str]]) -> None:
    table = _table("causes of death in coin, %", "share", "measured", "95 % interval", "n", "published")
    for name, found, published in rows:
        table.add_row(name, f"{found.value:.1f}", _span(found, 1), f"{found.number:,}", published)
    console.print(table)


def wrong(rows: Sequence[Effect], figures: Sequence[MandateFigure], falls: Sequence[Fall]) -> list[str]:
    """Return what fails: directions that are wrong or cannot be told from chance, and figures that are off."""
    every = falls[-1]
    return [
        *(f"{row.name}: no more die without it" for row in rows if not row.holds),
        *(f"{row.name} {row.period} the mandate" for row in figures if not row.met),
        *(
            f"{PUBLISHED[measure][0]} does not fall"
            for measure in FALLS
            if every.changes[measure].high >= 0.0
        ),
        *(
            f"{PUBLISHED[measure][0]} does not fall with faster transport"
            for measure in FALLS
            if falls[0].changes[measure].high >= 0.0
        ),
    ]


def main() -> int:
    """Run all comparisons, print and record them, and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replications", type=int, default=REPLICATIONS, help="pairs of replications")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 150)
    rows = effects(arguments.replications, arguments.seed)
    _show_effects(console, rows)
    figures, falls = mandate(arguments.replications, arguments.seed)
    _show_mandate(console, figures, falls)
    shares = causes(arguments.replications, arguments.seed)
    _show_causes(console, shares)
    failed = wrong(rows, figures, falls)
    results_file.append(
        "effects",
        {
            "replications": arguments.replications,
            "seed": arguments.seed,
            "effects": {
                row.name: [row.difference.estimate, row.difference.low, row.difference.high] for row in rows
            },
            "mandate": [
                {
                    "name": row.name,
                    "period": row.period,
                    "measured": row.measured.estimate,
                    "published": row.published,
                }
                for row in figures
            ],
            "causes": {name: round(found.value, 2) for name, found, _ in shares},
            "failed": failed,
        },
    )
    for each in failed:
        console.print(f"FAILED: {each}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

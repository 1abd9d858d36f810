"""What the battle casualties of a scenario are like, with the tilts that lead to it, for `scenarios check`."""

from math import isfinite
from typing import TYPE_CHECKING, Any

from engine.scenario import Scenario
from goldenhour.console import Table

if TYPE_CHECKING:
    from engine.compile import TypeReport


def battle_report_tables(scenario: Scenario, report: "dict[str, TypeReport]") -> list[Table]:
    """The shares of triage that the scenario asks for and those reached, and what was solved, by warfare type."""
    if not report:
        return []
    return [_triage_table(scenario, report), _solved_table(report)]


def battle_report_json(report: "dict[str, TypeReport]") -> dict[str, Any]:
    """The same as plain data; a share of T4 is the last of four."""
    return {
        "battle_triage": {
            name: [round(share, 6) for share in _categories(of_type)] for name, of_type in report.items()
        },
        "battle_solved": {
            name: {
                "lethality": round(of_type.shares.lethality, 6),
                "untreated_minutes": of_type.shares.untreated_minutes,
                "tilts": {tilt: value if isfinite(value) else None for tilt, value in of_type.tilts.items()},
            }
            for name, of_type in report.items()
        },
    }


def _categories(of_type: "TypeReport") -> list[float]:
    """The shares of T1 to T3, and of T4 under the expectant policy."""
    return of_type.shares.triage if isfinite(of_type.tilts["expectant_niss"]) else of_type.shares.triage[:3]


def _triage_table(scenario: Scenario, report: "dict[str, TypeReport]") -> Table:
    width = max(len(_categories(of_type)) for of_type in report.values())
    heads = ("T1", "T2", "T3", "T4")[:width]
    shown = Table("warfare type", *heads, right=heads, title="Triage of battle casualties")
    wanted: dict[Any, float] = (scenario.triage or {}).get("battle") or {}
    if wanted:
        shown.add_row(
            "asked for", *(f"{100 * wanted[head]:.1f} %" if head in wanted else "" for head in heads)
        )
    for name, of_type in report.items():
        shown.add_row(f"reached: {name}", *(f"{100 * share:.1f} %" for share in _categories(of_type)))
    shown.caption = "of those who arrive and are not back on duty within 72 h"
    if width == 4:
        shown.caption += ", in mass casualty incidents; elsewhere T4 are T1"
    return shown


def _solved_table(report: "dict[str, TypeReport]") -> Table:
    heads = ("severity", "die untreated", "median minutes", "AIS 2 to surgery")
    shown = Table("warfare type", *heads, right=heads, title="Solved for battle casualties")
    for name, of_type in report.items():
        minutes = of_type.shares.untreated_minutes
        shown.add_row(
            name,
            f"{of_type.tilts['severity']:+.3f}",
            f"{100 * of_type.shares.lethality:.1f} %",
            "" if minutes is None else f"{minutes:.0f}",
            f"{100 * of_type.tilts['surgical_ais2']:.0f} %",
        )
    shown.caption = "severity: mean of the latent severity; die untreated: of those not killed at once"
    return shown

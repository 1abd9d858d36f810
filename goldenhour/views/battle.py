"""What the battle casualties of a scenario are like, with the tilts that lead to it, for `scenarios check`."""

from math import isfinite
from typing import TYPE_CHECKING, Any

from engine.scenario import WARFARE_TYPES, Scenario, agent_share
from goldenhour.console import Table

if TYPE_CHECKING:
    from engine.compile import TypeReport


def battle_report_tables(scenario: Scenario, report: "dict[str, TypeReport]") -> list[Table]:
    """The shares of triage that the scenario asks for and those reached, and what was solved, by warfare type."""
    if not report:
        return []
    return [_triage_table(scenario, report), _solved_table(report)]


def battle_report_json(scenario: Scenario, report: "dict[str, TypeReport]") -> dict[str, Any]:
    """The same as plain data, by warfare type; `agents` is the share of battle casualties to whom it does not apply."""
    return {
        "battle_triage": {
            name: {category: round(share, 6) for category, share in _categories(scenario, of_type).items()}
            for name, of_type in report.items()
        },
        "battle_solved": {
            name: {
                "lethality": round(of_type.shares.lethality, 6),
                "untreated_minutes": _rounded(of_type.shares.untreated_minutes),
                "agents": round(_agents(name), 6),
                "tilts": {tilt: value if isfinite(value) else None for tilt, value in of_type.tilts.items()},
            }
            for name, of_type in report.items()
        },
    }


def _categories(scenario: Scenario, of_type: "TypeReport") -> dict[str, float]:
    """The shares of T1 to T3, and of T4 under the expectant policy."""
    heads = ("T1", "T2", "T3", "T4") if scenario.expectant else ("T1", "T2", "T3")
    return dict(zip(heads, of_type.shares.triage, strict=False))


def _agents(name: str) -> float:
    """The share of agent casualties among the battle casualties of a warfare type, `standard` for none."""
    return next((agent_share(known) for known in WARFARE_TYPES if known == name), 0.0)


def _row_name(name: str) -> str:
    """A warfare type; with the share of its battle casualties to whom the row applies, unless these are all."""
    agents = _agents(name)
    return f"{name}, wounded ({100 * (1 - agents):.0f} %)" if agents else name


def _rounded(minutes: float | None) -> float | None:
    return None if minutes is None else round(minutes, 6)


def _triage_table(scenario: Scenario, report: "dict[str, TypeReport]") -> Table:
    heads = ("T1", "T2", "T3", "T4") if scenario.expectant else ("T1", "T2", "T3")
    shown = Table("warfare type", *heads, right=heads, title="Triage of battle casualties")
    wanted: dict[Any, float] = (scenario.triage or {}).get("battle") or {}
    if wanted:
        shown.add_row(
            "asked for", *(f"{100 * wanted[head]:.1f} %" if head in wanted else "" for head in heads)
        )
    for name, of_type in report.items():
        shares = _categories(scenario, of_type).values()
        label = f"reached: {_row_name(name)}" if wanted else _row_name(name)
        shown.add_row(label, *(f"{100 * share:.1f} %" for share in shares))
    shown.caption = "of those who arrive and are not back on duty within 72 h"
    if scenario.expectant:
        shown.caption += ", in mass casualty incidents; elsewhere T4 are T1"
    shown.caption_justify = "left"
    return shown


def _solved_table(report: "dict[str, TypeReport]") -> Table:
    heads = ("severity", "die untreated", "median minutes", "AIS 2 to surgery")
    shown = Table("warfare type", *heads, right=heads, title="Solved for battle casualties")
    for name, of_type in report.items():
        minutes = of_type.shares.untreated_minutes
        shown.add_row(
            _row_name(name),
            f"{of_type.tilts['severity']:+.3f}",
            f"{100 * of_type.shares.lethality:.1f} %",
            "" if minutes is None else f"{minutes:,.0f}" if minutes >= 10 else f"{minutes:.2g}",
            f"{100 * of_type.tilts['surgical_ais2']:.0f} %",
        )
    shown.caption = "severity: mean of the latent severity; die untreated: of those not killed at once"
    shown.caption_justify = "left"
    return shown

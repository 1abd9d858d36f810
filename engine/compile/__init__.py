"""Compile a resolved scenario to the arrays that the kernel reads."""

from engine.compile.complications import busy_minutes
from engine.compile.listed import has_mean_iss
from engine.compile.listed_deaths import ListedDeaths
from engine.compile.model import (
    NOTHING,
    TABLE_BUILDERS,
    TypeReport,
    battle_triage_report,
    begin_replication,
    compile_scenario,
    compile_tables,
    listed_deaths_report,
)
from engine.compile.network import compile_network
from engine.compile.rows import environment
from engine.compile.tilts import TILT, tilts_of
from engine.compile.treatments import killing_masks

__all__ = [
    "NOTHING",
    "TABLE_BUILDERS",
    "TILT",
    "ListedDeaths",
    "TypeReport",
    "battle_triage_report",
    "begin_replication",
    "busy_minutes",
    "compile_network",
    "compile_scenario",
    "compile_tables",
    "environment",
    "has_mean_iss",
    "killing_masks",
    "listed_deaths_report",
    "tilts_of",
]

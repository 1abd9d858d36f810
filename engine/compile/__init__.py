"""Compile a resolved scenario to the arrays that the kernel reads."""

from engine.compile.listed import has_mean_iss
from engine.compile.model import (
    NOTHING,
    TABLE_BUILDERS,
    battle_triage_report,
    compile_scenario,
    fitted_severity,
    is_severity_fitted,
)
from engine.compile.network import compile_network

__all__ = [
    "NOTHING",
    "TABLE_BUILDERS",
    "battle_triage_report",
    "compile_network",
    "compile_scenario",
    "fitted_severity",
    "has_mean_iss",
    "is_severity_fitted",
]

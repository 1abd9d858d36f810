"""Compile times of treatments to the table of `engine.clinical.treatments`."""

from engine.compile.rows import filled_from
from engine.scenario import Scenario, model_constants
from engine.tables import TREATMENT_PARAMETERS, Table


def compile_treatments(scenario: Scenario) -> Table:
    """Return one row of TREATMENT_PARAMETERS for a resolved scenario."""
    return filled_from(TREATMENT_PARAMETERS, model_constants(scenario, "treatments")["treatments"])

"""Compile times of treatments and parameters of vital signs to the tables of `engine.clinical.treatments`."""

from engine.compile.rows import filled_from
from engine.scenario import Scenario, model_constants
from engine.tables import TREATMENT_PARAMETERS, VITAL_SIGN_PARAMETERS, Table


def compile_treatments(scenario: Scenario) -> Table:
    """Return one row of TREATMENT_PARAMETERS for a resolved scenario."""
    return filled_from(TREATMENT_PARAMETERS, model_constants(scenario, "treatments")["treatments"])


def compile_vital_signs(scenario: Scenario) -> Table:
    """Return one row of VITAL_SIGN_PARAMETERS for a resolved scenario."""
    return filled_from(VITAL_SIGN_PARAMETERS, model_constants(scenario, "treatments")["vital_signs"])

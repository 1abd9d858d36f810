"""Compile times of treatments and parameters of vital signs to the tables of `engine.clinical.treatments`."""

from engine.compile.rows import filled_from
from engine.tables import TREATMENT_PARAMETERS, VITAL_SIGN_PARAMETERS, Table
from scenarios.tables import model_parameters


def compile_treatments() -> Table:
    """Return one row of TREATMENT_PARAMETERS; no scenario changes it."""
    return filled_from(TREATMENT_PARAMETERS, model_parameters("treatments")["treatments"])


def compile_vital_signs() -> Table:
    """Return one row of VITAL_SIGN_PARAMETERS; no scenario changes it."""
    return filled_from(VITAL_SIGN_PARAMETERS, model_parameters("treatments")["vital_signs"])

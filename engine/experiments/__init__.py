"""Experiments: what many replications of one or more scenarios say."""

from engine.experiments.comparison import Difference, compare_replications
from engine.experiments.quantities import (
    DEFAULT_QUANTITIES,
    QUANTITIES,
    Quantity,
    find_quantities,
    values_of,
)

__all__ = [
    "DEFAULT_QUANTITIES",
    "QUANTITIES",
    "Difference",
    "Quantity",
    "compare_replications",
    "find_quantities",
    "values_of",
]

"""The register of the values that single clinical rules need and that take more than an expression."""

from collections.abc import Callable
from typing import Any

from bench.clinical.records import Records

PREDICATES: dict[str, Callable[[Records], Any]] = {}
"""By name in the expressions of the rules: a function that returns a column, or a function that an expression calls."""


def predicate(function: Callable[[Records], Any]) -> Callable[[Records], Any]:
    """Register a value for the expressions of the rules."""
    PREDICATES[function.__name__] = function
    return function

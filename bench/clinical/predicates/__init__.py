"""Values that single clinical rules need and that take more than an expression: `PREDICATES`, by name.

Each is a function of `Records` that returns a column, or a function that an expression calls. The modules hold them by
kind: diagnoses, treatments, operations, vital signs and the course.
"""

from bench.clinical.predicates import course, diagnoses, operations, treatments, vital_signs
from bench.clinical.predicates.registry import PREDICATES, predicate

__all__ = ["PREDICATES", "course", "diagnoses", "operations", "predicate", "treatments", "vital_signs"]

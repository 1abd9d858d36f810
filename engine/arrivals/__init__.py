"""Who is injured or falls ill when and where: the plan of a scenario's arrivals, and the arrivals themselves."""

from engine.arrivals.generate import generate_arrivals
from engine.arrivals.plan import ExpectedArrivals, expected_arrivals, plan_arrivals

__all__ = [
    "ExpectedArrivals",
    "expected_arrivals",
    "generate_arrivals",
    "plan_arrivals",
]

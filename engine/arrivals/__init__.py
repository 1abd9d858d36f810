"""Who is injured or falls ill when and where: the plan of a scenario's arrivals, and the arrivals themselves."""

from engine.arrivals.generate import ENTRY_POINTS_RATES, ENTRY_POINTS_TOTAL, generate_arrivals
from engine.arrivals.incidents import BRIDGE_LENGTH, SizeTables
from engine.arrivals.plan import ArrivalPlan, ExpectedArrivals, Group, expected_arrivals, plan_arrivals
from engine.arrivals.rows import CELL, PATTERN, RATE

__all__ = [
    "BRIDGE_LENGTH",
    "CELL",
    "ENTRY_POINTS_RATES",
    "ENTRY_POINTS_TOTAL",
    "PATTERN",
    "RATE",
    "ArrivalPlan",
    "ExpectedArrivals",
    "Group",
    "SizeTables",
    "expected_arrivals",
    "generate_arrivals",
    "plan_arrivals",
]

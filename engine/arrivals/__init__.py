"""Who is injured or falls ill when and where: the plan of a scenario's arrivals, and the arrivals themselves."""

from engine.arrivals.generate import arrival_entry_points, generate_arrivals
from engine.arrivals.incidents import BRIDGE_LENGTH, SizeTables
from engine.arrivals.listed import draw_listed, listed_arrivals, plan_listed
from engine.arrivals.peak import Peak, find_peak
from engine.arrivals.plan import ArrivalPlan, ExpectedArrivals, Group, expected_arrivals, plan_arrivals
from engine.arrivals.rows import CELL, LISTED, PATTERN, RATE

__all__ = [
    "BRIDGE_LENGTH",
    "CELL",
    "LISTED",
    "PATTERN",
    "RATE",
    "ArrivalPlan",
    "ExpectedArrivals",
    "Group",
    "Peak",
    "SizeTables",
    "arrival_entry_points",
    "draw_listed",
    "expected_arrivals",
    "find_peak",
    "generate_arrivals",
    "listed_arrivals",
    "plan_arrivals",
    "plan_listed",
]

"""Who is injured or falls ill when and where: the plan of a scenario's arrivals, and the arrivals themselves."""

from engine.arrivals.generate import arrival_entry_points, generate_arrivals
from engine.arrivals.incidents import BRIDGE_LENGTH, SizeTables
from engine.arrivals.listed import draw_listed, listed_arrivals, plan_listed
from engine.arrivals.peak import Peak, find_peak, peak_of
from engine.arrivals.plan import (
    ArrivalPlan,
    ExpectedArrivals,
    Group,
    expected_arrivals,
    expected_strength,
    plan_arrivals,
)
from engine.arrivals.rows import CELL, LISTED, PATTERN, RATE
from engine.arrivals.spread import (
    ArrivalCounts,
    Range,
    TotalSpread,
    count_replications,
    range_of,
    total_spread,
)

__all__ = [
    "BRIDGE_LENGTH",
    "CELL",
    "LISTED",
    "PATTERN",
    "RATE",
    "ArrivalCounts",
    "ArrivalPlan",
    "ExpectedArrivals",
    "Group",
    "Peak",
    "Range",
    "SizeTables",
    "TotalSpread",
    "arrival_entry_points",
    "count_replications",
    "draw_listed",
    "expected_arrivals",
    "expected_strength",
    "find_peak",
    "generate_arrivals",
    "listed_arrivals",
    "peak_of",
    "plan_arrivals",
    "plan_listed",
    "range_of",
    "total_spread",
]

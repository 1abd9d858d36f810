"""Experiments: what many replications of one or more scenarios say."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from engine.experiments.comparison import Difference, compare_replications
    from engine.experiments.plan import (
        ExperimentPlan,
        PlanDesign,
        PlanFactor,
        PlanHeader,
        PlanPoint,
        PlanReplications,
        PlanResults,
        PlanShares,
        short_path,
    )
    from engine.experiments.plan_reading import (
        check_factors,
        completed,
        half_width_of,
        parse_plan,
        parse_plan_text,
        plan_to_toml,
    )
    from engine.experiments.points import (
        MOST_POINTS,
        Assumption,
        DesignPoint,
        DesignPoints,
        Price,
        design_of,
        inference_factor,
        overrides_of,
        prepare_base,
        prepare_point,
        price_of,
        try_levels,
    )
    from engine.experiments.quantities import (
        DEFAULT_QUANTITIES,
        QUANTITIES,
        Quantity,
        find_quantities,
        values_of,
    )
    from engine.experiments.tornado import Swing, holds, swings
    from engine.experiments.uncertainty import Assumed, Split, assumption_points, split_variance

__getattr__ = lazy_attributes(
    __name__,
    {
        "comparison": ("Difference", "compare_replications"),
        "plan": (
            "ExperimentPlan",
            "PlanDesign",
            "PlanFactor",
            "PlanHeader",
            "PlanPoint",
            "PlanReplications",
            "PlanResults",
            "PlanShares",
            "short_path",
        ),
        "plan_reading": (
            "check_factors",
            "completed",
            "half_width_of",
            "parse_plan",
            "parse_plan_text",
            "plan_to_toml",
        ),
        "points": (
            "MOST_POINTS",
            "Assumption",
            "DesignPoint",
            "DesignPoints",
            "Price",
            "design_of",
            "inference_factor",
            "overrides_of",
            "prepare_base",
            "prepare_point",
            "price_of",
            "try_levels",
        ),
        "quantities": ("DEFAULT_QUANTITIES", "QUANTITIES", "Quantity", "find_quantities", "values_of"),
        "tornado": ("Swing", "holds", "swings"),
        "uncertainty": ("Assumed", "Split", "assumption_points", "split_variance"),
    },
)

__all__ = [
    "DEFAULT_QUANTITIES",
    "MOST_POINTS",
    "QUANTITIES",
    "Assumed",
    "Assumption",
    "DesignPoint",
    "DesignPoints",
    "Difference",
    "ExperimentPlan",
    "PlanDesign",
    "PlanFactor",
    "PlanHeader",
    "PlanPoint",
    "PlanReplications",
    "PlanResults",
    "PlanShares",
    "Price",
    "Quantity",
    "Split",
    "Swing",
    "assumption_points",
    "check_factors",
    "compare_replications",
    "completed",
    "design_of",
    "find_quantities",
    "half_width_of",
    "holds",
    "inference_factor",
    "overrides_of",
    "parse_plan",
    "parse_plan_text",
    "plan_to_toml",
    "prepare_base",
    "prepare_point",
    "price_of",
    "short_path",
    "split_variance",
    "swings",
    "try_levels",
    "values_of",
]

"""Experiments: what many replications of one or more scenarios say."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from engine.experiments.comparison import Difference, compare_replications
    from engine.experiments.designing import design_of
    from engine.experiments.effects import EFFECT_COLUMNS, Effect, alias_notes, effect_row, effects_of
    from engine.experiments.estimates import (
        Estimate,
        estimate_columns,
        estimate_measure,
        estimate_notes,
        estimate_points,
        estimate_row,
        interval_confidence,
        with_holm,
    )
    from engine.experiments.formulas import Formula, FormulaError, parse_formula
    from engine.experiments.levels import inference_factor, try_levels
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
        DesignPoint,
        DesignPoints,
        overrides_of,
        prepare_base,
        prepare_point,
        prepare_with,
    )
    from engine.experiments.price import MOST_POINTS, Price, check_size, price_of
    from engine.experiments.quantities import (
        DEFAULT_QUANTITIES,
        QUANTITIES,
        Quantity,
        find_quantities,
        values_of,
    )
    from engine.experiments.stopping import (
        Stopping,
        assess_points,
        first_counts,
        is_about_differences,
        is_sequential,
    )
    from engine.experiments.tornado import Swing, holds, swings
    from engine.experiments.uncertainty import Assumed, Split, assumption_points, split_variance

__getattr__ = lazy_attributes(
    __name__,
    {
        "comparison": ("Difference", "compare_replications"),
        "designing": ("design_of",),
        "effects": ("EFFECT_COLUMNS", "Effect", "alias_notes", "effect_row", "effects_of"),
        "estimates": (
            "Estimate",
            "estimate_columns",
            "estimate_measure",
            "estimate_notes",
            "estimate_points",
            "estimate_row",
            "interval_confidence",
            "with_holm",
        ),
        "formulas": ("Formula", "FormulaError", "parse_formula"),
        "levels": ("inference_factor", "try_levels"),
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
            "DesignPoint",
            "DesignPoints",
            "overrides_of",
            "prepare_base",
            "prepare_point",
            "prepare_with",
        ),
        "price": ("MOST_POINTS", "Price", "check_size", "price_of"),
        "quantities": ("DEFAULT_QUANTITIES", "QUANTITIES", "Quantity", "find_quantities", "values_of"),
        "stopping": ("Stopping", "assess_points", "first_counts", "is_about_differences", "is_sequential"),
        "tornado": ("Swing", "holds", "swings"),
        "uncertainty": ("Assumed", "Split", "assumption_points", "split_variance"),
    },
)

__all__ = [
    "Assumed",
    "DEFAULT_QUANTITIES",
    "DesignPoint",
    "DesignPoints",
    "Difference",
    "EFFECT_COLUMNS",
    "Effect",
    "Estimate",
    "ExperimentPlan",
    "Formula",
    "FormulaError",
    "MOST_POINTS",
    "PlanDesign",
    "PlanFactor",
    "PlanHeader",
    "PlanPoint",
    "PlanReplications",
    "PlanResults",
    "PlanShares",
    "Price",
    "QUANTITIES",
    "Quantity",
    "Split",
    "Stopping",
    "Swing",
    "alias_notes",
    "assess_points",
    "assumption_points",
    "check_factors",
    "check_size",
    "compare_replications",
    "completed",
    "design_of",
    "effect_row",
    "effects_of",
    "estimate_columns",
    "estimate_measure",
    "estimate_notes",
    "estimate_points",
    "estimate_row",
    "find_quantities",
    "first_counts",
    "half_width_of",
    "holds",
    "inference_factor",
    "interval_confidence",
    "is_about_differences",
    "is_sequential",
    "overrides_of",
    "parse_formula",
    "parse_plan",
    "parse_plan_text",
    "plan_to_toml",
    "prepare_base",
    "prepare_point",
    "prepare_with",
    "price_of",
    "short_path",
    "split_variance",
    "swings",
    "try_levels",
    "values_of",
    "with_holm",
]

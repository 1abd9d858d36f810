"""Statistics of experiments: intervals over replications, when to stop, comparison, selection, designs, sensitivity."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from engine.inference.cheapest import (
        Cheapest,
        CheapestRule,
        Examined,
    )
    from engine.inference.correlation import rank_correlation
    from engine.inference.decisions import (
        Decision,
        Requirement,
        mean_sequence,
        share_evidence,
        share_sequence,
    )
    from engine.inference.designs import (
        Design,
        Points,
        fractional_factorial,
        full_factorial,
        latin_hypercube,
        list_design,
        morris_design,
        one_at_a_time,
        shares_on_the_simplex,
        sobol_index_design,
        sobol_sequence,
    )
    from engine.inference.distributions import (
        beta_cdf,
        beta_quantile,
        binomial_cdf,
        check_confidence,
        normal_cdf,
        normal_quantile,
        t_cdf,
        t_half_width_factor,
        t_quantile,
    )
    from engine.inference.factors import (
        Factor,
    )
    from engine.inference.fractions import (
        Fraction,
        smallest_fraction,
    )
    from engine.inference.fronts import (
        FrontPoint,
        FrontRule,
    )
    from engine.inference.intervals import (
        Interval,
        differences,
        interval_notes,
        mean_interval,
        mean_p_value,
        median_interval,
        observed,
        paired_interval,
        quantile_count,
        quantile_interval,
        share_interval,
        unseen_share,
        variance_ratio,
    )
    from engine.inference.multiple import (
        holm,
        simultaneous_intervals,
    )
    from engine.inference.selection import (
        Selection,
        SelectionRule,
    )
    from engine.inference.sensitivity import (
        MorrisIndex,
        SobolIndices,
        morris_indices,
        sobol_indices,
    )
    from engine.inference.sequential import (
        MeasureProgress,
        Precision,
        Progress,
        StoppingRule,
        error_factor,
        look_schedule,
    )

__getattr__ = lazy_attributes(
    __name__,
    {
        "cheapest": (
            "Cheapest",
            "CheapestRule",
            "Examined",
        ),
        "decisions": (
            "Decision",
            "Requirement",
            "mean_sequence",
            "share_evidence",
            "share_sequence",
        ),
        "correlation": ("rank_correlation",),
        "designs": (
            "Design",
            "Points",
            "fractional_factorial",
            "full_factorial",
            "latin_hypercube",
            "list_design",
            "morris_design",
            "one_at_a_time",
            "shares_on_the_simplex",
            "sobol_index_design",
            "sobol_sequence",
        ),
        "distributions": (
            "beta_cdf",
            "beta_quantile",
            "binomial_cdf",
            "check_confidence",
            "normal_cdf",
            "normal_quantile",
            "t_cdf",
            "t_half_width_factor",
            "t_quantile",
        ),
        "factors": ("Factor",),
        "fractions": (
            "Fraction",
            "smallest_fraction",
        ),
        "fronts": (
            "FrontPoint",
            "FrontRule",
        ),
        "intervals": (
            "Interval",
            "differences",
            "interval_notes",
            "mean_interval",
            "mean_p_value",
            "median_interval",
            "observed",
            "paired_interval",
            "quantile_count",
            "quantile_interval",
            "share_interval",
            "unseen_share",
            "variance_ratio",
        ),
        "multiple": (
            "holm",
            "simultaneous_intervals",
        ),
        "selection": (
            "Selection",
            "SelectionRule",
        ),
        "sensitivity": (
            "MorrisIndex",
            "SobolIndices",
            "morris_indices",
            "sobol_indices",
        ),
        "sequential": (
            "MeasureProgress",
            "Precision",
            "Progress",
            "StoppingRule",
            "error_factor",
            "look_schedule",
        ),
    },
)

__all__ = [
    "Cheapest",
    "CheapestRule",
    "Decision",
    "Design",
    "Examined",
    "Factor",
    "Fraction",
    "FrontPoint",
    "FrontRule",
    "Interval",
    "MeasureProgress",
    "MorrisIndex",
    "Points",
    "Precision",
    "Progress",
    "Requirement",
    "Selection",
    "SelectionRule",
    "SobolIndices",
    "StoppingRule",
    "beta_cdf",
    "beta_quantile",
    "binomial_cdf",
    "check_confidence",
    "differences",
    "error_factor",
    "fractional_factorial",
    "full_factorial",
    "holm",
    "interval_notes",
    "latin_hypercube",
    "list_design",
    "look_schedule",
    "mean_interval",
    "mean_p_value",
    "mean_sequence",
    "median_interval",
    "morris_design",
    "morris_indices",
    "normal_cdf",
    "normal_quantile",
    "observed",
    "one_at_a_time",
    "paired_interval",
    "quantile_count",
    "quantile_interval",
    "rank_correlation",
    "share_evidence",
    "share_interval",
    "share_sequence",
    "shares_on_the_simplex",
    "simultaneous_intervals",
    "smallest_fraction",
    "sobol_index_design",
    "sobol_indices",
    "sobol_sequence",
    "t_cdf",
    "t_half_width_factor",
    "t_quantile",
    "unseen_share",
    "variance_ratio",
]

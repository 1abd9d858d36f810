"""Statistics of experiments: intervals over replications, when to stop, comparison, selection, designs, sensitivity."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
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
    from engine.inference.intervals import (
        Interval,
        differences,
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
    from engine.inference.sequential import (
        MeasureProgress,
        Precision,
        Progress,
        StoppingRule,
    )

__getattr__ = lazy_attributes(
    __name__,
    {
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
        "intervals": (
            "Interval",
            "differences",
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
        "sequential": (
            "MeasureProgress",
            "Precision",
            "Progress",
            "StoppingRule",
        ),
    },
)

__all__ = [
    "Interval",
    "MeasureProgress",
    "Precision",
    "Progress",
    "Selection",
    "SelectionRule",
    "StoppingRule",
    "beta_cdf",
    "beta_quantile",
    "binomial_cdf",
    "check_confidence",
    "differences",
    "holm",
    "mean_interval",
    "mean_p_value",
    "median_interval",
    "normal_cdf",
    "normal_quantile",
    "observed",
    "paired_interval",
    "quantile_count",
    "quantile_interval",
    "share_interval",
    "simultaneous_intervals",
    "t_cdf",
    "t_half_width_factor",
    "t_quantile",
    "unseen_share",
    "variance_ratio",
]

"""What the commands show on the terminal: tables, the network, the progress of a run, and values as text."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from goldenhour.views.arrivals import expected_arrivals_json, show_expected_arrivals
    from goldenhour.views.battle import battle_report_json, battle_report_tables
    from goldenhour.views.cache import backend_table, cluster_cache_table
    from goldenhour.views.comparison import comparison_json, comparison_table
    from goldenhour.views.experiment import (
        experiment_json,
        experiment_tables,
        experiment_words,
        factors_table,
        price_json,
    )
    from goldenhour.views.formatting import format_duration, format_seconds, format_time
    from goldenhour.views.network import (
        capabilities_table,
        facilities_table,
        links_table,
        network_json,
        policies,
        show_network,
    )
    from goldenhour.views.optimisation import (
        front_picture,
        optimisation_json,
        optimisation_table,
        optimisation_words,
    )
    from goldenhour.views.progress import compile_first, progress_view
    from goldenhour.views.replications import replications_line, replications_words
    from goldenhour.views.runs import RunsView, experiments_table, runs_table, show_run
    from goldenhour.views.scenarios import evidence_table, scenarios_table, versions_table
    from goldenhour.views.sensitivity import sensitivity_json, tornado_table
    from goldenhour.views.settings import care_settings, listed_json, show_care_settings, show_listed
    from goldenhour.views.summary import show_summary, summary_tables

__getattr__ = lazy_attributes(
    __name__,
    {
        "arrivals": (
            "expected_arrivals_json",
            "show_expected_arrivals",
        ),
        "battle": (
            "battle_report_json",
            "battle_report_tables",
        ),
        "cache": (
            "backend_table",
            "cluster_cache_table",
        ),
        "comparison": (
            "comparison_json",
            "comparison_table",
        ),
        "experiment": (
            "experiment_json",
            "experiment_tables",
            "experiment_words",
            "factors_table",
            "price_json",
        ),
        "formatting": (
            "format_duration",
            "format_seconds",
            "format_time",
        ),
        "network": (
            "capabilities_table",
            "facilities_table",
            "links_table",
            "network_json",
            "policies",
            "show_network",
        ),
        "optimisation": (
            "front_picture",
            "optimisation_json",
            "optimisation_table",
            "optimisation_words",
        ),
        "progress": (
            "compile_first",
            "progress_view",
        ),
        "replications": (
            "replications_line",
            "replications_words",
        ),
        "runs": (
            "RunsView",
            "experiments_table",
            "runs_table",
            "show_run",
        ),
        "scenarios": (
            "evidence_table",
            "scenarios_table",
            "versions_table",
        ),
        "sensitivity": ("sensitivity_json", "tornado_table"),
        "settings": (
            "care_settings",
            "listed_json",
            "show_care_settings",
            "show_listed",
        ),
        "summary": (
            "show_summary",
            "summary_tables",
        ),
    },
)

__all__ = [
    "RunsView",
    "backend_table",
    "battle_report_json",
    "battle_report_tables",
    "capabilities_table",
    "care_settings",
    "cluster_cache_table",
    "comparison_json",
    "comparison_table",
    "compile_first",
    "evidence_table",
    "expected_arrivals_json",
    "experiment_json",
    "experiment_tables",
    "experiment_words",
    "experiments_table",
    "facilities_table",
    "factors_table",
    "format_duration",
    "format_seconds",
    "format_time",
    "front_picture",
    "links_table",
    "listed_json",
    "network_json",
    "optimisation_json",
    "optimisation_table",
    "optimisation_words",
    "policies",
    "price_json",
    "progress_view",
    "replications_line",
    "replications_words",
    "runs_table",
    "scenarios_table",
    "sensitivity_json",
    "show_care_settings",
    "show_expected_arrivals",
    "show_listed",
    "show_network",
    "show_run",
    "show_summary",
    "summary_tables",
    "tornado_table",
    "versions_table",
]

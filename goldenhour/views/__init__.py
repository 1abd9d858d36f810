"""What is shown on the terminal: summaries, progress, networks and tables."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from goldenhour.views.network import (
        facilities_table,
        links_table,
        network_as_json,
        policies,
        show_network,
    )
    from goldenhour.views.progress import display, duration
    from goldenhour.views.summary import show_summary, summary_tables
    from goldenhour.views.tables import console, table

__getattr__ = lazy_attributes(
    __name__,
    {
        "network": (
            "facilities_table",
            "links_table",
            "network_as_json",
            "policies",
            "show_network",
        ),
        "progress": (
            "display",
            "duration",
        ),
        "summary": (
            "show_summary",
            "summary_tables",
        ),
        "tables": (
            "console",
            "table",
        ),
    },
)

__all__ = [
    "console",
    "display",
    "duration",
    "facilities_table",
    "links_table",
    "network_as_json",
    "policies",
    "show_network",
    "show_summary",
    "summary_tables",
    "table",
]

"""Runs as jobs of a cluster: submission, and fetching what they wrote."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from goldenhour.jobs.client import ENDED, MADE_KEY, OUTPUT_KEY, Jobs, chosen_address, package
    from goldenhour.jobs.output_locations import FoundOutput, find_output

__getattr__ = lazy_attributes(
    __name__,
    {
        "client": (
            "ENDED",
            "Jobs",
            "MADE_KEY",
            "OUTPUT_KEY",
            "chosen_address",
            "package",
        ),
        "output_locations": (
            "FoundOutput",
            "find_output",
        ),
    },
)

__all__ = [
    "ENDED",
    "MADE_KEY",
    "OUTPUT_KEY",
    "FoundOutput",
    "Jobs",
    "chosen_address",
    "find_output",
    "package",
]

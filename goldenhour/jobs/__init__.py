"""Runs as jobs of a Ray cluster: starting them, and reading their output from wherever it is."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from goldenhour.jobs.client import ENDED, IDENTITY_KEY, OUTPUT_KEY, JobsClient, dashboard_url, status_of
    from goldenhour.jobs.output_locations import LocatedOutput, locate_output
    from goldenhour.jobs.package import job_folder

__getattr__ = lazy_attributes(
    __name__,
    {
        "client": (
            "ENDED",
            "IDENTITY_KEY",
            "JobsClient",
            "OUTPUT_KEY",
            "dashboard_url",
            "status_of",
        ),
        "output_locations": (
            "LocatedOutput",
            "locate_output",
        ),
        "package": ("job_folder",),
    },
)

__all__ = [
    "ENDED",
    "IDENTITY_KEY",
    "OUTPUT_KEY",
    "JobsClient",
    "LocatedOutput",
    "dashboard_url",
    "job_folder",
    "locate_output",
    "status_of",
]

"""Periods of a run for which the network is measured, besides the whole run."""

from engine.codes.base import Code


class Period(Code):
    """A period of a run, from its begin (included) to its end (excluded)."""

    CASUALTY_PERIOD = 0
    """The days of the scenario: those in which people are hurt. Where only listed casualties come, the time from the
    full hour of the first to the full hour after the last of them.
    """
    PEAK_24_HOURS = 1
    """The 24 hours, from a full minute on, with most casualties; the earliest of several."""


PERIODS = Period.labels()
PERIOD_COUNT = len(PERIODS)

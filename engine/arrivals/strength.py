"""Strength at risk under depletion: what casualties take from it, and what returns to duty and replacements restore.

Casualties are those that are drawn. Returns are expected: a fixed share of the casualties of a day is back after fixed
numbers of days, whatever becomes of each patient. So the arrivals do not depend on the flow of patients, and every
process of a run generates the same ones on its own (docs/model.md section 2.3.1).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrivals.rows import RATE, RateRow
from engine.codes import STREAMS, CasualtyKind
from engine.numeric import compiled, compiled_entry, continuous
from engine.tables import Floats, Ints, Rows

QUANTILES = 4096
"""Equally likely delays that stand for a distribution of days."""

Array = NDArray[np.float64]


def return_shares(delays: Any, shares: Array, days: int) -> Array:
    """Return the share of a day's casualties who are back k + 1 days later, shape (streams, K).

    A casualty of a day is hurt at any time of it, and counts from the beginning of the day after the return. K is at
    most days - 1, and 0 where nobody is back in time.

    Parameters
    ----------
    delays
        RATE, one row for each stream with returns: days to the return; `group` is the stream.
    shares
        Shape (rows,): share that returns.
    days
        Days of the scenario.
    """
    found = np.zeros((len(STREAMS), max(0, days - 1)))
    if len(delays):
        fill_return_shares(delays, shares, found)
    last = np.flatnonzero(found.any(axis=0))
    return np.ascontiguousarray(found[:, : last[-1] + 1 if len(last) else 0])


@compiled_entry(RATE, "f8", ("f8", 2))
def fill_return_shares(delays: Rows[RateRow], shares: Floats, returning: Floats) -> None:
    """Add the shares of `return_shares`, shape (streams, days - 1), to `returning`."""
    for number in range(len(delays)):
        delay = delays[number]
        for k in range(QUANTILES):
            after = continuous(delay.code, delay.a, delay.b, delay.c, (k + 0.5) / QUANTILES)
            if after >= returning.shape[1]:
                continue
            whole = int(after)
            next_day = after - whole  # share of the day's casualties who return on the day after `whole` days
            returning[delay.group, whole] += (1.0 - next_day) * shares[number] / QUANTILES
            if whole + 1 < returning.shape[1]:
                returning[delay.group, whole + 1] += next_day * shares[number] / QUANTILES


def additions_by_day(replacements: Array, returning: Array, listed: Any, days: int) -> Array:
    """Return what is added to the strength before each day: replacements, and the listed who return.

    Parameters
    ----------
    replacements
        Shape (fronts,): a day.
    returning
        See `return_shares`.
    listed
        LISTED.

    Returns
    -------
    Array
        Shape (days, fronts); without rows where nothing is ever added.
    """
    if not (returning.any() or replacements.any()):
        return np.zeros((0, len(replacements)))
    added = np.zeros((days, len(replacements)))
    added[1:] = replacements
    for row in listed:
        stream = max(0, int(row["kind"]) - CasualtyKind.AGENT)
        later = min(returning.shape[1], days - int(row["day"]) - 1)
        added[row["day"] + 1 : row["day"] + 1 + later, row["front"]] += (
            row["number"] * returning[stream, :later]
        )
    return added


@compiled
def restore_strength(
    day: int,
    kept: Ints,
    groups: Ints,
    returning: Floats,
    added: Floats,
    strength: Floats,
    populations: Ints,
) -> None:
    """Schedule the returns of a day's casualties, and add to the strength what is due before the next day.

    Parameters
    ----------
    kept
        Shape (groups,): casualties of the day; set to 0.
    groups
        Shape (groups, 2): stream and front.
    returning, added
        See `return_shares` and `additions_by_day`.
    strength, populations
        Shape (fronts,): people left, and people at the start, whom the strength never exceeds.
    """
    for group in range(len(kept)):
        if kept[group] > 0:
            stream = groups[group, 0]
            front = groups[group, 1]
            for k in range(min(returning.shape[1], len(added) - day - 1)):
                added[day + 1 + k, front] += kept[group] * returning[stream, k]
            kept[group] = 0
    if day + 1 < len(added):
        for front in range(len(strength)):
            restored = strength[front] + added[day + 1, front]
            strength[front] = min(float(populations[front]), restored)

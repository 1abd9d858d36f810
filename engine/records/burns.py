"""How much of the body surface is burnt, as full records say it (docs/model.md section 2.12)."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from engine.codes import CasualtyKind
from engine.records.fields import View
from scenarios import catalogue

MOST_BURNT = 95
"""Per cent of the body surface that is burnt at most."""


@cache
def _areas() -> NDArray[np.float64]:
    """Return by condition the middle of the burned share of the body surface, in per cent."""
    shares = [condition.burn_share for condition in catalogue.conditions()]
    return np.array([0.0 if share is None else sum(share) / 2.0 for share in shares])


def burnt_percent(view: View) -> NDArray[np.int64]:
    """Return per cent of the body surface burnt of each patient of the chunk, rounded up; -1 where nothing is burnt."""
    patients, wounds = view.chunk.patients, view.chunk.wounds
    of_wounds = np.bincount(wounds["patient"], _areas()[wounds["condition"]], minlength=len(patients))
    of_illness = _areas().take(patients["condition"], mode="clip")
    area = np.where(patients["kind"] == CasualtyKind.WOUNDED, of_wounds, of_illness)
    percent: NDArray[np.int64] = np.minimum(np.ceil(area), MOST_BURNT).astype(np.int64)
    return np.where(percent > 0, percent, -1)


def burnt_of_patients(view: View) -> NDArray[np.int64]:
    """Return the same for a view whose rows are the patients."""
    found: NDArray[np.int64] = view.compute_of_chunk(burnt_percent)
    return found

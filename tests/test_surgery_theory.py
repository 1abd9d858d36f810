"""Operating tables against queueing theory: with diversion, with further operations, and for casualties from a list.

The casualties are a Poisson process, written out as an exact list. All of them are operated on, and everything before
the operation takes no time, so that the tables of a Role 2 are the servers of a textbook's system. Means are compared
by Student's t over batches, at an error of 1 in 1,000 for each line.
"""

import math
from typing import Any, NamedTuple

import effects as x
import numpy as np
import pytest
from scipy import stats
from small_networks import Result, at

import goldenhour
from engine.codes import EVENTS, Resource

SERVICE = 200.0
"""Minutes of an operation, on average."""
PATIENTS, BATCHES = 8000, 20
AT_ONCE = {
    "care": {
        "waits": {"door_to_resuscitation": 0.0, "resuscitation_to_surgery": 0.0},
        "triage": {"minutes": 0.0},
    },
    "treatments": {"treatments": {"needs": {"operates_by_category": 1}}},
}
"""Constants of the model without the waits before an operation, and with an operation for all T1."""
TWO_ECHELONS = {
    "links": [
        {"origin": "POI", "destination": "near", "minutes": x.constant(0.0)},
        {"origin": "POI", "destination": "far", "minutes": x.constant(5.0)},
        {"origin": "near", "destination": "R4", "minutes": x.constant(1.0)},
        {"origin": "far", "destination": "R4", "minutes": x.constant(1.0)},
    ]
}
EXPONENTIAL = {"distribution": "exponential", "mean": SERVICE}
SERVICES = {
    "exponential": EXPONENTIAL,
    "constant": x.constant(SERVICE),
    "lognormal": {"distribution": "lognormal", "mean": SERVICE, "sd": SERVICE / 2},
}


def operated(near: dict[str, Any], load: float, seed: int = 1, **settings: Any) -> Result:
    """Run about 8,000 casualties who are all operated on, at the near Role 2 or at the far one without limits.

    `load` is the number of first operations that begin in the mean time of one.
    """
    days = math.ceil(PATIENTS * SERVICE / load / x.DAY * x.MINUTE)
    draw = np.random.default_rng(seed)
    hours = np.sort(draw.uniform(0.0, 24.0 * days, draw.poisson(PATIENTS)))
    own = {"policy_days": 0.0, "icu": False, "resuscitation_minutes": x.constant(0.0)}
    places = [
        {"id": "near", "role": 2, "surgery_minutes": EXPONENTIAL, **own, **near},
        {"id": "far", "role": 2, **own},
        {"id": "R4", "role": 4},
    ]
    scenario = {
        "name": "theory",
        "days": days,
        "fronts": [x.FRONT],
        "casualties": {"only_listed": True},
        "incidents": [{"at": f"{hour:.6f} h", "category": "T1"} for hour in hours.tolist()],
        "survival": x.NOBODY_DIES,
        "complications": {"drawn": False},
        "triage_accuracy": 1.0,
        "facilities": places,
        "model": AT_ONCE,
        **TWO_ECHELONS,
        **settings,
    }
    return goldenhour.simulate(scenario, seed=seed)


def batches(values: Any) -> Any:
    """Return the means of equally many consecutive values each; those in which the system fills are left out."""
    kept = values[len(values) // BATCHES :]
    return np.array([part.mean() for part in np.array_split(kept, BATCHES - 1)])


def agrees(values: Any, expected: float, within: float = 0.15) -> bool:
    """Whether the mean of values in the order of time is the expected one, by the t test over batches.

    The confidence interval must be narrower than a share `within` of the expected mean, to either side.
    """
    means = batches(np.asarray(values, float))
    half = stats.t.ppf(1 - 0.0005, len(means) - 1) * means.std(ddof=1) / math.sqrt(len(means))
    assert half < within * expected, "too few patients to say anything"
    return bool(abs(means.mean() - expected) <= half)


class Operations(NamedTuple):
    """All operations at the near Role 2 in the order in which they were asked for, minutes; and who went elsewhere."""

    asked: Any
    started: Any
    ended: Any
    diverted: Any

    @property
    def waits(self) -> Any:
        """Minutes of waiting, for each operation."""
        return self.started - self.asked


def operations_of(result: Result) -> Operations:
    """Read the operations from the event log: an operation is asked for when the wait for a table begins, if any."""
    e = result.events[result.events["facility"] == 0]
    kinds = np.array(EVENTS)[e["kind"]]
    table = (kinds == "waiting") & (e["detail"] == Resource.OPERATING_TABLE)
    start = np.isin(kinds, ("surgery_started", "definitive_surgery_started"))
    end = np.isin(kinds, ("surgery_ended", "definitive_surgery_ended"))
    started = np.flatnonzero(start)
    waited = table[started - 1] & (e["patient"][started - 1] == e["patient"][started])
    minutes = e["at"] / x.MINUTE
    asked = np.where(waited, minutes[started - 1], minutes[started])
    order = np.argsort(asked, kind="stable")
    arrivals = np.argsort(result.patients["time"], kind="stable")
    return Operations(
        asked[order],
        minutes[started][order],
        minutes[np.flatnonzero(end)][order],
        np.isfinite(at(result, "arrived", "far"))[arrivals],
    )


def states(load: float, tables: int, most: int) -> Any:
    """Return P(n patients), n = 0..most, of the M/M/c/K system (Erlang B with K = c): Kleinrock 1975, section 3.6."""
    weights = [1.0]
    for n in range(1, most + 1):
        weights.append(weights[-1] * load / min(n, tables))
    return np.array(weights) / sum(weights)


def share_busy(operations: Operations, tables: int, until: float) -> float:
    """Return the share of the time to `until` in which all tables are in use."""
    times = np.concatenate([operations.started, operations.ended])
    steps = np.repeat([1, -1], len(operations.started))
    order = np.lexsort((steps, times))
    lengths = np.diff(np.minimum(times[order], until), append=until)
    return float(lengths[np.cumsum(steps[order]) == tables].sum() / until)


# --- diversion


@pytest.mark.parametrize(
    ("service", "tables", "load"), [("exponential", 5, 4.0), ("constant", 5, 4.0), ("lognormal", 3, 2.0)]
)
def test_as_many_are_diverted_from_busy_tables_as_erlangs_formula_says(
    service: str, tables: int, load: float
) -> None:
    near = {
        "operating_tables": tables,
        "divert": {"tables_busy": True},
        "surgery_minutes": SERVICES[service],
    }
    found = operations_of(operated(near, load))
    assert (found.waits > 0).mean() < 0.001, "nobody waits, unless two are asked for within a second"
    assert agrees(found.diverted, states(load, tables, tables)[-1])


def test_diversion_on_a_queue_is_a_system_with_that_much_waiting_room() -> None:
    tables, load, queue = 3, 2.4, 2
    near = {"operating_tables": tables, "divert": {"queue": queue}}
    found = operations_of(operated(near, load))
    p = states(load, tables, tables + queue)
    assert agrees(found.diverted, p[-1])
    assert agrees(found.waits > 0, p[tables:-1].sum() / (1 - p[-1]))
    waiting = (p * np.maximum(0, np.arange(len(p)) - tables)).sum()
    assert agrees(found.waits, SERVICE * waiting / (load * (1 - p[-1])))


# --- further operations


def test_tables_with_further_operations_are_a_queue_with_all_operations_as_arrivals() -> None:
    """Product form: exponential operations, and an interval between them that needs no table."""
    again, most, tables, all_loads = 0.5, 4, 3, 1.8
    each = sum(again**k for k in range(most))
    rules = {
        "probability": [again] * 4,
        "most": most,
        "interval_minutes": {"distribution": "exponential", "mean": 900.0},
    }
    result = operated({"operating_tables": tables}, all_loads / each, reoperations=rules)
    found = operations_of(result)
    assert agrees(np.bincount(x.rows(result, "surgery_started")["patient"]), each)
    p = states(all_loads, tables, 400)
    assert agrees(found.waits > 0, p[tables:].sum())
    waiting = (p * np.maximum(0, np.arange(len(p)) - tables)).sum()
    assert agrees(found.waits, SERVICE * waiting / all_loads, within=0.3)
    days = result.scenario.days * x.DAY / x.MINUTE
    used = np.minimum(found.ended, days) - np.minimum(found.started, days)
    assert used.sum() / (tables * days) == pytest.approx(all_loads / tables, rel=0.05)


def test_arrivals_see_busy_tables_as_often_as_they_are_busy_with_everything_at_once() -> None:
    tables = 3
    near = {
        "operating_tables": tables,
        "treatment_bays": 4,
        "hold_bay": False,
        "divert": {"tables_busy": True},
        "surgery_minutes": SERVICES["lognormal"],
    }
    rules = {
        "probability": [0.0, 0.3, 0.6, 0.9],
        "most": 5,
        "interval_minutes": {"distribution": "constant", "mean": 500.0},
    }
    result = operated(near, 2.0, reoperations=rules)
    found = operations_of(result)
    busy = share_busy(found, tables, float(result.patients["time"].max() / x.MINUTE))
    assert agrees(found.diverted, busy)

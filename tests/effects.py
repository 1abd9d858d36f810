"""Runs of small scenarios with common random numbers, and measurements on them for the tests of effects."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import goldenhour
from engine import scenario as scenario_api
from engine.codes import EVENTS, OUTCOMES, TREATMENTS

MINUTE, DAY = 60_000, 86_400_000
FRONT = {"name": "North", "nations": {"NOR": 1.0}}
SOUTH = {"name": "South", "nations": {"ITA": 1.0}}
BATTLE = {"battle": 1.0, "nbi": 0.0, "disease": 0.0}
NBI = {"battle": 0.0, "nbi": 1.0, "disease": 0.0}
ILL = {"battle": 0.0, "nbi": 0.0, "disease": 1.0}
MIXED = {"battle": 0.4, "nbi": 0.3, "disease": 0.3}
NO_STAY = {
    "recovery": {"minutes": [0.0, 0.0], "routine_hours": 0.0},
    "strategic": {"least_hours": [0.0] * 4, "most_hours": [0.0] * 4},
}
"""Constants of care with which evacuation is requested at once: nobody recovers on a ward or waits for a journey."""
AT_ONCE = {"care": {"preparation": {"minutes": [0.0] * 4, "after_operation_minutes": 0.0}, **NO_STAY}}
"""Constants with which nobody has to be prepared for transport, so that waits and rides have their own times."""
NOBODY_DIES = {"instant_death": 0.0, "clock": False}
LEGS = (30.0, 45.0, 90.0, 360.0)


def settings_of(total: int = 3000, **settings: Any) -> dict[str, Any]:
    """Return a scenario of battle casualties on one front without warfare type; settings that are None are left out."""
    default = {"name": "effect", "fronts": [FRONT], "mix": BATTLE, "casualties": {"total": total}}
    return {key: value for key, value in {**default, **settings}.items() if value is not None}


def run(total: int = 3000, replication: int = 0, **settings: Any) -> goldenhour.Result:
    """Run the scenario of `settings_of`; the last few results are cached."""
    return _run(json.dumps(settings_of(total, **settings), sort_keys=True), replication)


@lru_cache(maxsize=8)
def _run(text: str, replication: int) -> goldenhour.Result:
    return goldenhour.simulate(json.loads(text), replication=replication)


def notes(**settings: Any) -> list[str]:
    """Return the notes of `check` on the scenario of `settings_of`."""
    return scenario_api.check(scenario_api.parse(json.dumps(settings_of(**settings)).encode(), "json"))


def duration(mean: float) -> dict[str, Any]:
    return {"distribution": "lognormal", "mean": mean, "sd": mean / 3}


def constant(minutes: float) -> dict[str, Any]:
    return {"distribution": "constant", "mean": minutes}


def network(legs: tuple[float, ...] = LEGS, **changes: Any) -> dict[str, Any]:
    """Return facilities R1 to R4 in one chain; `changes` by id replace their fields."""
    places = [{"id": f"R{k}", "role": k, **changes.get(f"R{k}", {})} for k in (1, 2, 3, 4)]
    chain = ["POI", "R1", "R2", "R3", "R4"]
    links = [
        {"origin": a, "destination": b, "minutes": duration(mean)}
        for a, b, mean in zip(chain[:-1], chain[1:], legs, strict=True)
    ]
    return {"facilities": places, "links": links}


def one_place(**link: Any) -> dict[str, Any]:
    """Return a single Role 2 and the link to it."""
    return {
        "facilities": [{"id": "R2", "role": 2}],
        "links": [{"origin": "POI", "destination": "R2", **link}],
    }


def status(result: goldenhour.Result, *names: str) -> Any:
    """Return which patients had one of these outcomes."""
    return np.isin(result.patients["status"], [OUTCOMES.index(name) for name in names])


def cfr(result: goldenhour.Result) -> float:
    """Return the case fatality rate of battle casualties."""
    battle = result.patients["stream"] == 0
    return float(status(result, "kia", "dow")[battle].mean())


def rows(result: goldenhour.Result, kind: str, facility: str | None = None) -> Any:
    """Return the events of a kind, at one facility if it is named."""
    e = result.events[result.events["kind"] == EVENTS.index(kind)]
    return e if facility is None else e[e["facility"] == place(result, facility)]


def place(result: goldenhour.Result, facility: str) -> int:
    return [f.id for f in result.scenario.facilities].index(facility)


def treatments(result: goldenhour.Result, kind: str) -> Any:
    return result.treatments[result.treatments["kind"] == TREATMENTS.index(kind)]


def first_leg(result: goldenhour.Result) -> Any:
    """Return the minutes from the onset to the door of the first MTF; NaN where none was reached."""
    p = result.patients
    doors = np.stack([np.where(p[f"role{k}"] < 0, np.inf, p[f"role{k}"]) for k in (1, 2, 3, 4)]).min(axis=0)
    return np.where(np.isfinite(doors), (doors - p["onset"]) / MINUTE, np.nan)


def travel(result: goldenhour.Result, origin: str) -> Any:
    """Return the minutes from the departure at `origin` to the next arrival, by patient; NaN without one."""
    e = result.events
    left = (e["kind"] == EVENTS.index("departed")) & (e["facility"] == place(result, origin))
    k = np.flatnonzero(left[:-1])
    k = k[(e["kind"][k + 1] == EVENTS.index("arrived")) & (e["patient"][k + 1] == e["patient"][k])]
    minutes = np.full(len(result), np.nan)
    minutes[e["patient"][k]] = (e["at"][k + 1] - e["at"][k]) / MINUTE
    return minutes


def same_people(*results: goldenhour.Result) -> bool:
    first = results[0].patients
    return all(len(r) == len(first) and (r.patients["id_lo"] == first["id_lo"]).all() for r in results)


def both(a: Any, b: Any) -> tuple[Any, Any]:
    """Return two columns of the same patients where neither is NaN; this must be at least a tenth of them."""
    there = ~np.isnan(a) & ~np.isnan(b)
    assert there.mean() > 0.1
    return a[there], b[there]


def share_is(count: Any, of: Any, share: float, lines: int = 1) -> bool:
    """Test a share by the binomial test, at an error of 1 in 1,000 over `lines` lines together."""
    return bool(stats.binomtest(int(count), int(of), share).pvalue > 0.001 / lines)


def counts_are(counts: Any, shares: Any, lines: int = 1) -> bool:
    """Test counts by the chi-square test, at an error of 1 in 1,000 over `lines` lines together."""
    counts, shares = np.asarray(counts, float), np.asarray(shares, float)
    assert (counts[shares == 0] == 0).all()
    counts, shares = counts[shares > 0], shares[shares > 0]
    if len(counts) == 1:
        return True
    expected = counts.sum() * shares / shares.sum()
    return bool(stats.chisquare(counts, expected).pvalue > 0.001 / lines)


def is_test(module: str, name: str) -> bool:
    """Whether a file of these tests has a test of this name."""
    text = Path(__file__).with_name(f"{module}.py").read_text("utf-8")
    return name.startswith("test_") and f"\ndef {name}(" in text

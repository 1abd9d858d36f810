"""Scenarios for the tests of arrivals, and the casualties that they bring."""

from typing import Any

import numpy as np

import scenarios
from engine import scenario as scenario_api
from engine.arrivals import generate_arrivals, plan_arrivals
from engine.arrivals.parts import DAY_MS, HOUR_MS
from engine.codes import CASUALTY_KINDS
from engine.tables import ARRIVAL

DAY = DAY_MS
HOUR = HOUR_MS
POLAND = scenario_api.Front(name="Poland", population=2500, nations={"POL": 1.0})
ESTONIA = scenario_api.Front(name="Estonia", population=4000, nations={"EST": 1.0})


def gamma(mean: float = 1.77, sd: float = 3.56) -> scenario_api.Distribution:
    return scenario_api.Distribution(distribution="gamma", mean=mean, sd=sd)


def constant(mean: float) -> scenario_api.Distribution:
    return scenario_api.Distribution(distribution="constant", mean=mean)


def scenario(
    types: str = "",
    total: int | None = None,
    battle: Any = None,
    disease: Any = None,
    depletion: bool = False,
    **settings: Any,
) -> scenario_api.Scenario:
    if total is None and (battle or disease):
        rates = scenario_api.Rates(battle=battle, disease=disease, depletion=depletion)
        settings.setdefault("fronts", [POLAND])
        casualties = scenario_api.Casualties(rates=rates)
    else:
        casualties = scenario_api.Casualties(total=total or 1440)
    warfare = [scenario_api.Warfare(type=name) for name in types.split()]  # type: ignore[arg-type]
    return scenario_api.resolve(
        scenario_api.Scenario(name="test", casualties=casualties, warfare=warfare, **settings)
    )


def builtin(name: str, total: int | None = None) -> scenario_api.Scenario:
    return scenario_api.resolve(
        scenario_api.with_overrides(
            scenario_api.parse(scenarios.builtin_bytes(name), "toml", name), total=total
        )
    )


def hurt(s: scenario_api.Scenario, seed: int = 1, replication: int = 0) -> Any:
    batches = list(generate_arrivals(plan_arrivals(s), seed, replication))
    return np.concatenate(batches) if batches else np.empty(0, ARRIVAL)


def first_of_incidents(rows: Any) -> Any:
    return rows[np.unique(rows["incident"], return_index=True)[1]]


def stream_is(rows: Any, *kinds: str) -> Any:
    return rows[np.isin(rows["kind"], [CASUALTY_KINDS.index(kind) for kind in kinds])]


POSITIONS = ("front", "type", "special")
"""Columns of positions in the scenario's lists."""


def same(a: Any, b: Any, without: tuple[str, ...] = POSITIONS) -> bool:
    """Whether two selections hold the same casualties; positions in the scenario's lists may differ.

    The casualties' numbers may differ where the scenarios have different cells.
    """
    names = [name for name in ARRIVAL.names or () if name not in without]
    return len(a) == len(b) and all((a[name] == b[name]).all() for name in names)

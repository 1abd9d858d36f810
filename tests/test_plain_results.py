"""Results are plain data: they can be pickled and copied, so that they pass through caches and between processes."""

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import effects
import numpy as np
import pytest
from runs import request

import goldenhour
from actors.run import run_scenario
from engine import scenario as scenario_api
from engine.measures import FlowMeasures, Measures, find_measures
from engine.run import Simulation

WAYS = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, arrays included."""
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and np.array_equal(one, other))
    return bool(one == other)


@every_way
@pytest.mark.parametrize("used", [False, True])
def test_a_result_of_simulate(way: Callable[[Any], Any], used: bool) -> None:
    """Also after it has decoded codes to names, for which it caches functions."""
    result = goldenhour.simulate("standard", seed=1, patients=50)
    if used:
        assert len(list(result.records())) == result.to_arrow().num_rows == 50
    other = way(result)
    for field in fields(result):
        assert same(getattr(result, field.name), getattr(other, field.name)), field.name
    assert list(other.records()) == list(result.records())
    assert other.to_pandas("measures").equals(result.to_pandas("measures"))
    assert repr(other) == repr(result)


@every_way
def test_a_prepared_scenario(way: Callable[[Any], Any]) -> None:
    settings = json.dumps(effects.settings_of(**effects.one_place(minutes=effects.constant(30)))).encode()
    prepared = scenario_api.prepare(scenario_api.parse(settings, "json"))
    other = way(prepared)
    assert (other.original, other.resolved) == (prepared.original, prepared.resolved)
    assert goldenhour.simulate(other.original).measures == goldenhour.simulate(prepared.original).measures


@every_way
def test_measures_and_chunks(way: Callable[[Any], Any]) -> None:
    scenario = goldenhour.simulate("brigade", seed=1, patients=300).scenario
    simulation = Simulation(scenario, 1, 0)
    for chunk in simulation:
        other = way(chunk)
        assert all(
            same(getattr(chunk, name), getattr(other, name)) for name in ("patients", "events", "vitals")
        )
    measures: Measures = way(simulation.measures)
    flow: FlowMeasures = way(simulation.flow)
    assert measures.summary() == simulation.measures.summary()
    assert flow.summary() == simulation.flow.summary()
    found = find_measures(simulation, scenario)
    assert way(found) == found


@every_way
def test_the_result_of_a_run(way: Callable[[Any], Any], tmp_path: Path) -> None:
    result = run_scenario(request(tmp_path / "out", 50, workers=0))
    assert way(result) == result

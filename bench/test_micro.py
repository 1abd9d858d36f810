"""Micro-benchmarks of the engine's stages: arrivals, flow with casualties, record building, encoding.

`make bench` runs them after the throughput table. Every stage processes the same patients of `standard`. Divide
`extra_info: patients` of pytest-benchmark's JSON by a time to get patients per second.
"""

import itertools

import numpy as np
import pytest

import scenarios
from engine import scenario as scenario_api
from engine.arrivals import generate_arrivals, plan_arrivals
from engine.compile import battle_triage_report
from engine.records import CodeTables, build_patients, formats
from engine.run import Simulation
from engine.scenario import Scenario
from engine.tables import Chunk

PATIENTS = 16_384
CHUNK = 4096
SEED = 1


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    read = scenario_api.parse(scenarios.builtin_bytes("standard"), "toml", "standard")
    return scenario_api.resolve(scenario_api.with_overrides(read, total=PATIENTS))


@pytest.fixture(scope="module")
def chunks(scenario: Scenario) -> list[Chunk]:
    return list(Simulation(scenario, SEED, 0, CHUNK))


@pytest.fixture(scope="module")
def code_tables(scenario: Scenario) -> CodeTables:
    return CodeTables(scenario)


def measure(benchmark, work, patients: int = PATIENTS):
    benchmark.extra_info["patients"] = patients
    return benchmark.pedantic(work, rounds=5, warmup_rounds=1)


def test_arrivals(benchmark, scenario):
    plan = plan_arrivals(scenario)
    rows = measure(benchmark, lambda: sum(len(batch) for batch in generate_arrivals(plan, SEED, 0)))
    assert rows == PATIENTS


def test_casualties(benchmark, scenario):
    """Wounds, lethality and triage of a sample of battle casualties, without their flow."""
    report = measure(benchmark, lambda: battle_triage_report(scenario), patients=0)
    assert report


def test_arrivals_casualties_and_flow(benchmark, scenario):
    def simulate() -> int:
        return sum(len(chunk) for chunk in Simulation(scenario, SEED, 0, CHUNK))

    assert measure(benchmark, simulate) == PATIENTS


def test_measures(benchmark, scenario, chunks):
    from engine.measures import Measures

    def count() -> None:
        measures = Measures(scenario)
        for chunk in chunks:
            measures.add(chunk)

    measure(benchmark, count)


def test_record_building(benchmark, chunks, code_tables):
    built = measure(benchmark, lambda: [build_patients(chunk, code_tables) for chunk in chunks])
    assert len(list(itertools.chain(*built))) == PATIENTS


@pytest.mark.parametrize("compress", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("name", list(formats.FORMATS))
def test_encoding(benchmark, chunks, code_tables, name, compress):
    whole_part = formats.FORMATS[name].unit == "part"
    groups = [chunks] if whole_part else [[chunk] for chunk in chunks]
    frames = measure(
        benchmark, lambda: [formats.encode_chunks(group, code_tables, name, compress) for group in groups]
    )
    benchmark.extra_info["bytes"] = sum(len(frame.data) for group in frames for frame in group)
    assert np.sum([frame.rows for frame in frames[0] if frame.table == "patients"]) > 0

"""Cached values: a run from them writes the same bytes, and a key changes with the fields of its value alone."""

import io
import os
import pickle
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from msgspec.structs import replace

import scenarios
from engine import scenario as scenario_api
from engine.compile import model
from engine.measures import whole_run
from engine.precomputed import cache_keys
from engine.records import CodeTables, TextSource, formats
from engine.run import Simulation
from engine.scenario import Scenario

ALL = cache_keys.SIMULATION_KINDS + cache_keys.TEXT_KINDS

TILTED = """
name = "tilted"
[casualties]
total = 300
[triage.battle]
T1 = 0.4
T2 = 0.3
T3 = 0.3
"""


def builtin(name: str) -> Scenario:
    return scenario_api.resolve(scenario_api.parse(scenarios.builtin_bytes(name), "toml", name))


def tilted() -> Scenario:
    return scenario_api.resolve(scenario_api.parse(TILTED.encode(), "toml"))


def cached_values(s: Scenario) -> dict[str, Any]:
    """All values of a scenario, as a cache returns them."""
    return {
        r.kind: cache_keys.unpack_value(cache_keys.pack_value(cache_keys.build_value(r.kind, r.inputs)))
        for r in cache_keys.keys_of_scenario(s, ALL)
    }


def keys(s: Scenario) -> dict[str, str]:
    return {r.kind: r.key for r in cache_keys.keys_of_scenario(s, ALL)}


@pytest.mark.parametrize("name", [*scenarios.builtin_names(), "tilted"])
def test_cached_values_compile_to_the_same_tables(name: str) -> None:
    s = tilted() if name == "tilted" else builtin(name)
    precomputed = cached_values(s)
    assert model.compile_scenario(s, 3, 1, precomputed).tobytes() == model.compile_scenario(s, 3, 1).tobytes()
    assert ("severity" in precomputed) == ("battle" in (s.triage or {}))


@pytest.mark.parametrize("name", ["brigade", "cbrn", "tilted"])
def test_a_run_from_cached_values_writes_the_same_bytes(name: str) -> None:
    s = tilted() if name == "tilted" else builtin(name)
    s = scenario_api.resolve(scenario_api.with_overrides(s, total=300))
    precomputed = cached_values(s)
    written = []
    for values, code_tables in ((precomputed, CodeTables(s, TextSource(precomputed))), ({}, CodeTables(s))):
        simulation = Simulation(s, 5, 0, 512, values)
        frames = [
            f.data
            for chunk in simulation
            for f in formats.encode_chunks([chunk], code_tables, "jsonl", "none")
        ]
        written.append((frames, whole_run.find_measures(simulation, s).summary))
    assert written[0] == written[1]


def test_a_key_changes_with_the_fields_of_its_value_and_with_no_other() -> None:
    s = builtin("brigade")
    before = keys(s)

    def changed(**fields: Any) -> set[str]:
        after = keys(scenario_api.resolve(replace(s, **fields)))
        return {kind for kind in before if after[kind] != before[kind]}

    assert changed(name="another", description="", seed=99) == set()
    assert changed(mascal_threshold=12) == {"care"}
    assert changed(start="2031-01-01T00:00:00Z") == {"people"}
    assert changed(days=s.days + 1) <= {"arrivals"}
    beds = [replace(f, ward_beds=77) if f.ward_beds else f for f in s.facilities]
    assert changed(facilities=beds) == {"network", "transitions"}
    fewer = replace(s.fronts[0], nations={"FRA": 1.0})
    assert {"people", "names"} <= changed(fronts=[fewer, *s.fronts[1:]])


def test_the_measures_of_a_run_have_a_key_of_scenario_seed_and_replication() -> None:
    s = builtin("coin")
    key = cache_keys.key_of_measures(s, 1, 0).key
    assert cache_keys.key_of_measures(replace(s, name="x", description="y", seed=5), 1, 0).key == key
    others = [(s, 2, 0), (s, 1, 1), (replace(s, days=s.days + 1), 1, 0)]
    assert key not in {cache_keys.key_of_measures(*other).key for other in others}


def test_a_builder_cannot_read_a_field_that_is_not_in_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    s = builtin("coin")
    blind = cache_keys.KINDS["care"]._replace(fields=("environment",))
    monkeypatch.setitem(cache_keys.KINDS, "care", blind)
    cache_keys._struct_of_fields.cache_clear()
    try:
        (key,) = cache_keys.keys_of_scenario(s, ("care",))
        with pytest.raises(AttributeError, match="triage_accuracy"):
            cache_keys.build_value(key.kind, key.inputs)
    finally:
        cache_keys._struct_of_fields.cache_clear()


def test_another_engine_or_catalogue_has_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache_keys.cache_key("care", b"x")
    for version in ("engine_version", "catalogue_version"):
        with monkeypatch.context() as patched:
            patched.setattr(cache_keys, version, lambda: "0" * 20)
            assert cache_keys.cache_key("care", b"x") != before


class ClassRecorder(pickle.Unpickler):
    """Records the classes and functions that a pickle names."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(zstandard.ZstdDecompressor().decompress(data)))
        self.found: set[tuple[str, str]] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.found.add((module, name))
        return super().find_class(module, name)


def classes_in(value: Any) -> set[tuple[str, str]]:
    recorder = ClassRecorder(cache_keys.pack_value(value))
    recorder.load()
    return recorder.found


def test_the_allowed_classes_are_those_that_values_consist_of() -> None:
    """Our own must be exactly those of the values; NumPy's may include those of other versions of NumPy."""
    values = [
        cache_keys.build_value(key.kind, key.inputs)
        for s in (tilted(), *map(builtin, scenarios.builtin_names()))
        for key in cache_keys.keys_of_scenario(s, ALL)
    ]
    found = set().union(*map(classes_in, values))
    allowed = {(module, name) for module, names in cache_keys.ALLOWED_CLASSES.items() for name in names}
    assert found <= allowed
    assert {entry for entry in allowed - found if entry[0].startswith("engine")} == set()
    for module, name in allowed:
        assert hasattr(import_module(module), name), f"{module}.{name} has moved"


@pytest.mark.parametrize(
    "allowed", [(module, name) for module, names in cache_keys.ALLOWED_CLASSES.items() for name in names]
)
def test_no_class_is_loaded_that_is_not_allowed(
    allowed: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = cache_keys.keys_of_scenario(builtin("coin"), ("arrivals",))
    value = cache_keys.build_value(key.kind, key.inputs)
    data = cache_keys.pack_value(value)
    module, name = allowed
    rest = tuple(other for other in cache_keys.ALLOWED_CLASSES[module] if other != name)
    monkeypatch.setitem(cache_keys.ALLOWED_CLASSES, module, rest)
    if allowed in classes_in(value):
        with pytest.raises(ValueError, match=f"must not contain {module}.{name}"):
            cache_keys.unpack_value(data)
    else:
        assert repr(cache_keys.unpack_value(data)) == repr(value)


class Hostile:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/goldenhour-must-not-exist",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"rubbish",
        cache_keys.pack_value([1])[:-3],
        zstandard.ZstdCompressor().compress(b"rubbish"),
        zstandard.ZstdCompressor().compress(pickle.dumps(Hostile())),
    ],
)
def test_bytes_that_are_no_value_are_refused_and_never_executed(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a cached value"):
        cache_keys.unpack_value(data)
    assert not Path("/tmp/goldenhour-must-not-exist").exists()


def test_measures_are_those_of_the_run() -> None:
    s = tilted()
    key = cache_keys.key_of_measures(s, 4, 2)
    simulation = Simulation(s, 4, 2)
    list(simulation)
    expected = msgspec.json.encode(whole_run.find_measures(simulation, s).summary)
    assert cache_keys.build_value(key.kind, key.inputs) == expected
    assert cache_keys.build_value(key.kind, key.inputs, cached_values(s)) == expected

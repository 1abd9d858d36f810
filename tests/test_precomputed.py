"""Cached values: a run from them writes the same bytes, and a key changes with the fields of its value alone."""

import dataclasses
import os
import pickle
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import zstandard
from msgspec.structs import replace

import scenarios
from engine import scenario as scenario_api
from engine.arrivals import ArrivalPlan, SizeTables
from engine.compile import model, tilts_of
from engine.measures import whole_run
from engine.precomputed import LARGEST_PACKED, cache_keys, pack_value, unpack_value
from engine.records import CodeTables, TextSource, formats
from engine.run import Replications, Simulation
from engine.scenario import Scenario, Setting, resolve
from engine.scenario.settings import with_settings

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
        r.kind: unpack_value(r.kind, pack_value(r.kind, cache_keys.build_value(r.kind, r.inputs)))
        for r in cache_keys.keys_of_scenario(s, ALL)
    }


def keys(s: Scenario) -> dict[str, str]:
    return {r.kind: r.key for r in cache_keys.keys_of_scenario(s, ALL)}


@pytest.mark.parametrize("name", [*scenarios.builtin_names(), "tilted"])
def test_cached_values_compile_to_the_same_tables(name: str) -> None:
    s = tilted() if name == "tilted" else builtin(name)
    precomputed = cached_values(s)
    assert model.compile_scenario(s, 3, 1, precomputed).tobytes() == model.compile_scenario(s, 3, 1).tobytes()
    assert ("tilts" in precomputed) == ("battle" in (s.triage or {}))


def test_tilts_are_not_found_again_for_what_they_do_not_depend_on() -> None:
    s = tilted()
    (key,) = cache_keys.keys_of_scenario(s, ("tilts",))
    tilts = cache_keys.build_value("tilts", key.inputs)
    for path, value in (
        ("casualties.total", 77),
        ("fronts[0].population", 500),
        ("environment", ["extreme_cold"]),
        ("treatments.tourniquet.available", False),
        ("mix", {"battle": 0.9, "nbi": 0.05, "disease": 0.05}),
    ):
        other = resolve(with_settings(s, [Setting(path, value)]))
        assert cache_keys.keys_of_scenario(other, ("tilts",)) == [key], path
        assert (tilts_of(other) == tilts).all(), path
    changed = resolve(with_settings(s, [Setting("model.survival.lethality.scale_niss", 9.0)]))
    assert cache_keys.keys_of_scenario(changed, ("tilts",)) != [key]
    assert (tilts_of(changed) != tilts).any()


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
    assert changed(start="2031-01-01T00:00:00Z") == {"people", "arrivals", "injuries"}  # the season
    assert changed(climate="desert", season="summer", agents={"blister": 1.0}) == {"injuries"}
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
    blind = cache_keys.KINDS["care"]._replace(fields=("environment", "model", "treatments"))
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


def test_measures_are_those_of_the_run() -> None:
    s = tilted()
    key = cache_keys.key_of_measures(s, 4, 2)
    simulation = Simulation(s, 4, 2)
    list(simulation)
    expected = msgspec.json.encode(whole_run.find_measures(simulation, s).summary)
    assert cache_keys.build_value(key.kind, key.inputs) == expected
    assert cache_keys.build_value(key.kind, key.inputs, cached_values(s)) == expected


def same(first: Any, second: Any) -> bool:
    """Whether two values are the same in every type and bit, and arrays such that no compiled code differs."""
    if isinstance(first, np.ndarray):
        return (
            (first.dtype, first.shape) == (second.dtype, second.shape)
            and all(first[f].tobytes() == second[f].tobytes() for f in first.dtype.names or [...])
            and second.flags.writeable
            and second.flags.aligned
            and second.flags.c_contiguous
        )
    if isinstance(first, ArrivalPlan):
        return all(same(getattr(first, f.name), getattr(second, f.name)) for f in dataclasses.fields(first))
    if isinstance(first, SizeTables):
        return all(map(same, first, second))
    return type(first) is type(second) and repr(first) == repr(second)


def packed_values(s: Scenario) -> dict[str, tuple[Any, bytes]]:
    """Each value of a scenario, and its bytes."""
    found = {}
    for key in cache_keys.keys_of_scenario(s, ALL):
        value = cache_keys.build_value(key.kind, key.inputs)
        found[key.kind] = value, pack_value(key.kind, value)
    found["measures"] = b'{"patients": 5}', pack_value("measures", b'{"patients": 5}')
    given = np.array([[True, True], [False, True]])
    replications = Replications(("kia", "patients"), np.array([[1.0, 5.0], [np.nan, 7.0]]), given)
    found["replications"] = replications, pack_value("replications", replications)
    return found


@pytest.mark.parametrize("name", [*scenarios.builtin_names(), "tilted"])
def test_every_value_is_read_back_as_it_was(name: str) -> None:
    for kind, (value, packed) in packed_values(tilted() if name == "tilted" else builtin(name)).items():
        assert same(value, unpack_value(kind, packed)), kind


def test_a_value_is_not_read_as_one_of_another_kind() -> None:
    values = packed_values(tilted())
    assert set(values) == {*cache_keys.KINDS}
    for kind, (_, packed) in values.items():
        for other in values:
            if other != kind:
                with pytest.raises(ValueError, match=f"of the kind {other}"):
                    unpack_value(other, packed)


HOSTILE: list[Any] = [
    None, True, -1, 2**63 - 1, 1e308, "x", b"", b"x" * 100, [], [1, 2], [[]], {}, {"a": 1}, "\0" * 10,
    ["people", [1], b""], ["f8", [-1, -8], b"x" * 64], ["f8", [2**62, 2**62], b""], ["f8", [0, 2**63 - 1], b""],
    ["O", [1], b"x" * 8], ["cell", [1], b"x" * 8], ["f8", [9], b"x" * 72, 1],
]  # fmt: skip


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every part of plain data; of what is alike the first two, and the last of a list."""
    yield path
    if isinstance(value, dict):
        alike = len({type(part) for part in value.values()}) == 1
        for key in list(value)[: 2 if alike else None]:
            yield from places_in(value[key], (*path, key))
    elif isinstance(value, list):
        for index in sorted({0, 1, len(value) - 1} & set(range(len(value)))):
            yield from places_in(value[index], (*path, index))


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    """Plain data with one part replaced."""
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], by)
    return copy


@pytest.mark.parametrize("kind", ["arrivals", "names", "diagnoses", "care", "tilts"])
def test_a_value_with_any_part_replaced_is_refused_or_has_the_right_types(kind: str) -> None:
    value, packed = packed_values(tilted())[kind]
    plain = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(packed))
    tried = refused = 0
    for path in places_in(plain):
        for hostile in HOSTILE:
            data = msgspec.msgpack.encode(replaced(plain, path, hostile))
            tried += 1
            try:
                found = unpack_value(kind, zstandard.ZstdCompressor(level=1).compress(data))
            except ValueError as error:
                assert str(error).startswith(f"not a cached value of the kind {kind}")
                refused += 1
            else:
                assert type(found) is type(value)
                if isinstance(found, np.ndarray):
                    assert (found.dtype, found.shape) == (value.dtype, value.shape)
    assert tried >= 60
    assert refused > 0.8 * tried


class Executed:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/goldenhour-must-not-exist",)


def frame_of_unknown_size(data: bytes) -> bytes:
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(data) + compressor.flush()


def bomb(size: int) -> bytes:
    """Zeros, compressed."""
    return zstandard.ZstdCompressor(level=3).compress(bytes(size))


@pytest.mark.parametrize("kind", cache_keys.KINDS)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"rubbish",
        bomb(0),
        bomb(200_000_000),
        bomb(200_000_000)[:6] + b"\0" * 3 + bomb(200_000_000)[9:],
        bomb(1000)[:-3],
        bomb(1000) + b"more",
        frame_of_unknown_size(b"rubbish"),
        zstandard.ZstdCompressor().compress(b"rubbish"),
        zstandard.ZstdCompressor().compress(pickle.dumps(Executed())),
        zstandard.ZstdCompressor().compress(b"\xdd\xff\xff\xff\xff"),
        zstandard.ZstdCompressor().compress(b"\x91" * 100_000),
        zstandard.ZstdCompressor().compress(b"[" * 100_000),
        bytes(LARGEST_PACKED + 1),
    ],
    ids=[
        "empty", "rubbish", "nothing", "bomb", "bomb with a forged size", "cut off", "with a tail", "unknown size",
        "compressed rubbish", "pickle", "list without end", "deep list", "deep JSON", "too large",
    ],
)  # fmt: skip
def test_bytes_that_are_no_value_are_refused_never_executed_and_take_no_memory(
    kind: str, data: bytes
) -> None:
    cache_keys.build_value("diagnoses", b"\x80")  # imports what the kinds need
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="not a cached value"):
            unpack_value(kind, data)
        assert tracemalloc.get_traced_memory()[1] < 80_000_000
    finally:
        tracemalloc.stop()
    assert not Path("/tmp/goldenhour-must-not-exist").exists()


def test_packed_arrays_show_no_memory_of_the_process() -> None:
    """NumPy leaves the gaps between fields as they were."""
    plan, _ = packed_values(builtin("brigade"))["arrivals"]
    cells = np.frombuffer(b"\xaa" * plan.cells.nbytes, plan.cells.dtype).copy()
    for name in plan.cells.dtype.names:
        cells[name] = plan.cells[name]
    assert pack_value("arrivals", dataclasses.replace(plan, cells=cells)) == pack_value("arrivals", plan)

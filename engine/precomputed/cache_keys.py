"""What a run is compiled from, as values that can be kept: each is made from some fields of a resolved scenario.

A recipe holds exactly the fields its value is made from. The key of the value is a digest of them, and the value is
made from them alone: reading a field that is not listed raises AttributeError, so that no value can be right for one
scenario and wrong for another of the same key. Neither NumPy nor Numba is loaded before something is made.
"""

import hashlib
import io
import pickle
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, NamedTuple, get_args

import msgspec
import zstandard
from msgspec.structs import replace

from engine.identity import catalogue_version, engine_version
from engine.scenario import Scenario

Namespace = Literal["configuration", "demographics", "medical", "computation"]
NAMESPACES: tuple[Namespace, ...] = get_args(Namespace)

MEASURES_KIND = "measures"
"""The kind of the measures of a whole run; all others are of a scenario."""

LARGEST_VALUE = 256 * 1024 * 1024
"""Bytes of the largest value that is unpacked."""

_LEVEL = 1
_MIXED = ("casualties", "environment", "events", "mix", "warfare")
_WOUNDING = (*_MIXED, "routing", "survival", "triage")
_NETWORK = (
    "acceptance", "bumping", "bypass", "destination", "environment", "expectant", "facilities", "fronts", "links",
    "national_preference", "retriage_minutes", "routing", "vehicles", "world",
)  # fmt: skip


class Kind(NamedTuple):
    """A kind of value: the namespace it is kept in, and the fields of the scenario it is made from."""

    namespace: Namespace
    fields: tuple[str, ...]


KINDS: dict[str, Kind] = {
    "people": Kind("demographics", ("fronts", "start")),
    "names": Kind("demographics", ("fronts",)),
    "injuries": Kind("medical", _WOUNDING),
    "survival": Kind("medical", ("environment", "survival")),
    "diagnoses": Kind("medical", ()),
    "network": Kind("configuration", _NETWORK),
    "care": Kind("configuration", ("environment", "horizon_days", "mascal_threshold", "triage_accuracy")),
    "transitions": Kind("configuration", (*_NETWORK, "events", "triage", "warfare")),
    "arrivals": Kind("configuration", (*_MIXED, "day_weights", "days", "fronts", "intensity", "tempo")),
    "severity": Kind("computation", _WOUNDING),
    MEASURES_KIND: Kind("computation", tuple(f.name for f in msgspec.structs.fields(Scenario))),
}
"""people: identity by front; names: texts of names, ranks and units; injuries, survival: wounds, illnesses and the
survival clock; diagnoses: texts of conditions and causes; network, care, transitions: facilities and ways, service
times, transition matrices; arrivals: intensities by front, type and day; severity: the tilt behind an author's triage
weights; measures: what summary.json holds."""

SIMULATION_KINDS = (
    "people",
    "injuries",
    "survival",
    "network",
    "care",
    "transitions",
    "arrivals",
    "severity",
)
"""Kinds the simulator needs."""

TEXT_KINDS = ("names", "diagnoses")
"""Kinds that records need."""


class CacheKey(NamedTuple):
    """How to make one value. `inputs`: canonical msgpack of what it is made from; `key`: 64 hex digits of all that."""

    kind: str
    inputs: bytes
    key: str

    @property
    def namespace(self) -> Namespace:
        """Where the value is kept."""
        return KINDS[self.kind].namespace


def keys_of_scenario(s: Scenario, kinds: tuple[str, ...]) -> list[CacheKey]:
    """Recipes of those of `kinds` that a resolved scenario has: `severity` only where an author weights triage."""
    wanted = [kind for kind in kinds if kind != "severity" or is_tilted(s)]
    return [_recipe(kind, {name: getattr(s, name) for name in KINDS[kind].fields}) for kind in wanted]


def key_of_measures(s: Scenario, seed: int, replication: int) -> CacheKey:
    """The recipe of a run's measures: of the resolved scenario but for its name and description."""
    bare = replace(s, name="-", description="", seed=seed)
    return _recipe(MEASURES_KIND, {"scenario": bare, "replication": replication})


def is_tilted(s: Scenario) -> bool:
    """Whether an author's weights of battle triage call for a search of the severity that brings them about."""
    return "battle" in (s.triage or {}) and s.routing == "clock"


def cache_key(kind: str, inputs: bytes) -> str:
    """The key of a value made by this engine from this catalogue."""
    what = [kind, inputs, engine_version(), catalogue_version()]
    return hashlib.sha256(msgspec.msgpack.encode(what)).hexdigest()


def build_value(kind: str, inputs: bytes, made: Mapping[str, Any] | None = None) -> Any:
    """The value of a recipe: arrays, texts or bytes, the same wherever it is made. `made`: parts of measures."""
    from engine.precomputed import cache_builders

    if kind == MEASURES_KIND:
        asked = msgspec.msgpack.decode(inputs, type=_Run)
        return cache_builders.measures(asked.scenario, asked.scenario.seed, asked.replication, made or {})
    fields = msgspec.msgpack.decode(inputs, type=_fields(kind))
    return cache_builders.BUILDERS[kind](fields)


def run_of_key(inputs: bytes) -> tuple[Scenario, int]:
    """Scenario and replication of a recipe of measures."""
    asked = msgspec.msgpack.decode(inputs, type=_Run)
    return asked.scenario, asked.replication


class _Run(msgspec.Struct, frozen=True):
    scenario: Scenario
    replication: int


def _recipe(kind: str, content: dict[str, Any]) -> CacheKey:
    inputs = msgspec.msgpack.encode(content, order="deterministic")
    return CacheKey(kind, inputs, cache_key(kind, inputs))


@cache
def _fields(kind: str) -> Any:
    """A Struct of the kind's fields alone."""
    types = {field.name: field.type for field in msgspec.structs.fields(Scenario)}
    return msgspec.defstruct(kind, [(name, types[name]) for name in KINDS[kind].fields], frozen=True)


def pack_value(value: Any) -> bytes:
    """A value as bytes: compressed, since the tables of a network are mostly empty."""
    return zstandard.ZstdCompressor(level=_LEVEL).compress(pickle.dumps(value, protocol=5))


def unpack_value(data: bytes) -> Any:
    """The value of `pack`. Raises ValueError for anything else; classes of other modules are never loaded."""
    try:
        if not 0 <= zstandard.get_frame_parameters(data).content_size <= LARGEST_VALUE:
            raise ValueError("too large")
        return _Unpickler(io.BytesIO(zstandard.ZstdDecompressor().decompress(data))).load()
    except Exception as error:
        raise ValueError(f"not a kept value: {error}") from error


_LOADED = {
    "numpy": ("dtype", "ndarray"),
    "numpy._core.multiarray": ("_reconstruct", "scalar"),
    "numpy._core.numeric": ("_frombuffer",),
    "engine.arrivals.plan": ("ArrivalPlan", "Group"),
    "engine.arrivals.incidents": ("SizeTables",),
    "engine.records.code_tables": ("CodedText",),
}


class _Unpickler(pickle.Unpickler):
    """Loads arrays and the few classes that values are made of."""

    def find_class(self, module: str, name: str) -> Any:
        if name not in _LOADED.get(module, ()):
            raise ValueError(f"{module}.{name} is no part of a value")
        return super().find_class(module, name)

"""Cached values: their kinds, their keys, and how they are built.

A run is compiled from values that depend on some fields of the resolved scenario only. The key of a value is a digest
of exactly these fields, and the value is built from them alone: a builder that reads another field gets an
AttributeError. So two scenarios with the same key always have the same value. Neither NumPy nor Numba is loaded before
a value is built.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, NamedTuple, get_args

import msgspec
from msgspec.structs import replace

from engine.identity import catalogue_version, engine_version
from engine.scenario import Scenario, has_tilts

Namespace = Literal["configuration", "demographics", "medical", "computation"]
NAMESPACES: tuple[Namespace, ...] = get_args(Namespace)
"""Groups of cached values, which a user can count and clear separately."""

MEASURES_KIND = "measures"
"""The kind of the measures of a run."""

REPLICATIONS_KIND = "replications"
"""The kind of the measures of some replications. All kinds but these two depend on the scenario alone."""

TILTS_KIND = "tilts"
"""The kind of the tilts of a scenario with shares of triage or deaths."""

RESULT_KINDS = (MEASURES_KIND, REPLICATIONS_KIND)
"""Kinds of values that are simulated."""

_CASUALTY_MIX_FIELDS = ("casualties", "environment", "events", "fronts", "mix", "warfare")
_CONSTANT_FIELDS = ("model", "treatments")
"""Fields that replace constants of the model."""

_CARE_FIELDS = (
    *_CONSTANT_FIELDS,
    "environment", "horizon_days", "intensive_care", "mascal_threshold", "reoperations", "routing", "triage_accuracy",
)  # fmt: skip
_INJURY_FIELDS = (
    *_CASUALTY_MIX_FIELDS, *_CONSTANT_FIELDS,
    "agents", "climate", "intensity", "routing", "season", "start", "survival", "triage",
)  # fmt: skip
_NETWORK_FIELDS = (
    *_CONSTANT_FIELDS,
    "acceptance", "bumping", "bypass", "destination", "environment", "expectant", "facilities", "fronts", "links",
    "mortuary_affairs", "national_preference", "point_of_injury", "retriage_minutes", "routing", "vehicles",
    "world",
)  # fmt: skip


class Kind(NamedTuple):
    """A kind of value."""

    namespace: Namespace
    """Where the value is cached."""
    fields: tuple[str, ...]
    """The fields of the scenario that it is built from."""
    unset: tuple[str, ...] = ()
    """Fields that its builder reads and that do not matter for it: it finds them at their default."""


KINDS: dict[str, Kind] = {
    "people": Kind("demographics", (*_CONSTANT_FIELDS, "fronts", "start")),
    "names": Kind("demographics", ("fronts",)),
    "injuries": Kind("medical", _INJURY_FIELDS),
    "survival": Kind("medical", (*_CONSTANT_FIELDS, "environment", "expectant", "survival")),
    "diagnoses": Kind("medical", ()),
    "network": Kind("configuration", _NETWORK_FIELDS),
    "care": Kind("configuration", _CARE_FIELDS),
    "transitions": Kind("configuration", (*_NETWORK_FIELDS, "events", "triage", "warfare")),
    "arrivals": Kind(
        "configuration",
        (
            *_CASUALTY_MIX_FIELDS,
            *_CONSTANT_FIELDS,
            "day_weights",
            "days",
            "incidents",
            "intensity",
            "start",
            "tempo",
        ),
    ),
    "tilts": Kind(
        "computation",
        ("events", "expectant", "model", "routing", "survival", "triage", "warfare"),
        unset=("environment", "treatments"),
    ),
    MEASURES_KIND: Kind("computation", tuple(f.name for f in msgspec.structs.fields(Scenario))),
    REPLICATIONS_KIND: Kind("computation", tuple(f.name for f in msgspec.structs.fields(Scenario))),
}
"""By name of the kind:

- people: identity by front
- names: texts of names, ranks and units
- injuries, survival: wounds, illnesses and the survival clock
- diagnoses: texts of conditions and external causes
- network, care, transitions: facilities and ways, service times, transition matrices
- arrivals: intensities by front, type and day
- tilts: the changes of the model that yield the shares of triage and deaths of the scenario
- measures: the content of summary.json
- replications: the measures of some replications; a cached value may have only the first of them
"""

SIMULATION_KINDS = (
    "people",
    "injuries",
    "survival",
    "network",
    "care",
    "transitions",
    "arrivals",
    "tilts",
)
"""Kinds that a simulation needs."""

TEXT_KINDS = ("names", "diagnoses")
"""Kinds that the encoding of records needs."""


class CacheKey(NamedTuple):
    """A value that can be built or fetched from a cache."""

    kind: str
    """A key of KINDS."""
    inputs: bytes
    """The fields that it is built from, as canonical MessagePack."""
    key: str
    """SHA-256 of kind, inputs and the versions of engine and catalogue: 64 hexadecimal digits."""

    @property
    def namespace(self) -> Namespace:
        """The namespace in which the value is cached."""
        return KINDS[self.kind].namespace


def keys_of_scenario(scenario: Scenario, kinds: tuple[str, ...]) -> list[CacheKey]:
    """Return the cache keys of those of `kinds` that a resolved scenario has.

    Only a scenario with shares of triage or deaths has `tilts`.
    """
    present = [kind for kind in kinds if kind != TILTS_KIND or has_tilts(scenario)]
    return [
        _new_key(kind, {name: getattr(scenario, name) for name in KINDS[kind].fields}) for kind in present
    ]


def key_of_measures(scenario: Scenario, seed: int, replication: int) -> CacheKey:
    """Return the cache key of a run's measures. It does not depend on the scenario's name and description."""
    return _new_key(MEASURES_KIND, {"scenario": _anonymous(scenario, seed), "replication": replication})


def key_of_replications(scenario: Scenario, seed: int, first: int, count: int) -> CacheKey:
    """Return the cache key of the measures of some replications. It does not depend on name and description."""
    return ReplicationKeys.of_scenario(scenario, seed).of(first, count)


class ReplicationKeys:
    """The cache keys of the replications of a scenario, which is encoded once for all of them.

    Parameters
    ----------
    packed
        The scenario with its seed, without name and description, as canonical MessagePack.
    """

    def __init__(self, packed: bytes) -> None:
        self.packed = packed
        self._raw = msgspec.Raw(packed)

    @classmethod
    def of_scenario(cls, scenario: Scenario, seed: int) -> "ReplicationKeys":
        """Return the keys of a resolved scenario with another seed."""
        return cls(msgspec.msgpack.encode(_anonymous(scenario, seed), order="deterministic"))

    @property
    def scenario(self) -> Scenario:
        """The scenario, decoded."""
        return msgspec.msgpack.decode(self.packed, type=Scenario)

    def of(self, first: int, count: int) -> CacheKey:
        """Return the key of the replications from `first` on."""
        return _new_key(REPLICATIONS_KIND, {"scenario": self._raw, "first": first, "count": count})


def _anonymous(scenario: Scenario, seed: int) -> Scenario:
    return replace(scenario, name="-", description="", seed=seed)


def cache_key(kind: str, inputs: bytes) -> str:
    """Return the key of a value that this engine builds from this catalogue."""
    content = [kind, inputs, engine_version(), catalogue_version()]
    return hashlib.sha256(msgspec.msgpack.encode(content)).hexdigest()


def build_value(kind: str, inputs: bytes, precomputed: Mapping[str, Any] | None = None) -> Any:
    """Build a value. It is the same on every machine.

    Parameters
    ----------
    kind, inputs
        As in the value's `CacheKey`.
    precomputed
        For what is simulated: values of some of SIMULATION_KINDS, by kind.

    Returns
    -------
    Any
        Arrays, texts or, for measures, JSON; for replications, `Replications`.
    """
    from engine.precomputed import cache_builders

    if kind == MEASURES_KIND:
        run = msgspec.msgpack.decode(inputs, type=_MeasuresInputs)
        seed = run.scenario.seed
        return cache_builders.build_measures(run.scenario, seed, run.replication, precomputed or {})
    if kind == REPLICATIONS_KIND:
        some = msgspec.msgpack.decode(inputs, type=_ReplicationsInputs)
        seed = some.scenario.seed
        return cache_builders.build_replications(
            some.scenario, seed, some.first, some.count, precomputed or {}
        )
    fields = msgspec.msgpack.decode(inputs, type=_struct_of_fields(kind))
    return cache_builders.BUILDERS[kind](fields)


def scenario_of_key(inputs: bytes) -> Scenario:
    """Return the scenario from the inputs of a key of measures or replications."""
    return msgspec.msgpack.decode(inputs, type=_ResultInputs).scenario


class _ResultInputs(msgspec.Struct, frozen=True):
    scenario: Scenario


class _MeasuresInputs(_ResultInputs, frozen=True):
    replication: int


class _ReplicationsInputs(_ResultInputs, frozen=True):
    first: int
    count: int


def _new_key(kind: str, fields: dict[str, Any]) -> CacheKey:
    inputs = msgspec.msgpack.encode(fields, order="deterministic")
    return CacheKey(kind, inputs, cache_key(kind, inputs))


@cache
def _struct_of_fields(kind: str) -> Any:
    """Return a Struct that has the fields of the kind, those that do not matter at their default, and no others."""
    fields = {field.name: field for field in msgspec.structs.fields(Scenario)}
    content: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        (name, fields[name].type) for name in KINDS[kind].fields
    ]
    for name in KINDS[kind].unset:
        factory = fields[name].default_factory
        default = (
            fields[name].default if factory is msgspec.NODEFAULT else msgspec.field(default_factory=factory)
        )
        content.append((name, fields[name].type, default))
    return msgspec.defstruct(kind, content, frozen=True)

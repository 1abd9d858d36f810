"""The simulation of batches of replications, in this process or as a task on Ray."""

import os
import pickle
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from actors.cluster import (
    PACKAGE_ROOT,
    check_package_root,
    environment_of_process,
    hide_pyarrow_in_worker,
    lower_priority,
    restore_pyarrow,
)
from actors.experiments.batches import Batch
from engine.errors import GoldenhourError, RunError
from engine.precomputed import (
    SIMULATION_KINDS,
    TILTS_KIND,
    CacheKey,
    ReplicationKeys,
    build_value,
    keys_of_scenario,
    pack_value,
    unpack_value,
)

hide_pyarrow_in_worker()

COMPILED_OF_A_KIND = 4
"""Compiled values of a kind that a process keeps. A network has 4 MB, injuries have 1 MB."""

LARGE_BYTES = 100_000
"""A packed scenario that is larger is put into Ray's object store once. Ray would put it there again with each task."""

LARGE_SCENARIOS = 4
"""Large scenarios that the driver keeps in the object store. Batches come point by point, so no more are needed."""


class Order(NamedTuple):
    """Batches of one point that are to be simulated."""

    label: str
    """What errors call the point; may be empty."""
    packed: bytes
    """`ReplicationKeys.packed` of the point; empty while it is sent beside the orders, as `LargeScenarios` says."""
    check: str
    """Key of the first batch. It differs in a process with another version of goldenhour."""
    batches: tuple[Batch, ...]
    tilts: bytes | None = None
    """The packed tilts, if they are known."""


class Simulated(NamedTuple):
    """What a task has simulated."""

    packed: list[bytes]
    """The packed measures of the batches, in their order; of those before an error if there was one."""
    tilts: list[bytes | None]
    """By order: the packed tilts, if they were not known."""
    seconds: float
    """How long it took."""
    error: GoldenhourError | None
    """Why the next batch could not be simulated."""


class CompiledValues:
    """What scenarios are compiled to. Of each kind the values used last are kept: equal ones are compiled once."""

    def __init__(self, kept: int = COMPILED_OF_A_KIND) -> None:
        self._kept = kept
        self._values: dict[str, OrderedDict[str, Any]] = {kind: OrderedDict() for kind in SIMULATION_KINDS}

    def of(self, keys: Sequence[CacheKey], packed: Mapping[str, bytes]) -> dict[str, Any]:
        """Return the values of the keys by kind. Those of kinds in `packed` are unpacked, the others compiled."""
        return {key.kind: self._value(key, packed.get(key.kind)) for key in keys}

    def _value(self, key: CacheKey, packed: bytes | None) -> Any:
        values = self._values[key.kind]
        if key.key not in values:
            values[key.key] = (
                build_value(key.kind, key.inputs) if packed is None else unpack_value(key.kind, packed)
            )
            if len(values) > self._kept:
                values.popitem(last=False)
        values.move_to_end(key.key)
        return values[key.key]


class LargeScenarios:
    """References to the large packed scenarios in Ray's object store; those used last are kept.

    Ray itself keeps a scenario as long as a task that was sent needs it.
    """

    def __init__(self, kept: int = LARGE_SCENARIOS) -> None:
        self._kept = kept
        self._references: OrderedDict[bytes, Any] = OrderedDict()

    def arguments(self, orders: Sequence[Order]) -> tuple[Any, ...]:
        """Return the arguments with which `simulate_orders` is called on Ray for these orders."""
        large = {
            place: self._reference(order.packed)
            for place, order in enumerate(orders)
            if len(order.packed) > LARGE_BYTES
        }
        sent = [order._replace(packed=b"") if place in large else order for place, order in enumerate(orders)]
        return (sent, *large.values())

    def _reference(self, packed: bytes) -> Any:
        import ray

        if packed not in self._references:
            self._references[packed] = ray.put(packed)
            if len(self._references) > self._kept:
                self._references.popitem(last=False)
        self._references.move_to_end(packed)
        return self._references[packed]


_compiled = CompiledValues()
"""Those of this process."""


def compile_order(order: Order) -> dict[str, Any]:
    """Return what the scenario of an order is compiled to, by kind.

    Raises
    ------
    ScenarioError
        If a share of triage or deaths that the scenario asks for cannot be met.
    """
    keys = ReplicationKeys(order.packed)
    if keys.of(*order.batches[0]).key != order.check:
        raise RuntimeError("this worker has another version of goldenhour")
    known = {} if order.tilts is None else {TILTS_KIND: order.tilts}
    return _compiled.of(keys_of_scenario(keys.scenario, SIMULATION_KINDS), known)


def simulate_order(order: Order, compiled: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the packed measures of the batches of an order.

    Raises
    ------
    RunError
        If a replication cannot be simulated to its end. The message names point and replication.
    """
    keys = ReplicationKeys(order.packed)
    try:
        for batch in order.batches:
            key = keys.of(*batch)
            yield pack_value(key.kind, build_value(key.kind, key.inputs, compiled))
    except RunError as error:
        raise RunError(f"{order.label}, {error}" if order.label else str(error)) from None


def simulate_orders(orders: Sequence[Order], *large: bytes) -> Simulated:
    """Return the packed measures of all batches of the orders, as a task on Ray.

    `large` has the packed scenarios of the orders that are without, in the sequence of these orders.
    """
    begun = time.perf_counter()
    lower_priority()
    check_package_root()
    restore_pyarrow()
    packed: list[bytes] = []
    tilts: list[bytes | None] = []
    error: GoldenhourError | None = None
    scenarios = iter(large)
    try:
        for sent in orders:
            order = sent if sent.packed else sent._replace(packed=next(scenarios))
            compiled = compile_order(order)
            tilts.append(found_tilts(order, compiled))
            packed.extend(simulate_order(order, compiled))
    except GoldenhourError as raised:
        error = raised
    return Simulated(packed, tilts, time.perf_counter() - begun, error)


def simulate_apart(order: Order) -> Simulated | None:
    """Return what `simulate_orders` returns, simulated in a process of its own; None if there can be no such process.

    The process that calls this does not load the engine's machine code and tables, which take 70 MB.
    """
    if not sys.executable:  # Python is embedded in another program
        return None
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"from {__name__} import answer_order; answer_order()"],
            input=pickle.dumps(order),
            capture_output=True,
            cwd=PACKAGE_ROOT,
            env=environment_of_process(),
            check=True,
        )
        found: Simulated = pickle.loads(done.stdout)
    except (OSError, subprocess.CalledProcessError, pickle.UnpicklingError, EOFError):
        return None
    return found


def answer_order() -> None:
    """Read an order from stdin, and write what is simulated to stdout."""
    with os.fdopen(0, "rb", closefd=False) as stream:
        order: Order = pickle.loads(stream.read())
    with os.fdopen(os.dup(1), "wb") as stream:
        os.dup2(2, 1)  # nothing else may come between
        stream.write(pickle.dumps(simulate_orders([order])))


def found_tilts(order: Order, compiled: Mapping[str, Any]) -> bytes | None:
    """Return the packed tilts of an order that came without them; None if it has them or the scenario has none."""
    if order.tilts is not None or TILTS_KIND not in compiled:
        return None
    return pack_value(TILTS_KIND, compiled[TILTS_KIND])

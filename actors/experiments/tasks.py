"""The Ray task that simulates a batch of replications."""

from collections import OrderedDict
from typing import Any

from actors.cluster import check_package_root, hide_pyarrow_in_worker, lower_priority, restore_pyarrow
from engine.precomputed import CacheKey, build_value, cache_key, pack_value, unpack_value

hide_pyarrow_in_worker()

_KEPT = 8
_unpacked: OrderedDict[str, dict[str, Any]] = OrderedDict()
"""By point: the compiled scenarios that this worker used last."""


def simulate_batch(key: CacheKey, point: str, compiled: dict[str, bytes]) -> bytes:
    """Return the packed measures of a batch of replications.

    Parameters
    ----------
    key
        The key of the replications.
    point
        Names the scenario, so that it is unpacked once in a worker.
    compiled
        What the scenario is compiled to: packed values by kind.
    """
    if point not in _unpacked:
        lower_priority()
        check_package_root()
        restore_pyarrow()
        if cache_key(key.kind, key.inputs) != key.key:
            raise RuntimeError("this worker has another version of goldenhour")
        _unpacked[point] = {kind: unpack_value(kind, data) for kind, data in compiled.items()}
        while len(_unpacked) > _KEPT:
            _unpacked.popitem(last=False)
    _unpacked.move_to_end(point)
    return pack_value(key.kind, build_value(key.kind, key.inputs, _unpacked[point]))

"""Compile the vehicle pools of a scenario (docs/model.md section 2.9)."""

import hashlib
from typing import Any

import numpy as np

from engine.compile.capacity import is_unlimited
from engine.compile.rows import floats, ints
from engine.scenario import Scenario
from engine.tables import HOUR, MINUTE


def compile_vehicles(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of NETWORK on vehicle pools and their lifts."""
    vehicles = [] if is_unlimited(scenario) else scenario.vehicles
    lifts = [pool.lift for pool in vehicles]
    return {
        "pools": len(vehicles),
        "vehicles": ints(pool.number for pool in vehicles),
        "litters": ints(pool.litters or 0 for pool in vehicles),
        "seats": ints(pool.seats or 0 for pool in vehicles),
        "load_time": floats((pool.load_minutes or 0.0) * MINUTE for pool in vehicles),
        "unload_time": floats((pool.unload_minutes or 0.0) * MINUTE for pool in vehicles),
        "dispatch_delay": floats((pool.dispatch_minutes or 0.0) * MINUTE for pool in vehicles),
        "moves_by_night": ints(int(pool.night) for pool in vehicles),
        "grounded_probability": floats(pool.grounded for pool in vehicles),
        "loss_probability": floats(pool.loss for pool in vehicles),
        "vehicle_clock_factor": floats(
            1.0 if pool.clock_factor is None else pool.clock_factor for pool in vehicles
        ),
        "lift_interval": floats(0.0 if lift is None else lift.interval_hours * HOUR for lift in lifts),
        "first_lift_at": floats(0.0 if lift is None else lift.first_hour * HOUR for lift in lifts),
        "lift_cancelled": floats(0.0 if lift is None else lift.cancellation for lift in lifts),
        "pool_key": np.array([_key(pool.id) for pool in vehicles], np.uint64),
    }


def _key(name: str) -> int:
    """Return 64 bits of a name: draws of a pool are keyed by name, not by position (docs/model.md section 5.2)."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")

"""Checks of vehicle pools, each on its own."""

from collections.abc import Sequence

from engine.errors import ScenarioError
from engine.scenario.checks.values import check_known, check_name
from engine.scenario.structs.bounds import MAX_RARE
from engine.scenario.structs.vehicles import Vehicle
from engine.scenario.structs.vocabulary import TRANSPORT_KINDS


def check_vehicles(placed: Sequence[tuple[str, Vehicle]], facilities: Sequence[str]) -> None:
    """Refuse vehicle pools that contradict themselves (ScenarioError).

    Parameters
    ----------
    placed
        Pools, each with its place in the scenario for messages.
    facilities
        Ids of the facilities.
    """
    for place, pool in placed:
        check_name(f"{place}.id", pool.id)
        if pool.id in TRANSPORT_KINDS:
            raise ScenarioError(
                f"{place}.id", pool.id, "any id but a kind of transport, because links may name a kind too"
            )
        _check_rare(f"{place}.grounded", pool.grounded)
        if pool.lift is not None:
            _check_rare(f"{place}.lift.cancellation", pool.lift.cancellation)
        if pool.base is not None:
            check_known(f"{place}.base", pool.base, facilities, "a facility")
        if pool.litters == 0 and not pool.seats:
            raise ScenarioError(
                f"{place}.litters", pool.litters, "room for at least one patient, on litters or seats"
            )


def _check_rare(place: str, probability: float) -> None:
    """Refuse a pool that almost never moves: a run would wait for it through ages of events."""
    if MAX_RARE < probability < 1:
        raise ScenarioError(place, probability, f"at most {MAX_RARE:g}, or 1 for a pool that never moves")

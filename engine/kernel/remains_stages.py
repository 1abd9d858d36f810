"""The stages of the dead: collection, and delivery to the next facility (docs/model.md section 2.9.5)."""

import math

from engine.clinical import log_event
from engine.codes import AT_POI, EN_ROUTE, Event
from engine.kernel.codes import NO_VEHICLE, Recovery, Stage
from engine.kernel.travel import draw_leg_time
from engine.numeric import Counter, compiled
from engine.tables import CasualtyState, Model, Output


@compiled
def is_dead(casualty: CasualtyState) -> bool:
    """Return whether the casualty has died and the remains are not yet where they are to be moved."""
    return bool(casualty.stage >= Stage.REMAINS)


@compiled
def has_outcome(casualty: CasualtyState) -> bool:
    """Return whether the outcome is fixed."""
    return bool(casualty.stage == Stage.CLOSED or casualty.stage >= Stage.REMAINS)


@compiled
def will_be_moved(casualty: CasualtyState, front: int, model: Model) -> bool:
    """Return whether the remains would be moved if the casualty died now."""
    if model.network.recovers_dead == Recovery.NONE or (
        casualty.admitted and model.network.recovers_dead != Recovery.ALL
    ):
        return False
    if casualty.facility == EN_ROUTE:
        return True
    if casualty.facility == AT_POI:
        return bool(model.network.remains_leave_poi[front])
    return bool(model.network.remains_leave[casualty.facility, front])


@compiled
def begin_recovery(casualty: CasualtyState, front: int, now: float, arrival: float, model: Model) -> None:
    """Let the remains of a casualty who has just died be moved, if the scenario asks for it.

    Whoever dies on the way stays in the vehicle, which arrives at `arrival`, ms.
    """
    if not will_be_moved(casualty, front, model):
        return
    casualty.life = math.inf
    casualty.late_death_at = math.inf
    casualty.retriage_at = math.inf
    casualty.granted = 0
    casualty.category = 0
    if casualty.facility == EN_ROUTE:
        casualty.stage = Stage.DELIVER
        casualty.at = arrival
    else:
        casualty.stage = Stage.REMAINS
        casualty.at = now


@compiled
def _leave(output: Output, row: int, casualty: CasualtyState, now: float, arrival: float) -> None:
    """Leave a place with a vehicle that arrives at `arrival`, ms."""
    log_event(output, row, now, casualty.facility, Event.REMAINS_COLLECTED, 0)
    casualty.facility = EN_ROUTE
    casualty.stage = Stage.DELIVER
    casualty.at = arrival


@compiled
def request_collection(
    output: Output, row: int, casualty: CasualtyState, now: float, model: Model, counter: Counter
) -> None:
    """Wait for a vehicle, or leave at once where vehicles for the dead are unlimited."""
    if model.network.remains_wait[casualty.way]:
        casualty.stage = Stage.AWAIT_COLLECTION
        casualty.at = math.inf
        return
    candidate = model.network.way_first[casualty.way]
    while model.network.remains_pool[candidate] == NO_VEHICLE:  # `remains_leave` says that there is another
        candidate += 1
    link = model.network.candidate_link[candidate]
    casualty.destination = model.network.destination[link]
    _leave(output, row, casualty, now, now + draw_leg_time(link, casualty.leg, now, model, counter))


@compiled
def board_remains(
    casualty: CasualtyState, candidate: int, depart: float, arrive: float, model: Model
) -> None:
    """Assign the remains to a vehicle of `candidate`, which departs at `depart` and arrives at `arrive`, ms."""
    casualty.destination = model.network.destination[model.network.candidate_link[candidate]]
    casualty.arrive_at = arrive
    casualty.stage = Stage.COLLECT
    casualty.at = depart


@compiled
def collect_remains(output: Output, row: int, casualty: CasualtyState, now: float) -> None:
    """Leave with the vehicle."""
    _leave(output, row, casualty, now, casualty.arrive_at)


@compiled
def deliver_remains(output: Output, row: int, casualty: CasualtyState, now: float, model: Model) -> None:
    """Reach the next facility: the end of the way, or a stop before a collection point."""
    front = output.patients[row].front
    casualty.facility = casualty.destination
    casualty.leg += 1
    casualty.way = model.network.way[casualty.facility, front]
    if model.network.collection_points and model.network.remains_leave[casualty.facility, front]:
        log_event(output, row, now, casualty.facility, Event.REMAINS_ARRIVED, 0)
        casualty.stage = Stage.REMAINS
        casualty.at = now
    else:
        log_event(output, row, now, casualty.facility, Event.REMAINS_DELIVERED, 0)
        casualty.stage = Stage.CLOSED

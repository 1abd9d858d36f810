"""Times: of journeys and services, and what transition-matrix routing draws in their place (MODEL section 5)."""

from engine.clinical import to_uniform
from engine.codes import MATRIX_OUTCOME, DrawPurpose
from engine.kernel.codes import MatrixOutcome
from engine.numeric import TRIANGULAR, Counter, compiled, continuous, words
from engine.tables import (
    MINUTE,
    CasualtyState,
    Floats,
    Model,
    PatientRow,
)


@compiled
def triangular(uniform: float, table: Floats) -> float:
    """Inverse distribution function of the triangular distribution (low, mode, high)."""
    return continuous(TRIANGULAR, table[0], table[1], table[2], uniform)


@compiled
def relocation_factor(link: int, at: float, model: Model) -> float:
    """Factor on the travel time of a link by the moves of facilities until `at`, ms."""
    network = model.network
    factor = 1.0
    for k in range(network.moves):
        if network.moved_at[k] > at:
            break
        if network.moved[k] == network.origin[link] or network.moved[k] == network.destination[link]:
            factor *= network.farther[k]
    return factor


@compiled
def draw_leg_time(link: int, leg: int, at: float, model: Model, counter: Counter) -> float:
    """ms on a link for who sets off at `at`, by the patient's own draw for the leg (MODEL section 7: keyed patient,
    leg).
    """
    uniform = to_uniform(words(model.keys[DrawPurpose.TRAVEL], counter[0], counter[1], leg)[0])
    network = model.network
    minutes = continuous(
        network.kind[link], network.travel[link, 0], network.travel[link, 1], network.travel[link, 2], uniform
    )
    if network.moves > 0:
        minutes *= relocation_factor(link, at, model)
    return max(1000.0, (minutes * network.slowdown[link] + network.delay[link]) * MINUTE)


@compiled
def draw_service_time(model: Model, facility: int, which: int, table: Floats, uniform: float) -> float:
    """Minutes of a service: the facility's own distribution, else triangular by `table`."""
    kind = model.network.service_kind[facility, which]
    if kind < 0:
        return triangular(uniform, table)
    own = model.network.service[facility, which]
    return continuous(kind, own[0], own[1], own[2], uniform)


@compiled
def draw_route_time(
    casualty: CasualtyState, front: int, goal: int, link: int, model: Model, counter: Counter
) -> float:
    """ms along the network from `link` on to facility `goal`, passing those between without a stop: under
    transition-matrix routing, where nothing moves.
    """
    total = 0.0
    leg = casualty.leg
    while True:
        total += draw_leg_time(link, leg, 0.0, model, counter)
        here = model.network.destination[link]
        link = model.network.next_link[here, front]
        leg += 1
        if here == goal or link < 0:
            return total


@compiled
def draw_matrix_outcome(
    record: PatientRow, casualty: CasualtyState, place: int, model: Model, counter: Counter
) -> None:
    """Transition-matrix routing: what happens at a place (0: POI, else the role) is drawn by triage category."""
    uniform = to_uniform(
        words(model.keys[DrawPurpose.SURVIVAL], counter[0], counter[1], MATRIX_OUTCOME + place)[0]
    )
    outcome = 1
    while (
        outcome < MatrixOutcome.RETURNED
        and uniform >= model.transitions.cumulated[place, record.triage, outcome]
    ):
        outcome += 1
    if outcome <= 4 and model.transitions.facility[record.front, outcome] < 0:
        outcome = MatrixOutcome.RETURNED  # the network has no such role: treated here
    casualty.outcome = outcome

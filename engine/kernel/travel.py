"""Times of journeys and services, and what transition-matrix routing draws instead (docs/model.md section 2.7)."""

from engine.clinical import to_uniform
from engine.codes import MATRIX_OUTCOME, DrawPurpose
from engine.kernel.codes import MatrixOutcome
from engine.numeric import TRIANGULAR, Counter, compiled, continuous, words
from engine.tables import MINUTE, CasualtyState, Floats, Model, PatientRow


@compiled
def triangular(uniform: float, table: Floats) -> float:
    """Return the quantile of the triangular distribution `table` (low, mode, high) at `uniform`."""
    return continuous(TRIANGULAR, table[0], table[1], table[2], uniform)


@compiled
def relocation_factor(link: int, at: float, model: Model) -> float:
    """Return the factor that facility moves up to `at`, ms, put on the travel time of a link."""
    network = model.network
    factor = 1.0
    for k in range(network.move_count):
        if network.move_at[k] > at:
            break
        if (
            network.moved_facility[k] == network.origin[link]
            or network.moved_facility[k] == network.destination[link]
        ):
            factor *= network.move_factor[k]
    return factor


@compiled
def draw_leg_time(link: int, leg: int, at: float, model: Model, counter: Counter) -> float:
    """Return ms on a link for a patient who departs at `at`, by the patient's own draw (docs/model.md section 5.2)."""
    uniform = to_uniform(words(model.keys[DrawPurpose.TRAVEL], counter[0], counter[1], leg)[0])
    network = model.network
    minutes = continuous(
        network.travel_kind[link],
        network.travel_parameters[link, 0],
        network.travel_parameters[link, 1],
        network.travel_parameters[link, 2],
        uniform,
    )
    if network.move_count > 0:
        minutes *= relocation_factor(link, at, model)
    return max(1000.0, (minutes * network.slowdown[link] + network.delay[link]) * MINUTE)


@compiled
def draw_service_time(model: Model, facility: int, which: int, table: Floats, uniform: float) -> float:
    """Return the minutes of a service: the facility's own distribution, else triangular by `table`."""
    kind = model.network.service_kind[facility, which]
    if kind < 0:
        return triangular(uniform, table)
    own = model.network.service[facility, which]
    return continuous(kind, own[0], own[1], own[2], uniform)


@compiled
def draw_field_minutes(front: int, which: int, uniform: float, model: Model) -> float:
    """Return the minutes of a `FieldTime` of the front; -1 where it has none."""
    kind = model.network.field_kind[front, which]
    if kind < 0:
        return -1.0
    own = model.network.field_minutes[front, which]
    return continuous(kind, own[0], own[1], own[2], uniform)


@compiled
def draw_route_time(
    casualty: CasualtyState, front: int, goal: int, link: int, model: Model, counter: Counter
) -> float:
    """Return the travel time, ms, from the start of `link` to facility `goal` without stops in between.

    Used under transition-matrix routing, where facilities do not move.
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
    """Draw the outcome of a place (0 for the point of injury, else the role) under transition-matrix routing.

    The outcome is drawn by triage category. A role that the network lacks counts as return to duty.
    """
    uniform = to_uniform(
        words(model.keys[DrawPurpose.SURVIVAL], counter[0], counter[1], MATRIX_OUTCOME + place)[0]
    )
    outcome = 1
    while (
        outcome < MatrixOutcome.RETURNED
        and uniform >= model.transitions.cumulated[place, record.triage, outcome]
    ):
        outcome += 1
    if outcome < MatrixOutcome.DEAD and model.transitions.facility[record.front, outcome] < 0:
        outcome = MatrixOutcome.RETURNED
    casualty.outcome = outcome

"""Append rows to the tables of events and treatments of one casualty."""

from engine.codes import Effect
from engine.numeric import compiled
from engine.tables import MINUTE, QUIET, TREATMENT_COUNT, CasualtyState, Output


@compiled
def log_event(output: Output, row: int, at: float, facility: int, kind: int, detail: int) -> None:
    """Append an event of the patient in `row`, unless logging is off; `at` in ms."""
    if output.rows[QUIET]:
        return
    entry = output.events[output.rows[0]]
    entry.at = int(at)
    entry.patient = row
    entry.facility = facility
    entry.kind = kind
    entry.detail = detail
    output.rows[0] += 1


@compiled
def log_treatment(
    output: Output, row: int, facility: int, kind: int, start: float, minutes: float, effect: int, wound: int
) -> None:
    """Append a treatment of the patient in `row`, unless logging is off or the table is full.

    Parameters
    ----------
    start
        Start in ms.
    minutes
        Duration.
    wound
        Number of the wound that is treated, among the patient's; NONE for a treatment of no single wound.
    """
    if output.rows[QUIET] or output.rows[TREATMENT_COUNT] >= len(output.treatments):
        return
    entry = output.treatments[output.rows[TREATMENT_COUNT]]
    entry.start = int(start)
    entry.end = int(start + minutes * MINUTE)
    entry.patient = row
    entry.facility = facility
    entry.kind = kind
    entry.effect = effect
    entry.wound = wound
    entry.units = 0
    output.rows[TREATMENT_COUNT] += 1


@compiled
def insert_treatment(
    output: Output,
    row: int,
    casualty: CasualtyState,
    treatment: int,
    begin: float,
    end: float,
    facility: int,
    wound: int,
) -> None:
    """Enter a treatment among those of the patient, before those that start later, unless the table is full.

    `begin` and `end` are in ms.
    """
    if output.rows[QUIET] or output.rows[TREATMENT_COUNT] >= len(output.treatments):
        return
    count = int(output.rows[TREATMENT_COUNT])
    place = count
    while place > casualty.first_treatment and output.treatments[place - 1].start > begin:
        place -= 1
    for k in range(count, place, -1):
        output.treatments[k] = output.treatments[k - 1]
    entry = output.treatments[place]
    entry.start = int(begin)
    entry.end = int(end)
    entry.patient = row
    entry.facility = facility
    entry.kind = treatment
    entry.effect = Effect.SUPPORTIVE
    entry.wound = wound
    entry.units = 0
    output.rows[TREATMENT_COUNT] = count + 1
    if place < output.physiology.treatments_seen:
        output.physiology.treatments_seen += 1
        output.physiology.inserted_at = min(output.physiology.inserted_at, begin)

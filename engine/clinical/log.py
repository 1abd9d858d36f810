"""Append rows to the tables of events and treatments of one casualty."""

from engine.numeric import compiled
from engine.tables import MINUTE, QUIET, TREATMENT_COUNT, Output


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

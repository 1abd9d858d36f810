"""How much of the body surface is burnt."""

from engine.codes import CasualtyKind
from engine.numeric import compiled
from engine.tables import CasualtyState, InjuryTables, Model, Output, PatientRow

WHOLE_BODY = 95.0
"""Per cent of the body surface that is burnt at most."""


@compiled
def burn_area(output: Output, record: PatientRow, casualty: CasualtyState, tables: InjuryTables) -> float:
    """Return how much of the body surface is burnt, in per cent; superficial burns do not count."""
    if record.kind != CasualtyKind.WOUNDED:
        return float(tables.burn_area[record.condition])
    area = 0.0
    for number in range(casualty.wounds):
        area += tables.burn_area[output.wounds[casualty.wound + number].condition]
    return min(WHOLE_BODY, area)


@compiled
def has_large_burn(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> bool:
    """Return whether so much of a wounded casualty is burnt that it is for a burn centre (`care.unwell.burn_share`)."""
    return bool(burn_area(output, record, casualty, model.injuries) >= model.care.unwell_burn[0])

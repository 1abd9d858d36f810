"""Who needs a bed (docs/model.md section 2.7.4)."""

from engine.codes import NONE, CasualtyKind, Treatment, TriageCategory
from engine.numeric import compiled
from engine.tables import CareRules, CasualtyState, Model, Output, PatientRow


@compiled
def _of_bed(rules: CareRules) -> int:
    """Return the mask of what is given or done lying in a bed, or to somebody who is watched."""
    bit = rules.bit
    return int(
        bit[Treatment.WARD_CARE]
        | bit[Treatment.OBSERVATION]
        | bit[Treatment.OXYGEN]
        | bit[Treatment.IV_ACCESS]
        | bit[Treatment.REHYDRATION]
        | bit[Treatment.COOLING]
        | bit[Treatment.REWARMING]
        | bit[Treatment.SPINAL_PRECAUTIONS]
        | bit[Treatment.CHEST_DRAIN]
    )


@compiled
def calls_for_bed(output: Output, record: PatientRow, casualty: CasualtyState, model: Model) -> bool:
    """Return whether a casualty needs a bed: all but the slightly wounded and ill of T3 whom nobody has to watch.

    Agent casualties are always watched. Without quarters everybody needs a bed.
    """
    if (
        model.care.quarters_ais < 1
        or record.kind == CasualtyKind.AGENT
        or record.triage != TriageCategory.T3
        or record.lethal != NONE
        or casualty.blood_units > 0
    ):
        return True
    rules = model.treatments.rules
    if record.kind != CasualtyKind.WOUNDED:
        return bool(rules.needs[record.condition] & _of_bed(rules) or rules.intensive[record.condition])
    if record.worst_ais > model.care.quarters_ais:
        return True
    for number in range(casualty.wounds):
        if rules.needs[output.wounds[casualty.wound + number].condition] & _of_bed(rules):
            return True
    return False

"""Units of blood that a casualty is given (docs/model.md section 2.5.4)."""

import math

from engine import numeric
from engine.clinical.needs import bleeds_to_death, needs_of_injuries
from engine.clinical.uniforms import to_uniform
from engine.codes import FIRST_AID, LETHALITY, DrawPurpose, Treatment
from engine.numeric import Counter, compiled, words
from engine.tables import CasualtyState, Model, Output, PatientRow

_SLOW = 1.0
"""Standard normal quantile of the life of those who would not bleed to death: longer than most of those who would."""


@compiled
def draw_blood_units(
    output: Output, record: PatientRow, casualty: CasualtyState, model: Model, counter: Counter
) -> int:
    """Return the units that the resuscitation of a wounded casualty calls for; 0: no blood.

    They are lognormal. Their logarithm is correlated with how fast the casualty bleeds, with the draw of the life, and
    rises with the NISS.
    """
    rules = model.treatments.rules
    dying = bleeds_to_death(record)
    if rules.off & rules.bit[Treatment.BLOOD_TRANSFUSION]:
        return 0
    if (
        not dying
        and not needs_of_injuries(output, record, casualty, model) & rules.bit[Treatment.BLOOD_TRANSFUSION]
    ):
        return 0
    key = model.keys[DrawPurpose.SURVIVAL]
    life = _SLOW
    if dying:
        life = numeric.normal_quantile(to_uniform(words(key, counter[0], counter[1], LETHALITY)[1]))
    own = numeric.normal_quantile(to_uniform(words(key, counter[0], counter[1], FIRST_AID)[2]))
    severity = model.care.blood[3]
    quantile = math.sqrt(1.0 - severity * severity) * own - severity * life
    log_median = model.care.blood[0] if dying else model.care.blood[1]
    log_median += model.care.blood[4] * (record.niss - model.care.blood[5])
    units = numeric.exp(log_median + model.care.blood[2] * quantile)
    return int(min(float(model.care.most_units), max(1.0, units + 0.5)))

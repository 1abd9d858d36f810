"""The state of the patient over time, and the vital signs that show it (docs/model.md section 2.12).

The survival clock is the one judge of death. The signs follow from what it, the wounds and the treatments in the record
say; nothing that decides reads them, but for a low pressure drawn at the beginning, which triage sees. They are
computed only where a record is written.
"""

from engine.clinical.physiology.beginning import begin_readings, draw_coma, draw_low_pressure
from engine.clinical.physiology.readings import take_last, take_until, take_with_events
from engine.clinical.physiology.shown import decline_share, note_rescue, shown_share, used_share
from engine.clinical.physiology.signs import coma_once_eased, find_signs, pain_of_record
from engine.clinical.physiology.tubes import (
    airway_is_held,
    coma_scale,
    has_had_much_blood,
    is_operated_on_again,
    keeps_tube,
    needs_tube,
    stays_on_ventilator,
    time_awake,
    travels_with_tube,
)

__all__ = [
    "airway_is_held",
    "begin_readings",
    "coma_once_eased",
    "coma_scale",
    "decline_share",
    "draw_coma",
    "draw_low_pressure",
    "find_signs",
    "has_had_much_blood",
    "is_operated_on_again",
    "keeps_tube",
    "needs_tube",
    "note_rescue",
    "pain_of_record",
    "shown_share",
    "stays_on_ventilator",
    "take_last",
    "take_until",
    "take_with_events",
    "time_awake",
    "travels_with_tube",
    "used_share",
]

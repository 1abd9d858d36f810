"""Words for the streams of casualties and for their outcomes, as summaries show them."""

STREAM_LABELS = {"battle": "battle", "nbi": "non-battle injury", "disease": "disease"}
OUTCOME_LABELS = {
    "kia": "KIA",
    "dow": "DOW",
    "died_nonbattle": "other deaths",
    "rtd": "RTD",
    "evacuated": "evacuated",
    "discharged": "discharged",
    "in_care": "in care",
}

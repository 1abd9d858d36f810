"""Bounds of the model's constants: by pattern of their paths, the first that fits."""

from fnmatch import fnmatchcase
from typing import NamedTuple


class Bounds(NamedTuple):
    """Lowest and highest value of a constant; of a list, of each of its values."""

    low: float
    high: float


_SHARE = Bounds(0, 1)
_RATE = Bounds(0.001, 1)
_MINUTES = Bounds(0, 100_000)
_SIGMA = Bounds(0, 3)
_AIS = Bounds(1, 6)
_NISS = Bounds(0, 75)
_WEIGHT = Bounds(0, 1000)

_BOUNDS: tuple[tuple[str, Bounds], ...] = (
    ("arrivals.incidents.largest_cluster_probability", Bounds(0, 0.999)),
    ("arrivals.incidents.duration_minutes", Bounds(0, 1440)),
    ("arrivals.profiles.window_hours", Bounds(0.25, 24)),
    ("arrivals.profiles.crowd_control_weight", _WEIGHT),
    ("arrivals.profiles.*", Bounds(0, 24)),
    ("care.triage.minutes", _MINUTES),
    ("care.triage.right.*", _SHARE),
    ("care.triage.over_triage_weight", _WEIGHT),
    ("care.triage.plain_ais", _AIS),
    ("care.minutes.*", _MINUTES),
    ("care.reoperation.interval", _MINUTES),
    ("care.waits.*", _MINUTES),
    ("care.surgery.variation", Bounds(0, 5)),
    ("care.surgery.*", Bounds(1, 100_000)),
    ("care.decontamination.minutes", _MINUTES),
    ("care.request.*", _SHARE),
    ("care.preparation.*", Bounds(0, 1440)),
    ("care.mascal.expectant_niss", Bounds(1, 75)),
    ("care.night.*", Bounds(0, 24)),
    ("care.overflow.clock_factor", Bounds(0.01, 100)),
    ("care.blood.units*", Bounds(1, 1000)),
    ("care.blood.sigma", _SIGMA),
    ("care.blood.per_niss", Bounds(-0.2, 0.2)),
    ("care.blood.niss", _NISS),
    ("care.blood.most", Bounds(1, 60)),
    ("care.blood.prehospital", Bounds(1, 60)),
    ("casualties.wounds.severity_*", Bounds(-5, 5)),
    ("casualties.wounds.mean.*", Bounds(0.01, 20)),
    ("casualties.wounds.shift.*", Bounds(-5, 5)),
    ("casualties.wounds.regions.*", Bounds(0, 1_000_000)),
    ("casualties.wounds.ais.*", _SHARE),
    ("casualties.wounds.instantly_fatal.*", _SHARE),
    ("casualties.wounds.*", Bounds(0, 5)),
    ("casualties.triage.immediate_minutes", Bounds(0, 1_000_000)),
    ("casualties.types.*.severity", Bounds(-3, 3)),
    ("casualties.types.*.burn_and_immersion_weight", _WEIGHT),
    ("casualties.special_events.severity_per_log", Bounds(-5, 5)),
    ("casualties.agent.severity", Bounds(0.0001, 1)),
    ("casualties.agent.triage", Bounds(1, 3)),
    ("casualties.*.*sigma", _SIGMA),
    ("casualties.*.*median_minutes", Bounds(0.01, 1_000_000)),
    ("casualties.person.age_span_years", Bounds(1, 60)),
    ("casualties.person.*", Bounds(0, 300)),
    ("consumption.*", Bounds(0, 100_000)),
    ("survival.lethality.minimum_niss", Bounds(1, 75)),
    ("survival.lethality.minimum_ais", _AIS),
    ("survival.lethality.midpoint_niss", Bounds(-100, 500)),
    ("survival.lethality.scale_niss", Bounds(1, 1000)),
    ("survival.lethality.minutes", Bounds(0.001, 1_000_000)),
    ("survival.lethality.exponent", Bounds(-5, 0)),
    ("survival.treatment.*rate_after*", _RATE),
    ("survival.treatment.first_aid_median_minutes", Bounds(0.01, 10_000)),
    ("survival.treatment.late_from", Bounds(0, 0.99)),
    ("survival.late.minimum_niss", _NISS),
    ("survival.late.niss_scale", Bounds(1, 1000)),
    ("survival.late.maximum", Bounds(0, 100)),
    ("survival.late.first_days", Bounds(0, 365)),
    ("survival.late.mean_days", Bounds(0.01, 365)),
    ("survival.stay.scale", Bounds(0.01, 100)),
    ("survival.stay.sigma", Bounds(0, 2)),
    ("survival.stay.shortest", _SHARE),
    ("survival.stay.least_days", Bounds(0, 365)),
    ("survival.stay.convalescence_share", _SHARE),
    ("survival.score.b", Bounds(-10, 1)),
    ("survival.score.niss_equivalent.*", _NISS),
    ("survival.score.*_minutes", Bounds(0.1, 100_000)),
    ("survival.score.recovery_rate", Bounds(0.01, 100)),
    ("survival.score.*", Bounds(0, 20)),
    ("survival.clock_factors.*", Bounds(0.01, 100)),
    ("survival.*.*sigma", _SIGMA),
    ("vital_signs.vital_signs.treatments.relief.*", _SHARE),
    ("vital_signs.vital_signs.treatments.tubes.*", Bounds(0, 2)),
    ("vital_signs.vital_signs.treatments.minutes.*", Bounds(0.01, 10_000)),
    ("vital_signs.vital_signs.treatments.*", Bounds(0, 10)),
    ("vital_signs.vital_signs.schedule.medic", _SHARE),
    ("vital_signs.vital_signs.schedule.thinning", _SHARE),
    ("vital_signs.vital_signs.schedule.*", Bounds(1, 10_000)),
    ("vital_signs.vital_signs.bounds.base_excess", Bounds(-20.9, 4)),
    ("vital_signs.vital_signs.bounds.temperature", Bounds(20, 45)),
    ("vital_signs.vital_signs.bounds.lactate", Bounds(0, 25)),
    ("vital_signs.vital_signs.bounds.haemoglobin", Bounds(0, 25)),
    ("vital_signs.vital_signs.bounds.inr", Bounds(0, 25)),
    ("vital_signs.vital_signs.bounds.*", Bounds(0, 254)),
    ("vital_signs.vital_signs.noise.persistence", Bounds(0.01, 0.999)),
    ("vital_signs.vital_signs.noise.no_signal", Bounds(0, 250)),
    ("vital_signs.vital_signs.noise.no_*", _SHARE),
    ("vital_signs.vital_signs.brain.severe", _SHARE),
    ("vital_signs.vital_signs.brain.moderate", _SHARE),
    ("vital_signs.vital_signs.brain.mild", _SHARE),
    ("vital_signs.vital_signs.brain.eye", Bounds(1, 4)),
    ("vital_signs.vital_signs.brain.verbal", Bounds(1, 5)),
    ("vital_signs.vital_signs.brain.motor", Bounds(1, 6)),
    ("vital_signs.vital_signs.tube.eye", Bounds(1, 4)),
    ("vital_signs.vital_signs.tube.motor", Bounds(1, 6)),
    ("vital_signs.vital_signs.*_hours", Bounds(0.01, 10_000)),
    ("vital_signs.vital_signs.*.hours", Bounds(0.01, 10_000)),
    ("vital_signs.vital_signs.*_minutes", Bounds(0.01, 10_000)),
    ("vital_signs.vital_signs.pain.days", Bounds(0.01, 1000)),
    ("vital_signs.vital_signs.loss.at_death", Bounds(0.01, 1)),
    ("vital_signs.vital_signs.baseline.spread", Bounds(0.1, 4)),
    ("vital_signs.vital_signs.loss.pressure", Bounds(0.01, 250)),
    ("vital_signs.vital_signs.loss.niss_scale", Bounds(1, 75)),
    ("vital_signs.vital_signs.brain.relief", _SHARE),
    ("vital_signs.vital_signs.brain.stay_constants", Bounds(0.1, 100)),
    ("vital_signs.vital_signs.brain.fall_to", Bounds(0.01, 1)),
    ("vital_signs.vital_signs.illness.by_triage", Bounds(0, 10)),
    ("vital_signs.vital_signs.illness.spread", Bounds(0, 10)),
    ("vital_signs.vital_signs.low_pressure.*", Bounds(-100, 250)),
    ("vital_signs.vital_signs.illness.*", Bounds(-100, 100)),
    ("vital_signs.vital_signs.*", Bounds(0, 2000)),
    ("treatments.treatments.needs.unconscious_gcs", Bounds(2, 15)),
    ("treatments.treatments.needs.analgesia_pain", Bounds(0.5, 10)),
    ("treatments.treatments.needs.*_ais", _AIS),
    ("treatments.treatments.needs.most_wounds", Bounds(1, 24)),
    ("treatments.treatments.needs.most_operations", Bounds(1, 6)),
    ("treatments.treatments.needs.most_urgent_operations", Bounds(1, 12)),
    ("treatments.treatments.*", _SHARE),
    ("*", _SHARE),
)
"""What is left over are shares and probabilities."""


def bounds_of(path: str) -> Bounds:
    """Bounds of the constant with this path."""
    return next(bounds for pattern, bounds in _BOUNDS if fnmatchcase(path, pattern))

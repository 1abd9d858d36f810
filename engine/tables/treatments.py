"""Parameters of vital signs: how a falling health score shows.

The fields have the names of the keys in `scenarios/data/model/treatments.toml`, which gives the source of each value.
"""

from typing import Annotated

from engine.tables.rows import Float64, Floats, Row, dtype_of


class VitalSign(Row):
    """Values of one vital sign of a healthy person, how far it moves as the health score falls, and its bounds."""

    lowest: Float64  # of a healthy person
    spread: Float64  # of a healthy person: highest less lowest
    change: Float64  # at a health score of 0, with a weight of 1
    minimum: Float64  # bounds of the value that is recorded
    maximum: Float64


class DeficitWeights(Row):
    """How much of the deficit of the health score each group of vital signs shows."""

    bleeding: Float64  # heart rate and systolic pressure
    breathing: Float64  # respiratory rate and oxygen saturation
    brain: Float64  # Glasgow Coma Scale


class ComaScale(Row):
    """The Glasgow Coma Scale (GCS)."""

    healthy: Float64  # before rounding down
    change: Float64  # points lost at a health score of 0, with a weight of 1
    head_injury: Annotated[Floats, "f8", 6]  # points lost by worst AIS of the head, 0 to 5
    recovering: Float64  # factor on `head_injury` while the casualty recovers
    minimum: Float64
    maximum: Float64


class VitalSignParameters(Row):
    """Parameters of the vital signs (docs/model.md section 2.12)."""

    heart_rate: VitalSign
    systolic: VitalSign
    respiratory_rate: VitalSign
    spo2: VitalSign
    gcs: ComaScale
    collapse: Float64  # deficit from which the heart slows down
    collapse_factor: Float64  # factor on the change of the heart rate from there on
    default: DeficitWeights
    brain_injury: DeficitWeights
    asphyxia: DeficitWeights  # airway, chest and agent
    psychological: DeficitWeights


VITAL_SIGN_PARAMETERS = dtype_of(VitalSignParameters)

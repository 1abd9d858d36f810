"""Parameters of treatments: what is given when.

The fields have the names of the keys in `scenarios/data/model/treatments.toml`, which gives the source of each value.
"""

from engine.tables.rows import Float64, Int64, Row, dtype_of


class TreatmentTime(Row):
    """When a short treatment is given within first aid, care or resuscitation."""

    start: Float64  # minutes from the start of the care that it is part of
    minutes: Float64  # duration


class FirstAidTimes(Row):
    """Treatments at the point of injury, or on the way to the first facility."""

    autoinjector: TreatmentTime
    non_battle_injury: TreatmentTime
    worst_wound: TreatmentTime
    further_tourniquet: TreatmentTime
    second_wound: TreatmentTime
    analgesia: TreatmentTime
    prehospital_blood: TreatmentTime  # from the departure on
    tourniquet_ais: Int64  # lowest AIS of a further wound that gets a tourniquet
    analgesia_ais: Int64  # lowest AIS of the worst wound that calls for analgesia


class CareTimes(Row):
    """Treatments of the wounded in a treatment bay."""

    iv_access: TreatmentTime
    antibiotics: TreatmentTime
    analgesia: TreatmentTime
    antibiotics_ais: Int64  # lowest AIS of the worst wound that calls for antibiotics
    wounds: Int64  # most wounds that get wound care of their own


class IllnessTimes(Row):
    """Treatments of casualties without weapon wounds in a treatment bay."""

    intubation: TreatmentTime
    iv_access: TreatmentTime
    analgesia: TreatmentTime


class ResuscitationTimes(Row):
    """Treatments within damage control resuscitation."""

    intubation: TreatmentTime
    iv_access: TreatmentTime
    chest_drain: TreatmentTime
    tranexamic_acid: TreatmentTime
    antibiotics: TreatmentTime
    analgesia: TreatmentTime
    transfusion_start: Float64  # minutes from the start; a transfusion lasts until resuscitation ends
    tranexamic_acid_niss: Int64  # lowest NISS that calls for tranexamic acid without lethal bleeding


class SurgeryRules(Row):
    """Which operations damage control surgery lists, and when."""

    second_share: Float64  # share of the operating time, its last part, for the second wound
    second_ais: Int64  # lowest AIS of the second wound that is operated on
    craniotomy_ais: Int64  # lowest AIS of a wound of the region that calls for the operation
    neck_exploration_ais: Int64
    thoracotomy_ais: Int64
    laparotomy_ais: Int64


class TreatmentParameters(Row):
    """Times and thresholds of treatments (docs/model.md section 2.12)."""

    first_aid: FirstAidTimes
    care: CareTimes
    illness: IllnessTimes
    resuscitation: ResuscitationTimes
    surgery: SurgeryRules


TREATMENT_PARAMETERS = dtype_of(TreatmentParameters)

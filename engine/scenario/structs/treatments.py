"""What a scenario changes of single treatments."""

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

FirstAid = Literal[
    "tourniquet",
    "haemostatic_dressing",
    "airway_adjunct",
    "needle_decompression",
    "tranexamic_acid",
    "autoinjector",
]
"""First aid against one lethal mechanism each."""

TreatmentName = Literal[
    "tourniquet",
    "haemostatic_dressing",
    "airway_adjunct",
    "needle_decompression",
    "tranexamic_acid",
    "autoinjector",
    "prehospital_blood",
    "resuscitation",
    "blood_transfusion",
    "surgery",
    "atropine_and_oxime",
    "emergency_care",
]
"""Treatments that act on the survival clock."""

FIRST_AID: tuple[FirstAid, ...] = get_args(FirstAid)
TREATMENT_NAMES: tuple[TreatmentName, ...] = get_args(TreatmentName)


class TreatmentSetting(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """What a scenario changes of a treatment; unset: the model's own value (docs/model.md section 2.5.4)."""

    available: Annotated[
        bool | None,
        Meta(
            examples=[False],
            description="false: nobody gets it; unset: true, and false for prehospital_blood",
        ),
    ] = None
    success: (
        Annotated[
            float,
            Meta(ge=0, le=1, examples=[0.6], description="probability that it works; unset: the model's"),
        ]
        | None
    ) = None
    rate: (
        Annotated[
            float,
            Meta(
                ge=0.001,
                le=1,
                examples=[0.1],
                description="speed of the survival clock after it works, 1 is as without it; unset: the model's",
            ),
        ]
        | None
    ) = None
    delay_minutes: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=10_000,
                examples=[10.0],
                description="first aid: median minutes from the injury, above 0; resuscitation, and other "
                "care in a bay: from the door, with the model's 2.5 minutes of triage, to which a facility's own "
                "triage_minutes add what they take longer; surgery: from the end of resuscitation; unset: the model's",
            ),
        ]
        | None
    ) = None

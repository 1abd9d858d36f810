"""Listed incidents: casualties whose time, place and number the author gives."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from engine.scenario.structs.bounds import MAX_ROW_CONDITIONS, MAX_ROW_NUMBER, MAX_ROW_NUMBERS
from engine.scenario.structs.vocabulary import Stream

GivenCategory = Literal["T1", "T2", "T3"]
"""A triage category that a listed casualty may be given."""

GivenMechanism = Literal["explosion", "gunshot", "other", "cbrn"]
"""A mechanism that listed battle casualties may be given; `cbrn` are casualties of an agent."""


class Incident(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Casualties that come at a given time, exactly as many as listed; what is unset is drawn as for the others.

    Rows of the same time, front and stream are one incident; casualties of an agent (mechanism cbrn) are one apart.
    """

    at: Annotated[
        str,
        Meta(
            max_length=40,
            examples=["day 2 09:30"],
            description='when: "day 2 09:30" (day 1 is the day of the start, the time is that of the clock in UTC), '
            '"33.5 h" after the start, or a time in UTC such as 2030-01-02T09:30:00Z; seconds may have three decimals',
        ),
    ] = ""
    front: (
        Annotated[
            str,
            Meta(examples=["North"], description="name of the front; may be unset where there is only one"),
        ]
        | None
    ) = None
    number: Annotated[
        int, Meta(ge=1, le=MAX_ROW_NUMBER, examples=[40], description="how many casualties, exactly")
    ] = 1
    numbers: (
        Annotated[
            list[Annotated[int, Meta(ge=0, le=MAX_ROW_NUMBER)]],
            Meta(
                max_length=MAX_ROW_NUMBERS,
                examples=[[4, 0, 6, 3]],
                description="instead of number: a series, the first at `at`, each other one every_minutes later",
            ),
        ]
        | None
    ) = None
    every_minutes: (
        Annotated[
            float,
            Meta(gt=0, le=1e6, examples=[30.0], description="minutes from one of the numbers to the next"),
        ]
        | None
    ) = None
    stream: Annotated[Stream, Meta(description="battle casualties, non-battle injuries (nbi) or disease")] = (
        "battle"
    )
    mechanism: (
        Annotated[
            GivenMechanism,
            Meta(
                examples=["explosion"],
                description="mechanism of battle casualties; unset: drawn for the incident",
            ),
        ]
        | None
    ) = None
    category: (
        Annotated[
            GivenCategory,
            Meta(
                examples=["T1"],
                description="triage category, true and as assigned at the point of injury; nobody of a given category "
                "dies at once; unset: from wounds or illness as drawn",
            ),
        ]
        | None
    ) = None
    triage: (
        Annotated[
            dict[GivenCategory, Annotated[float, Meta(ge=0, le=1)]],
            Meta(
                min_length=1,
                examples=[{"T1": 0.25, "T2": 0.25, "T3": 0.5}],
                description="instead of category: shares, met over all rows with the same shares as nearly as whole "
                "persons allow; where they sum to less than 1, the rest has the other categories, in the model's "
                "proportions, and nobody of the row dies at once",
            ),
        ]
        | None
    ) = None
    mean_iss: (
        Annotated[
            float,
            Meta(
                ge=1,
                le=60,
                examples=[16.0],
                description="mean Injury Severity Score of the row's casualties without those killed at once, met as "
                "nearly as whole wounds allow; not with category, triage or conditions",
            ),
        ]
        | None
    ) = None
    nation: (
        Annotated[str, Meta(examples=["NOR"], description="nation of the casualties, one of the front's")]
        | None
    ) = None
    unit: (
        Annotated[
            str,
            Meta(
                min_length=1, max_length=80, examples=["1st Battalion"], description="unit of the casualties"
            ),
        ]
        | None
    ) = None
    conditions: (
        Annotated[
            list[Annotated[str, Meta(max_length=20)]],
            Meta(
                max_length=MAX_ROW_CONDITIONS,
                examples=[["S72.301A"]],
                description="ICD-10-CM codes: each casualty has these wounds and no others; of an illness or accident "
                "one code",
            ),
        ]
        | None
    ) = None

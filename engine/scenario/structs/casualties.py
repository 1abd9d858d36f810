"""How many casualties a scenario has, and of which kinds."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.scenario.structs.bounds import MAX_TOTAL
from engine.scenario.structs.distributions import Distribution, RateSetting
from engine.scenario.structs.vocabulary import Stream


class ReturnToDuty(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """How many of a stream's casualties come back to the strength at risk of their front, and when."""

    share: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            examples=[0.4],
            description="share of the casualties, the dead included, who return to duty",
        ),
    ]
    days: Annotated[
        Distribution,
        Meta(
            examples=[{"distribution": "lognormal", "mean": 9.0, "sd": 6.0}],
            description="days from injury or illness to the return to duty of those who return",
        ),
    ]


class Rates(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Daily casualty rates per 1,000 strength; with them every front needs its `population`.

    The distributions of a list are drawn independently and added, as published rates of wounded and killed are.
    """

    battle: Annotated[
        RateSetting,
        Meta(
            examples=[{"distribution": "lognormal", "mean": 1.77, "sd": 3.56}],
            description="battle casualties, killed and wounded together, per 1,000 strength a day: 30 a day among "
            "4,000 are 30 / 4000 * 1000 = 7.5",
        ),
    ] = None
    nbi: Annotated[
        RateSetting,
        Meta(
            examples=[{"distribution": "constant", "mean": 0.27}],
            description="non-battle injuries per 1,000 strength a day",
        ),
    ] = None
    disease: Annotated[
        RateSetting,
        Meta(
            examples=[{"distribution": "constant", "mean": 0.43}],
            description="disease and psychological casualties per 1,000 strength a day",
        ),
    ] = None
    depletion: Annotated[
        bool, Meta(description="true: casualties reduce the strength at risk from the next day on")
    ] = False
    return_to_duty: Annotated[
        dict[Stream, ReturnToDuty],
        Meta(
            examples=[{"disease": {"share": 0.95, "days": 4.0}}],
            description="with depletion, by stream: the expected share that restores the strength, and after how many "
            "days; a stream that is not named restores none",
        ),
    ] = {}


class FrontRates(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Daily casualty rates per 1,000 strength of a front or a unit; a stream that is unset has the next wider rate."""

    battle: Annotated[
        RateSetting,
        Meta(examples=[{"distribution": "exponential", "mean": 6.86}], description="battle casualties"),
    ] = None
    nbi: Annotated[
        RateSetting,
        Meta(examples=[{"distribution": "constant", "mean": 0.27}], description="non-battle injuries"),
    ] = None
    disease: Annotated[
        RateSetting,
        Meta(
            examples=[{"distribution": "constant", "mean": 0.43}],
            description="disease and psychological casualties",
        ),
    ] = None


RateFactor = (
    Annotated[float, Meta(ge=0, le=1000)] | dict[Stream, Annotated[float, Meta(ge=0, le=1000)]] | None
)
"""A factor on all rates, or by stream; a stream that a table does not name has the factor 1."""


class Casualties(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """How many casualties: an exact total, or daily rates; never both.

    Without either, those that `[[incidents]]` lists and no others; without a list, 1,440.
    """

    total: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=MAX_TOTAL,
                examples=[1440],
                description="exact number of casualties of all kinds, 1 to 1e9, those that incidents lists included",
            ),
        ]
        | None
    ) = None
    rates: Annotated[
        Rates | None,
        Meta(
            examples=[
                {
                    "battle": {"distribution": "lognormal", "mean": 1.77, "sd": 3.56},
                    "nbi": {"distribution": "constant", "mean": 0.27},
                }
            ],
            description="instead of total: daily rates per 1,000 strength, drawn anew each day",
        ),
    ] = None
    only_listed: Annotated[
        bool,
        Meta(
            description="true: those that incidents lists and no others, whatever total and rates; they come as "
            "well where neither is set"
        ),
    ] = False


class Mix(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Shares of the three streams of casualties under `total`; they sum to 1."""

    battle: Annotated[
        float,
        Meta(
            ge=0, le=1, examples=[0.5], description="share of battle casualties, CBRN by the enemy included"
        ),
    ]
    nbi: Annotated[float, Meta(ge=0, le=1, examples=[0.3], description="share of non-battle injuries")]
    disease: Annotated[
        float,
        Meta(ge=0, le=1, examples=[0.2], description="share of disease, psychological casualties included"),
    ]

"""Fronts: where casualties come from."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.scenario.structs.bounds import MAX_TOTAL
from engine.scenario.structs.casualties import FrontRates, RateFactor
from engine.scenario.structs.point_of_injury import PointOfInjury


class Unit(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A part of a front's strength, with casualty rates of its own."""

    type: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=80,
            examples=["infantry"],
            description="what it is, unlike any other of its front; the numbers follow from the other fields",
        ),
    ]
    strength: Annotated[int, Meta(ge=1, le=MAX_TOTAL, examples=[3000], description="its strength at risk")]
    rate_factor: Annotated[
        RateFactor,
        Meta(
            examples=[{"battle": 1.5}],
            description="its rates by those of the front: one factor, or one by stream; unset: 1",
        ),
    ] = None
    rates: Annotated[
        FrontRates | None,
        Meta(
            examples=[{"battle": 6.86}],
            description="its own rates in place of the front's, drawn apart from those of other units",
        ),
    ] = None


class Front(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A front (or base, or ship): where casualties come from and which nations they belong to."""

    name: Annotated[
        str,
        Meta(
            min_length=1, max_length=80, examples=["North"], description="its name, unlike any other front's"
        ),
    ]
    share: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=1,
                examples=[1.0],
                description="share of the casualties under total (all fronts together 1); unset: by "
                "population, else equal",
            ),
        ]
        | None
    ) = None
    population: (
        Annotated[
            int, Meta(ge=1, le=MAX_TOTAL, examples=[4000], description="strength at risk; needed by rates")
        ]
        | None
    ) = None
    replacements_per_day: Annotated[
        Annotated[float, Meta(ge=0, le=MAX_TOTAL)] | None,
        Meta(
            examples=[20.0],
            description="with casualties.rates.depletion: replacements that join its strength each day from the "
            "second on, up to the strength at the start; unset: none",
        ),
    ] = None
    nations: Annotated[
        dict[str, float],
        Meta(
            min_length=1,
            max_length=300,
            examples=[{"NOR": 0.5, "GBR": 0.5}],
            description="share of each nation (ISO 3166-1 alpha-3 code), together 1",
        ),
    ]
    rates: Annotated[
        FrontRates | None,
        Meta(
            examples=[{"battle": {"distribution": "exponential", "mean": 6.86}}],
            description="its own rates in place of those of casualties.rates, stream by stream",
        ),
    ] = None
    rate_factor: Annotated[
        RateFactor,
        Meta(
            examples=[1.5],
            description="factor on its rates, its own or those of casualties.rates: one, or one by stream; unset: 1",
        ),
    ] = None
    units: Annotated[
        list[Unit],
        Meta(
            max_length=100,
            examples=[[{"type": "infantry", "strength": 3000, "rate_factor": 1.5}]],
            description="what its strength consists of, each with its rates; without population the strength is "
            "their sum; empty: all alike",
        ),
    ] = []
    point_of_injury: Annotated[
        PointOfInjury | None,
        Meta(
            description="its own times of first aid and field triage in place of the scenario's, field by field"
        ),
    ] = None

"""Fronts: where casualties come from."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.scenario.structs.bounds import MAX_TOTAL


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
    nations: Annotated[
        dict[str, float],
        Meta(
            min_length=1,
            max_length=300,
            examples=[{"NOR": 0.5, "GBR": 0.5}],
            description="share of each nation (ISO 3166-1 alpha-3 code), together 1",
        ),
    ]

"""Links: the legs of evacuation between places."""

from typing import Annotated

from msgspec import Meta, Struct, field

from engine.scenario.structs.distributions import Distribution
from engine.scenario.structs.vocabulary import Category, Terrain


class Batch(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Patients who leave together: a vehicle goes when enough of them wait, or one has waited long enough."""

    minimum: Annotated[
        int,
        Meta(ge=2, le=1000, examples=[4], description="patients that make a batch, at least 2"),
    ]
    wait_minutes: Annotated[
        float,
        Meta(
            ge=0,
            le=1e5,
            examples=[240.0],
            description="longest wait for a batch to fill; then the vehicle goes with those there are",
        ),
    ]
    override: Annotated[
        list[Category],
        Meta(
            examples=[["T1"]],
            description="triage categories for whom a vehicle goes at once, with whoever waits",
        ),
    ] = field(default_factory=lambda: ["T1"])


class Link(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A leg of evacuation: `minutes` (request included), or `distance_km` with terrain and vehicle."""

    origin: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=96,
            examples=["POI"],
            description="POI (point of injury) or a facility's id",
        ),
    ]
    destination: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=96,
            examples=["R2-North"],
            description="a facility's id, of the same or a higher role",
        ),
    ]
    fronts: Annotated[
        list[str],
        Meta(
            examples=[["North"]],
            description="fronts whose casualties use it; empty: all that both ends serve",
        ),
    ] = []
    minutes: Annotated[
        Distribution | None,
        Meta(
            examples=[{"distribution": "lognormal", "median": 52.0, "sigma": 0.85}],
            description="time from the decision to evacuate to the door, in minutes; with one of `vehicles`: "
            "time of one way from origin to destination",
        ),
    ] = None
    distance_km: (
        Annotated[
            float, Meta(gt=0, le=20_000, examples=[40.0], description="instead of minutes: distance in km")
        ]
        | None
    ) = None
    terrain: Annotated[
        Terrain | None,
        Meta(examples=["mixed"], description="terrain of the distance; unset: road, in the air for aircraft"),
    ] = None
    vehicle: (
        Annotated[
            str,
            Meta(
                examples=["ambulance_armored"],
                description="id of one of `vehicles`, whose number is limited, or a kind of transport, which "
                "gives the speed over a distance and is named in full records; unset: over a distance "
                "ambulance_standard, through the air medevac_helicopter",
            ),
        ]
        | None
    ) = None
    categories: Annotated[
        list[Category],
        Meta(
            examples=[["T1", "T2"]],
            description="who may use it, by the triage category assigned; empty: all",
        ),
    ] = []
    batch: Annotated[
        Batch | None,
        Meta(
            examples=[{"minimum": 4, "wait_minutes": 240.0}],
            description="patients leave together, in batches; needs a vehicle; unset: a vehicle goes as soon "
            "as it can",
        ),
    ] = None

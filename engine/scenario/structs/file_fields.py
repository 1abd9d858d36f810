"""Fields that only files have: `parse` writes out what they say, so that a Scenario has plain entries.

`count = 3` becomes three entries, coordinates become distances of links.
"""

from typing import Annotated

from msgspec import Meta, Struct

from engine.scenario.structs.bounds import MAX_FRONTS, MAX_LINKS, MAX_ROW_NUMBERS
from engine.scenario.structs.facilities import Facility
from engine.scenario.structs.fronts import Front
from engine.scenario.structs.incidents import Incident
from engine.scenario.structs.links import Link
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vehicles import Vehicle
from engine.scenario.structs.warfare import SpecialEvent
from engine.scenario.structs.world import WorldEvent

Count = (
    Annotated[
        int,
        Meta(
            ge=1,
            le=MAX_LINKS,
            examples=[3],
            description="as many entries like this one: in ids and names {n} stands for 1, 2, 3; one without it gets "
            "-{n} at its end. Where another entry names such an id, with or without {n}, it is repeated for each",
        ),
    ]
    | None
)
Every = (
    Annotated[
        str,
        Meta(
            min_length=2,
            max_length=20,
            examples=["30min"],
            description="with count: time from one to the next, in min, h or d; the first is at the time given",
        ),
    ]
    | None
)
Latitude = (
    Annotated[
        float,
        Meta(
            ge=-90,
            le=90,
            examples=[54.35],
            description="degrees north; with longitude, links that give neither minutes nor distance_km get their "
            "distance from it",
        ),
    ]
    | None
)
Longitude = Annotated[float, Meta(ge=-180, le=180, examples=[23.2], description="degrees east")] | None


class FrontInFile(Struct, kw_only=True, frozen=True):
    """What a file may say of a front besides its fields."""

    count: Count = None
    latitude: Latitude = None
    longitude: Longitude = None


class FacilityInFile(Struct, kw_only=True, frozen=True):
    """What a file may say of a facility besides its fields."""

    count: Count = None
    latitude: Latitude = None
    longitude: Longitude = None


class LinkInFile(Struct, kw_only=True, frozen=True):
    """What a file may say of a link besides its fields."""

    count: Count = None


class VehicleInFile(Struct, kw_only=True, frozen=True):
    """What a file may say of a vehicle pool besides its fields."""

    count: Count = None


class SpecialEventInFile(Struct, kw_only=True, frozen=True):
    """What a file may say of a special event besides its fields."""

    count: Count = None
    every: Every = None


class WorldEventInFile(Struct, kw_only=True, frozen=True):
    """What a file may say of a world event besides its fields."""

    count: Count = None
    every: Every = None


class IncidentInFile(Struct, kw_only=True, frozen=True):
    """What a file may say of listed casualties besides their fields."""

    fronts: (
        Annotated[
            list[str],
            Meta(
                min_length=1,
                max_length=MAX_FRONTS,
                examples=[["North", "South"]],
                description="instead of front: names of several fronts, each of which has an entry like this one",
            ),
        ]
        | None
    ) = None
    count: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=MAX_ROW_NUMBERS,
                examples=[16],
                description="how many times `number` casualties come, first at `at`, then every_minutes later each",
            ),
        ]
        | None
    ) = None
    csv: (
        Annotated[
            str,
            Meta(
                min_length=1,
                examples=["day,time,front,number\n1,09:30,North,40\n"],
                description="instead of at: name of a CSV file beside this one, or its lines. Each line is an entry: "
                "columns are time, day and the fields of an entry; fields set here hold where a line leaves them empty",
            ),
        ]
        | None
    ) = None


class ScenarioInFile(Struct, kw_only=True, frozen=True):
    """What a file may say of a scenario besides its fields."""

    distances: (
        Annotated[
            str,
            Meta(
                min_length=1,
                examples=["origin,destination,km\nPOI,R2-North,12.5\n"],
                description="table of distances by road or air for links that give neither minutes nor distance_km: "
                "name of a CSV file beside this one with the columns origin, destination and km, or its lines; from "
                "the point of injury the origin is a front or POI; a row holds both ways",
            ),
        ]
        | None
    ) = None
    road_factor: (
        Annotated[
            float,
            Meta(
                ge=1,
                le=10,
                examples=[1.3],
                description="distance on the ground by that through the air, for distances from latitude and "
                "longitude; unset: 1.3",
            ),
        ]
        | None
    ) = None


FILE_FIELDS: dict[type[Struct], type[Struct]] = {
    Scenario: ScenarioInFile,
    Front: FrontInFile,
    Facility: FacilityInFile,
    Link: LinkInFile,
    Vehicle: VehicleInFile,
    SpecialEvent: SpecialEventInFile,
    WorldEvent: WorldEventInFile,
    Incident: IncidentInFile,
}
"""By Struct of a scenario: the Struct of the fields that only files have."""

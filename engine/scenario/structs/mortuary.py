"""Mortuary affairs: how the dead are recovered and evacuated."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.scenario.structs.bounds import MAX_FACILITIES


class MortuaryAffairs(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Recovery of the dead: they wait behind all patients of their place for a vehicle, and take its time."""

    vehicle: Annotated[
        str | None,
        Meta(
            examples=["trucks"],
            description="id of the vehicle pool that moves the dead, on every link; unset: the vehicles of each link, "
            "while no patient can be fetched",
        ),
    ] = None
    collection_points: Annotated[
        list[str],
        Meta(
            max_length=MAX_FACILITIES,
            examples=[["R2-North"]],
            description="ids of facilities with a mortuary affairs collection point, where the way of the dead ends; "
            "empty: the next facility",
        ),
    ] = []
    died_of_wounds: Annotated[
        bool,
        Meta(
            description="true: also those who die after they have reached an MTF; false: only those who die before"
        ),
    ] = False

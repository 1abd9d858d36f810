"""How long care at the point of injury takes before the casualty is ready for evacuation."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.scenario.structs.distributions import Distribution


class PointOfInjury(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """Times of first aid and field triage; evacuation is requested when those that are set are over."""

    first_aid_after_minutes: Annotated[
        Distribution | None,
        Meta(
            examples=[{"distribution": "lognormal", "median": 5.0, "sigma": 0.75}],
            description="minutes from injury until first aid begins, whatever the injury; unset: "
            "survival.first_aid_minutes, or delay_minutes of the treatment",
        ),
    ] = None
    treatment_minutes: Annotated[
        Distribution | None,
        Meta(
            examples=[{"distribution": "triangular", "low": 3.0, "mode": 6.0, "high": 15.0}],
            description="minutes that first aid takes, during which the casualty is not moved; unset: evacuation does "
            "not wait for first aid",
        ),
    ] = None
    triage_after_minutes: Annotated[
        Distribution | None,
        Meta(
            examples=[{"distribution": "constant", "mean": 10.0}],
            description="minutes from injury until field triage begins; unset: at first aid, but no later than after a "
            "share of the first leg",
        ),
    ] = None
    triage_minutes: Annotated[
        Distribution | None,
        Meta(
            examples=[{"distribution": "constant", "mean": 2.0}],
            description="minutes that field triage takes; unset: 0",
        ),
    ] = None

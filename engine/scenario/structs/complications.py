"""What a scenario changes of complications in the course."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.scenario.structs.vocabulary import Complication


class Complications(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """What a scenario changes of complications (docs/model.md section 2.5.8)."""

    drawn: Annotated[
        bool, Meta(description="false: nobody has a complication in the course, and late deaths name none")
    ] = True
    factors: Annotated[
        dict[Complication, Annotated[float, Meta(ge=0, le=100)]],
        Meta(
            examples=[{"pulmonary_embolism": 2.0}],
            description="multiplies the probability of single complications (capped at 1)",
        ),
    ] = {}

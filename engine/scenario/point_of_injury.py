"""Care at the point of injury of a front: the scenario's times, field by field replaced by those of the front."""

from collections.abc import Iterator

from engine.scenario.structs.fronts import Front
from engine.scenario.structs.point_of_injury import PointOfInjury
from engine.scenario.structs.scenario import Scenario


def care_at_point_of_injury(scenario: Scenario, front: Front) -> PointOfInjury:
    """The times that hold on a front: its own, else the scenario's, field by field."""
    own, general = (given or PointOfInjury() for given in (front.point_of_injury, scenario.point_of_injury))
    return PointOfInjury(
        **{name: getattr(own, name) or getattr(general, name) for name in PointOfInjury.__struct_fields__}
    )


def settings_at_point_of_injury(scenario: Scenario) -> Iterator[tuple[str, PointOfInjury]]:
    """The tables that a scenario sets, each with its place."""
    if scenario.point_of_injury is not None:
        yield "point_of_injury", scenario.point_of_injury
    for i, front in enumerate(scenario.fronts):
        if front.point_of_injury is not None:
            yield f"fronts[{i}].point_of_injury", front.point_of_injury

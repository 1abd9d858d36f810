"""The shares of triage and deaths that a scenario asks for, and whether the engine has to find tilts that meet them."""

from typing import Protocol

from engine.scenario.structs.survival import Survival
from engine.scenario.structs.vocabulary import Routing, ShareCategory, Stream


class AsksForShares(Protocol):
    """A scenario, or those of its fields that the tilts are found from."""

    @property
    def routing(self) -> Routing:
        """How outcomes come about."""
        ...

    @property
    def survival(self) -> Survival:
        """What the scenario changes of the survival clock."""
        ...

    @property
    def triage(self) -> dict[Stream, dict[ShareCategory, float]] | None:
        """Shares of triage by stream."""
        ...


def has_tilts(scenario: AsksForShares) -> bool:
    """Whether a resolved scenario sets shares of battle triage, of deaths or their time, which tilts have to meet."""
    return scenario.routing == "clock" and (
        asks_for_deaths(scenario.survival) or "battle" in (scenario.triage or {})
    )


def asks_for_deaths(survival: Survival) -> bool:
    """Whether the share of the wounded who die untreated, or their time, is set and acts."""
    return survival.clock and (survival.lethality is not None or survival.untreated_minutes is not None)

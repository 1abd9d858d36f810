"""The ways of a network while they are compiled: candidates, and what is known of each way."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.codes import RESOURCE_COUNT
from engine.scenario import Scenario, is_available
from engine.tables import FACILITIES, FRONTS


class Candidate(NamedTuple):
    """One link of a way."""

    link: int
    pool: int
    """Vehicle pool; -1 without limit."""
    way: int
    allowed: int
    """Bits of the triage categories that may take it."""


@dataclass(slots=True)
class WayNetwork:
    """The ways of a scenario while they are compiled; W ways."""

    scenario: Scenario
    facilities: dict[str, int]
    """Number by identifier."""
    finite: NDArray[np.uint8]
    """By resource, shape (FACILITIES * RESOURCE_COUNT,)."""
    way_of: NDArray[np.int32] = field(default_factory=lambda: np.full((FACILITIES, FRONTS), -1, np.int32))
    """Way by facility and front; -1 at the end."""
    poi_way: NDArray[np.int32] = field(default_factory=lambda: np.full(FRONTS, -1, np.int32))
    """Way from the POI by front."""
    links: list[tuple[int, ...]] = field(default_factory=list)
    """(W,): links of a way, the closest first."""
    candidates: list[Candidate] = field(default_factory=list)
    """Those of all ways, concatenated."""
    first: list[int] = field(default_factory=list)
    """(W,): first candidate."""
    is_finite: list[bool] = field(default_factory=list)
    """(W,)."""
    able_for: list[int] = field(default_factory=list)
    """(W,): bits of the categories that some destination which operates takes; 0 where all or none operate."""
    diverted: list[int] = field(default_factory=list)
    """(W,): bits of the categories that some destination may divert; 0 without a choice."""
    remains_pools: list[int] = field(default_factory=list)
    """By candidate: the pool that takes the dead; -1 without limit, NO_VEHICLE if none. Empty: nobody moves them."""
    remains_wait: list[bool] = field(default_factory=list)
    """(W,): whether the dead wait for a vehicle there."""

    def destination(self, link: int) -> int:
        """Return the number of a link's destination."""
        return self.facilities[self.scenario.links[link].destination]

    def operates(self, link: int) -> bool:
        """Whether the destination of a link can do damage control surgery."""
        able = self.scenario.facilities[self.destination(link)].dcs
        return bool(able) and is_available(self.scenario, "surgery")

    def is_limited(self, facility: int) -> bool:
        """Whether a resource of a facility is finite."""
        first = facility * RESOURCE_COUNT
        return bool(self.finite[first : first + RESOURCE_COUNT].any())

    def candidates_of(self, way: int) -> list[Candidate]:
        """Return the candidates of a way."""
        return self.candidates[self.first[way] : self.first[way] + len(self.links[way])]

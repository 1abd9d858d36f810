"""Measures of the recovery of the dead, from the records."""

from typing import Any

import numpy as np

from engine.codes import Event, Outcome
from engine.measures.durations import Durations
from engine.scenario import Scenario
from engine.tables import Chunk

_DEATHS = (Outcome.KIA, Outcome.DOW, Outcome.DIED_NONBATTLE)


class Remains:
    """Counts of the dead and of the times until they are recovered; empty unless the scenario moves the dead.

    Parameters
    ----------
    scenario
        The resolved scenario.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._given = scenario.mortuary_affairs if scenario.routing == "clock" else None
        self.dead = 0
        self.times = Durations()

    def add(self, chunk: Chunk) -> None:
        """Count the patients of a chunk."""
        if self._given is None:
            return
        patients, events = chunk.patients, chunk.events
        dead = np.isin(patients["status"], _DEATHS)
        if not self._given.died_of_wounds:
            for role in ("role1", "role2", "role3", "role4"):
                dead &= patients[role] < 0
        self.dead += int(dead.sum())
        delivered = events[events["kind"] == Event.REMAINS_DELIVERED]
        self.times.add(delivered["at"] - patients["closed"][delivered["patient"]])

    def merge(self, other: "Remains") -> None:
        """Add the counts of another replication of the same scenario."""
        self.dead += other.dead
        self.times.merge(other.times)

    def summary(self) -> dict[str, Any]:
        """Return nothing, or `mortuary_affairs`: dead (whom it covers), recovered, median_minutes from the death on."""
        if self._given is None:
            return {}
        found = {"dead": self.dead, "recovered": len(self.times), "median_minutes": self.times.median()}
        return {"mortuary_affairs": found}

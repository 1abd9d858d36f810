"""Which ways a network offers, from place to place: who may go where, and what is reached."""

from engine.scenario.defaults import link_minutes, mean_of
from engine.scenario.structs import CATEGORIES, POI, Category, Link, Scenario, Vehicle


class Routes:
    """The ways through a complete network (`scenario_defaults.completed`), followed from POI front by front.

    `reached`: by front, the ids of the facilities that somebody can come to; `used`: the indices of the links
    that are used, where several leave a place for the same front and category.
    """

    def __init__(self, whole: Scenario) -> None:
        self.whole = whole
        self._pools = {v.id: v for v in whole.vehicles}
        self._minutes = [mean_of(link_minutes(link, whole.vehicles)) for link in whole.links]
        self._from: dict[tuple[str, str], list[int]] = {}
        order = sorted(range(len(whole.links)), key=lambda i: (self._minutes[i], i))
        for i in order:
            for name in whole.links[i].fronts:
                self._from.setdefault((whole.links[i].origin, name), []).append(i)
        self._changing = {event.facility for event in whole.world if event.facility is not None}
        self._may_fill = {
            f.id for f in whole.facilities if f.places is not None or f.ward_beds is not None
        } | self._changing
        self.used: set[int] = set()
        self.reached: dict[str, list[str]] = {front.name: self._follow(front.name) for front in whole.fronts}

    def candidates(self, at: str, front: str, category: Category) -> list[Link]:
        """The links by which a patient of a front and category may leave a place, the closest first."""
        return [self.whole.links[i] for i in self._candidates(at, front, category)]

    def pool(self, link: Link) -> Vehicle | None:
        """The vehicles of a link, where their number is limited."""
        return self._pools.get(link.vehicle or "")

    def _candidates(self, at: str, front: str, category: Category) -> list[int]:
        links = self.whole.links
        found = self._from.get((at, front), [])
        return [i for i in found if not links[i].categories or category in links[i].categories]

    def _taken(self, found: list[int]) -> list[int]:
        """Those of several links that anybody ever takes: without bypass, or never full, only the closest."""
        whole = self.whole
        if not whole.bypass:
            return found[:1]
        if whole.destination != "closest-first" or whole.national_preference:
            return found
        for n, i in enumerate(found):
            link = whole.links[i]
            always = whole.acceptance == "push" and link.destination not in self._changing
            if self.pool(link) is None and (link.destination not in self._may_fill or always):
                return found[: n + 1]
        return found

    def _follow(self, front: str) -> list[str]:
        """Facilities that somebody of a front can come to, in the order in which they are found."""
        found: dict[str, None] = {POI: None}
        todo = [POI]
        while todo:
            at = todo.pop(0)
            for category in CATEGORIES:
                taken = self._taken(self._candidates(at, front, category))
                self.used.update(taken)
                new = [self.whole.links[i].destination for i in taken]
                todo += [place for place in dict.fromkeys(new) if place not in found]
                found.update(dict.fromkeys(new))
        return [place for place in found if place != POI]

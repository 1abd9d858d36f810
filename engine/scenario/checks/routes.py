"""Routes through a network: by which links a patient may leave each place, and which facilities are reached."""

from engine.scenario.limits import limiting_settings, may_divert
from engine.scenario.structs.distributions import mean_of
from engine.scenario.structs.links import Link
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vehicles import Vehicle
from engine.scenario.structs.vocabulary import CATEGORIES, POI, Category
from engine.scenario.travel import link_minutes


class Routes:
    """The routes through a complete network (`network.complete_network`), followed from POI front by front.

    Attributes
    ----------
    reached
        By front, the ids of the facilities that some patient can come to, in the order in which they are found.
    used
        Indices of the links that some patient can take, where several leave a place for the same front and category.
    minutes
        By link, the mean travel time.
    """

    def __init__(self, complete: Scenario) -> None:
        self.complete = complete
        self._pools = {pool.id: pool for pool in complete.vehicles}
        self.minutes = [round(mean_of(link_minutes(link, complete.vehicles)), 6) for link in complete.links]
        self._links_from: dict[tuple[str, str], list[int]] = {}
        """By place and front: indices of the links that leave it, the closest destination first."""
        for i in sorted(range(len(complete.links)), key=lambda i: (self.minutes[i], i)):
            for front in complete.links[i].fronts:
                self._links_from.setdefault((complete.links[i].origin, front), []).append(i)
        self._changing = {event.facility for event in complete.world if event.facility is not None}
        self._may_fill = {
            facility.id
            for facility in complete.facilities
            if facility.places is not None or facility.ward_beds is not None
        } | self._changing
        self._by_id = {facility.id: facility for facility in complete.facilities}
        self.used: set[int] = set()
        self.reached: dict[str, list[str]] = {
            front.name: self._follow(front.name) for front in complete.fronts
        }

    def candidates(self, place: str, front: str, category: Category) -> list[Link]:
        """The links by which a patient of a front and category may leave a place, the closest first.

        A category that no link from the place names may use all of them (docs/model.md section 2.9.4).
        """
        return [self.complete.links[i] for i in self.candidate_numbers(place, front, category)]

    def candidate_numbers(self, place: str, front: str, category: Category) -> list[int]:
        """Indices of the links of `candidates`."""
        return self._naming(place, front, category) or self._links_from.get((place, front), [])

    def names(self, place: str, front: str, category: Category) -> bool:
        """Whether a link by which patients of a front leave a place is for this category, or for all."""
        return bool(self._naming(place, front, category))

    def pool(self, link: Link) -> Vehicle | None:
        """The vehicle pool of a link; None where it names a kind of transport or nothing."""
        return self._pools.get(link.vehicle or "")

    def _naming(self, place: str, front: str, category: Category) -> list[int]:
        links = self.complete.links
        leaving = self._links_from.get((place, front), [])
        return [i for i in leaving if not links[i].categories or category in links[i].categories]

    def _taken(self, candidates: list[int], category: Category) -> list[int]:
        """Those of several links that a patient of a category ever takes.

        Only the closest without bypass, or if it never fills and never diverts the category. Equally close facilities
        share the patients if one of them has a limit.
        """
        complete = self.complete
        if not complete.bypass:
            return candidates[:1]
        if complete.destination != "closest-first" or complete.national_preference:
            return candidates
        for n, i in enumerate(candidates):
            link = complete.links[i]
            is_pushed = complete.acceptance == "push" and link.destination not in self._changing
            divert = self._by_id[link.destination].divert
            diverts = may_divert(self._by_id[link.destination]) and (
                divert is not None and (not divert.categories or category in divert.categories)
            )
            if (
                self.pool(link) is None
                and (link.destination not in self._may_fill or is_pushed)
                and not diverts
            ):
                tied = [j for j in candidates if self.minutes[j] == self.minutes[i]]
                shared = any(limiting_settings(self._by_id[complete.links[j].destination]) for j in tied)
                return candidates[: n + 1] + [j for j in tied if shared and j not in candidates[: n + 1]]
        return candidates

    def _follow(self, front: str) -> list[str]:
        """Facilities that some patient of a front can come to, breadth first; adds to `used`."""
        found: dict[str, None] = {POI: None}
        queue = [POI]
        while queue:
            place = queue.pop(0)
            for category in CATEGORIES:
                taken = self._taken(self.candidate_numbers(place, front, category), category)
                self.used.update(taken)
                destinations = [self.complete.links[i].destination for i in taken]
                queue += [name for name in dict.fromkeys(destinations) if name not in found]
                found.update(dict.fromkeys(destinations))
        return [place for place in found if place != POI]

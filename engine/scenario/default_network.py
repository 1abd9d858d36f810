"""The network of a scenario that gives none: the fronts of the reference table, a chain of facilities behind each."""

from functools import cache

from engine.scenario.structs.distributions import Distribution
from engine.scenario.structs.facilities import Facility
from engine.scenario.structs.fronts import Front
from engine.scenario.structs.links import Link
from engine.scenario.structs.vocabulary import POI
from scenarios import tables


@cache
def _reference_fronts() -> tuple[Front, ...]:
    return tuple(
        Front(
            name=row["name"],
            share=row["ratio"],
            nations={nation["nationality_code"]: nation["percentage"] / 100 for nation in row["nations"]},
        )
        for row in tables.fronts_config()["fronts"]
    )


def default_fronts() -> list[Front]:
    """The fronts of fronts_config.json."""
    return list(_reference_fronts())


def default_facilities(fronts: list[Front]) -> list[Facility]:
    """Per front a Role 1, a Role 2 and a Role 3, and one Role 4 for all: R1-<front>, R2-<front>, R3-<front>, R4."""
    per_front = [
        Facility(id=f"R{role}-{front.name}", role=role, fronts=[front.name])
        for front in fronts
        for role in (1, 2, 3)
    ]
    return [*per_front, Facility(id="R4", role=4)]


def default_links(fronts: list[Front]) -> list[Link]:
    """The links of the default network: from POI to the front's Role 1, 2 and 3, then to the Role 4."""
    links = []
    for front in fronts:
        chain = [POI, f"R1-{front.name}", f"R2-{front.name}", f"R3-{front.name}", "R4"]
        for step in range(4):
            leg = f"{'POI' if step == 0 else f'Role{step}'}_to_Role{step + 1}"
            links.append(
                Link(
                    origin=chain[step],
                    destination=chain[step + 1],
                    fronts=[front.name],
                    minutes=_leg_minutes(leg),
                )
            )
    return links


def _leg_minutes(leg: str) -> Distribution:
    """Travel time of a leg of transition_matrices.json, such as POI_to_Role1: by ground where the table has it."""
    row = tables.transition_matrices()["evacuation_times"][leg]
    minutes = row.get("ground", row.get("air"))
    return Distribution(distribution="lognormal", mean=float(minutes["mean"]), sd=float(minutes["std"]))

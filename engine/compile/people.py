"""Compile the people of a scenario to the tables of identity (docs/model.md section 3.2.13)."""

import numpy as np

from engine.compile.rows import cumulated, filled, floats, ints
from engine.scenario import Scenario, model_constants, start_seconds
from engine.tables import NATIONS, PEOPLE, RANKS, Table
from scenarios import catalogue


def compile_people(scenario: Scenario) -> Table:
    """Return one row of PEOPLE for the fronts of a resolved scenario."""
    nations = catalogue.nations()
    number_of = {nation.code: number for number, nation in enumerate(nations)}
    used = {code for front in scenario.fronts for code in front.nations}
    shares = np.ones((len(scenario.fronts), NATIONS))
    for number, front in enumerate(scenario.fronts):
        weights = [0.0] * len(nations)
        for code, share in front.nations.items():
            weights[number_of[code]] = share
        shares[number, : len(nations)] = cumulated(weights)
    given = np.ones((len(nations), 2), np.int64)
    family = np.ones((len(nations), 2), np.int64)
    for code in used:
        names = catalogue.names(code)
        given[number_of[code]] = len(names.female_given), len(names.male_given)
        family[number_of[code]] = len(names.female_family), len(names.male_family)
    ranks = np.ones((len(nations), RANKS))
    ages = np.full((len(nations), RANKS), 18, np.int64)
    for number, nation in enumerate(nations):
        ranks[number, : len(nation.ranks)] = cumulated([rank.weight for rank in nation.ranks])
        ages[number, : len(nation.ranks)] = [rank.min_age for rank in nation.ranks]
    body = model_constants(scenario, "casualties")["person"]
    return filled(
        PEOPLE,
        nations=shares,
        female=floats(nation.female_share for nation in nations),
        given=given,
        family=family,
        ranks=ranks,
        rank_age=ages,
        units=ints(len(catalogue.units(front.name)) for front in scenario.fronts),
        blood=floats(
            cumulated([group.weight for group in catalogue.blood_groups(nation.code)]) for nation in nations
        ),
        weight=floats([body["weight_kg"]["female"], body["weight_kg"]["male"]]),
        weight_limits=floats([body["weight_limits_kg"]["female"], body["weight_limits_kg"]["male"]]),
        start=ints([start_seconds(scenario) * 1000]),
        age_span=floats([body["age_span_years"]]),
    )

"""The theatre of a scenario: its climate and its season, which decide on the diseases and accidents that occur."""

from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vocabulary import Climate, Season

_SEASONS: tuple[Season, ...] = ("winter", "spring", "summer", "autumn")


def climate_of(scenario: Scenario) -> Climate:
    """The climate: that which is given, else the one that the environment tells, else temperate."""
    if scenario.climate is not None:
        return scenario.climate
    if "extreme_cold" in scenario.environment:
        return "arctic"
    return "desert" if {"extreme_heat", "dust_storm"} & set(scenario.environment) else "temperate"


def season_of(scenario: Scenario) -> Season:
    """The season: that which is given, else the one that the environment tells, else that of the north on day 1."""
    if scenario.season is not None:
        return scenario.season
    if "extreme_cold" in scenario.environment:
        return "winter"
    if "extreme_heat" in scenario.environment:
        return "summer"
    return _SEASONS[int(scenario.start[5:7]) % 12 // 3]

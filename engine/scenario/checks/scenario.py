"""The check of a whole scenario."""

from engine.scenario.checks.arrivals import check_arrivals
from engine.scenario.checks.care import check_care
from engine.scenario.checks.complications import note_complications
from engine.scenario.checks.constants import check_constants, note_constants
from engine.scenario.checks.idle_notes import note_unconcerned
from engine.scenario.checks.network import check_network
from engine.scenario.checks.point_of_injury import check_point_of_injury, note_point_of_injury
from engine.scenario.checks.setting_notes import note_arrival_settings, note_survival_settings
from engine.scenario.checks.treatments import check_treatments, note_treatments
from engine.scenario.checks.values import check_name, check_shares
from engine.scenario.parsing import validate
from engine.scenario.start import parse_start
from engine.scenario.structs.scenario import Scenario


def check(scenario: Scenario) -> list[str]:
    r"""Refuse a scenario that cannot be run; return notes on settings that have no effect.

    Types and bounds are checked again, because overrides may have changed them.

    Raises
    ------
    ScenarioError
        With the place of the first mistake, its value and what is allowed there.

    Examples
    --------
    >>> from engine.scenario import check, parse
    >>> check(parse(b'name = "small"', "toml"))
    []
    >>> check(parse(b'name = "small"\nbumping = true', "toml"))
    ['bumping: no effect, because no treatment bays are limited']
    >>> check(parse(b'name = "small"\nhorizon_days = 3', "toml"))
    Traceback (most recent call last):
    ...
    engine.errors.ScenarioError: horizon_days: got 3.0; allowed: at least days = 8, because people are hurt until then
    """
    validate(scenario)
    check_name("name", scenario.name)
    parse_start(scenario.start)
    check_arrivals(scenario)
    if scenario.survival.mechanisms is not None:
        check_shares("survival.mechanisms", scenario.survival.mechanisms)
    if scenario.agents is not None:
        check_shares("agents", scenario.agents)
    check_care(scenario)
    check_point_of_injury(scenario)
    check_treatments(scenario)
    check_constants(scenario)
    return [
        *note_arrival_settings(scenario),
        *note_survival_settings(scenario),
        *note_treatments(scenario),
        *note_complications(scenario),
        *note_point_of_injury(scenario),
        *note_unconcerned(scenario),
        *note_constants(scenario),
        *check_network(scenario),
    ]

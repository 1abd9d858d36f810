"""Checks of listed incidents: times, fronts, numbers, and what their casualties are given."""

import itertools
from math import fsum

from engine.errors import MISSING, ScenarioError
from engine.scenario.checks.values import check_known, check_name, check_shares, list_words
from engine.scenario.default_network import default_fronts
from engine.scenario.given_conditions import entries_of, mechanisms_of, use_of
from engine.scenario.listed import (
    TIME_FORMS,
    number_listed,
    numbers_of,
    shares_of,
    time_of,
    unnamed_categories,
)
from engine.scenario.near_matches import near_match
from engine.scenario.start import moment_text, start_seconds
from engine.scenario.structs.bounds import MAX_LISTED, MAX_LISTED_ROWS
from engine.scenario.structs.fronts import Front
from engine.scenario.structs.incidents import Incident
from engine.scenario.structs.scenario import Scenario
from scenarios import catalogue, tables

INSTANTLY_FATAL_AIS = 6
"""AIS of a wound that kills at once."""

_DAY_MS = 86_400_000


def check_incidents(scenario: Scenario) -> None:
    """Refuse listed incidents that cannot come, or that contradict themselves (ScenarioError)."""
    fronts = {front.name: front for front in scenario.fronts or default_fronts()}
    start = start_seconds(scenario)
    for i, incident in enumerate(scenario.incidents):
        at = f"incidents[{i}]."
        _check_time(at, incident, scenario.days, start)
        _check_people(at, incident, _front_of(at, incident, fronts))
        _check_course(at, incident, scenario)
    _check_numbers(scenario)


def _check_time(at: str, incident: Incident, days: int, start: int) -> None:
    place = f"{at}at"
    if not incident.at:
        raise ScenarioError(place, MISSING, TIME_FORMS)
    time = time_of(incident.at, start)
    if time is None:
        raise ScenarioError(place, incident.at, TIME_FORMS)
    if time < 0:
        raise ScenarioError(
            place,
            incident.at,
            f"a time from the start on, {moment_text(start)}; day 1 is the day of the start, and its times count from "
            "midnight",
        )
    if time >= days * _DAY_MS:
        raise ScenarioError(
            place,
            incident.at,
            f"a time within the {_days(days)} of the scenario, before {moment_text(start + days * 86_400)}",
        )
    if incident.numbers is None:
        if incident.every_minutes is not None:
            raise ScenarioError(
                f"{at}every_minutes",
                incident.every_minutes,
                "every_minutes beside numbers, or beside number with a count, such as count = 16",
            )
        return
    if incident.number != 1:
        raise ScenarioError(f"{at}number", incident.number, "number or numbers, not both")
    if incident.every_minutes is None and len(incident.numbers) > 1:
        raise ScenarioError(f"{at}every_minutes", MISSING, "minutes from one of the numbers to the next")
    if not any(incident.numbers):
        raise ScenarioError(f"{at}numbers", incident.numbers, "at least one number above 0")
    last = time + (len(incident.numbers) - 1) * (incident.every_minutes or 0.0) * 60_000
    if last >= days * _DAY_MS:
        raise ScenarioError(
            f"{at}numbers",
            f"{len(incident.numbers)} numbers {incident.every_minutes or 0:g} minutes apart",
            f"a series that ends within the {_days(days)} of the scenario",
        )


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def _front_of(at: str, incident: Incident, fronts: dict[str, Front]) -> Front:
    if incident.front is not None:
        check_known(f"{at}front", incident.front, list(fronts), "a front")
        return fronts[incident.front]
    if len(fronts) > 1:
        raise ScenarioError(f"{at}front", MISSING, f"a front: {list_words(list(fronts))}")
    return next(iter(fronts.values()))


def _check_people(at: str, incident: Incident, front: Front) -> None:
    if incident.nation is not None and incident.nation not in front.nations:
        raise ScenarioError(
            f"{at}nation",
            incident.nation,
            f"a nation of front {front.name}: {list_words(list(front.nations))}; its share may be 0",
            near_match(incident.nation, front.nations),
        )
    if incident.unit is not None:
        check_name(f"{at}unit", incident.unit)


def _check_course(at: str, incident: Incident, scenario: Scenario) -> None:
    """Mechanism, category, conditions and severity, each alone and together."""
    if incident.mechanism is not None and incident.stream != "battle":
        raise ScenarioError(
            f"{at}mechanism", incident.mechanism, f"no mechanism, because stream {incident.stream} has none"
        )
    if incident.triage is not None:
        if incident.category is not None:
            raise ScenarioError(f"{at}triage", "category and triage", "one of the two")
        _check_triage(f"{at}triage", incident, scenario)
    if incident.conditions is not None:
        _check_conditions(at, incident)
    if incident.mean_iss is not None:
        for name in ("category", "triage", "conditions"):
            if getattr(incident, name) is not None:
                raise ScenarioError(f"{at}mean_iss", f"mean_iss and {name}", "one of the two")
        if incident.stream != "battle" or incident.mechanism == "cbrn":
            raise ScenarioError(
                f"{at}mean_iss", incident.mean_iss, "a mean ISS of wounded, stream battle, only"
            )
    shares = shares_of(incident)
    if shares is not None:
        reachable = _reachable_categories(incident, scenario)
        for category, share in zip(("T1", "T2", "T3"), shares, strict=True):
            if share > 0.0 and category not in reachable:
                raise ScenarioError(
                    f"{at}{'category' if incident.category else 'triage'}",
                    category,
                    f"of {_description(incident)}: {list_words(reachable) or 'none, as they kill at once'}",
                )


def _check_triage(place: str, incident: Incident, scenario: Scenario) -> None:
    """Shares of all categories sum to 1; those of some leave the rest to the others."""
    rest = unnamed_categories(incident)
    if not rest or fsum((incident.triage or {}).values()) > 1.0:
        check_shares(place, incident.triage or {})
        return
    if scenario.routing != "clock":
        raise ScenarioError(
            place, ", ".join(incident.triage or {}), "shares of T1, T2 and T3 under routing transition-matrix"
        )
    if not set(rest) & set(_reachable_categories(incident, scenario)):
        raise ScenarioError(
            place,
            f"shares that sum to {fsum((incident.triage or {}).values()):g}",
            f"of {_description(incident)} shares that sum to 1, because none is {list_words(rest)}",
        )


def _check_conditions(at: str, incident: Incident) -> None:
    codes = incident.conditions or []
    place = f"{at}conditions"
    if not codes:
        raise ScenarioError(place, codes, "at least one code")
    what = {"wound": "a wound", "agent": "an agent's", "nbi": "an accident's", "disease": "a disease's"}
    for i, code in enumerate(codes):
        if code in codes[:i]:
            raise ScenarioError(place, code, "each code once")
        if entries_of(incident, code):
            continue
        if entries_of(Incident(stream=incident.stream), code) and incident.mechanism != "cbrn":
            others = mechanisms_of(Incident(conditions=[code]))
            raise ScenarioError(
                place, code, f"with mechanism {incident.mechanism} no such wound: {list_words(others)}"
            )
        known = sorted(
            {
                condition.code
                for condition in catalogue.conditions()
                if condition.use == use_of(incident)
                or (condition.use == "psychological" and incident.stream == "disease")
            }
        )
        raise ScenarioError(
            place,
            code,
            f"the ICD-10-CM code of {what[use_of(incident)]} condition in stream {incident.stream}, as "
            "the files of scenarios/data/catalogue list them",
            near_match(code, known),
        )
    if use_of(incident) != "wound" and len(codes) > 1:
        raise ScenarioError(place, f"{len(codes)} codes", "one code; only wounded have several")
    _check_exclusions(place, incident, codes)
    if use_of(incident) == "wound" and not mechanisms_of(incident):
        raise ScenarioError(place, ", ".join(codes), "wounds that one mechanism can cause together")


def _check_exclusions(place: str, incident: Incident, codes: list[str]) -> None:
    """Raise where two conditions of a row never meet in one casualty."""
    keys = catalogue.condition_keys()
    entries = {code: entries_of(incident, code)[0] for code in codes}
    for first, second in itertools.combinations(codes, 2):
        if catalogue.exclude_each_other(keys[entries[first]], keys[entries[second]]):
            raise ScenarioError(
                place, f"{first} and {second}", "conditions that one casualty can have together"
            )


def _description(incident: Incident) -> str:
    return (
        f"conditions {', '.join(incident.conditions or ())}"
        if incident.conditions
        else f"{incident.stream} casualties"
    )


def _reachable_categories(incident: Incident, scenario: Scenario) -> list[str]:
    """The categories that casualties of a row can have."""
    use = use_of(incident)
    conditions = catalogue.conditions()
    if incident.conditions is None:
        if use not in ("nbi", "disease"):
            return ["T1", "T2", "T3"]
        weights = (scenario.triage or {}).get(use) or {"T1": 1.0, "T2": 1.0, "T3": 1.0}  # type: ignore[call-overload]
        return [category for category in ("T1", "T2", "T3") if weights.get(category, 0.0) > 0.0]
    if use != "wound":
        own = {
            name
            for number in entries_of(incident, incident.conditions[0])
            for name in conditions[number].categories
        }
        return [category for category in ("T1", "T2", "T3") if category in own]
    return _reachable_by_wounds(incident, scenario)


def _reachable_by_wounds(incident: Incident, scenario: Scenario) -> list[str]:
    """The categories that given wounds can have, from their least and greatest AIS (docs/model.md section 2.6.1)."""
    conditions = catalogue.conditions()
    ranges = []
    for code in incident.conditions or ():
        own = [conditions[number] for number in entries_of(incident, code)]
        ranges.append((min(entry.ais_low for entry in own), max(entry.ais_high for entry in own)))
    least, greatest = max(low for low, _ in ranges), max(high for _, high in ranges)
    if least >= INSTANTLY_FATAL_AIS:
        return []
    scores = sorted((high for _, high in ranges), reverse=True)[:3]
    least_lethal = tables.model_parameters("survival")["lethality"]
    may_kill = (
        scenario.survival.clock
        and greatest >= least_lethal["minimum_ais"]
        and sum(ais * ais for ais in scores) >= least_lethal["minimum_niss"]
    )
    reachable = []
    if greatest >= 4 or may_kill:
        reachable.append("T1")
    if least <= 3 and (greatest >= 2 or may_kill):
        reachable.append("T2")
    if least <= 2:
        reachable.append("T3")
    return reachable


def _check_numbers(scenario: Scenario) -> None:
    """Numbers of rows and casualties in all, against bounds and `casualties`."""
    casualties = scenario.casualties
    if not scenario.incidents:
        if casualties.only_listed:
            raise ScenarioError("casualties.only_listed", True, "true with [[incidents]] only")
        return
    rows = sum(len(numbers_of(incident)) for incident in scenario.incidents)
    listed = number_listed(scenario)
    if rows > MAX_LISTED_ROWS:
        raise ScenarioError("incidents", f"{rows:,} times and numbers", f"at most {MAX_LISTED_ROWS:,}")
    if listed > MAX_LISTED:
        raise ScenarioError("incidents", f"{listed:,} listed casualties", f"at most {MAX_LISTED:,}")
    if casualties.total is not None and casualties.total < listed and not casualties.only_listed:
        raise ScenarioError(
            "casualties.total", casualties.total, f"at least {listed:,}, the casualties that incidents lists"
        )

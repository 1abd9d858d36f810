"""What the settings of a scenario mean together: errors that stop a run, notes on what has no effect."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import fsum
from typing import Any

from engine.errors import MISSING, ScenarioError
from engine.scenario.checks.network import check_network
from engine.scenario.checks.values import check_duration, check_name, check_nation, distinct
from engine.scenario.defaults import default_fronts, mean_of
from engine.scenario.parsing import key_place, near_match, validate
from engine.scenario.structs import (
    CATEGORIES,
    MAX_TOTAL,
    STREAMS,
    Distribution,
    Front,
    Rates,
    Scenario,
    Stream,
    Survival,
)

TOLERANCE = 1e-6
"""How far from 1 shares may sum."""


def check(s: Scenario) -> list[str]:
    """Refuse a scenario that cannot be run (ScenarioError); return notes on settings that have no effect.

    Types and bounds are checked again, as overrides may have changed them.
    """
    validate(s)
    check_name("name", s.name)
    parse_start(s.start)
    _check_fronts(s)
    _check_casualties(s)
    _check_days(s)
    distinct("environment", s.environment)
    distinct("warfare", [w.type for w in s.warfare], "type")
    _check_events(s)
    _check_triage(s)
    if s.survival.mechanisms is not None:
        _check_shares("survival.mechanisms", s.survival.mechanisms)
    return [*_arrival_notes(s), *_survival_notes(s), *check_network(s)]


def parse_start(text: str) -> datetime:
    """The start of a scenario; ScenarioError unless ISO 8601 UTC in whole seconds between 1900 and 9000."""
    try:
        start = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        start = datetime.max.replace(tzinfo=UTC)
    if not 1900 <= start.year <= 9000:
        raise ScenarioError(
            "start",
            text,
            "a UTC time in whole seconds such as 2030-01-01T00:00:00Z, in the years 1900 to 9000",
        )
    return start


def _check_shares(place: str, shares: Mapping[Any, float]) -> None:
    """Each share between 0 and 1, together 1."""
    for key, share in shares.items():
        if not 0 <= share <= 1:
            raise ScenarioError(key_place(place, key), share, "a share from 0 to 1")
    _check_sum(place, shares.values())


def _check_sum(place: str, shares: Iterable[float]) -> None:
    total = fsum(shares)
    if abs(total - 1) > TOLERANCE:
        raise ScenarioError(place, f"shares that sum to {total:.9g}", "shares that sum to 1")


def _check_fronts(s: Scenario) -> None:
    for i, front in enumerate(s.fronts):
        check_name(f"fronts[{i}].name", front.name)
        _check_nations(f"fronts[{i}].nations", front)
    distinct("fronts", [front.name for front in s.fronts], "name")
    shares = [front.share for front in s.fronts]
    if None not in shares and shares:
        _check_sum("fronts", [share for share in shares if share is not None])
    elif any(share is not None for share in shares):
        raise ScenarioError(
            f"fronts[{shares.index(None)}].share", MISSING, "a share for every front, or for none"
        )


def _check_nations(place: str, front: Front) -> None:
    for code in front.nations:
        check_nation(key_place(place, code), code)
    _check_shares(place, front.nations)


def _check_casualties(s: Scenario) -> None:
    rates = s.casualties.rates
    if rates is None:
        if s.mix is not None:
            _check_sum("mix", (s.mix.battle, s.mix.nbi, s.mix.disease))
        return
    if s.casualties.total is not None:
        raise ScenarioError("casualties", "total and rates", "total or rates, not both")
    if s.mix is not None:
        raise ScenarioError(
            "mix", "a mix and rates", "a mix with casualties.total only; rates give each stream its own"
        )
    _check_rates(rates)
    if not s.fronts:
        raise ScenarioError("fronts", MISSING, "with rates, fronts with the population the rates apply to")
    for i, front in enumerate(s.fronts):
        if front.population is None:
            raise ScenarioError(
                f"fronts[{i}].population", MISSING, f"with rates, the strength at risk, 1 to {MAX_TOTAL:,}"
            )
    strength = sum(front.population or 0 for front in s.fronts)
    per_day = fsum(mean_of(d) for stream in STREAMS for d in _components(rates, stream))
    if per_day * strength / 1000 * s.days > MAX_TOTAL:
        raise ScenarioError(
            "casualties.rates",
            f"{per_day * strength / 1000 * s.days:.3g} casualties expected",
            f"rates, strength and days that make at most {MAX_TOTAL:,} casualties",
        )


def _components(rates: Rates, stream: str) -> list[Distribution]:
    setting = getattr(rates, stream)
    if setting is None:
        return []
    return [setting] if isinstance(setting, Distribution) else list(setting)


def _check_rates(rates: Rates) -> None:
    count = 0
    for stream in STREAMS:
        setting = getattr(rates, stream)
        place = f"casualties.rates.{stream}"
        if isinstance(setting, list) and not setting:
            raise ScenarioError(place, setting, "at least one distribution")
        for i, d in enumerate(_components(rates, stream)):
            check_duration(f"{place}[{i}]" if isinstance(setting, list) else place, d, rate=True)
            count += 1
    if count == 0:
        raise ScenarioError("casualties.rates", MISSING, "a rate for at least one of battle, nbi, disease")
    if all(_is_zero(rates, stream) for stream in STREAMS):
        raise ScenarioError("casualties.rates", 0, "at least one rate with a mean above 0")


def _is_zero(rates: Rates, stream: Stream) -> bool:
    """Whether a stream's rate is unset or always 0."""
    return not any(mean_of(d) > 0 for d in _components(rates, stream))


def _check_days(s: Scenario) -> None:
    if s.horizon_days is not None and s.horizon_days < s.days:
        raise ScenarioError(
            "horizon_days", s.horizon_days, f"at least days = {s.days}: people are hurt until then"
        )
    if s.day_weights is None:
        return
    if s.tempo is not None:
        raise ScenarioError("day_weights", "day_weights and tempo", "one of the two")
    if len(s.day_weights) != s.days:
        raise ScenarioError(
            "day_weights", f"{len(s.day_weights)} weights", f"as many weights as days, {s.days}"
        )
    if fsum(s.day_weights) <= 0:
        raise ScenarioError("day_weights", s.day_weights, "at least one weight above 0")


def _check_events(s: Scenario) -> None:
    names = [front.name for front in s.fronts or default_fronts()]
    types = [w.type for w in s.warfare]
    for i, event in enumerate(s.events):
        place = f"events[{i}]"
        if event.day is not None and event.day > s.days:
            raise ScenarioError(f"{place}.day", event.day, f"a day from 1 to days = {s.days}")
        if event.front is not None and event.front not in names:
            raise ScenarioError(
                f"{place}.front", event.front, f"a front: {', '.join(names)}", near_match(event.front, names)
            )
        if event.type is not None and types and event.type not in types:
            raise ScenarioError(
                f"{place}.type", event.type, f"a type of the scenario's warfare: {', '.join(types)}"
            )
        no_battle = (
            s.mix.battle == 0
            if s.mix
            else s.casualties.rates is not None and _is_zero(s.casualties.rates, "battle")
        )
        if no_battle:
            raise ScenarioError(place, event.event, "events only where there are battle casualties")


def _check_triage(s: Scenario) -> None:
    for stream, shares in (s.triage or {}).items():
        place = key_place("triage", stream)
        for category in CATEGORIES:
            if category not in shares:
                raise ScenarioError(key_place(place, category), MISSING, "shares of T1, T2 and T3")
        _check_shares(place, shares)


def _arrival_notes(s: Scenario) -> list[str]:
    """Settings of arrivals that cancel or act on nothing."""
    notes = []
    total = s.casualties.rates is None
    if total and s.intensity != "medium":
        remain = (
            "its effects on cluster probability and event frequency remain"
            if s.warfare
            else "without warfare types it has no other effect"
        )
        notes.append(
            f'intensity="{s.intensity}": with casualties.total its patient_multiplier cancels, as the count '
            f"is fixed; {remain}"
        )
    if total and s.environment:
        listed = ", ".join(s.environment)
        effect = (
            "the mix is delivered as written, so casualty_modifier and disease_multiplier cancel"
            if s.mix is not None
            else "with casualties.total casualty_modifier and disease_multiplier only shift the mix"
        )
        notes.append(f"environment {listed}: {effect}; delays, mobility and special injuries remain")
    if total and any(f.population for f in s.fronts):
        if s.fronts[0].share is not None:
            notes.append("fronts: population has no effect beside share under casualties.total")
        elif not all(f.population for f in s.fronts):
            notes.append(
                "fronts: casualties are shared equally, as not every front has a population or a share"
            )
    if not total and any(f.share is not None for f in s.fronts):
        notes.append("fronts: with rates, share acts only on special events that name no front")
    if s.days == 1 and (s.tempo is not None or s.day_weights is not None):
        notes.append("tempo and day_weights have no effect on a single day")
    if len(s.warfare) == 1 and s.warfare[0].weight is not None:
        notes.append("warfare[0].weight has no effect on a single warfare type")
    return notes


def _survival_notes(s: Scenario) -> list[str]:
    """Settings of the survival clock that are switched off by another."""
    changed = [
        name for name in Survival.__struct_fields__ if getattr(s.survival, name) != getattr(Survival(), name)
    ]
    clock_only = (
        "aid_success_factor",
        "surgery_success_factor",
        "tbi_success",
        "late_hazard",
        "first_aid_minutes",
    )
    off = [name for name in changed if name in clock_only]
    if s.routing == "transition-matrix":
        off += [name for name in changed if name in ("instant_death", "clock")]
    if s.routing == "transition-matrix":
        notes = [
            "routing transition-matrix: triage, places and deaths are drawn from tables, whatever the wounds"
        ]
        if off:
            notes.append(
                f"survival.{', survival.'.join(off)}: no effect on deaths under routing transition-matrix"
            )
        return notes
    if off and not s.survival.clock:
        return [f"survival.{', survival.'.join(off)}: no effect on deaths with survival.clock = false"]
    return []

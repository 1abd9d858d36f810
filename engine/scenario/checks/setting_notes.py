"""Notes on settings of arrivals and of the survival clock that cancel or have no effect."""

from engine.scenario.asked_shares import asks_for_deaths
from engine.scenario.checks.strength import note_strength
from engine.scenario.structs.fronts import Front
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.survival import Survival
from engine.scenario.structs.vocabulary import STREAMS, WARFARE_TYPES, Stream
from engine.scenario.warfare_types import agent_share

_CLOCK_SETTINGS = (
    "aid_success_factor",
    "surgery_success_factor",
    "tbi_success",
    "late_hazard",
    "first_aid_minutes",
    "lethality",
    "untreated_minutes",
)
"""Settings of `survival` that act through the survival clock alone."""


def note_arrival_settings(scenario: Scenario) -> list[str]:
    """Notes on settings of arrivals that cancel or have no effect."""
    if scenario.casualties.only_listed or (
        scenario.incidents and scenario.casualties.total is None and scenario.casualties.rates is None
    ):
        return _note_only_listed(scenario)
    notes = []
    total = scenario.casualties.rates is None
    if total and scenario.intensity != "medium":
        rest = (
            "its effects on cluster probability and event frequency remain"
            if scenario.warfare
            else "without warfare types it has no other effect"
        )
        notes.append(
            f'intensity="{scenario.intensity}": with casualties.total its patient_multiplier cancels, because the '
            f"count is fixed; {rest}"
        )
    if total and scenario.environment:
        effect = (
            "the mix is used as written, so casualty_modifier and disease_multiplier cancel"
            if scenario.mix is not None
            else "with casualties.total casualty_modifier and disease_multiplier only shift the mix"
        )
        notes.append(
            f"environment {', '.join(scenario.environment)}: {effect}; delays, mobility and special injuries remain"
        )
    fronts = scenario.fronts
    if total and any(front.population for front in fronts):
        if fronts[0].share is not None:
            notes.append("fronts: population has no effect beside share under casualties.total")
        elif not all(front.population for front in fronts):
            notes.append(
                "fronts: casualties are shared equally, because not every front has a population or a share"
            )
    for stream in STREAMS if not total else ():
        setting = getattr(scenario.casualties.rates, stream)
        if setting is not None and fronts and all(_replaces(front, stream) for front in fronts):
            notes.append(f"casualties.rates.{stream}: no effect, because every front has its own rate")
    notes += note_strength(scenario)
    if not total and any(front.share is not None for front in fronts):
        notes.append("fronts: with rates, share acts only on special events that name no front")
    if scenario.days == 1 and (scenario.tempo is not None or scenario.day_weights is not None):
        notes.append("tempo and day_weights have no effect on a single day")
    if len(scenario.warfare) == 1 and scenario.warfare[0].weight is not None:
        notes.append("warfare[0].weight has no effect on a single warfare type")
    return notes


def _replaces(front: Front, stream: Stream) -> bool:
    """Whether a front does not use the scenario's rate of a stream."""
    own, *units = (
        rates is not None and getattr(rates, stream) is not None
        for rates in (front.rates, *(unit.rates for unit in front.units))
    )
    return own or (bool(units) and all(units))


def _note_only_listed(scenario: Scenario) -> list[str]:
    """Notes on settings that act on drawn casualties alone, where none are drawn."""
    idle = [
        name
        for name, is_set in (
            ("casualties.total", scenario.casualties.total is not None),
            ("casualties.rates", scenario.casualties.rates is not None),
            ("mix", scenario.mix is not None),
            ("tempo", scenario.tempo is not None),
            ("day_weights", scenario.day_weights is not None),
            ("events", bool(scenario.events)),
            ("intensity", scenario.intensity != "medium"),
        )
        if is_set
    ]
    return [f"{', '.join(idle)}: no effect, because only the listed casualties come"] if idle else []


def note_survival_settings(scenario: Scenario) -> list[str]:
    """Notes on settings of the survival clock that another setting switches off."""
    survival, default = scenario.survival, Survival()
    fitted = scenario.routing == "clock" and "battle" in (scenario.triage or {})
    changed = [
        name for name in Survival.__struct_fields__ if getattr(survival, name) != getattr(default, name)
    ]
    idle = [name for name in changed if name in _CLOCK_SETTINGS]
    if scenario.routing == "transition-matrix":
        idle += [name for name in changed if name in ("instant_death", "clock")]
        notes = [
            "routing transition-matrix: triage, places and deaths are drawn from tables, whatever the wounds"
        ]
        if idle:
            notes.append(
                f"survival.{', survival.'.join(idle)}: no effect on deaths under routing transition-matrix"
            )
        return notes
    notes = []
    if fitted and survival.severity is not None:
        notes.append("survival.severity: no effect, because triage.battle gives the share of T1")
    if idle and not survival.clock:
        notes.append(f"survival.{', survival.'.join(idle)}: no effect on deaths with survival.clock = false")
    notes += _note_agents(scenario)
    if survival.lethality == 0 and survival.untreated_minutes is not None:
        notes.append("survival.untreated_minutes: no effect, because nobody dies untreated with lethality 0")
    return notes


def _note_agents(scenario: Scenario) -> list[str]:
    """Notes on shares of the wounded where a warfare type has agent casualties, to whom they do not apply."""
    survival = scenario.survival
    types = {warfare.type for warfare in scenario.warfare} | {event.type for event in scenario.events}
    notes = []
    for name in WARFARE_TYPES:
        share = agent_share(name)
        if name not in types or not share:
            continue
        agents = f"{100 * share:.0f} % of the battle casualties of type {name} are agent casualties"
        reason = f"of the wounded alone; {agents}"
        if "battle" in (scenario.triage or {}):
            notes.append(
                f"triage.battle: the shares are those {reason}, whose triage triage.disease re-weights"
            )
        if asks_for_deaths(survival):
            asked = [
                name for name in ("lethality", "untreated_minutes") if getattr(survival, name) is not None
            ]
            notes.append(
                f"survival.{', survival.'.join(asked)}: {reason}, who die as model.casualties.agent says"
            )
    return notes

"""Notes on constants and settings that have no effect: another setting hides them, or nobody is concerned."""

from collections.abc import Callable, Iterator
from typing import Any

from engine.scenario.asked_shares import asks_for_deaths
from engine.scenario.checks.values import list_words
from engine.scenario.concerned import largest_incident, occurring_kinds
from engine.scenario.constants import (
    CONSTANTS_OF_SETTINGS,
    CONSTANTS_OF_TREATMENTS,
    ChangedConstant,
    ReplacedConstant,
    changed_constants,
)
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.survival import Survival
from engine.scenario.structs.treatments import FIRST_AID
from engine.scenario.structs.vehicles import Vehicle

_Condition = Callable[[Scenario], bool]


def _asks_for_triage(scenario: Scenario) -> bool:
    return scenario.routing == "clock" and "battle" in (scenario.triage or {})


def _asks_for_t4(scenario: Scenario) -> bool:
    return _asks_for_triage(scenario) and "T4" in (scenario.triage or {})["battle"]


def _rests_at_night(pools: list[Vehicle]) -> bool:
    return any(not pool.night for pool in pools)


_ABSENT: tuple[tuple[str, _Condition, str], ...] = (
    (
        "care.triage.right.",
        lambda scenario: scenario.triage_accuracy is not None,
        "because triage_accuracy replaces it",
    ),
    (
        "care.reoperation.",
        lambda scenario: (
            scenario.reoperations is not None and scenario.reoperations.interval_minutes is not None
        ),
        "because reoperations.interval_minutes replaces it",
    ),
    ("care.mascal.", lambda scenario: not scenario.expectant, "because expectant is false"),
    ("care.mascal.", _asks_for_t4, "because triage.battle gives the share of T4"),
    (
        "care.overflow.",
        lambda scenario: not any(facility.surge for facility in scenario.facilities),
        "because no facility has surge places",
    ),
    (
        "care.night.",
        lambda scenario: not _rests_at_night(scenario.vehicles),
        "because no vehicle rests at night",
    ),
    (
        "survival.clock_factors.cold",
        lambda scenario: "extreme_cold" not in scenario.environment,
        "because the environment has no extreme_cold",
    ),
    (
        "casualties.agent.",
        lambda scenario: "agent" not in occurring_kinds(scenario),
        "without agent casualties",
    ),
    (
        "casualties.agent.",
        lambda scenario: scenario.agents is not None and not scenario.agents.get("nerve"),
        "because no incident is by a nerve agent",
    ),
    (
        "survival.treatment.agent.",
        lambda scenario: "agent" not in occurring_kinds(scenario),
        "without agent casualties",
    ),
    ("casualties.special_events.", lambda scenario: not scenario.events, "without special events"),
    (
        "casualties.dnbi.",
        lambda scenario: not {"nbi", "disease"} & occurring_kinds(scenario),
        "without non-battle injuries and disease",
    ),
    (
        "survival.treatment.dnbi.",
        lambda scenario: not {"nbi", "disease"} & occurring_kinds(scenario),
        "without non-battle injuries and disease",
    ),
    ("casualties.wounds.", lambda scenario: "wounded" not in occurring_kinds(scenario), "without wounded"),
    ("casualties.triage.", lambda scenario: "wounded" not in occurring_kinds(scenario), "without wounded"),
    ("survival.lethality.", lambda scenario: "wounded" not in occurring_kinds(scenario), "without wounded"),
    (
        "survival.lethality.midpoint_niss",
        lambda scenario: asks_for_deaths(scenario.survival) and scenario.survival.lethality is not None,
        "because survival.lethality gives the share that dies untreated",
    ),
    (
        "survival.lethality.minutes",
        lambda scenario: (
            asks_for_deaths(scenario.survival) and scenario.survival.untreated_minutes is not None
        ),
        "because survival.untreated_minutes gives the median",
    ),
    ("casualties.triage.surgical_ais2", _asks_for_triage, "because triage.battle gives the share of T2"),
)
"""Beginning of a constant's path, the condition under which it has no effect, and why."""

_OF_TYPES: tuple[tuple[str, _Condition, str], ...] = (
    ("severity", _asks_for_triage, "because triage.battle gives the share of T1"),
    (
        "instant_death",
        lambda scenario: scenario.survival.instant_death is not None,
        "because survival.instant_death replaces it",
    ),
    (
        "mechanisms",
        lambda scenario: scenario.survival.mechanisms is not None,
        "because survival.mechanisms replaces it",
    ),
)
"""The same by key of a table of `casualties.types`."""


def note_idle_constants(scenario: Scenario, facilities: Scenario) -> Iterator[str]:
    """Notes on constants that another setting hides, and on those that act on nobody and nothing.

    Parameters
    ----------
    scenario
        The scenario as written.
    facilities
        The same with its complete network.
    """
    constants = [change for change in changed_constants(scenario) if change.path.startswith("model.")]
    for change in constants:
        path = change.path.removeprefix("model.")
        if scenario.routing == "transition-matrix" and path.startswith(
            ("survival.lethality.", "survival.late.", "survival.treatment.")
        ):
            yield f"{change.path}: no effect on deaths under routing transition-matrix"
            continue
        reason = _absence(path, facilities) or _replacements(path, change, scenario)
        if reason:
            yield f"{change.path}: no effect, {reason}"
        elif path == "care.blood.units" and not any(
            facility.blood_units is not None for facility in facilities.facilities
        ):
            yield f"{change.path}: acts on consumption alone, because no facility has a stock of blood (blood_units)"


def _absence(path: str, scenario: Scenario) -> str | None:
    """Why nothing that a constant acts on occurs; None if it does."""
    for beginning, is_absent, reason in _ABSENT:
        if path.startswith(beginning) and is_absent(scenario):
            return reason
    if path.startswith("casualties.types."):
        key = path.split(".")[3]
        for name, is_absent, reason in _OF_TYPES:
            if key == name and is_absent(scenario):
                return reason
    return None


def _replacements(path: str, change: ChangedConstant, scenario: Scenario) -> str | None:
    """Which settings replace all that a constant changes; None if some of it is left."""
    changed = (
        {place for place, old in enumerate(change.old) if old != change.new[place]}
        if isinstance(change.old, list)
        else {0}
    )
    by = []
    for setting, constant in _replacing(scenario):
        if ".".join(constant.path) == path:
            hidden = set(constant.places) or {0}
            if changed & hidden:
                by.append(setting)
                changed -= hidden
    return (
        f"because {list_words(by)} {'replaces' if len(by) == 1 else 'replace'} it"
        if by and not changed
        else None
    )


def _replacing(scenario: Scenario) -> Iterator[tuple[str, ReplacedConstant]]:
    """The settings of a scenario that replace a constant, the most specific last."""
    for (treatment, field), constant in CONSTANTS_OF_TREATMENTS.items():
        setting = scenario.treatments.get(treatment)
        if setting is not None and getattr(setting, field) is not None:
            yield f"treatments.{treatment}.{field}", constant
    for name, constant in CONSTANTS_OF_SETTINGS.items():
        owner: Any = scenario
        for part in name.split("."):
            owner = getattr(owner, part)
        if owner is not None:
            yield name, constant


_OF_WOUNDED = (
    "instant_death",
    "severity",
    "lethality",
    "untreated_minutes",
    "mechanisms",
    "surgery_success_factor",
    "tbi_success",
    "late_hazard",
)
"""Settings of `survival` that act on the wounded alone; `instant_death` acts on no agent casualty either."""
_TREATMENTS_OF: tuple[tuple[tuple[str, ...], set[str], str], ...] = (
    (tuple(name for name in FIRST_AID if name != "autoinjector"), {"wounded"}, "without wounded"),
    (("prehospital_blood", "blood_transfusion", "surgery"), {"wounded"}, "without wounded"),
    (("emergency_care",), {"nbi", "disease"}, "without non-battle injuries and disease"),
)


def note_unconcerned(scenario: Scenario) -> Iterator[str]:
    """Notes on settings that act on kinds of casualties, or sizes of incidents, that the scenario cannot have."""
    kinds: set[str] = set(occurring_kinds(scenario))
    if "wounded" not in kinds:
        yield from _note_without_wounded(scenario)
    for names, concerned, reason in _TREATMENTS_OF:
        for name in names:
            if name in scenario.treatments and not kinds & concerned:
                yield f"treatments.{name}: no effect, {reason}"
    if scenario.agents is not None and "agent" not in kinds:
        yield "agents: no effect, without agent casualties"
    for name in ("climate", "season"):
        if getattr(scenario, name) is not None and not kinds & {"nbi", "disease"}:
            yield f"{name}: no effect, without non-battle injuries and disease"
    for stream, words in (("nbi", "non-battle injuries"), ("disease", "disease")):
        concerned = {"agent", stream} if stream == "disease" else {stream}
        if stream in (scenario.triage or {}) and not kinds & concerned:
            yield f"triage.{stream}: no effect without {words}"
    if "wounded" in kinds and largest_incident(scenario) < scenario.mascal_threshold:
        why = f"because no incident has mascal_threshold = {scenario.mascal_threshold:,} casualties"
        if scenario.expectant:
            yield f"expectant: no effect, {why}"
        if _asks_for_t4(scenario):
            yield f"triage.battle.T4: nobody is T4, {why}; these casualties are T1"


def _note_without_wounded(scenario: Scenario) -> Iterator[str]:
    survival, default = scenario.survival, Survival()
    idle = [f"survival.{name}" for name in _OF_WOUNDED if getattr(survival, name) != getattr(default, name)]
    idle += ["triage.battle"] if "battle" in (scenario.triage or {}) else []
    idle += ["expectant"] if scenario.expectant else []
    idle += ["reoperations"] if scenario.reoperations is not None else []
    if idle:
        yield f"{', '.join(idle)}: no effect without wounded"

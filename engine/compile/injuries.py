"""A scenario's people, wounds and illnesses compiled to the tables of `engine.clinical.casualties`."""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from engine.codes import MECHANISMS, REGIONS, SEXES, SIDED_REGIONS, SIDES, CareNeed, ConditionFlag, Illness
from engine.compile.rows import (
    STANDARD,
    WEAPONS,
    by_type,
    cumulated,
    environment,
    filled,
    floats,
    ints,
    triage_weights,
)
from engine.numeric import interpreted
from engine.scenario import Scenario, incident_types, mix_of, special_event_types, start_seconds
from engine.tables import INJURIES, NATIONS, NATURES, PEOPLE, RANKS, Table
from scenarios import catalogue, tables
from scenarios.tables import model_parameters


class Groups:
    """Lists of weighted choices laid end to end: one (first, count) per group."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.first = np.zeros(shape, np.int64)
        self.count = np.zeros(shape, np.int64)
        self._choices: list[int] = []
        self._chance: list[float] = []
        self._known: dict[tuple[tuple[int, float], ...], tuple[int, int]] = {}

    def add(self, place: tuple[int, ...], found: Sequence[tuple[int, float]]) -> None:
        """Puts (choice, weight) pairs at `place`; equal lists are stored once."""
        if not found:
            return
        content = tuple(found)
        if content not in self._known:
            self._known[content] = (len(self._choices), len(content))
            self._choices += [c for c, _ in content]
            self._chance += cumulated([w for _, w in content])
        self.first[place], self.count[place] = self._known[content]

    @property
    def choices(self) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """All choices, i8[:]."""
        return ints(self._choices or [0])

    @property
    def chance(self) -> "np.ndarray[Any, np.dtype[np.float64]]":
        """Cumulated weights within each group, f8[:]."""
        return floats(self._chance or [1.0])


def compile_people(s: Scenario) -> Table:
    """Tables of identity for the fronts of a resolved scenario."""
    nations = catalogue.nations()
    codes = {n.code: k for k, n in enumerate(nations)}
    used = {code for front in s.fronts for code in front.nations}
    shares = np.ones((len(s.fronts), NATIONS))
    for k, front in enumerate(s.fronts):
        weights = [0.0] * len(nations)
        for code, share in front.nations.items():
            weights[codes[code]] = share
        shares[k, : len(nations)] = cumulated(weights)
    given = np.ones((len(nations), 2), np.int64)
    family = np.ones((len(nations), 2), np.int64)
    for code in used:
        names = catalogue.names(code)
        given[codes[code]] = len(names.female_given), len(names.male_given)
        family[codes[code]] = len(names.female_family), len(names.male_family)
    ranks = np.ones((len(nations), RANKS))
    ages = np.full((len(nations), RANKS), 18, np.int64)
    for k, n in enumerate(nations):
        ranks[k, : len(n.ranks)] = cumulated([r.weight for r in n.ranks])
        ages[k, : len(n.ranks)] = [r.min_age for r in n.ranks]
    body = model_parameters("casualties")["person"]
    return filled(
        PEOPLE,
        nations=shares,
        female=floats(n.female_share for n in nations),
        given=given,
        family=family,
        ranks=ranks,
        rank_age=ages,
        units=ints(len(catalogue.units(front.name)) for front in s.fronts),
        blood=floats(cumulated([g.weight for g in catalogue.blood_groups(n.code)]) for n in nations),
        weight=floats([body["weight_kg"]["female"], body["weight_kg"]["male"]]),
        weight_limits=floats(body["weight_limits_kg"]),
        start=ints([start_seconds(s) * 1000]),
        age_span=floats([body["age_span_years"]]),
    )


def _wound_places(c: Any) -> Iterable[tuple[int, int, int, int]]:
    """(region, mechanism, AIS, side) of the wounds a condition fits; a region without sides takes either."""
    for region, mechanism in itertools.product(c.regions, c.mechanisms):
        sides: tuple[int, ...] = (0,)
        if region in SIDED_REGIONS:
            sides = (SIDES.index(c.side),) if c.side else (1, 2)
        for ais, side in itertools.product(range(c.ais_low, c.ais_high + 1), sides):
            yield REGIONS.index(region), WEAPONS.index(mechanism), ais, side


def _wound_groups(names: Sequence[str]) -> Groups:
    """Conditions by (warfare type, region, mechanism, AIS, side)."""
    common: dict[tuple[int, ...], list[tuple[int, float]]] = {}
    bound: dict[tuple[int, ...], list[tuple[int, float]]] = {}
    for index, c in enumerate(catalogue.conditions()):
        if c.use != "wound":
            continue
        for place in _wound_places(c):
            if not c.types:
                common.setdefault(place, []).append((index, c.weight))
            for row, name in enumerate(names):
                if name in c.types:
                    bound.setdefault((row, *place), []).append((index, c.weight))
    types = model_parameters("casualties")["types"]
    burnt = {k for k, c in enumerate(catalogue.conditions()) if c.burn or c.immersion}
    groups = Groups((len(names), len(REGIONS), len(WEAPONS), 7, len(SIDES)))
    for row in range(len(names)):
        factor = types[names[row]].get("burn_and_immersion_weight", 1.0)
        for where, found in common.items():
            both = [*found, *bound.get((row, *where), [])]
            groups.add(
                (row, *where), [(k, w * factor if k in burnt and where[1] == OTHER else w) for k, w in both]
            )
    return groups


ILLNESS_OF: dict[tuple[str, str], int] = {
    ("agent", ""): Illness.AGENT,
    ("psychological", ""): Illness.PSYCHOLOGICAL,
    ("nbi", ""): Illness.NBI,
    ("nbi", "heat"): Illness.HEAT,
    ("nbi", "cold"): Illness.COLD,
    ("nbi", "fall"): Illness.FALL,
    ("nbi", "crush"): Illness.CRUSH,
    ("disease", ""): Illness.DISEASE,
    ("disease", "msk"): Illness.MUSCULOSKELETAL,
}
"""Illness table by (use, group) of a condition; the group "" stands for all others."""


def _illness_of(c: Any) -> int | None:
    return ILLNESS_OF.get((c.use, c.group), ILLNESS_OF.get((c.use, "")))


def _illness_groups() -> Groups:
    """Conditions of casualties without weapon wounds by (illness, true triage category, sex).

    In place of a category 0: those of T1 that can kill within hours.
    """
    groups = Groups((len(Illness), 4, len(SEXES)))
    for illness in Illness:
        of_illness = [(k, c) for k, c in enumerate(catalogue.conditions()) if _illness_of(c) == illness]
        for category, (sex, name) in itertools.product((0, 1, 2, 3), enumerate(SEXES)):
            members = [(k, c) for k, c in of_illness if c.sex in (None, name)]
            wanted = f"T{max(1, category)}"
            fitting = [(k, c.weight) for k, c in members if wanted in c.categories and (category or c.lethal)]
            groups.add((illness, category, sex), fitting or [(k, c.weight) for k, c in members])
    return groups


OTHER = WEAPONS.index("other")
CAUSE_NATURES = ("", "burn", "blunt", "immersion")
ACCIDENT_GROUPS = ("", "msk", "fall", "crush", "heat", "cold")


LEVELS = {
    **dict.fromkeys(("S4", "S7"), 1),
    **dict.fromkeys(("S5", "S8", "T22", "T24"), 2),
    **dict.fromkeys(("S6", "S9", "T23", "T25"), 3),
}
"""How far along a limb an ICD-10-CM block lies: 1 shoulder to elbow, hip to knee; 2 to wrist, ankle; 3 beyond."""


def _level(code: str) -> int:
    return LEVELS.get(code[:2], LEVELS.get(code[:3], 0))


def _nature(c: Any) -> int:
    """Which external causes fit a condition: index of CAUSE_NATURES for wounds, of ACCIDENT_GROUPS for accidents."""
    if c.use == "nbi":
        group = "fall" if c.fracture else c.group
        return ACCIDENT_GROUPS.index(group) if group in ACCIDENT_GROUPS else 0
    if c.use == "wound" and set(c.mechanisms) == {"other"}:
        return 3 if c.immersion else 1 if c.burn else 2
    return 2 if c.use == "wound" else 0


def _causes_of(name: str, mechanism: str, nature: int) -> list[tuple[int, float]]:
    """Causes and weights for a warfare type, mechanism and nature."""
    causes = list(enumerate(catalogue.external_causes()))
    if mechanism == "accident":
        group = ACCIDENT_GROUPS[nature]
        return [(k, c.weight) for k, c in causes if c.use == "nbi" and group and group in c.groups]
    fitting = [(k, c) for k, c in causes if c.use != "nbi" and c.mechanism == mechanism]
    if mechanism == "other":
        fitting = [(k, c) for k, c in fitting if c.nature == CAUSE_NATURES[min(nature, 3)]]
    own = [(k, c.types[name]) for k, c in fitting if c.types.get(name, 0.0) > 0.0]
    standard = [(k, c.types[STANDARD]) for k, c in fitting if c.types.get(STANDARD, 0.0) > 0.0]
    return own or standard or [(k, w) for k, c in fitting for w in c.types.values()]


def _cause_groups(names: Sequence[str]) -> Groups:
    """External causes by (warfare type, mechanism, nature)."""
    groups = Groups((len(names), len(MECHANISMS), NATURES))
    for (row, name), (m, mechanism), nature in itertools.product(
        enumerate(names), enumerate(MECHANISMS), range(NATURES)
    ):
        groups.add((row, m, nature), _causes_of(name, mechanism, nature))
    return groups


def _flags(c: Any) -> int:
    named = {
        "fracture": ConditionFlag.FRACTURE,
        "amputation": ConditionFlag.AMPUTATION,
        "vessel": ConditionFlag.VESSEL,
        "burn": ConditionFlag.BURN,
        "eye": ConditionFlag.EYE,
        "pneumothorax": ConditionFlag.PNEUMOTHORAX,
    }
    return sum(bit for name, bit in named.items() if getattr(c, name))


def _care_group(c: Any) -> int:
    """What kind of care an illness calls for: a CARE_ code of `engine.clinical.treatments`."""
    if c.code.startswith("M62.82") or c.group == "gastrointestinal":  # rhabdomyolysis is treated with fluids
        return CareNeed.FLUIDS
    if c.use == "nbi" and c.fracture:
        return CareNeed.FRACTURE
    if c.group in ("msk", "fall", "crush"):
        return CareNeed.MUSCULOSKELETAL
    return {"surgical": CareNeed.SURGICAL, "heat": CareNeed.COOLING, "cold": CareNeed.REWARMING}.get(
        c.group, CareNeed.MEDICAL
    )


def _ais_limits(shares: Sequence[float]) -> list[float]:
    """Upper normal quantiles of AIS 1..5; infinity from the highest AIS of the region on."""
    limits = []
    for k in range(5):
        reached = round(math.fsum(shares[: k + 1]), 12)
        limits.append(math.inf if reached >= 1.0 else interpreted.normal_quantile(reached))
    return limits


def _share_of_dnbi(s: Scenario, names: Sequence[str]) -> tuple[list[float], list[float]]:
    """By warfare type: shares of disease that are psychological and musculoskeletal.

    So that of all DNBI the published shares are psychological and musculoskeletal; non-battle injuries count as the
    latter (Belmont 2010).
    """
    dnbi = model_parameters("casualties")["dnbi"]
    cells = mix_of(s)
    psychological, musculoskeletal = [], []
    for name in names:
        of_type = [c for c in cells if name in (c.type, STANDARD if c.type is None else c.type)]
        nbi = math.fsum(c.weight for c in of_type if c.stream == "nbi")
        disease = math.fsum(c.weight for c in of_type if c.stream == "disease")
        if disease <= 0.0:
            psychological.append(0.0)
            musculoskeletal.append(0.0)
            continue
        share = min(1.0, dnbi["psychological_share"] * (nbi + disease) / disease)
        psychological.append(round(share, 9))
        rest = max(0.0, (dnbi["musculoskeletal_share"] * (nbi + disease) - nbi) / disease)
        musculoskeletal.append(round(min(1.0 - share, rest), 9))
    return psychological, musculoskeletal


def _agent(s: Scenario) -> tuple[list[float], list[int]]:
    """Shares of the agent's severities and their true categories; an author's triage of disease re-weights them."""
    agent = model_parameters("casualties")["agent"]
    shares, triage = list(agent["severity"]), list(agent["triage"])
    wanted = triage_weights(s, "disease")
    if wanted:
        have = [math.fsum(w for w, t in zip(shares, triage, strict=True) if t == k) for k in (1, 2, 3)]
        shares = [w * wanted[t - 1] / have[t - 1] for w, t in zip(shares, triage, strict=True)]
    return shares, triage


def _courses(lethal: float, triage: Sequence[float]) -> list[float]:
    """Cumulated shares of T1 that kills untreated, other T1, T2 and T3: who dies of an illness is one of T1.

    No more of them kill than are T1, which an author's weights decide.
    """
    immediate, *others = triage
    kills = min(lethal * math.fsum(triage), immediate)
    return cumulated([kills, immediate - kills, *others])


def compile_injuries(s: Scenario) -> Table:
    """Tables of wounds and illnesses for a resolved scenario, before any tilt of the severity."""
    given = model_parameters("casualties")
    names = incident_types(s)
    types = [given["types"][name] for name in names]
    override = s.survival
    mechanisms: list[dict[Any, float]] = [override.mechanisms or t["mechanisms"] for t in types]
    # under transition-matrix routing the table decides who dies at the point of injury
    given_death = 0.0 if s.routing == "transition-matrix" else override.instant_death
    instant = [t["instant_death"] if given_death is None else given_death for t in types]
    templates = tables.warfare_patterns()["special_event_templates"]
    per_log = given["special_events"]["severity_per_log"]
    increase = [per_log * interpreted.log(templates[e.event]["injury_severity_increase"]) for e in s.events]
    wounds = given["wounds"]
    conditions = catalogue.conditions()
    choices, illness, cause = _wound_groups(names), _illness_groups(), _cause_groups(names)
    psychological, musculoskeletal = _share_of_dnbi(s, names)
    dnbi, kills = given["dnbi"]["triage"], given["dnbi"]["lethal"]
    triage = {
        "nbi": triage_weights(s, "nbi") or dnbi["nbi"],
        "disease": triage_weights(s, "disease") or dnbi["disease"],
        "psychological": dnbi["psychological"],
    }
    agent_shares, agent_triage = _agent(s)
    either = ("heat_casualty", "cold_injury", "fall_injury", "crush_injury")
    return filled(
        INJURIES,
        mechanisms=by_type([cumulated([m.get(w, 0.0) for w in WEAPONS]) for m in mechanisms]),
        instant=by_type(instant),
        severity=by_type([t["severity"] + (override.severity or 0.0) for t in types]),
        special_severity=floats(increase),
        special_type=ints(special_event_types(s)),
        wound_mean=floats(wounds["mean"][w] for w in WEAPONS),
        wound_slope=floats([wounds["severity_slope"], wounds["severity_offset"]]),
        latent=floats([wounds["latent"], wounds["noise"]]),
        shift=floats(wounds["shift"][w] for w in WEAPONS),
        regions=floats(cumulated(wounds["regions"][w]) for w in WEAPONS),
        ais=floats(_ais_limits(wounds["ais"][r]) for r in REGIONS),
        fatal=floats(cumulated([wounds["instantly_fatal"].get(r, 0.0) for r in REGIONS])),
        sided=np.array([r in SIDED_REGIONS for r in REGIONS], np.uint8),
        first=by_type(choices.first),
        count=by_type(choices.count),
        choices=choices.choices,
        chance=choices.chance,
        flags=np.array([_flags(c) for c in conditions], np.uint8),
        groups=np.array([_care_group(c) for c in conditions], np.uint8),
        side=np.array([SIDES.index(c.side) for c in conditions], np.uint8),
        level=np.array([_level(c.code) for c in conditions], np.uint8),
        nature=np.array([_nature(c) for c in conditions], np.uint8),
        ill_first=illness.first,
        ill_count=illness.count,
        ill_choices=illness.choices,
        ill_chance=illness.chance,
        cause_first=by_type(cause.first),
        cause_count=by_type(cause.count),
        cause_choices=cause.choices,
        cause_chance=cause.chance,
        psychological=by_type(psychological),
        musculoskeletal=by_type(musculoskeletal),
        environment=floats(environment(s, f"{x}_probability", 0.0, max) for x in either),
        category=floats(_courses(kills[name], shares) for name, shares in triage.items()),
        agent_severity=floats(cumulated(agent_shares)),
        agent_triage=ints(agent_triage),
    )

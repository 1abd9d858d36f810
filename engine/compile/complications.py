"""Compile the complications of the catalogue to the table of `engine.clinical.complications`."""

from functools import lru_cache

import numpy as np

from engine.codes import COMPLICATIONS, NONE, RISKS, TREATMENTS, Limb
from engine.compile.rows import filled
from engine.numeric import interpreted
from engine.scenario import Scenario
from engine.tables import (
    COMPLICATION_RISKS,
    COMPLICATION_TABLES,
    COMPLICATION_TREATMENTS,
    DAY,
    HOUR,
    MINUTE,
    Table,
)
from scenarios import catalogue

_IN_THE_BELLY = {"laparotomy", "splenectomy", "bowel_resection", "colostomy", "pelvic_packing"}
_BOWEL = {"bowel_resection", "colostomy"}
_LONG_BONES = ("S42.2", "S42.3", "S42.4", "S52", "S72", "S82.1", "S82.2", "S82.3", "S82.4", "S82.8", "S82.9")
_TIGHT_BONES = ("S52", "S82.1", "S82.2", "S82.3", "S82.4", "S82.8", "S82.9")
"""Codes of fractures of forearm and leg, where little swelling raises the pressure."""
_CRUSHES = ("S47", "S57", "S67", "S77", "S87", "S97")
_LIMB_VESSELS = ("S45", "S55", "S75", "S85")
_PELVIS_AND_SPINE = ("S12", "S22.0", "S32")
_LEG_AMPUTATIONS = ("S78", "S88")
_ARMS = ("S4", "S5", "S6", "T22", "T23")
_LEGS = ("S7", "S8", "S9", "T24", "T25")
_NINE_TENTHS = 1.2815515655446004
"""Standard normal quantile of .9."""

_KEPT = 64


def compile_complications(scenario: Scenario) -> Table:
    """Return one row of COMPLICATION_TABLES for a resolved scenario."""
    given = scenario.complications
    if not given.drawn:
        return np.zeros(1, COMPLICATION_TABLES)
    return _tables(tuple(given.factors.get(label, 1.0) for label in COMPLICATIONS))  # type: ignore[call-overload]


@lru_cache(_KEPT)
def _tables(factors: tuple[float, ...]) -> Table:
    """Return one row of COMPLICATION_TABLES; `factors` multiply the probabilities, by kind.

    Raises
    ------
    ValueError
        If there are more rows of risks, or treatments of a complication, than the table has room for.
    """
    rows = [
        (COMPLICATIONS.index(row.complication), _mask(row.risks), _mask(row.without), row.probability)
        for row in catalogue.complication_risks()
    ]
    if len(rows) > COMPLICATION_RISKS:
        raise ValueError(f"complication_risks.csv: {len(rows)} rows; at most {COMPLICATION_RISKS}")
    rows.sort(key=lambda row: row[0])
    kinds = catalogue.complication_kinds()
    conditions = catalogue.conditions()
    thresholds = catalogue.thresholds()
    named = [0] * len(kinds)
    for kind, risks, _, _ in rows:
        named[kind] |= risks
    any_risk = 0
    for kind, risks in enumerate(named):
        any_risk |= risks if factors[kind] > 0.0 else 0
    return filled(
        COMPLICATION_TABLES,
        first=[sum(row[0] < kind for row in rows) for kind in range(len(kinds) + 1)],
        risks=[row[1] for row in rows],
        without=[row[2] for row in rows],
        chance=[min(1.0, row[3] * factors[row[0]]) for row in rows],
        named=named,
        any=[any_risk],
        from_transfusion=[kind.counts_from == "transfusion" for kind in kinds],
        earliest=[kind.earliest_hours * HOUR for kind in kinds],
        scale=[(kind.median_hours - kind.earliest_hours) * HOUR for kind in kinds],
        sigma=[_sigma(kind) for kind in kinds],
        stay=[kind.stay_days * DAY for kind in kinds],
        leaves=[kind.leaves_theatre for kind in kinds],
        treatments=[_treatments(kind) for kind in kinds],
        busy=[minutes * MINUTE for minutes in busy_minutes()],
        kills=[kind.kills * (factors[number] > 0.0) for number, kind in enumerate(kinds)],
        limbs=[[bool(kind.right_arm), bool(kind.right_leg)] for kind in kinds],
        of_condition=[
            _risks_of(condition, needs)
            for condition, needs in zip(conditions, catalogue.condition_needs(), strict=True)
        ],
        limb=[_limb(condition) for condition in conditions],
        massive_units=int(thresholds["massive_transfusion_units"]),
        tourniquet_time=thresholds["tourniquet_hours"] * HOUR,
        shock_share=thresholds["shock_life_share"],
    )


def _mask(risks: tuple[str, ...]) -> int:
    return sum(1 << RISKS.index(risk) for risk in risks)


def _sigma(kind: catalogue.ComplicationKind) -> float:
    """Return the standard deviation of the logarithm of the time from the earliest hour on."""
    spread = (kind.upper_hours - kind.earliest_hours) / (kind.median_hours - kind.earliest_hours)
    return interpreted.log(spread) / _NINE_TENTHS


def _treatments(kind: catalogue.ComplicationKind) -> list[int]:
    if len(kind.needs) > COMPLICATION_TREATMENTS:
        raise ValueError(f"{kind.complication} calls for {kind.needs}; at most {COMPLICATION_TREATMENTS}")
    given = [TREATMENTS.index(label) for label in kind.needs]
    return given + [NONE] * (COMPLICATION_TREATMENTS - len(given))


def busy_minutes() -> list[float]:
    """Return by complication for how many minutes its treatments keep the patient in the facility."""
    return [_busy_minutes(kind) for kind in catalogue.complication_kinds()]


def _busy_minutes(kind: catalogue.ComplicationKind) -> float:
    """Return the minutes that the treatments take, one after another; of those that run on the least."""
    known = catalogue.treatment_kinds()
    minutes = sum(known[label].minutes_mode for label in kind.needs if not known[label].until_end)
    return max(minutes, catalogue.thresholds()["complication_least_minutes"])


def _risks_of(condition: catalogue.Condition, needs: catalogue.Needs) -> int:
    """Return the mask of the risks that a wound or an accident brings.

    Some of them count only after an operation: `engine.clinical.complications` sees to it.
    """
    if condition.use not in ("wound", "nbi"):
        return 0
    code, operations = condition.code, set(needs.operations)
    limb = code.startswith((*_ARMS, *_LEGS))
    in_the_belly = bool({*needs.operations[:1]} & _IN_THE_BELLY)
    burned = 0.0 if condition.burn_share is None else condition.burn_share[0]
    found = {
        "open_wound": condition.opens != "",
        "open_fracture": condition.opens == "fracture" and limb,
        "long_bone_fracture": condition.fracture and code.startswith(_LONG_BONES),
        "pelvis_or_spine_fracture": condition.fracture and code.startswith(_PELVIS_AND_SPINE),
        "limb_at_risk": code.startswith((*_CRUSHES, *_LIMB_VESSELS))
        or (condition.fracture and code.startswith(_TIGHT_BONES)),
        "lower_limb_amputation": code.startswith(_LEG_AMPUTATIONS),
        "bowel_injury": in_the_belly and bool(operations & _BOWEL),
        "laparotomy": in_the_belly,
        "burn": condition.burn or condition.burn_share is not None,
        "burn_over_20": burned >= catalogue.thresholds()["large_burn_surface"],
        "chest_injury": condition.chest != "",
        "brain_injury": condition.brain in ("moderate", "severe"),
        "fasciotomy": "fasciotomy" in operations,
    }
    return _mask(tuple(risk for risk, holds in found.items() if holds))


def _limb(condition: catalogue.Condition) -> int:
    """Return the `Limb` of a condition."""
    if condition.side not in ("left", "right") or condition.use not in ("wound", "nbi"):
        return Limb.NO_LIMB
    left = condition.side == "left"
    if condition.code.startswith(_ARMS):
        return Limb.LEFT_ARM if left else Limb.RIGHT_ARM
    if condition.code.startswith(_LEGS):
        return Limb.LEFT_LEG if left else Limb.RIGHT_LEG
    return Limb.NO_LIMB

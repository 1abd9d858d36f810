"""Tilts: what an author's shares of triage, deaths and time to death change of the model (docs/model.md section 2.6.1).

A tilt belongs to a warfare type. The tilts are found with a fixed sample of casualties, so they depend on the scenario
alone. They are computed with + - * / and the functions of `engine.numeric`: they are the same on every machine.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import numeric
from engine.clinical import DRAWN, SAMPLE, draw_sample
from engine.codes import NONE
from engine.compile.injuries import condition_fields, severity_fields, wound_choice_fields, wound_fields
from engine.compile.rows import STANDARD, fill, triage_weights
from engine.compile.survival import HIGHEST_NISS, lethal_shares, lethality_fields, stay_fields
from engine.errors import ScenarioError
from engine.scenario import Scenario, has_tilts, incident_types
from engine.tables import MODEL, TYPES, Float64, Row, Table, dtype_of

SAMPLE_SIZE = 20_000
"""Casualties in the sample of a warfare type."""
SEVERITY_STEPS, LETHALITY_STEPS = 14, 40
"""Bisections."""
USUAL_SEVERITY, WIDEST_SEVERITY = 1.0, 3.0
"""The mean of Z is searched within these bounds around 0, first the narrow ones."""
WIDEST_LETHALITY = 40.0
"""Bounds of the tilt on lethality: on the logarithm of the odds of being lethal."""
TOLERANCE = 0.005
"""A share is met if it is reached within this distance."""


class TiltRow(Row):
    """The tilts of one warfare type."""

    severity: Float64  # mean of Z
    lethality: Float64  # added to the logarithm of the odds of being lethal
    life: Float64  # factor on the life
    surgical_ais2: Float64  # share of worst AIS 2 that needs surgery
    expectant_niss: Float64  # NISS above which a T1 is T4 under the expectant policy
    expectant_share: Float64  # share of those with this NISS who are


TILT = dtype_of(TiltRow)

Floats = NDArray[np.float64]

CategorySample = Callable[[float, float], tuple[NDArray[np.int64], NDArray[np.bool_], Floats]]
"""By a factor on the odds of being lethal and one on the life: true categories (1 to 3) of a sample, who of them dies
untreated, and their lives in minutes."""


class Shares(NamedTuple):
    """What a sample of the battle casualties of a warfare type shows."""

    triage: list[float]
    """Shares of T1 to T4 among the admitted who do not return to duty within 72 hours, in a MASCAL incident."""
    lethality: float
    """Share that dies untreated of those who are not killed at once."""
    untreated_minutes: float | None
    """Median minutes to death of these; None where there are none."""


def find_tilts(scenario: Scenario, model: Table) -> Table:
    """Return the tilts of a resolved scenario: rows of TILT by warfare type, shape (TYPES,).

    Parameters
    ----------
    model
        One row of MODEL with severity, wounds and survival compiled; its tables are changed.

    Raises
    ------
    ScenarioError
        If a share cannot be met; the message says what can be.
    """
    tilts = _no_tilts(model)
    if has_tilts(scenario):
        for name, row in type_rows(scenario).items():
            tilts[row] = _TypeTilts(scenario, model, name, row).find()
    return tilts


def apply_tilts(scenario: Scenario, model: Table, tilts: Table) -> None:
    """Change the tables of a model, one row of MODEL, by the tilts, rows of TILT by warfare type."""
    survival = model["survival"][0]
    model["injuries"]["severity"][0] = tilts["severity"]
    for row in np.flatnonzero(tilts["lethality"]):
        survival["lethal"][row] = lethal_shares(scenario, float(tilts["lethality"][row]))
    survival["minutes"] *= tilts["life"][:, None]
    survival["surgical_ais2"] = tilts["surgical_ais2"]
    survival["expectant"] = np.stack([tilts["expectant_niss"], tilts["expectant_share"]], axis=1)


def type_rows(scenario: Scenario) -> dict[str, int]:
    """Return the row of the tables by the name of each warfare type that occurs."""
    found = {name: row for row, name in enumerate(incident_types(scenario)[:-1])}
    return found if scenario.warfare else {STANDARD: TYPES - 1, **found}


def shares_of_type(model: Table, row: int) -> Shares:
    """Return what a fixed sample of the battle casualties of a warfare type shows, with the tables as they are."""
    return _shares(_draw(model, row), model["survival"][0], row)


def _no_tilts(model: Table) -> Table:
    """Return the tilts that change nothing."""
    survival = model["survival"][0]
    tilts = np.zeros(TYPES, TILT)
    tilts["severity"] = model["injuries"]["severity"][0]
    tilts["life"] = 1.0
    tilts["surgical_ais2"] = survival["surgical_ais2"]
    tilts["expectant_niss"], tilts["expectant_share"] = survival["expectant"].T
    return tilts


def _draw(model: Table, row: int, mechanism: int = NONE) -> Table:
    """Return the sample of a warfare type, and of one mechanism unless it is NONE; rows of DRAWN."""
    drawn = np.zeros(SAMPLE_SIZE, DRAWN)
    draw_sample(SAMPLE_SIZE, row, mechanism, numeric.key(0, 0, "tilt"), model, np.zeros(1, SAMPLE), drawn)
    return drawn


class _Groups(NamedTuple):
    """The casualties of a sample who are not killed at once; arrays of booleans except `minutes`."""

    admitted: NDArray[np.bool_]
    """They do not return to duty within 72 hours."""
    lethal: NDArray[np.bool_]
    immediate: NDArray[np.bool_]
    surgical: NDArray[np.bool_]
    """They are T2 whatever the share of worst AIS 2 that is."""
    doubtful: NDArray[np.bool_]
    """They are T2 or T3, as this share says."""
    minutes: Floats


def _groups(living: Table, survival: Any, row: int) -> _Groups:
    """Return the groups of those of a sample who live at first, as `true_triage` sees them."""
    niss, ais = living["niss"], living["worst_ais"]
    lethal = living["lethal"] < survival["lethal"][row][niss]
    lethal &= (ais >= survival["lethal_ais"]) & bool(survival["clock"][0])
    minutes = survival["minutes"][row][niss] * living["life"]
    returns = ~lethal & (living["soon"] == 1)
    immediate = (ais >= 4) | (lethal & (minutes <= survival["immediate_minutes"]))
    surgical = ~immediate & ((ais == 3) | lethal)
    return _Groups(~returns, lethal, immediate, surgical, ~immediate & ~surgical & (ais == 2), minutes)


def _living(drawn: Table) -> Table:
    """Return those of a sample who are not killed at once."""
    return drawn[drawn["killed"] == 0]


def _shares(drawn: Table, survival: Any, row: int) -> Shares:
    """Return what a sample shows.

    Where a uniform alone decides, as on T2 among the doubtful, the share is its expected value in the sample.
    """
    living = _living(drawn)
    groups = _groups(living, survival, row)
    immediate, certain, doubtful = _triage_shares(groups)
    urgent = certain + doubtful * float(survival["surgical_ais2"][row])
    edge, share = survival["expectant"][row]
    at_edge = int((groups.immediate & (living["niss"] == edge)).sum())
    above = int((groups.immediate & (living["niss"] > edge)).sum())
    expectant = (above + float(share) * at_edge) / max(1, int(groups.admitted.sum()))
    lethal = survival["lethal"][row][living["niss"]] * (living["worst_ais"] >= survival["lethal_ais"])
    lethal *= bool(survival["clock"][0])
    mortal = np.sort(groups.minutes[groups.lethal])
    return Shares(
        [immediate - expectant, urgent, 1.0 - immediate - urgent, expectant],
        math.fsum(lethal) / max(1, len(living)),
        float(mortal[len(mortal) // 2]) if len(mortal) else None,
    )


def living_by_category(model: Table, row: int, mechanism: int) -> CategorySample:
    """Return the function that gives categories and deaths of a fixed sample, without those killed at once."""
    living = _living(_draw(model, row, mechanism))
    survival = model["survival"][0].copy()
    own_lethal, own_minutes = survival["lethal"][row].copy(), survival["minutes"][row].copy()

    def found(odds: float, life: float) -> tuple[NDArray[np.int64], NDArray[np.bool_], Floats]:
        survival["lethal"][row] = own_lethal * odds / (1.0 - own_lethal + own_lethal * odds)
        survival["minutes"][row] = own_minutes * life
        groups = _groups(living, survival, row)
        second = groups.surgical | (groups.doubtful & (living["triage"] < survival["surgical_ais2"][row]))
        return np.where(groups.immediate, 1, np.where(second, 2, 3)), groups.lethal, groups.minutes

    return found


def _triage_shares(groups: _Groups) -> tuple[float, float, float]:
    """Return the shares of the admitted who are T1, who are T2 in any case, and who are T2 or T3."""
    admitted = max(1, int(groups.admitted.sum()))
    immediate, certain, doubtful = (
        int((group & groups.admitted).sum()) / admitted
        for group in (groups.immediate, groups.surgical, groups.doubtful)
    )
    return immediate, certain, doubtful


class _TypeTilts:
    """The search for the tilts of one warfare type."""

    def __init__(self, scenario: Scenario, model: Table, name: str, row: int) -> None:
        self.scenario, self.model, self.name, self.row = scenario, model, name, row
        self.survival = model["survival"][0]
        self.weights = triage_weights(scenario, "battle")
        written: Any = (scenario.triage or {}).get("battle") or {}
        self.expectant = written.get("T4") if scenario.expectant else None
        self.own_minutes = self.survival["minutes"][row].copy()
        self.lethality, self.life = 0.0, 1.0
        self.drawn = np.zeros(0, DRAWN)
        self.refusal: ScenarioError | None = None  # of the deaths, with the latest mean of Z

    def find(self) -> tuple[float, ...]:
        """Return one row of TILT. Raises ScenarioError."""
        severity = float(self.model["injuries"]["severity"][0, self.row])
        if self.weights is None:
            self._immediate_share(severity)
        else:
            severity = self._find_severity(self.weights[0])
        if self.refusal is not None:
            raise self.refusal
        surgical = float(self.survival["surgical_ais2"][self.row])
        if self.weights is not None:
            surgical = self._find_surgical_share(*self.weights[1:])
        self.survival["surgical_ais2"][self.row] = surgical
        edge, share = (float(value) for value in self.survival["expectant"][self.row])
        if self.expectant is not None:
            edge, share = self._find_expectant(self.expectant)
        return severity, self.lethality, self.life, surgical, edge, share

    def _immediate_share(self, severity: float) -> float:
        """Draw the sample with this mean of Z, tilt its deaths, and return its share of T1, T4 included."""
        self.model["injuries"]["severity"][0, self.row] = severity
        self.drawn = _draw(self.model, self.row)
        self.refusal = None
        own = self.scenario.survival
        if own.clock and own.lethality is not None:
            self._tilt_lethality(own.lethality)
        if own.clock and own.untreated_minutes is not None:
            self._tilt_life(own.untreated_minutes)
        return _triage_shares(_groups(_living(self.drawn), self.survival, self.row))[0]

    def _find_severity(self, wanted: float) -> float:
        """Return the mean of Z with which the share of T1 is the one wanted."""
        reached = 0.0
        for widest in (USUAL_SEVERITY, WIDEST_SEVERITY):
            low, high = -widest, widest
            for _ in range(SEVERITY_STEPS):
                middle = 0.5 * (low + high)
                reached = self._immediate_share(middle)
                if reached < wanted:
                    low = middle
                else:
                    high = middle
            if abs(reached - wanted) <= TOLERANCE:
                return middle
        lowest, highest = self._immediate_share(-WIDEST_SEVERITY), self._immediate_share(WIDEST_SEVERITY)
        label = "T1 and T4 together" if self.expectant else "T1"
        raise self._refused(f"{label} from {_share(lowest)} to {_share(highest)}")

    def _find_surgical_share(self, wanted: float, delayed: float) -> float:
        """Return the share of worst AIS 2 that needs surgery with which the share of T2 is the one wanted.

        The share of T3, `delayed`, follows. The share is the expected value, not a quantile of the sample's uniforms:
        these would only add their own error to that of the groups.
        """
        immediate, certain, doubtful = _triage_shares(_groups(_living(self.drawn), self.survival, self.row))
        surgical = min(1.0, max(0.0, (wanted - certain) / doubtful)) if doubtful else 0.0
        reached = certain + doubtful * surgical
        if max(abs(reached - wanted), abs(1.0 - immediate - reached - delayed)) > TOLERANCE:
            moved = "; survival.lethality and survival.untreated_minutes move these bounds"
            raise self._refused(
                f"with this share of T1 a T2 from {_share(certain)} to {_share(certain + doubtful)}"
                f"{moved if self.scenario.survival.clock else ''}"
            )
        return surgical

    def _find_expectant(self, wanted: float) -> tuple[float, float]:
        """Return the NISS above which a T1 is T4, and the share of those with this NISS who are."""
        living = _living(self.drawn)
        groups = _groups(living, self.survival, self.row)
        counts = np.bincount(living["niss"][groups.immediate & groups.admitted], minlength=HIGHEST_NISS + 1)
        left = wanted * max(1, int(groups.admitted.sum()))
        for niss in range(HIGHEST_NISS, -1, -1):
            if counts[niss] > left:
                return float(niss), left / int(counts[niss])
            left -= int(counts[niss])
        return -1.0, 0.0

    def _tilt_lethality(self, wanted: float) -> None:
        """Tilt the odds of being lethal so that this share dies untreated, and enter them in the model."""
        living = _living(self.drawn)
        able = living["niss"][living["worst_ais"] >= self.survival["lethal_ais"]]
        share = np.bincount(able, minlength=HIGHEST_NISS + 1) / max(1, len(living))
        low, high = -WIDEST_LETHALITY, WIDEST_LETHALITY
        middle, reached, probability = 0.0, 0.0, [0.0]
        for _ in range(LETHALITY_STEPS):
            middle = 0.5 * (low + high)
            probability = lethal_shares(self.scenario, middle)
            reached = sum(float(one) * of_niss for one, of_niss in zip(share, probability, strict=True))
            if reached < wanted:
                low = middle
            else:
                high = middle
        if abs(reached - wanted) > TOLERANCE:
            most = sum(float(one) for one, of_niss in zip(share, probability, strict=True) if of_niss > 0.0)
            raises = "survival.severity" if self.weights is None else "of T1 in triage.battle"
            self.refusal = ScenarioError(
                "survival.lethality",
                wanted,
                f"at most {_share(most)} for type {self.name}: the share of the wounded with a NISS that can be "
                f"lethal; more {raises} raises it",
            )
        self.lethality = middle
        self.survival["lethal"][self.row] = probability

    def _tilt_life(self, wanted: float) -> None:
        """Scale the lives of the lethal casualties so that their median is the one wanted, and enter them."""
        self.survival["minutes"][self.row] = self.own_minutes
        median = _shares(self.drawn, self.survival, self.row).untreated_minutes
        if median is None:
            if self.scenario.survival.lethality != 0:
                self.refusal = ScenarioError(
                    "survival.untreated_minutes",
                    wanted,
                    f"no value for type {self.name}: nobody dies untreated",
                )
            return
        self.life = wanted / median
        self.survival["minutes"][self.row] = self.own_minutes * self.life

    def _refused(self, reachable: str) -> ScenarioError:
        written = (self.scenario.triage or {})["battle"]
        shares = ", ".join(f"{name} {value:g}" for name, value in written.items())
        return ScenarioError('triage["battle"]', shares, f"for type {self.name} {reachable}")


def _share(share: float) -> str:
    """Return a share as text."""
    return f"{share:.3f}"


def tilts_of(scenario: Scenario) -> Table:
    """Return the tilts of a resolved scenario: rows of TILT by warfare type, shape (TYPES,).

    Only what the sample needs is compiled, from the fields of the kind `tilts` in `engine.precomputed.cache_keys`.

    Raises
    ------
    ScenarioError
        If a share cannot be met, as `find_tilts` does.
    """
    model = np.zeros(1, MODEL)
    fill(
        model["injuries"],
        **severity_fields(scenario),
        **wound_fields(scenario),
        **wound_choice_fields(scenario),
        **condition_fields(),
    )
    fill(model["survival"], **lethality_fields(scenario), **stay_fields(scenario))
    return find_tilts(scenario, model)

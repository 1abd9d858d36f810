"""Facts that hold for every record: a run as facts see it, and the registry of the facts."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from engine import scenario as scenario_api
from engine.codes import (
    AT_POI,
    EN_ROUTE,
    EVENTS,
    REGIONS,
    TREATMENTS,
)

MINUTE = 60_000
DAY = 86_400_000
EVENT = {name: k for k, name in enumerate(EVENTS)}
TREATMENT = {name: k for k, name in enumerate(TREATMENTS)}
REGION = {name: k for k, name in enumerate(REGIONS)}
BEGINNINGS = ("injured", "fell_ill", "exposed")
ENDINGS = {
    "returned_to_duty": ("rtd",),
    "died": ("kia", "dow", "died_nonbattle"),
    "left_theatre": ("evacuated",),
    "discharged": ("discharged",),
    "in_care_at_horizon": ("in_care",),
}
ROLES = ("role1", "role2", "role3", "role4")
NEVER = np.iinfo(np.int64).max
LIMBS = ("upper_limb", "lower_limb")
TREATED_REGIONS = {
    "tourniquet": LIMBS,
    "haemostatic_dressing": ("face", "neck", "thorax", "abdomen", *LIMBS),
    "airway_adjunct": ("face", "neck"),
    "needle_decompression": ("thorax",),
    "chest_drain": ("thorax",),
    "splint": ("neck", *LIMBS),  # the brachial plexus
    "laparotomy": ("abdomen", "thorax"),  # the diaphragm
    "thoracotomy": ("thorax",),
    "craniotomy": ("head", "eyes"),  # through the orbit
    "neck_exploration": ("neck",),
    "vascular_repair": ("neck", "thorax", "abdomen", *LIMBS),
    "external_fixation": ("abdomen", *LIMBS),  # the pelvis
    "fasciotomy": LIMBS,
    "vascular_shunt": ("neck", "thorax", "abdomen", *LIMBS),
    "closed_reduction": ("face", *LIMBS),
    "eye_shield": ("eyes",),
    "ear_care": ("ears",),
    "splenectomy": ("abdomen",),
    "bowel_resection": ("abdomen",),
    "colostomy": ("abdomen",),
    "maxillofacial_surgery": ("face",),
    "amputation": LIMBS,
    "eye_repair": ("eyes",),
    "surgical_airway": ("face", "neck"),
}
"""By treatment: the regions of the wounds that it may name."""


class Run:
    """The tables `p`, `e`, `t`, `w`, `v` of one replication, and values that several facts use."""

    def __init__(self, result: Any) -> None:
        self.scenario: scenario_api.Scenario = result.scenario
        self.p, self.e, self.t = result.patients, result.events, result.treatments
        self.w, self.v = result.wounds, result.vitals
        self.clock = self.scenario.routing == "clock"
        self.n = len(self.p)

    @cached_property
    def first(self) -> Any:
        """Row of each patient's first event."""
        return np.concatenate([[0], self.p["event_end"][:-1]]).astype(np.int64)

    @cached_property
    def last(self) -> Any:
        """Row of each patient's last event."""
        return self.p["event_end"].astype(np.int64) - 1

    @cached_property
    def wounds(self) -> Any:
        """Number of wounds of each patient."""
        return np.diff(self.p["wound_end"].astype(np.int64), prepend=0)

    @cached_property
    def worst(self) -> Any:
        """Row of each wounded patient's first wound; meaningless for the others."""
        return self.p["wound_end"].astype(np.int64) - self.wounds

    def events(self, *names: str) -> Any:
        """The events of these kinds."""
        return self.e[np.isin(self.e["kind"], [EVENT[name] for name in names])]

    def counts(self, *names: str) -> Any:
        """Events of these kinds by patient."""
        return np.bincount(self.events(*names)["patient"], minlength=self.n)

    def earliest(self, *names: str) -> Any:
        """Time of the first event of these kinds by patient, -1 where there is none."""
        return first_times(self.events(*names), self.n)

    @cached_property
    def roles(self) -> Any:
        """Role by facility; 0 for the point of injury and the way."""
        return np.array([*(f.role for f in self.scenario.facilities), 0, 0])

    @cached_property
    def finite(self) -> Any:
        """Whether a resource is limited, by facility and the first five of AWAITED."""
        names = ("triage_teams", "treatment_bays", "operating_tables", "icu_beds", "ward_beds")
        return np.array([[getattr(f, name) is not None for name in names] for f in self.scenario.facilities])

    @cached_property
    def before(self) -> Any:
        """By event: the row of the move (departure, arrival, staging) before it, -1 before the first departure."""
        moves = np.isin(self.e["kind"], [EVENT["departed"], EVENT["arrived"], EVENT["staged"]])
        rows = np.arange(len(self.e))
        found = np.maximum.accumulate(np.where(moves, rows, -1))
        found = np.concatenate([[-1], found[:-1]])
        return np.where(found < self.first[self.e["patient"]], -1, found)

    @cached_property
    def whereabouts(self) -> Any:
        """By event: the place of the patient until then, derived from the moves alone."""
        move = self.e[self.before]
        place = np.where(move["kind"] == EVENT["departed"], EN_ROUTE, move["facility"])
        return np.where(self.before < 0, AT_POI, place)

    def stay(self, rows: Any) -> tuple[Any, Any]:
        """Arrival and end of the stay of each row's patient at the row's facility (NEVER where there was none)."""
        count = len(self.scenario.facilities)
        came = np.full(self.n * count, NEVER)
        went = np.full(self.n * count, -1)
        arrived, departed = self.events("arrived"), self.events("departed")
        departed = departed[departed["facility"] >= 0]
        place = arrived["patient"].astype(np.int64) * count + arrived["facility"]
        assert len(np.unique(place)) == len(place), "a facility is visited twice"
        came[place] = arrived["at"]
        went[place] = self.p["closed"][arrived["patient"]]
        went[departed["patient"].astype(np.int64) * count + departed["facility"]] = departed["at"]
        place = rows["patient"].astype(np.int64) * count + rows["facility"]
        return came[place], went[place]


def first_times(rows: Any, n: int) -> Any:
    """Earliest `at` by patient of rows of events, -1 without any."""
    times = np.full(n, NEVER)
    np.minimum.at(times, rows["patient"], rows["at"])
    return np.where(times == NEVER, -1, times)


FACTS: dict[str, Callable[[Run], None]] = {}


def fact(check: Callable[[Run], None]) -> Callable[[Run], None]:
    """Registers a fact that holds for every run."""
    FACTS[check.__name__] = check
    return check


def is_one_of(codes: Any, names: tuple[str, ...], *wanted: str) -> Any:
    return np.isin(codes, [names.index(name) for name in wanted])

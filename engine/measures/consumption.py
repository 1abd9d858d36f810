"""What care consumes by place and day: blood, oxygen, fluids, antibiotics, dressings and litters.

Quantities of each treatment are in `scenarios/data/model/consumption.toml`. A stay or an operation that lasts over
midnight counts on each of its days.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.codes import EN_ROUTE, TREATMENTS, Event, TriageCategory
from engine.measures.counted import DAY
from engine.numeric import compiled, compiled_entry
from engine.scenario import Scenario, model_constants
from engine.tables import EVENT, PATIENT, TREATMENT, Chunk, EventRow, Ints, PatientRow, Table, TreatmentRow
from scenarios.tables import model_parameters

LAST_DAY = 1_000
"""Days that are counted one by one. What is consumed after them counts in the row after the last."""

CONSUMPTION = np.dtype(
    [
        ("day", "i4"),  # from 0; LAST_DAY: all later days together
        ("facility", "i2"),  # index of scenario.facilities, AT_POI or EN_ROUTE
        ("item", "u1"),  # index of ITEMS
        ("quantity", "f8"),
    ],
    align=True,
)
"""One row of the table `consumption`. Rows with a quantity of 0 are left out."""

ITEMS: dict[str, str] = model_parameters("consumption")["items"]
"""The items that are counted, each with its unit."""

PARTS = 10_000
"""Quantities are counted in whole parts of a unit, so that they add up exactly."""

_HOUR = 3_600_000
_LITTERS = tuple(ITEMS).index("litters")
_BLOOD = tuple(ITEMS).index("blood")
_FIRST_DAYS = 64


@compiled
def _add_treatment(treatment: TreatmentRow, each: Ints, hourly: Ints, blood: int, amounts: Ints) -> None:
    """Add what a treatment consumes, its units of blood among it."""
    place = treatment.facility - EN_ROUTE
    last = len(amounts) - 1
    amounts[min(treatment.start // DAY, last), place, blood] += treatment.units * PARTS
    for item in range(each.shape[1]):
        if each[treatment.kind, item]:
            amounts[min(treatment.start // DAY, last), place, item] += each[treatment.kind, item]
        rate = hourly[treatment.kind, item]
        if rate == 0:
            continue
        since = treatment.start
        counted = 0
        while since < treatment.end:
            until = min((since // DAY + 1) * DAY, treatment.end)
            total = rate * (until - treatment.start) // _HOUR
            amounts[min(since // DAY, last), place, item] += total - counted
            counted = total
            since = until


@compiled_entry(PATIENT, EVENT, TREATMENT, ("i8", 2), ("i8", 2), int, int, int, ("i8", 3))
def count_consumption(
    patients: Table,
    events: Table,
    treatments: Table,
    each: Ints,
    hourly: Ints,
    blood: int,
    litters: int,
    departure: int,
    amounts: Ints,
) -> None:
    """Count what the patients of a chunk consume.

    Parameters
    ----------
    patients, events, treatments
        Tables of the chunk.
    each, hourly
        Parts consumed by one treatment, and by an hour of it: by `Treatment` and item.
    blood
        The item that units of blood are counted as.
    litters, departure
        The item of which a patient who needs a litter takes `departure` parts along when leaving a place.
    amounts
        Parts by day, facility - EN_ROUTE and item. The last day also has what comes later.
    """
    last = len(amounts) - 1
    for k in range(len(treatments)):
        treatment: TreatmentRow = treatments[k]
        _add_treatment(treatment, each, hourly, blood, amounts)
    for k in range(len(events)):
        event: EventRow = events[k]
        if event.kind == Event.DEPARTED:
            patient: PatientRow = patients[event.patient]
            if patient.triage != TriageCategory.T3:
                amounts[min(event.at // DAY, last), event.facility - EN_ROUTE, litters] += departure


class ConsumptionRates(NamedTuple):
    """What care consumes in a scenario, besides blood."""

    each: NDArray[np.int64]
    """Parts that one treatment consumes, by `Treatment` and item."""
    hourly: NDArray[np.int64]
    """Parts that an hour of a treatment consumes, by `Treatment` and item."""
    departure: int
    """Parts of a litter that a patient who needs one takes along."""


def consumption_rates(scenario: Scenario) -> ConsumptionRates:
    """Return what care consumes in a resolved scenario."""
    each, hourly = _quantities(scenario)
    departure = model_constants(scenario, "consumption")["litters"]["departure"]
    return ConsumptionRates(each, hourly, _parts(departure))


class Consumption:
    """What the patients of one scenario consume.

    Parameters
    ----------
    scenario
        The resolved scenario.
    rates
        Its `consumption_rates`, if they are known; None: they are found here.
    """

    def __init__(self, scenario: Scenario, rates: ConsumptionRates | None = None) -> None:
        self._places = ["en route", "POI", *(facility.id for facility in scenario.facilities)]
        self._rates = consumption_rates(scenario) if rates is None else rates
        self._days = 0
        self._amounts = np.zeros((_FIRST_DAYS, len(self._places), len(ITEMS)), np.int64)

    @property
    def amounts(self) -> NDArray[np.int64]:
        """Parts by day, facility - EN_ROUTE and item, for as many days as were needed; at most LAST_DAY + 1."""
        return self._amounts[: self._days]

    def add(self, chunk: Chunk) -> None:
        """Count what the patients of a chunk consume."""
        latest = max(int(chunk.treatments["end"].max(initial=-1)), int(chunk.events["at"].max(initial=-1)))
        self._extend_days(min(latest // DAY, LAST_DAY) + 1)
        if not self._days:
            return
        count_consumption(
            chunk.patients,
            chunk.events,
            chunk.treatments,
            self._rates.each,
            self._rates.hourly,
            _BLOOD,
            _LITTERS,
            self._rates.departure,
            self.amounts,
        )

    def merge(self, other: "Consumption") -> None:
        """Add what other patients of the same scenario consume."""
        self._extend_days(len(other.amounts))
        self._amounts[: len(other.amounts)] += other.amounts

    def rows(self) -> NDArray[np.void]:
        """Return what was consumed, dtype CONSUMPTION, sorted by day, place and item."""
        day, place, item = np.nonzero(self.amounts)
        found = np.zeros(len(day), CONSUMPTION)
        found["day"], found["facility"], found["item"] = day, place + EN_ROUTE, item
        found["quantity"] = self.amounts[day, place, item] / PARTS
        return found

    def summary(self) -> dict[str, Any]:
        """Return by item: unit, total, what each place consumed, and what all consumed on each day."""
        last = self.amounts[LAST_DAY:].sum(axis=0)
        found = {}
        for k, (item, unit) in enumerate(ITEMS.items()):
            by_place = self.amounts[:, :, k].sum(axis=0)
            found[item] = {
                "unit": unit,
                "total": _units(int(by_place.sum())),
                "by_place": {
                    place: _units(n) for place, n in zip(self._places, by_place.tolist(), strict=True) if n
                },
                "by_day": [_units(n) for n in self.amounts[:LAST_DAY, :, k].sum(axis=1).tolist()],
                **({"later": _units(int(last[:, k].sum()))} if last[:, k].any() else {}),
            }
        return found

    def _extend_days(self, days: int) -> None:
        """Extend the amounts to at least so many days, with room for more."""
        self._days = max(self._days, days)
        missing = days - len(self._amounts)
        if missing > 0:
            more = min(max(missing, len(self._amounts)), LAST_DAY + 1 - len(self._amounts))
            self._amounts = np.pad(self._amounts, ((0, more), (0, 0), (0, 0)))


def _quantities(scenario: Scenario) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the parts that one treatment and an hour of it consume besides blood, by `Treatment` and item."""
    each, hourly = np.zeros((2, len(TREATMENTS), len(ITEMS)), np.int64)
    items = tuple(ITEMS)
    parameters = model_constants(scenario, "consumption")
    for table in ("first_aid", "care", "surgery", "stays"):
        for name, consumed in parameters[table].items():
            if name in ("source", "confidence"):
                continue
            for parts, given in ((each, consumed.get("each", {})), (hourly, consumed.get("hour", {}))):
                for item, quantity in given.items():
                    parts[TREATMENTS.index(name), items.index(item)] = _parts(quantity)
    return each, hourly


def _parts(quantity: float) -> int:
    return round(quantity * PARTS)


def _units(parts: int) -> float:
    return round(parts / PARTS, 4)

"""The words behind the codes of a chunk: string tables of a scenario and of the catalogues, loaded when first used."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import tables
from engine.codes import EN_ROUTE, ISS_REGIONS, NONE, REGIONS, SEXES
from engine.scenario import incident_types, special_event_types
from scenarios import catalogue

Codes = NDArray[np.integer[Any]]
Milliseconds = NDArray[np.int64]

DAY_SECONDS = 86_400

AGENT_SEVERITIES = ("mild", "moderate", "severe", "very_severe")
"""Severity of agent casualties (MODEL section 9), the words behind `PATIENT.severity`."""

_INSTANT = np.dtype([("date", "S10"), ("clock", "S10")])


class Pool:
    """The texts of several groups (nations, fronts, ...) in one list.

    Columns hold indices within a group; `codes` turns (group, index) into indices of `values`. A group is loaded
    by `load(group)` when it first occurs, so that a scenario with one nation never reads the names of forty.
    """

    def __init__(self, groups: int, load: Callable[[int], Sequence[str]]) -> None:
        self.values: list[str] = []
        self._load = load
        self._offsets = np.full(groups, -1, np.int64)

    def prepare(self, groups: Codes) -> None:
        """Load the groups that occur in `groups` and are not there yet."""
        if self._offsets.take(groups).min(initial=0) < 0:
            for group in sorted(set(groups.tolist())):
                if self._offsets[group] < 0:
                    self._offsets[group] = len(self.values)
                    self.values.extend(self._load(group))

    def codes(self, groups: Codes, index: Codes) -> Codes:
        """Indices of `values`, shape of `groups`."""
        self.prepare(groups)
        return self._offsets.take(groups) + index


class CodedText(NamedTuple):
    """A diagnosis or a cause: what a record says of it."""

    code: str
    display: str


class TextSource:
    """The functions of `scenarios.catalogue` that a lexicon needs, with texts that were made before.

    `made` has the values of some of `precomputed.cache_keys.WORDS`, by kind; what is missing comes from the
    catalogue's files.
    """

    def __init__(self, made: Mapping[str, Any]) -> None:
        self._names = {code: catalogue.Names(**fields) for code, fields in made.get("names", {}).items()}
        self._diagnoses = made.get("diagnoses")

    def names(self, code: str) -> catalogue.Names:
        """The names of a nation."""
        return self._names.get(code) or catalogue.names(code)

    def conditions(self) -> Sequence[CodedText | catalogue.Condition]:
        """All diagnoses."""
        return catalogue.conditions() if self._diagnoses is None else self._diagnoses[0]

    def external_causes(self) -> Sequence[CodedText | catalogue.Cause]:
        """All external causes of injury."""
        return catalogue.external_causes() if self._diagnoses is None else self._diagnoses[1]

    nations = staticmethod(catalogue.nations)
    blood_groups = staticmethod(catalogue.blood_groups)
    units = staticmethod(catalogue.units)


class CodeTables:
    """String tables of one resolved scenario (`engine.scenario.Scenario`); cheap to make, filled on use.

    `catalogue` has the functions of `scenarios.catalogue`, which is the default.
    """

    def __init__(self, scenario: Any, catalogue: Any = catalogue) -> None:
        self.start_ms = _epoch_ms(scenario.start)
        self.fronts: list[str] = [front.name for front in scenario.fronts]
        self.incident_types: list[str] = incident_types(scenario)
        last = len(self.incident_types) - 1
        self._special_types = np.array([*special_event_types(scenario), last], np.int64)
        self.special_events: list[str | None] = [*(special.event for special in scenario.events), None]
        self.facilities: list[str] = ["en route", "POI", *(facility.id for facility in scenario.facilities)]
        self.facility_names: list[str | None] = [
            None,
            None,
            *(facility.name if facility.name != facility.id else None for facility in scenario.facilities),
        ]
        self.roles: list[int | None] = [None, None, *(facility.role for facility in scenario.facilities)]
        self.nations: list[str] = [nation.code for nation in catalogue.nations()]
        self.blood_groups: list[str] = [group.name for group in catalogue.blood_groups()]

        conditions = catalogue.conditions()
        self.condition_codes: list[str] = [condition.code for condition in conditions]
        self.condition_displays: list[str] = [condition.display for condition in conditions]
        causes = catalogue.external_causes()
        self.cause_codes: list[str | None] = [*(cause.code for cause in causes), None]
        self.cause_displays: list[str | None] = [*(cause.display for cause in causes), None]

        def names(part: str) -> Pool:
            """Groups are 2 * nation + sex."""
            return Pool(
                2 * len(self.nations),
                lambda group: getattr(
                    catalogue.names(self.nations[group // 2]), f"{SEXES[group % 2]}_{part}"
                ),
            )

        self.given_names = names("given")
        self.family_names = names("family")
        nations = catalogue.nations()
        self.ranks = Pool(len(nations), lambda group: [rank.name for rank in nations[group].ranks])
        self.nato_ranks = Pool(len(nations), lambda group: [rank.nato_code for rank in nations[group].ranks])
        self.units = Pool(len(self.fronts), lambda group: catalogue.units(self.fronts[group]))

        self.kept: dict[str, Any] = {}  # what formats derive from the tables, by format

        self._dates: NDArray[np.bytes_] = np.empty(0, "S10")
        self._first_day = 0
        self._clocks: NDArray[np.bytes_] | None = None

    def incident_type_codes(self, patients: tables.Table) -> Codes:
        """Indices of `incident_types`: the event's type in a special event, else the warfare type."""
        special = patients["special"] != NONE
        own = self._special_types[optional_codes(patients["special"], len(self._special_types) - 1)]
        return np.where(special, own, optional_codes(patients["type"], len(self.incident_types) - 1))

    def seconds(self, times: Milliseconds) -> NDArray[np.int64]:
        """Seconds since 1970 of `times` (ms from the scenario's start), rounded down."""
        result: NDArray[np.int64] = (times + self.start_ms) // 1000
        return result

    def dates(self, days: Codes) -> NDArray[np.bytes_]:
        """'2030-01-01' of days since 1970, dtype S10."""
        if len(days) == 0:
            return np.empty(0, "S10")
        low, high = int(days.min()), int(days.max())
        first, last = self._first_day, self._first_day + len(self._dates)
        if not first <= low <= high < last:
            if len(self._dates):
                low, high = min(low, first), max(high, last - 1)
            low, high = low - 400, high + 400
            span = np.arange(low, high + 1).astype("datetime64[D]")
            self._dates = np.datetime_as_string(span).astype("S10")
            self._first_day = low
        return self._dates.take(days - self._first_day)

    def clocks(self, seconds: Codes) -> NDArray[np.bytes_]:
        """'T12:00:00Z' of seconds since midnight, dtype S10."""
        if self._clocks is None:
            second = np.arange(DAY_SECONDS)
            digits = np.empty((DAY_SECONDS, 10), np.uint8)
            digits[:] = np.frombuffer(b"T00:00:00Z", np.uint8)
            for place, value in ((1, second // 3600), (4, second // 60 % 60), (7, second % 60)):
                digits[:, place] += (value // 10).astype(np.uint8)
                digits[:, place + 1] += (value % 10).astype(np.uint8)
            self._clocks = digits.view("S10").reshape(-1)
        return self._clocks.take(seconds)

    def instants(self, times: Milliseconds) -> NDArray[np.bytes_]:
        """ISO 8601 UTC texts of `times` (ms from the start), dtype S20; -1 is not treated specially."""
        seconds = self.seconds(times)
        days = seconds // DAY_SECONDS
        out = np.empty(len(times), _INSTANT)
        out["date"] = self.dates(days)
        out["clock"] = self.clocks(seconds - days * DAY_SECONDS)
        return out.view("S20")


def uuids(patients: tables.Table) -> NDArray[np.bytes_]:
    """The ids of `patients` as UUID texts, dtype S36."""
    words = np.empty((len(patients), 2), ">u8")
    words[:, 0] = patients["id_hi"]
    words[:, 1] = patients["id_lo"]
    digits = _HEX.take(words.view(np.uint8)).view(np.uint8)
    out = np.full((len(patients), 36), ord("-"), np.uint8)
    at = source = 0
    for width in (8, 4, 4, 4, 12):
        out[:, at : at + width] = digits[:, source : source + width]
        at += width + 1
        source += width
    return out.view("S36").reshape(-1)


def hexadecimal(words: NDArray[np.uint64]) -> NDArray[np.bytes_]:
    """64-bit words as 16 hexadecimal digits, dtype S16."""
    octets = np.ascontiguousarray(words.astype(">u8")).view(np.uint8)
    return _HEX.take(octets).view("S16")


def service_numbers(numbers: NDArray[np.uint32]) -> NDArray[np.bytes_]:
    """Service numbers (below 100,000,000) as eight digits with leading zeros, dtype S8."""
    wide = numbers.astype(np.int64)
    out = np.empty((len(numbers), 2), "S4")
    out[:, 0] = _FOUR_DIGITS.take(wide // 10_000)
    out[:, 1] = _FOUR_DIGITS.take(wide % 10_000)
    return out.view("S8").reshape(-1)


_HEX = np.array([f"{value:02x}" for value in range(256)], "S2")
_FOUR_DIGITS = np.array([f"{value:04d}" for value in range(10_000)], "S4")

_ISS_REGION = np.array([0, 1, 1, 1, 0, 2, 3, 4, 4], np.uint8)
"""ISS_REGIONS code of each of REGIONS, skin wounds apart."""

_EXTERNAL = ISS_REGIONS.index("external")
_SKIN = np.array([region not in ("eyes", "ears", "face") for region in REGIONS])


def iss_regions(wounds: tables.Table) -> NDArray[np.uint8]:
    """ISS_REGIONS code of each wound: AIS 1 outside the face is a skin wound, so 'external' (MODEL section 3)."""
    region = wounds["region"]
    skin = (wounds["ais"] == 1) & _SKIN.take(region)
    return np.where(skin, np.uint8(_EXTERNAL), _ISS_REGION.take(region))


def iss_region(region: int, ais: int) -> int:
    """`iss_regions` of a single wound."""
    return _EXTERNAL if ais == 1 and _SKIN[region] else int(_ISS_REGION[region])


def facility_codes(facility: Codes) -> Codes:
    """Indices of `Lexicon.facilities` and `.roles`: EN_ROUTE is 0, AT_POI 1, then the scenario's facilities."""
    return facility.astype(np.int64) - EN_ROUTE


def optional_codes(codes: Codes, length: int) -> Codes:
    """`codes` with every 'none of them' (255 or 65535) mapped to `length`, the place of the table's last entry."""
    return np.minimum(codes.astype(np.int64), length)


def _epoch_ms(start: str) -> int:
    moment = datetime.fromisoformat(start)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)

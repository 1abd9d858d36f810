"""The texts behind the codes of a chunk: tables of a scenario and of the catalogues, each loaded on first use."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from engine.codes import ISS_REGIONS, NONE, REGIONS, SEXES
from engine.errors import RunError
from engine.records.operations import FIRST_DAY, LAST_DAY
from engine.scenario import incident_types, listed_units, special_event_types
from engine.tables import Table
from scenarios import catalogue
from scenarios.catalogue import is_afloat

Codes = NDArray[np.integer[Any]]
Milliseconds = NDArray[np.int64]

DAY_SECONDS = 86_400

AGENT_SEVERITIES = ("mild", "moderate", "severe", "very_severe")
"""Labels of `PatientRow.severity`, the severity of agent casualties (docs/model.md section 2.4.4)."""

AGENTS: tuple[str, ...] = get_args(catalogue.Agent)
"""Labels of `PatientRow.agent`."""

_DATE_MARGIN_DAYS = 400
"""Days by which the table of dates is extended beyond the dates that were asked for."""

_MOST_DATES = 100_000
"""Days that the table of dates may span. Dates farther apart are made without it."""

_INSTANT = np.dtype([("date", "S10"), ("clock", "S10")])


class GroupedTexts:
    """The texts of several groups, such as nations or fronts, in one list.

    Columns hold indices within a group. `codes` converts (group, index) to an index of `texts`. A group is loaded when
    it first occurs, so that a scenario with one nation never reads the names of forty.

    >>> names = GroupedTexts(2, lambda group: [("Anna", "Eva"), ("Jan",)][group])
    >>> names.codes(np.array([1, 0, 0]), np.array([0, 0, 1])).tolist()
    [2, 0, 1]
    >>> names.texts
    ['Anna', 'Eva', 'Jan']

    Parameters
    ----------
    groups
        Number of groups.
    load
        Returns the texts of a group.
    """

    def __init__(self, groups: int, load: Callable[[int], Sequence[str]]) -> None:
        self.texts: list[str] = []
        self._load = load
        self._offsets = np.full(groups, -1, np.int64)
        self._ends = np.zeros(groups, np.int64)

    def load_groups(self, groups: Codes) -> None:
        """Load those of `groups` that have not been loaded."""
        if self._offsets.take(groups).min(initial=0) < 0:
            for group in sorted(set(groups.tolist())):
                if self._offsets[group] < 0:
                    self._offsets[group] = len(self.texts)
                    self.texts.extend(self._load(group))
                    self._ends[group] = len(self.texts)

    def codes(self, groups: Codes, index: Codes) -> Codes:
        """Return indices of `texts` for arrays of groups and of indices within them, both of the same shape.

        An unknown group, and an index that its group does not have, give -1, which no text has.
        """
        if int(groups.max(initial=0)) >= len(self._ends):
            known = groups < len(self._ends)
            return np.where(known, self.codes(np.where(known, groups, 0), index), -1)
        offsets = self._offsets.take(groups)
        if offsets.min(initial=0) < 0:
            self.load_groups(groups)
            offsets = self._offsets.take(groups)
        codes: Codes = offsets + index
        unknown = codes >= self._ends.take(groups)
        if unknown.any():
            codes[unknown] = -1
        return codes


class CodedText(NamedTuple):
    """The code and the text of a diagnosis or of an external cause."""

    code: str
    display: str


class TextSource:
    """The functions of `scenarios.catalogue` that `CodeTables` needs, with precomputed texts where there are any.

    Parameters
    ----------
    precomputed
        Values of some of `engine.precomputed.TEXT_KINDS`, by kind. The others are read from the catalogue's files.
    """

    def __init__(self, precomputed: Mapping[str, Any]) -> None:
        self._names = {
            code: catalogue.Names(**fields) for code, fields in precomputed.get("names", {}).items()
        }
        self._diagnoses = precomputed.get("diagnoses")

    def names(self, code: str) -> catalogue.Names:
        """Return the names of the nation with this ISO 3166-1 alpha-3 code."""
        return self._names.get(code) or catalogue.names(code)

    def conditions(self) -> Sequence[CodedText | catalogue.Condition]:
        """Return all diagnoses."""
        return catalogue.conditions() if self._diagnoses is None else self._diagnoses[0]

    def external_causes(self) -> Sequence[CodedText | catalogue.Cause]:
        """Return all external causes of injury."""
        return catalogue.external_causes() if self._diagnoses is None else self._diagnoses[1]

    nations = staticmethod(catalogue.nations)
    blood_groups = staticmethod(catalogue.blood_groups)
    units = staticmethod(catalogue.units)
    complication_texts = staticmethod(catalogue.complication_texts)


class CodeTables:
    """The texts of one scenario by code. An instance is cheap to create; names and ranks are loaded on use.

    Parameters
    ----------
    scenario
        A resolved `engine.scenario.Scenario`.
    catalogue
        An object with the functions of `scenarios.catalogue`, such as a `TextSource`.
    """

    def __init__(self, scenario: Any, catalogue: Any = catalogue) -> None:
        self.start_ms = _epoch_ms(scenario.start)
        self.full: bool = scenario.detail == "full"
        """Whether records have all fields."""
        self._load_scenario(scenario)
        self._load_catalogue(catalogue)
        self._reusable: dict[Any, Any] = {}

        self._dates: NDArray[np.bytes_] = np.empty(0, "S10")
        self._first_day = 0
        self._clocks: NDArray[np.bytes_] | None = None

    def reusable(self, key: Any, create: "Callable[[CodeTables], Any]") -> Any:
        """Return an object that is derived from these tables. It is created once and reused from chunk to chunk."""
        if key not in self._reusable:
            self._reusable[key] = create(self)
        return self._reusable[key]

    def _load_scenario(self, scenario: Any) -> None:
        """Set the texts that the scenario gives: fronts, incident types, special events and facilities."""
        self.scenario = scenario
        self.fronts: list[str] = [front.name for front in scenario.fronts]
        self.incident_types: list[str] = incident_types(scenario)
        last = len(self.incident_types) - 1
        self._special_types = np.array([*special_event_types(scenario), last], np.int64)
        self.special_events: list[str | None] = [*(special.event for special in scenario.events), None]
        self.facilities: list[str] = ["en route", "POI", *(facility.id for facility in scenario.facilities)]
        self.destinations: list[str | None] = [None, *self.facilities]
        self.facility_names: list[str | None] = [
            None,
            None,
            *(facility.name if facility.name != facility.id else None for facility in scenario.facilities),
        ]
        self.roles: list[int | None] = [None, None, *(facility.role for facility in scenario.facilities)]

    def _load_catalogue(self, catalogue: Any) -> None:
        """Set the texts that the catalogue gives: diagnoses, causes, names, ranks and units."""
        nations = catalogue.nations()
        self.nations: list[str] = [nation.code for nation in nations]
        self.blood_groups: list[str] = [group.name for group in catalogue.blood_groups()]

        conditions = catalogue.conditions()
        self.condition_codes: list[str] = [condition.code for condition in conditions]
        self.condition_displays: list[str] = [condition.display for condition in conditions]
        self.further_codes: list[str | None] = [*self.condition_codes, None]
        complications = catalogue.complication_texts()
        self.complication_codes: list[str] = [complication.code for complication in complications]
        self.complication_displays: list[str] = [complication.display for complication in complications]
        causes = catalogue.external_causes()
        self.cause_codes: list[str | None] = [*(cause.code for cause in causes), None]
        self.cause_displays: list[str | None] = [*(cause.display for cause in causes), None]

        def names(part: str) -> GroupedTexts:
            """Return the given or family names in groups 2 * nation + sex."""
            return GroupedTexts(
                len(SEXES) * len(self.nations),
                lambda group: getattr(
                    catalogue.names(self.nations[group // len(SEXES)]), f"{SEXES[group % len(SEXES)]}_{part}"
                ),
            )

        self.given_names = names("given")
        self.family_names = names("family")
        self.afloat: NDArray[np.int64] = np.array([is_afloat(front) for front in self.fronts], np.int64)
        """By front, 1 where its people have naval ranks."""

        def ranks(group: int) -> list[str]:
            """Return the names of the ranks in groups 2 * nation + whether afloat."""
            found = nations[group // 2].ranks
            return [rank.naval if group % 2 else rank.name for rank in found]

        self.ranks = GroupedTexts(2 * len(nations), ranks)
        self.nato_ranks = GroupedTexts(
            len(nations), lambda group: [rank.nato_code for rank in nations[group].ranks]
        )

        def units(group: int) -> list[str]:
            known = catalogue.units(self.fronts[group])
            return [*known, *listed_units(self.scenario, self.fronts[group], known)]

        self.units = GroupedTexts(len(self.fronts), units)

    def incident_type_codes(self, patients: Table) -> Codes:
        """Return indices of `incident_types`: in a special event the event's type, else the warfare type."""
        special = patients["special"] != NONE
        own = self._special_types[optional_codes(patients["special"], len(self._special_types) - 1)]
        return np.where(special, own, optional_codes(patients["type"], len(self.incident_types) - 1))

    def seconds(self, times: Milliseconds) -> NDArray[np.int64]:
        """Convert `times` (ms from the scenario's start) to seconds since 1970, rounded down.

        Raises
        ------
        RunError
            If a time is before the year 0 or after the year 9999, as in `dates`.
        """
        result: NDArray[np.int64] = (times + self.start_ms) // 1000
        if len(result):
            check_days(np.array([result.min(), result.max()]) // DAY_SECONDS)
        return result

    def dates(self, days: Codes) -> NDArray[np.bytes_]:
        """Convert days since 1970 to ISO 8601 dates such as '2030-01-01', dtype S10.

        Raises
        ------
        RunError
            If a day is before the year 0 or after the year 9999, which such a text cannot hold.
        """
        if len(days) == 0:
            return np.empty(0, "S10")
        check_days(days)
        low, high = int(days.min()), int(days.max())
        first, last = self._first_day, self._first_day + len(self._dates)
        if not first <= low <= high < last:
            if len(self._dates):
                low, high = min(low, first), max(high, last - 1)
            if high - low > _MOST_DATES:
                found, places = np.unique(days, return_inverse=True)
                return np.datetime_as_string(found.astype("datetime64[D]")).astype("S10").take(places)
            low, high = max(low - _DATE_MARGIN_DAYS, FIRST_DAY), min(high + _DATE_MARGIN_DAYS, LAST_DAY)
            span = np.arange(low, high + 1).astype("datetime64[D]")
            self._dates = np.datetime_as_string(span).astype("S10")
            self._first_day = low
        return self._dates.take(days - self._first_day)

    def clocks(self, seconds: Codes) -> NDArray[np.bytes_]:
        """Convert seconds since midnight to texts such as 'T12:00:00Z', dtype S10."""
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
        """Convert `times` (ms from the scenario's start) to ISO 8601 texts in UTC, dtype S20.

        -1 ("never") is not treated specially: the caller has to mask it.
        """
        seconds = self.seconds(times)
        days = seconds // DAY_SECONDS
        out = np.empty(len(times), _INSTANT)
        out["date"] = self.dates(days)
        out["clock"] = self.clocks(seconds - days * DAY_SECONDS)
        return out.view("S20")


def uuids(patients: Table) -> NDArray[np.bytes_]:
    """Return the ids of `patients` as UUID texts, dtype S36."""
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


def incident_ids(words: NDArray[np.uint64]) -> NDArray[np.bytes_]:
    """Return the ids of incidents as "i-" and 16 hexadecimal digits, dtype S18. None of them looks like a number.

    >>> incident_ids(np.array([255], np.uint64)).tolist()
    [b'i-00000000000000ff']
    """
    octets = np.ascontiguousarray(words.astype(">u8")).view(np.uint8)
    out = np.empty(len(words), [("prefix", "S2"), ("digits", "S16")])
    out["prefix"] = b"i-"
    out["digits"] = _HEX.take(octets).view("S16")
    return out.view("S18")


def digit_texts(numbers: Codes, least: int) -> NDArray[np.bytes_]:
    """Return non-negative integers as texts of digits, with leading zeros up to `least` digits.

    >>> digit_texts(np.array([70_001, 123_456_789], np.uint64), 8).tolist()
    [b'00070001', b'123456789']
    """
    largest = int(numbers.max(initial=0))
    if len(str(largest)) <= least and largest < 1 << 32:
        left = numbers.astype(np.uint32)
        octets = np.empty((len(numbers), least), np.uint8)
        for place in reversed(range(least)):
            left, octets[:, place] = np.divmod(left, np.uint32(10))
        octets += ord("0")
        return octets.view(f"S{least}").reshape(-1)
    digits = np.char.zfill(numbers.astype(f"S{max(least, len(str(largest)))}"), least)
    result: NDArray[np.bytes_] = digits
    return result


_HEX = np.array([f"{value:02x}" for value in range(256)], "S2")

_ISS_REGION_BY_LABEL = {
    "head": "head_neck",
    "eyes": "face",
    "ears": "face",
    "face": "face",
    "neck": "head_neck",
    "thorax": "chest",
    "abdomen": "abdomen",
    "upper_limb": "extremities",
    "lower_limb": "extremities",
}
_ISS_REGION = np.array([ISS_REGIONS.index(_ISS_REGION_BY_LABEL[region]) for region in REGIONS], np.uint8)
"""Code of ISS_REGIONS by code of REGIONS, for all but skin wounds."""

_EXTERNAL = ISS_REGIONS.index("external")
_SKIN = np.array([region not in ("eyes", "ears", "face") for region in REGIONS])
"""By code of REGIONS: whether a wound of AIS 1 there is a skin wound."""


def iss_regions(wounds: Table) -> NDArray[np.uint8]:
    """Return the ISS_REGIONS code of each wound.

    A wound of AIS 1 outside the face is a skin wound and counts as "external" (docs/model.md section 2.4.2).
    """
    region = wounds["region"]
    skin = (wounds["ais"] == 1) & _SKIN.take(region)
    return np.where(skin, np.uint8(_EXTERNAL), _ISS_REGION.take(region))


def optional_codes(codes: Codes, length: int) -> Codes:
    """Replace every "none of them" (255 or 65535) by `length`, the index of the table's last entry.

    >>> optional_codes(np.array([0, 2, 255], np.uint8), 3).tolist()
    [0, 2, 3]
    """
    return np.minimum(codes.astype(np.int64), length)


def check_days(days: Codes) -> None:
    """Raise RunError if one of these days since 1970 is before the year 0 or after the year 9999."""
    if not len(days):
        return
    low, high = int(days.min()), int(days.max())
    if low < FIRST_DAY or high > LAST_DAY:
        wrong = high if high > LAST_DAY else low
        year = 1970 + int(np.datetime64(wrong, "D").astype("datetime64[Y]").astype(np.int64))
        limit = "after 9999" if high > LAST_DAY else "before the year 0"
        raise RunError(
            f"a casualty's times reach the year {year:,}, but records hold none {limit}: "
            "shorten the times of the scenario, or set horizon_days"
        )


def _epoch_ms(start: str) -> int:
    moment = datetime.fromisoformat(start)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)

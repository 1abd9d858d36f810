"""The targets 3 to 7 of docs/model.md section 3.2.1, measured on the runs of `coin`, `falklands` and `okinawa`."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.validation.samples import Z95, wilson
from engine.codes import EVENTS, MECHANISMS, REGIONS, STREAMS, Outcome
from engine.tables import Chunk

BATTLE = STREAMS.index("battle")
REGION_GROUPS = (
    ("head, face, neck, eyes, ears", ("head", "face", "neck", "eyes", "ears")),
    ("thorax", ("thorax",)),
    ("abdomen", ("abdomen",)),
    ("extremities", ("upper_limb", "lower_limb")),
)
ISS_BANDS = ("1-8", "9-15", "16-24", "25 and more")
KIA_MINUTES = (0, 10, 60, 120)


class Line(NamedTuple):
    """One line of the table: a measured and a published value."""

    target: int
    what: str
    measured: float
    low: float
    """Lower end of the 95 % confidence interval."""
    high: float
    published: str
    band: tuple[float, float]
    unit: str = "%"
    number: int = 0
    """Size of the sample."""


@dataclass
class Tally:
    """Counts over the chunks of one run; arrays are indexed by the code lists and the constants above."""

    roles: list[int]
    """Role of each facility of the scenario."""
    battle: int = 0
    kia: int = 0
    dow: int = 0
    reached: int = 0
    reached_rtd72: int = 0
    rtd72: int = 0
    dnbi: int = 0
    dnbi_rtd: int = 0
    dnbi_evacuated: int = 0
    mechanisms: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(MECHANISMS), np.int64))
    regions: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(REGIONS), np.int64))
    iss_bands: NDArray[np.int64] = field(default_factory=lambda: np.zeros(4, np.int64))
    kia_by: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(KIA_MINUTES), np.int64))
    operating: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 4, 3)))
    """(2, 4, 3): by Role 2 or 3 and ISS band, the number, sum and sum of squares of operating times in minutes."""

    def add(self, chunk: Chunk) -> None:
        """Count one chunk."""
        p = chunk.patients
        battle = p["stream"] == BATTLE
        kia, dow = p["status"] == Outcome.KIA, p["status"] == Outcome.DOW
        rtd72 = battle & (p["rtd72"] == 1)
        reached = battle & np.logical_or.reduce(
            [p[role] >= 0 for role in ("role1", "role2", "role3", "role4")]
        )
        self.battle += int(battle.sum())
        self.kia += int(kia.sum())
        self.dow += int(dow.sum())
        self.reached += int(reached.sum())
        self.rtd72 += int(rtd72.sum())
        self.reached_rtd72 += int((reached & rtd72).sum())
        dnbi = ~battle
        self.dnbi += int(dnbi.sum())
        self.dnbi_rtd += int((dnbi & (p["status"] == Outcome.RTD)).sum())
        self.dnbi_evacuated += int((dnbi & (p["status"] == Outcome.EVACUATED)).sum())
        self.mechanisms += np.bincount(p["mechanism"][battle], minlength=len(MECHANISMS))
        admitted = reached & ~rtd72
        self.regions += np.bincount(
            chunk.wounds["region"][admitted[chunk.wounds["patient"]]], minlength=len(REGIONS)
        )
        band = np.digitize(p["iss"], (9, 16, 25))
        self.iss_bands += np.bincount(band[admitted], minlength=4)
        self._add_deaths(chunk, kia)
        self._add_operations(chunk, band)

    def _add_deaths(self, chunk: Chunk, kia: NDArray[np.bool_]) -> None:
        deaths = chunk.events[chunk.events["kind"] == EVENTS.index("died")]
        deaths = deaths[kia[deaths["patient"]]]
        minutes = (deaths["at"] - chunk.patients["time"][deaths["patient"]]) / 60_000
        self.kia_by += np.array([(minutes <= limit).sum() for limit in KIA_MINUTES])

    def _add_operations(self, chunk: Chunk, band: NDArray[np.int64]) -> None:
        events = chunk.events
        for begin, end in (
            ("surgery_started", "surgery_ended"),
            ("definitive_surgery_started", "definitive_surgery_ended"),
        ):
            first = events[events["kind"] == EVENTS.index(begin)]
            last = events[events["kind"] == EVENTS.index(end)]
            _, i, j = np.intersect1d(first["patient"], last["patient"], return_indices=True)
            first, last = first[i], last[j]
            minutes = (last["at"] - first["at"]) / 60_000
            roles = np.array(self.roles, np.int64)[first["facility"]]
            bands = band[first["patient"]]
            battle = chunk.patients["stream"][first["patient"]] == BATTLE
            for role in (2, 3):
                for k in range(4):
                    x = minutes[battle & (roles == role) & (bands == k)]
                    self.operating[role - 2, k] += (len(x), x.sum(), (x * x).sum())


def share(target: int, what: str, count: int, of: int, published: str, band: tuple[float, float]) -> Line:
    """Return the line of a proportion in %, with Wilson's interval."""
    measured = wilson(count, of)
    return Line(target, what, *measured[:3], published, band, "%", measured.number)


def around(value: float, points: float) -> tuple[float, float]:
    """Return the band from `points` below to `points` above `value`."""
    return value - points, value + points


def coin_lines(t: Tally) -> Iterator[Line]:
    """Yield the lines of targets 3 to 5."""
    yield share(3, "%KIA: KIA / (battle casualties - RTD72)", t.kia, t.battle - t.rtd72, "10-16", (10, 16))
    admitted = t.reached - t.reached_rtd72
    yield share(3, "%DOW: DOW / (reached an MTF - RTD72)", t.dow, admitted, "4-4.6", (4, 4.6))
    yield share(3, "CFR: (KIA + DOW) / battle casualties", t.kia + t.dow, t.battle, "7.6-13.7", (7.6, 13.7))
    yield share(3, "RTD72 of the wounded (battle - KIA)", t.rtd72, t.battle - t.kia, "33-47", (33, 47))
    yield share(3, "mechanism: explosion", int(t.mechanisms[0]), t.battle, "74-78", (74, 78))
    yield share(3, "mechanism: gunshot", int(t.mechanisms[1]), t.battle, "18-20", (18, 20))
    wounds = int(t.regions.sum())
    for (name, regions), value in zip(REGION_GROUPS, (28.1, 9.9, 10.1, 51.9), strict=True):
        count = sum(int(t.regions[REGIONS.index(region)]) for region in regions)
        yield share(3, f"wounds of the admitted: {name}", count, wounds, str(value), around(value, 2))
    bands = int(t.iss_bands.sum())
    for k, value in enumerate((57.5, 18.2, 13.6, 10.7)):
        what = f"ISS {ISS_BANDS[k]} among the admitted"
        yield share(3, what, int(t.iss_bands[k]), bands, str(value), around(value, 2))
    for k, value in enumerate((57, 68, 91, 99)):
        what = f"KIA dead by {KIA_MINUTES[k]} min"
        yield share(4, what, int(t.kia_by[k]), t.kia, str(value), around(value, 5))
    published = ((93.9, 142.2, 177.4, 182.9), (96.3, 144.3, 171.1, 205.6))
    for role in (2, 3):
        for k, value in enumerate(published[role - 2]):
            n, total, squares = map(float, t.operating[role - 2, k])
            if n < 2:
                continue
            mean = total / n
            half = Z95 * math.sqrt(max(0.0, squares / n - mean * mean) / n)
            what = f"operating time, Role {role}, ISS {ISS_BANDS[k]}"
            band = (0.95 * value, 1.05 * value)
            yield Line(5, what, mean, mean - half, mean + half, str(value), band, "min", int(n))


def dnbi_lines(t: Tally, person_days: float, long: Tally) -> Iterator[Line]:
    """Yield the lines of target 6: the rate from `long`, a run with the scenario's own rates, and the outcomes from
    `t`.
    """
    rate, half = (1000 * x / person_days for x in (long.dnbi, Z95 * math.sqrt(long.dnbi)))
    what = "DNBI per 1,000 per day"
    yield Line(6, what, rate, rate - half, rate + half, "0.70", (0.68, 0.72), "", long.dnbi)
    yield share(6, "DNBI returned to duty", t.dnbi_rtd, t.dnbi, "83.9", around(84, 2))
    yield share(6, "DNBI evacuated", t.dnbi_evacuated, t.dnbi, "15.7", around(16, 2))


def historic_lines(falklands: Tally, okinawa: Tally) -> Iterator[Line]:
    """Yield the lines of target 7; "about 3.4" means within half a point, shares of killed within two points."""
    what = "{}: DOW / battle casualties reaching an MTF"
    yield share(7, what.format("falklands"), falklands.dow, falklands.reached, "0.10-1.34", (0.10, 1.34))
    yield share(7, what.format("okinawa"), okinawa.dow, okinawa.reached, "about 3.4", around(3.4, 0.5))
    what = "{}: KIA / battle casualties"
    yield share(7, what.format("falklands"), falklands.kia, falklands.battle, "24.7", around(24.7, 2))
    yield share(7, what.format("okinawa"), okinawa.kia, okinawa.battle, "19.2", around(19.2, 2))

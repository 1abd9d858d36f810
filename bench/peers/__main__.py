"""goldenhour, SimPy and Ciw on one brigade-like network: do their results agree, and how fast are they?

`make bench-peers` runs it. The means of replications are compared measure by measure with Welch's t. The confidence
intervals of the differences hold for all lines together (99 %, Bonferroni); a line fails if its interval does not
contain 0. Speed is casualties per processor second of one core, the best of some rounds, with the same number of
casualties for every model. goldenhour's event kernel alone must be 20 times as fast as either peer. The exit code is 1
if a line fails.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import stats

from bench import results_file
from bench.peers import ciw_model, goldenhour_model, simpy_model
from bench.peers.network import BRIGADE, MEASURES, SHARES_FROM, SINGLE, Measures, Network

CONFIDENCE = 0.99
"""Confidence level of all lines of agreement together."""
RATIO = 20.0
"""Required speed as a multiple of a peer's."""
LITTLE = 1e-9
"""Largest relative error of Little's law in goldenhour, over all its resources and lines."""
OURS = 4
"""Replications of goldenhour for each replication of a peer."""


class Size(NamedTuple):
    """Amount of simulation."""

    replications: int
    days: int
    """Days of a replication."""
    casualties: int
    """Casualties of a measurement of speed."""
    rounds: int


SIZES = {"small": Size(8, 20, 10_000, 1), "full": Size(40, 60, 100_000, 2)}


class Peer(NamedTuple):
    """Another simulator and the network it can model."""

    name: str
    network: Network
    laydown: str
    run: Callable[[Network, int, int], Measures]


PEERS = (
    Peer("SimPy", BRIGADE, "two to a vehicle", simpy_model.run),
    Peer("Ciw", SINGLE, "one to a vehicle", ciw_model.run),
)


class Line(NamedTuple):
    """A mean of goldenhour and the same mean of a peer."""

    peer: str
    what: str
    ours: float
    ours_half: float
    """Half-width of the 95 % confidence interval."""
    theirs: float
    theirs_half: float
    low: float
    """Lower end of the confidence interval of the difference, for all lines together."""
    high: float

    @property
    def holds(self) -> bool:
        """Whether the two may be equal."""
        return self.low <= 0.0 <= self.high


class Speed(NamedTuple):
    """The speed of one model."""

    network: str
    way: str
    casualties: int
    seconds: float
    """Processor seconds."""

    @property
    def per_second(self) -> float:
        """Casualties per processor second."""
        return self.casualties / self.seconds


def half_width(values: NDArray[np.float64]) -> float:
    """Return the half-width of the 95 % confidence interval of a mean."""
    n = len(values)
    return float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1)) / math.sqrt(n)


def compare(peer: str, what: str, ours: Sequence[float], theirs: Sequence[float], lines: int) -> Line:
    """Compare two means by Welch's interval of their difference; `lines` is the number of lines that share the
    level.
    """
    a, b = np.array(ours), np.array(theirs)
    va, vb = float(a.var(ddof=1)) / len(a), float(b.var(ddof=1)) / len(b)
    freedom = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    t = float(stats.t.ppf(1.0 - (1.0 - CONFIDENCE) / (2 * lines), freedom))
    difference, half = float(a.mean() - b.mean()), t * math.sqrt(va + vb)
    return Line(
        peer,
        what,
        float(a.mean()),
        half_width(a),
        float(b.mean()),
        half_width(b),
        difference - half,
        difference + half,
    )


def compare_shares(peer: Peer, counts: NDArray[np.int64], lines: int) -> Iterator[Line]:
    """Compare the shares of the categories with the estimates that are inputs of the peers' models."""
    z = float(stats.norm.ppf(1.0 - (1.0 - CONFIDENCE) / (2 * lines)))
    n = int(counts.sum())
    for k, share in enumerate(peer.network.shares):
        p = float(counts[k]) / n
        ours, theirs = math.sqrt(p * (1 - p) / n), math.sqrt(share * (1 - share) / SHARES_FROM)
        half = z * math.hypot(ours, theirs)
        what = f"share of T{k + 1}"
        yield Line(peer.name, what, p, 1.96 * ours, share, 1.96 * theirs, p - share - half, p - share + half)


def agreement(size: Size, seed: int) -> list[Line]:
    """Return all lines of all peers."""
    count = sum(len(MEASURES) + len(peer.network.shares) for peer in PEERS)
    lines: list[Line] = []
    for peer in PEERS:
        print(f"goldenhour and {peer.name}: replications of {size.days} days", flush=True)
        ours = [
            goldenhour_model.run(peer.network, size.days, seed + k) for k in range(OURS * size.replications)
        ]
        theirs = [peer.run(peer.network, size.days, seed + k) for k in range(size.replications)]
        little = max(replication.little for replication in ours)
        lines.append(
            Line(peer.name, "Little's law, error", little, 0.0, 0.0, 0.0, little - LITTLE, little + LITTLE)
        )
        lines += compare_shares(peer, np.sum([replication.categories for replication in ours], axis=0), count)
        for what in MEASURES:
            lines.append(
                compare(
                    peer.name,
                    what,
                    [replication.measures[what] for replication in ours],
                    [m[what] for m in theirs],
                    count,
                )
            )
    return lines


def best_of(rounds: int, work: Callable[[], object]) -> float:
    """Return the processor seconds of the fastest round."""
    seconds = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return min(seconds)


def speeds(size: Size, seed: int) -> list[Speed]:
    """Measure every model in turn over the same number of casualties."""
    result = []
    for peer in PEERS:
        days = round(size.casualties / peer.network.per_day)
        casualties = round(days * peer.network.per_day)
        print(f"speed, {peer.laydown}: {casualties:,} casualties each", flush=True)
        for name, way in goldenhour_model.WAYS.items():
            way(peer.network, 1, seed)
            seconds = best_of(size.rounds, partial(way, peer.network, days, seed))
            result.append(Speed(peer.laydown, name, casualties, seconds))
        seconds = best_of(size.rounds, partial(peer.run, peer.network, days, seed))
        result.append(Speed(peer.laydown, peer.name, casualties, seconds))
    return result


def ratios(measured: Iterable[Speed]) -> list[tuple[Speed, float]]:
    """Return each line with its speed as a multiple of the peer's."""
    rows = list(measured)
    slow = {row.network: row for row in rows if row.way in {peer.name for peer in PEERS}}
    return [(row, row.per_second / slow[row.network].per_second) for row in rows]


def is_required(row: Speed) -> bool:
    """Whether this line must reach RATIO."""
    return row.way == "goldenhour, flow alone"


def show_agreement(lines: Iterable[Line], console: Console) -> None:
    """Print the means."""
    table = Table(title="Means of replications, minutes (± 95 %)", title_justify="left")
    for name in ("Peer", "What"):
        table.add_column(name)
    for name in ("goldenhour", "Peer's", "Difference, 99 % CI of all", ""):
        table.add_column(name, justify="right")
    for line in lines:
        digits = 4 if line.theirs < 1 else 2
        figures = (
            f"{line.ours:.{digits}f} ± {line.ours_half:.{digits}f}",
            f"{line.theirs:.{digits}f} ± {line.theirs_half:.{digits}f}",
            f"{line.low:+.{digits}f} to {line.high:+.{digits}f}",
        )
        if line.theirs == 0.0:  # an error, which should be 0
            figures = (f"{line.ours:.0e}", "0", f"within {LITTLE:.0e}")
        table.add_row(
            line.peer,
            line.what,
            *figures,
            "ok" if line.holds else "[bold red]FAILED[/]",
        )
    console.print(table)


def show_speed(rows: Iterable[tuple[Speed, float]], console: Console) -> None:
    """Print the speeds."""
    table = Table(title="Speed, one core", title_justify="left")
    for name in ("Network", "Way"):
        table.add_column(name)
    for name in ("casualties", "seconds", "casualties/s", "times the peer", ""):
        table.add_column(name, justify="right")
    for row, ratio in rows:
        verdict = "" if not is_required(row) else "ok" if ratio >= RATIO else "[bold red]FAILED[/]"
        table.add_row(
            row.network,
            row.way,
            f"{row.casualties:,}",
            f"{row.seconds:.3f}",
            f"{row.per_second:,.0f}",
            f"{ratio:.1f}",
            verdict,
        )
    console.print(table)


def main() -> int:
    """Measure, print and save the figures; return 1 if a line fails."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    size = SIZES[options.size]
    begun = time.perf_counter()
    lines = agreement(size, options.seed)
    rows = ratios(speeds(size, options.seed))
    seconds = round(time.perf_counter() - begun, 1)
    console = Console(width=None if sys.stdout.isatty() else 130)
    show_agreement(lines, console)
    show_speed(rows, console)
    failed = sum(not line.holds for line in lines)
    slow = sum(is_required(row) and ratio < RATIO for row, ratio in rows)
    path = results_file.append(
        "peers",
        {
            "size": options.size,
            "seed": options.seed,
            "seconds": seconds,
            "agreement": [line._asdict() | {"holds": line.holds} for line in lines],
            "speed": [row._asdict() | {"ratio": round(ratio, 2)} for row, ratio in rows],
        },
    )
    print(
        f"{len(lines) - failed} of {len(lines)} means agree; {slow} ratios below {RATIO:g}; {seconds} s; "
        f"figures appended to bench/results/{path.name}"
    )
    return 1 if failed or slow else 0


if __name__ == "__main__":
    sys.exit(main())

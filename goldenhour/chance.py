"""What a single replication says of chance: how many casualties other replications of its scenario have."""

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from engine.scenario import Scenario

_RARE = 0.1
"""Share of the replications that have fewer casualties, or more, from which on a run is not called unusual."""

_MORE = "`goldenhour compare` looks at many."


class Chance(NamedTuple):
    """The number of casualties over replications of a scenario, and the place of one replication among them."""

    casualties: int
    """Of the one replication."""
    mean: float
    low: int
    high: int
    """5 % of the replications have fewer than `low`, and 5 % more than `high`."""
    fewer: float
    """Share of the replications that have fewer casualties than the one."""
    more: float
    """Share of those that have more."""
    replications: int
    """Replications whose arrivals were drawn; 0 where all have the same number."""

    @property
    def sentence(self) -> str:
        """What to expect, for somebody who knows no statistics."""
        if not self.replications:
            count = "1 casualty" if self.casualties == 1 else f"{self.casualties:,} casualties"
            return f"Chance: every replication has {count}, but not the same deaths. {_MORE}"
        found = (
            f"Chance: this is one replication of many. They have {_rounded(self.mean)} casualties on average, "
            f"nine of ten between {self.low:,} and {self.high:,}"
        )
        if self.more > 1.0 - _RARE:
            found += f"; {_percent(self.more)} have more than this one"
        elif self.fewer > 1.0 - _RARE:
            found += f"; {_percent(self.fewer)} have fewer than this one"
        return f"{found}. {_MORE}"

    def document(self) -> dict[str, Any]:
        """The numbers for `--json`."""
        return {
            "mean": round(self.mean, 3),
            "low": self.low,
            "high": self.high,
            "fewer": round(self.fewer, 4),
            "more": round(self.more, 4),
            "replications": self.replications,
        }


def chance_of(resolved: "Scenario", seed: int, casualties: int) -> Chance | None:
    """Return what other replications have instead of so many casualties, after 0.2 s at most.

    None where that would take longer: where there are very many casualties, or machine code would have to be compiled.

    Parameters
    ----------
    resolved
        The scenario.
    seed
        Of the run.
    casualties
        Its casualties.
    """
    if resolved.casualties.rates is None:
        return Chance(casualties, float(casualties), casualties, casualties, 0.0, 0.0, 0)
    from engine.arrivals import arrival_entry_points, plan_arrivals, range_of, total_spread

    if not all(function.is_cached() for function in arrival_entry_points(resolved)):
        return None
    spread = total_spread(plan_arrivals(resolved), seed)
    if spread is None:
        return None
    low, high = range_of([spread.counts])
    fewer, more = (spread.counts < casualties).mean(), (spread.counts > casualties).mean()
    return Chance(casualties, spread.mean, low, high, float(fewer), float(more), len(spread.counts))


def _rounded(mean: float) -> str:
    """The mean with a decimal where it is small."""
    return f"{mean:,.1f}" if mean < 20 else f"{mean:,.0f}"


def _percent(share: float) -> str:
    """A share above 90 % in words."""
    return "nearly all" if share >= 0.995 else f"{100 * share:.0f} %"

"""Checks of single values of a scenario: names, distributions, references to something else."""

from collections.abc import Sequence

from engine.errors import MISSING, ScenarioError
from engine.scenario.defaults import mean_of
from engine.scenario.parsing import near_match
from engine.scenario.structs import Distribution
from scenarios import tables

_PARAMETERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "constant": (("mean",),),
    "exponential": (("mean",),),
    "lognormal": (("mean", "sd"), ("median", "sigma")),
    "gamma": (("mean", "sd"),),
    "erlang": (("mean", "k"),),
    "triangular": (("low", "mode", "high"),),
}
_RATE_KINDS = ("constant", "exponential", "lognormal", "gamma")
_SHOWN = 20


def check_name(place: str, name: str) -> None:
    """A name is printable, without slashes or blanks at the ends, not '.' or '..', and no spreadsheet formula."""
    odd = not name.isprintable() or name != name.strip() or set(name) & {"/", "\\"}
    if odd or name in (".", "..") or name[:1] in tuple("=+-@"):
        raise ScenarioError(
            place,
            name,
            "printable characters without slashes and without blanks at the ends, not '.' or '..', no = + - @ first",
        )


def distinct(place: str, words: Sequence[str], field: str = "") -> None:
    """ScenarioError at the second of two like words."""
    for i, word in enumerate(words):
        if word in words[:i]:
            at = f"{place}[{i}].{field}" if field else f"{place}[{i}]"
            raise ScenarioError(at, word, f"each only once; it is {place}[{words.index(word)}] already")


def check_duration(place: str, d: Distribution, rate: bool = False) -> None:
    """A distribution has exactly the parameters of its kind, and sensible ones. `rate`: a daily rate, no duration."""
    if rate and d.distribution not in _RATE_KINDS:
        raise ScenarioError(
            f"{place}.distribution", d.distribution, f"for a rate one of {', '.join(_RATE_KINDS)}"
        )
    fields = ("mean", "sd", "median", "sigma", "low", "mode", "high", "k")
    given = tuple(name for name in fields if getattr(d, name) is not None)
    options = _PARAMETERS[d.distribution]
    wanted = " or ".join(" and ".join(option) for option in options)
    best = max(options, key=lambda option: len(set(option) & set(given)))
    for name in given:
        if name not in best:
            raise ScenarioError(f"{place}.{name}", getattr(d, name), f"for {d.distribution} only {wanted}")
    for name in best:
        if name not in given:
            raise ScenarioError(f"{place}.{name}", MISSING, f"for {d.distribution} {wanted}")
    if d.mean == 0 and d.distribution != "constant":
        raise ScenarioError(f"{place}.mean", d.mean, f"a mean above 0 for {d.distribution}")
    low, mode, high = d.low or 0.0, d.mode or 0.0, d.high or 0.0
    if d.distribution == "triangular" and not (low <= mode <= high and low < high):
        raise ScenarioError(
            place, f"low {low:g}, mode {mode:g}, high {high:g}", "low <= mode <= high and low < high"
        )
    if d.autocorrelation != 0 and not (rate and d.distribution == "lognormal"):
        raise ScenarioError(f"{place}.autocorrelation", d.autocorrelation, "0 but for lognormal rates")
    if mean_of(d) > 1e6 or (rate and mean_of(d) > 1000):
        limit = "a mean of at most 1,000 per 1,000 a day" if rate else "a mean of at most 1,000,000 minutes"
        raise ScenarioError(place, f"a mean of {mean_of(d):.4g}", limit)


def listed(words: Sequence[str]) -> str:
    """Words one after the other, the first twenty of them."""
    more = len(words) - _SHOWN
    return ", ".join(words[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def check_known(place: str, word: str, words: Sequence[str], what: str) -> None:
    """ScenarioError with the nearest match where a word is none of `words`."""
    if word not in words:
        raise ScenarioError(place, word, f"{what}: {listed(words)}", near_match(word, words))


def check_nation(place: str, code: str) -> None:
    """ScenarioError where a code is none of a nation that scenarios may name."""
    known = tables.nation_codes()
    if code not in known:
        raise ScenarioError(
            place,
            code,
            "the ISO 3166-1 alpha-3 code of one of " + " ".join(known),
            near_match(code, known),
        )

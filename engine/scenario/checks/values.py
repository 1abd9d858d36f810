"""Checks of single values: names, distributions, shares, and words that refer to something else in the scenario."""

from collections.abc import Iterable, Mapping, Sequence
from math import fsum
from typing import Any

from engine.errors import MISSING, ScenarioError
from engine.scenario.near_matches import near_match
from engine.scenario.parsing import key_place
from engine.scenario.structs.bounds import MAX_MINUTES, MIN_MEAN
from engine.scenario.structs.distributions import Distribution, mean_of
from scenarios import tables

_SHARE_TOLERANCE = 1e-6
"""How far from 1 shares may sum."""

_PARAMETERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "constant": (("mean",),),
    "exponential": (("mean",),),
    "lognormal": (("mean", "sd"), ("median", "sigma")),
    "gamma": (("mean", "sd"),),
    "erlang": (("mean", "k"),),
    "triangular": (("low", "mode", "high"),),
}
"""By kind of distribution: the sets of parameters that it may have."""

_ALL_PARAMETERS = ("mean", "sd", "median", "sigma", "low", "mode", "high", "k")
_RATE_KINDS = ("constant", "exponential", "lognormal", "gamma")
_MOST_SPREAD, _LEAST_SPREAD = 100.0, 0.001
"""Greatest standard deviation in means, and the least of a gamma, whose quantiles take longer the less it spreads."""
_MAX_RATE = 1000
_MAX_WORDS = 20
"""Most words of a list that an error message shows."""


def check_name(place: str, name: str) -> None:
    """Refuse a name that is no file name, cannot be printed or would be a formula in a spreadsheet."""
    odd = not name.isprintable() or name != name.strip() or set(name) & {"/", "\\"}
    if odd or name in (".", "..") or name[:1] in tuple("=+-@"):
        raise ScenarioError(
            place,
            name,
            "printable characters, without slashes, without blanks at the ends, not '.' or '..', "
            "and with none of = + - @ at the beginning",
        )


def check_distinct(place: str, words: Sequence[str], field: str = "") -> None:
    """Refuse the second of two equal words; `field` is the field of the entries that holds them, if any."""
    for i, word in enumerate(words):
        if word in words[:i]:
            at = f"{place}[{i}].{field}" if field else f"{place}[{i}]"
            raise ScenarioError(at, word, f"each value only once; {place}[{words.index(word)}] has this one")


def check_known(place: str, word: str, words: Sequence[str], what: str) -> None:
    """Refuse a word that is none of `words`, naming the nearest match; `what` says what the words are."""
    if word not in words:
        raise ScenarioError(place, word, f"{what}: {list_words(words)}", near_match(word, words))


def check_nation(place: str, code: str) -> None:
    """Refuse a code that belongs to no nation of the catalogue."""
    known = tables.nation_codes()
    if code not in known:
        raise ScenarioError(
            place, code, f"an ISO 3166-1 alpha-3 code: {', '.join(known)}", near_match(code, known)
        )


def check_shares(place: str, shares: Mapping[Any, float]) -> None:
    """Refuse shares outside 0 to 1, or that do not sum to 1."""
    for key, share in shares.items():
        if not 0 <= share <= 1:
            raise ScenarioError(key_place(place, key), share, "a share from 0 to 1")
    check_sum(place, shares.values())


def check_sum(place: str, shares: Iterable[float]) -> None:
    """Refuse shares that do not sum to 1."""
    total = fsum(shares)
    if abs(total - 1) > _SHARE_TOLERANCE:
        raise ScenarioError(place, f"shares that sum to {total:.9g}", "shares that sum to 1")


def check_duration(place: str, duration: Distribution) -> None:
    """Refuse a distribution of minutes that lacks a parameter of its kind, has another, or makes no sense."""
    _check_parameters(place, duration)
    if duration.autocorrelation != 0:
        _refuse_autocorrelation(place, duration)
    if mean_of(duration) > MAX_MINUTES:
        raise ScenarioError(
            place, f"a mean of {mean_of(duration):.4g}", "a mean of at most 1,000,000 minutes"
        )


def check_rate(place: str, rate: Distribution) -> None:
    """Refuse a distribution of daily rates as `check_duration` does, and kinds that are none of a rate's."""
    if rate.distribution not in _RATE_KINDS:
        raise ScenarioError(
            f"{place}.distribution", rate.distribution, f"for a rate, one of {', '.join(_RATE_KINDS)}"
        )
    _check_parameters(place, rate)
    if rate.autocorrelation != 0 and rate.distribution != "lognormal":
        _refuse_autocorrelation(place, rate)
    if mean_of(rate) > _MAX_RATE:
        raise ScenarioError(
            place, f"a mean of {mean_of(rate):.4g}", "a mean of at most 1,000 per 1,000 a day"
        )


def _check_parameters(place: str, distribution: Distribution) -> None:
    """Exactly the parameters of the kind, with values that it can have."""
    kind = distribution.distribution
    given = tuple(name for name in _ALL_PARAMETERS if getattr(distribution, name) is not None)
    options = _PARAMETERS[kind]
    takes = f"{kind} takes {' or '.join(' and '.join(option) for option in options)}"
    nearest = max(options, key=lambda option: len(set(option) & set(given)))
    for name in given:
        if name not in nearest:
            raise ScenarioError(f"{place}.{name}", getattr(distribution, name), f"no {name}; {takes}")
    for name in nearest:
        if name not in given:
            raise ScenarioError(f"{place}.{name}", MISSING, f"a number; {takes}")
    mean, sd = distribution.mean, distribution.sd
    if mean is not None and mean < MIN_MEAN and kind != "constant":
        raise ScenarioError(f"{place}.mean", mean, f"a mean of at least {MIN_MEAN:g} for {kind}")
    if mean is not None and sd is not None:
        least = _LEAST_SPREAD * mean if kind == "gamma" else 0.0
        if not least <= sd <= _MOST_SPREAD * mean:
            at_least = f"at least {least:g} (otherwise constant) and " if least else ""
            raise ScenarioError(
                f"{place}.sd",
                sd,
                f"{at_least}at most {_MOST_SPREAD * mean:g}, {_MOST_SPREAD:g} times the mean",
            )
    low, mode, high = distribution.low or 0.0, distribution.mode or 0.0, distribution.high or 0.0
    if kind == "triangular" and not (low <= mode <= high and low < high):
        raise ScenarioError(
            place, f"low {low:g}, mode {mode:g}, high {high:g}", "low <= mode <= high and low < high"
        )


def _refuse_autocorrelation(place: str, distribution: Distribution) -> None:
    raise ScenarioError(
        f"{place}.autocorrelation", distribution.autocorrelation, "0; only lognormal rates can have another"
    )


def list_words(words: Sequence[str]) -> str:
    """The words, separated by commas; of a long list the first twenty."""
    more = len(words) - _MAX_WORDS
    return ", ".join(words[:_MAX_WORDS]) + (f" and {more} more" if more > 0 else "")


def join_with_or(words: Sequence[str]) -> str:
    """The words as alternatives: `a, b or c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"

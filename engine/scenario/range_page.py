"""The page docs/assumptions.md, generated from the ranges of the model's constants; `make docs` writes it."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from engine.scenario.ranges import Assumption, assumptions_of
from engine.scenario.structs.scenario import Scenario
from engine.scenario.structs.vocabulary import WarfareType
from engine.scenario.structs.warfare import Warfare
from scenarios.tables import model_parameters

_INTRODUCTION = """\
# Assumptions and their ranges

This page is generated from `scenarios/data/model/ranges.toml` by `make docs`.

These are the constants of the model on which answers rest, each with the range that it could be in. `goldenhour
sensitivity` moves each of them to both ends, and experiments with `kind = "assumptions"` draw all of them at once
([experiments](experiments.md)). Draws are triangular with the model's value as the most likely one, and independent of
each other. The values of a list move together. A constant that a scenario replaces counts as known there.

A range is **published** if a source gives it, or numbers from which it follows as the last column says. All other
ranges are **judgement**: nobody has published one. Most of them follow a rule:

| rule for | shares and probabilities | others | why |
|---|---|---|---|
"""

_HEAD = """
The rule is the one for the constant's confidence in its file (section 3.2 of [the model](model.md)). A bound is never
beyond what a scenario may have. Constants that decide nothing, such as what care consumes or how vital signs look,
have no range. What the settings of single scenarios rest on is in [evidence](evidence.md).

| assumption | setting | low | model | high | range is | because |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole page as Markdown."""
    rules = model_parameters("ranges")["rules"]
    rows = [
        f"| constants that are {'calibrated' if name == 'calibrated' else 'assumptions'} "
        f"| odds / {rule['odds']:g} to odds x {rule['odds']:g} | / {rule['ratio']:g} to x {rule['ratio']:g} "
        f"| {rule['source']} |"
        for name, rule in rules.items()
    ]
    return _INTRODUCTION + "\n".join(rows) + "\n" + _HEAD + "\n".join(_rows()) + "\n"


def _rows() -> Iterator[str]:
    scenario = Scenario(
        name="all types", warfare=[Warfare(type=name, weight=1.0) for name in get_args(WarfareType)]
    )
    for one in assumptions_of(scenario):
        values = " | ".join(map(_text, (one.low, one.mode, one.high)))
        yield f"| {one.name} | `{one.path}` | {values} | {one.tag} | {_reason(one)} |"


def _reason(one: Assumption) -> str:
    return one.source.removeprefix("judgement: ")


def _text(value: Any) -> str:
    """Numbers with three digits; those of lists and tables with commas between them."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"

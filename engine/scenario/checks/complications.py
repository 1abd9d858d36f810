"""Notes on what a scenario changes of complications without effect."""

from collections.abc import Iterator

from engine.scenario.checks.values import list_words
from engine.scenario.structs.scenario import Scenario


def note_complications(scenario: Scenario) -> Iterator[str]:
    """Notes on settings of complications that have no effect."""
    given = scenario.complications
    if scenario.routing == "transition-matrix":
        if not given.drawn or given.factors:
            yield "complications: no effect, because routing is transition-matrix, which has none"
    elif not given.drawn and given.factors:
        yield f"complications.factors: {list_words(sorted(given.factors))}: no effect, because none are drawn"
    else:
        idle = sorted(label for label, factor in given.factors.items() if factor == 1.0)
        if idle:
            yield f"complications.factors: {list_words(idle)}: no effect, because a factor of 1 changes nothing"

"""The result of a sensitivity analysis: how far each answer moves with each assumption."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine.experiments import Quantity, Swing, holds
from engine.inference import Interval
from engine.scenario import Assumption
from goldenhour.result_html import sensitivity_html
from goldenhour.sentences import sensitivity_sentence


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """How far each answer moves with each assumption."""

    labels: tuple[str, ...]
    """What the scenario is called; of two, the baseline first."""
    seed: int
    days: int
    replications: int
    """Of each point."""
    confidence: float
    quantities: tuple[Quantity, ...]
    assumptions: tuple[Assumption, ...]
    """Those that were varied."""
    answers: Mapping[str, Interval]
    """By quantity, the answer with all assumptions as they are: the mean, or that of the difference."""
    swings: Mapping[str, tuple[Swing, ...]]
    """By quantity, the assumptions, the widest swing first."""
    idle: tuple[str, ...]
    """Names of assumptions that do not matter to the scenario; they were not simulated."""

    @property
    def is_difference(self) -> bool:
        """Whether the answer is the difference of two scenarios."""
        return len(self.labels) == 2

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """What was found, a sentence or two for each quantity."""
        return tuple(
            sensitivity_sentence(
                quantity,
                self.answers[quantity.name],
                self.swings[quantity.name],
                [one.name for one in self.assumptions],
                self.labels,
                self.days,
                self.confidence,
                self._holds(quantity),
            )
            for quantity in self.quantities
        )

    def _holds(self, quantity: Quantity) -> tuple[list[Swing], list[Swing]] | None:
        if not self.is_difference:
            return None
        return holds(self.answers[quantity.name], self.swings[quantity.name])

    def __repr__(self) -> str:
        """The sentences."""
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        """What a notebook shows: the sentences, and a table with a row for each assumption."""
        return sensitivity_html(self.sentences, self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """A row for each quantity and assumption, the widest swing first."""
        return [
            {
                "quantity": quantity.name,
                "assumption": self.assumptions[swing.assumption].name,
                "path": self.assumptions[swing.assumption].path,
                "tag": self.assumptions[swing.assumption].tag,
                "low": self.assumptions[swing.assumption].low,
                "high": self.assumptions[swing.assumption].high,
                "as_it_is": self.answers[quantity.name].estimate,
                "at_low": swing.at_low.estimate,
                "at_high": swing.at_high.estimate,
                "change_at_low": [swing.low.low, swing.low.high],
                "change_at_high": [swing.high.low, swing.high.high],
                "width": swing.width,
                "p_value": swing.p_value,
                "told_from_chance": swing.is_told(self.confidence),
            }
            for quantity in self.quantities
            for swing in self.swings[quantity.name]
        ]

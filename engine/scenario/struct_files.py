"""TOML files other than scenarios, read with the same checks and the same messages as scenarios."""

from datetime import date, time
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec import inspect as mi

from engine.errors import ScenarioError
from engine.scenario.parsing import ScenarioText, check_setting, read_tree

Content = TypeVar("Content", bound=Struct)


def read_struct(data: bytes, where: str, kind: type[Content]) -> tuple[Content, ScenarioText]:
    """Return the content of a TOML file, and its text, which knows the lines of mistakes that are found later.

    Parameters
    ----------
    data
        The whole file.
    where
        Name of the file in messages.
    kind
        What the file holds. Dates and times in fields of any type become text, as a scenario has them.

    Raises
    ------
    ScenarioError
        With the place of the first mistake, its value, what is allowed there, a near match and the line.
    """
    tree = read_tree(data, "toml", where)
    text = ScenarioText(data, "toml", where)
    try:
        checked = check_setting(_plain(tree), mi.type_info(kind), "")
    except ScenarioError as error:
        raise text.with_line(error) from None
    try:
        return msgspec.convert(checked, kind), text
    except (msgspec.ValidationError, OverflowError, RecursionError) as error:
        raise ScenarioError(where, str(error), f"the fields of {kind.__name__}") from None


def _plain(value: Any) -> Any:
    """The value with dates and times as text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date | time) else value

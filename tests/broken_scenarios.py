"""Parts of scenarios that are broken, and the check that each is refused with one message."""

import re

import pytest

from engine.errors import ScenarioError, shown
from engine.scenario import PreparedScenario, ScenarioOrigin, parse_text, prepare

Broken = tuple[str, str, str, str, str | None]
"""Text, place, value as shown, part of what is allowed, near match."""

N = 'name = "x"\n'
FRONT = '[[fronts]]\nname = "A"\npopulation = 1000\nnations = { NOR = 1 }\n'
RATES = '[casualties.rates]\nbattle = { distribution = "exponential", mean = 1 }\n'
R2 = '[[facilities]]\nid = "R2"\nrole = 2\n'
R3 = '[[facilities]]\nid = "R3"\nrole = 3\n'


POOL = "[[vehicles]]\nid = 'a'\nkind = 'ambulance_armored'\nnumber = 1\n"
LIFT = POOL + "lift = { interval_hours = 12 }\n"
BATCH = "distance_km = 3\nvehicle = 'a'\nbatch = { minimum = 9, wait_minutes = 60 }"


def link(origin: str, destination: str, more: str = "distance_km = 10") -> str:
    return f'[[links]]\norigin = "{origin}"\ndestination = "{destination}"\n{more}\n'


def fronts(**shares: object) -> str:
    return "".join(
        f'[[fronts]]\nname = "{n}"\nshare = {v}\nnations = {{ NOR = 1 }}\n' for n, v in shares.items()
    )


def minutes(text: str) -> str:
    return R2 + link("POI", "R2", f"minutes = {{ {text} }}")


def prepare_text(text: str) -> PreparedScenario:
    """Prepare a scenario as a command does that reads it from a file."""
    scenario, source = parse_text(text.encode(), "toml")
    return prepare(scenario, origin=ScenarioOrigin("file", "mine.toml", text=source))


def assert_line(text: str, error: ScenarioError) -> None:
    """Assert that an error names the line on which its setting, or the table that lacks it, is written."""
    words = re.findall(r"[A-Za-z][A-Za-z0-9_]*", error.place)
    if error.place.startswith("scenario"):
        assert not error.line
    elif not error.line:
        assert words[:1] == [] or not re.search(rf"^\W*{words[0]}\b", text, re.MULTILINE)
    else:
        line = text.splitlines()[int(error.line.removeprefix("line ")) - 1]
        assert any(re.search(rf"(?<!\w){word}\b", line) for word in words), (error.place, line)


def assert_refused(case: Broken) -> None:
    """Assert that a broken scenario is refused, and that the message names place, value and what is allowed."""
    text, place, value, allowed, near = case
    with pytest.raises(ScenarioError) as caught:
        prepare_text(text)
    error, message = caught.value, str(caught.value)
    assert error.exit_code == 2
    assert error.place == place
    assert message.startswith(f"{place}: got {value}")
    assert allowed in error.allowed
    assert error.allowed in message
    assert error.near == near
    hint = "" if near is None else f"; did you mean {near!r}?"
    assert message.endswith(f"{error.allowed}{hint}" + (f" ({error.line})" if error.line else ""))
    assert_line(text, error)
    assert "\n" not in message
    assert len(shown(error.value)) <= 80

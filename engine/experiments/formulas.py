"""Formulas over measures, such as `2 * surgery + deaths / 3`: read by a parser of our own, never by `eval`.

A formula has numbers, names of measures, `+ - * / **`, comparisons, parentheses and a few functions, with Python's
precedence. It is translated to postfix order and computed column by column, so that neither a long nor a deep one can
exhaust the stack. A replication without data for a measure has none for the formula either, and so has one in which
the result is not a finite number: a division by 0, the logarithm of 0.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.errors import InputError, shown
from engine.scenario import near_match

Column = NDArray[np.float64]

MAX_LENGTH = 2000
"""Most characters of a formula."""
MAX_DEPTH = 50
"""Most parentheses, functions, signs and powers within each other."""

_TOKEN = re.compile(
    r"""(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)
    | '(?P<single>[^'\n]+)' | "(?P<double>[^"\n]+)"
    | (?P<symbol>\*\*|<=|>=|==|!=|[-+*/()<>,])""",
    re.VERBOSE | re.ASCII,
)
_BLANKS = re.compile(r"[ \t\r\n]*")
_WORDS = "a number, a measure such as deaths or 'outcomes.dow', a function or ("


class _Function(NamedTuple):
    """A function of a formula."""

    compute: Callable[..., Any]
    least: int
    """Fewest arguments."""
    most: int


FUNCTIONS: dict[str, _Function] = {
    "min": _Function(np.minimum, 1, 100),
    "max": _Function(np.maximum, 1, 100),
    "abs": _Function(np.abs, 1, 1),
    "sqrt": _Function(np.sqrt, 1, 1),
    "log": _Function(np.log, 1, 1),
    "exp": _Function(np.exp, 1, 1),
}
_OPERATORS: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


class _Token(NamedTuple):
    kind: str
    """number, name, quoted, symbol or end."""
    text: str
    position: int
    """From 1, in characters."""


class _Step(NamedTuple):
    """A step in postfix order: it takes some values from the stack and puts one there."""

    kind: str
    """number, name, operator, sign or function."""
    value: Any
    taken: int
    """Values that it takes."""
    position: int


class FormulaError(InputError):
    """A formula that cannot be read or computed.

    Parameters
    ----------
    text
        The formula.
    position
        Of the mistake, in characters from 1.
    got
        What is there, in words.
    allowed
        What is allowed there.
    near
        An allowed word that looks like the one given.
    """

    def __init__(self, text: str, position: int, got: str, allowed: str, near: str | None = None) -> None:
        self.text, self.position, self.got, self.allowed, self.near = text, position, got, allowed, near
        hint = f"; did you mean {near!r}?" if near else ""
        super().__init__(f"formula {shown(text)}, character {position}: got {got}; allowed: {allowed}{hint}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the parts."""
        return (type(self), (self.text, self.position, self.got, self.allowed, self.near))


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that has been read."""

    text: str
    names: tuple[str, ...]
    """The measures that it needs, each once, in the order in which they occur."""
    positions: tuple[int, ...]
    """Per name, where it occurs first, in characters from 1."""
    _steps: tuple[_Step, ...]

    def evaluate(self, columns: Mapping[str, ArrayLike]) -> Column:
        """Return the values of the formula, shape (n,); NaN where there is no data or no finite result.

        Parameters
        ----------
        columns
            By name, shape (n,): the values of the measures; NaN without data.

        Raises
        ------
        FormulaError
            If a measure is missing, with its position and the nearest name.

        >>> parse_formula("2 * deaths + 1").evaluate({"deaths": [1.0, float("nan")]})
        array([ 3., nan])
        """
        stack: list[Any] = []
        with np.errstate(all="ignore"):
            for step in self._steps:
                if step.kind == "number":
                    stack.append(np.array([step.value]))
                elif step.kind == "name":
                    stack.append(self._column(step, columns))
                else:
                    arguments = stack[len(stack) - step.taken :]
                    del stack[len(stack) - step.taken :]
                    stack.append(_computed(step, arguments))
        result: Column = np.asarray(stack.pop(), dtype=np.float64)
        return result

    def _column(self, step: _Step, columns: Mapping[str, ArrayLike]) -> Column:
        if step.value not in columns:
            raise unknown_measure(self.text, step.value, step.position, columns)
        column = np.asarray(columns[step.value], dtype=np.float64)
        return np.where(np.isfinite(column), column, np.nan)


def parse_formula(text: str) -> Formula:
    """Read a formula.

    Parameters
    ----------
    text
        At most `MAX_LENGTH` characters.

    Raises
    ------
    FormulaError
        An InputError with the position of the mistake, in characters from 1.

    >>> parse_formula("max(surgery - 60, 0) * 'outcomes.dow' > 100").names
    ('surgery', 'outcomes.dow')
    >>> parse_formula("2 * (a")
    Traceback (most recent call last):
    ...
    engine.experiments.formulas.FormulaError: formula '2 * (a', character 7: got the end; allowed: ) or an operator
    """
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        given = f"{len(text):,} characters" if isinstance(text, str) else shown(text)
        raise InputError(f"formula: got {given}; allowed: a text of at most {MAX_LENGTH:,} characters")
    return _Parser(text).parse()


def unknown_measure(text: str, name: str, position: int, known: Iterable[str]) -> FormulaError:
    """Return the error of a formula for a measure that does not exist."""
    return FormulaError(text, position, shown(name), "names of measures", near_match(name, known))


def _computed(step: _Step, arguments: list[Any]) -> Any:
    """Return the result of an operator or function; NaN where an argument is NaN or the result is not finite."""
    if step.kind == "sign":
        return -arguments[0]
    if step.kind == "operator":
        result = _OPERATORS[step.value](*arguments)
    elif len(arguments) == 1 and step.value in ("min", "max"):
        return arguments[0]
    else:
        function = FUNCTIONS[step.value].compute
        result = function(*arguments[:2])
        for argument in arguments[2:]:
            result = function(result, argument)
    result = np.asarray(result, dtype=np.float64)
    defined = np.isfinite(result)
    for argument in arguments:
        defined &= ~np.isnan(argument)
    return np.where(defined, result, np.nan)


class _Parser:
    """Recursive descent; the depth of the recursion is limited."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._read()
        self._next = next(self._tokens)
        self._depth = 0
        self._steps: list[_Step] = []

    def parse(self) -> Formula:
        """Return the whole formula."""
        self._comparison()
        if self._next.kind != "end":
            self._refuse(self._next, "an operator or the end")
        first: dict[str, int] = {}
        for step in self._steps:
            if step.kind == "name":
                first.setdefault(step.value, step.position)
        if not first:
            raise FormulaError(self._text, 1, "no name", "a formula with one name or more")
        return Formula(self._text, tuple(first), tuple(first.values()), tuple(self._steps))

    def _read(self) -> Iterator[_Token]:
        position = 0
        while True:
            blanks = _BLANKS.match(self._text, position)
            position = blanks.end() if blanks else position
            if position == len(self._text):
                break
            match = _TOKEN.match(self._text, position)
            if match is None:
                rest = _Token("symbol", self._text[position : position + 10], position + 1)
                self._refuse(rest, f"{_WORDS}; or one of + - * / ** < <= > >= == != ) ,")
            kind = str(match.lastgroup)
            text = match[kind]
            yield _Token("quoted" if kind in ("single", "double") else kind, text, position + 1)
            position = match.end()
        while True:
            yield _Token("end", "", len(self._text) + 1)

    def _take(self) -> _Token:
        token, self._next = self._next, next(self._tokens)
        return token

    def _is(self, *symbols: str) -> bool:
        return self._next.kind == "symbol" and self._next.text in symbols

    def _comparison(self) -> None:
        self._sum()
        if self._is(*_COMPARISONS):
            token = self._take()
            self._sum()
            self._steps.append(_Step("operator", token.text, 2, token.position))
            if self._is(*_COMPARISONS):
                self._refuse(self._next, "one comparison; put each in parentheses and multiply them")

    def _sum(self) -> None:
        self._product()
        while self._is("+", "-"):
            token = self._take()
            self._product()
            self._steps.append(_Step("operator", token.text, 2, token.position))

    def _product(self) -> None:
        self._signed()
        while self._is("*", "/"):
            token = self._take()
            self._signed()
            self._steps.append(_Step("operator", token.text, 2, token.position))

    def _signed(self) -> None:
        self._enter()
        if self._is("-", "+"):
            token = self._take()
            self._signed()
            if token.text == "-":
                self._steps.append(_Step("sign", "-", 1, token.position))
        else:
            self._power()
        self._depth -= 1

    def _power(self) -> None:
        self._atom()
        if self._is("**"):
            token = self._take()
            self._signed()
            self._steps.append(_Step("operator", "**", 2, token.position))

    def _atom(self) -> None:
        token = self._take()
        if token.kind == "number":
            value = float(token.text)
            if not math.isfinite(value):
                self._refuse(token, "a number of at most 1.8e308")
            self._steps.append(_Step("number", value, 0, token.position))
        elif token.kind == "name" and self._is("("):
            self._function(token)
        elif token.kind in ("name", "quoted"):
            self._steps.append(_Step("name", token.text, 0, token.position))
        elif token.kind == "symbol" and token.text == "(":
            self._comparison()
            self._close("an operator")
        else:
            self._refuse(token, _WORDS)

    def _function(self, name: _Token) -> None:
        if name.text not in FUNCTIONS:
            self._refuse(
                name, f"one of the functions {', '.join(FUNCTIONS)}", near_match(name.text, FUNCTIONS)
            )
        self._take()
        count = 0
        if not self._is(")"):
            self._comparison()
            count = 1
            while self._is(","):
                self._take()
                self._comparison()
                count += 1
        self._close("a comma or an operator")
        function = FUNCTIONS[name.text]
        if not function.least <= count <= function.most:
            wanted = "1 argument" if function.most == 1 else f"{function.least} to {function.most} arguments"
            self._refuse(name, f"{wanted} of {name.text}", given=f"{count} arguments of {name.text}")
        self._steps.append(_Step("function", name.text, count, name.position))

    def _close(self, instead: str) -> None:
        if not self._is(")"):
            self._refuse(self._next, f") or {instead}")
        self._take()

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(self._next, f"parts within each other up to {MAX_DEPTH} deep")

    def _refuse(self, token: _Token, allowed: str, near: str | None = None, given: str = "") -> NoReturn:
        words = given or ("the end" if token.kind == "end" else shown(token.text))
        raise FormulaError(self._text, token.position, words, allowed, near)

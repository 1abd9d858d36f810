"""Formulas over measures: what they mean, and that hostile ones are refused."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.experiments import find_quantities, parse_formula, values_of
from engine.run import Replications

COLUMNS = {"deaths": 3.0, "surgery": 80.5, "a.b": -2.0, "c-d e": 0.25}
NUMBERS = st.one_of(
    st.integers(0, 1000).map(str),
    st.floats(0, 1e6, allow_nan=False).map(repr),
    st.sampled_from(["0", "1", ".5", "2."]),
)
NAMES = st.sampled_from(["deaths", "surgery", "'a.b'", "a.b", '"c-d e"'])


def compound(parts):
    binary = st.tuples(parts, st.sampled_from(["+", "-", "*", "/", "**", " - ", " * -"]), parts).map("".join)
    compared = st.tuples(parts, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), parts).map(
        lambda three: f"({''.join(three)})"
    )
    called = st.tuples(st.sampled_from(["abs", "sqrt", "log", "exp", "min", "max"]), parts).map(
        lambda two: f"{two[0]}({two[1]})"
    )
    several = st.tuples(st.sampled_from(["min", "max"]), parts, parts, parts).map(
        lambda four: f"{four[0]}({four[1]}, {four[2]},{four[3]})"
    )
    signed = st.tuples(st.sampled_from(["-", "+", "- "]), parts).map("".join)
    return st.one_of(binary, compared, called, several, signed, parts.map(lambda part: f"({part})"))


EXPRESSIONS = st.recursive(st.one_of(NUMBERS, NAMES), compound, max_leaves=12)


class NoData(Exception):
    """A result that is no finite number."""


class Value:
    """A number with Python's operators, of which a result that is not finite is an error."""

    __hash__ = None

    def __init__(self, number):
        if not math.isfinite(number):
            raise NoData
        self.number = float(number)

    @classmethod
    def apply(cls, function, *values):
        with np.errstate(all="ignore"):
            return cls(function(*(np.array([cls.of(value).number]) for value in values))[0])

    @classmethod
    def of(cls, value):
        return value if isinstance(value, cls) else cls(value)

    def __neg__(self):
        return Value(-self.number)

    def __pos__(self):
        return self


def give_operators():
    functions = {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "pow": np.power,
        "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal,
        "ne": np.not_equal,
    }  # fmt: skip
    for name, function in functions.items():
        setattr(Value, f"__{name}__", lambda one, other, f=function: Value.apply(f, one, other))


give_operators()
FUNCTIONS = {
    name: lambda *values, f=function: Value.apply(f, *values)
    for name, function in {"abs": np.abs, "sqrt": np.sqrt, "log": np.log, "exp": np.exp}.items()
}
FUNCTIONS |= {
    "min": lambda *values: Value(min(value.number for value in values)),
    "max": lambda *values: Value(max(value.number for value in values)),
}


def as_python(text):
    """What Python makes of it, every number and measure being a `Value`; NaN where a part is no finite number."""
    source = text.replace("'a.b'", "ab").replace("a.b", "ab").replace('"c-d e"', "cd")
    source = re.sub(r"(?<![\w.])((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)", r"number(\1)", source)
    values = {
        name: Value(COLUMNS[key])
        for name, key in zip(("deaths", "surgery", "ab", "cd"), COLUMNS, strict=True)
    }
    try:
        return eval(source, {"__builtins__": {}}, {**values, **FUNCTIONS, "number": Value}).number
    except NoData:
        return math.nan


def evaluate(text, **columns):
    return (
        parse_formula(text).evaluate(columns or {name: [number] for name, number in COLUMNS.items()}).tolist()
    )


@settings(max_examples=500, deadline=None)
@given(EXPRESSIONS)
def test_a_formula_means_what_it_means_in_python(text):
    text = f"({text}) + 0 * deaths"
    assert evaluate(text) == pytest.approx([as_python(text)], rel=0, abs=0, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-deaths ** 2", -9.0),
        ("2 ** -deaths", 0.125),
        ("2 ** 3 ** 2 + 0 * deaths", 512.0),
        ("deaths > 2", 1.0),
        ("deaths != 3.0", 0.0),
        ("(deaths > 2) * (deaths < 3)", 0.0),
        ("max(surgery - 60, 0)", 20.5),
        ("100 - 10 - deaths", 87.0),
        ("12 / 2 / deaths", 2.0),
        ("'c-d e' * 4", 1.0),
        ("min(deaths)", 3.0),
    ],
)
def test_precedence_is_that_of_python(text, value):
    assert evaluate(text) == [value]


@pytest.mark.parametrize(
    "text",
    [
        "x + 1",
        "x ** 0",
        "1 ** x",
        "x > 1",
        "x == x",
        "0 * x",
        "min(x, 1)",
        "max(1, 2, x)",
        "abs(-x)",
        "(x > 1) * 0",
    ],
)
def test_a_replication_without_data_has_none_for_the_formula(text):
    assert np.isnan(evaluate(text, x=[2.0, math.nan])).tolist() == [False, True]


@pytest.mark.parametrize(
    "text", ["1 / x", "log(x)", "sqrt(x - 1)", "exp(1000 + x)", "(x - 8) ** 0.5", "1 / (1 / x)", "1 / x > 0"]
)
def test_a_result_that_is_not_finite_is_no_data(text):
    assert np.isnan(evaluate(text, x=[0.0]))


def test_names_are_listed_once_in_their_order():
    assert parse_formula("surgery + deaths * surgery - outcomes.dow").names == (
        "surgery",
        "deaths",
        "outcomes.dow",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "character 1: got the end; allowed: a number, a measure"),
        ("deaths +", "character 9: got the end"),
        ("(deaths", "character 8: got the end; allowed: ) or an operator"),
        ("deaths)", "character 7: got ')'; allowed: an operator or the end"),
        ("deaths surgery", "character 8: got 'surgery'; allowed: an operator or the end"),
        (
            "sqr(deaths)",
            "character 1: got 'sqr'; allowed: one of the functions min, max, abs, sqrt, log, exp; did you ",
        ),
        ("sqrt(deaths, 2)", "character 1: got 2 arguments of sqrt; allowed: 1 argument of sqrt"),
        ("min()", "got 0 arguments of min"),
        ("1 < deaths < 3", "character 12: got '<'; allowed: one comparison"),
        ("deaths // 2", "character 9: got '/'"),
        ("deaths[0]", "character 7: got '[0]'"),
        ("__import__('os').system('ls')", "got '__import__'; allowed: one of the functions"),
        ("lambda: 0", "character 7: got ': 0'"),
        ("'deaths", "character 1: got"),
        ("1e999 * deaths", "allowed: a number of at most"),
        ("2 + 3", "got no name"),
        ("(" * 60 + "deaths" + ")" * 60, "up to 50 deep"),
        ("-" * 5000 + "1", "5,001 characters; allowed: a text of at most 2,000 characters"),
        ("-" * 1000 + "deaths", "up to 50 deep"),
        ("2**" * 300 + "deaths", "up to 50 deep"),
        ("deaths \N{MULTIPLICATION SIGN} 2", "character 8: got"),
        ("d\xebaths", "character 2: got"),
    ],
)
def test_a_mistake_is_reported_with_its_position(text, message):
    with pytest.raises(InputError) as found:
        parse_formula(text)
    assert message in str(found.value)


def test_an_unknown_measure_is_reported_with_its_position_and_the_nearest():
    with pytest.raises(
        InputError, match="character 5: got 'deats'; allowed: names of measures; did you mean 'deaths'"
    ):
        evaluate("2 * deats")
    with pytest.raises(InputError, match=r"character 1: got 'deaths\.__class__'; allowed: names of measures"):
        evaluate("deaths.__class__")


def test_a_long_formula_does_not_exhaust_the_stack():
    assert evaluate("+".join(["x"] * 1000), x=[1.0, 2.0]) == [1000.0, 2000.0]


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.text(), st.text("()+-*/<>=!,.'\"abx019e \n", max_size=300), st.lists(EXPRESSIONS).map(" ".join)
    )
)
def test_hostile_text_is_refused_or_computed(text):
    try:
        formula = parse_formula(text)
        values = formula.evaluate({name: [1.0, math.nan] for name in formula.names})
    except InputError as error:
        assert len(str(error)) < 600
    else:
        assert values.shape == (2,)
        assert math.isnan(values[1])


def test_a_formula_is_a_quantity_over_short_names_and_measures():
    names = ("mortality.kia", "mortality.dow", "mortality.battle_casualties", "patients")
    found = Replications(names, np.array([[1.0, 2.0, 30.0, 50.0], [0.0, 0.0, 0.0, 10.0]]))
    formulas = {"cost": parse_formula("deaths * 2 + patients")}
    (cost,) = find_quantities(["cost"], names, formulas)
    assert cost.columns == ("mortality.kia", "mortality.dow", "mortality.battle_casualties", "patients")
    assert np.array_equal(values_of(cost, found), [70.0, math.nan], equal_nan=True)
    with pytest.raises(
        InputError, match=r"character 10: got 'patient'; allowed: .*; did you mean 'patients'"
    ):
        find_quantities(["x"], names, {"x": parse_formula("deaths + patient")})
    with pytest.raises(InputError, match="did you mean 'cost'"):
        find_quantities(["costs"], names, formulas)

"""Broken scenarios: each is refused with one message that names place, value and what is allowed."""

import pickle
import re
import time

import pytest
from broken_scenarios import FRONT, RATES, Broken, N, assert_refused, fronts

from engine.errors import GoldenhourError, Interrupted, RunError, ScenarioError
from engine.scenario import MAX_BYTES, check, parse

BROKEN: dict[str, Broken] = {
    "no name": ("days = 3", "name", "(missing)", "a string in quotes", None),
    "unknown key": (N + "dayz = 3", "dayz", "'dayz'", "one of the fields name", "days"),
    "unknown nested key": (
        N + "[survival]\ntbi_sucess = 1",
        "survival.tbi_sucess",
        "'tbi_sucess'",
        "the fields",
        "tbi_success",
    ),
    "key with blanks": (N + '"a b" = 3', '["a b"]', "'a b'", "the fields", None),
    "text for a number": (
        N + 'days = "8"',
        "days",
        "'8'",
        "a whole number, at least 1 and at most 3,650",
        None,
    ),
    "fraction for a whole number": (N + "days = 8.0", "days", "8.0", "a whole number", None),
    "bool for a number": (N + "horizon_days = true", "horizon_days", "True", "a finite number", None),
    "number for a bool": (N + "[survival]\nclock = 1", "survival.clock", "1", "true or false", None),
    "number for a text": ("name = 3", "name", "3", "a string", None),
    "value for a table": (N + "survival = 3", "survival", "3", "a table with the fields", None),
    "table for a list": (N + '[warfare]\ntype = "urban"', "warfare", "{'type': 'urban'}", "a list of", None),
    "list for a table": (
        N + "casualties = [3]",
        "casualties",
        "[3]",
        "a table with the fields total, rates",
        None,
    ),
    "number for a distribution": (
        N + RATES.replace('{ distribution = "exponential", mean = 1 }', '"1"'),
        "casualties.rates.battle",
        "'1'",
        "a number from 0 to 1,000,000 for a constant, as in 8.0, or a distribution, as in "
        '{ distribution = "lognormal", mean = 8.0, sd = 4.0 } or a list',
        None,
    ),
    "negative days": (N + "days = -3", "days", "-3", "at least 1", None),
    "too many days": (N + "days = 4000", "days", "4000", "at most 3,650", None),
    "huge seed": (
        N + "seed = 0x" + "f" * 6000,
        "seed",
        "a whole number of 24000 bits",
        "at most 9,223",
        None,
    ),
    "total 0": (N + "[casualties]\ntotal = 0", "casualties.total", "0", "at least 1", None),
    "total above a billion": (
        N + "[casualties]\ntotal = 1_000_000_001",
        "casualties.total",
        "1000000001",
        "at most 1,000,000,000",
        None,
    ),
    "not a number": (N + "horizon_days = nan", "horizon_days", "nan", "a finite number", None),
    "infinite share": (N + fronts(A="inf"), "fronts[0].share", "inf", "a finite number", None),
    "infinite nation": (
        N + "[[fronts]]\nname = 'A'\nnations = { NOR = -inf }",
        'fronts[0].nations["NOR"]',
        "-inf",
        "a finite number",
        None,
    ),
    "unknown word": (N + 'intensity = "hihg"', "intensity", "'hihg'", "one of", "high"),
    "unknown warfare": (
        N + '[[warfare]]\ntype = "amphibious"',
        "warfare[0].type",
        "'amphibious'",
        "naval",
        None,
    ),
    "warfare twice": (
        N + '[[warfare]]\ntype = "urban"\n' * 2,
        "warfare[1].type",
        "'urban'",
        "only once",
        None,
    ),
    "weather twice": (N + 'environment = ["fog", "fog"]', "environment[1]", "'fog'", "only once", None),
    "zero weight": (N + '[[warfare]]\ntype = "urban"\nweight = 0', "warfare[0].weight", "0", "above 0", None),
    "shares of fronts": (N + fronts(A=0.5, B=0.4), "fronts", "'shares that sum to 0.9'", "sum to 1", None),
    "some shares": (
        N + fronts(A=0.5) + FRONT.replace('"A"', '"B"'),
        "fronts[1].share",
        "(missing)",
        "every front",
        None,
    ),
    "front twice": (N + fronts(A=0.5) + fronts(A=0.5), "fronts[1].name", "'A'", "only once", None),
    "nations do not sum": (
        N + "[[fronts]]\nname = 'A'\nnations = { NOR = 0.5, SWE = 0.4 }",
        "fronts[0].nations",
        "'shares that sum to 0.9'",
        "sum to 1",
        None,
    ),
    "negative nation": (
        N + "[[fronts]]\nname = 'A'\nnations = { NOR = 1.5, SWE = -0.5 }",
        'fronts[0].nations["NOR"]',
        "1.5",
        "0 to 1",
        None,
    ),
    "no nation": (N + "[[fronts]]\nname = 'A'\nnations = {}", "fronts[0].nations", "{}", "at least 1", None),
    "unknown nation": (
        N + fronts(A=1) + "[[fronts]]\nname = 'B'\nnations = { XXX = 1 }",
        'fronts[1].nations["XXX"]',
        "'XXX'",
        "alpha-3",
        None,
    ),
    "small nation": (
        N + "[[fronts]]\nname = 'B'\nnations = { pol = 1 }",
        'fronts[0].nations["pol"]',
        "'pol'",
        "alpha-3",
        "POL",
    ),
    "zero population": (N + FRONT.replace("1000", "0"), "fronts[0].population", "0", "at least 1", None),
    "rates without population": (
        N + RATES + FRONT.replace("population = 1000\n", ""),
        "fronts[0].population",
        "(missing)",
        "strength",
        None,
    ),
    "rates without fronts": (N + RATES, "fronts", "(missing)", "population", None),
    "total and rates": (
        N + "[casualties]\ntotal = 5\n" + RATES + FRONT,
        "casualties",
        "'total and rates'",
        "not both",
        None,
    ),
    "no rate": (N + "[casualties.rates]\n" + FRONT, "casualties.rates", "(missing)", "at least one of", None),
    "empty list of rates": (
        N + "[casualties.rates]\nnbi = []\n" + FRONT,
        "casualties.rates.nbi",
        "[]",
        "at least one",
        None,
    ),
    "rate in a list": (
        N + "[casualties.rates]\nnbi = [{ distribution = 'gamma', mean = 3 }]\n" + FRONT,
        "casualties.rates.nbi[0].sd",
        "(missing)",
        "mean and sd",
        None,
    ),
    "triangular rate": (
        N
        + "[casualties.rates]\nnbi = { distribution = 'triangular', low = 1, mode = 2, high = 3 }\n"
        + FRONT,
        "casualties.rates.nbi.distribution",
        "'triangular'",
        "one of constant",
        None,
    ),
    "too many by rates": (
        N + "days = 3650\n" + RATES.replace("= 1 ", "= 900 ") + FRONT.replace("1000", "1_000_000"),
        "casualties.rates",
        "'3.28e+09 casualties expected'",
        "at most 1,000,000,000",
        None,
    ),
    "autocorrelated exponential": (
        N + RATES.replace("= 1 ", "= 1, autocorrelation = 0.3 ") + FRONT,
        "casualties.rates.battle.autocorrelation",
        "0.3",
        "lognormal",
        None,
    ),
    "mix does not sum": (
        N + "[mix]\nbattle = 0.5\nnbi = 0.5\ndisease = 0.5",
        "mix",
        "'shares that sum to 1.5'",
        "sum to 1",
        None,
    ),
    "mix of nothing": (
        N + "[mix]\nbattle = 0\nnbi = 0\ndisease = 0",
        "mix",
        "'shares that sum to 0'",
        "sum to 1",
        None,
    ),
    "mix without disease": (
        N + "[mix]\nbattle = 0.5\nnbi = 0.5",
        "mix.disease",
        "(missing)",
        "a finite number",
        None,
    ),
    "mix with rates": (
        N + "[mix]\nbattle = 1\nnbi = 0\ndisease = 0\n" + RATES + FRONT,
        "mix",
        "'a mix and rates'",
        "total",
        None,
    ),
    "day weights of another length": (
        N + "days = 3\nday_weights = [1, 2]",
        "day_weights",
        "'2 weights'",
        "one weight per day, 3",
        None,
    ),
    "day weights of nothing": (
        N + "days = 2\nday_weights = [0, 0]",
        "day_weights",
        "[0.0, 0.0]",
        "above 0",
        None,
    ),
    "negative day weight": (
        N + "days = 2\nday_weights = [1, -1]",
        "day_weights[1]",
        "-1",
        "at least 0",
        None,
    ),
    "day weights and tempo": (
        N + "days = 1\nday_weights = [1]\ntempo = 'surge'",
        "day_weights",
        "'day_weights and tempo'",
        "one of the two",
        None,
    ),
    "horizon before the end": (N + "horizon_days = 3", "horizon_days", "3.0", "at least days = 8", None),
    "start is no time": (N + "start = 'tomorrow'", "start", "'tomorrow'", "UTC", None),
    "start without a zone": (
        N + "start = 2030-01-01T00:00:00",
        "start",
        "'2030-01-01T00:00:00'",
        "UTC",
        None,
    ),
    "start too early": (
        N + "start = '1815-06-18T11:00:00Z'",
        "start",
        "'1815-06-18T11:00:00Z'",
        "1900",
        None,
    ),
    "event after the end": (
        N + "[[events]]\nevent = 'ambush'\nday = 9",
        "events[0].day",
        "9",
        "1 to days = 8",
        None,
    ),
    "event on day 0": (N + "[[events]]\nevent = 'ambush'\nday = 0", "events[0].day", "0", "at least 1", None),
    "event at 25 h": (
        N + "[[events]]\nevent = 'ambush'\nhour = 25",
        "events[0].hour",
        "25",
        "below 24",
        None,
    ),
    "event on no front": (
        N + "[[events]]\nevent = 'ambush'\nfront = 'Polnd'",
        "events[0].front",
        "'Polnd'",
        "a front",
        "Poland",
    ),
    "event of another type": (
        N + "[[warfare]]\ntype = 'urban'\n[[events]]\nevent = 'ambush'\ntype = 'naval'",
        "events[0].type",
        "'naval'",
        "urban",
        None,
    ),
    "event without battle": (
        N + "[mix]\nbattle = 0\nnbi = 1\ndisease = 0\n[[events]]\nevent = 'ambush'",
        "events[0]",
        "'ambush'",
        "battle casualties",
        None,
    ),
    "triage does not sum": (
        N + "[triage.battle]\nT1 = 0.5\nT2 = 0.5\nT3 = 0.5",
        'triage["battle"]',
        "'shares that sum to 1.5'",
        "sum to 1",
        None,
    ),
    "triage without T3": (
        N + "[triage.battle]\nT1 = 0.5\nT2 = 0.5",
        'triage["battle"]["T3"]',
        "(missing)",
        "T1, T2 and T3",
        None,
    ),
    "triage of T5": (N + "[triage.battle]\nT5 = 1", 'triage["battle"]["T5"]', "'T5'", "one of T1", None),
    "triage of nobody": (
        N + "[triage.batle]\nT1 = 1",
        'triage["batle"]',
        "'batle'",
        "one of battle",
        "battle",
    ),
    "mechanisms do not sum": (
        N + "[survival.mechanisms]\nexplosion = 0.5",
        "survival.mechanisms",
        "'shares that sum to 0.5'",
        "sum to 1",
        None,
    ),
    "probability above 1": (
        N + "[survival]\ninstant_death = 1.5",
        "survival.instant_death",
        "1.5",
        "at most 1",
        None,
    ),
    "path in the name": ('name = "../../etc/passwd"', "name", "'../../etc/passwd'", "without slashes", None),
    "dots for a name": ('name = ".."', "name", "'..'", "not '.' or '..'", None),
    "control character": ('name = "a\\u0007b"', "name", r"'a\x07b'", "printable", None),
    "blank name": ('name = " "', "name", "' '", "without blanks", None),
    "long name": ('name = "' + "x" * 81 + '"', "name", "'" + "x" * 76 + "...", "1 to 80 characters", None),
    "path in a front": (N + fronts(**{"A/B": 1}), "fronts[0].name", "'A/B'", "without slashes", None),
    "path in a facility": (
        N + "[[facilities]]\nid = 'a\\b'\nrole = 2",
        "facilities[0].id",
        r"'a\\b'",
        "without slashes",
        None,
    ),
    "not TOML": (N + "days = = 3", "scenario, line 2", "'days = = 3'", "TOML", None),
    "unfinished TOML": (N + 'description = "abc', "scenario, line 2", "'description", "TOML", None),
    "key twice": (
        N + "days = 3\ndays = 4",
        "scenario, line 3",
        "'days = 4'",
        "valid TOML (Cannot overwrite",
        None,
    ),
    "empty": ("", "name", "(missing)", "a string", None),
    "nested lists": ("a = " + "[" * 5000, "scenario", "'a = [[[", "nested less deeply", None),
    "nested keys": (
        ".".join("a" * 5000) + " = 1",
        "scenario, line 1",
        "'4,999 dots",
        "at most 50 in a line",
        None,
    ),
    "endless number": (N + "days = " + "9" * 5000, "scenario", "'Exceeds the limit", "in range", None),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_scenario_is_refused_naming_place_value_and_what_is_allowed(case: str) -> None:
    assert_refused(BROKEN[case])


RAW = {
    "200 MB": (
        b"a" * (200 * 1024 * 1024),
        "toml",
        "scenario",
        "'209,715,200 bytes'",
        "at most 4,194,304 bytes",
    ),
    "binary": (b"\x7fELF\x02\x01\n\x00\x01", "toml", "scenario, line 2", "b'\\x7fELF", "without NUL bytes"),
    "Latin-1": (
        "name = 'x'\ndescription = 'Tromsø'".encode("latin-1"),
        "toml",
        "scenario, line 2",
        'b"\\xf8\'"',
        "UTF-8",
    ),
    "JSON list": (b"[1]", "json", "scenario", "[1]", "an object"),
    "not JSON": (
        b'{"name": "x",\n"days": }',
        "json",
        "scenario, line 2",
        "'\"days\": }'",
        "valid JSON (Expecting value",
    ),
    "JSON key twice": (
        b'{"name": "x", "days": 1, "days": 2}',
        "json",
        "scenario",
        "'days'",
        "each key only once",
    ),
    "JSON NaN": (b'{"name": "x", "days": NaN}', "json", "scenario", "'NaN'", "finite numbers"),
    "JSON overflow": (
        b'{"name": "x", "horizon_days": 1e999}',
        "json",
        "horizon_days",
        "inf",
        "a finite number",
    ),
    "JSON null": (b'{"name": null}', "json", "name", "None", "a string"),
    "JSON depth": (b"[" * 100_000, "json", "scenario", "'[[[[", "nested less deeply"),
    "JSON huge": (
        b'{"name": "x", "horizon_days": 1' + b"0" * 400 + b"}",
        "json",
        "horizon_days",
        "1000",
        "a finite",
    ),
    "half a character": (
        b'{"name": "\\ud800"}',
        "json",
        "scenario",
        "'\\\\ud800'",
        "whole Unicode characters",
    ),
}


@pytest.mark.parametrize("case", list(RAW))
def test_bytes_that_hold_no_scenario_are_refused_at_once(case: str) -> None:
    data, form, place, value, allowed = RAW[case]
    begin = time.perf_counter()
    with pytest.raises(ScenarioError) as caught:
        parse(data, form)  # type: ignore[arg-type]
    assert time.perf_counter() - begin < 5
    assert caught.value.place == place
    assert str(caught.value).startswith(f"{place}: got {value}")
    assert allowed in caught.value.allowed


def test_the_place_of_a_broken_file_is_its_name() -> None:
    with pytest.raises(ScenarioError, match=r"^winter\.toml, line 1: got 'days =';"):
        parse(b"days =", "toml", where="winter.toml")


def test_a_mark_at_the_beginning_of_the_file_is_no_mistake() -> None:
    assert parse(b"\xef\xbb\xbfname = 'x'", "toml").name == "x"


def test_a_file_of_the_largest_size_is_read_in_seconds() -> None:
    line = b"# " + b"x" * 97 + b"\n"
    data = b"name = 'x'\n" + line * ((MAX_BYTES - 20) // len(line))
    assert parse(data, "toml").name == "x"


def test_errors_know_their_exit_codes_and_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ScenarioError("fronts[0].share", float("nan"), "a share", "b")))
    assert (str(error), error.exit_code) == (
        "fronts[0].share: got nan; allowed: a share; did you mean 'b'?",
        2,
    )
    assert (GoldenhourError.exit_code, RunError.exit_code, Interrupted.exit_code) == (1, 1, 130)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('battle = { distribution = "constant", mean = 0 }', "casualties.rates"),
        (
            'battle = { distribution = "constant", mean = 0 }\nnbi = { distribution = "constant", mean = 3 }\n'
            '[[events]]\nevent = "ambush"',
            "events[0]",
        ),
    ],
)
def test_rates_of_nothing_are_refused(text: str, place: str) -> None:
    source = (
        'name = "x"\n[[fronts]]\nname = "N"\npopulation = 1000\nnations = { USA = 1.0 }\n'
        f"[casualties.rates]\n{text}\n"
    )
    with pytest.raises(ScenarioError, match=re.escape(place)):
        check(parse(source.encode(), "toml"))

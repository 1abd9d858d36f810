"""Diagnoses that exclude each other: what the catalogue says, and what casualties have."""

import itertools
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import simple_icd_10_cm as icd
from hypothesis import given
from hypothesis import strategies as st

from engine.compile import compile_scenario
from engine.run import Simulation
from engine.scenario import parse, prepare
from scenarios import catalogue
from scenarios.catalogue import Condition

WOUNDS = [condition for condition in catalogue.conditions() if condition.use == "wound"]
KEYS = catalogue.condition_keys()
NUMBER = {condition.code: number for number, condition in enumerate(WOUNDS)}


def exclude(first: str, second: str) -> bool:
    """Whether the wounds with these codes exclude each other."""
    return catalogue.exclude_each_other(KEYS[NUMBER[first]], KEYS[NUMBER[second]])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("S06.0X0A", "S06.2X9A"),  # concussion beside an intracranial injury
        ("S06.0X0A", "S06.0X1A"),  # two levels of consciousness
        ("S06.9X9A", "S06.5X9A"),  # unspecified beside specified
        ("S06.1X9A", "S06.2X9A"),
        ("S05.11XA", "S05.21XA"),  # one globe, one injury
        ("S05.01XA", "T15.01XA"),
        ("S27.321A", "S27.322A"),  # unilateral and bilateral
        ("S27.0XXA", "S27.2XXA"),
        ("S72.301A", "S72.301B"),  # one bone, closed and open
        ("S72.001A", "S72.351B"),
        ("S52.91XB", "S52.201B"),
        ("S81.811A", "S82.201B"),  # an open fracture includes its wound
        ("S01.81XA", "S02.609B"),
        ("S71.111A", "S71.141A"),  # the same skin twice
        ("S70.11XA", "S71.111A"),
        ("S00.03XA", "S01.01XA"),
        ("S31.112A", "S31.642A"),
        ("T31.20", "T31.40"),
        ("T24.311A", "T24.211A"),
        ("S22.31XA", "S22.41XA"),
        ("S78.111A", "S81.811A"),  # beyond an amputation
        ("S78.011A", "S72.301B"),
        ("S78.011A", "T24.231A"),
        ("S88.111A", "S91.321A"),
        ("S88.111A", "S88.011A"),
        ("S88.111A", "T25.221A"),
        ("S58.111A", "S68.110A"),
        ("S68.411A", "S61.411A"),
        ("S98.111A", "S91.311A"),
    ],
)
def test_these_never_meet(first: str, second: str) -> None:
    assert exclude(first, second) and exclude(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("S05.11XA", "S05.22XA"),  # two eyes
        ("S72.301A", "S72.302B"),  # two thighs
        ("S81.811A", "S82.202B"),
        ("S06.5X9A", "S06.4X9A"),
        ("S06.5X9A", "S02.0XXB"),
        ("S88.111A", "S72.301B"),  # nearer than the amputation
        ("S88.111A", "S91.322A"),
        ("S88.111A", "S61.411A"),
        ("S71.111A", "S81.811A"),
        ("S71.111A", "T24.211A"),
        ("S31.112A", "S31.115A"),
        ("S52.201B", "S52.501B"),
        ("S36.116A", "S36.032A"),
        ("T31.20", "T20.20XA"),
    ],
)
def test_these_may_meet(first: str, second: str) -> None:
    assert not exclude(first, second) and not exclude(second, first)


def test_every_wound_excludes_itself_and_most_others_do_not() -> None:
    pairs = list(itertools.combinations(range(0, len(WOUNDS), 7), 2))
    share = sum(catalogue.exclude_each_other(KEYS[a], KEYS[b]) for a, b in pairs) / len(pairs)
    assert 0.01 < share < 0.1
    assert all(catalogue.exclude_each_other(KEYS[number], KEYS[number]) for number in range(len(WOUNDS)))


def test_a_part_of_a_limb_names_its_side_wherever_it_may_be_drawn() -> None:
    for condition in WOUNDS:
        if condition.regions in (("upper_limb",), ("lower_limb",), ("eyes",)) and condition.weight > 0:
            assert condition.side in ("left", "right"), condition.code


def test_what_has_two_sides_or_none_is_on_no_side() -> None:
    for condition in WOUNDS:
        if "bilateral" in condition.display:
            assert condition.side == "both", condition.code
        if re.search(r"heart|aorta|vena cava|spinal cord|vertebra|sternum|body surface", condition.display):
            assert condition.side == "none" or "thorax" not in condition.regions, condition.code


@given(st.sampled_from(WOUNDS), st.sampled_from(WOUNDS))
def test_sharing_a_group_of_one_part_or_another_part_is_what_excludes(
    first: Condition, second: Condition
) -> None:
    """An independent reading of the column."""
    reasons = first.code == second.code
    for mine, other in itertools.product(first.excludes, second.excludes):
        (group, _, part), (group2, _, part2) = mine.partition(":"), other.partition(":")
        if group != group2 or (catalogue.exclusions()[group].parts and part == part2):
            continue
        sides = {first.side, second.side}
        reasons |= catalogue.exclusions()[group].scope == "patient" or sides != {"left", "right"}
    limbs = {condition.regions for condition in (first, second)}
    amputated = first.amputation or second.amputation
    if reasons or not (amputated and len(limbs) == 1 and first.side == second.side):
        assert reasons == exclude_conditions(first, second)


def exclude_conditions(first: Condition, second: Condition) -> bool:
    numbers = WOUNDS.index(first), WOUNDS.index(second)
    return catalogue.exclude_each_other(KEYS[numbers[0]], KEYS[numbers[1]])


# --- casualties

SCENARIOS = {
    "coin": ("guerrilla", 9_000),
    "shells": ("artillery", 9_000),
    "sea": ("naval", 9_000),
    "town": ("urban", 9_000),
}


def draw(warfare: str, total: int, *, exclusions: bool = True) -> Iterator[list[int]]:
    """Yield the conditions of each wounded casualty of a run of a warfare type."""
    text = (
        f'name = "x"\nseed = 5\n[[warfare]]\ntype = "{warfare}"\n[casualties]\ntotal = {total}\n'
        "[mix]\nbattle = 1\nnbi = 0\ndisease = 0\n"
    )
    scenario = prepare(parse(text.encode(), "toml")).resolved
    model = compile_scenario(scenario, 5, 0)
    if not exclusions:
        model["injuries"]["conflicts"] = 0
    for chunk in Simulation(scenario, 5, 0, model=model):
        ends = np.flatnonzero(np.diff(chunk.wounds["patient"])) + 1
        for wounds in np.split(chunk.wounds["condition"], ends):
            yield wounds.tolist()


@cache
def casualties(warfare: str, total: int) -> list[list[int]]:
    """The conditions of each wounded casualty."""
    return list(draw(warfare, total))


def contradictions(patients: list[list[int]]) -> int:
    """Number of pairs of wounds of one patient that exclude each other."""
    known: dict[tuple[int, int], bool] = {}
    found = 0
    for wounds in patients:
        for pair in itertools.combinations(wounds, 2):
            if pair not in known:
                known[pair] = catalogue.exclude_each_other(KEYS[pair[0]], KEYS[pair[1]])
            found += known[pair]
    return found


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_no_two_conditions_of_a_casualty_exclude_each_other(name: str) -> None:
    patients = casualties(*SCENARIOS[name])
    assert sum(map(len, patients)) > 15_000
    assert contradictions(patients) == 0


def test_without_the_table_of_exclusions_they_do() -> None:
    patients = list(draw("guerrilla", 2_000, exclusions=False))
    assert contradictions(patients) > 500


# --- the Excludes1 notes of the classification itself

UNREAD = ("NOS", "drowning", "spontaneous", "obstetric", "nontraumatic", "intracranial portion")
"""Notes that exclude no named code, or only a part of one."""


@cache
def excluded_codes(code: str) -> tuple[tuple[str, str, bool], ...]:
    """First and last code of each Excludes1 note on a code, and whether only open fractures are meant."""
    found = []
    for ancestor in [code, *icd.get_ancestors(code)]:
        for note in icd.get_excludes1(ancestor):
            if any(word in note for word in UNREAD):
                continue
            opened = "open" in note and "fracture" in note
            spans = re.findall(r"([A-Z]\d\d(?:\.\w+)?)\.?-? to ([A-Z]\d\d(?:\.\w+)?)", note)
            single = re.findall(r"[A-Z]\d\d(?:\.\w+)?", note)
            ends = {end for span in spans for end in span}
            found += [(first, last, opened) for first, last in spans]
            found += [(each, each, opened) for each in single if each not in ends]
    return tuple(found)


@cache
def noted(first: int, second: int) -> bool:
    """Whether a note of the first condition excludes the second, which is not on the other side of the body."""
    one, other = WOUNDS[first], WOUNDS[second]
    if {one.side, other.side} == {"left", "right"}:
        return False
    for low, high, opened in excluded_codes(one.code):
        inside = low <= other.code[: len(low)] and other.code[: len(high)] <= high
        if inside and (not opened or other.code[-1] in "BC"):
            return True
    return False


def test_the_notes_are_read() -> None:
    assert noted(NUMBER["S06.0X0A"], NUMBER["S06.2X9A"])
    assert noted(NUMBER["S81.811A"], NUMBER["S82.201B"])
    assert not noted(NUMBER["S81.811A"], NUMBER["S82.201A"])
    assert not noted(NUMBER["S81.812A"], NUMBER["S82.201B"])
    assert sum(bool(excluded_codes(condition.code)) for condition in WOUNDS) > 500


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_no_casualty_breaks_an_excludes1_note(name: str) -> None:
    broken: dict[tuple[str, str], int] = {}
    for wounds in casualties(*SCENARIOS[name]):
        for first, second in itertools.permutations(wounds, 2):
            if noted(first, second):
                codes = WOUNDS[first].code, WOUNDS[second].code
                broken[codes] = broken.get(codes, 0) + 1
    assert broken == {}


def test_a_listed_casualty_cannot_have_what_excludes_each_other() -> None:
    from engine.errors import ScenarioError

    def check(codes: str) -> Any:
        text = f'name = "x"\n[[incidents]]\nat = "day 1 09:30"\nfront = "Estonia"\nconditions = [{codes}]\n'
        return prepare(parse(text.encode(), "toml"))

    check('"S88.111A", "S72.301B"')
    with pytest.raises(ScenarioError, match=r"S88.111A and S91.321A.*have together"):
        check('"S88.111A", "S91.321A"')

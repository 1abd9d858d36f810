"""Clinical rules (tests/clinical_rules) on records of all built-in scenarios, and the algebra they are written in."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import scenarios
from bench import clinical_rules as runner
from bench.clinical import rules as clinical_rules
from bench.clinical.builtins import builtin
from bench.clinical.codebook import excluded_codes
from bench.clinical.columns import NEVER, Rows, TablesDiffer, count, first, has, last, meet, value_at_first
from bench.clinical.rules import Checker, Count, Rule, Today

PATIENTS = 4_000

PEOPLE = Rows("patients", np.arange(4))
DRUGS = Rows("treatments", np.array([0, 0, 1, 3]), PEOPLE)
SIGNS = Rows("vitals", np.array([0, 1, 1]), PEOPLE)


@cache
def checked() -> tuple[Count, ...]:
    checker = Checker(clinical_rules.load())
    runner.check(list(scenarios.builtin_names()), PATIENTS, 5, checker)
    return tuple(checker.counts)


# --- the rules


def test_there_are_at_least_eighty_rules_of_each_kind_some() -> None:
    kinds = [rule.kind for rule in clinical_rules.load()]
    assert len(kinds) >= 80
    assert min(kinds.count(kind) for kind in clinical_rules.KINDS) >= 20


def test_a_rule_says_why_and_where_to_look_it_up() -> None:
    for rule in clinical_rules.load():
        assert all((rule.condition, rule.then, rule.reason, rule.source)), rule.id
        assert rule.then.split()[0] in ("always", "never", "seldom", "almost", "at"), rule.id


def test_the_file_of_today_has_every_rule_and_no_other() -> None:
    assert list(clinical_rules.today()) == [rule.id for rule in clinical_rules.load()]


def test_a_rule_on_codes_allows_no_violation() -> None:
    assert {rule.allowed for rule in clinical_rules.load() if rule.kind == "codes"} == {0.0}


def test_the_rules_are_as_the_file_of_today_says() -> None:
    changed = runner.differences(list(checked()), clinical_rules.today())
    assert not changed, "\n".join(changed)


def test_most_rules_apply_to_somebody() -> None:
    applied = [each for each in checked() if each.applies]
    assert len(applied) >= 80


# --- what the test would find


def rule(**fields: str) -> Rule:
    given = {
        "id": "any",
        "condition": "x",
        "then": "never y",
        "reason": "r",
        "source": "s",
        "applies": "dead",
    }
    return Rule(**(given | {"never": "survivor", "kind": "course"} | fields))


def test_a_rule_that_held_and_is_broken_is_reported() -> None:
    then = {"any": Today("holds", 1000, 0)}
    assert runner.differences([Count(rule(), applies=1000, violations=30)], then)
    assert not runner.differences([Count(rule(), applies=1000, violations=2)], then)
    assert runner.differences([Count(rule(kind="codes"), applies=1000, violations=1)], then)


def test_a_rule_that_did_not_hold_and_does_now_is_reported() -> None:
    then = {"any": Today("not yet", 1000, 300)}
    assert runner.differences([Count(rule(), applies=100, violations=0)], then)
    assert not runner.differences([Count(rule(), applies=100, violations=25)], then)
    assert not runner.differences([Count(rule(), applies=10, violations=0)], then), "too few to tell"


def test_a_rule_that_applied_to_nobody_and_is_broken_is_reported() -> None:
    then = {"any": Today("dormant", 0, 0)}
    assert runner.differences([Count(rule(), applies=100, violations=50)], then)
    assert not runner.differences([Count(rule(), applies=100, violations=0)], then)


def test_a_rule_finds_its_offenders() -> None:
    """Everybody with a tourniquet breaks a rule that forbids tourniquets, and nobody one that forbids the rest."""
    forbidden = rule(id="none", applies="patients.everything()", never="given('tourniquet')")
    contrary = rule(id="all", applies="given('tourniquet')", never="~given('tourniquet')")
    checker = Checker([forbidden, contrary])
    number = checker.run(builtin("coin", 500), "coin", 500, 3)
    none, everyone = checker.counts
    assert none.applies == number == 500
    assert none.violations == everyone.applies > 10
    assert everyone.violations == 0
    assert none.examples and none.scenarios == {"coin": none.violations}


def test_a_rule_that_needs_what_records_do_not_have_is_not_judged() -> None:
    checker = Checker([rule(applies="has(patients.litter > 0)")])
    checker.run(builtin("coin", 50), "coin", 50, 3)
    assert checker.counts[0].needs == "patients.litter"
    assert checker.counts[0].state == "dormant"


@pytest.mark.parametrize(
    "expression",
    [
        "given('turniquet')",
        "diagnosed('no_such_set')",
        "vitals.no_such_sign > 1",
        "wounds.ais > 2",
        "nobody_knows",
    ],
)
def test_a_wrong_expression_is_an_error(expression: str) -> None:
    checker = Checker([rule(applies=expression)])
    with pytest.raises(clinical_rules.RuleError, match="any"):
        checker.run(builtin("coin", 50), "coin", 50, 3)


# --- the algebra


def test_columns_of_patients_combine_with_those_of_other_tables() -> None:
    late = DRUGS.column([10, 20, 30, 40]) > PEOPLE.column([15, 15, 35, 35])
    assert late.values.tolist() == [False, True, True, True]
    assert (
        PEOPLE.column([15, 15, 35, 35]) < DRUGS.column([10, 20, 30, 40])
    ).values.tolist() == late.values.tolist()
    with pytest.raises(TablesDiffer):
        _ = DRUGS.column([1, 2, 3, 4]) > SIGNS.column([1, 2, 3])
    with pytest.raises(TypeError):
        bool(late)


def test_rows_are_summed_up_by_patient() -> None:
    at = DRUGS.column([30, 20, 5, 7])
    chosen = at > 6
    assert has(chosen).values.tolist() == [True, False, False, True]
    assert count(chosen).values.tolist() == [2, 0, 0, 1]
    assert first(at, chosen).values.tolist() == [20, NEVER, NEVER, 7]
    assert last(at, chosen).values.tolist() == [30, -NEVER, -NEVER, 7]
    value = value_at_first(at, chosen).values
    assert value[[0, 3]].tolist() == [30, 7]
    assert np.isnan(value[[1, 2]]).all()


def test_two_rows_meet_but_a_row_does_not_meet_itself() -> None:
    wounds = Rows("wounds", np.array([0, 0, 1, 1, 2]), PEOPLE)
    side = wounds.column([1, 1, 1, 2, 1])
    burnt = wounds.column([True, False, True, False, True])
    cut = wounds.column([False, True, False, True, True])
    assert meet(burnt, cut, side).values.tolist() == [True, False, False, False]
    assert meet(burnt, burnt, side).values.tolist() == [False, False, False, False]
    assert meet(burnt | cut, burnt | cut, side).values.tolist() == [True, False, False, False]


def test_the_code_book_says_what_excludes_each_other() -> None:
    codes = ("S06.0X1A", "S06.5X1A", "S71.101A", "S72.301B", "S72.301A", "S78.111A", "S22.41XA", "S22.5XXA")
    excluded = excluded_codes(codes)

    def meets(one: str, other: str) -> bool:
        return bool(excluded[codes.index(one), codes.index(other)])

    assert meets("S06.0X1A", "S06.5X1A")
    assert meets("S71.101A", "S72.301B") and not meets("S71.101A", "S72.301A"), "only the open fracture"
    assert meets("S72.301A", "S78.111A")
    assert meets("S22.41XA", "S22.5XXA")
    assert not meets("S06.5X1A", "S72.301B")
    assert np.array_equal(excluded, excluded.T)


def test_the_state_of_a_count() -> None:
    held = Count(rule(), applies=1000, violations=1)
    assert held.state == "holds"
    assert replace(held, violations=2).state == "not yet"
    assert replace(held, applies=0, violations=0).state == "dormant"
    assert replace(held, needs="vitals.pain").state == "dormant"

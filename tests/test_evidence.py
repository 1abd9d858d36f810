"""Where the settings of built-in scenarios come from: the lists are complete and true, and are printed as they are."""

import json
from typing import Any

import pytest

import scenarios
from actors.cluster import PACKAGE_ROOT
from engine.scenario import BASES, SEEN, Evidence, Scenario, builtin_evidence, evidence_of, parse
from engine.scenario.evidence_page import page

NAMES = ("coin", "falklands", "okinawa", "lsco", "nerve_agent", "warship_hit")
ROW = {"basis": "judgement", "source": "a reason of ours", "seen": ""}


def scenario(text: str = "") -> Scenario:
    return parse(f'name = "small"\n{text}'.encode(), "toml")


def rows(*settings: str, **fields: str) -> list[dict[str, str]]:
    return [{**ROW, "setting": setting, **fields} for setting in settings]


def builtin(name: str) -> Scenario:
    return parse(scenarios.builtin_bytes(name), "toml", name)


def test_six_scenarios_have_a_list() -> None:
    assert set(scenarios.evidence_names()) == set(NAMES)
    with pytest.raises(KeyError):
        scenarios.evidence_rows("standard")


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_has_a_row_and_every_row_a_setting(name: str) -> None:
    found = builtin_evidence(name)  # raises ValueError otherwise
    assert len(found) == len(scenarios.evidence_rows(name)) >= 10
    for one in found:
        assert one.value, one
        assert one.basis in BASES and one.seen in ("", *SEEN), one
        assert bool(one.seen) or one.basis != "published", one
    assert {"published", "judgement"} <= {one.basis for one in found}


@pytest.mark.parametrize("name", NAMES)
def test_a_row_less_is_missed_and_a_row_more_is_refused(name: str) -> None:
    given = scenarios.evidence_rows(name)
    missed = 0
    for number, row in enumerate(given):
        try:
            evidence_of(builtin(name), given[:number] + given[number + 1 :])
        except ValueError:
            missed += 1
        else:  # what it was about belongs to the table around it, which another row names
            assert any(
                other["setting"] != row["setting"]
                and other["setting"].split("]")[0].rstrip("*") <= row["setting"]
                for other in given
            )
    assert missed >= 10
    with pytest.raises(ValueError, match="no setting"):
        evidence_of(builtin(name), [*given, *rows("facilities[R9].icu_beds")])
    with pytest.raises(ValueError, match="2 rows"):
        evidence_of(builtin(name), [*given, given[0]])


def test_a_new_setting_without_a_row_is_named() -> None:
    text = 'days = 3\n[[facilities]]\nid = "R2"\nrole = 2\nicu_beds = 4\n'
    settings = ("days", "facilities[R2].role")
    with pytest.raises(ValueError, match=r"facilities\.R2\.icu_beds"):
        evidence_of(scenario(text), rows(*settings))
    assert len(evidence_of(scenario(text), rows(*settings, "facilities[R2].icu_beds"))) == 3


def test_the_row_with_the_longest_path_is_about_a_setting() -> None:
    text = (
        '[[facilities]]\nid = "R1-{n}"\ncount = 2\nrole = 1\ntriage_teams = 1\nward_beds = 9\n'
        '[[facilities]]\nid = "R2"\nrole = 2\nicu_beds = 4\n'
    )
    given = rows("facilities[R1-*]", "facilities[*].role", "facilities[R2].role", "facilities[R*]")
    found = {one.setting: one.value for one in evidence_of(scenario(text), given)}
    assert found == {
        "facilities[R1-*]": "triage_teams = 1, ward_beds = 9",
        "facilities[*].role": "1",
        "facilities[R2].role": "2",
        "facilities[R*]": "icu_beds = 4",
    }


def test_the_name_of_an_entry_is_no_setting_but_an_entry_without_others_is_one() -> None:
    text = 'description = "what it is"\n[[warfare]]\ntype = "naval"\n[[events]]\nevent = "ambush"\ntype = "drone"\n'
    found = evidence_of(scenario(text), rows("warfare[naval]", "events[0]"))
    assert [one.value for one in found] == ['{ type = "naval" }', 'event = "ambush", type = "drone"']


def test_values_that_differ_between_entries_are_all_shown() -> None:
    text = "".join(
        f'[[fronts]]\nname = "{n}"\npopulation = {p}\nnations = {{ GBR = 1 }}\n' for n, p in ("A7", "B9")
    )
    found = evidence_of(scenario(text), rows("fronts[*].population", "fronts[*].nations"))
    assert [one.value for one in found] == ["7, 9", "{ GBR = 1.0 }"]


@pytest.mark.parametrize(
    "fields",
    [{"basis": "certain"}, {"basis": "published"}, {"source": "?"}, {"seen": "hearsay"}],
)
def test_a_faulty_row_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="days"):
        evidence_of(scenario("days = 3"), rows("days", **fields))


def test_what_is_published_is_the_value_of_the_source() -> None:
    """A sample, copied from the sources by hand."""
    found = {(name, one.setting): one for name in NAMES for one in builtin_evidence(name)}
    for name, setting, value in (
        ("coin", "fronts[Area of operations].population", "4122"),
        ("warship_hit", "fronts[Frigate].population", "221"),
        ("warship_hit", "facilities[R2-Afloat].icu_beds", "30"),
        ("warship_hit", "facilities[R2-Afloat].ward_beds", "70"),
        ("warship_hit", "vehicles[*].unload_minutes", "1.43"),
        ("nerve_agent", "facilities[R1-*].policy_days", "3.0"),
    ):
        one = found[name, setting]
        assert (one.value, one.basis) == (value, "published")
    assert "mean = 6.86" in found["lsco", "casualties.rates.battle"].value
    hits = [int(found["warship_hit", f"incidents[{n}].number"].value) for n in range(4)]
    assert (hits[0] + hits[1], hits[2] + hits[3]) == (37 + 21, 20 + 26)


# --- the command and the page


@pytest.mark.parametrize("name", NAMES)
def test_the_command_prints_the_list(call: Any, name: str) -> None:
    answer = call("scenarios", "assumptions", name, "--json")
    assert answer.code == 0, answer.err
    printed = [Evidence(**row) for row in json.loads(answer.out)]
    assert printed == builtin_evidence(name)
    shown = call("scenarios", "assumptions", name)
    assert shown.code == 0, shown.err
    words = "".join(shown.out.split())
    for one in printed:
        assert one.basis in words
        assert "".join(one.setting.split())[:12] in words
    counts = [sum(one.basis == basis for one in printed) for basis in BASES]
    line = ", ".join(f"{count} {basis}" for count, basis in zip(counts, BASES, strict=True) if count)
    assert shown.out.splitlines()[-1] == line


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("standard", "has no list"),
        ("okinwa", "did you mean 'okinawa'?"),
        ("mine.toml", "no built-in scenario 'mine.toml'"),
    ],
)
def test_a_scenario_without_a_list_is_refused_with_the_names_of_those_with_one(
    call: Any, name: str, words: str
) -> None:
    answer = call("scenarios", "assumptions", name)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err
    assert all(each in answer.err for each in NAMES)


def test_the_page_is_the_one_that_the_lists_give() -> None:
    text = (PACKAGE_ROOT / "docs" / "evidence.md").read_text("utf-8")
    assert text == page(), "make docs"
    for name in NAMES:
        section = text.split(f"## `{name}`")[1].split("\n## ")[0]
        assert section.count("\n| `") == len(builtin_evidence(name))

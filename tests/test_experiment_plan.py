"""The file of an experiment: what it may say, how mistakes are reported, and which points follow from it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import GoldenhourError, InputError, ScenarioError
from engine.experiments import (
    DESIGN_NUMBERS,
    completed,
    design_of,
    parse_plan,
    parse_plan_text,
    plan_to_toml,
    prepare_base,
    prepare_point,
)
from engine.scenario import assumptions_of, scenario_of, to_toml
from goldenhour.result import load_scenario

TEAMS, TABLES, WARD = (
    f"facilities[R2-North].{field}" for field in ("surgical_teams", "operating_tables", "ward_beds")
)
PLAN = f"""\
name = "teams and tables"
scenario = "brigade"
seed = 1
settings = {{ "{WARD}" = 10 }}

[design]
kind = "full factorial"

[[factors]]
path = "{TEAMS}"
levels = [1, 2]

[[factors]]
path = "{TABLES}"
low = 1
high = 3

[replications]
first = 50
most = 1000
half_width = {{ deaths = 0.2, surgery = "5 %" }}

[results]
quantiles = [0.5, 0.9]
formulas = {{ cost = "2 * surgery + deaths / 3" }}
"""
BRIGADE, ORIGIN = load_scenario("brigade")


def points_of(text, **given):
    plan, read = parse_plan_text(text.encode(), "my.toml")
    return design_of(plan, prepare_base(plan, BRIGADE, ORIGIN), text=read, **given)


def design(kind, factors, more=""):
    lines = "\n".join(f"[[factors]]\n{factor}" for factor in factors)
    return f'scenario = "brigade"\n[design]\nkind = "{kind}"\n{more}\n{lines}\n'


def factor(path, values):
    return f'path = "{path}"\n{values}'


# --- reading and writing


def test_a_plan_is_written_with_all_defaults_and_read_again():
    plan = completed(parse_plan(PLAN.encode()))
    assert parse_plan(plan_to_toml(plan).encode()) == plan
    assert 'kind = "Morris"\ntrajectories = 20\ngrid = 4\nseed = 0\n' in plan_to_toml(
        completed(parse_plan(PLAN.replace("full factorial", "Morris").encode()))
    )


def test_a_plan_is_written_with_its_whole_scenario():
    again = parse_plan(plan_to_toml(parse_plan(PLAN.encode()), BRIGADE).encode())
    assert isinstance(again.scenario, dict)
    assert to_toml(scenario_of(again.scenario)) == to_toml(BRIGADE)
    assert parse_plan(plan_to_toml(again).encode()) == again


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("full factorial", "ful factorial", "did you mean 'full factorial'? (my.toml, line 7)"),
        ("high = 3", "hihg = 3", "did you mean 'high'? (my.toml, line 16)"),
        ("low = 1\nhigh = 3", "low = 1", "factors[1].high: got (missing); allowed: both low and high"),
        ("high = 3", "high = 0", "factors[1].high: got 0; allowed: above low, 1 (my.toml, line 16)"),
        ("[1, 2]", "[1]", "a single one changes nothing (my.toml, line 11)"),
        ("[1, 2]", "[1, 1]", "factors[0].levels[1]: got 1; allowed: different levels (my.toml, line 11)"),
        (TABLES, TEAMS, "a name of its own; factors[0] has it too"),
        ("[1, 2]", "[1, 2]\nlow = 1", "levels, or low and high, but not both"),
        ("full factorial", "list", 'one or more [[points]] with settings each, for kind = "list"'),
        ('kind = "full', 'base = 8\nkind = "full', 'only with kind = "Sobol indices" (my.toml, line 7)'),
        (
            "full factorial",
            'Sobol sequence"\npoints = 100 #"',
            "got 100; allowed: a power of 2, such as 64",
        ),
        ("[1, 2]", '[1, 2]\ngroup = "a"', "groups only with kind"),
        ("most = 1000", "count = 100", "nothing beside count"),
        ("first = 50", "first = 10", "at least 20: with fewer the variance is too uncertain"),
        ("most = 1000", "most = 40", "at least 50, the replications before the first look"),
        ("deaths = 0.2", "death = 0.2", "did you mean 'deaths'? (my.toml, line 21)"),
        ("5 %", "500 %", 'such as "5 %", above 0 and below 100 %'),
        ("deaths = 0.2", "deaths = -0.2", "allowed: a number above 0"),
        (
            "[0.5, 0.9]",
            "[0.5, 1.9]",
            "results.quantiles[1]: got 1.9; allowed: a finite number, above 0 and below 1 (my.toml, line 24)",
        ),
        (
            "[0.5, 0.9]",
            "[0.5, 0.9, 0.5]",
            "results.quantiles[2]: got 0.5; allowed: different probabilities (my.toml, line 24)",
        ),
        (
            "surgery + deaths",
            "surgery + + (deaths",
            "allowed: at character 28: ) or an operator, not the end (my.toml, line 25)",
        ),
        (
            "cost =",
            "deaths =",
            "results.formulas[\"deaths\"]: got 'deaths'; allowed: a name that no measure has",
        ),
        ('"5 %"', '"0.2 or 0 %"', 'or both: "0.2 or 5 %" (my.toml, line 21)'),
        ("quantiles", 'measures = "every"\nquantiles', 'a list of measures, or "all"'),
        ('scenario = "brigade"\n', "", "scenario: got (missing)"),
        ("seed = 1", "seed = -1", "at least 0"),
    ],
)
def test_a_mistake_is_reported_with_its_place_and_line(old, new, message):
    assert old in PLAN
    with pytest.raises(ScenarioError) as found:
        parse_plan(PLAN.replace(old, new).encode(), "my.toml")
    assert message in str(found.value)


# --- factors in the scenario


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("surgical_teams", "surgical_team", "did you mean 'surgical_teams'? (factors[0], my.toml, line 9)"),
        ("R2-North].surgical", "R2-Nort].surgical", "did you mean 'R2-North'?"),
        ("[1, 2]", "[1, 2000000]", "got 2000000; allowed: a whole number, at least 1 and at most 1,000,000"),
        ("[1, 2]", "[1, 2.5]", "got 2.5; allowed: a whole number"),
        ("high = 3", "high = 3.5", "factors[1].high: got 3.5; allowed: a whole number"),
        (TEAMS, "seed", "factor 'seed' changes nothing: all of its levels, 1, 2, give the same scenario"),
        ("quantiles", "baseline = 4\nquantiles", "the number of a point, 0 to 3"),
        ("quantiles", 'baseline = "R2"\nquantiles', '"first", "none", the number of a point'),
    ],
)
def test_factors_are_tried_in_the_scenario_before_anything_is_simulated(old, new, message):
    assert old in PLAN
    with pytest.raises(GoldenhourError) as found:
        points_of(PLAN.replace(old, new))
    assert message in str(found.value)
    assert found.value.exit_code == 2


def test_a_level_that_equals_another_is_noted():
    found = points_of(
        design("full factorial", [factor("tempo", "levels = ['none', 'sustained', 'escalating']")])
    )
    assert "factor 'tempo': 'sustained' and 'none' give the same scenario" in found.notes


def test_a_design_of_a_billion_points_is_refused_with_its_price():
    fields = ("icu_beds", "treatment_bays", "triage_teams", "blood_units", "ward_beds", "surgical_teams")
    paths = [f"facilities[R2-North].{field}" for field in fields]
    paths += [f"facilities[R3].{field}" for field in ("icu_beds", "treatment_bays", "triage_teams")]
    text = design("full factorial", [factor(path, f"levels = {list(range(1, 11))}") for path in paths])
    with pytest.raises(
        InputError, match="1,000,000,000 points, 100,000,000,000 replications, about 32 years"
    ):
        points_of(text, seconds=0.01)


def test_the_last_factor_of_a_factorial_varies_fastest_and_ranges_use_their_ends():
    found = points_of(PLAN)
    assert [point.values for point in found] == [(1, 1), (1, 3), (2, 1), (2, 3)]
    assert found[1].label == "R2-North.surgical_teams=1; R2-North.operating_tables=3"
    assert found[1].settings == ((TEAMS, 1), (TABLES, 3))
    assert found.baseline == 0


def test_a_point_is_the_scenario_with_its_settings_and_those_of_the_plan():
    plan = parse_plan(PLAN.encode())
    base = prepare_base(plan, BRIGADE)
    point = design_of(plan, base)[3]
    facility = next(f for f in prepare_point(plan, base, point).resolved.facilities if f.id == "R2-North")
    assert (facility.surgical_teams, facility.operating_tables, facility.ward_beds) == (2, 3, 10)


def test_one_at_a_time_keeps_the_scenario_as_it_is_but_for_one_factor():
    factors = [factor(TEAMS, "levels = [1, 2, 3]"), factor(TABLES, "low = 1\nhigh = 4")]
    found = points_of(design("one at a time", factors))
    assert found[0].settings == ()
    assert found[0].label == "as it is"
    assert found[0].values == (2, 2)
    changed = [(TEAMS, 1), (TEAMS, 3), (TABLES, 1), (TABLES, 4)]
    assert [point.settings for point in found][1:] == [(one,) for one in changed]
    assert found[2].label == "R2-North.surgical_teams=3"


def test_ranges_of_whole_settings_are_whole_and_others_are_not():
    factors = [factor(WARD, "low = 5\nhigh = 20"), factor("retriage_minutes", "low = 10\nhigh = 60")]
    found = points_of(design("Latin hypercube", factors, "points = 32"))
    beds, minutes = zip(*(point.values for point in found), strict=True)
    assert set(beds) == set(range(5, 21))
    assert all(isinstance(value, int) for value in beds)
    assert len(set(minutes)) == 32
    assert all(isinstance(value, float) for value in minutes)
    assert found.baseline is None


def test_a_constant_of_the_model_that_is_whole_has_whole_values():
    path = "model.casualties.triage.immediate_minutes"
    found = points_of(design("Latin hypercube", [factor(path, "low = 200\nhigh = 280")], "points = 20"))
    assert all(isinstance(point.values[0], int) for point in found)
    own = points_of(design("one at a time", [factor(path, "levels = [200, 280]")]))
    assert own[0].values == (240,)


def test_a_list_has_labels_and_says_which_points_are_the_same():
    text = f"""scenario = "brigade"
[[points]]
label = "one team"
settings = {{ "{TEAMS}" = 1 }}
[[points]]
settings = {{ "{TEAMS}" = 3, "{TABLES}" = 3 }}
[[points]]
label = "two teams"
[results]
baseline = "two teams"
"""
    found = points_of(text)
    made = "R2-North.surgical_teams=3; R2-North.operating_tables=3"
    assert [point.label for point in found] == ["one team", made, "two teams"]
    assert [point.values for point in found] == [(1, 2), (3, 3), (2, 2)]
    assert found.baseline == 2
    again = points_of(text.replace("= 1 }", "= 2 }"))
    assert "the points 'one team' and 'two teams' are the same scenario" in again.notes


def test_shares_stay_on_the_simplex():
    paths = ["mix.battle", "mix.disease", "mix.nbi"]
    text = (
        design("Latin hypercube", [factor("casualties.total", "levels = [100, 200]")], "points = 16")
        + f"""
[[shares]]
paths = {paths}
"""
    )
    plan, read = parse_plan_text(text.encode())
    plan = parse_plan(text.replace('scenario = "brigade"', 'scenario = "standard"').encode())
    standard, origin = load_scenario("standard")
    base = prepare_base(plan, standard, origin)
    found = design_of(plan, base, text=read)
    assert found.names == ("casualties.total", *paths)
    for point in found:
        assert sum(point.values[1:]) == pytest.approx(1.0, abs=1e-12)
        assert prepare_point(plan, base, point).resolved.mix.battle == point.values[1]
    with pytest.raises(ScenarioError, match="shares only with kind"):
        parse_plan(text.replace("Latin hypercube", "full factorial").replace("points = 16", "").encode())


def test_groups_have_one_effect():
    factors = [
        factor(TEAMS, 'levels = [1, 2, 3, 4]\ngroup = "surgery"'),
        factor(TABLES, 'low = 1\nhigh = 4\ngroup = "surgery"'),
        factor(WARD, "low = 5\nhigh = 20"),
    ]
    found = points_of(design("Morris", factors, "trajectories = 5"))
    assert len(found) == 5 * 3
    assert found.effects == ("surgery", "R2-North.ward_beds") and found.groups == (0, 0, 1)
    assert len(points_of(design("Sobol indices", factors, "base = 8"))) == 8 * 4


@pytest.mark.parametrize(
    ("factors", "more", "message"),
    [
        (
            [
                'name = "a"\npath = "days"\nlow = 1\nhigh = 9',
                f'path = "{WARD}"\nlow = 1\nhigh = 9\ngroup = "a"',
            ],
            "",
            "factors[1].group: got 'a'; allowed: a name that no factor outside the group has; factors[0] has it",
        ),
        (
            ['name = "a"\npath = "days"\nlow = 1\nhigh = 9'],
            '[[shares]]\nname = "a"\npaths = ["x.b", "x.c"]',
            "shares[0].name: got 'a'; allowed: a name of its own; factors[0] has it too",
        ),
        (
            ['path = "days"\nlow = 1\nhigh = 9\ngroup = "a"'],
            '[[shares]]\nname = "a"\npaths = ["x.b", "x.c"]',
            "shares[0].name: got 'a'; allowed: a name of its own; a group has it too",
        ),
        (
            [],
            '[[shares]]\nname = "a"\npaths = ["x.b", "x.c"]\n[[shares]]\nname = "a"\npaths = ["y.b", "y.c"]',
            "shares[1].name: got 'a'; allowed: a name of its own; shares[0] has it too",
        ),
        (
            ['name = "x.b"\npath = "days"\nlow = 1\nhigh = 9'],
            '[[shares]]\npaths = ["x.b", "x.c"]',
            "shares[0].paths[0]: got 'x.b'; allowed: a setting whose name, x.b, differs from that of factors[0]",
        ),
    ],
)
def test_two_effects_of_one_name_are_refused(factors, more, message):
    """They would be added up without a word."""
    with pytest.raises(ScenarioError) as found:
        parse_plan((design("Morris", factors) + more).encode())
    assert message in str(found.value)


def test_a_factor_may_have_the_name_of_its_own_group():
    factors = [
        'name = "a"\ngroup = "a"\npath = "days"\nlow = 1\nhigh = 9',
        f'group = "a"\npath = "{WARD}"\nlow = 1\nhigh = 9',
    ]
    assert len(parse_plan(design("Morris", factors).encode()).factors) == 2


def test_assumptions_are_drawn_from_their_ranges_and_a_range_of_the_plan_replaces_one():
    tourniquet = next(one for one in assumptions_of(BRIGADE) if one.name == "tourniquet works")
    plain = points_of(design("assumptions", [], "points = 200"))
    assert set(plain.names) == {one.name for one in assumptions_of(BRIGADE)}
    values = [point.values[plain.names.index("tourniquet works")] for point in plain]
    assert tourniquet.low < min(values) < np.mean(values) < max(values) < tourniquet.high
    assert abs(np.mean(values) - (tourniquet.low + tourniquet.mode + tourniquet.high) / 3) < 0.01
    factors = [factor(tourniquet.path, "low = 0.2\nhigh = 0.9"), factor(WARD, "levels = [5, 20]")]
    given = points_of(design("assumptions", factors, "points = 200"))
    assert len(given.names) == len(plain.names) + 1
    column = given.paths.index((tourniquet.path,))
    assert min(point.values[column] for point in given) < 0.4
    assert {point.values[given.paths.index((WARD,))] for point in given} == {5, 20}
    assert prepare_point(
        parse_plan(PLAN.encode()), prepare_base(parse_plan(PLAN.encode()), BRIGADE), given[0]
    ).hash


# --- hostile files

PARTS = st.sampled_from(
    [
        "1",
        "-1",
        "1e308",
        "nan",
        "'x'",
        "[]",
        "{}",
        "true",
        "none",
        "\n",
        "=",
        "[",
        "}",
        "low",
        "[[shares]]\n",
        "9" * 30,
    ]
    + [
        '"5 %"',
        "2030-01-01",
        "\0",
        "\xe9",
        "'''",
        "#",
        '"facilities[R2-North]"',
        '"model"',
        '"a..b"',
        "group = 'g'\n",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(PLAN)), st.integers(0, 12), PARTS, st.sampled_from(list(DESIGN_NUMBERS)))
def test_a_damaged_file_is_refused_or_written_and_read_again(place, removed, part, kind):
    text = PLAN[:place] + part + PLAN[place + removed :]
    try:
        plan = completed(parse_plan(text.replace("full factorial", kind).encode()))
        found = points_of(plan_to_toml(plan))
    except GoldenhourError as error:
        assert error.exit_code == 2
    else:
        assert parse_plan(plan_to_toml(plan).encode()) == plan
        assert found[len(found) - 1].label

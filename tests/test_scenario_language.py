"""How planners write scenarios: entries that override a network, numbers for distributions, places of mistakes."""

import json
import pickle
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.errors import InputError, ScenarioError
from engine.scenario import (
    Distribution,
    Scenario,
    ScenarioOverrides,
    check,
    parse,
    resolve,
    scenario_hash,
    to_toml,
)
from engine.scenario.near_matches import near_id
from engine.scenario.toml_lines import line_of, setting_lines
from goldenhour import scenario_files
from goldenhour.cli.scenario_sources import prepare_source

BRIGADE = 'name = "x"\nnetwork = "brigade"\n[[fronts]]\nname = "North"\npopulation = 4000\nnations = { GBR = 1.0 }\n'


def brigade(text: str) -> Scenario:
    return parse((BRIGADE + text).encode(), "toml")


def refused(text: str) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        check(parse(text.encode(), "toml"))
    return caught.value


# --- overrides of a network


def test_an_entry_that_overrides_one_of_a_network_needs_its_id_and_what_differs() -> None:
    short = brigade(
        '[[facilities]]\nid = "R2-North"\nward_beds = 5\n[[vehicles]]\nid = "medevac"\nspeed_kmh = 50.0\n'
    )
    network = resolve(brigade(""))
    facility = next(f for f in network.facilities if f.id == "R2-North")
    pool = next(p for p in network.vehicles if p.id == "medevac")
    full = brigade(
        f'[[facilities]]\nid = "R2-North"\nrole = {facility.role}\nkind = "{facility.kind}"\nward_beds = 5\n'
        f'[[vehicles]]\nid = "medevac"\nkind = "{pool.kind}"\nnumber = {pool.number}\nspeed_kmh = 50.0\n'
    )
    assert check(short) == check(full)
    assert resolve(short) == resolve(full)
    assert [f.ward_beds for f in resolve(short).facilities if f.id == "R2-North"] == [5]
    assert [p.number for p in resolve(short).vehicles if p.id == "medevac"] == [pool.number]


@pytest.mark.parametrize("commented", [False, True])
def test_a_written_override_stays_as_short_as_it_was(commented: bool) -> None:
    scenario = brigade('[[facilities]]\nid = "R2-North"\nward_beds = 5\n')
    text = to_toml(scenario, commented)
    assert parse(text.encode(), "toml") == scenario
    assert "\nrole = " not in text


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[[facilities]]\nid = "R2-South"\nward_beds = 5', "facilities[0].role"),
        ('[[vehicles]]\nid = "trucks"\nnumber = 5', "vehicles[0].kind"),
        ('[[vehicles]]\nid = "trucks"\nkind = "transport_truck"', "vehicles[0].number"),
    ],
)
@pytest.mark.parametrize("head", [BRIGADE, 'name = "x"\n'])
def test_an_entry_that_overrides_none_needs_all(head: str, text: str, place: str) -> None:
    error = refused(head + text)
    assert error.place == place
    assert "(missing)" in str(error)
    assert "overrides one of a network" in error.allowed
    with pytest.raises(ScenarioError):
        scenario_hash(parse((head + text).encode(), "toml"))


def test_an_id_that_is_nearly_one_of_the_networks_is_refused() -> None:
    error = refused(BRIGADE + '[[facilities]]\nid = "R2-north"\nrole = 2')
    assert (error.place, error.value, error.near) == ("facilities[0].id", "R2-north", "R2-North")
    assert "new = true" in error.allowed
    assert refused(BRIGADE + '[[vehicles]]\nid = "ambulance-North"\nnumber = 3').near == "ambulances-North"


def test_an_entry_that_says_new_is_added_beside_the_one_it_resembles() -> None:
    facility = '[[facilities]]\nid = "R2-north"\nrole = 2\nnew = true\n'
    pool = '[[vehicles]]\nid = "Medevac"\nkind = "medevac_helicopter"\nnumber = 1\nnew = true\n'
    scenario = brigade(facility + pool)
    check(scenario)
    complete = resolve(scenario)
    assert {"R2-North", "R2-north"} <= {f.id for f in complete.facilities}
    assert {"medevac", "Medevac"} <= {p.id for p in complete.vehicles}
    assert not any(entry.new for entry in [*complete.facilities, *complete.vehicles])
    assert check(parse(to_toml(scenario).encode(), "toml")) == check(scenario)


def test_new_is_refused_where_nothing_is_new() -> None:
    assert refused(BRIGADE + '[[facilities]]\nid = "R2-North"\nnew = true').place == "facilities[0].new"
    assert refused('name = "x"\n[[facilities]]\nid = "R2"\nrole = 2\nnew = true').place == "facilities[0].new"


def test_slips_are_told_from_other_names() -> None:
    ids = ["R2-North", "R1-North-3", "ambulances-North", "R2-A"]
    slips = [
        "r2-north",
        "R2_North",
        "R2North",
        "R2-Nort",
        "R2-Norths",
        "R2-Nroth",
        "R2-Narth",
        "ambulance-North",
    ]
    assert [near_id(word, ids) for word in slips] == ["R2-North"] * 7 + ["ambulances-North"]
    others = ["R2-North", "R2-South", "R3-North", "R1-North-4", "R2-B", "R2-North-2", "ambulances", "", "-"]
    assert [near_id(word, ids) for word in others] == [None] * len(others)


# --- numbers for distributions


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("battle = 8.0", 'battle = { distribution = "constant", mean = 8.0 }'),
        ("battle = 8", 'battle = { distribution = "constant", mean = 8.0 }'),
        (
            'battle = [1.5, { distribution = "exponential", mean = 1.0 }]',
            'battle = [{ distribution = "constant", mean = 1.5 }, { distribution = "exponential", mean = 1.0 }]',
        ),
    ],
)
def test_a_number_is_a_constant_rate(short: str, full: str) -> None:
    front = '[[fronts]]\nname = "A"\npopulation = 1000\nnations = { NOR = 1.0 }\n'
    scenarios = [
        parse(f'name = "x"\n[casualties.rates]\n{text}\n{front}'.encode(), "toml") for text in (short, full)
    ]
    assert scenarios[0] == scenarios[1]
    assert scenario_hash(scenarios[0]) == scenario_hash(scenarios[1])
    assert parse(to_toml(scenarios[0]).encode(), "toml") == scenarios[1]


def test_a_number_is_a_constant_time_in_toml_and_json() -> None:
    facility, link = (
        {"id": "R2", "role": 2, "surgery_minutes": 90},
        {"origin": "POI", "destination": "R2", "minutes": 30},
    )
    tree = {"name": "x", "facilities": [facility], "links": [link]}
    scenario = parse(json.dumps(tree).encode(), "json")
    toml = 'name = "x"\n[[facilities]]\nid = "R2"\nrole = 2\nsurgery_minutes = 90\n'
    toml += '[[links]]\norigin = "POI"\ndestination = "R2"\nminutes = 30\n'
    assert parse(toml.encode(), "toml") == scenario
    check(scenario)
    assert scenario.links[0].minutes == Distribution(distribution="constant", mean=30.0)
    assert scenario.facilities[0].surgery_minutes == Distribution(distribution="constant", mean=90.0)


@pytest.mark.parametrize("value", ["true", '"8"', "-1", "1e7", "nan"])
def test_what_is_no_distribution_is_refused_with_an_example_of_one(value: str) -> None:
    error = refused(f'name = "x"\n[casualties.rates]\nbattle = {value}\n')
    assert error.place == "casualties.rates.battle"
    assert "{ distribution = " in error.allowed
    assert error.line == "line 3"


# --- lines


def test_an_error_of_a_file_states_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(BRIGADE + '\n[[facilities]] # ours\nid = "R2-North"\n\n  ward_beds = 0\n')
    with pytest.raises(
        ScenarioError, match=r"facilities\[0\]\.ward_beds: got 0; .* \(mine\.toml, line 11\)$"
    ):
        prepare_source(str(path))
    path.write_text(BRIGADE + '\n[[links]]\norigin = "POI"\ndestination = "R2-Nord"\nminutes = 3\n')
    with pytest.raises(
        ScenarioError, match=r"links\[0\]\.destination: .* did you mean .* \(mine\.toml, line 10\)$"
    ):
        prepare_source(str(path))
    path.write_text('name = "x"\ndays = 3\n[[events]]\nevent = "ambush"\nday = 2\n')
    with pytest.raises(ScenarioError, match=r"events\[0\]\.day: got 2; .* \(mine\.toml, line 5\)$"):
        prepare_source(str(path), ScenarioOverrides(days=1))


def test_an_error_of_an_option_states_no_line_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "x"\ndays = 3\n')
    with pytest.raises(ScenarioError, match=r"^days: got 0") as caught:
        prepare_source(str(path), ScenarioOverrides(days=0))
    assert not caught.value.line


def test_an_error_keeps_its_line_between_processes() -> None:
    error = refused('name = "x"\ndays = 0\n')
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert error.line == "line 2"


def test_the_lines_of_a_document() -> None:
    text = TOML_OF_ALL_KINDS
    tomllib.loads(text)
    lines = text.splitlines()
    for path, number in setting_lines(text).items():
        last = next(step for step in reversed(path) if isinstance(step, str))
        assert last.splitlines()[0] in lines[number - 1] or isinstance(path[-1], int), path
    assert line_of(text, "fronts[1].nations") == line_of(text, 'fronts[1].nations["a.b"]') == 18
    assert line_of(text, "fronts[1].deep[0].x") == 20
    assert line_of(text, "fronts[2].name") == 22
    assert line_of(text, "fronts[0].missing") == 8
    assert line_of(text, "list[3][1]") == 6
    assert line_of(text, "nothing.at_all") is None
    assert line_of(text, "text") == 2
    assert line_of(text, "when") == 7


TOML_OF_ALL_KINDS = '''# [[fronts]]
text = """
[[fronts]] # no table
"""
'quoted # = key' = ["]", ']', # a comment ]
  {}, [1, [2]]]
when = 1979-05-27 07:32:00 # a blank between date and time
[[fronts]]
name = "A\\\\" # "
raw = \'\'\'
[[fronts]]\'\'\'\'
list = []
[[fronts.deep]]
x = 1
[[fronts.deep]]
x = 2
[[fronts]]
nations = { "a.b" = 1, c.d = """x"""""}
[[fronts.deep]]
x = 3
[[fronts]]
name = "C"
'''.replace("'quoted # = key'", "list")


KEYS = st.sampled_from(["a", "b-c", "7", "a.b", "", "[x]", 'q"q', "#", "ü"]) | st.text(max_size=4)
SCALARS = (
    st.integers()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "]", "}", '"', "'", '"""', "'''", "#", "\\", "a\nb", "[[x]]\n", '""""', "x = 1\n"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
TREES = st.dictionaries(KEYS, VALUES, max_size=4)


class Writer:
    """Writes a tree as TOML in a style drawn at random, and notes the line of every setting."""

    def __init__(self, draw: st.DataObject) -> None:
        self.text = ""
        self.lines: dict[tuple[str | int, ...], int] = {}
        self._draw = draw

    def choose(self, *options: str) -> str:
        return self._draw.draw(st.sampled_from(options))

    def note(self, path: tuple[str | int, ...]) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def key(self, key: str) -> str:
        if re.fullmatch(r"[A-Za-z0-9_-]+", key) and self.choose("bare", "quoted") == "bare":
            return key
        if "'" not in key and key.isprintable() and self.choose("literal", "basic") == "literal":
            return f"'{key}'"
        return json.dumps(key, ensure_ascii=False).replace("\x7f", "\\u007f")

    def write_value(self, value: Any, path: tuple[str | int, ...]) -> None:
        if isinstance(value, dict):
            self.text += "{"
            for i, (key, item) in enumerate(value.items()):
                self.text += self.choose(" ", "") if i == 0 else ", "
                self.note((*path, key))
                self.text += self.key(key) + self.choose("=", " = ", "\t=")
                self.write_value(item, (*path, key))
            self.text += "}"
        elif isinstance(value, list):
            self.text += "["
            for i, item in enumerate(value):
                self.text += self.choose("", " ", "\n", " # ], }\n")
                self.note((*path, i))
                self.write_value(item, (*path, i))
                self.text += "," if i < len(value) - 1 else self.choose("", ",", ", # [\n")
            self.text += self.choose("", "\n", " ") + "]"
        elif isinstance(value, str):
            self.text += self.string(value)
        else:
            self.text += str(value).lower() if isinstance(value, bool) else repr(value)

    def string(self, value: str) -> str:
        basic = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        options = [basic, f'"""\n{basic[1:-1]}"""', f'"""{basic[1:-1]}"""']
        if "'" not in value:
            options.append(f"'''\n{value}'''")
            options += [f"'{value}'"] if "\n" not in value else []
        escaped = value.replace("\\", "\\\\").replace('"""', '\\"""')
        if not escaped.endswith('"'):
            options.append(f'"""\n{escaped}"""')
        return self.choose(*options)

    def write_table(self, tree: dict[str, Any], path: tuple[str | int, ...], header: str) -> None:
        """Write the settings of a table first, then the tables in it."""
        later = []
        for key, value in tree.items():
            tables = isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)
            if (tables or isinstance(value, dict)) and self.choose("table", "inline") == "table":
                later.append((key, value))
                continue
            self.text += self.choose("", "  ", "\n", "# [a]\n", "\r\n")
            self.note((*path, key))
            self.text += self.key(key) + " = "
            self.write_value(value, (*path, key))
            self.text += self.choose("\n", " # x = 1\n", "\r\n")
        for key, value in later:
            name = f"{header}.{self.key(key)}" if header else self.key(key)
            for i, item in enumerate(value if isinstance(value, list) else [value]):
                self.text += self.choose("", "\n", "  ")
                self.note((*path, key))
                inside = (*path, key, i) if isinstance(value, list) else (*path, key)
                self.note(inside)
                self.text += (f"[[{name}]]" if isinstance(value, list) else f"[{name}]") + "\n"
                self.write_table(item, inside, name)


@given(tree=TREES, draw=st.data())
def test_every_setting_of_any_document_is_found_on_its_line(
    tree: dict[str, Any], draw: st.DataObject
) -> None:
    writer = Writer(draw)
    writer.write_table(tree, (), "")
    assume(tomllib.loads(writer.text) == tree)
    assert setting_lines(writer.text) == writer.lines


# --- files that do not exist


def test_a_missing_file_is_answered_with_files_near_it(tmp_path: Path) -> None:
    for name in ("brigade-drones.toml", "drones.toml", "drone_swarm.json", "notes.txt", "other.toml"):
        (tmp_path / name).write_text("")
    with pytest.raises(InputError) as caught:
        scenario_files.load(tmp_path / "drone.toml")
    message = str(caught.value)
    assert all(name in message for name in ("drones.toml", "drone_swarm.json", "brigade-drones.toml"))
    assert "built-in" not in message and "notes" not in message and "other" not in message
    assert message.index("drones.toml") < message.index("drone_swarm.json")


def test_a_missing_file_without_files_near_it_is_answered_with_a_built_in(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("")
    with pytest.raises(InputError, match="did you mean the built-in 'drone'"):
        scenario_files.load(tmp_path / "drone.toml")
    with pytest.raises(InputError, match="nor does the folder"):
        scenario_files.load(tmp_path / "nowhere" / "drone.toml")


def test_a_name_without_its_ending_is_answered_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"did you mean 'mine\.toml'\?"):
        scenario_files.load("mine")

"""The console: tables of any width, in which no number is cut."""

import io
import itertools
import re
import sys
from collections.abc import Iterable

import pytest
import rich.box
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

import scenarios as catalogue
from engine.codes import RESOURCES
from engine.scenario import Scenario, parse, prepare
from goldenhour import console, views
from goldenhour.console import Table
from goldenhour.views.network import network_diagram

# --- tables of any width


def numbers_of(text: str) -> list[str]:
    """The numbers in a text: digits with what belongs to them."""
    return re.findall(r"\d+(?:[.,:]\d+)*", text)


words = st.text("abcdefghij-/", min_size=1, max_size=12)
figures = st.integers(0, 10**9).map(lambda n: f"{n:,}") | st.floats(0, 1e6).map(lambda x: f"{x:,.1f}")
compounds = st.lists(st.builds("{}{}".format, words, figures), max_size=5).map("".join)
cells = st.lists(words | figures | compounds, max_size=5).map(" ".join)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]], int]:
    heads = draw(st.lists(words, min_size=1, max_size=9, unique=True))
    rows = draw(
        st.lists(st.lists(cells, min_size=len(heads), max_size=len(heads)), max_size=4),
    )
    return heads, rows, draw(st.integers(1, min(2, len(heads))))


def printed(width: int, *things: object, encoding: str = "utf-8") -> str:
    """What the console prints on a stream of this encoding and width."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", write_through=True)
    previous, sys.stdout = sys.stdout, file
    try:
        screen = console.screen(width)
        for thing in things:
            screen.print(thing)
    finally:
        sys.stdout = previous
    return file.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


def check_numbers(data: str, shown: str, width: int) -> None:
    found = numbers_of(shown)
    for number in numbers_of(data):
        assert number in found, (number, width)
    assert "…" not in shown
    assert all(len(line.rstrip()) <= width for line in shown.splitlines())


@example((["a", "/", "-", "b", "aaa", "aaaa", "aa"], [["", "", "", "aaa", "", "", " 0.0"]], 1), 20, "utf-8")
@given(tables(), st.integers(20, 200), st.sampled_from(["utf-8", "ascii"]))
def test_no_number_of_a_table_is_cut(
    drawn: tuple[list[str], list[list[str]], int], width: int, encoding: str
) -> None:
    heads, rows, keys = drawn
    table = Table(*heads, right=heads[1:], keys=keys, title="t")
    table.caption = "within 72 h"
    for row in rows:
        table.add_row(*row)
    shown = printed(width, table, encoding=encoding)
    check_numbers(" ".join(itertools.chain(*rows)), shown, width)


def prepared(name: str) -> Scenario:
    return prepare(parse(catalogue.builtin_bytes(name), "toml", name)).resolved


def our_tables(scenario: Scenario) -> list[Table]:
    return [
        views.facilities_table(scenario),
        views.links_table(scenario),
        views.capabilities_table(scenario),
        *(each for each in views.summary_tables(MEASURES) if isinstance(each, Table)),
        views.scenarios_table(
            [{"name": n, "kind": "preset", "casualties": 10**9, "days": 3650, "description": n} for n in "ab"]
        ),
    ]


RESOURCE_ROW = {"capacity": 123.4, "utilisation": 0.987, "mean_wait_minutes": 43210.5}
MEASURES = {
    "patients": 1_234_567,
    "triage": {"T1": 234_567, "T2": 345_678, "T3": 654_322},
    "outcomes": dict.fromkeys(("kia", "dow", "died_nonbattle", "rtd", "evacuated", "in_care"), 205_761),
    "mortality": {"percent_kia": 12.3, "percent_dow": None, "case_fatality_rate": 45.6}
    | dict.fromkeys(("percent_kia_of", "percent_dow_of", "case_fatality_rate_of"), 987_654),
    "minutes_from_injury": {
        name: {"median": 1_234.0, "patients": 987_654, "percent_within_60": 54.0}
        for name in ("first_care", "role1", "role2", "surgery")
    },
    "in_time": {"alive_at_first": 987_654, "surgery_percent_within_120": 6.7},
    "time_to_surgery": {
        "patients": 345_678,
        "minutes": {
            name: {"mean": 21_432.1, "median": 9_876.5, "p90": 98_765.4}
            for name in ("vehicle", "table", "to_surgery")
        },
        "ranking": [],
        "sentence": "Surgery comes late.",
    },
    "by_day": {
        "operations": [12_345] * 12,
        "role4_arrivals": [23_456] * 12,
        "returned_to_duty": {"role1": [34_567] * 12},
    },
    "consumption": {"blood": {"by_day": [45_678.9] * 11}},
    "last_outcome": {"at": "2031-12-31T23:59:59Z"},
    "flow": {
        "days": 1_234.5,
        "ends_at": "2030-12-31T23:59:59Z",
        "ends_with": "horizon",
        "resources": [
            RESOURCE_ROW
            | {"facility": f"Hospital-{n}", "resource": row.field, "mean_wait_minutes_T1": 1.5}
            | {"max_queue": 76_543, "deaths_waiting": 12_345}
            for n, row in enumerate(RESOURCES)
        ],
        "vehicles": [
            {"vehicle": "v-1", "number": 12_345, "utilisation": 0.5, "sorties": 9_876_543}
            | {"patients": 8_765_432, "lost": 7_654}
        ],
    },
}
for groups in ("by_triage", "by_front"):
    names = ("T1", "T2", "T3") if groups == "by_triage" else ("North", "South")
    for key in ("in_time", "time_to_surgery"):
        MEASURES[key] = MEASURES[key] | {groups: dict.fromkeys(names, MEASURES[key])}
MEASURES["categories"] = {
    stream: {name: MEASURES[name] for name in ("patients", "triage", "outcomes")}
    for stream in ("battle", "nbi", "disease")
}


@pytest.mark.parametrize("width", [*range(20, 80, 3), 80, 100, 110, 120, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "cp437"])
def test_no_number_of_our_own_views_is_cut(width: int, encoding: str) -> None:
    scenario = prepared("brigade")
    for thing in (*our_tables(scenario), *views.policies(scenario)):
        check_numbers(printed(1000, thing), printed(width, thing, encoding=encoding), width)
    network = printed(width, network_diagram(scenario, scenario.fronts[0].name), encoding=encoding)
    check_numbers(printed(1000, network_diagram(scenario, scenario.fronts[0].name)), network, width)


def plain_table(table: Table) -> RichTable:
    """The same table as rich alone lays it out."""
    plain = RichTable(box=rich.box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for head in table._columns:
        plain.add_column(
            Text(head),
            justify="right" if head in table._right else "left",
            no_wrap=head in table._whole,
        )
    for row in table._rows:
        plain.add_row(
            *(cell if isinstance(cell, Text) else Text(cell) for cell in row.cells), style=row.style
        )
    plain.title, plain.title_justify = table._title, "left"
    plain.caption, plain.caption_justify = table.caption, table.caption_justify
    return plain


def test_a_table_that_rich_does_not_cut_looks_as_rich_prints_it() -> None:
    compared = 0
    for width in (*range(60, 128, 3), 150, 200):
        for table in (*our_tables(prepared("brigade")), *our_tables(prepared("coin"))[:3]):
            file = io.StringIO()
            Console(file=file, width=width).print(plain_table(table))
            plain, ours = file.getvalue(), printed(width, table)
            if "…" not in plain and not table._decorative and "\n\n" not in ours:
                assert ours.split("\n")[1:] == plain.split("\n")[1:]
                compared += width >= 80
    assert compared > 150


@given(tables(), st.integers(40, 160))
def test_any_table_that_rich_does_not_cut_looks_as_rich_prints_it(
    drawn: tuple[list[str], list[list[str]], int], width: int
) -> None:
    heads, rows, keys = drawn
    table = Table(*heads, right=heads[1:], keys=keys)
    for row in rows:
        table.add_row(*(" ".join(cell.split()) for cell in row))
    file = io.StringIO()
    Console(file=file, width=width).print(plain_table(table))
    if "…" not in file.getvalue():
        assert printed(width, table) == file.getvalue()


def test_a_very_long_cell_is_wrapped_in_one_pass() -> None:
    table = Table("a", "b")
    table.add_row("x" * 100_000, "1" * 10_000)
    shown = printed(100, table)
    assert shown.count("x") == 100_000
    assert "1" * 10_000 in shown


@pytest.mark.parametrize("width", range(1, 20))
def test_no_width_is_too_small(width: int) -> None:
    scenario = prepared("brigade")
    shown = printed(width, *our_tables(scenario), network_diagram(scenario, "North"))
    assert "1,234,567" in shown


@given(cells, st.integers(20, 60))
def test_no_number_of_a_sentence_is_cut(text: str, width: int) -> None:
    check_numbers(text, printed(width, text), width)
    check_numbers(text, printed(width, Text(text, style="bold")), width)
    tree = console.Tree(Text(text))
    tree.children.append(console.Tree(Text(text)))
    check_numbers(text, printed(width, tree), width)


def test_styles_survive_cleaning_and_wrapping() -> None:
    file = io.StringIO()
    screen = Console(file=file, width=12, force_terminal=True, color_system="standard")
    table = Table("h")
    table.add_row(Text.assemble(("green \x1b ", "green"), ("red words", "red")))
    screen.print(table)
    shown = file.getvalue()
    assert "\x1b[32mgreen" in shown
    assert "\x1b[31mred" in shown
    assert r"\x1b" in shown.replace("\x1b[", "")


@pytest.mark.parametrize("columns", [20, 30, 45, 60, 80, 120])
def test_the_bar_of_a_narrow_terminal_cuts_no_number(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from actors.run import Progress
    from goldenhour.views import progress

    now = 100.0
    monkeypatch.setattr("goldenhour.views.progress.time.monotonic", lambda: now)
    file = io.StringIO()
    bar = progress.ProgressBar(console.Screen(width=columns))
    for patients, fraction in ((100, 0.1), (512_288, 0.5)):
        bar.report(Progress(phase="running", patients=patients, expected=1_000_000, fraction=fraction))
        now += 2.0
    screen = Console(file=file, width=columns)
    for renderable in bar._progress.get_renderables():
        screen.print(renderable)
    shown = file.getvalue()
    assert set(numbers_of(shown)) <= set(numbers_of(bar._meter.describe()))
    assert "…" not in shown
    assert columns < 34 or "512,288 of 1,000,000 patients" in shown


# --- real scenarios on a terminal of 80 columns


def names_in(shown: str, names: Iterable[str]) -> set[str]:
    """Those of the names that stand whole in a text."""
    return {name for name in names if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", shown)}


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("name", ["standard", "brigade", "division", "falklands"])
def test_rows_of_real_scenarios_stay_distinct(name: str, width: int) -> None:
    """No name is cut, so no two facilities, vehicles or fronts look the same; and no line is too long."""
    scenario = prepared(name)
    ids = {facility.id for facility in scenario.facilities}
    pools = {pool.id for pool in scenario.vehicles}
    for table, names in (
        (views.facilities_table(scenario), ids),
        (
            views.capabilities_table(scenario),
            ids | {name for facility in scenario.facilities for name in facility.fronts},
        ),
        (views.links_table(scenario), ids | pools & {link.vehicle for link in scenario.links}),
    ):
        shown = printed(width, table)
        assert names_in(shown, names) == names
        assert "…" not in shown and "..." not in shown
        assert max(map(len, shown.splitlines())) <= width


@pytest.mark.parametrize("width", [60, 80])
def test_the_rows_of_a_summary_stay_distinct(width: int) -> None:
    names = [f"R1-North-of-the-river-{number}" for number in range(3)]
    rows = [RESOURCE_ROW | {"facility": name, "resource": "ward_beds"} for name in names]
    rows = [row | {"mean_wait_minutes_T1": 1.5, "max_queue": 76_543, "deaths_waiting": 5} for row in rows]
    measures = MEASURES | {"flow": {"resources": rows, "vehicles": []}}
    shown = "".join(printed(width, table) for table in views.summary_tables(measures))
    assert names_in(shown, names) == set(names)


@pytest.mark.parametrize("width", [60, 80])
def test_headings_are_whole_words(width: int) -> None:
    """A heading may be wrapped between its words, and no word of it is divided or cut."""
    for name in ("brigade", "division"):
        for table in our_tables(prepared(name)):
            shown = printed(width, table).split()
            for head in table._columns:
                assert set(head.split()) <= set(shown), head


def test_a_longer_text_is_not_wrapped_to_a_word_a_line() -> None:
    """A column of such texts goes below the others before its cells have more than three lines."""
    shown = printed(80, views.facilities_table(prepared("brigade")))
    assert "surge +3 ward at 85 %" in shown
    assert shown.count("R1-North-1") == 2

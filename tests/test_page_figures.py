"""The lines of the pages of examples get the numbers that are printed now (`bench.page_figures`)."""

import re

from actors.cluster import PACKAGE_ROOT
from bench.page_figures import PAGES, with_new_numbers

LINE = "Surgery comes 143 min (median) after injury: 40 min on average (24 %)."
PRINTED = (
    "one Surgery comes 1,145 min (median) after injury: 38 min on average (22.5 %). "
    "two Surgery comes 506 min (median) after injury: 376 min on average (78 %). end"
)


def test_each_of_two_alike_lines_gets_its_own_numbers() -> None:
    first = with_new_numbers(LINE, PRINTED)
    assert first is not None
    assert first[0] == "Surgery comes 1,145 min (median) after injury: 38 min on average (22.5 %)."
    second = with_new_numbers(LINE, PRINTED, first[1])
    assert second is not None
    assert second[0] == "Surgery comes 506 min (median) after injury: 376 min on average (78 %)."
    assert with_new_numbers(LINE, PRINTED, second[1]) is None


def test_a_line_that_is_printed_as_it_stands_is_passed_too() -> None:
    kept = "Surgery comes 506 min (median) after injury: 376 min on average (78 %)."
    assert with_new_numbers(kept, PRINTED) == (
        "Surgery comes 1,145 min (median) after injury: 38 min on average (22.5 %).",
        PRINTED.index(" two"),
    )


def test_a_line_keeps_its_blanks_and_other_words_are_not_matched() -> None:
    renewed = with_new_numbers("3rd Battalion   80    0", "3rd Battalion 81 2")
    assert renewed is not None
    assert renewed[0] == "3rd Battalion   81    2"
    assert with_new_numbers("4 of 5 lived", "4 of 5 died") is None


def test_every_line_that_a_page_shows_follows_a_command() -> None:
    """Where no block of commands stands before it in its section, nothing could renew it."""
    for page in PAGES:
        text = (PACKAGE_ROOT / "docs" / page).read_text("utf-8")
        assert "```text" in text
        for section in text.split("\n## "):
            blocks = re.findall(r"^```(\w*)\n", section, re.MULTILINE)[::2]
            for before, block in zip(["none", *blocks], blocks, strict=False):
                if block == "text":
                    assert before in ("", "python"), section.splitlines()[0]

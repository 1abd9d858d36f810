"""The tutorial docs/three_questions.ipynb runs, and its answers are those that it shows."""

import re

import notebooks
import pytest


def test_the_notebook_shows_what_its_cells_print() -> None:
    notebook = notebooks.read()
    cells = list(notebooks.run_cells(notebook))
    assert len(cells) >= 6
    for cell, printed in cells:
        assert printed == notebooks.stored_output(cell)


def test_a_cell_whose_answer_has_changed_is_noticed() -> None:
    cell = {"cell_type": "code", "source": ["1 + 1"], "outputs": [{"text": ["3\n"]}]}
    ((found, printed),) = notebooks.run_cells({"cells": [cell]})
    assert printed == "2\n" != notebooks.stored_output(found)


def test_every_heading_is_a_question_with_an_answer() -> None:
    text = ["".join(cell["source"]) for cell in notebooks.read()["cells"] if cell["cell_type"] == "markdown"]
    headings = [cell for cell in text if cell.startswith("## ")]
    assert [heading.splitlines()[0][-1] for heading in headings[:3]] == ["?"] * 3
    if not headings:
        pytest.fail("the notebook asks nothing")


def test_the_text_below_an_answer_names_what_the_answer_names() -> None:
    """Where an answer says what the limit or the longest wait is, the text below it says so too."""
    cells = notebooks.read()["cells"]
    named = 0
    for number, cell in enumerate(cells):
        output = notebooks.stored_output(cell) if cell["cell_type"] == "code" else ""
        limit = re.search(r"The (?:limit is|longest wait is for) [^']+'s ([^(]+) \(", output)
        if limit is None:
            continue
        text = next("".join(each["source"]) for each in cells[number:] if each["cell_type"] == "markdown")
        assert limit[1].split()[-1] in text, (limit[1], text)
        named += 1
    assert named >= 1

"""The documentation and the code agree: sections cited exist, examples work, and the vocabulary is the glossary's."""

import doctest
import importlib
import pkgutil
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from engine.scenario import TRANSPORT_KINDS, Incident, documentation
from scenarios.tables import transports

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("engine", "actors", "goldenhour", "scenarios")
GLOSSARY = ROOT / "docs" / "glossary.md"
CITATION = re.compile(
    r"docs/(\w[\w-]*)\.md,? sections? ((?:[0-9][0-9.]*)(?:(?:, | and |, and )[0-9][0-9.]*)*)"
)
HEADING = re.compile(r"^#{2,} ([0-9]+(?:\.[0-9]+)*)\.? ", re.MULTILINE)
FILE = re.compile(r"`((?:actors|bench|deploy|docs|engine|goldenhour|scenarios|tests)/[\w./-]+)`")
"""The path of a file or folder in a page."""
ABSENT = re.compile(
    r"\b(?:EVIDENCE|PLATFORM|LESSONS|DESIGN)\b|\bMODEL(?:\.md\b|,? sections?\b| §| [0-9])|\(MODEL\)"
)
"""Pages of notes that are not part of the repository, as they are cited."""


def files(*suffixes: str) -> list[Path]:
    """Return the files of the repository with one of these suffixes."""
    found = [path for path in ROOT.rglob("*") if path.suffix in suffixes and path.is_file()]
    return [path for path in found if not _is_foreign(path.relative_to(ROOT))]


def _is_foreign(path: Path) -> bool:
    """Whether it is in a hidden folder, such as .venv, or in one that runs and builds write."""
    return any(part.startswith(".") or part in {"out", "build", "dist"} for part in path.parts)


def folded(text: str) -> str:
    """Return a text in lower case, with one space for white space, comment signs and underscores."""
    return re.sub(r"[\s#_]+", " ", text.lower())


@cache
def sections(page: str) -> frozenset[str]:
    """Return the numbers of the headings of docs/PAGE.md."""
    path = ROOT / "docs" / f"{page}.md"
    return frozenset(HEADING.findall(path.read_text("utf-8"))) if path.exists() else frozenset()


def test_every_section_that_is_cited_exists() -> None:
    missing, found = [], 0
    for path in files(".py", ".md", ".toml"):
        text = re.sub(r"[\s#]+", " ", path.read_text("utf-8"))
        for page, numbers in CITATION.findall(text):
            for number in re.findall(r"[0-9]+(?:\.[0-9]+)*", numbers):
                found += 1
                if number not in sections(page):
                    missing.append(f"{path.relative_to(ROOT)}: docs/{page}.md section {number}")
    assert not missing, "\n".join(missing)
    assert found > 5


def test_the_page_of_scenario_fields_is_the_one_that_the_code_generates() -> None:
    text = (ROOT / "docs" / "scenario.md").read_text("utf-8")
    assert text == documentation.page(), "make docs"
    for kind in TRANSPORT_KINDS:
        row = transports()[kind]
        assert f"| `{kind}` | {row['capacity']} | 0 | {row['speed_kmh']} |" in text
    for name in (*Incident.__struct_fields__, "fronts", "count", "csv"):
        assert f"| `{name}` |" in text.split("## `incidents[]`")[1].split("\n## ")[0]


def test_the_sections_of_a_page_are_numbered_in_order() -> None:
    for page in ("model", "platform"):
        numbers = [
            tuple(map(int, number.split(".")))
            for number in HEADING.findall((ROOT / "docs" / f"{page}.md").read_text("utf-8"))
        ]
        assert numbers == sorted(set(numbers)), page
        assert len(numbers) > 10


def test_no_page_is_cited_that_is_not_in_the_repository() -> None:
    here = Path(__file__).resolve()
    cited = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in files(".py", ".md", ".toml")
        if path != here
        for match in ABSENT.finditer(re.sub(r"[\s#]+", " ", path.read_text("utf-8")))
    ]
    assert not cited, "\n".join(cited)


def unwanted_phrases() -> list[str]:
    """Return the first column of the glossary's last table."""
    table = GLOSSARY.read_text("utf-8").split("## Words we do not use")[1]
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)


def test_no_phrase_occurs_that_the_glossary_replaces() -> None:
    phrases = unwanted_phrases()
    assert len(phrases) > 20
    in_words = re.compile("(?<![a-z])(?:" + "|".join(re.escape(p) for p in phrases if "_" not in p) + ")")
    in_names = re.compile("(?<![a-z])(?:" + "|".join(re.escape(p) for p in phrases if "_" in p) + ")")
    found = []
    for path in files(".py", ".md"):
        if path != GLOSSARY:
            text = path.read_text("utf-8").lower()
            hits = Counter(in_words.findall(folded(text)) + in_names.findall(text))
            found += [f"{path.relative_to(ROOT)}: {hit} ({count})" for hit, count in hits.items()]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "page", [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"], ids=lambda p: p.name
)
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = FILE.findall(page.read_text("utf-8"))
    missing = sorted({name for name in named if not (ROOT / name).exists()})
    assert not missing, f"{page.name} names {', '.join(missing)}"


def modules() -> list[str]:
    """Return all modules of the packages but the entry point, which would run on import."""
    found = []
    for package in PACKAGES:
        found.append(package)
        walk = pkgutil.walk_packages([str(ROOT / package)], f"{package}.")
        found += [module.name for module in walk if not module.name.endswith("__main__")]
    return found


def test_the_examples_in_docstrings_work() -> None:
    attempted = 0
    for name in modules():
        result = doctest.testmod(importlib.import_module(name))
        assert result.failed == 0, f"python -m doctest: {name}"
        attempted += result.attempted
    assert attempted > 0

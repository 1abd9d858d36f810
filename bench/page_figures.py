"""The figures on the pages of examples, measured anew: `python -m bench.page_figures [PAGE ...]`.

Runs the commands of docs/planning.md and docs/experiments.md and puts the numbers they print now into the lines that
the pages show. A line whose words no longer fit is printed: someone has to rewrite it. Tests compare the pages.
"""

import argparse
import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from pathlib import Path

from goldenhour.__main__ import run

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = ("planning.md", "experiments.md")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_FILE = re.compile(r"`(\w+\.toml)`:\s+```toml\n(.*?)```|```toml\n# (\S+\.toml)\n(.*?)```", re.DOTALL)


def write_casualties(folder: Path) -> None:
    """Write the casualties.csv of docs/planning.md: 500 casualties of a day, 40 of them at 09:30."""
    minutes = [9 * 60 + 30] * 40 + [number * 24 * 60 // 460 for number in range(460)]
    lines = [f"day 1 {each // 60:02}:{each % 60:02},North,1\n" for each in minutes]
    (folder / "casualties.csv").write_text("time,front,number\n" + "".join(lines), "utf-8")


def with_new_numbers(line: str, printed: str, place: int = 0) -> tuple[str, int] | None:
    """Return a line of a page with the numbers that are printed from `place` on, and where they end there.

    `printed` has its words separated by one space. None where it has no such line. A page shows lines in the order in
    which they are printed, so each of two alike lines gets its own numbers.
    """
    pieces = [re.escape(piece) for piece in _NUMBER.split(" ".join(line.split()))]
    found = re.compile(f"({_NUMBER.pattern})".join(pieces)).search(printed, place)
    if found is None:
        return None
    numbers = iter(found.groups())
    return _NUMBER.sub(lambda _: next(numbers), line), found.end()


def _printed_by(commands: str, language: str) -> str:
    """Run the commands or the Python of a block in this process; return what is printed, with one space for several."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        if language == "python":
            exec(commands, {})
        for command in commands.splitlines() if not language else ():
            words = shlex.split(command)[1:]
            if command.startswith("goldenhour ") and "check" not in words:
                simulates = words[0] in ("run", "experiment", "optimise", "compare", "sensitivity")
                words += ["--workers", "0"] if simulates else []
                words += ["--no-store"] if words[0] in ("experiment", "optimise") else []
            if command.startswith("goldenhour ") and run(words) != 0:
                raise SystemExit(f"{command}: failed")
    return " ".join(output.getvalue().split())


def _section(text: str) -> str:
    """Return a section of a page with the numbers that its commands print now."""
    printed = ""
    place = 0

    def renewed(block: re.Match[str]) -> str:
        nonlocal printed, place
        if block[1] in ("", "python"):
            printed += " " + _printed_by(block[2], block[1])
        if block[1] != "text" or not printed:
            return block[0]
        lines = []
        for line in block[2].splitlines():
            new = with_new_numbers(line, printed, place)
            if new is None:
                sys.stderr.write(f"rewrite: {line}\n  printed: ... {printed[-1500:]}\n")
            else:
                line, place = new
            lines.append(line)
        return "```text\n" + "\n".join(lines) + "\n```"

    return _BLOCK.sub(renewed, text)


def renew(page: Path) -> None:
    """Write a page with the numbers that its commands print now."""
    text = page.read_text("utf-8")
    for first, content, other, rest in _FILE.findall(text):
        Path(first or other).write_text(content or rest, "utf-8")
    page.write_text("\n## ".join(_section(part) for part in text.split("\n## ")), "utf-8")


def main() -> int:
    """Renew the pages that the command line names, all by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=", ".join(PAGES))
    options = parser.parse_args()
    if unknown := set(options.pages) - set(PAGES):
        parser.error(f"no such page: {', '.join(sorted(unknown))}; there are {', '.join(PAGES)}")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_casualties(Path())
        for page in options.pages or PAGES:
            renew(DOCS / page)
    return os.EX_OK


if __name__ == "__main__":
    raise SystemExit(main())

"""The excerpt in README.md, generated from a real run: `python -m bench.readme_excerpt` rewrites it; a test
compares it.

Between two markers it shows the summary of `standard` and one of its records, with long lists shortened.
"""

import argparse
import io
import json
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

import goldenhour
from goldenhour.views import summary

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- excerpt: python -m bench.readme_excerpt -->\n", "<!-- end of excerpt -->\n"
SHOWN = 3
"""Number of entries shown of a list in the record."""


def excerpt() -> str:
    """Return the text that belongs between the markers."""
    result = goldenhour.simulate("standard")
    text = io.StringIO()
    console = Console(file=text, width=110, highlight=False)
    for table in (
        summary.casualties_table,
        summary.mortality_table,
        summary.times_table,
        summary.delays_table,
    ):
        console.print(table(result.measures))
        console.print()
    tables = "\n".join(line.rstrip() for line in text.getvalue().strip().splitlines())
    found = next(
        record
        for record in result.records()
        if record.outcome.status == "dow" and len(record.injury.wounds) > 1
    )
    return (
        f"The summary printed at the end:\n\n```text\n{tables}\n```\n\n"
        f"One of the records, a casualty who died of wounds (`...`: more of the same kind):\n\n"
        f"```text\n{_shortened(msgspec.to_builtins(found))}\n```\n"
    )


def current() -> str:
    """Return what README.md shows now."""
    return README.read_text().split(BEGIN)[1].split(END)[0].strip() + "\n"


def _shortened(record: dict[str, Any]) -> str:
    """Return the record as JSON with one line for each small object."""
    lines = []
    for key, value in record.items():
        if isinstance(value, list):
            lines.append(f'"{key}": [')
            lines += [f"  {_line(entry)}" for entry in value[:SHOWN]]
            lines += ["  ..."] * (len(value) > SHOWN)
            lines.append("]")
        elif isinstance(value, dict) and any(isinstance(part, list) for part in value.values()):
            lines.append(f'"{key}": {{')
            for name, part in value.items():
                if isinstance(part, list):
                    lines.append(f'  "{name}": [')
                    lines += [f"    {_line(entry)}" for entry in part[:SHOWN]]
                    lines += ["    ..."] * (len(part) > SHOWN)
                    lines.append("  ]")
                else:
                    lines.append(f'  "{name}": {_line(part)}')
            lines.append("}")
        else:
            lines.append(f'"{key}": {_line(value)}')
    return "\n".join(lines)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def main() -> None:
    """Rewrite the excerpt in README.md."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    before, rest = README.read_text().split(BEGIN)
    README.write_text(before + BEGIN + excerpt() + END + rest.split(END)[1])


if __name__ == "__main__":
    main()

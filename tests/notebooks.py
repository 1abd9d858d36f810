"""Notebooks of the documentation: their code cells are run, and what they print is compared or written.

`python tests/notebooks.py` runs docs/three_questions.ipynb and writes its outputs anew.
"""

import ast
import contextlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from actors.cluster import PACKAGE_ROOT

NOTEBOOK = PACKAGE_ROOT / "docs" / "three_questions.ipynb"


def run_cells(notebook: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each code cell, and what it prints: its output, then the value of its last line unless that is None."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, NOTEBOOK.name, "exec"), names)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), NOTEBOOK.name, "eval"), names)
                if value is not None:
                    print(repr(value))
        yield cell, printed.getvalue()


def stored_output(cell: dict[str, Any]) -> str:
    """Return what a code cell printed when the notebook was written."""
    return "".join(line for output in cell["outputs"] for line in output["text"])


def read(path: Path = NOTEBOOK) -> dict[str, Any]:
    """Return a notebook."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def main() -> int:
    """Run the notebook and write its outputs."""
    notebook = read()
    for number, (cell, printed) in enumerate(run_cells(notebook), 1):
        cell["execution_count"] = number
        lines = printed.splitlines(keepends=True)
        cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": lines}] if lines else []
    NOTEBOOK.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

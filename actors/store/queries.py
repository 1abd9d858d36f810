"""The named statements of sql/queries.sql."""

import re
from functools import cache
from importlib.resources import files


@cache
def queries() -> dict[str, bytes]:
    """Return all statements by name."""
    text = files("actors").joinpath("store", "sql", "queries.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return {name: body.strip().encode() for name, body in zip(parts[::2], parts[1::2], strict=True)}

"""Text that PostgreSQL can store: UTF-8 without the character of code 0 (docs/platform.md section 3.2)."""

from typing import Any

import msgspec

from engine.errors import InputError, shown

NAME_CHARACTERS = 200
"""Longest name of a scenario or a run."""


def check_name(name: str) -> None:
    """Raise InputError unless `name` is allowed as the name of a scenario or a run."""
    check_text("name", name)
    if not 1 <= len(name) <= NAME_CHARACTERS:
        raise InputError(
            f"name: got {len(name):,} characters, {shown(name)}; allowed: 1 to {NAME_CHARACTERS}"
        )
    if not name.isprintable() or name != name.strip() or "@" in name or "/" in name or name.startswith("-"):
        raise InputError(
            f"name: got {shown(name)}; allowed: printable characters without '@' and '/', not beginning with '-', "
            "without a space at either end"
        )


def check_text(field: str, text: str) -> None:
    """Raise InputError, which names the field, unless PostgreSQL can store `text`."""
    if not is_storable(text):
        raise InputError(
            f"{field}: got {shown(text)}; allowed: text in UTF-8 without the character of code 0"
        )


def is_storable(text: str) -> bool:
    """Return whether PostgreSQL can store `text`."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def escape_unstorable(text: str) -> str:
    """Return `text` with escapes for the characters that PostgreSQL cannot store."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def as_json(value: Any) -> str:
    """Return `value` as JSON text, for a jsonb column."""
    return msgspec.json.encode(value).decode()

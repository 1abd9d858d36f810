"""Text from outside that is shown or logged: characters that steer a terminal become visible escapes.

Names, descriptions, paths, rows of a database and messages of other programs can hold anything. These are replaced:
the control characters (C0, DEL, C1), marks that change the direction of writing, most characters without width, the
line and paragraph separators, and halves of surrogate pairs, which stand for bytes that are not UTF-8.
"""

import re

_STEERING = (
    "\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f"
)
_SHOWN = re.compile(f"[{_STEERING}]")
_SHOWN_LINES = re.compile(f"\r\n|(?![\n\t])[{_STEERING}]")
_WRITTEN = re.compile(f"(?!\r\n|[\n\t])[{_STEERING}]")
_WRITTEN_ASCII = re.compile(f"(?!\r\n|[\n\t])[{_STEERING}]|[^\x00-\x7f]")
_BLANK = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029")


def clean(text: str) -> str:
    r"""Return a text in one line: line breaks and tabs become blanks, other control characters visible escapes.

    >>> clean("two\nlines, \x1b[31mred")
    'two lines, \\x1b[31mred'
    """
    return _SHOWN.sub(_visible, text)


def clean_lines(text: str) -> str:
    """Return a text of several lines: as `clean`, but line breaks and tabs stay."""
    return _SHOWN_LINES.sub(_visible_or_break, text)


def escape_json(text: str, ascii_only: bool = False) -> str:
    r"""Return a JSON document with the same content, in which control characters are written as `\uXXXX`.

    Parameters
    ----------
    text
        A JSON document. Outside of its strings it has no control characters but line breaks and tabs.
    ascii_only
        Escape all characters beyond ASCII.
    """
    return (_WRITTEN_ASCII if ascii_only else _WRITTEN).sub(_json_escape, text)


def escape_toml(text: str, ascii_only: bool = False) -> str:
    r"""Return a TOML document in which control characters are written as `\uXXXX` or `\UXXXXXXXX`.

    Strings in double quotes keep their content; in comments and in strings in single quotes the escapes are text.
    """
    return (_WRITTEN_ASCII if ascii_only else _WRITTEN).sub(_toml_escape, text)


def visible_escape(character: str) -> str:
    r"""Return the escape of a character as Python writes it: `\x1b`, `\u202e`, `\U000e0001`."""
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _visible(match: re.Match[str]) -> str:
    character = match[0]
    return " " if character in _BLANK else visible_escape(character)


def _visible_or_break(match: re.Match[str]) -> str:
    return "\n" if match[0] == "\r\n" else visible_escape(match[0])


def _json_escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def _toml_escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

"""The console: all that goldenhour prints goes through here, in characters that the terminal can show."""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from goldenhour.console.lines import (
        ask,
        can_ask,
        confirm,
        format_json,
        print_error_line,
        print_error_text,
        print_json,
        print_line,
        print_text,
        print_toml,
        print_toml_lines,
        report_error,
    )
    from goldenhour.console.screens import Screen, error_screen, live_display, screen, status
    from goldenhour.console.spelling import spell
    from goldenhour.console.streams import exit_code, is_output_lost, relax_encodings, secure_streams
    from goldenhour.console.tables import Table
    from goldenhour.console.tree import Tree

__getattr__ = lazy_attributes(
    __name__,
    {
        "lines": (
            "ask",
            "can_ask",
            "confirm",
            "format_json",
            "print_error_line",
            "print_error_text",
            "print_json",
            "print_line",
            "print_text",
            "print_toml",
            "print_toml_lines",
            "report_error",
        ),
        "screens": (
            "Screen",
            "error_screen",
            "live_display",
            "screen",
            "status",
        ),
        "spelling": ("spell",),
        "streams": (
            "exit_code",
            "is_output_lost",
            "relax_encodings",
            "secure_streams",
        ),
        "tables": ("Table",),
        "tree": ("Tree",),
    },
)

__all__ = [
    "Screen",
    "Table",
    "Tree",
    "ask",
    "can_ask",
    "confirm",
    "error_screen",
    "exit_code",
    "format_json",
    "is_output_lost",
    "live_display",
    "print_error_line",
    "print_error_text",
    "print_json",
    "print_line",
    "print_text",
    "print_toml",
    "print_toml_lines",
    "relax_encodings",
    "report_error",
    "screen",
    "secure_streams",
    "spell",
    "status",
]

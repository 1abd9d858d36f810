"""The entry point of `python -m goldenhour` and of the command `goldenhour`. Each error is printed as one message.

Exit codes: 0 success, 1 the run failed, 2 the input cannot be used, 130 stopped by the user.
"""

import sys
import time

import click

from engine.errors import GoldenhourError
from engine.masking import mask_logins
from goldenhour import console
from goldenhour.cli import goldenhour
from goldenhour.command_time import process_start


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    console.secure_streams()
    sys.exit(console.exit_code(run(arguments, process_start()), console.report_error))


def run(arguments: list[str] | None = None, began: float | None = None) -> int:
    """Run the command line (`sys.argv` by default) and return its exit code.

    `began` is when the user started it, on the clock of `time.monotonic`; default: now.
    """
    began = time.monotonic() if began is None else began
    try:
        code = goldenhour.main(args=arguments, prog_name="goldenhour", standalone_mode=False, obj=began)
        return code if isinstance(code, int) else 0
    except GoldenhourError as error:
        return _report(str(error) or type(error).__name__, error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        console.print_text(f"{error.format_message()}\n")
        return 2
    except click.UsageError as error:
        where = f"{error.ctx.command_path} --help" if error.ctx else "goldenhour --help"
        return _report(error.format_message(), 2, f"`{where}` shows the commands and options")
    except click.ClickException as error:
        return _report(error.format_message(), 1)
    except (KeyboardInterrupt, click.Abort):
        return _report("stopped", 130)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _report(f"{error.strerror or error}{where}", 1)


def _report(message: str, code: int, hint: str = "") -> int:
    console.report_error(mask_logins(message), hint)
    return code


if __name__ == "__main__":
    main()

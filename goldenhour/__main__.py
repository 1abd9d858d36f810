"""The entry point of `python -m goldenhour` and of the command `goldenhour`. Each error is printed as one message.

Exit codes: 0 success, 1 the run failed, 2 the input cannot be used, 130 stopped by the user.
"""

import os
import sys

import click

from engine.errors import GoldenhourError
from goldenhour.cli import goldenhour


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line (`sys.argv` by default) and return its exit code."""
    try:
        code = goldenhour.main(args=arguments, prog_name="goldenhour", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except GoldenhourError as error:
        return _report(str(error) or type(error).__name__, error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except click.UsageError as error:
        where = f"{error.ctx.command_path} --help" if error.ctx else "goldenhour --help"
        return _report(f"{error.format_message()}\n`{where}` shows the commands and options", 2)
    except click.ClickException as error:
        return _report(error.format_message(), 1)
    except (KeyboardInterrupt, click.Abort):
        return _report("stopped", 130)
    except BrokenPipeError:  # `goldenhour scenarios show coin | head -3`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _report(f"{error.strerror or error}{where}", 1)


def _report(message: str, code: int) -> int:
    click.echo(f"goldenhour: {message}", err=True)
    return code


if __name__ == "__main__":
    main()

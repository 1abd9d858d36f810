"""A group of commands that names the one a mistyped one looks like."""

import difflib
from typing import Any

import click


class NearMatches(click.Group):
    """A group that names the command a mistyped one looks like."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The command of `args`; UsageError with a near match."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            hint = (
                f"; did you mean {near[0]!r}?"
                if near
                else f"; there are {', '.join(self.list_commands(ctx))}"
            )
            raise click.UsageError(f"there is no command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

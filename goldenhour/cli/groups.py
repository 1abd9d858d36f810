"""A click group that suggests the nearest command for a mistyped name."""

import difflib
from typing import Any

import click


class SuggestingGroup(click.Group):
    """A group of commands. Its error for an unknown command names the nearest one."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command that `args` begins with. Raises UsageError if there is none."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            names = self.list_commands(ctx)
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the commands are {', '.join(names)}"
            raise click.UsageError(f"there is no command {name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

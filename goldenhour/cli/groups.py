"""A click group that suggests the nearest command for a mistyped name."""

import difflib
from typing import Any

import click


class SuggestingGroup(click.Group):
    """A group of commands. Its error for an unknown command names the nearest one."""

    def _inside(self, ctx: click.Context, name: str) -> list[str]:
        """The commands of this name in groups within this one, as in `scenarios check`."""
        groups = {each: self.get_command(ctx, each) for each in self.list_commands(ctx)}
        return [
            f"{each} {name}"
            for each, group in groups.items()
            if isinstance(group, click.Group) and group.get_command(ctx, name) is not None
        ]

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command that `args` begins with. Raises UsageError if there is none."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            names = self.list_commands(ctx)
            near = self._inside(ctx, name) or difflib.get_close_matches(name, names, n=1)
            hint = f"the commands are {', '.join(names)}"
            if near:
                hint = f"did you mean {' or '.join(map(repr, near))}?"
            raise click.UsageError(f"there is no command {name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

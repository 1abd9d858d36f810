"""Click groups: one that suggests the nearest command for a mistyped name, and one that also takes a file."""

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


class FileGroup(click.Group):
    """A command that takes a file, and has other commands beside: `experiment FILE`, `experiment new FILE`.

    The first command that is added takes the file. Its options are those of the group.
    """

    def _default(self) -> click.Command:
        return next(iter(self.commands.values()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Send what does not begin with the name of a command to the one that takes the file."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [str(self._default().name), *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the other commands."""
        return list(self.commands)[1:]

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a line for each way to use it."""
        formatter.write_usage(ctx.command_path, "FILE [OPTIONS]")
        for name in self.list_commands(ctx):
            formatter.write_usage(ctx.command_path, f"{name} FILE [OPTIONS]", prefix="       ")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help of the command that takes the file."""
        self._default().format_help_text(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of the command that takes the file, and the other commands."""
        self._default().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

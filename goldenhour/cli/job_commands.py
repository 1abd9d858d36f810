"""The part of the command line that works on clusters: runs as jobs, and their output."""

from pathlib import Path

import click

address = click.option(
    "--address",
    metavar="URL",
    help="The cluster's dashboard, http://HOST:8265; default: RAY_API_SERVER_ADDRESS.",
)


@click.command(
    "submit",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": True},
    options_metavar="SCENARIO [OPTIONS OF RUN]",
)
@click.argument("arguments", metavar="", nargs=-1, type=click.UNPROCESSED)
@address
@click.option("--no-follow", is_flag=True, help="Return at once instead of showing the job's log.")
@click.option(
    "--env",
    "variables",
    metavar="NAME[=VALUE]",
    multiple=True,
    help="Environment variable for the job, with this value or the one it has here. The dashboard shows it.",
)
def submit(
    arguments: tuple[str, ...], address: str | None, no_follow: bool, variables: tuple[str, ...]
) -> int:
    """Run SCENARIO as a job of a Ray cluster; takes the options of `goldenhour run`.

    Prints the run's id, then on stderr the job's log until it ends; Ctrl-C stops the showing, not the job. Without
    --output the files are kept on the cluster's head for `goldenhour fetch`.
    """
    from goldenhour.cli import submit as submit_command

    return submit_command.submit_command([*arguments], address, not no_follow, variables)


@click.command("fetch")
@click.argument("what", metavar="RUN|URL|DIR")
@click.option(
    "-o", "--output", metavar="DIR", required=True, type=click.Path(path_type=Path), help="Folder for it."
)
@address
@click.option("--force", is_flag=True, help="Replace an earlier run in that folder.")
@click.option("--quiet", is_flag=True, help="Say nothing unless it fails.")
def fetch(what: str, output: Path, address: str | None, force: bool, quiet: bool) -> None:
    """Bring the output of a finished run into a folder of this machine, compared with its manifest.

    RUN is what `goldenhour submit` printed, or a run of `goldenhour runs list`; the files may also be named by the URL
    or folder they were written to.
    """
    from goldenhour.cli import fetch as fetch_command

    fetch_command.fetch_command(what, output, address, force, quiet)

"""The command line: its options and help. What the commands do stands in run_command.py and scenarios_command.py.

Nothing heavy is imported before a command's input is known to be good.
"""

import difflib
from pathlib import Path
from typing import Any

import click

from actors.run import CHUNK_SIZE, FORMAT_NAMES, PARQUET_PART, SUFFIXES, Url, is_url, parse_url
from engine.errors import InputError
from goldenhour import __version__
from goldenhour.cli import job_commands, store_commands
from goldenhour.cli.near_matches import NearMatches


def choice(text: str, allowed: tuple[str, ...], option: str) -> str:
    """`text` if it is one of `allowed`; else InputError with a near match."""
    if text in allowed:
        return text
    near = difflib.get_close_matches(text.lower(), allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(f"{option}: got {text!r}; allowed: {', '.join(allowed)}{hint}")


def _formats(ctx: click.Context, option: click.Parameter, value: str) -> tuple[str, ...]:
    names = [choice(name.strip(), FORMAT_NAMES, "--format") for name in value.split(",")]
    return tuple(dict.fromkeys(names))


def _compression(ctx: click.Context, option: click.Parameter, value: str) -> str:
    return choice(value, tuple(SUFFIXES), "--compress")


def _output(ctx: click.Context, option: click.Parameter, value: str | None) -> Path | Url | None:
    if value is None:
        return None
    if not value or "\0" in value:
        raise InputError(f"--output: got {value!r}; allowed: the path of a folder")
    return parse_url(value) if is_url(value) else Path(value)


@click.group(
    cls=NearMatches, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="goldenhour", message="%(prog)s %(version)s")
def goldenhour() -> None:
    """Synthetic military patients, simulated from the point of injury to the end of their care."""


@goldenhour.command()
@click.argument("scenario")
@click.option(
    "-o",
    "--output",
    metavar="DIR|URL",
    callback=_output,
    help="Folder for the files, or s3://, gs:// or az://BUCKET/PREFIX; "
    "default: ./NAME-seedN-repR, after the scenario, seed and replication.",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed instead of the scenario's.")
@click.option(
    "--replication", type=click.IntRange(0, 2**31 - 1), default=0, help="Replication number; default 0."
)
@click.option(
    "--patients",
    type=click.IntRange(1, 10**9),
    help="Exact number of patients instead of the scenario's total or rates.",
)
@click.option("--days", type=click.IntRange(1, 3650), help="Days instead of the scenario's.")
@click.option(
    "--format",
    "formats",
    metavar="F[,F]",
    default="jsonl",
    callback=_formats,
    help=f"Formats, of {', '.join(FORMAT_NAMES)}; default jsonl.",
)
@click.option(
    "--compress",
    metavar="C",
    default="none",
    callback=_compression,
    help="none (default), gzip or zstd. Parquet is compressed inside in any case.",
)
@click.option(
    "--workers",
    type=click.IntRange(0, 1024),
    help="Generator processes; default: cores - 1, on a cluster all its CPUs - 1. 0: all in this process, without Ray.",
)
@click.option(
    "--writers",
    type=click.IntRange(1, 1024),
    default=1,
    help="Writer processes, each with its share of the parts; default 1. On a cluster more need a shared folder.",
)
@click.option(
    "--simulators",
    type=click.IntRange(1, 200),
    default=1,
    help="Simulator processes, each with its share of the fronts; default 1. At most as many as share nothing finite.",
)
@click.option(
    "--chunk-size",
    type=click.IntRange(1, PARQUET_PART),
    help=f"Patients worked on at a time; default {CHUNK_SIZE}. Fewer need less memory and more time.",
)
@click.option("--name", help="Name of the run, for `goldenhour runs`.")
@click.option("--no-store", is_flag=True, help="Do not enter the run in the database.")
@click.option("--address", metavar="A", help="Address of an existing Ray cluster; default: a Ray of its own.")
@click.option(
    "--force", is_flag=True, help="Write into a folder that is not empty, replacing an earlier run."
)
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the summary.")
def run(**options: Any) -> None:
    """Simulate SCENARIO and write its patients.

    SCENARIO is a built-in's name, a .toml or .json file, or a stored scenario as NAME or NAME@VERSION.
    """
    from goldenhour.cli import run as run_command

    run_command.run_command(run_command.Options(**options))


@goldenhour.command()
@click.argument("what", metavar="DIR|URL|RUN", callback=_output)
@click.option("--workers", type=click.IntRange(0, 1024), help="Generator processes; default: as before.")
@click.option("--address", metavar="A", help="Address of an existing Ray cluster; default: as before.")
@click.option("--no-store", is_flag=True, help="Go without the database of runs.")
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the summary.")
def resume(**options: Any) -> None:
    """Go on with the run that was cut off in the output folder DIR, or that `goldenhour runs list` shows as RUN.

    RUN is an id, the first characters of one, or a name. The files become those of a run that was never disturbed.
    Starting the same `goldenhour run` again does the same.
    """
    from goldenhour.cli import resume as resume_command

    resume_command.resume_command(**options)


@goldenhour.group(cls=NearMatches)
def scenarios() -> None:
    """The built-in scenarios, and your own."""


@scenarios.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
def scenarios_list(as_json: bool) -> None:
    """List the built-in scenarios and the stored ones."""
    from goldenhour.cli import scenarios as scenarios_command

    scenarios_command.list_command(as_json)


@scenarios.command("show")
@click.argument("scenario")
@click.option("--network", is_flag=True, help="Print its evacuation network instead: tables and a diagram.")
@click.option("--history", is_flag=True, help="Print all versions of a stored scenario instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def scenarios_show(scenario: str, network: bool, history: bool, as_json: bool) -> None:
    """Print SCENARIO as a file, ready to edit: a built-in, or a stored one as NAME or NAME@VERSION."""
    from goldenhour.cli import scenarios as scenarios_command
    from goldenhour.cli import stored_scenarios

    if history:
        stored_scenarios.history(scenario, as_json)
    elif network:
        scenarios_command.show_network_command(scenario)
    else:
        scenarios_command.show_command(scenario, as_json)


@scenarios.command("check")
@click.argument("scenario", metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def scenarios_check(scenario: str, as_json: bool) -> None:
    """Say what is wrong with FILE (exit code 2), or what it will do."""
    from goldenhour.cli import scenarios as scenarios_command

    scenarios_command.check_command(scenario, as_json)


@goldenhour.command()
@click.argument("scenario")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed instead of the scenario's.")
@click.option(
    "--replication", type=click.IntRange(0, 2**31 - 1), default=0, help="Replication number; default 0."
)
@click.option(
    "--patients",
    type=click.IntRange(1, 10**9),
    help="Exact number of patients instead of the scenario's total or rates.",
)
@click.option("--days", type=click.IntRange(1, 3650), help="Days instead of the scenario's.")
@click.option("--address", metavar="A", help="Simulate on this Ray cluster, through its cache.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def measures(scenario: str, **options: Any) -> None:
    """Print what a run of SCENARIO comes to, without its patients.

    A run of the same scenario, seed and replication is simulated once: here or on the cluster, by this command or by
    `run`.
    """
    from goldenhour.cli import cache as cache_command

    cache_command.measures(scenario, **options)


@goldenhour.group(cls=NearMatches)
def cache() -> None:
    """What is kept of scenarios and runs, so that it need not be made again."""


@cache.command("stats")
@click.option("--address", metavar="A", help="Address of a Ray cluster: show its cache too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def cache_stats(address: str | None, as_json: bool) -> None:
    """Show hits, misses and sizes by namespace."""
    from goldenhour.cli import cache as cache_command

    cache_command.stats(address, as_json)


def _namespace(ctx: click.Context, argument: click.Parameter, value: str | None) -> str | None:
    from engine.precomputed import NAMESPACES

    return None if value is None else choice(value, NAMESPACES, "NAMESPACE")


@cache.command("clear")
@click.argument("namespace", required=False, callback=_namespace)
@click.option("--address", metavar="A", help="Address of a Ray cluster: clear its cache too.")
def cache_clear(namespace: str | None, address: str | None) -> None:
    """Forget NAMESPACE (configuration, demographics, medical or computation), or everything.

    Clearing everything of a cluster ends its cache; the next run starts another.
    """
    from goldenhour.cli import cache as cache_command

    cache_command.clear(namespace, address)


for command in (store_commands.add, store_commands.diff, store_commands.remove):
    scenarios.add_command(command)
goldenhour.add_command(job_commands.submit)
goldenhour.add_command(job_commands.fetch)
goldenhour.add_command(store_commands.runs)
goldenhour.add_command(store_commands.db)

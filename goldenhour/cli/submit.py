"""`goldenhour submit`: `goldenhour run`, `experiment` or `optimise` as a job of a Ray cluster.

The packages go with the job, and the scenario, or the experiment or optimisation with its scenario.
"""

import asyncio
import hashlib
import json
import os
import re
import shlex
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec

from actors.run import Url, divide_fronts
from actors.store import check_name
from engine.errors import InputError, Interrupted, RunError, shown
from engine.scenario import PreparedScenario, ScenarioOverrides, to_toml
from goldenhour import console, jobs
from goldenhour.cli import options
from goldenhour.cli.experiment import experiment as experiment_group
from goldenhour.cli.experiment import run as experiment_command
from goldenhour.cli.optimise import optimise as optimise_group
from goldenhour.cli.optimise import run_file as optimise_command
from goldenhour.cli.plans import load_scenario
from goldenhour.cli.run import RUN_VARIABLE, check_processes
from goldenhour.cli.run import run as run_command
from goldenhour.cli.scenario_sources import prepare_source

if TYPE_CHECKING:
    from goldenhour.jobs import JobsClient
    from goldenhour.point_driver import Loaded

DEFAULT_OUTPUT = "~/goldenhour-runs"
"""Folder on the cluster's head. A run without --output writes to a folder in it, named after the run's id."""

WITHOUT_FILES = ("compare", "sensitivity")
"""Commands that can use a cluster, and that are no jobs."""

OPTIONS_NOT_FOR_JOBS = ("address", "as_json")

SILENT_SECONDS = 60.0
"""After this many seconds without text the connection to a job's log is opened anew."""

LOST_SECONDS = 120.0
"""After this many seconds without an answer from the cluster the job is no longer followed."""

CATCH_UP_SECONDS = 20.0
"""How long after the end of its log a job may take to report its end."""

POLL_SECONDS = 0.5


@click.command(
    "submit",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": True},
    options_metavar="SCENARIO [OPTIONS OF RUN] | experiment FILE [OPTIONS] | optimise FILE [OPTIONS]",
)
@click.argument("arguments", metavar="", nargs=-1, type=click.UNPROCESSED)
@options.dashboard_address
@click.option("--no-follow", is_flag=True, help="Return after the start of the job; do not show its log.")
@click.option(
    "--env",
    "variables",
    metavar="NAME[=VALUE]",
    multiple=True,
    help="Set an environment variable for the job. Without =VALUE it gets the value it has here. The cluster's "
    "dashboard shows it.",
)
def submit(
    arguments: tuple[str, ...], address: str | None, no_follow: bool, variables: tuple[str, ...]
) -> int:
    """Run a scenario, an experiment or an optimisation as a job of a Ray cluster.

    SCENARIO and the options are those of `goldenhour run`, without --json; after the word experiment or optimise, FILE
    and the options are those of `goldenhour experiment` or `goldenhour optimise`. --address is the cluster's dashboard.

    The run's id is printed first, then the job's log on stderr until the job ends. Ctrl-C ends the log, not the job.
    Without --output the files stay on the cluster's head; `goldenhour fetch` copies them to this machine.
    """
    return _submit([*arguments], address, not no_follow, variables)


class _Job(NamedTuple):
    """What a job does, and with which file."""

    command: str
    """The command of goldenhour: `run`, `experiment` or `optimise`."""
    name: str
    """What its file is called after."""
    file: bytes
    """The whole input, as TOML."""
    words: list[str]
    """Its options, without the output."""
    output: Path | Url | None
    identity: tuple[str, int, int]
    """That of the manifest that it will write."""


def _submit(arguments: list[str], address: str | None, follow: bool, variables: tuple[str, ...]) -> int:
    """Check the input, start the job, and follow it. Returns the exit code of the run."""
    dashboard = jobs.dashboard_url(address)
    job = _job(arguments)
    run = str(uuid.uuid4())
    output = _job_output(job.output, run)
    file = f"{re.sub(r'[^A-Za-z0-9_-]+', '-', job.name).strip('-') or 'scenario'}.toml"
    command = ["python", "-m", "goldenhour", job.command, f"./{file}", *job.words, "--output", output]
    environment = _environment(variables) | {RUN_VARIABLE: run}
    metadata = {jobs.OUTPUT_KEY: output, jobs.IDENTITY_KEY: json.dumps(job.identity)}
    with jobs.job_folder({file: job.file}) as folder:
        client = jobs.JobsClient(dashboard)
        try:
            client.submit(run, shlex.join(command), folder, environment, metadata)
        except (RunError, KeyboardInterrupt) as error:
            kind = Interrupted if isinstance(error, KeyboardInterrupt) else RunError
            raise kind(f"{str(error) or 'stopped'}; {_perhaps_started(run, client.address)}") from None
    console.print_line(run)
    if not follow:
        return 0
    try:
        return asyncio.run(_follow(client, run))
    except KeyboardInterrupt:
        raise Interrupted(_no_longer_followed(run, client.address)) from None


def _job(arguments: list[str]) -> _Job:
    """The job for what stands after `submit`. Raises InputError or ScenarioError."""
    word, *others = arguments or [""]
    if word == experiment_group.name:
        return _experiment_job(others)
    if word == optimise_group.name:
        return _optimise_job(others)
    if word in WITHOUT_FILES:
        raise InputError(
            f"submit: got {word}, which writes no files that could be fetched; allowed: a scenario, experiment FILE or "
            f"optimise FILE. `goldenhour {word} ... --address HOST:PORT` simulates on a cluster"
        )
    return _run_job(arguments)


def _run_job(arguments: list[str]) -> _Job:
    """The job for the arguments of `goldenhour run`. Raises InputError or ScenarioError."""
    words, parameters = _parse_arguments(run_command, arguments)
    prepared = _prepare(parameters)
    identity = prepared.hash, prepared.original.seed, parameters["replication"]
    file = to_toml(prepared.written).encode()
    return _Job("run", prepared.written.name, file, words, parameters["output"], identity)


async def _follow(client: "JobsClient", run: str) -> int:
    """Print the job's log on stderr until the job ends, and return its exit code.

    A lost connection is opened again. The log then starts anew; what was printed before is skipped.
    """
    printed = 0
    lost_since: float | None = None
    while True:
        received = 0
        polls = int(CATCH_UP_SECONDS / POLL_SECONDS)
        log = client.log(run)
        try:
            while True:
                async with asyncio.timeout(SILENT_SECONDS):
                    text = await anext(log, None)
                if text is None:
                    break
                new = text[max(0, printed - received) :]
                received += len(text)
                printed = max(printed, received)
                console.print_error_text(new)
        except RunError:
            await asyncio.sleep(1)
        except TimeoutError:  # the job prints nothing, or the connection was lost without an error
            polls = 1
        try:
            info = await _info_at_end(client, run, polls)
            lost_since = None
        except RunError as error:
            info = None
            lost_since = lost_since or time.monotonic()
            if time.monotonic() - lost_since > LOST_SECONDS:
                raise RunError(f"{error}\n{_no_longer_followed(run, client.address)}") from error
            await asyncio.sleep(5)
        if info is not None:
            return _exit_code(run, info, client.address)


async def _info_at_end(client: "JobsClient", run: str, polls: int) -> Any:
    """What the cluster knows of an ended job; None if it has not ended after `polls` queries. Raises RunError."""
    for _ in range(polls):
        info = client.info(run)
        if jobs.status_of(info) in jobs.ENDED:
            return info
        await asyncio.sleep(POLL_SECONDS)
    return None


def _exit_code(run: str, info: Any, address: str) -> int:
    """The exit code of an ended job. Raises RunError if it did not end by itself."""
    status = jobs.status_of(info)
    if status == "SUCCEEDED":
        console.print_error_line(f"run {run} is finished: `{_fetch_command(run, address)}` copies its output")
        return 0
    if status == "STOPPED":
        raise RunError(f"run {run} was stopped")
    code = info.driver_exit_code
    if code in (1, 2, 130):
        console.print_error_line(f"goldenhour: run {run} ended with exit code {code}, see above")
        return int(code)
    raise RunError(f"run {run} failed: {' '.join((info.message or 'no message').split())[:500]}")


def _perhaps_started(run: str, address: str) -> str:
    return (
        f"run {run} may have been started nevertheless: `ray job status {run} --address {address}` shows it, "
        f"`ray job stop {run} --address {address}` stops it"
    )


def _no_longer_followed(run: str, address: str) -> str:
    return (
        f"the log is no longer shown, but run {run} continues. `ray job logs --follow {run}` shows the log again, "
        f"`ray job stop {run}` stops the run, `{_fetch_command(run, address)}` copies its output"
    )


def _fetch_command(run: str, address: str) -> str:
    return f"goldenhour fetch {run} -o DIR --address {address}"


def _experiment_job(arguments: list[str]) -> _Job:
    """The job for the arguments of `goldenhour experiment`, with its scenario. Raises InputError or ScenarioError."""
    from goldenhour.experiment_files import load_experiment

    words, parameters = _parse_arguments(experiment_command, arguments)
    loaded = load_experiment(parameters["file"], load_scenario)
    return _plan_job("experiment", loaded, loaded.name, words, parameters)


def _optimise_job(arguments: list[str]) -> _Job:
    """The job for the arguments of `goldenhour optimise`, with its scenario. Raises InputError or ScenarioError."""
    from goldenhour.optimisation_files import load_optimisation

    words, parameters = _parse_arguments(optimise_command, arguments)
    loaded = load_optimisation(parameters["file"], load_scenario)
    return _plan_job("optimise", loaded, loaded.name, words, parameters)


def _plan_job(
    command: str, loaded: "Loaded", name: str, words: list[str], parameters: dict[str, Any]
) -> _Job:
    """The job that carries out an experiment or an optimisation. Raises InputError or ScenarioError."""
    output = parameters["output"]
    if isinstance(output, Url):
        raise InputError(f"--output: got {shown(str(output))}; allowed: a folder of the cluster")
    if parameters["name"]:
        check_name(parameters["name"])
    loaded.design()  # what cannot be carried out is refused here
    file = loaded.as_run().encode()
    identity = hashlib.sha256(file).hexdigest(), loaded.base.resolved.seed, 0
    return _Job(command, name, file, words, output, identity)


def _parse_arguments(command: click.Command, arguments: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Parse the arguments of a command.

    Returns
    -------
    words
        The options as they were given, without the output, for the job's command.
    parameters
        The values of all parameters.
    """
    with command.make_context("goldenhour submit", list(arguments)) as context:
        parameters = dict(context.params)
        raw, _, _ = command.make_parser(context).parse_args(list(arguments))
    words = []
    for option in command.params:
        value = raw.get(option.name or "")
        if option.name == "output" or value is None or not isinstance(option, click.Option):
            continue
        if option.name in OPTIONS_NOT_FOR_JOBS:
            raise InputError(f"{option.opts[-1]} is not for `goldenhour submit`")
        if option.is_flag:
            words += [option.opts[-1]]
        for each in [] if option.is_flag else value if option.multiple else [value]:
            words += [option.opts[-1], str(each)]
    return words, parameters


def _prepare(parameters: dict[str, Any]) -> PreparedScenario:
    """Prepare the scenario, and check the options that the job would refuse. Raises InputError or ScenarioError."""
    if parameters.get("name"):
        check_name(parameters["name"])
    overrides = ScenarioOverrides(
        parameters["seed"], parameters["patients"], parameters["days"], parameters["settings"]
    )
    prepared = prepare_source(parameters["scenario"], overrides, parameters["allow_long"])
    check_processes(parameters["workers"], parameters["writers"], parameters["simulators"])
    divide_fronts(msgspec.json.encode(prepared.resolved), parameters["simulators"])
    return prepared


def _job_output(given: Path | Url | None, run: str) -> str:
    """Where the job writes. A job's own folder on the cluster is deleted after it, so another one is needed."""
    if given is None:
        return f"{DEFAULT_OUTPUT}/{run}"
    text = str(given)
    if isinstance(given, Path) and not text.startswith(("/", "~")):
        raise InputError(
            f"--output: got {shown(text)}; allowed: a full path on the cluster, such as a folder that all nodes share, "
            "or a URL. A relative path is in the job's own folder, which is deleted after the job"
        )
    return text


def _environment(variables: tuple[str, ...]) -> dict[str, str]:
    """The variables of --env, by name. Raises InputError."""
    found = {}
    for text in variables:
        name, equals, value = text.partition("=")
        is_name = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None
        if not is_name or (not equals and name not in os.environ):
            # The value may be a password, and so may be text that is no name.
            given = shown(name) if is_name else "text that does not begin with the name of a variable"
            raise InputError(f"--env: got {given}; allowed: NAME=VALUE, or NAME of a variable set here")
        if name == RUN_VARIABLE:
            raise InputError(f"--env: got {RUN_VARIABLE}; `goldenhour submit` sets this variable itself")
        found[name] = value if equals else os.environ[name]
    return found

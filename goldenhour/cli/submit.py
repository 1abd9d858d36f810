"""`goldenhour submit`: `goldenhour run` as a job of a cluster, with the packages and the scenario sent along."""

import asyncio
import json
import os
import re
import shlex
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import click
import msgspec

from actors.run import Url, divide_fronts
from actors.store import check_name
from engine.errors import InputError, Interrupted, RunError, shown
from engine.scenario import Scenario, check, resolve, scenario_hash, to_toml, with_overrides
from goldenhour.cli import run as run_command
from goldenhour.cli import stored_scenarios
from goldenhour.jobs import ENDED, MADE_KEY, OUTPUT_KEY, Jobs, chosen_address, package

DEFAULT_OUTPUT = "~/goldenhour-runs"
"""Folder on the cluster's head whose folders, named for the runs, hold what was not sent elsewhere."""

NOT_FOR_JOBS = ("address", "as_json")

SILENT_SECONDS = 60.0
"""How long a job's log may be silent before its connection is made anew."""

LOST_SECONDS = 120.0
"""How long the cluster may be out of reach before a job is no longer followed."""

CATCH_UP_SECONDS = 20.0
"""How long the end of a job may take to be known after its log has ended."""


def submit_command(
    arguments: list[str], address: str | None, follow: bool, variables: tuple[str, ...]
) -> int:
    """Check, start the job, print its run's id, and follow it; the exit code is the run's."""
    where = chosen_address(address)
    words, parameters = _as_given(arguments)
    original, changed = _checked(parameters)
    run = str(uuid.uuid4())
    output = _output(parameters["output"], run)
    file = f"{re.sub(r'[^A-Za-z0-9_-]+', '-', original.name).strip('-') or 'scenario'}.toml"
    command = ["python", "-m", "goldenhour", "run", f"./{file}", *words, "--output", output]
    environment = _environment(variables) | {run_command.RUN_VARIABLE: run}
    text = to_toml(original).encode()
    made = scenario_hash(changed), changed.seed, parameters["replication"]
    metadata = {OUTPUT_KEY: output, MADE_KEY: json.dumps(made)}
    with package({file: text}) as folder:
        cluster = Jobs(where)
        try:
            cluster.submit(run, " ".join(map(shlex.quote, command)), folder, environment, metadata)
        except (RunError, KeyboardInterrupt) as error:
            kind = Interrupted if isinstance(error, KeyboardInterrupt) else RunError
            raise kind(f"{str(error) or 'stopped'}; {_perhaps(run, where)}") from None
    click.echo(run)
    if not follow:
        return 0
    sys.stdout.flush()
    try:
        return asyncio.run(_follow(cluster, run))
    except KeyboardInterrupt:
        raise Interrupted(_without_us(run, where)) from None


async def _follow(cluster: Jobs, run: str) -> int:
    """Print the job's log on stderr until it ends; taken up again where the connection is lost."""
    seen = 0
    lost: float | None = None
    while True:
        told = 0
        tries = int(CATCH_UP_SECONDS / 0.5)
        log = cluster.following(run)
        try:
            while True:
                async with asyncio.timeout(SILENT_SECONDS):
                    text = await anext(log, None)
                if text is None:
                    break
                new = text[max(0, seen - told) :]
                told += len(text)
                seen = max(seen, told)
                click.echo(new, nl=False, err=True)
        except RunError:
            await asyncio.sleep(1)
        except TimeoutError:  # it has nothing to say, or the connection is dead without anybody knowing
            tries = 1
        try:
            status = await _ended(cluster, run, tries)
            if status is not None:
                info = cluster.info(run)
                break
            lost = None
        except RunError as error:
            lost = lost or time.monotonic()
            if time.monotonic() - lost > LOST_SECONDS:
                raise RunError(f"{error}\n{_without_us(run, cluster.address)}") from error
            await asyncio.sleep(5)
    if status == "SUCCEEDED":
        click.echo(f"run {run} is finished: `{_fetching(run, cluster.address)}` brings its output", err=True)
        return 0
    if status == "STOPPED":
        raise RunError(f"run {run} was stopped")
    code = info.driver_exit_code
    if code in (1, 2, 130):
        click.echo(f"goldenhour: run {run} ended with exit code {code}, see above", err=True)
        return int(code)
    raise RunError(f"run {run} failed: {' '.join((info.message or 'no message').split())[:500]}")


async def _ended(cluster: Jobs, run: str, tries: int) -> str | None:
    """How the job ended; None where it goes on after so many looks."""
    for _ in range(tries):
        status = str(getattr(cluster.info(run).status, "value", cluster.info(run).status))
        if status in ENDED:
            return status
        await asyncio.sleep(0.5)
    return None


def _perhaps(run: str, address: str) -> str:
    return (
        f"run {run} may have been started all the same: `ray job status {run} --address {address}` tells, "
        f"`ray job stop {run} --address {address}` ends it"
    )


def _without_us(run: str, address: str) -> str:
    return (
        f"no longer followed; run {run} goes on. `ray job logs --follow {run}` follows it again, "
        f"`ray job stop {run}` ends it, `{_fetching(run, address)}` brings its output"
    )


def _fetching(run: str, address: str) -> str:
    return f"goldenhour fetch {run} -o DIR --address {address}"


def _as_given(arguments: list[str]) -> tuple[list[str], dict[str, Any]]:
    """The options of `goldenhour run` as they are to be given to the job, without scenario and output; their values."""
    from goldenhour.cli.main import run as command

    with command.make_context("goldenhour submit", list(arguments)) as context:
        parameters = dict(context.params)
        raw, _, _ = command.make_parser(context).parse_args(list(arguments))
    words = []
    for option in command.params:
        value = raw.get(option.name or "")
        if option.name in ("scenario", "output") or value is None or not isinstance(option, click.Option):
            continue
        if option.name in NOT_FOR_JOBS:
            raise InputError(f"{option.opts[-1]} is not for `goldenhour submit`")
        words += [option.opts[-1]] if option.is_flag else [option.opts[-1], str(value)]
    return words, parameters


def _checked(parameters: dict[str, Any]) -> tuple[Scenario, Scenario]:
    """The scenario as written and as the options change it, once all that is wrong with them has been said."""
    written = stored_scenarios.load(parameters["scenario"]).scenario
    changed = with_overrides(
        written, seed=parameters["seed"], total=parameters["patients"], days=parameters["days"]
    )
    if parameters.get("name"):
        check_name(parameters["name"])
    check(changed)
    resolved = resolve(changed)
    if parameters["workers"] == 0 and parameters["writers"] > 1:
        raise InputError("--writers and --workers 0 exclude each other: without workers one process writes")
    if parameters["workers"] == 0 and parameters["simulators"] > 1:
        raise InputError(
            "--simulators and --workers 0 exclude each other: without workers one process simulates"
        )
    divide_fronts(msgspec.json.encode(resolved), parameters["simulators"])
    return written, changed


def _output(given: Path | Url | None, run: str) -> str:
    """Where the job writes: a place that outlives its folder on the cluster."""
    if given is None:
        return f"{DEFAULT_OUTPUT}/{run}"
    text = str(given)
    if isinstance(given, Path) and not text.startswith(("/", "~")):
        raise InputError(
            f"--output: got {shown(text)}; allowed: a full path on the cluster, such as a folder that all nodes share, "
            "or a URL: the job's own folder goes with it"
        )
    return text


def _environment(variables: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in variables:
        name, equals, value = text.partition("=")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or (not equals and name not in os.environ):
            raise InputError(f"--env: got {shown(text)}; allowed: NAME=VALUE, or NAME of a variable set here")
        if name == run_command.RUN_VARIABLE:
            raise InputError(
                f"--env: got {shown(text)}; the run's id is given to it by `goldenhour submit` itself"
            )
        found[name] = value if equals else os.environ[name]
    return found

"""Options that several commands share, and checks of their values."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

import click

from actors.run import Url
from engine.errors import InputError, shown
from engine.masking import shown_address
from engine.scenario import Setting, parse_setting
from goldenhour.outputs import parse_output

seed = click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of the random draws. Default: the scenario's."
)
replication = click.option(
    "--replication",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    help="Number of the replication. Each number gives other patients from the same seed. Default: 0.",
)
patients = click.option(
    "--patients",
    type=click.IntRange(1, 10**9),
    help="Simulate exactly this many patients. Default: the scenario's total or rates.",
)
days = click.option(
    "--days", type=click.IntRange(1, 3650), help="Simulate this many days. Default: the scenario's."
)


MAX_WORKERS = 1024


def _settings(ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[Setting, ...]:
    return tuple(map(parse_setting, texts))


settings = click.option(
    "--set",
    "settings",
    metavar="PATH=VALUE",
    multiple=True,
    callback=_settings,
    help="Set any field of the scenario, such as days=10, 'facilities[R2-North].surgical_teams=2' or "
    "casualties.rates.battle.mean=2. Entries of lists by id or name, or by number from 0. Can be repeated.",
)
allow_long = click.option(
    "--allow-long",
    is_flag=True,
    help="Accept numbers of casualties, lifts, deliveries, shifts and vehicles that no theatre has, and a century of "
    "transport.",
)
no_progress = click.option("--quiet", is_flag=True, help="Print no progress and no summary.")
json_for_summary = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of the summary."
)
json_for_tables = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of tables."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
limit = click.option(
    "--limit", type=click.IntRange(1, 100_000), default=30, help="List at most this many. Default: 30."
)
dashboard_address = click.option(
    "--address",
    metavar="URL",
    help="URL of the cluster's dashboard, http://HOST:8265. Default: RAY_API_SERVER_ADDRESS.",
)


def worker_count(ctx: click.Context, parameter: click.Parameter, value: str) -> int | None:
    """A click callback: the number of workers, None for auto. Raises InputError."""
    if value == "auto":
        return None
    if not re.fullmatch("[0-9]{1,4}", value) or int(value) > MAX_WORKERS:
        raise InputError(
            f"--workers: got {shown(value)}; allowed: auto, or a number from 0 to {MAX_WORKERS:,}"
        )
    return int(value)


tasks = click.option(
    "--workers",
    metavar="N",
    default="auto",
    callback=worker_count,
    help="Tasks on Ray at a time; 0: simulate in this process; auto: without Ray what takes less than 20 seconds, else "
    "as many as there are CPUs. The results are the same. Default: auto.",
)


ray_address = click.option(
    "--address", metavar="A", help="Simulate on the Ray cluster at this address, HOST:PORT."
)
no_store = click.option("--no-store", is_flag=True, help="Do not use the database.")
confidence = click.option(
    "--confidence", type=float, default=0.95, help="Confidence of the intervals, below 1. Default: 0.95."
)


def output_value(ctx: click.Context, parameter: click.Parameter, value: str | None) -> Path | Url | None:
    """A click callback: the folder or URL that `value` names. Raises InputError."""
    name = parameter.opts[-1] if isinstance(parameter, click.Option) else str(parameter.metavar)
    return None if value is None else parse_output(value, name)


def choice(text: str, allowed: Sequence[str], option: str) -> str:
    """Return `text` if it is one of `allowed`. Raises InputError, with the nearest match."""
    if text in allowed:
        return text
    near = difflib.get_close_matches(text.lower(), allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(f"{option}: got {text!r}; allowed: {', '.join(allowed)}{hint}")


def check_ray_address(address: str | None, workers: int = 1) -> None:
    """Raise InputError if `address` cannot be that of a Ray cluster, or if there are no workers to use it."""
    if address is not None and workers == 0:
        raise InputError(
            "--address and --workers 0 exclude each other: a run without workers does not use Ray"
        )
    if address is not None and not re.fullmatch(r"auto|(ray://)?[\w.\-\[\]:]+:\d{1,5}", address):
        raise InputError(f"--address: got {shown(shown_address(address))}; allowed: HOST:PORT or auto")

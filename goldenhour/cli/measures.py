"""`goldenhour measures`: the measures of a run, from a cache or simulated, without its patients."""

import time
from typing import TYPE_CHECKING, Any

import click
import msgspec

from actors import cache as cache_wing
from actors import cluster
from engine.errors import InputError
from engine.precomputed import SIMULATION_KINDS, CacheKey, build_value, key_of_measures
from engine.scenario import PreparedScenario, ScenarioOverrides, Setting, prepare
from goldenhour import console, scenario_files, views
from goldenhour.cli import options
from goldenhour.cli.execution import command_seconds
from goldenhour.run_time import expected_time

if TYPE_CHECKING:
    from actors.cache import CacheSettings


@click.command()
@click.argument("scenario")
@options.seed
@options.replication
@options.patients
@options.days
@options.settings
@options.allow_long
@click.option(
    "--address", metavar="A", help="Simulate on the Ray cluster at this address, HOST:PORT, with its cache."
)
@options.json_for_tables
def measures(
    scenario: str,
    seed: int | None,
    replication: int,
    patients: int | None,
    days: int | None,
    settings: tuple[Setting, ...],
    allow_long: bool,
    address: str | None,
    as_json: bool,
) -> None:
    """Print the measures of a run without writing its patients.

    The same scenario, seed and replication are simulated only once. Later calls read the result from a cache, even if
    it was `goldenhour run` that simulated it. A note says when a simulation on this machine is expected to take more
    than ten minutes. SCENARIO is a built-in scenario, or a .toml or .json file.
    """
    written, origin = scenario_files.load_with_origin(scenario)
    prepared = prepare(written, ScenarioOverrides(seed, patients, days, settings), origin, allow_long)
    options.check_ray_address(address)
    caching = cache_wing.cache_settings()
    key = key_of_measures(prepared.resolved, prepared.resolved.seed, replication)
    if address:
        data, fault = _measures_on_cluster(address, prepared, key)
        took = None
    else:
        data, fault, took = _measures_here(caching, prepared, key)
    if fault:
        console.print_error_line(f"note: {fault}; the measures were computed without it")
    found = msgspec.json.decode(data)
    if as_json:
        console.print_json(found, indent=None)
    else:
        _show(prepared, replication, found)
        console.print_line()
        source = "from the cluster" if address else "from the cache"
        if took is not None:
            rate = found["patients"] / max(took, 1e-3)
            source = f"{views.format_seconds(took)} to simulate, {rate:,.0f} patients/s"
        console.print_line(f"{source}; {views.format_seconds(command_seconds())} for the whole command")


def _show(prepared: PreparedScenario, replication: int, found: dict[str, Any]) -> None:
    screen = console.screen(110, highlight=False)
    screen.print(
        f"{found['patients']:,} patients of {prepared.original.name}, seed {prepared.original.seed}, "
        f"replication {replication}"
    )
    for table in views.summary_tables(found):
        screen.print()
        screen.print(table)


def _measures_here(
    settings: "CacheSettings", prepared: PreparedScenario, key: CacheKey
) -> tuple[bytes, str | None, float | None]:
    """The measures from Redis or the disk, else simulated in this process.

    Also the fault of the cache, if any, and the seconds of the simulation; None if there was none.
    """
    from engine.run import entry_points

    local = None if settings.mode == "off" else cache_wing.LocalCache(settings)
    data = None if local is None else local.get(key)
    if data is not None:
        return data, None if local is None else local.fault, None
    views.compile_first(entry_points(prepared.resolved, texts=False))
    began = time.monotonic()
    if local is None:
        return _simulate(prepared, key, {}), None, time.monotonic() - began
    data = _simulate(prepared, key, local.get_or_build(prepared.resolved, SIMULATION_KINDS))
    took = time.monotonic() - began
    local.put(key, data)
    return data, local.fault, took


def _measures_on_cluster(address: str, prepared: PreparedScenario, key: CacheKey) -> tuple[bytes, str | None]:
    """The measures from the cache of a cluster, which simulates what it does not hold; and its fault, if any."""
    with (
        console.status("Asking the cluster's cache ...") as status,
        cluster.start_session(address, 1) as session,
    ):
        shared = cache_wing.cache_for_run(session.local, prepared.original.name)
        if not isinstance(shared, cache_wing.SharedCache):
            raise InputError(
                "--address and GOLDENHOUR_CACHE=off exclude each other: measures of a cluster come from its cache"
            )
        (data,) = shared.get([key], waiting=lambda: status.update("Simulating on the cluster ..."))
    if data is not None:
        return data, shared.fault
    return _simulate(prepared, key, {}), "the cluster's cache did not answer"


def _simulate(prepared: PreparedScenario, key: CacheKey, precomputed: dict[str, Any]) -> bytes:
    """The measures as JSON, simulated in this process. Prints a note first if that will take long."""
    if note := expected_time(prepared, formats=(), workers=0).note():
        console.print_error_line(f"note: {note}")
    with console.status("Simulating ..."):
        data: bytes = build_value(key.kind, key.inputs, precomputed)
    return data

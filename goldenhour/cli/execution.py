"""What `goldenhour run` and `goldenhour resume` share: the run itself, its row in the database, and its result."""

import time
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from actors import run as run_wing
from actors.run import AUTOMATIC_WORKERS
from actors.store import Content, Registration, check_name
from engine.errors import StoreError
from engine.records import RUN_TABLES
from engine.scenario import PreparedScenario, Setting, has_tilts, to_toml
from goldenhour import console, views
from goldenhour.chance import Chance, chance_of
from goldenhour.database import current_database, user_and_machine
from goldenhour.outputs import output_text
from goldenhour.tilts import tilts_of_scenario

if TYPE_CHECKING:
    from actors.run import RunRequest, RunResult
    from actors.store import Database


def execute(
    request: "RunRequest",
    prepared: PreparedScenario,
    registration: Registration | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run, show the progress, and print the result.

    Parameters
    ----------
    request
        The run.
    prepared
        Its scenario.
    registration
        The run's row in the database; None: do not use the database.
    quiet
        Print warnings only.
    as_json
        Print the result as one JSON object, even if `quiet`.
    """
    if has_tilts(prepared.resolved):  # shares that cannot be met are refused before the run begins
        from engine.run import SEVERITY

        views.compile_first([SEVERITY])
        tilts_of_scenario(prepared.resolved)
    with views.progress_view(quiet) as view:
        database = database_of_records(registration is None, view.warn)
        if registration is None or database is None:
            result = run_wing.run_scenario(request, view.report)
        else:
            result = run_wing.run_recorded(request, registration, database, view.report, view.warn)
    if not quiet:
        for note in result.notes:
            console.print_error_line(f"note: {note}")
    if quiet and not as_json:
        return
    chance = chance_of(prepared.resolved, request.seed, result.patients)
    if as_json:
        console.print_json(_result_json(request, prepared, result, chance), indent=None)
    else:
        views.show_summary(
            prepared.resolved, request.seed, request.replication, result, chance, command_seconds()
        )


def database_of_records(no_store: bool, warn: Callable[[str], None]) -> "Database | None":
    """The database to record in; None without one. `warn` is called if there should be one and is none."""
    if no_store:
        return None
    try:
        return current_database()
    except StoreError as error:
        warn(f"{error}; the run continues without a record")
        return None


def scenario_columns(prepared: PreparedScenario) -> dict[str, Any]:
    """What a row of the database says of a scenario: its name, its source and its version."""
    original, origin = prepared.original, prepared.origin
    is_stored = origin is not None and origin.kind == "stored"
    return {
        "scenario": origin.name if origin is not None and is_stored else original.name,
        "source": "file" if origin is None else origin.kind,
        "scenario_version": None if origin is None else origin.version,
    }


def command_seconds() -> float:
    """Seconds since the user started the command that is being carried out."""
    began: float = click.get_current_context().find_root().obj
    return time.monotonic() - began


def shown_workers(workers: int) -> int | str:
    """The number of workers as the database stores it."""
    return "automatic" if workers == AUTOMATIC_WORKERS else workers


def registration_of(
    request: "RunRequest",
    prepared: PreparedScenario,
    name: str | None = None,
    settings: Sequence[Setting] = (),
) -> Registration:
    """The row that the database gets for a run before it starts. Raises InputError for a `name` it cannot hold.

    `settings` are the values that --set gave; the scenario's text in the row has them too.
    """
    if name is not None:
        check_name(name)
    return Registration(
        id=uuid.UUID(request.run_id) if request.run_id else uuid.uuid4(),
        name=name,
        **scenario_columns(prepared),
        content=Content(text=to_toml(prepared.original), format="toml", hash=prepared.hash),
        seed=request.seed,
        replication=request.replication,
        settings={
            "formats": ",".join(request.formats),
            "compress": request.compress,
            "workers": shown_workers(request.workers),
            "chunk_size": request.chunk_size,
            **({"set": "; ".join(f"{path}={value}" for path, value in settings)} if settings else {}),
        },
        who=user_and_machine(),
        output=output_text(request.destination or request.output),
        version=request.version,
        expected=prepared.resolved.casualties.total,
    )


def _result_json(
    request: "RunRequest", prepared: PreparedScenario, result: "RunResult", chance: Chance | None
) -> dict[str, Any]:
    """The object that `--json` prints."""
    return {
        "patients": result.patients,
        "output": str(result.output),
        "scenario": prepared.original.name,
        "scenario_hash": prepared.hash,
        "seed": request.seed,
        "replication": request.replication,
        "outcomes": result.measures["outcomes"],
        "casualties_over_replications": None if chance is None else chance.document(),
        "seconds": round(result.seconds, 3),
        "compile_seconds": round(result.compile_seconds, 3),
        "command_seconds": round(command_seconds(), 3),
        "patients_per_second": round(result.patients_per_second, 1),
        "peak_pss_mb": result.peak_pss_mb,
        "pss_mb": result.pss_mb,
        "workers": result.workers,
        "chunk_size": request.chunk_size,
        "bytes": result.bytes,
        "bytes_per_record": _bytes_per_record(result),
        "recoveries": result.recoveries,
        "resumed": result.resumed,
        "run": result.run_id,
        "parts": [str(result.output / part.path) for part in result.parts],
        "files": [str(path) for path in result.files],
    }


def _bytes_per_record(result: "RunResult") -> float:
    """Bytes of the patients' files for each patient. The tables of the whole run do not count."""
    written = sum(part.bytes for part in result.parts if part.table not in RUN_TABLES)
    return round(written / result.patients, 1) if result.patients else 0.0

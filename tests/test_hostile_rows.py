"""Rows of the database that another program has written: each column with hostile values, on a real server."""

import asyncio
import contextlib
import io
import json
import resource
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from databases import empty, folder_of, registration, sql

from actors.store import ConfigStore, Database, Heartbeat, Server
from actors.store.messages import HeartbeatReply
from engine.errors import GoldenhourError
from engine.scenario import MAX_BYTES
from goldenhour import console, views
from goldenhour.__main__ import run
from goldenhour.cli.scenario_sources import stored_scenarios

TEXTS = ["", None, "../../etc/passwd", "/", "-rf", "a\nb", "{[x]}", "\x1b]0;x\x07", "é" * 300, "9" * 5000]
VALUES: dict[str, list[Any]] = {
    "text": [*TEXTS, "BIG"],
    "integer": [None, -1, 0, 2**31 - 1],
    "bigint": [None, -1, -(2**63), 2**63 - 1],
    "real": [None, "NaN", "Infinity", "-Infinity", -1, 3e38],
    "timestamp with time zone": [
        None,
        "infinity",
        "-infinity",
        "294000-01-01",
        "4000-01-01 BC",
        "9999-12-31 23:59:59",
    ],
    "jsonb": [
        None,
        "null",
        "[]",
        '"x"',
        '{"a": {"b": [1]}}',
        "1e400",
        '{"patients": "x"}',
        "[" * 3000 + "]" * 3000,
        "BIG",
    ],
    "uuid": [None, str(uuid.UUID(int=0))],
}
"""Hostile values by type of column. BIG stands for a value of 20 MB."""

BIG_TEXT = "repeat('x', 20000000)"
BIG_JSON = f"('\"' || {BIG_TEXT} || '\"')"

MEMORY_MB = 50
"""Most memory that reading rows of 20 MB may add; without limits, several copies would be in memory."""


TABLES = ("runs", "scenarios", "scenario_versions", "contents", "migrations")


@pytest.fixture(scope="module")
def prepared(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, Path]]:
    """A database with a scenario in two versions and a finished run, without any constraint or trigger; its folder."""
    server = Server(folder_of(data_folder, "hostile"))
    server.open()
    made, folder = empty(server), tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOLDENHOUR_DATABASE_URL", str(made.url))
        patch.chdir(folder)
        for number in (1, 2):
            Path("mine.toml").write_text(f'name = "mine"\ndays = {number}\n[casualties]\ntotal = 5\n')
            assert run(["scenarios", "add", "mine.toml", *(["--parent", "1"] if number == 2 else [])]) == 0
        assert run(["run", "mine", "--workers", "0", "--quiet", "--name", "done", "-o", "out"]) == 0
    for statements in FREE:
        for (statement,) in sql(made, statements):
            with contextlib.suppress(psycopg.errors.InvalidTableDefinition):  # part of a primary key
                sql(made, statement)
    for table in TABLES:
        sql(made, f"CREATE TABLE before_{table} AS TABLE {table}")
    yield made, folder
    server.close()


@pytest.fixture
def where(prepared: tuple[Database, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The database, whose rows the test may change, in its folder."""
    made, folder = prepared
    monkeypatch.setenv("GOLDENHOUR_DATABASE_URL", str(made.url))
    monkeypatch.chdir(folder)
    yield made
    for table in TABLES:
        restore(made, table)


def restore(where: Database, table: str) -> None:
    sql(where, f"DELETE FROM {table}; INSERT INTO {table} TABLE before_{table}")


FREE = (
    """
    SELECT format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', conrelid::regclass, conname)
    FROM pg_constraint JOIN pg_class c ON c.oid = conrelid
    WHERE c.relnamespace = 'goldenhour'::regnamespace AND contype NOT IN ('n', 'p', 't')
    """,
    """
    SELECT format('ALTER TABLE goldenhour.%I DISABLE TRIGGER USER', tablename) FROM pg_tables
    WHERE schemaname = 'goldenhour'
    UNION ALL
    SELECT format('ALTER TABLE goldenhour.%I ALTER %I DROP NOT NULL', table_name, column_name)
    FROM information_schema.columns WHERE table_schema = 'goldenhour'
    """,
)
"""Statements that return statements which remove all that the schema forbids."""


def columns(where: Database, table: str) -> list[tuple[str, str]]:
    return sql(
        where,
        "SELECT column_name::text, data_type::text FROM information_schema.columns"
        " WHERE table_schema = 'goldenhour' AND table_name = %s",
        table,
    )


async def read_all(store: ConfigStore, run_id: uuid.UUID) -> list[Any]:
    """Return all that commands read from the database, or the errors that they would print."""
    calls: list[Callable[[], Any]] = [
        lambda: store.runs(),
        lambda: store.run(run_id),
        lambda: store.run_status(run_id),
        lambda: store.find_run("done"),
        lambda: store.find_run("nobody"),
        lambda: store.scenarios(),
        lambda: store.scenario("mine"),
        lambda: store.scenario("mine", 1),
        lambda: store.scenario_history("mine"),
        lambda: store.status(),
        lambda: store.cancel_run(run_id, "me"),
    ]
    found: list[Any] = []
    for call in calls:
        try:
            found.append(await call())
        except GoldenhourError as error:
            assert len(str(error)) < 2000
            found.append(error)
    return found


def show_all(found: list[Any]) -> str:
    """Return what the commands print of it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        _print_all(found)
    texts = [console.format_json(each) for each in found if not isinstance(each, GoldenhourError)]
    for text in texts:
        json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    return printed.getvalue() + "".join(texts)


def _print_all(found: list[Any]) -> None:
    screen = console.Screen(width=200)
    runs, one = found[:2]
    if isinstance(runs, list):
        screen.print(views.runs_table(runs))
    if isinstance(one, dict):
        views.show_run(screen, one)
    if isinstance(found[8], list):
        screen.print(views.versions_table(found[8]))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize("table", TABLES)
def test_no_column_of_a_table_ends_in_a_traceback_or_needs_memory(
    where: Database, table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ((run_id,),) = sql(where, "SELECT id FROM runs")

    async def attack() -> None:
        store = ConfigStore(where.conninfo(), key=where.key)
        sound = await read_all(store, run_id)
        assert not [each for each in sound[:4] + sound[5:] if isinstance(each, Exception)]
        show_all(sound)
        before = peak_mb()
        carried_out = 0
        for column, kind in columns(where, table):
            for value in VALUES.get(kind, []):
                given = (
                    ("'\"' || repeat('x', 40000000) || '\"'" if kind == "jsonb" else "repeat('x', 20000000)")
                    if value == "BIG"
                    else "%s"
                )
                try:
                    values = [] if value == "BIG" else [value]
                    sql(where, f"UPDATE {table} SET {column} = ({given})::{kind}", *values)
                except (psycopg.IntegrityError, psycopg.OperationalError):
                    continue  # a primary key cannot be null, equal, or longer than a page
                carried_out += 1
                found = await read_all(store, run_id)
                # of a scenario's text just enough is read to refuse it, once as it is and once as JSON
                most = 2 * MAX_BYTES + 200_000 if column == "text" else 200_000
                assert len(show_all(found)) < most, (column, str(value)[:50])
                restore(where, table)
                await store.close()
        assert peak_mb() - before < MEMORY_MB
        assert carried_out > 10

    asyncio.run(attack())


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("output", "../out"),
        ("output", "out"),
        ("output", "/etc"),
        ("output", "s3://../x"),
        ("output", "ftp://host/x"),
        ("output", "/proc/self/root"),
        ("hash", "0" * 64),
        ("hash", "../../x"),
        ("state", "what"),
        ("id", str(uuid.UUID(int=0))),
    ],
)
def test_a_row_names_no_files_that_a_run_has_not_written(
    where: Database, column: str, value: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sql(
        where,
        f"UPDATE runs SET {column} = %s{'::uuid' if column == 'id' else ''}"
        if column != "hash"
        else "UPDATE contents SET hash = %s",
        value,
    )
    before = {path: path.stat().st_mtime_ns for path in Path.cwd().rglob("*")}
    for command in (
        ["resume", "done"],
        ["fetch", "done", "-o", "copy"],
        ["runs", "show", "done"],
        ["runs", "list"],
    ):
        code = run(command)
        assert code in (0, 1, 2), command
        if column != "id" and command[0] == "fetch":
            assert code == 2 or code == 1, (command, code)
        assert "Traceback" not in capsys.readouterr().err
    if column != "id":
        assert {path: path.stat().st_mtime_ns for path in Path.cwd().rglob("*")} == before
    assert run(["runs", "rm", "done"]) == 0


def test_a_damaged_row_is_left_out_of_a_list_with_a_note_and_can_be_removed(
    where: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    sql(where, "UPDATE runs SET fraction = 'NaN'")
    assert run(["runs", "list", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == []
    assert "note: the database has a damaged row" in shown.err
    assert "column fraction" in shown.err
    assert run(["runs", "show", "done"]) == 1
    assert "damaged row" in capsys.readouterr().err
    assert run(["runs", "rm", "done"]) == 0


def test_a_scenario_that_is_too_long_is_listed_but_not_read(where: Database) -> None:
    sql(where, "UPDATE contents SET text = repeat('x', 2000000)")
    (row,) = stored_scenarios()
    assert row["name"] == "mine"
    assert row["scenario"] is None


def test_replies_and_announcements_of_others_are_checked(where: Database) -> None:
    async def work() -> None:
        store = ConfigStore(where.conninfo(), connections=2, key=where.key)
        await store.scenario("mine")
        changes = store._changes
        while not changes.listening:
            await asyncio.sleep(0.01)
        count = changes.changes
        for payload in ("", "[", "1", '{"name": 1}', '{"name": "' + "x" * 7000 + '"}', '{"name": "mine"}'):
            await asyncio.to_thread(sql, where, "SELECT pg_notify('goldenhour_changes', %s)", payload)
        async with asyncio.timeout(10):
            while changes.changes == count:
                await asyncio.sleep(0.01)
        assert changes.listening
        registered = registration()
        await store.register_run(registered)
        await asyncio.to_thread(
            sql, where, "UPDATE runs SET state = 'running', cancelled_by = repeat('x', 20000000)"
        )
        await store.heartbeat(Heartbeat(id=registered.id, phase="running"))
        async with asyncio.timeout(10):
            while True:
                reply: HeartbeatReply = await store.heartbeat(Heartbeat(id=registered.id, phase="running"))
                if reply.error is not None:
                    break
                await asyncio.sleep(0.1)
        assert "column cancelled_by" in reply.error
        assert len(reply.error) < 2000
        await store.close()

    asyncio.run(work())

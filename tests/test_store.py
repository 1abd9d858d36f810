"""The store on a real server: versions of scenarios, states of runs, hostile input, and an unreachable database."""

import asyncio
import itertools
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from databases import ask, connections, content, empty, registration, running, sql

from actors.store import ConfigStore, Database, Heartbeat, Server, driver_slots, migrations
from actors.store.live_runs import SILENCE_SECONDS
from engine.errors import ConflictError, InputError, ScenarioError, StoreError
from engine.scenario import MAX_BYTES, parse


@pytest.fixture(scope="module")
def server(data_folder: Path) -> Iterator[Server]:
    """The server of all tests of the module."""
    with running(data_folder, "store") as server:
        yield server


@pytest.fixture(scope="module")
def where(server: Server) -> Database:
    """One database for all tests that do not disturb each other."""
    return empty(server)


# Migrations


async def fill(store: ConfigStore) -> uuid.UUID:
    await store.add_scenario("filled", content("a = 1"), "me")
    await store.add_scenario("filled", content("a = 2"), "me", "an edit", parent=1)
    run = registration(source="stored", scenario="filled", scenario_version=2)
    await store.register_run(run)
    await store.finish_run(run.id, "succeeded", measures={"patients": 1})
    return run.id


def test_every_migration_can_be_rolled_back_on_a_filled_database(server: Server) -> None:
    where = empty(server)
    ask(where, fill)
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'goldenhour' ORDER BY 1"
    functions = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'goldenhour'::regnamespace"
    full = sql(where, tables), sql(where, functions)
    steps = [step.number for step in migrations.migrations()]
    for number in reversed(steps):
        assert ask(where, lambda store: store.rollback()) == [number]
        if number > 1:
            assert sql(where, "SELECT count(*) FROM scenario_versions") == [(2,)]
    assert (sql(where, tables), sql(where, functions)) == ([("migrations",)], [(0,)])
    assert ask(where, lambda store: store.rollback()) == []
    assert ask(where, lambda store: store.upgrade()) == steps
    assert (sql(where, tables), sql(where, functions)) == full
    ask(where, fill)


def test_a_rollback_keeps_the_rows_of_older_migrations(server: Server) -> None:
    where = empty(server)
    ask(where, fill)
    ask(where, lambda store: store.rollback(1))
    ask(where, lambda store: store.upgrade())
    found = ask(where, lambda store: store.scenario("filled"))
    assert found is not None
    assert (found["version"], found["text"]) == (2, "a = 2")
    assert ask(where, lambda store: store.runs()) == []


def test_a_database_of_a_newer_version_is_refused(server: Server) -> None:
    where = empty(server)
    ask(where, lambda store: store.open())
    sql(where, "INSERT INTO migrations (number, name) VALUES (99, 'future')")
    with pytest.raises(StoreError, match="migration 99"):
        ask(where, lambda store: store.scenarios())


# Scenarios


def test_an_edit_adds_a_version_and_keeps_the_old_one(where: Database) -> None:
    async def work(store: ConfigStore) -> None:
        first = await store.add_scenario("alpha", content("a = 1"), "anna", "first")
        second = await store.add_scenario("alpha", content("a = 2"), "bert", "second", parent=1)
        again = await store.add_scenario("alpha", content("a = 2"), "carl", parent=2)
        assert (first["version"], second["version"], again["version"]) == (1, 2, 2)
        assert (second["added"], again["added"]) == (True, False)
        newest, oldest = await store.scenario("alpha"), await store.scenario("alpha", 1)
        assert newest is not None
        assert oldest is not None
        assert (newest["text"], newest["author"], newest["parent"]) == ("a = 2", "bert", 1)
        assert (oldest["text"], oldest["note"], oldest["parent"]) == ("a = 1", "first", None)
        history = await store.scenario_history("alpha")
        assert [(row["version"], row["author"]) for row in history] == [(1, "anna"), (2, "bert")]

    ask(where, work)


def test_only_one_of_several_simultaneous_edits_is_stored(where: Database) -> None:
    async def work(store: ConfigStore) -> None:
        await store.add_scenario("contested", content("a = 0"), "anna")
        edits = [store.add_scenario("contested", content(f"a = {n}"), "anna", parent=1) for n in range(1, 9)]
        done = await asyncio.gather(*edits, return_exceptions=True)
        won = [each for each in done if isinstance(each, dict)]
        lost = [each for each in done if isinstance(each, ConflictError)]
        assert (len(won), len(lost)) == (1, 7)
        assert "is at version 2, not 1: another user has changed it" in str(lost[0])
        assert [row["version"] for row in await store.scenario_history("contested")] == [1, 2]

    ask(where, work, connections=4)


def test_a_name_is_not_overwritten_by_accident(where: Database) -> None:
    async def work(store: ConfigStore) -> None:
        await store.add_scenario("taken", content("a = 1"), "anna")
        with pytest.raises(ConflictError, match="--parent 1"):
            await store.add_scenario("taken", content("a = 2"), "bert")
        with pytest.raises(ConflictError, match="has no version 7"):
            await store.add_scenario("taken", content("a = 2"), "bert", parent=7)
        with pytest.raises(ConflictError, match="newest one is none"):
            await store.add_scenario("never seen", content("a = 2"), "bert", parent=1)
        assert await store.scenario("never seen") is None

    ask(where, work)


def test_a_removed_scenario_keeps_its_versions_and_can_be_stored_again(where: Database) -> None:
    async def work(store: ConfigStore) -> None:
        await store.add_scenario("gone", content("a = 1"), "anna")
        assert await store.remove_scenario("gone")
        assert not await store.remove_scenario("gone")
        assert await store.scenario("gone") is None
        assert "gone" not in [row["name"] for row in await store.scenarios()]
        removed = await store.scenario("gone", 1)
        assert removed is not None
        assert removed["deleted"]
        back = await store.add_scenario("gone", content("a = 2"), "anna")
        assert back["version"] == 2

    ask(where, work)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE scenario_versions SET note = 'forged'",
        "DELETE FROM scenario_versions",
        "UPDATE contents SET text = 'forged'",
    ],
)
def test_versions_never_change(where: Database, statement: str) -> None:
    ask(where, lambda store: store.add_scenario("fixed", content("a = 1"), "anna"))
    with pytest.raises(psycopg.DatabaseError, match="never change"):
        sql(where, statement)


HOSTILE = (
    "Robert'); DROP TABLE scenarios;--",
    "' OR '1'='1",
    '" ; DELETE FROM runs; --',
    "%s %(name)s %%",
    "$1 $$ \\ \\x00 E'\\''",
    "naïve 名前 \U0001f3e5",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_sql_in_a_text_is_stored_as_text(where: Database, text: str) -> None:
    async def work(store: ConfigStore) -> None:
        await store.add_scenario(text, content(f"a = {text}"), text, text)
        found = await store.scenario(text)
        assert found is not None
        assert (found["name"], found["text"], found["author"], found["note"]) == (
            text,
            f"a = {text}",
            text,
            text,
        )
        run = registration(name=text, scenario=text, who=text, output=text, settings={"x": text})
        await store.register_run(run)
        assert await store.find_run(text) == run.id
        await store.finish_run(run.id, "failed", error=text)
        row = await store.run(run.id)
        assert row is not None
        assert (row["name"], row["who"], row["settings"], row["error"]) == (text, text, {"x": text}, text)
        assert await store.remove_scenario(text)
        assert await store.remove_run(run.id)

    ask(where, work)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x" * 10_000_000, "10,000,000 characters"),
        ("", "0 characters"),
        ("nul\0nul", "code 0"),
        ("not utf-8 \udcff", "UTF-8"),
        ("line\nbreak", "printable"),
        (" space", "printable"),
        ("with@sign", "printable"),
        ("-option", "not beginning with"),
    ],
)
def test_a_name_that_is_not_allowed_is_refused_in_one_line(where: Database, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        ask(where, lambda store: store.add_scenario(name, content(), "me"))
    assert len(str(caught.value)) < 400
    assert ask(where, lambda store: store.scenario(name)) is None
    with pytest.raises(InputError, match="there is no run"):
        ask(where, lambda store: store.find_run(name))


def test_a_text_that_cannot_be_stored_is_refused(where: Database) -> None:
    with pytest.raises(InputError, match="note"):
        ask(where, lambda store: store.add_scenario("bad note", content(), "me", "\udc80"))
    with pytest.raises(InputError, match="scenario"):
        ask(where, lambda store: store.add_scenario("bad text", content("a = '\0'"), "me"))


def test_of_a_text_beyond_the_largest_scenario_just_enough_is_read_to_refuse_it(where: Database) -> None:
    ask(where, lambda store: store.add_scenario("giant", content("# " + "x" * 3 * MAX_BYTES), "me"))
    row = ask(where, lambda store: store.scenario("giant"))
    listed = [row for row in ask(where, lambda store: store.scenarios()) if row["name"] == "giant"]
    assert row is not None and len(row["text"]) == MAX_BYTES + 1
    with pytest.raises(ScenarioError, match="at most 4,194,304 bytes"):
        parse(row["text"].encode(), "toml", "giant@1")
    assert [found["text"] for found in listed] == [None]
    ask(where, lambda store: store.remove_scenario("giant"))


class Subscriber:
    """A subscriber of the store that records its notifications."""

    def __init__(self) -> None:
        self.received: list[list[str]] = []
        self.invalidate = self
        self.remote = self.received.append


def test_subscribers_are_notified_of_every_change_and_of_all_scenarios_after_a_lost_connection(
    where: Database, server: Server
) -> None:
    async def until(subscriber: Subscriber, tags: list[str]) -> None:
        for _ in range(600):
            if tags in subscriber.received:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(subscriber.received)

    async def work(store: ConfigStore) -> None:
        subscriber = Subscriber()
        await store.add_scenario("watched", content("a = 1"), "anna")
        await store.subscribe(subscriber)
        await until(
            subscriber,
            [f"scenario:{name}" for (name,) in sql(where, "SELECT name FROM scenarios ORDER BY name")],
        )
        subscriber.received.clear()
        await store.add_scenario("watched", content("a = 2"), "anna", parent=1)
        await until(subscriber, ["scenario:watched"])
        subscriber.received.clear()
        with pytest.raises(ConflictError):
            await store.add_scenario("watched", content("a = 3"), "anna", parent=1)
        await store.remove_scenario("watched")
        await until(subscriber, ["scenario:watched"])
        assert len(subscriber.received) == 1, "a conflict changes nothing"
        subscriber.received.clear()
        of_store = "datname = current_database() AND pid <> pg_backend_pid()"
        sql(where, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {of_store}")
        names = [f"scenario:{name}" for (name,) in sql(where, "SELECT name FROM scenarios ORDER BY name")]
        await until(subscriber, names)

    ask(where, work)


# Runs


STATES = ("queued", "running", "succeeded", "failed", "cancelled", "resumable")
NEXT_STATES = {
    "queued": {"running", "succeeded", "failed", "cancelled", "resumable"},
    "running": {"succeeded", "failed", "cancelled", "resumable"},
    "resumable": {"running", "succeeded", "failed", "cancelled"},
}


def test_the_database_refuses_a_change_of_state_that_is_not_allowed(where: Database) -> None:
    pairs = list(itertools.permutations(STATES, 2))
    runs = [registration() for _ in pairs]

    async def work(store: ConfigStore) -> None:
        for run in runs:
            await store.register_run(run)

    ask(where, work)
    statement = "UPDATE runs SET state = %s WHERE id = %s"
    with psycopg.connect(**where.conninfo(), autocommit=True) as connection:
        for run, (before, after) in zip(runs, pairs, strict=True):
            for state in [before] if before in ("queued", "running") else ["running", before]:
                connection.execute(statement, (state, run.id))
            if after in NEXT_STATES.get(before, set()):
                connection.execute(statement, (after, run.id))
            else:
                with pytest.raises(psycopg.DatabaseError, match=f"is {before} and cannot become {after}"):
                    connection.execute(statement, (after, run.id))


def test_registering_or_finishing_a_run_twice_changes_nothing(where: Database) -> None:
    async def work(store: ConfigStore) -> None:
        run = registration(name="twice")
        await store.register_run(run)
        await store.register_run(run)
        assert await store.finish_run(run.id, "succeeded", measures={"patients": 3}) == "succeeded"
        assert await store.finish_run(run.id, "succeeded", measures={"patients": 3}) == "succeeded"
        assert await store.finish_run(run.id, "failed", error="too late") == "succeeded"
        assert await store.find_run("twice") == run.id
        row = await store.run(run.id)
        assert row is not None
        assert (row["error"], row["measures"], row["seed"]) == (None, {"patients": 3}, 2**63 - 1)

    ask(where, work)


async def eventually(ask_it: Any, wanted: Any) -> Any:
    for _ in range(600):
        found = await ask_it()
        if wanted(found):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


def test_heartbeats_are_written_and_a_request_to_cancel_reaches_the_driver(where: Database) -> None:
    async def work(store: ConfigStore) -> None:
        run = registration(expected=10)
        await store.register_run(run)
        assert (await store.run_status(run.id) or {})["state"] == "queued"
        last = Heartbeat(
            id=run.id, phase="running", patients=5, expected=10, fraction=0.5, rate=2.5, bytes=99
        )
        await store.heartbeat(last)
        status = await store.run_status(run.id)
        assert status is not None
        assert (status["state"], status["patients"]) == ("running", 5)
        row = await eventually(lambda: store.run(run.id), lambda row: row["state"] == "running")
        assert (row["patients"], row["fraction"], row["rate"], row["bytes"]) == (5, 0.5, 2.5, 99)
        assert await store.cancel_run(run.id, "bert@there") == "running"
        await eventually(lambda: store.heartbeat(last), lambda reply: reply.cancelled_by == "bert@there")
        await store.finish_run(run.id, "cancelled", "by bert", last=last)
        assert await store.cancel_run(run.id, "bert@there") == "cancelled"

    ask(where, work)


def silence(where: Database, run: uuid.UUID) -> None:
    """Date the last heartbeat of a run back, as if its driver had died."""
    seconds = SILENCE_SECONDS + 1
    sql(where, "UPDATE runs SET heartbeat = now() - make_interval(secs => %s) WHERE id = %s", seconds, run)


def test_a_run_whose_driver_is_silent_becomes_resumable_until_its_next_heartbeat(where: Database) -> None:
    assert SILENCE_SECONDS < 30

    async def work(store: ConfigStore) -> None:
        run = registration()
        await store.register_run(run)
        await store.heartbeat(Heartbeat(id=run.id, phase="running"))
        await eventually(lambda: store.run(run.id), lambda row: row["state"] == "running")
        silence(where, run.id)
        row = next(row for row in await store.runs() if row["id"] == run.id)
        assert row["state"] == "resumable"
        assert "no sign of life from its driver since" in row["error"]
        await store.heartbeat(Heartbeat(id=run.id, phase="running", patients=7))
        row = await eventually(lambda: store.run(run.id), lambda row: row["state"] == "running")
        assert (row["patients"], row["error"]) == (7, None)

    ask(where, work)


def test_a_run_whose_driver_is_silent_is_cancelled_at_once_and_the_driver_is_notified_later(
    where: Database,
) -> None:
    async def work(store: ConfigStore) -> None:
        run = registration()
        await store.register_run(run)
        silence(where, run.id)
        assert await store.cancel_run(run.id, "bert@there") == "cancelled"
        last = Heartbeat(id=run.id, phase="running")
        await eventually(lambda: store.heartbeat(last), lambda reply: reply.cancelled_by == "bert@there")

    ask(where, work)


def test_a_run_in_progress_cannot_be_removed(where: Database) -> None:
    async def work(store: ConfigStore) -> None:
        run = registration()
        await store.register_run(run)
        assert not await store.remove_run(run.id)
        await store.finish_run(run.id, "failed", "x")
        assert await store.remove_run(run.id)
        assert await store.run(run.id) is None
        last = Heartbeat(id=run.id)
        await eventually(lambda: store.heartbeat(last), lambda reply: reply.missing)

    ask(where, work)


def test_an_ambiguous_reference_to_a_run_is_refused(where: Database) -> None:
    async def work(store: ConfigStore) -> None:
        for _ in range(2):
            await store.register_run(registration(name="same"))
        with pytest.raises(InputError, match="may mean 2 runs"):
            await store.find_run("same")
        run = registration(id=uuid.UUID("abcdef01-0000-4000-8000-000000000000"))
        await store.register_run(run)
        assert await store.find_run("ABCDEF") == run.id
        with pytest.raises(InputError, match="no run 'abc'"):
            await store.find_run("abc")

    ask(where, work)


# An unreachable database


def test_a_call_succeeds_when_a_killed_server_is_started_again(server: Server, where: Database) -> None:
    async def work(store: ConfigStore) -> None:
        await store.scenarios()
        owner = server.owner()
        assert owner is not None
        owner.kill()
        await asyncio.to_thread(psutil.wait_procs, [owner], 30)
        again = threading.Timer(0.5, server.ensure)
        again.start()
        await store.add_scenario("after the kill", content(), "anna")
        again.join()
        assert [row["version"] for row in await store.scenario_history("after the kill")] == [1]

    ask(where, work, patience_seconds=60)


def test_a_call_waits_while_all_connections_are_taken(server: Server, where: Database) -> None:
    taken = []
    with pytest.raises(psycopg.OperationalError):
        for _ in range(100):
            taken.append(psycopg.connect(**where.conninfo()))
    assert len(taken) > 50

    def release() -> None:
        time.sleep(0.5)
        for connection in taken:
            connection.close()

    releasing = threading.Thread(target=release)
    releasing.start()
    ask(where, lambda store: store.scenarios(), patience_seconds=60)
    releasing.join()


def test_a_database_that_stays_unreachable_gives_an_error_of_one_line(where: Database) -> None:
    nowhere = Database(folder=where.folder, url="postgresql://me:secret@127.0.0.1:1/x")
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        ask(nowhere, lambda store: store.scenarios(), patience_seconds=0)
    assert "\n" not in str(caught.value)
    assert str(nowhere) == "postgresql://me:...@127.0.0.1:1/x"


def test_a_database_url_that_cannot_be_parsed_is_refused() -> None:
    with pytest.raises(InputError, match=r"GOLDENHOUR_DATABASE_URL.*postgresql://USER"):
        Database(folder=Path(), url="not an address").conninfo()
    with pytest.raises(InputError, match="in values write '=' as %3D"):
        Database(folder=Path(), url="postgresql://h/db?options=-ca=b").conninfo()


def test_opening_and_closing_a_store_leaks_no_connection(server: Server, where: Database) -> None:
    async def cycles(count: int) -> None:
        for _ in range(count):
            store = ConfigStore(where.conninfo())
            await store.scenario("none")
            await store.close()

    asyncio.run(cycles(2))
    until = time.monotonic() + 30
    before, files = connections(server), psutil.Process().num_fds()
    asyncio.run(cycles(50))
    while connections(server) > before and time.monotonic() < until:
        time.sleep(0.05)
    assert connections(server) <= before
    # Fewer than one for every two cycles: other parts of the process open and close some too.
    assert psutil.Process().num_fds() < files + 25


def test_an_eleventh_driver_waits_for_a_slot(tmp_path: Path) -> None:
    where = Database(folder=tmp_path)
    waiting = threading.Event()
    slots = [driver_slots.driver_slot(where, waiting.set) for _ in range(driver_slots.DRIVERS)]
    for slot in slots:
        slot.__enter__()
    assert not waiting.is_set()
    started = threading.Event()

    def eleventh() -> None:
        with driver_slots.driver_slot(where, waiting.set):
            started.set()

    thread = threading.Thread(target=eleventh)
    thread.start()
    assert waiting.wait(30)
    assert not started.is_set()
    slots[3].__exit__(None, None, None)
    assert started.wait(30)
    thread.join()
    for slot in slots[:3] + slots[4:]:
        slot.__exit__(None, None, None)

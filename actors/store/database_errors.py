"""Errors of the database: which ones are transient, and their text without the secrets of the connection."""

import re
from collections.abc import Mapping
from typing import Any

from engine.masking import MASK, mask_message

SHOWN_PARAMETERS = ("host", "hostaddr", "port", "dbname", "user")
"""Parameters of a connection that messages may show."""

SECRET_PARAMETERS = ("password", "sslpassword", "oauth_client_secret")
"""Parameters whose values are never shown. Plain words of others, such as `require`, are if they are not quoted."""

TRANSIENT_SQLSTATES = ("08", "53", "55", "57P", "40")
"""First characters of the SQLSTATEs of transient faults: connection, resources, locks, shutdown, conflict."""

_REFUSED_BY_LIBPQ = re.compile(r"definition of service|service file|invalid [\w ]*value\b")
"""Faults that PostgreSQL's library finds in the settings of a connection, before it connects."""


def fault_of_settings(error: BaseException) -> str | None:
    """Return what to say of a setting with which no connection can be made, such as an unknown service; else None."""
    import psycopg

    if not isinstance(error, psycopg.OperationalError) or error.sqlstate is not None:
        return None
    if (found := _REFUSED_BY_LIBPQ.search(str(error))) is None:
        return None
    if "service" in found[0]:
        return (
            "the service that the database's address or PGSERVICE names; allowed: one that the file PGSERVICEFILE or "
            "~/.pg_service.conf defines"
        )
    return "a setting of the connection, in the database's address or in a PG* variable"


def is_transient(error: BaseException) -> bool:
    """Return whether a failed call may succeed when it is repeated (docs/platform.md section 3.2).

    That is so when the server is unreachable, starting or full, and after a conflict with another transaction.
    """
    import psycopg
    from psycopg_pool import PoolTimeout, TooManyRequests

    if isinstance(error, PoolTimeout | TooManyRequests):
        return True
    if not isinstance(error, psycopg.OperationalError) or fault_of_settings(error) is not None:
        return False
    return error.sqlstate is None or error.sqlstate.startswith(TRANSIENT_SQLSTATES)


def connection_error(error: BaseException) -> str:
    """Return the first line of an error's text, or the name of its type when it has no text."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def masked_error(error: BaseException, conninfo: Mapping[str, Any]) -> str:
    """Return the same as `connection_error`, without the secrets of the connection that failed."""
    text = connection_error(error)
    hidden = {key: str(value) for key, value in conninfo.items() if key not in SHOWN_PARAMETERS}
    for value in sorted(hidden.values(), key=len, reverse=True):
        text = text.replace(f'"{value}"', f'"{MASK}"').replace(repr(value), repr(MASK))
    plain = re.compile(r"[a-z-]{1,12}|\d{1,6}")
    secrets = [
        value for key, value in hidden.items() if key in SECRET_PARAMETERS or not plain.fullmatch(value)
    ]
    text = re.sub(r'(invalid [\w ]*value:?) "[^"]*"', rf'\1 "{MASK}"', text)
    return mask_message(text, (*secrets, *hidden.get("options", "").split(" ")))

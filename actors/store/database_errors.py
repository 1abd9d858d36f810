"""Errors of the database: which ones are transient, and their text."""

TRANSIENT_SQLSTATES = ("08", "53", "55", "57P", "40")
"""First characters of the SQLSTATEs of transient faults: connection, resources, locks, shutdown, conflict."""


def is_transient(error: BaseException) -> bool:
    """Return whether a failed call may succeed when it is repeated (docs/platform.md section 3.2).

    That is so when the server is unreachable, starting or full, and after a conflict with another transaction.
    """
    import psycopg
    from psycopg_pool import PoolTimeout, TooManyRequests

    if isinstance(error, PoolTimeout | TooManyRequests):
        return True
    if not isinstance(error, psycopg.OperationalError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(TRANSIENT_SQLSTATES)


def connection_error(error: BaseException) -> str:
    """Return the first line of an error's text, or the name of its type when it has no text."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__

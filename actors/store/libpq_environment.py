"""The variables of PostgreSQL's library, libpq: they are for the user's own server and not for the embedded one."""

import os

WITHOUT_PARAMETER = (
    "PGDATESTYLE",
    "PGGEQO",
    "PGLOCALEDIR",
    "PGOAUTHDEBUG",
    "PGREQUIRESSL",
    "PGSERVICEFILE",
    "PGSYSCONFDIR",
    "PGTZ",
)
"""Variables that stand for no parameter of a connection, so that no connection can override them."""


def libpq_variables() -> set[str]:
    """Return the names of all variables that this version of libpq reads."""
    from psycopg.pq import Conninfo

    options = Conninfo.get_defaults()
    return {*WITHOUT_PARAMETER, *(option.envvar.decode() for option in options if option.envvar)}


def remove_libpq_variables() -> None:
    """Remove them from the environment of this process, which uses the embedded server.

    A connection cannot override them: libpq asks for a PGSERVICE that does not exist even if all parameters are given.
    """
    for name in libpq_variables() & os.environ.keys():
        del os.environ[name]

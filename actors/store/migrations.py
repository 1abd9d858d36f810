"""The migrations of the database's schema (docs/platform.md section 3.4)."""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from actors.store.queries import queries
from actors.store.rows import MigrationRow, check_row
from engine.errors import InputError, StoreError

if TYPE_CHECKING:
    from psycopg import AsyncConnection


class Migration(NamedTuple):
    """A numbered change of the schema: the SQL that applies it and the SQL that undoes it."""

    number: int
    name: str
    up: bytes
    down: bytes


@cache
def migrations() -> tuple[Migration, ...]:
    """Return all migrations of this version of goldenhour, in order."""
    folder = files("actors").joinpath("store", "sql", "migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".up.sql"))
    steps = []
    for file in names:
        number, _, name = file.removesuffix(".up.sql").partition("_")
        down = folder.joinpath(f"{number}_{name}.down.sql")
        steps.append(Migration(int(number), name, folder.joinpath(file).read_bytes(), down.read_bytes()))
    return tuple(steps)


async def applied(connection: "AsyncConnection[Any]") -> list[dict[str, Any]]:
    """Return number, name and time of the migrations that were applied to the database."""
    row = await (await connection.execute(queries()["has_migrations"])).fetchone()
    if not row or not row["found"]:
        return []
    return await (await connection.execute(queries()["applied_migrations"])).fetchall()


async def upgrade(connection: "AsyncConnection[Any]") -> list[Migration]:
    """Apply the missing migrations and return them. Any number of processes may call this at once.

    Raises StoreError when the database has a migration that this version of goldenhour does not know.
    """
    if await _current(connection) == migrations()[-1].number:
        return []
    async with connection.transaction():
        await connection.execute(queries()["lock_migrations"])
        current = await _current(connection)
        if current == 0:
            await connection.execute(queries()["prepare_migrations"])
        missing = [step for step in migrations() if step.number > current]
        for step in missing:
            await connection.execute(step.up)
            await connection.execute(queries()["enter_migration"], {"number": step.number, "name": step.name})
    return missing


async def rollback(connection: "AsyncConnection[Any]", target: int) -> list[Migration]:
    """Undo all migrations above number `target`, newest first, and return them.

    Raises InputError when there is no such migration.
    """
    if not 0 <= target <= migrations()[-1].number:
        raise InputError(f"migration: got {target}; allowed: 0 to {migrations()[-1].number}")
    async with connection.transaction():
        await connection.execute(queries()["lock_migrations"])
        current = await _current(connection)
        undone = [step for step in reversed(migrations()) if target < step.number <= current]
        for step in undone:
            await connection.execute(step.down)
            await connection.execute(queries()["remove_migration"], {"number": step.number})
    return undone


async def _current(connection: "AsyncConnection[Any]") -> int:
    """Return the number of the newest migration of the database, 0 for none."""
    rows = await applied(connection)
    current = check_row(rows[-1], MigrationRow)["number"] if rows else 0
    if current > migrations()[-1].number:
        raise StoreError(
            f"the database is at migration {current}, this version of goldenhour knows {migrations()[-1].number}: "
            "use a newer goldenhour"
        )
    return int(current)

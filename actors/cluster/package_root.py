"""The four packages must come from one directory.

Ray puts the driver's working directory before site-packages in every worker, so that a user's own folder `engine`
would give a right driver and a wrong worker. Drivers and actors call `check` before they import the engine.
"""

import functools
import importlib.util
from pathlib import Path

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
"""The directory that holds the packages: a working tree, an unpacked job or site-packages."""

PACKAGES = ("goldenhour", "engine", "actors", "scenarios")


@functools.cache
def check_package_root() -> None:
    """Raise ImportError unless all packages resolve to folders of `PACKAGE_ROOT`; looked at once a process."""
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        origin = spec.origin if spec else None
        if origin is None or Path(origin).resolve().parent.parent != PACKAGE_ROOT:
            places = list(spec.submodule_search_locations or []) if spec else []
            where = origin or (places[0] if places else "nothing")
            raise ImportError(
                f"package {name!r} resolves to {where}, not to {PACKAGE_ROOT / name}: "
                "run from another directory or rename the other package"
            )

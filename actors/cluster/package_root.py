"""The directory that must hold all four packages, and the check that it does.

Ray puts the driver's working directory before site-packages in every worker. With a folder named `engine` in that
directory, the driver would import our engine and the workers would import the user's folder. Drivers and actors
therefore call `check_package_root` before they import the engine (docs/platform.md section 1.7).
"""

import functools
import importlib.util
import os
import sys
from pathlib import Path

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
"""The directory that holds the packages: a working tree, an unpacked job or site-packages."""

PACKAGES = ("goldenhour", "engine", "actors", "scenarios")


def environment_of_process() -> dict[str, str]:
    """Return the environment of a process of our own that starts in `PACKAGE_ROOT` and finds the same packages."""
    from engine.identity import cache_root  # the engine is imported after `check_package_root`

    path = os.pathsep.join([str(PACKAGE_ROOT), *filter(None, sys.path)])
    environment = os.environ | {"PYTHONPATH": path}
    if os.environ.get("GOLDENHOUR_CACHE_DIR"):
        environment["GOLDENHOUR_CACHE_DIR"] = str(cache_root())  # it may be relative to another folder
    return environment


@functools.cache
def check_package_root() -> None:
    """Check, once per process, that all packages are in `PACKAGE_ROOT`.

    Raises ImportError when one of them would be imported from another directory.
    """
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

"""Packages that goldenhour can use and does not depend on."""

import importlib
from typing import Any

from engine.errors import GoldenhourError


class NotInstalledError(GoldenhourError, ImportError):
    """A method needs a package that goldenhour does not depend on and that is not installed."""


def import_package(package: str) -> Any:
    """Import an optional package. Raises NotInstalledError."""
    try:
        return importlib.import_module(package)
    except ImportError:
        raise NotInstalledError(f"the package {package} is not installed: pip install {package}") from None

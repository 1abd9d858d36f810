"""Faces of packages whose parts are imported when they are first used."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_attributes(package: str, modules: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """A module's `__getattr__` that imports a public name from its submodule on first access.

    A process that writes files then need not import NumPy, and a driver need not import the kernel: an eager face
    would import all of its package for one name.

    Parameters
    ----------
    package
        Name of the package, `__name__` in its `__init__.py`.
    modules
        By submodule, the public names that it defines.
    """
    home = {name: module for module, names in modules.items() for name in names}

    def __getattr__(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{home[name]}"), name)

    return __getattr__

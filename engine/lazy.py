"""Lazy faces: a package imports its submodules when their public names are first used."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_attributes(package: str, modules: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Return a `__getattr__` for a package that imports a public name from its submodule on first access.

    An eager face would import the whole package for one name. With a lazy one a process that writes files does not
    import NumPy, and a driver does not import the kernel.

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

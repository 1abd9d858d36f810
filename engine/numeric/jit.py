"""Functions that are compiled: those that compiled functions call, and the entry points that Python calls.

Numba compiles them, but importing this module does not import Numba: a process whose entry points lie in the cache
loads their machine code without it (`engine.numeric.native`).
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

from engine.numeric.native import Argument, NativeFunction


class Compiled:
    """A function that compiled functions call.

    Where Python calls it, for example in a test, Numba compiles it then. `py_func` is the Python function.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.py_func = function
        self._dispatchers: dict[bool, Any] = {}
        """The function as Numba knows it: as a part of an entry point (True), and on its own."""

    def __call__(self, *arguments: Any) -> Any:
        """Compile the function on its own, and call it."""
        return self._dispatcher(part=False)(*arguments)

    @property
    def _numba_type_(self) -> Any:
        """The type that Numba gives the function where a compiled function names it."""
        return self._dispatcher(_compiles_entry_point)._numba_type_

    def _dispatcher(self, part: bool) -> Any:
        if part not in self._dispatchers:
            from engine.numeric.dispatchers import new_dispatcher

            self._dispatchers[part] = new_dispatcher(self.py_func, part)
        return self._dispatchers[part]


_compiles_entry_point = False


@contextlib.contextmanager
def parts_of_entry_point() -> Iterator[None]:
    """Let Numba take functions as parts of an entry point: they get no machine code of their own."""
    global _compiles_entry_point
    _compiles_entry_point = True
    try:
        yield
    finally:
        _compiles_entry_point = False


def compiled(function: Any) -> Any:
    """Compile a function that compiled functions call.

    Integer and enum arguments arrive as int64, literals as their type (docs/platform.md section 2.2). It cannot raise
    an error: nothing is checked, and division by zero gives infinity or NaN.
    """
    return Compiled(function)


def compiled_entry(*arguments: Argument) -> Callable[[Any], Any]:
    """Compile a function that Python calls, an entry point: see `NativeFunction`.

    Functions that it calls are `@compiled`. It returns None or an integer, and must not allocate arrays. Globals are
    frozen into the code, and only engine/ is part of the cache's key: pass every value from elsewhere as an argument.
    """

    def decorate(function: Any) -> Any:
        return functools.update_wrapper(
            NativeFunction(function.__module__, function.__qualname__, arguments), function
        )

    return decorate

"""goldenhour: synthetic military patients, from the point of injury to the end of their care.

In Python: `result = goldenhour.simulate("standard", seed=1)`. On the command line: `goldenhour --help`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from goldenhour.result import Result, simulate

__version__ = "0.2.0"
__all__ = ["Result", "__version__", "simulate"]


def __getattr__(name: str) -> Any:
    """Import `simulate` and `Result` on first access: the command line needs neither NumPy nor Numba."""
    if name in ("simulate", "Result"):
        from goldenhour import result

        return getattr(result, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

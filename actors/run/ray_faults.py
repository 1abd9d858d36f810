"""Which exceptions of Ray another attempt can overcome, and which mean that the run itself fails."""

from actors.run.executor import Fault
from actors.run.watchdog import StalledError
from actors.run.writer import OutOfOrderError
from engine.errors import GoldenhourError, RunError, StoppedRun


def ray_fault(error: Exception) -> Fault | None:
    """The fault behind an exception of a run on Ray; None if it is neither Ray's nor the watchdog's.

    Raises GoldenhourError if a process of the run failed with an error of its own, which would occur again.
    """
    from ray.exceptions import RayError, RayTaskError

    if isinstance(error, StalledError):
        return Fault(str(error), stalled=True)
    if not isinstance(error, RayError):
        return None
    if isinstance(error, RayTaskError):
        cause = error.cause
        if isinstance(cause, GoldenhourError):
            raise cause from None
        if isinstance(cause, MemoryError):
            raise StoppedRun("out of memory: use a smaller --chunk-size or fewer --workers") from error
        if not isinstance(cause, RayError | OutOfOrderError):
            raise RunError(f"{type(cause).__name__}: {cause}") from error
        error = cause
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return Fault(f"{type(error).__name__}: {line}" if line else type(error).__name__, stalled=False)

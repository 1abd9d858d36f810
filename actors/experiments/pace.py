"""How long replications take, and how much of the work one task gets."""

TASK_SECONDS = 2.0
"""Longest expected time of a task of several batches. Its cost on Ray, a few milliseconds, does not matter then."""

_TASKS_OF_A_WORKER = 4
"""Tasks that each worker still gets at least, if the batches allow it: so that all end at about the same time."""

COMPILATION_SECONDS = 0.02
"""Time of a point besides its replications."""

_REPLICATION_SECONDS = 0.006
"""Time of a replication besides its casualties."""

_CASUALTIES_PER_SECOND = 100_000.0

_MEMORY = 0.8
"""How much the earlier tasks weigh against the next one, in the ratio of measured to expected time."""


class Pace:
    """The expected time of batches, corrected by the measured times of tasks.

    Parameters
    ----------
    workers
        Tasks at a time.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._expected = self._measured = 0.0

    def is_enough(self, seconds: float, left: float) -> bool:
        """Whether batches of `seconds` are enough for a task, if the batches after them take `left` seconds."""
        share = (seconds + left) / (self._workers * _TASKS_OF_A_WORKER)
        return self.expected(seconds) >= min(TASK_SECONDS, self.expected(share))

    def expected(self, seconds: float) -> float:
        """Return how long batches of `seconds` will take, judged by the tasks so far."""
        return seconds * self._measured / self._expected if self._expected else seconds

    def learn(self, expected: float, measured: float) -> None:
        """Take in how long a task was expected to take, and how long it took."""
        self._expected = _MEMORY * self._expected + expected
        self._measured = _MEMORY * self._measured + measured


def expected_seconds(casualties: float, replications: int) -> float:
    """Return the expected time of replications, by the casualties of one."""
    return replications * (_REPLICATION_SECONDS + casualties / _CASUALTIES_PER_SECOND)

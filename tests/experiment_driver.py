"""A driver of an experiment that simulates nothing: it counts replications until it is cancelled.

`python tests/experiment_driver.py NAME OUTPUT KIND` prints what it would tell the user, and ends with the exit code of
the error.
"""

import sys
import time

from databases import experiment

from actors.run import recorded
from actors.store import Database, ExperimentDetail
from engine.errors import GoldenhourError


def drive(name: str, output: str, kind: str) -> None:
    """Record 10 replications a second, of which the first hundred are from the cache."""
    made = experiment(name=name, output=output, kind=kind)
    with recorded(made, Database.from_environment()) as record:
        record.start(str(made.id), False)
        for done in range(100, 2000):
            record.report(
                ExperimentDetail(
                    points=8,
                    points_done=done // 250,
                    replications=done,
                    replications_wanted=2000,
                    cached=100,
                    widest="deaths, two teams: 0.41, wanted 0.2",
                )
            )
            time.sleep(0.1)


if __name__ == "__main__":
    try:
        drive(*sys.argv[1:])
    except GoldenhourError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)

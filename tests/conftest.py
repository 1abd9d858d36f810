"""Settings for all tests.

Property tests draw the same examples every time and take as long as they take. A shell that starts the tests in the
background makes them ignore the interrupt signal, and so would every process they start: they listen to it again.
Nothing is written to the user's own data folder.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("goldenhour", deadline=None, derandomize=True, database=None, max_examples=50)
settings.load_profile("goldenhour")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run in two processes (`make test`), those that start a Ray come one after the other in one of them:
    they wait most of the time, and two Rays at once would only wait for each other.
    """
    for item in items:
        if item.get_closest_marker("ray"):
            item.add_marker(pytest.mark.xdist_group("ray"))


@pytest.fixture(scope="session", autouse=True)
def data_folder() -> Iterator[Path]:
    """The data folder of all tests, whose database runs from the first test that needs it to the last."""
    base = Path(tempfile.mkdtemp(prefix="goldenhour-"))
    base.chmod(0o711)  # root's server runs as nobody
    os.environ.pop("GOLDENHOUR_DATABASE_URL", None)
    os.environ["GOLDENHOUR_DATA_DIR"] = str(base / "data")
    yield base / "data"
    shutil.rmtree(base, ignore_errors=True)

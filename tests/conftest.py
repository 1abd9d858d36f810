"""Settings for all tests.

Property tests draw the same examples every time and have no deadline. A shell that starts the tests in the background
makes them, and all processes that they start, ignore the interrupt signal; here it gets its usual handler back. Nothing
is written to the user's data folder.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command_line import Answer, Call
from hypothesis import settings
from hypothesis.internal.conjecture.providers import Constants, HypothesisProvider

if TYPE_CHECKING:
    from actors.store import Database, Server

pytest.register_assert_rewrite(
    "broken_scenarios", "coherence", "facts_of_care", "facts_of_courses", "facts_of_people", "hostile_files"
)

# Hypothesis mixes into its draws constants from the modules of the project that are loaded. Those depend on the tests
# that ran before in the same process, so the examples would differ between machines and between workers of xdist.
# Hypothesis has no setting for this; test_finite_laws.py has a test that fails where this line has no effect.
HypothesisProvider._local_constants = Constants()

settings.register_profile("goldenhour", deadline=None, derandomize=True, database=None, max_examples=50)
settings.load_profile("goldenhour")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


FAST = {
    "builtins",
    "calendar",
    "catalogue",
    "deploy",
    "distributions",
    "documentation",
    "effects_finite",
    "effects_network",
    "finite_care_errors",
    "flow_measures",
    "formats",
    "house",
    "inference_comparisons",
    "inference_designs",
    "inference_intervals",
    "inference_sensitivity",
    "inference_sequential",
    "measures",
    "network_errors",
    "networks",
    "numerics",
    "recipes",
    "records",
    "resources",
    "scenario",
    "scenario_errors",
    "stages",
    "streams",
    "transport",
    "treatments",
}
"""Test files of `pytest --fast` (`make test-fast`): they need neither Ray nor a database, and take less than a minute
together."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option --fast."""
    parser.addoption(
        "--fast", action="store_true", help="only tests without Ray and database, under a minute"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With --fast, skip the other test files, and do not even import them."""
    name = collection_path.stem
    if config.getoption("--fast") and name.startswith("test_") and name.removeprefix("test_") not in FAST:
        return True
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the tests that start a Ray one after another in one of the processes of `make test`: they mostly wait, and
    two Rays at once would wait for each other. With --fast, leave them out.
    """
    if config.getoption("--fast"):
        items[:] = [item for item in items if item.get_closest_marker("ray") is None]
    for item in items:
        if item.get_closest_marker("ray"):
            item.add_marker(pytest.mark.xdist_group("ray"))


@pytest.fixture(scope="session", autouse=True)
def data_folder() -> Iterator[Path]:
    """Provide the data folder of all tests. Its database runs from the first test that needs it to the last."""
    base = Path(tempfile.mkdtemp(prefix="goldenhour-"))
    base.chmod(0o711)  # root starts the server as the user nobody
    os.environ.pop("GOLDENHOUR_DATABASE_URL", None)
    os.environ["GOLDENHOUR_DATA_DIR"] = str(base / "data")
    yield base / "data"
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="session")
def server(data_folder: Path) -> "Iterator[Server]":
    """A database server for all tests that do nothing to the server itself."""
    from databases import running

    with running(data_folder, "shared") as found:
        yield found


@pytest.fixture(scope="module")
def where(server: "Server") -> "Database":
    """A database for all tests of the module, whose schema is up to date."""
    from databases import ask, empty

    made = empty(server)
    ask(made, lambda store: store.open())
    return made


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run the command line in this process, in an empty folder."""
    from goldenhour.__main__ import run

    monkeypatch.chdir(tmp_path)

    def run_it(*arguments: object) -> Answer:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Answer(code, *capsys.readouterr())

    return run_it

"""Jobs of a Ray cluster, reached through its dashboard's address: the client, and what goes wrong with it in words."""

import contextlib
import importlib
import logging
import os
import re
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from actors.cluster import PACKAGE_ROOT, PACKAGES
from engine.errors import InputError, RunError, shown

ADDRESS_VARIABLE = "RAY_API_SERVER_ADDRESS"
"""Ray's own variable for the address of the jobs."""

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 60.0

OUTPUT_KEY = "goldenhour_output"
"""Key of a job's metadata that holds where its output goes."""

MADE_KEY = "goldenhour_run"
"""Key of a job's metadata that tells its run: scenario's hash, seed and replication, as JSON."""

ENDED = ("SUCCEEDED", "FAILED", "STOPPED")

TOKEN_HINT = "set RAY_AUTH_MODE=token, with the cluster's token in ~/.ray/auth_token or RAY_AUTH_TOKEN"


def chosen_address(address: str | None) -> str:
    """The address asked for, or that of the environment. InputError without one, and for what cannot be one."""
    text = address or os.environ.get(ADDRESS_VARIABLE) or ""
    parts = urlsplit(text)
    try:
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port is not None
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            f"--address: got {shown(text)}; allowed: http://HOST:8265, the address of the cluster's dashboard"
            if text
            else f"--address http://HOST:8265, or {ADDRESS_VARIABLE} in the environment, must say where the cluster is"
        )
    return text.rstrip("/")


class Jobs:
    """The jobs of the cluster at `address`. InputError where it cannot be reached, RunError where it fails later."""

    def __init__(self, address: str) -> None:
        self.address = address
        parts = urlsplit(address)
        try:
            socket.create_connection((parts.hostname or "", parts.port or 0), CONNECT_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise InputError(
                f"no cluster answers at {address}: {error}; its dashboard listens on port 8265 of the head by "
                "default, on the loopback interface only unless `ray start` was told --dashboard-host"
            ) from error
        with self._told(InputError):
            self._client: Any = _client(address)

    def submit(
        self, run: str, entrypoint: str, folder: Path, variables: dict[str, str], metadata: dict[str, str]
    ) -> None:
        """Start a job whose id is `run`, in a copy of `folder`."""
        with self._told():
            self._client.submit_job(
                entrypoint=entrypoint,
                submission_id=run,
                runtime_env={"working_dir": str(folder), "env_vars": variables},
                metadata=metadata,
            )

    def known(self, job: str) -> Any:
        """What the cluster knows of a job: status, message, metadata, driver_exit_code. None for one it has not."""
        with self._told():
            try:
                return self._client.get_job_info(job)
            except RuntimeError as error:
                if "status code 404" in str(error):
                    return None
                raise

    def info(self, job: str) -> Any:
        """The same of a job that was started; RunError where the cluster has forgotten it."""
        found = self.known(job)
        if found is None:
            raise RunError(f"the cluster at {self.address} has no run or job {shown(job)} any more")
        return found

    def stop(self, job: str) -> None:
        """Have a job ended."""
        with self._told():
            self._client.stop_job(job)

    async def following(self, job: str) -> AsyncIterator[str]:
        """What a job prints, from its beginning until it ends."""
        with self._told():
            async for text in self._client.tail_job_logs(job):
                yield text

    @contextlib.contextmanager
    def _told(self, kind: type[InputError] | type[RunError] = RunError) -> Iterator[None]:
        try:
            yield
        except (InputError, RunError):
            raise
        except Exception as error:
            text = str(error)
            if type(error).__name__ == "AuthenticationError" or re.search(r"status code 40[13]\b", text):
                raise InputError(
                    f"the cluster at {self.address} asks for its token (HTTP 401): {TOKEN_HINT}"
                ) from error
            line = next(iter(text.strip().splitlines()), type(error).__name__)
            raise kind(f"the cluster at {self.address}: {line}") from error


def _client(address: str) -> Any:
    """Ray's client, whose requests have a time-out."""
    try:
        sdk: Any = importlib.import_module("ray.dashboard.modules.job.sdk")
        importlib.import_module("aiohttp")
        if sdk.requests is None:
            raise ImportError
    except ImportError:
        raise InputError(
            "the jobs of a cluster need more of Ray than is installed here: pip install 'goldenhour[cluster]'"
        ) from None

    for name in (sdk.__name__, "ray.dashboard.modules.dashboard_sdk", "ray._private.runtime_env.packaging"):
        logging.getLogger(name).setLevel(logging.ERROR)

    class Client(sdk.JobSubmissionClient):  # type: ignore[misc]
        def _do_request(self, *arguments: Any, **options: Any) -> Any:
            return super()._do_request(*arguments, **{"timeout": REQUEST_SECONDS, **options})

    return Client(address)


@contextlib.contextmanager
def package(files: dict[str, bytes] | None = None) -> Iterator[Path]:
    """A folder that holds goldenhour and `files`: what a node with only the dependencies needs to run it."""
    with tempfile.TemporaryDirectory(prefix="goldenhour-job-") as name:
        folder = Path(name)
        for each in PACKAGES:
            shutil.copytree(
                PACKAGE_ROOT / each,
                folder / each,
                ignore=shutil.ignore_patterns("__pycache__", "*.py[co]", ".*"),
            )
        for path, data in (files or {}).items():
            (folder / path).write_bytes(data)
        yield folder

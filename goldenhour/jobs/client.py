"""The client of a cluster's jobs. It reaches them through the dashboard, and its errors are goldenhour's own."""

import contextlib
import importlib
import logging
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.errors import InputError, RunError, shown
from engine.masking import parse_address, shown_address

ADDRESS_VARIABLE = "RAY_API_SERVER_ADDRESS"
"""Ray's own environment variable for the dashboard's URL."""

CONNECT_SECONDS = 5.0
"""Limit for the first connection to the dashboard."""

REQUEST_SECONDS = 60.0
"""Limit for each request."""

OUTPUT_KEY = "goldenhour_output"
"""Key of a job's metadata: the folder or URL of its output."""

IDENTITY_KEY = "goldenhour_run"
"""Key of a job's metadata: the scenario's hash, the seed and the replication of its run, as JSON."""

ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
"""The statuses of a job that has ended."""

TOKEN_HINT = "set RAY_AUTH_MODE=token and put the cluster's token into ~/.ray/auth_token or RAY_AUTH_TOKEN"


def dashboard_url(address: str | None) -> str:
    """The URL of the dashboard: `address`, else that of the environment.

    Raises InputError if there is none, or if it is not an http(s) URL with a port.
    """
    text = address or os.environ.get(ADDRESS_VARIABLE) or ""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port is not None
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            f"--address: got {shown(shown_address(text))}; allowed: http://HOST:8265, the cluster's dashboard"
            if text
            else f"no cluster is named; give --address http://HOST:8265, its dashboard's URL, or set {ADDRESS_VARIABLE}"
        )
    return text.rstrip("/")


def status_of(info: Any) -> str:
    """The status of a job from what `JobsClient.info` returns: PENDING, RUNNING or one of `ENDED`."""
    return str(getattr(info.status, "value", info.status))


class JobsClient:
    """The jobs of the cluster whose dashboard is at `address`. The attribute `address` may be shown.

    The constructor raises InputError if the cluster cannot be reached, and the methods RunError if a request fails.
    """

    def __init__(self, address: str) -> None:
        known = parse_address(address)
        self.address = known.shown
        self._mask = known.mask
        parts = urlsplit(address)
        try:
            socket.create_connection((parts.hostname or "", parts.port or 0), CONNECT_SECONDS).close()
        except (OSError, OverflowError, UnicodeError) as error:
            raise InputError(
                f"no cluster answers at {self.address}: {error}; by default the dashboard listens on port 8265 of the "
                "head, and only on its loopback interface unless `ray start` was given --dashboard-host"
            ) from error
        with self._translated_errors(InputError):
            self._client: Any = _client(address)

    def submit(
        self, run: str, entrypoint: str, folder: Path, variables: dict[str, str], metadata: dict[str, str]
    ) -> None:
        """Start a job.

        Parameters
        ----------
        run
            Id of the job: that of its run.
        entrypoint
            The command, for a shell.
        folder
            The cluster gets a copy of this folder, in which the command is run.
        variables
            Environment variables, by name.
        metadata
            Texts that the cluster stores with the job, by key.
        """
        with self._translated_errors():
            self._client.submit_job(
                entrypoint=entrypoint,
                submission_id=run,
                runtime_env={"working_dir": str(folder), "env_vars": variables},
                metadata=metadata,
            )

    def find(self, job: str) -> Any:
        """What the cluster knows of a job: status, message, metadata, driver_exit_code. None for an unknown job."""
        with self._translated_errors():
            try:
                return self._client.get_job_info(job)
            except RuntimeError as error:
                if "status code 404" in str(error):
                    return None
                raise

    def info(self, job: str) -> Any:
        """What the cluster knows of a job that exists. Raises RunError if it no longer does."""
        found = self.find(job)
        if found is None:
            raise RunError(f"the cluster at {self.address} has no run or job {shown(job)} any more")
        return found

    def stop(self, job: str) -> None:
        """Ask the cluster to stop a job."""
        with self._translated_errors():
            self._client.stop_job(job)

    async def log(self, job: str) -> AsyncIterator[str]:
        """The text that a job prints, from its start to its end, in pieces."""
        with self._translated_errors():
            async for text in self._client.tail_job_logs(job):
                yield text

    @contextlib.contextmanager
    def _translated_errors(self, kind: type[InputError] | type[RunError] = RunError) -> Iterator[None]:
        try:
            yield
        except (InputError, RunError):
            raise
        except Exception as error:
            text = str(error)
            if type(error).__name__ == "AuthenticationError" or re.search(r"status code 40[13]\b", text):
                raise InputError(
                    f"the cluster at {self.address} requires its token (HTTP 401): {TOKEN_HINT}"
                ) from error
            line = next(iter(text.strip().splitlines()), type(error).__name__)
            raise kind(f"the cluster at {self.address}: {self._mask(line)}") from error


def _client(address: str) -> Any:
    """Ray's own client, with a timeout for every request. Raises InputError if Ray lacks it."""
    try:
        sdk: Any = importlib.import_module("ray.dashboard.modules.job.sdk")
        importlib.import_module("aiohttp")
        if sdk.requests is None:
            raise ImportError
    except ImportError:
        raise InputError(
            "jobs of a cluster need parts of Ray that are not installed: pip install 'goldenhour[cluster]'"
        ) from None

    for name in (sdk.__name__, "ray.dashboard.modules.dashboard_sdk", "ray._private.runtime_env.packaging"):
        logging.getLogger(name).setLevel(logging.ERROR)

    class Client(sdk.JobSubmissionClient):  # type: ignore[misc]
        def _do_request(self, *arguments: Any, **options: Any) -> Any:
            return super()._do_request(*arguments, **{"timeout": REQUEST_SECONDS, **options})

    return Client(address)

"""ObjectStore: the objects below a URL such as s3://BUCKET/PREFIX."""

import contextlib
import datetime
import importlib
import mmap
import os
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

from actors.run.files import Folder
from actors.run.url import Url
from engine.errors import InputError, RunError, write_error
from engine.masking import mask_message, parse_address

SINGLE_PUT_BYTES = 500_000_000
"""Larger files (only `json` writes one file for the whole run) are uploaded in pieces. Such an upload replaces whatever
has appeared under its name meanwhile. Smaller files are uploaded in one request, which must end in the time it has."""

MAX_SMALL_BYTES = 1 << 28
"""Largest object that is read into memory: a manifest."""

MAX_LISTED = 1_000_000
"""Most objects below a URL, those in its folders included. The largest run in all formats writes about half as many."""

LISTED_AT_ONCE = 1000
"""Objects in one answer of a listing."""

RETRY: Any = {
    "max_retries": 5,
    "retry_timeout": datetime.timedelta(seconds=60),
    "backoff": {
        "init_backoff": datetime.timedelta(milliseconds=200),
        "max_backoff": datetime.timedelta(seconds=5),
        "base": 2,
    },
}

TIMEOUTS: Any = {"connect_timeout": datetime.timedelta(seconds=5), "timeout": datetime.timedelta(minutes=30)}
"""Longest time to connect, and for one request: a file of `SINGLE_PUT_BYTES` at 2 Mbit/s."""

SHORT_TIMEOUTS: Any = TIMEOUTS | {"timeout": datetime.timedelta(seconds=20)}
"""The same for small requests: lists, notes, the manifest."""


class ObjectStore:
    """The objects below a URL.

    Raises RunError if the object store cannot be used, InputError if the package obstore is missing.
    """

    def __init__(self, url: Url) -> None:
        self.url = url
        self._etags: dict[str, str | None] = {}
        try:
            self._obstore: Any = importlib.import_module("obstore")
            stores: Any = importlib.import_module("obstore.store")
            self._errors: Any = importlib.import_module("obstore.exceptions")
        except ImportError:
            raise InputError(
                f"{url}: object stores need the package obstore: pip install 'goldenhour[cluster]'"
            ) from None
        _check_environment()
        try:
            self._store, self._short_store = (
                stores.from_url(url, client_options=timeouts | _plain_http(), retry_config=RETRY)
                for timeouts in (TIMEOUTS, SHORT_TIMEOUTS)
            )
        except (self._errors.BaseError, ValueError) as error:
            raise InputError(f"{url}: {_reason(error)}") from None

    async def names(self) -> set[str]:
        """Names of the objects directly below the URL. Raises RunError if there are more than `MAX_LISTED` below it."""
        return set(await self._listed())

    async def unchanged(self, names: Iterable[str]) -> bool:
        """Whether all these objects are still as this process wrote them."""
        found = await self._listed()
        tagged = [name for name in names if self._etags[name] is not None]
        return set(names) <= set(found) and all(found[name] in (None, self._etags[name]) for name in tagged)

    async def _listed(self) -> dict[str, str | None]:
        """The tags of the objects directly below the URL by name, read page by page."""
        found: dict[str, str | None] = {}
        count = 0
        async with self._errors_explained("cannot be listed"):
            async for page in self._obstore.list(self._short_store, chunk_size=LISTED_AT_ONCE):
                count += len(page)
                if count > MAX_LISTED:
                    raise RunError(
                        f"{self.url} holds more than {MAX_LISTED:,} objects: choose a prefix for this run alone"
                    )
                found |= {str(each["path"]): each.get("e_tag") for each in page if "/" not in each["path"]}
        return found

    async def read(self, name: str) -> bytes | None:
        """The bytes of a small object; None if there is none."""
        return (await self.read_version(name))[0]

    async def read_version(self, name: str) -> tuple[bytes | None, dict[str, str]]:
        """The same, with the tags that identify this version of the object.

        Raises RunError for an object of more than `MAX_SMALL_BYTES`.
        """
        async with self._errors_explained(f"{name} cannot be read"):
            try:
                answer = await self._obstore.get_async(self._short_store, name)
            except FileNotFoundError:
                return None, {}
            version = {key: answer.meta[key] for key in ("e_tag", "version") if answer.meta.get(key)}
            data = bytearray()
            async for piece in answer.stream():
                data += piece
                if len(data) > MAX_SMALL_BYTES:
                    raise RunError(
                        f"{self.url}: {name} has more than {MAX_SMALL_BYTES:,} bytes: it is not of goldenhour"
                    )
            return bytes(data), version

    async def pieces(self, name: str) -> AsyncIterator[bytes]:
        """The bytes of an object, piece by piece."""
        async with self._errors_explained(f"{name} cannot be read"):
            answer = await self._obstore.get_async(self._store, name)
            async for piece in answer.stream(min_chunk_size=1 << 22):
                yield bytes(piece)

    async def size(self, name: str) -> int | None:
        """The size of an object in bytes; None if there is none."""
        async with self._errors_explained(f"{name} cannot be found"):
            try:
                return int((await self._obstore.head_async(self._short_store, name))["size"])
            except FileNotFoundError:
                return None

    async def put(
        self, name: str, data: Any, create: bool = True, replaced_version: dict[str, str] | None = None
    ) -> bool:
        """Write an object in one request. Returns False, and writes nothing, if the condition does not hold.

        Parameters
        ----------
        create
            Write only if there is no such object.
        replaced_version
            Write only if the object still has this version.
        """
        async with self._errors_explained(f"{name} cannot be written"):
            try:
                mode = replaced_version or ("create" if create else "overwrite")
                store = self._short_store if isinstance(data, bytes) else self._store
                written = await self._obstore.put_async(store, name, data, mode=mode, use_multipart=False)
                self._etags[name] = written["e_tag"]
            except (self._errors.AlreadyExistsError, self._errors.PreconditionError):
                return False
        return True

    async def upload(self, name: str, path: Path) -> bool:
        """Write a file as a new object, which appears when it is complete. Returns False if the object exists."""
        try:
            with Folder(path.parent) as folder:
                descriptor = folder.open(path.name)
            with os.fdopen(descriptor, "rb") as file, contextlib.ExitStack() as stack:
                size = os.fstat(descriptor).st_size
                if size == 0:
                    return await self.put(name, b"")
                if size > SINGLE_PUT_BYTES:
                    if await self.size(name) is not None:
                        return False
                    async with self._errors_explained(f"{name} cannot be written"):
                        written = await self._obstore.put_async(self._store, name, file, chunk_size=64 << 20)
                    self._etags[name] = written["e_tag"]
                    return True
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                stack.callback(_unmap, mapped)
                return await self.put(name, memoryview(mapped))
        except OSError as error:
            raise write_error(path, error) from error

    async def delete(self, names: Sequence[str]) -> None:
        """Remove objects. Missing ones are ignored."""
        async with self._errors_explained("objects cannot be removed"):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    await self._obstore.delete_async(self._short_store, name)

    @contextlib.asynccontextmanager
    async def _errors_explained(self, what: str) -> AsyncIterator[None]:
        try:
            yield
        except (self._errors.BaseError, FileNotFoundError) as error:
            raise RunError(f"{self.url}: {what}: {_reason(error)}") from None


def _unmap(mapped: mmap.mmap) -> None:
    with contextlib.suppress(BufferError):  # an abandoned request may still hold it
        mapped.close()


def _plain_http() -> dict[str, Any]:
    """A private endpoint may be used without TLS if its address says so."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT_URL_S3") or ""
    return {"allow_http": True} if endpoint.startswith("http://") else {}


def _check_environment() -> None:
    """Raise InputError for settings at which the package obstore ends with a panic, whose text may show them."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        value = os.environ.get(name)
        address = parse_address(value or "http://")
        if (
            address.scheme not in ("http", "https")
            or address.doubt is not None
            or "," in address.hosts
            or not (value or "").isascii()
        ):
            fault = "" if address.doubt is None else f", but {address.doubt}"
            raise InputError(
                f"{name}: got {address.shown}{fault}; allowed: http://HOST:PORT or https://HOST:PORT"
            )
    for name, value in os.environ.items():
        if re.fullmatch(r"AWS_(\w*_)?(KEY(_ID)?|TOKEN|REGION)", name) and not re.fullmatch("[!-~]*", value):
            raise InputError(f"{name}: it contains a blank, a line break or a letter beyond ASCII")


def _secrets() -> tuple[str, ...]:
    """The keys and the addresses with passwords that the environment has for object stores."""
    values = {
        name: value for name, value in os.environ.items() if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))
    }
    keys = [
        value for name, value in values.items() if re.search("KEY|SECRET|TOKEN|PASSWORD|SAS|CREDENTIAL", name)
    ]
    keys += [
        value for key in keys for value in re.findall(r'"([^"]{16,})"', key)
    ]  # the parts of a key in JSON
    return (
        *keys,
        *(secret for value in values.values() for secret in parse_address(value).secrets if "://" in value),
    )


def _reason(error: BaseException) -> str:
    """The reason of an object store's error: the message within the answer, or its first line, printable."""
    masked = mask_message(str(error), _secrets())
    text = "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in masked)
    answer = re.search(r"<Code>(\w+)</Code>\s*<Message>([^<]+)</Message>", text)
    if answer is not None:
        return f"{answer[1]}: {answer[2]}"
    line = next(iter(text.strip().splitlines()), type(error).__name__)
    causes = re.findall(r'(?:source: |error: )(?:\w+\()?"([^"]{4,})"', text)
    return line if not causes or causes[-1] in line else f"{line[:200]} ({causes[-1]})"

"""Bucket: the output of a run in an object store, for URLs such as s3://BUCKET/PREFIX.

The files are made in a folder of this machine, with everything that lets a run be gone on with, and uploaded when all
of them are whole, the manifest last: what has no manifest is not finished. While files are uploaded a note beside
them names them and their run, so that this run can go on and `--force` can remove what another one left.
"""

import asyncio
import contextlib
import datetime
import hashlib
import importlib
import mmap
import os
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from actors.run.journal import Part, RunFile
from actors.run.output_folder import MANIFEST, OUR_NAMES, OutputFolder, document, named_in
from engine.errors import GoldenhourError, InputError, RunError, StoppedRun, shown, write_error

SCHEMES = ("s3", "gs", "az")

NOTE = ".goldenhour-upload.json"
"""Object that says which files are being uploaded; goes when the manifest is there."""

STAGING_FOLDER = "GOLDENHOUR_STAGING_DIR"
"""Environment variable: where the files are made."""

UPLOADS_AT_ONCE = 4

SINGLE_PUT_BYTES = 500_000_000
"""Larger files (only `json` makes one file of everything) go up in pieces, with nothing that keeps them from replacing
what appears meanwhile: one request must be over in the time it has."""

TICK_SECONDS = 0.25

RETRY: Any = {
    "max_retries": 5,
    "retry_timeout": datetime.timedelta(seconds=60),
    "backoff": {
        "init_backoff": datetime.timedelta(milliseconds=200),
        "max_backoff": datetime.timedelta(seconds=5),
        "base": 2,
    },
}

TIMES: Any = {"connect_timeout": datetime.timedelta(seconds=5), "timeout": datetime.timedelta(minutes=30)}
"""Longest to connect; longest for one request, a file of `SINGLE_PUT_BYTES` at 2 Mbit/s."""

PROMPT: Any = TIMES | {"timeout": datetime.timedelta(seconds=20)}
"""The same for what is small: lists, notes, the manifest."""


class Url(str):
    """Address of an object store's folder; `/` appends a name to it as it does to a path."""

    def __truediv__(self, name: str) -> "Url":
        return Url(f"{self}/{name}")

    @property
    def name(self) -> str:
        """The last part."""
        return self.rpartition("/")[2]


class Note(msgspec.Struct, frozen=True):
    """What is being uploaded: the run's id, the names of all its files and of those it replaces."""

    run: str
    names: tuple[str, ...]


def is_url(text: str) -> bool:
    """Whether `text` is a URL rather than a path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def parse_url(text: str) -> Url:
    """The URL without a slash at its end. InputError for another scheme than `SCHEMES`, or without a bucket."""
    found = re.fullmatch(r"([A-Za-z0-9+.-]+)://([^/?#%@:\s]+)((?:/[^/?#%\x00-\x1f\x7f]+)*)/*", text)
    if found is None or found[1].lower() not in SCHEMES or {".", ".."} & set(found[3].split("/")):
        allowed = ", ".join(f"{scheme}://BUCKET/PREFIX" for scheme in SCHEMES)
        raise InputError(f"output {shown(text)}: allowed: a folder, or {allowed}")
    return Url(f"{found[1].lower()}://{found[2]}{found[3]}")


def staging_folder(url: Url, data_folder: Path) -> Path:
    """The folder of this machine where the files for `url` are made."""
    chosen = os.environ.get(STAGING_FOLDER)
    base = Path(chosen).expanduser() if chosen else data_folder / "uploads"
    return Path(os.path.abspath(base)) / hashlib.sha256(url.encode()).hexdigest()[:16]


class ObjectStore:
    """The objects below a URL. Raises RunError for an object store that cannot be used, InputError without obstore."""

    def __init__(self, url: Url) -> None:
        self.url = url
        self._tags: dict[str, str | None] = {}
        try:
            self._obstore: Any = importlib.import_module("obstore")
            stores: Any = importlib.import_module("obstore.store")
            self._errors: Any = importlib.import_module("obstore.exceptions")
        except ImportError:
            raise InputError(
                f"{url}: object stores need the package obstore: pip install 'goldenhour[cluster]'"
            ) from None
        try:
            self._store, self._prompt = (
                stores.from_url(url, client_options=times | _plain_http(), retry_config=RETRY)
                for times in (TIMES, PROMPT)
            )
        except (self._errors.BaseError, ValueError) as error:
            raise InputError(f"{url}: {_reason(error)}") from error

    async def names(self) -> set[str]:
        """Names of the objects directly below the URL."""
        async with self._told("cannot be listed"):
            listed = await self._obstore.list_with_delimiter_async(self._prompt)
            return {str(each["path"]).rpartition("/")[2] for each in listed["objects"]}

    async def still_there(self, names: Iterable[str]) -> bool:
        """Whether all these objects are as they were written here."""
        async with self._told("cannot be listed"):
            listed = await self._obstore.list_with_delimiter_async(self._prompt)
        found = {str(each["path"]).rpartition("/")[2]: each.get("e_tag") for each in listed["objects"]}
        known = [name for name in names if self._tags[name] is not None]
        return set(names) <= set(found) and all(found[name] in (None, self._tags[name]) for name in known)

    async def read(self, name: str) -> bytes | None:
        """A small object; None where it is not there."""
        return (await self.read_version(name))[0]

    async def read_version(self, name: str) -> tuple[bytes | None, dict[str, str]]:
        """The same, with what tells this version of it from any other."""
        async with self._told(f"{name} cannot be read"):
            try:
                answer = await self._obstore.get_async(self._prompt, name)
                version = {key: answer.meta[key] for key in ("e_tag", "version") if answer.meta.get(key)}
                return bytes(await answer.bytes_async()), version
            except FileNotFoundError:
                return None, {}

    async def pieces(self, name: str) -> AsyncIterator[bytes]:
        """The bytes of an object, piece by piece."""
        async with self._told(f"{name} cannot be read"):
            answer = await self._obstore.get_async(self._store, name)
            async for piece in answer.stream(min_chunk_size=1 << 22):
                yield bytes(piece)

    async def size(self, name: str) -> int | None:
        """Bytes of an object; None where it is not there."""
        async with self._told(f"{name} cannot be found"):
            try:
                return int((await self._obstore.head_async(self._prompt, name))["size"])
            except FileNotFoundError:
                return None

    async def put(
        self, name: str, data: Any, create: bool = True, instead_of: dict[str, str] | None = None
    ) -> bool:
        """Write an object whole; with `create` only where there is none, with a version only where it is still that
        one: False where it is otherwise.
        """
        async with self._told(f"{name} cannot be written"):
            try:
                mode = instead_of or ("create" if create else "overwrite")
                store = self._prompt if isinstance(data, bytes) else self._store
                made = await self._obstore.put_async(store, name, data, mode=mode, use_multipart=False)
                self._tags[name] = made["e_tag"]
            except (self._errors.AlreadyExistsError, self._errors.PreconditionError):
                return False
        return True

    async def upload(self, name: str, path: Path) -> bool:
        """Write a file as a new object, which appears when it is whole; False where there is one."""
        try:
            size = path.stat().st_size
            if size == 0:
                return await self.put(name, b"")
            if size > SINGLE_PUT_BYTES:
                if await self.size(name) is not None:
                    return False
                async with self._told(f"{name} cannot be written"):
                    made = await self._obstore.put_async(self._store, name, path, chunk_size=64 << 20)
                self._tags[name] = made["e_tag"]
                return True
            with path.open("rb") as file, contextlib.ExitStack() as stack:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                stack.callback(_let_go, mapped)
                return await self.put(name, memoryview(mapped))
        except OSError as error:
            raise write_error(path, error) from error

    async def delete(self, names: Sequence[str]) -> None:
        """Remove objects; those that are not there are passed over."""
        async with self._told("objects cannot be removed"):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    await self._obstore.delete_async(self._prompt, name)

    @contextlib.asynccontextmanager
    async def _told(self, what: str) -> AsyncIterator[None]:
        try:
            yield
        except (self._errors.BaseError, FileNotFoundError) as error:
            raise RunError(f"{self.url}: {what}: {_reason(error)}") from error


def _let_go(mapped: mmap.mmap) -> None:
    with contextlib.suppress(BufferError):  # a request that was given up may still hold it
        mapped.close()


def _plain_http() -> dict[str, Any]:
    """An endpoint of one's own may be without TLS where its address says so."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT_URL_S3") or ""
    return {"allow_http": True} if endpoint.startswith("http://") else {}


def _reason(error: BaseException) -> str:
    """What an object store's error comes to: the message within the answer, or its first line."""
    text = str(error)
    told = re.search(r"<Code>(\w+)</Code>\s*<Message>([^<]+)</Message>", text)
    if told is not None:
        return f"{told[1]}: {told[2]}"
    line = next(iter(text.strip().splitlines()), type(error).__name__)
    causes = re.findall(r'(?:source: |error: )(?:\w+\()?"([^"]{4,})"', text)
    return line if not causes or causes[-1] in line else f"{line[:200]} ({causes[-1]})"


class ObjectStoreOutput:
    """The output of one run at a URL, with the methods of Folder; the files are made in a Folder of this machine."""

    def __init__(self, folder: OutputFolder, objects: ObjectStore, force: bool) -> None:
        self._folder = folder
        self._objects = objects
        self._force = force
        self.output = objects.url
        self.partial = folder.partial
        self.run = folder.run
        self.resumed = folder.resumed
        self.again = folder.again

    @classmethod
    def claim(cls, url: Url, making: Path, force: bool, run: RunFile) -> "ObjectStoreOutput":
        """Make ready to run: `making` is the folder where the files are made.

        Raises what `Folder.claim` does, and InputError where the URL cannot be used or holds a run (without `force`).
        """
        objects = ObjectStore(url)
        folder = OutputFolder.claim(making, force, run)
        try:
            bucket = cls(folder, objects, force)
            asyncio.run(bucket._survey())
            return bucket
        except RunError as error:
            folder.suspend()
            raise InputError(str(error)) from error
        except BaseException:
            folder.suspend()
            raise

    def publish(
        self,
        manifest: dict[str, Any],
        parts: Sequence[Part],
        texts: dict[str, bytes],
        tick: Callable[[], None] = lambda: None,
    ) -> list[Url]:
        """Upload all files, the manifest last, and remove them here. `tick` is called while that goes on."""
        names = [part.path for part in parts]
        try:
            asyncio.run(self._upload(document(manifest, parts), names, texts, tick))
        except RunError as error:
            raise error if isinstance(error, StoppedRun) else StoppedRun(str(error)) from error
        self._folder.abandon()
        return [self.output / name for name in [*names, *texts, MANIFEST]]

    def suspend(self) -> bool:
        """As `Folder.suspend`; what is uploaded stays, and is written over when the run goes on."""
        return self._folder.suspend()

    def abandon(self) -> None:
        """Remove what this run has written on this machine; it has uploaded nothing."""
        self._folder.abandon()

    async def _survey(self) -> tuple[set[str], Note | None, dict[str, str]]:
        """What of ours is there to replace, the note and its version; InputError where this run may not write."""
        objects = self._objects
        present = await objects.names()
        note, version = await self._note() if NOTE in present else (None, {})
        mine = note is not None and note.run == self.run.run
        ours: set[str] = set(note.names if note is not None else ())
        if MANIFEST in present:
            ours |= named_in(await objects.read(MANIFEST) or b"", f"{self.output}/{MANIFEST}")
        present = {name for name in present if OUR_NAMES.fullmatch(name)}
        if not self._force and not mine:
            if MANIFEST in present and not await self._is_finished():
                raise InputError(
                    f"{self.output} holds a run: choose another output, or --force to replace it"
                )
            if note is not None:
                raise InputError(
                    f"{self.output} holds an upload of run {note.run} that was not finished: "
                    f"go on with that one where it was started, or --force to replace it"
                )
        if present - ours:
            raise InputError(
                f"{self.output}/{min(present - ours)} is in the way: no manifest of goldenhour there names it"
            )
        return present & ours, note, version

    async def _is_finished(self) -> bool:
        """Whether the manifest there is of this very run, killed between its last upload and its last word."""
        run = self.run
        wanted = {"scenario_hash": run.scenario_hash, "seed": run.seed, "replication": run.replication}
        wanted |= {"version": run.version, "compress": run.compress}
        with contextlib.suppress(ValueError, AttributeError):
            found = msgspec.json.decode(await self._objects.read(MANIFEST) or b"")
            return self.resumed and {name: found.get(name) for name in wanted} == wanted
        return False

    async def _still_ours(self) -> None:
        """StoppedRun where another run has taken the place meanwhile."""
        note, _ = await self._note()
        if note is None or note.run != self.run.run:
            raise StoppedRun(f"another run has taken {self.output} during the upload of this one")

    async def _note(self) -> tuple[Note | None, dict[str, str]]:
        data, version = await self._objects.read_version(NOTE)
        if data is None:
            return None, version
        try:
            return msgspec.json.decode(data, type=Note), version
        except msgspec.DecodeError:
            raise InputError(f"{self.output}/{NOTE} is not ours, or damaged: remove it") from None

    async def _upload(
        self, manifest: bytes, names: list[str], texts: dict[str, bytes], tick: Callable[[], None]
    ) -> None:
        objects, partial = self._objects, self.partial
        try:
            replaced, note, version = await self._survey()
        except InputError as error:
            raise StoppedRun(str(error)) from error
        if note is None and not self._force and MANIFEST in replaced:
            if await objects.read(MANIFEST) == manifest:
                return
            raise StoppedRun(f"{self.output} holds another run by now")
        sent = (*texts, *names)
        announced = Note(self.run.run, tuple(sorted({*sent, MANIFEST} | replaced)))
        if not await objects.put(NOTE, msgspec.json.encode(announced), note is None, version):
            raise StoppedRun(f"another run is being uploaded to {self.output}")
        await self._still_ours()
        if replaced:
            await objects.delete(sorted(replaced, key=lambda name: name != MANIFEST))
        gate = asyncio.Semaphore(UPLOADS_AT_ONCE)

        async def send(name: str) -> None:
            async with gate:
                if name in texts:
                    done = await objects.put(name, texts[name])
                else:
                    done = await objects.upload(name, partial / name)
                if not done:
                    raise StoppedRun(
                        f"{self.output}/{name} appeared during the run and is not ours to replace"
                    )

        await _all([send(name) for name in sent], tick)
        await self._still_ours()
        if not await objects.still_there(sent):
            raise StoppedRun(f"another run has changed what this one has uploaded to {self.output}")
        if not await objects.put(MANIFEST, manifest):
            raise StoppedRun(f"{self.output}/{MANIFEST} appeared during the run and is not ours to replace")
        with contextlib.suppress(GoldenhourError):  # the run is finished all the same
            await self._still_ours()
            await objects.delete([NOTE])


async def _all(work: list[Any], tick: Callable[[], None]) -> None:
    """Do everything at once, with a tick now and then; the first error ends the rest."""
    tasks = [asyncio.ensure_future(each) for each in work]
    waiting = set(tasks)
    try:
        while waiting:
            done, waiting = await asyncio.wait(
                waiting, timeout=TICK_SECONDS, return_when=asyncio.FIRST_EXCEPTION
            )
            for task in done:
                task.result()
            tick()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""ObjectStoreOutput: the output of one run in an object store.

The files are written to a folder of this machine, with everything needed to resume the run, and uploaded when all of
them are complete, the manifest last: a run without a manifest is not finished. During the upload a note beside the
files names them and their run, so that this run can be resumed and `--force` can remove what another one left.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from actors.run.manifest import MANIFEST, OUTPUT_NAMES, encode_manifest, files_in_manifest
from actors.run.object_store import ObjectStore
from actors.run.output_folder import OutputFolder
from actors.run.part import Part
from actors.run.run_file import RunFile, Word
from actors.run.url import Url
from engine.errors import GoldenhourError, InputError, RunError, StoppedRun

UPLOAD_NOTE = ".goldenhour-upload.json"
"""Object that says which files are being uploaded. It is removed when the manifest is there."""

UPLOADS_AT_ONCE = 4

TICK_SECONDS = 0.25


class UploadNote(msgspec.Struct, frozen=True):
    """What is being uploaded: the run's id, and the names of all its files and of those it replaces."""

    run_id: Word = msgspec.field(name="run")
    names: tuple[str, ...]


class ObjectStoreOutput:
    """The output of one run at a URL. It has the methods of OutputFolder, and one on this machine for the files."""

    def __init__(self, folder: OutputFolder, objects: ObjectStore, force: bool) -> None:
        self._folder = folder
        self._objects = objects
        self._force = force
        self.output = objects.url
        self.partial = folder.partial
        self.run = folder.run
        self.resumed = folder.resumed
        self.started_before = folder.started_before

    @classmethod
    def claim(cls, url: Url, staging: Path, force: bool, run: RunFile) -> "ObjectStoreOutput":
        """Make the URL ready for `run`. `staging` is the folder where the files are written before the upload.

        Raises what `OutputFolder.claim` does, and InputError if the URL cannot be used, or holds a run (without
        `force`).
        """
        objects = ObjectStore(url)
        folder = OutputFolder.claim(staging, force, run)
        try:
            output = cls(folder, objects, force)
            asyncio.run(output._survey())
            return output
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
        """Upload all files, the manifest last, and remove them here. Calls `tick` during the upload.

        See `OutputFolder.publish`.
        """
        names = [part.path for part in parts]
        try:
            asyncio.run(self._upload(encode_manifest(manifest, parts), names, texts, tick))
        except RunError as error:
            raise error if isinstance(error, StoppedRun) else StoppedRun(str(error)) from error
        self._folder.discard()
        return [self.output / name for name in [*names, *texts, MANIFEST]]

    def suspend(self) -> bool:
        """See `OutputFolder.suspend`. What is uploaded stays, and is overwritten when the run resumes."""
        return self._folder.suspend()

    def discard(self) -> None:
        """Remove what this run has written on this machine. It has uploaded nothing."""
        self._folder.discard()

    async def _survey(self) -> tuple[set[str], UploadNote | None, dict[str, str]]:
        """The files at the URL that this run may replace, and the upload note with its version.

        Raises InputError if this run may not write there.
        """
        objects = self._objects
        present = await objects.names()
        note, version = await self._read_note() if UPLOAD_NOTE in present else (None, {})
        own_note = note is not None and note.run_id == self.run.run_id
        ours: set[str] = set(note.names if note is not None else ())
        if MANIFEST in present:
            ours |= files_in_manifest(await objects.read(MANIFEST) or b"", f"{self.output}/{MANIFEST}")
        present = {name for name in present if OUTPUT_NAMES.fullmatch(name)}
        if not self._force and not own_note:
            if MANIFEST in present and not await self._is_finished():
                raise InputError(
                    f"{self.output} holds a run: choose another output, or --force to replace it"
                )
            if note is not None:
                raise InputError(
                    f"{self.output} holds an unfinished upload of run {note.run_id}: "
                    "resume that run where it was started, or --force to replace it"
                )
        if present - ours:
            raise InputError(
                f"{self.output}/{min(present - ours)} is in the way: no manifest of goldenhour there names it"
            )
        return present & ours, note, version

    async def _is_finished(self) -> bool:
        """Whether the manifest there is that of this run, which was then killed after its upload, before it ended."""
        run = self.run
        expected = {"scenario_hash": run.scenario_hash, "seed": run.seed, "replication": run.replication}
        expected |= {"version": run.version, "compress": run.compress}
        with contextlib.suppress(ValueError, AttributeError, RecursionError):
            found = msgspec.json.decode(await self._objects.read(MANIFEST) or b"")
            return self.resumed and {name: found.get(name) for name in expected} == expected
        return False

    async def _check_still_ours(self) -> None:
        """Raise StoppedRun if another run has taken the URL meanwhile."""
        note, _ = await self._read_note()
        if note is None or note.run_id != self.run.run_id:
            raise StoppedRun(f"another run has taken {self.output} during the upload of this one")

    async def _read_note(self) -> tuple[UploadNote | None, dict[str, str]]:
        data, version = await self._objects.read_version(UPLOAD_NOTE)
        if data is None:
            return None, version
        with contextlib.suppress(ValueError, RecursionError):
            note = msgspec.json.decode(data, type=UploadNote)
            if all(OUTPUT_NAMES.fullmatch(name) for name in note.names):
                return note, version
        raise InputError(f"{self.output}/{UPLOAD_NOTE} is damaged or not of goldenhour: remove it")

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
            raise StoppedRun(f"{self.output} now holds another run")
        sent = (*texts, *names)
        announced = UploadNote(self.run.run_id, tuple(sorted({*sent, MANIFEST} | replaced)))
        if not await objects.put(UPLOAD_NOTE, msgspec.json.encode(announced), note is None, version):
            raise StoppedRun(f"another run is being uploaded to {self.output}")
        await self._check_still_ours()
        if replaced:
            await objects.delete(sorted(replaced, key=lambda name: name != MANIFEST))
        slots = asyncio.Semaphore(UPLOADS_AT_ONCE)

        async def send(name: str) -> None:
            async with slots:
                if name in texts:
                    done = await objects.put(name, texts[name])
                else:
                    done = await objects.upload(name, partial / name)
                if not done:
                    raise StoppedRun(
                        f"{self.output}/{name} appeared during the run and is not ours to replace"
                    )

        await _run_all([send(name) for name in sent], tick)
        await self._check_still_ours()
        if not await objects.unchanged(sent):
            raise StoppedRun(f"another run has changed what this one has uploaded to {self.output}")
        if not await objects.put(MANIFEST, manifest):
            raise StoppedRun(f"{self.output}/{MANIFEST} appeared during the run and is not ours to replace")
        with contextlib.suppress(GoldenhourError):  # the run is finished anyway
            await self._check_still_ours()
            await objects.delete([UPLOAD_NOTE])


async def _run_all(coroutines: list[Any], tick: Callable[[], None]) -> None:
    """Run all coroutines at once, calling `tick` now and then. The first error cancels the rest."""
    tasks = [asyncio.ensure_future(each) for each in coroutines]
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

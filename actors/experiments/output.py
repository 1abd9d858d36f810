"""ExperimentOutput: the output folder of one experiment or optimisation, from its claim to the files' final names.

It is the output folder of a run (`actors.run.OutputFolder`) with other files: the hidden folder within it holds the
journal of the finished batches, and at the end the files, which get their final names together.
"""

import hashlib
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from actors.experiments.journal import BatchJournal
from actors.run import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    RESULT_FILES,
    Folder,
    OutputFolder,
    Part,
    RunFile,
    decode_manifest,
    engine_digest,
    libraries,
)
from engine.errors import InputError, write_error
from engine.scenario import PreparedScenario

_FORMATS = ("parquet",)
_COMPRESS = "zstd"


class ExperimentIdentity(NamedTuple):
    """What an experiment is: two starts of the same experiment are equal in this."""

    text: str
    """The file experiment.toml or optimisation.toml as it was run."""
    base: PreparedScenario
    """The scenario that its points change."""
    seed: int
    version: str
    """Version of goldenhour."""
    packages: tuple[str, ...] = ()
    """Packages besides pyarrow whose version determines the results."""
    kind: Literal["experiment", "optimisation"] = "experiment"


class ResultFile(NamedTuple):
    """A file of the results."""

    name: str
    """One of `RESULT_FILES`."""
    pieces: Iterable[bytes]
    rows: int


class StoredExperiment(NamedTuple):
    """The files of a finished experiment."""

    plan: str
    """Text of experiment.toml."""
    scenario_hash: str
    """Of the scenario that its points change."""
    version: str
    """Version of goldenhour that wrote it."""
    points: bytes
    results: bytes


class ExperimentOutput:
    """The output folder of one experiment, which is locked from `claim` to `publish`, `suspend` or `discard`.

    Attributes
    ----------
    journal
        The finished batches.
    run_id
        Id of the experiment: if it is resumed, that of its earlier start.
    """

    def __init__(self, folder: OutputFolder) -> None:
        self._folder = folder
        self.run_id = folder.run.run_id
        self.resumed = folder.resumed
        self.started_before = folder.started_before
        self.path = folder.output
        try:
            with Folder(folder.partial) as partial:
                self.journal = BatchJournal(partial)
        except OSError as error:
            folder.suspend()
            raise write_error(folder.partial, error) from error
        except BaseException:
            folder.suspend()
            raise

    @classmethod
    def claim(
        cls,
        output: Path,
        force: bool,
        identity: ExperimentIdentity,
        run_id: str | None = None,
        workers: int = 0,
        address: str | None = None,
    ) -> "ExperimentOutput":
        """Make the folder ready and lock it. If the same experiment was cut off in it, it is resumed.

        Parameters
        ----------
        output
            The folder.
        force
            Replace the files of an earlier run or experiment that its manifest names.
        identity
            What the experiment is.
        run_id
            Its id; None: a new one.
        workers, address
            Where it is simulated, for those who resume it.

        Raises
        ------
        InputError
            As `OutputFolder.claim`.
        StoppedRun
            The folder cannot be written.
        """
        base = identity.base
        run = RunFile(
            run_id=run_id or str(uuid.uuid4()),
            version=identity.version,
            engine=engine_digest(),
            scenario=msgspec.Raw(msgspec.json.encode(base.original)),
            scenario_name=base.original.name,
            scenario_hash=base.hash,
            seed=identity.seed,
            replication=0,
            formats=_FORMATS,
            compress=_COMPRESS,
            chunk_size=1,
            libraries=libraries(_FORMATS, _COMPRESS, identity.packages),
            workers=workers,
            writers=1,
            address=address,
            experiment=identity.text,
            experiment_kind=identity.kind,
        )
        return cls(OutputFolder.claim(output, force, run))

    def publish(self, manifest: dict[str, Any], files: Iterable[ResultFile]) -> list[Path]:
        """Write the files, give them their final names, the manifest last, and remove the journal.

        Parameters
        ----------
        manifest
            What the manifest says besides the files.
        files
            In any order.

        Raises
        ------
        StoppedRun
            A file cannot be written. Then `suspend` must be called.
        """
        run = self._folder.run
        parts = sorted((self._write(file) for file in files), key=lambda part: _ORDER[part.path])
        document = {
            "kind": run.experiment_kind,
            "experiment_sha256": hashlib.sha256(run.experiment.encode()).hexdigest(),
            "scenario": run.scenario_name,
            "scenario_hash": run.scenario_hash,
            "seed": run.seed,
            "version": run.version,
            "libraries": run.libraries,
            **manifest,
        }
        self.journal.close()
        return self._folder.publish(document, parts, {})

    def suspend(self) -> bool:
        """Leave what is finished, so that the experiment can be resumed. Returns whether anything is finished."""
        self.journal.close()
        return self._folder.suspend()

    def discard(self) -> None:
        """Remove everything this experiment has written, and the folder itself if the experiment created it."""
        self.journal.close()
        self._folder.discard()

    def _write(self, file: ResultFile) -> Part:
        """Write a file into the hidden folder."""
        digest, size = hashlib.sha256(), 0
        path = self._folder.partial / file.name
        try:
            with Folder(self._folder.partial) as partial:
                partial.remove(file.name)
                with os.fdopen(partial.open(file.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as opened:
                    for piece in file.pieces:
                        opened.write(piece)
                        digest.update(piece)
                        size += len(piece)
                    opened.flush()
                    os.fsync(opened.fileno())
        except OSError as error:
            raise write_error(path, error) from error
        table, _, suffix = file.name.partition(".")
        return Part(
            path=file.name,
            format=suffix,
            table=table,
            patients=0,
            rows=file.rows,
            bytes=size,
            sha256=digest.hexdigest(),
        )


def read_experiment(path: Path) -> StoredExperiment:
    """Read the files of the finished experiment in a folder.

    Raises
    ------
    InputError
        If there is none, or if a file is not the one that its manifest names.
    """
    try:
        with Folder(path, follow=True) as folder:
            text = folder.read(MANIFEST, MAX_MANIFEST_BYTES)
            if text is None:
                raise InputError(f"there is no finished experiment in {str(path)!r}")
            manifest = decode_manifest(text, path / MANIFEST)
            if manifest.kind != "experiment":
                article = "a" if manifest.kind == "run" else "an"
                raise InputError(
                    f"{str(path)!r} holds {article} {manifest.kind}; allowed: the folder of an experiment"
                )
            parts = {part.path: part for part in manifest.parts}
            found = {}
            for name in ("experiment.toml", "points.parquet", "results.parquet"):
                data = folder.read(name, parts[name].bytes) if name in parts else None
                if data is None or hashlib.sha256(data).hexdigest() != parts[name].sha256:
                    raise InputError(f"{str(path / name)!r} is not the file that the manifest names")
                found[name] = data
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    return StoredExperiment(
        found["experiment.toml"].decode(),
        manifest.scenario_hash,
        manifest.version,
        found["points.parquet"],
        found["results.parquet"],
    )


_ORDER = {name: place for place, name in enumerate(RESULT_FILES)}

"""Writers and output folders for their tests."""

from pathlib import Path
from typing import Any

import msgspec
from runs import RUN

from actors.run.messages import EncodedChunks, Piece
from actors.run.output_folder import OutputFolder
from actors.run.part import Part
from actors.run.run_file import RUN_FILE
from actors.run.writer import Writer

MANIFEST = {"scenario_hash": "0", "seed": 1, "replication": 0, "version": "0", "patients": 3}


def claim(output: Path, force: bool = False) -> OutputFolder:
    return OutputFolder.claim(output, force, RUN)


def opened(folder: Path, **settings: Any) -> Writer:
    """A writer in a folder, ready to resume what is journalled there. A new run has the settings of RUN and these."""
    if not (folder / RUN_FILE).exists():
        (folder / RUN_FILE).write_bytes(msgspec.json.encode(msgspec.structs.replace(RUN, **settings)))
    writer = Writer(str(folder), RUN.run_id)
    writer.open(("chunk",))
    return writer


def piece(data: bytes, path: str = "patients-00000.jsonl", table: str = "patients") -> Piece:
    return Piece(path, path.split(".")[1], table, 1, 1, data)


def chunk(number: int, *pieces: Piece) -> EncodedChunks:
    return EncodedChunks("chunk", number, 1, list(pieces))


def finished(output: Path, force: bool = False, data: bytes = b"one\n") -> list[Part]:
    """Write one run with a single part into `output`."""
    folder = claim(output, force)
    writer = opened(folder.partial)
    writer.append(chunk(0, piece(data)))
    parts = writer.close()
    folder.publish(MANIFEST, parts, {"summary.json": b"{}\n", "scenario.toml": b"\n"})
    return parts


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())

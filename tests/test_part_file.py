"""A large piece of a part is hashed by another thread: its errors, and those of the disk meanwhile."""

import hashlib
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from isal import isal_zlib

from actors.run.files import Folder
from actors.run.messages import Piece
from actors.run.part import Part
from actors.run.part_file import HASHED_APART_BYTES, PartFile

DATA = bytes(range(256)) * (HASHED_APART_BYTES // 128)
"""Bytes that another thread hashes, and that are no gzip member."""

NAMES = ["patients-00000.jsonl", "patients-00000.jsonl.gz"]


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file becomes larger than `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    """The thread that hashes."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


def part_file(folder: Path, name: str, thread: ThreadPoolExecutor) -> PartFile:
    """A new part."""
    part = Part(path=name, format="jsonl", table="patients", patients=0, rows=0, bytes=0)
    return PartFile(Folder(folder), part, thread, fresh=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_is_what_is_reported_after_the_hash_has_ended(
    tmp_path: Path, name: str, thread: ThreadPoolExecutor
) -> None:
    file = part_file(tmp_path, name, thread)
    thread.submit(time.sleep, 0.2)  # so that the disk is full before the hash begins
    with full_disk(HASHED_APART_BYTES), pytest.raises(OSError, match="File too large"):
        file.append(Piece(name, "jsonl", "patients", 1, 1, DATA))
    assert file.snapshot().sha256 == hashlib.sha256(DATA).hexdigest()
    assert (tmp_path / name).stat().st_size == HASHED_APART_BYTES
    assert file.part.bytes == file.part.patients == 0


def test_an_error_of_the_hash_is_reported_and_the_piece_does_not_count(
    tmp_path: Path, thread: ThreadPoolExecutor
) -> None:
    file = part_file(tmp_path, NAMES[1], thread)
    with pytest.raises(isal_zlib.error):
        file.append(Piece(NAMES[1], "jsonl", "patients", 1, 1, DATA))
    assert file.part.bytes == file.part.patients == 0


@pytest.mark.parametrize("size", [9, HASHED_APART_BYTES])
def test_a_piece_that_brings_its_content_is_not_decompressed(
    tmp_path: Path, thread: ThreadPoolExecutor, size: int
) -> None:
    file = part_file(tmp_path, NAMES[1], thread)
    file.append(Piece(NAMES[1], "jsonl", "patients", 1, 1, DATA[:size], raw=b"content"))
    assert file.finished().content_sha256 == hashlib.sha256(b"content").hexdigest()
    assert file.finished().sha256 == hashlib.sha256(DATA[:size]).hexdigest()

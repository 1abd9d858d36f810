"""Errors of files that are reached through an open folder name the whole path."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.run.files import Folder
from actors.run.partial_folder import MARKER, PARTIAL
from engine.private_folder import PrivateFolder
from goldenhour.__main__ import run as command

LONG = "x" * 300


@contextlib.contextmanager
def without_roots_rights() -> Iterator[None]:
    """Let the block run as the user nobody if this is root, who may read everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("absent", lambda folder: folder.open("absent")),
        (LONG, lambda folder: folder.read(LONG, 1)),
        (LONG, lambda folder: folder.status(LONG)),
        (LONG, lambda folder: folder.write_new(LONG, b"")),
        ("inner", lambda folder: folder.remove("inner")),
        ("absent", lambda folder: folder.move("absent", folder, "new")),
    ],
)
def test_an_error_in_the_folder_of_a_run_names_the_whole_path(
    name: str, fault: Callable[[Folder], Any], tmp_path: Path
) -> None:
    (tmp_path / "inner").mkdir()
    with Folder(tmp_path) as folder, pytest.raises(OSError) as caught:
        fault(folder)
    assert caught.value.filename == str(tmp_path / name)


@pytest.mark.parametrize(
    "fault",
    [
        lambda folder: folder.read(LONG, 1),
        lambda folder: folder.status(LONG),
        lambda folder: folder.write(LONG, b""),
        lambda folder: folder.open_lock(LONG),
        lambda folder: folder.remove(LONG),
    ],
)
def test_an_error_in_the_cache_folder_names_the_whole_path(
    fault: Callable[[PrivateFolder], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path))
    with PrivateFolder.open("keys", create=True) as folder, pytest.raises(OSError) as caught:
        fault(folder)
    assert caught.value.filename == str(tmp_path / "keys" / LONG)


def test_an_unfinished_run_of_another_user_is_named_with_its_path(capfd: pytest.CaptureFixture[str]) -> None:
    base = Path(tempfile.mkdtemp(prefix="goldenhour-", dir="/tmp"))
    try:
        base.chmod(0o755)
        partial = base / "out" / PARTIAL
        partial.mkdir(parents=True)
        marker = partial / MARKER
        marker.write_text("")
        marker.chmod(0)
        with without_roots_rights():
            assert command(["resume", str(base / "out"), "--no-store"]) in (1, 2)
        assert str(marker) in capfd.readouterr().err
    finally:
        shutil.rmtree(base)

"""A run continues without its record wherever the database's folder cannot be used, and says so once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from databases import empty, folder_of, registration, sql
from runs import request

from actors.cluster import package_root
from actors.run import recorder
from actors.store import Database, Server
from engine.identity import cache_root
from engine.kernel import advance_unlimited
from goldenhour.__main__ import run

RUN = ("run", "standard", "--patients", "20", "--workers", "0", "--quiet")


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("/proc/none", "No such file"),
        ("/dev/null/none", "Not a directory"),
        ("~no-such-user/x", "names no user"),
        ("/tmp/" + "x" * 300, "File name too long"),
        ("two\nlines", "PostgreSQL cannot use the folder"),
        ("no UTF-8 \udcff", "PostgreSQL cannot use the folder"),
    ],
)
def test_a_data_folder_that_cannot_be_used_costs_the_record_not_the_run(
    folder: str,
    reason: str,
    data_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if "/" not in folder:
        folder = str(folder_of(data_folder, folder))
    monkeypatch.setenv("GOLDENHOUR_DATA_DIR", folder)
    assert run([*RUN, "-o", str(tmp_path / "out")]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line
    assert line.endswith("the run continues without a record")
    assert (tmp_path / "out" / "manifest.json").exists()
    assert run(["scenarios", "list"]) == 0


@pytest.mark.parametrize("name", ["a,b", "ünï 日本", "quote'\"\\$%{}", "-dash", "x" * 200])
def test_an_unusual_name_of_the_data_folder_is_no_fault(
    name: str,
    data_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GOLDENHOUR_DATA_DIR", str(folder_of(data_folder, name)))
    assert run([*RUN, "-o", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().err == ""
    assert run(["runs", "list", "--json"]) == 0
    assert '"state": "succeeded"' in capsys.readouterr().out
    assert Server(Path(os.environ["GOLDENHOUR_DATA_DIR"])).owner() is None


def interpreter_of_all() -> str | None:
    """Return a Python of this version that every user can start, or None."""
    for path in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        real = Path(path).resolve()
        if real.exists() and all(each.stat().st_mode & 0o005 == 0o005 for each in [real, *real.parents]):
            return path
    return None


@pytest.mark.skipif(
    os.geteuid() != 0 or interpreter_of_all() is None,
    reason="needs root, and a Python that every user can start",
)
@pytest.mark.parametrize("home", ["/root", "/", None])
def test_a_user_without_account_and_home_can_run(home: str | None, data_folder: Path, tmp_path: Path) -> None:
    """This is `docker run --user 12345`."""
    if not advance_unlimited.is_cached():
        pytest.skip("the kernel is not compiled yet")
    folder = folder_of(data_folder, f"user {len(home or '')}")
    shutil.copytree(cache_root(), folder / "cache")
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, 12345, 12345)
    python = interpreter_of_all()
    assert python is not None
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join([str(package_root.PACKAGE_ROOT), *libraries]),
        "GOLDENHOUR_CACHE_DIR": str(folder / "cache"),
    }
    done = subprocess.run(
        [python, "-m", "goldenhour", *RUN, "-o", "out"],
        cwd=folder,
        env=environment if home is None else environment | {"HOME": home},
        user=12345,
        group=12345,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.endswith("the run continues without a record")
    assert (folder / "out" / "manifest.json").exists()


def test_a_run_on_a_server_is_recorded_and_counted_where_the_data_folder_cannot_be_written(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(folder_of(data_folder, "counted"))
    server.open()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    try:
        where = Database(folder=Path("/proc/none"), url=empty(server).url)
        messages: list[str] = []
        result = recorder.run_recorded(
            request(tmp_path / "out", workers=0), registration(), where, notify=messages.append
        )
        assert result.patients > 0
        assert messages == []
        assert sql(where, "SELECT state FROM runs") == [("succeeded",)]
        slots = tmp_path / f"goldenhour-{os.geteuid()}"
        assert slots.stat().st_mode & 0o777 == 0o700
        assert len(list(slots.iterdir())) == 1
        slots.chmod(0o777)
        recorder.run_recorded(
            request(tmp_path / "again", workers=0), registration(), where, notify=messages.append
        )
        assert (messages, slots.stat().st_mode & 0o777) == ([], 0o755)
        (slot,) = slots.iterdir()
        slot.unlink()
        slot.symlink_to(tmp_path / "victim")  # by another user, meanwhile
        recorder.run_recorded(
            request(tmp_path / "other", workers=0), registration(), where, notify=messages.append
        )
        assert len(messages) == 1
        assert messages[0].endswith("the run continues without a record")
    finally:
        server.close()


def test_the_end_of_a_run_that_can_be_recorded_nowhere_is_told(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(folder_of(data_folder, "nowhere"))
    server.open()
    where = Database(folder=Path("/proc/none"), url=empty(server).url)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(recorder, "END_SECONDS", 1.0)
    messages: list[str] = []

    def stop(progress: object) -> None:
        if server.owner() is not None:
            server.stop()

    recorder.run_recorded(request(tmp_path / "out", workers=0), registration(), where, stop, messages.append)
    assert any("cannot be saved in" in message for message in messages)

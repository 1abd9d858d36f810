"""The cache folder under attack: nothing that another user could have written is read, run or waited for."""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from test_kernel_cache import COMPILED, call, make_small_engine, start

from actors.cache import CacheSettings, LocalCache
from actors.cache.disk_backend import DiskBackend
from engine import private_folder
from engine.precomputed import LARGEST_PACKED, CacheKey, pack_value
from engine.private_folder import PrivateFolder, UnsafeFolderError

KEY = CacheKey("measures", b"", "a" * 64)
OURS, THEIRS = pack_value("measures", b'{"patients": 1}'), pack_value("measures", b'{"patients": 666}')
NOBODY = 65534

HOSTILE_KERNEL = """
from engine.k import kernel
from engine.numeric import native

command = "touch MARKER"
module = native.llvm().parse_assembly(f'''
@command = constant [{len(command) + 1} x i8] c"{command}\\\\00"
declare i32 @system(ptr)
define i64 @"{kernel.symbol}"(i64 %x) {{
    call i32 @system(ptr @command)
    ret i64 7
}}
''')
native._write(kernel.file, native.target_machine().emit_object(module))
"""
"""Writes an object file for the small engine whose machine code makes a file."""


def give_away(path: Path) -> None:
    """Make another user able to write a file or folder: as its owner if this is root, else by its mode."""
    if os.geteuid() == 0:
        os.lchown(path, NOBODY, NOBODY)
    else:
        path.chmod(0o777)


def stored(data: bytes) -> bytes:
    """A value as it lies on disk."""
    return hashlib.sha256(data).digest() + data


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of our only value, in a cache folder of its own."""
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path / "cache"))
    DiskBackend().put([(KEY, OURS)], ())
    assert DiskBackend().get([KEY]) == [OURS]
    return tmp_path / "cache" / "values" / "computation"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder of another user with a value under the name of ours."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / f"{KEY.key}.value").write_bytes(stored(THEIRS))
    give_away(folder / f"{KEY.key}.value")
    give_away(folder)
    return folder


def of_ours(place: Path) -> Path:
    (file,) = place.glob("*.value")
    return file


def link_to_folder(place: Path, theirs: Path) -> None:
    shutil.rmtree(place)
    place.symlink_to(theirs)


def link_to_own_folder(place: Path, theirs: Path) -> None:
    """A link to a folder that is the victim's own, such as a clone with a value that another wrote."""
    theirs.chmod(0o700)
    for path in (theirs, *theirs.iterdir()):
        path.chmod(0o700)
        os.chown(path, os.geteuid(), os.getegid())
    link_to_folder(place, theirs)


def link_above(place: Path, theirs: Path) -> None:
    shutil.rmtree(place.parent)
    (theirs.parent / "values").mkdir()
    shutil.move(theirs, theirs.parent / "values" / place.name)
    place.parent.symlink_to(theirs.parent / "values")


def link_to_file(place: Path, theirs: Path) -> None:
    file = of_ours(place)
    file.unlink()
    file.symlink_to(theirs / file.name)


def hard_link(place: Path, theirs: Path) -> None:
    file = of_ours(place)
    file.unlink()
    file.hardlink_to(theirs / file.name)


def hard_link_in_their_folder(place: Path, theirs: Path) -> None:
    """A hard link to a file of the victim in a folder of the attacker."""
    give_away(place)


def folder_of_another(place: Path, theirs: Path) -> None:
    shutil.rmtree(place)
    theirs.rename(place)


def folder_that_a_group_writes(place: Path, theirs: Path) -> None:
    place.chmod(0o770)


def folder_that_all_write(place: Path, theirs: Path) -> None:
    place.chmod(0o1777)


def file_that_others_write(place: Path, theirs: Path) -> None:
    of_ours(place).chmod(0o602)


def pipe(place: Path, theirs: Path) -> None:
    file = of_ours(place)
    file.unlink()
    os.mkfifo(file)


def folder_in_its_place(place: Path, theirs: Path) -> None:
    file = of_ours(place)
    file.unlink()
    file.mkdir()


def huge_file(place: Path, theirs: Path) -> None:
    os.truncate(of_ours(place), 1 << 40)


ATTACKS = [
    link_to_folder, link_to_own_folder, link_above, link_to_file, hard_link, hard_link_in_their_folder,
    folder_of_another, folder_that_a_group_writes, folder_that_all_write, file_that_others_write, pipe,
    folder_in_its_place, huge_file,
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_value_that_others_could_have_written_is_a_miss(
    attack: Callable[[Path, Path], None], place: Path, theirs: Path
) -> None:
    attack(place, theirs)
    backend = DiskBackend()
    found: list[object] = []
    reading = threading.Thread(target=lambda: found.extend(backend.get([KEY])), daemon=True)
    reading.start()
    reading.join(10)
    assert found == [None], "it was read, or the read hangs"
    assert backend.fault is not None
    assert str(place.parent) in backend.fault


@pytest.mark.parametrize("attack", [link_to_folder, link_above, folder_of_another, folder_that_all_write])
def test_nothing_is_written_to_or_removed_from_a_folder_of_others(
    attack: Callable[[Path, Path], None], place: Path, theirs: Path
) -> None:
    attack(place, theirs)
    before = sorted((path.name, path.read_bytes()) for path in place.iterdir())
    backend = DiskBackend()
    backend.put([(KEY._replace(key="b" * 64), OURS)], ())
    assert backend.clear(None) == 0
    assert sorted((path.name, path.read_bytes()) for path in place.iterdir()) == before


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_a_folder_exchanged_between_check_and_read_is_never_believed(
    kind: str, place: Path, theirs: Path
) -> None:
    """Another process exchanges the folder all the time for one of another user, or for a link to one."""
    good = place.parent / "good"
    place.rename(good)
    turn = f"""
import os, sys
place, good, theirs = sys.argv[1:]
print(flush=True)
while True:
    if {kind!r} == "link":
        for target in (theirs, good):
            os.symlink(target, place + ".new")
            os.replace(place + ".new", place)
    else:
        for target in (theirs, good):
            os.rename(target, place)
            os.rename(place, target)
"""
    turning = subprocess.Popen([sys.executable, "-c", turn, place, good, theirs], stdout=subprocess.PIPE)
    try:
        assert turning.stdout is not None
        turning.stdout.readline()
        backend = DiskBackend()
        begun = time.monotonic()
        wanted = {None} if kind == "link" else {None, OURS}
        found: list[bytes | None] = []
        while time.monotonic() < begun + 1.5 or (
            (len(found) < 500 or not wanted <= set(found)) and time.monotonic() < begun + 30
        ):
            found += backend.get([KEY])
    finally:
        turning.kill()
        turning.communicate()
    assert set(found) <= {None, OURS}
    assert wanted <= set(found), "the folder was not exchanged"


def test_a_cache_folder_in_which_all_may_write_is_reported_and_left_alone(place: Path) -> None:
    root = place.parents[1]
    root.chmod(0o777)
    local = LocalCache(CacheSettings())
    assert local.get(KEY) is None
    assert str(root) in (local.fault or "")
    assert "chmod go-w" in (local.fault or "")
    assert stat.S_IMODE(root.stat().st_mode) == 0o777
    root.chmod(0o1777)  # as /tmp: nobody can remove or rename what is another's
    local = LocalCache(CacheSettings())
    assert (local.get(KEY), local.fault) == (b'{"patients": 1}', None)


def test_other_faults_of_the_disk_are_not_reported(place: Path) -> None:
    of_ours(place).write_bytes(b"damaged")
    local = LocalCache(CacheSettings())
    assert (local.get(KEY), local.fault) == (None, None)


def test_folders_that_an_earlier_version_made_with_a_umask_of_002_are_narrowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOLDENHOUR_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    DiskBackend().put([(KEY, OURS)], ())
    wide = tmp_path / "goldenhour", tmp_path / "goldenhour" / "values"
    for path in wide:
        path.chmod(0o775)
    assert DiskBackend().get([KEY]) == [OURS]
    assert [stat.S_IMODE(path.stat().st_mode) for path in wide] == [0o755, 0o755]


@pytest.mark.parametrize("umask", [0, 0o002, 0o077])
def test_everything_in_the_cache_folder_is_made_for_its_user_alone(
    umask: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(tmp_path / "new" / "cache"))
    before = os.umask(umask)
    try:
        DiskBackend().put([(KEY, OURS)], ())
    finally:
        os.umask(before)
    made = [tmp_path / "new" / "cache", *(tmp_path / "new" / "cache").rglob("*")]
    assert len(made) == 4
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in made)
    assert DiskBackend().get([KEY]) == [OURS]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link away")
def test_the_cache_folder_may_be_a_link_of_its_user_but_of_nobody_else(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "link"
    link.symlink_to(place.parents[1])
    monkeypatch.setenv("GOLDENHOUR_CACHE_DIR", str(link))
    assert DiskBackend().get([KEY]) == [OURS]
    os.lchown(link, NOBODY, NOBODY)
    assert DiskBackend().get([KEY]) == [None]


def test_a_file_that_grows_while_it_is_read_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = of_ours(place)
    fstat = os.fstat

    def growing(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            with file.open("ab") as more:
                more.write(bytes(1000))
        return status

    with PrivateFolder.open("values", "computation") as folder, monkeypatch.context() as patched:
        patched.setattr(private_folder.os, "fstat", growing)
        with pytest.raises(ValueError, match="changed while it was read"):
            folder.read(file.name, LARGEST_PACKED)


def test_a_lock_is_never_made_through_a_link(place: Path, tmp_path: Path) -> None:
    (place / "lock").symlink_to(tmp_path / "elsewhere")
    with (
        PrivateFolder.open("values", "computation") as folder,
        pytest.raises(UnsafeFolderError, match="link"),
    ):
        folder.open_lock("lock")
    assert not (tmp_path / "elsewhere").exists()


@pytest.fixture(scope="module")
def engine_with_kernels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path, Path]:
    """The small engine; a cache folder with its kernel, and one as an attacker makes it; what the attack makes."""
    base = tmp_path_factory.mktemp("kernels")
    marker, cache, attacker = base / "executed", base / "cache", base / "attacker"
    engine = make_small_engine(base)
    assert call(engine, cache) == COMPILED
    call(engine, attacker, HOSTILE_KERNEL.replace("MARKER", str(marker)))
    return engine, cache, attacker, marker


def kernel_in(cache: Path) -> Path:
    (file,) = cache.rglob("*.o")
    return file


def test_the_kernel_of_an_attacker_runs_where_this_user_wrote_it(
    engine_with_kernels: tuple[Path, Path, Path, Path],
) -> None:
    """So the next test would notice it."""
    engine, _, attacker, marker = engine_with_kernels
    with start(engine, attacker) as process:
        process.communicate(timeout=120)
    assert marker.exists()
    marker.unlink()


@pytest.mark.parametrize(
    "attack", ["link of the cache", "folder of another", "folder that all write", "file of another", "pipe"]
)
def test_a_kernel_that_others_could_have_written_is_compiled_anew(
    attack: str, engine_with_kernels: tuple[Path, Path, Path, Path], tmp_path: Path
) -> None:
    engine, cache, attacker, marker = engine_with_kernels
    ours = kernel_in(shutil.copytree(cache, tmp_path / "cache"))
    evil = kernel_in(shutil.copytree(attacker, tmp_path / "attacker"))
    for path in (evil, *evil.parents[:2]):
        give_away(path)
    folder = ours.parent
    if attack == "link of the cache":
        shutil.rmtree(folder.parent)
        folder.parent.symlink_to(evil.parents[1])
    elif attack == "folder of another":
        shutil.rmtree(folder)
        evil.parent.rename(folder)
    else:
        ours.unlink()
        if attack == "pipe":
            os.mkfifo(ours)
        else:
            shutil.copy(evil, ours)
            if attack == "file of another":
                give_away(ours)
            else:
                folder.chmod(0o777)
    assert call(engine, tmp_path / "cache") == COMPILED
    assert not marker.exists(), "the attacker's code was executed"

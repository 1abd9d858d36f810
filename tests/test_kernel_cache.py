"""Compiled kernels are cached on disk by content, and no fault of the cache ever reaches the caller."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import engine.errors
import engine.identity
import engine.masking
import engine.numeric
import engine.private_folder

CONSTANT = "FACTOR = 3\n"
CALLEE = """
from engine.constant import FACTOR
from engine.numeric.jit import compiled

@compiled
def scaled(x):
    return x * FACTOR
"""
KERNEL = """
import numpy as np
from engine.callee import scaled
from engine.numeric.jit import compiled_entry

@compiled_entry(int)
def kernel(x) -> int:
    return scaled(x) + 1

@compiled_entry(int)
def adding(x) -> int:
    return sum((x, 1, 2))  # Numba's own Python code

@compiled_entry(int)
def broken(x) -> int:
    return undefined_name + x

@compiled_entry(int)
def allocating(x) -> int:
    return np.zeros(x).sum()

@compiled_entry(int)
def failing(x) -> int:
    return (4, 5, 6)[x]

@compiled_entry("f8", ("i4", 2))
def fill(values, table) -> None:
    for i in range(len(values)):
        values[i] = table.shape[1] * table[i, 1]
"""
SHARED = """
from engine.numeric.jit import compiled, compiled_entry

@compiled
def long(spare, x, n):
    total = 0.0
    for k in range(n):
        total = total * 0.5 + x
        if total > 9.0:
            total -= x / (k + 1.0)
        elif total < -9.0:
            total += x / (k + 2.0)
        for j in range(k):
            if total * j > 5.0:
                total -= 1.0 / (j + 1.0)
            elif total * j < -5.0:
                total += 2.0 / (j + 3.0)
            else:
                total += 0.25 * j
    return total

@compiled
def deep(x, n):
    return long(1.0, x, n) + long(2.0, x + 1.0, n + 1)

@compiled_entry("f8", int)
def first(out, n) -> None:
    out[0] = deep(out[0], n) + deep(out[0] + 2.0, n)

@compiled_entry("f8", int)
def second(out, n) -> None:
    out[0] = long(3.0, out[0], n) + long(4.0, out[0] + 1.0, n + 1)
"""
CALL_SHARED = """
import numpy as np
from engine.shared import deep, first, long, second
one, two = np.ones((2, 1))
first(one, 5), second(two, 5)
print(one[0] == deep.py_func(1.0, 5) + deep.py_func(3.0, 5), two[0] == deep.py_func(1.0, 5))
print(long(1.0, 1.0, 5) == long.py_func(1.0, 1.0, 5))
"""
CALL = """
import sys
from engine.k import kernel
print(kernel(2), "numba" in sys.modules)
"""
FAILING_CALL = """
from engine.k import allocating, broken, failing, kernel
for function in (broken, allocating, failing):
    try:
        print(function(7))
    except Exception as error:
        print(type(error).__name__)
print(failing(2), kernel(2))
"""
ARRAYS = """
import numpy as np
from engine.k import fill
values = np.zeros(2)
table = np.array([[1, 2, 3], [4, 5, 6]], "i4")
fill(values, table)
print(values)
read_only = np.zeros(2)
read_only.flags.writeable = False
for wrong in (np.zeros(2, "f4"), np.zeros((2, 2)), np.zeros(4)[::2], read_only):
    try:
        fill(wrong, table)
    except TypeError:
        print("refused")
"""


LIBM = """
import math
from engine.numeric.jit import compiled_entry

@compiled_entry("f8")
def exponential(values) -> None:
    values[0] = math.exp(values[0])

@compiled_entry("f8")
def inverse_hyperbolic(values) -> None:
    values[0] = math.asinh(values[0])
"""
CALL_LIBM = """
import numpy as np
from engine.libm import exponential, inverse_hyperbolic
for function in (exponential, inverse_hyperbolic):
    try:
        function(np.ones(1))
        print("called")
    except RuntimeError as error:
        print(error)
"""
EXTERNAL = """
from engine.numeric.compiler import foreign_names
from engine.numeric.native import llvm
module = llvm().parse_assembly('''
@outside = external global i64
declare i8* @memset(i8*, i32, i64)
declare double @llvm.sqrt.f64(double)
declare double @llvm.pow.f64(double, double)
declare double @exp(double)
define i64 @inside() {
  %value = load i64, i64* @outside
  ret i64 %value
}
''')
print(*sorted(foreign_names(module)))
"""
THREADS = """
import threading
import numba
from engine.numeric import compiler, jit
from engine.k import kernel
from engine.shared import first, second
before = [getattr(owner, name) for owner, name, _ in compiler._PATCHES]
answers = []
started = threading.Barrier(4)

def load(function):
    started.wait()
    function.load()
    answers.append("loaded")

def use_numba():
    started.wait()
    for number in range(3):
        answers.append(numba.njit(lambda x: x + number)(1))

threads = [threading.Thread(target=load, args=(each,)) for each in (first, second, kernel)]
threads.append(threading.Thread(target=use_numba))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*sorted(map(str, answers)))
print(before == [getattr(owner, name) for owner, name, _ in compiler._PATCHES], jit._compiles_entry_point)
print(numba.njit(lambda x: x + 1)(3))
"""


@pytest.fixture
def small_engine(tmp_path: Path) -> Path:
    """A small engine of its own for each test."""
    return make_small_engine(tmp_path)


def make_small_engine(base: Path) -> Path:
    """A folder with a package `engine` of three small modules and the real kernel cache."""
    package = base / "with a space" / "engine"
    numeric = package / "numeric"
    numeric.mkdir(parents=True)
    (package / "__init__.py").touch()
    (numeric / "__init__.py").touch()
    (package / "constant.py").write_text(CONSTANT)
    (package / "callee.py").write_text(CALLEE)
    (package / "k.py").write_text(KERNEL)
    shutil.copy(engine.identity.__file__, package)
    for module in (engine.private_folder, engine.errors, engine.masking):
        shutil.copy(module.__file__, package)
    for name in ("jit", "native", "compiler", "dispatchers"):
        shutil.copy(Path(engine.numeric.__file__).with_name(f"{name}.py"), numeric)
    return package.parent


@pytest.fixture(scope="module")
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache after one process has called the kernel of a small engine."""
    base = tmp_path_factory.mktemp("compiled")
    assert call(make_small_engine(base), base / "cache") == COMPILED
    return base / "cache"


@pytest.fixture
def warm(compiled_once: Path, tmp_path: Path) -> Path:
    """A copy of that cache: its kernel is that of every small engine."""
    return shutil.copytree(compiled_once, tmp_path / "cache")


def environment(cache: Path, **more: str) -> dict[str, str]:
    return os.environ | {"GOLDENHOUR_CACHE_DIR": str(cache)} | more


def start(folder: Path, cache: Path, code: str = CALL, **more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code]
    return subprocess.Popen(
        command, cwd=folder, env=environment(cache, **more), stdout=subprocess.PIPE, text=True
    )


def call(folder: Path, cache: Path, code: str = CALL, **more: str) -> str:
    process = start(folder, cache, code, **more)
    answer = process.communicate(timeout=120)[0].strip()
    assert process.returncode == 0
    return answer


COMPILED, FROM_CACHE = "7 True", "7 False"


def test_neither_a_second_process_nor_a_moved_engine_compiles(
    small_engine: Path, warm: Path, tmp_path: Path
) -> None:
    assert call(small_engine, warm) == FROM_CACHE
    moved = small_engine.rename(tmp_path / "elsewhere")
    for file in moved.rglob("*.py"):
        os.utime(file)
    assert call(moved, warm) == FROM_CACHE


def test_a_constant_changed_in_another_module_is_noticed(small_engine: Path, warm: Path) -> None:
    (small_engine / "engine" / "constant.py").write_text("FACTOR = 5\n")
    assert call(small_engine, warm) == "11 True"


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "folder"])
def test_a_damaged_cache_is_compiled_anew_and_replaced(damage: str, small_engine: Path, warm: Path) -> None:
    (file,) = warm.rglob("*.o")
    data = bytearray(file.read_bytes())
    if damage == "folder":
        file.unlink()
        file.mkdir()
        assert call(small_engine, warm) == COMPILED
        return
    data[len(data) // 2] ^= 1
    file.write_bytes({"empty": b"", "truncated": bytes(data[:-100]), "flipped": bytes(data)}[damage])
    assert call(small_engine, warm) == COMPILED
    assert call(small_engine, warm) == FROM_CACHE


def test_where_nothing_can_be_written_the_kernel_is_compiled_in_memory(
    small_engine: Path, tmp_path: Path
) -> None:
    a_file = tmp_path / "file"
    a_file.touch()
    assert call(small_engine, a_file) == COMPILED
    assert call(small_engine, Path("/proc/nothing")) == COMPILED
    homeless = {"GOLDENHOUR_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": "no/home"}
    assert call(small_engine, tmp_path, **homeless) == COMPILED


def test_a_full_disk_leaves_no_half_file(small_engine: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (256, 256))\n"
    ignore = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    assert call(small_engine, cache, limit + ignore + CALL) == COMPILED
    assert not [*cache.rglob("*.o"), *cache.rglob("*.tmp")]


def test_of_processes_that_start_together_one_compiles(small_engine: Path, tmp_path: Path) -> None:
    processes = [start(small_engine, tmp_path / "cache") for _ in range(3)]
    answers = sorted(process.communicate(timeout=120)[0].strip() for process in processes)
    assert answers == [FROM_CACHE, FROM_CACHE, COMPILED]


def test_files_that_change_under_a_live_process_do_not_change_the_key(
    small_engine: Path, tmp_path: Path
) -> None:
    show = "from engine.numeric import native\n{}\nprint(native.digest())"
    change = "from pathlib import Path\nPath('engine/constant.py').write_text('FACTOR = 5')"
    before = call(small_engine, tmp_path / "cache", show.format(""))
    assert call(small_engine, tmp_path / "cache", show.format(change)) == before
    assert call(small_engine, tmp_path / "cache", show.format("")) != before


def test_the_key_depends_on_the_platform_and_on_the_processor_that_code_is_for(
    small_engine: Path, tmp_path: Path
) -> None:
    show = "from engine.numeric import native\n{}\nprint(native.digest())"
    machine = "native.platform.machine = lambda: 'another'"
    (tmp_path / "cpuinfo").write_text("model name\t: another\n")
    processor = f"native._CPU_INFO = native.Path({str(tmp_path / 'cpuinfo')!r})"
    unknown = f"native._CPU_INFO = native.Path({str(tmp_path / 'none')!r})"
    other = f"{unknown}\nnative.llvm().get_process_triple = lambda: 'another'"
    changes = ("", machine, processor, unknown, other)
    keys = {call(small_engine, tmp_path / "cache", show.format(change)) for change in changes}
    keys.add(call(small_engine, tmp_path / "cache", show.format(""), NUMBA_CPU_FEATURES=""))
    assert len(keys) == 6


def test_the_key_ignores_what_changes_from_moment_to_moment_and_is_known_without_llvm(
    small_engine: Path, tmp_path: Path
) -> None:
    keys = set()
    for clock in ("1000", "2000"):
        text = "\n\n".join(f"processor\t: {core}\nmodel name\t: one\ncpu MHz\t: {clock}" for core in (0, 1))
        (tmp_path / "cpuinfo").write_text(text)
        code = (
            "import sys\nfrom engine.numeric import native\n"
            f"native._CPU_INFO = native.Path({str(tmp_path / 'cpuinfo')!r})\n"
            "print(native.digest(), 'llvmlite' in sys.modules)"
        )
        keys.add(call(small_engine, tmp_path / "cache", code))
    (key,) = keys
    assert key.endswith(" False")


def test_a_lock_that_stays_held_is_waited_for_and_then_done_without(small_engine: Path, warm: Path) -> None:
    (file,) = warm.rglob("*.o")
    file.unlink()
    code = (
        "from engine.numeric import native\n"
        "assert native._LOCK_WAIT_SECONDS == 60\n"
        "native._LOCK_WAIT_SECONDS = 0.2\n"
        "from engine.k import kernel\n"
        "native.compile_to_cache(kernel, print)\n"
    )
    with file.with_name(f"{file.name}.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert call(small_engine, warm, code).split() == ["True", "False"]
    assert file.exists()


def test_each_entry_point_has_its_own_copy_of_a_shared_function(small_engine: Path, tmp_path: Path) -> None:
    (small_engine / "engine" / "shared.py").write_text(SHARED)
    assert call(small_engine, tmp_path / "cache", CALL_SHARED) == "True True\nTrue"


def test_what_cannot_be_compiled_or_fails_raises_an_error_and_the_rest_works(
    small_engine: Path, tmp_path: Path
) -> None:
    answers = ["TypingError", "TypingError", "RuntimeError", "6 7"]
    assert call(small_engine, tmp_path / "cache", FAILING_CALL).split("\n") == answers


def test_threads_compile_one_after_the_other_and_leave_numba_as_it_was(
    small_engine: Path, tmp_path: Path
) -> None:
    (small_engine / "engine" / "shared.py").write_text(SHARED)
    answers = ["1 2 3 loaded loaded loaded", "True False", "4"]
    assert call(small_engine, tmp_path / "cache", THREADS).split("\n") == answers


def test_code_that_needs_the_mathematical_library_is_refused(small_engine: Path, tmp_path: Path) -> None:
    (small_engine / "engine" / "libm.py").write_text(LIBM)
    first, second = call(small_engine, tmp_path / "cache", CALL_LIBM).split("\n")
    assert "refers to" in first
    assert "exp" in first
    assert "refers to" in second
    assert "asinh" in second


def test_functions_and_variables_from_outside_are_found(small_engine: Path, tmp_path: Path) -> None:
    assert call(small_engine, tmp_path / "cache", EXTERNAL) == "exp llvm.pow.f64 outside"


def test_entry_points_are_compiled_also_where_numba_compiles_nothing_else(
    small_engine: Path, tmp_path: Path
) -> None:
    code = (
        CALL + "import numba\nprint(numba.njit(call := lambda x: x) is call)\n"
        "from engine.k import adding\nprint(adding(4))\n"
    )
    assert call(small_engine, tmp_path / "cache", code, NUMBA_DISABLE_JIT="1") == f"{COMPILED}\nTrue\n7"


def test_arrays_arrive_with_their_shapes_and_others_are_refused(small_engine: Path, tmp_path: Path) -> None:
    answers = ["[ 6. 15.]", *["refused"] * 4]
    assert call(small_engine, tmp_path / "cache", ARRAYS).split("\n") == answers


def test_the_kernels_of_the_last_three_engines_stay_in_the_cache(small_engine: Path, tmp_path: Path) -> None:
    root = tmp_path / "cache" / "native"
    for age in range(5):
        old = root / f"{age:020x}"
        old.mkdir(parents=True)
        os.utime(old, (1e9 - age, 1e9 - age))
    (root / "not a digest").mkdir()
    call(small_engine, tmp_path / "cache")
    kept = sorted(path.name for path in root.iterdir())
    assert len(kept) == 4
    assert {f"{0:020x}", f"{1:020x}", "not a digest"} < set(kept)

"""Compiled kernels kept on disk, so that no machine compiles the same engine twice.

Numba's own `cache=True` keys a function by the path and age of its file: it misses a constant changed in another
module, compiles again for every new path and raises out of the kernel call when the cache is damaged or its folder is
full. Here the key is the content of all of engine/, the versions of what compiles it, the processor and the compiler's
options. Whatever goes wrong with the cache means: compile in memory.

The folder is $GOLDENHOUR_CACHE_DIR, else $XDG_CACHE_HOME/goldenhour, else ~/.cache/goldenhour.

This uses four private names of Numba (`Dispatcher._cache`, `Dispatcher._compiler`, `CompileResult._reduce` and
`_rebuild`): pyproject.toml pins its minor version and tests/test_kernel_cache.py shows that a second process hits.
"""

import contextlib
import fcntl
import functools
import hashlib
import inspect
import os
import pickle
import re
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy
from llvmlite import binding
from numba.core import codegen, compiler, serialize

from engine import identity

_HERE = Path(__file__).resolve().parents[1]
_OPTIONS = (
    "OPT",
    "BOUNDSCHECK",
    "DEBUGINFO_DEFAULT",
    "ENABLE_AVX",
    "LOOP_VECTORIZE",
    "SLP_VECTORIZE",
    "USING_SVML",
    "CPU_NAME",
    "CPU_FEATURES",
)
_KEPT_DIGESTS = 3
_LOCK_WAIT_SECONDS = 600.0
"""A process that dies frees the lock, so this is only reached when one hangs."""
_DIGEST_BYTES = hashlib.sha256().digest_size


@functools.cache
def digest() -> str:
    """20 hex digits that change with anything the machine code depends on."""
    sha = identity.sources()
    surroundings = (
        sys.implementation.cache_tag,
        numba.__version__,
        llvmlite.__version__,
        numpy.__version__,
        binding.get_host_cpu_name(),
        binding.get_host_cpu_features().flatten(),
        [str(getattr(numba.config, option, None)) for option in _OPTIONS],
    )
    sha.update(repr(surroundings).encode())
    return sha.hexdigest()[:20]


def folder() -> Path:
    """Where this engine's compiled kernels lie; nothing need be there yet."""
    return identity.cache_root() / "numba" / digest()


def is_cold() -> bool:
    """True when nothing of this engine is compiled on disk yet: the first call will take seconds."""
    try:
        return not any(folder().glob("*.nbc"))
    except OSError:
        return True


class _Lock:
    """One lock file per digest, held while a process compiles so that the others wait for its result.

    Counts its holders, since compiling one entry may compile another. A dead process frees it.
    """

    def __init__(self) -> None:
        self._holders = 0
        self._descriptor: int | None = None

    def acquire(self, path: Path) -> None:
        """Wait for the lock; after `_LOCK_WAIT_SECONDS`, or where there can be none, go on without it."""
        self._holders += 1
        if self._descriptor is not None:
            return
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        give_up = time.monotonic() + _LOCK_WAIT_SECONDS
        try:
            while time.monotonic() < give_up:
                try:
                    fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                except BlockingIOError:
                    time.sleep(0.05)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give the lock back when the last holder does."""
        self._holders = max(0, self._holders - 1)
        if self._holders == 0 and self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


_lock = _Lock()


class _EngineCache:
    """What Numba asks for compiled code: one file per function and signature.

    A file is the SHA-256 of the rest, then a pickle of (key, what Numba needs to rebuild the function); the digest
    keeps damaged machine code from ever being run.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._folder = folder()
        self._name = f"{function.__module__}.{function.__qualname__}".replace("<", "").replace(">", "")
        self.fault: str | None = None
        """The last thing that went wrong with the cache, for diagnosis."""

    @property
    def cache_path(self) -> str:
        """The folder, for `Dispatcher.stats`."""
        return str(self._folder)

    def enable(self) -> None:
        """Part of Numba's interface: the cache is always on."""

    def disable(self) -> None:
        """Part of Numba's interface: the cache is always on."""

    def flush(self) -> None:
        """Forget this function's compiled code."""
        with self._guard():
            for path in self._folder.glob(f"{self._name}-*.nbc"):
                path.unlink()

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """The compiled function, or None; after None the lock is held until `save_overload` or a failed compile."""
        found = self._load(signature, target_context)
        if found is None:
            with self._guard():
                self._make_folder()
                _lock.acquire(self._folder / "lock")
            found = self._load(signature, target_context)  # another process may have been first
            if found is not None:
                _lock.release()
        return found

    def save_overload(self, signature: Any, result: Any) -> None:
        """Put a newly compiled function on disk."""
        try:
            with self._guard():
                self._save(signature, result)
        finally:
            _lock.release()

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.fault = repr(error)

    def _key(self, signature: Any, codegen: Any) -> str:
        return repr((signature, codegen.magic_tuple()))

    def _path(self, key: str) -> Path:
        return self._folder / f"{self._name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.nbc"

    def _load(self, signature: Any, target_context: Any) -> Any:
        with self._guard():
            target_context.refresh()
            key = self._key(signature, target_context.codegen())
            try:
                data = self._path(key).read_bytes()
            except FileNotFoundError:
                return None
            if os.stat(self._folder).st_uid != os.getuid():
                raise PermissionError(f"{self._folder} belongs to another user")
            if hashlib.sha256(data[_DIGEST_BYTES:]).digest() != data[:_DIGEST_BYTES]:
                raise ValueError("the cached kernel is damaged")
            saved_key, payload = pickle.loads(data[_DIGEST_BYTES:])
            if saved_key != key:
                return None
            _mark_used(self._folder)
            return compiler.CompileResult._rebuild(target_context, *payload)
        return None

    def _save(self, signature: Any, result: Any) -> None:
        if any(not part.can_cache for part in result.lifted) or result.library.has_dynamic_globals:
            raise ValueError(f"{self._name} uses what cannot be kept: lifted code or large global arrays")
        self._make_folder()
        key = self._key(signature, result.codegen)
        data = serialize.dumps((key, result._reduce()))
        target = self._path(key)
        draft = target.with_suffix(f".{uuid.uuid4().hex[:12]}.tmp")
        try:
            draft.write_bytes(hashlib.sha256(data).digest() + data)
            os.replace(draft, target)
        finally:
            draft.unlink(missing_ok=True)

    def _make_folder(self) -> None:
        if not self._folder.exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _prune(self._folder.parent)


@functools.cache
def _mark_used(path: Path) -> None:
    """Once a process: the folder's time says when it was last of use, for `_prune`."""
    with contextlib.suppress(OSError):
        os.utime(path)


def _prune(root: Path) -> None:
    """Remove the kernels of all but the engines used last."""
    digests = [path for path in root.iterdir() if path.is_dir() and re.fullmatch("[0-9a-f]{20}", path.name)]
    digests.sort(key=lambda p: p.stat().st_mtime, reverse=True)
    for path in digests[_KEPT_DIGESTS:]:
        shutil.rmtree(path, ignore_errors=True)


def compiled_entry(function: Any = None, *, nogil: bool = False) -> Any:
    """Compile a function that Python calls (`numba.njit`) and keep the code on disk.

    For the entry points of the kernel only; what they call stays plain `@njit`. Globals are frozen into the code, and
    only engine/ is part of the key: pass every value that comes from elsewhere as an argument. A function defined
    outside engine/ is compiled without the cache.
    """
    if function is None:
        return functools.partial(compiled_entry, nogil=nogil)
    dispatcher = numba.njit(function, nogil=nogil, error_model="numpy")
    if _HERE not in Path(inspect.getfile(function)).resolve().parents or not hasattr(dispatcher, "_compiler"):
        return dispatcher
    with contextlib.suppress(OSError):
        dispatcher._cache = _EngineCache(function)
        dispatcher._compiler.compile = _releasing(dispatcher._compiler.compile)
    return dispatcher


def compiled(function: Any = None, *, from_python: bool = False) -> Any:
    """Compile a function that compiled functions call; `from_python`: Python calls it as well.

    Numba compiles a callee anew for every literal argument (28 times for one that logs 26 kinds of event): here a
    literal counts as its type, and the wrappers that would let Python or C call it are left out. Both together halve
    the first compile of the engine.
    """
    if function is None:
        return functools.partial(compiled, from_python=from_python)
    dispatcher = numba.njit(
        function, no_cpython_wrapper=not from_python, no_cfunc_wrapper=True, error_model="numpy"
    )
    if not hasattr(dispatcher, "get_call_template"):  # NUMBA_DISABLE_JIT
        return dispatcher
    if not from_python:
        names = [*function.__module__.split("."), function.__qualname__]
        _callees.add("_ZN" + "".join(f"{len(name)}{name}" for name in names))
    template = dispatcher.get_call_template

    def template_of_types(args: Any, kws: Any) -> Any:
        plain = {name: _widest(kind) for name, kind in kws.items()}
        return template(tuple(_widest(kind) for kind in args), plain)

    dispatcher.get_call_template = template_of_types
    return dispatcher


def _widest(kind: Any) -> Any:
    """The type that an argument is passed as: literals as their type, short integers and enum members as 64 bits.

    An argument typed as an enum member would compile a second signature (docs/platform.md section 2.3).
    """
    plain = numba.types.unliteral(kind)
    if isinstance(plain, numba.types.IntEnumMember):
        return numba.types.int64
    if isinstance(plain, numba.types.Integer) and plain.bitwidth < 64:
        return numba.types.int64
    return plain


_callees: set[str] = set()
"""How the names of the functions begin that only compiled functions call: of these there is no machine code of their
own. In Numba's mangling, module and name.
"""


def _is_callee(library: Any) -> bool:
    """Whether a library of Numba's is that of a function in `_callees`."""
    return any(
        function.name.startswith("_ZN") and function.name.split("B", 1)[0] in _callees
        for function in library.get_defined_functions()
    )


def _finalize(self: Any) -> None:
    """Instead of Numba's `finalize`: a callee is neither linked nor optimised on its own, its code goes into the entry
    points that reach it, which are optimised once.

    Numba links into every function all that it calls, and all that these call, and optimises the whole each time: in a
    deep kernel the same code is optimised dozens of times (100 s instead of 25).
    """
    if _is_callee(self):
        self._raise_if_finalized()
        self._finalized = True
        return
    reached: list[Any] = []
    pending = list(self._linking_libraries)
    while pending:
        library = pending.pop(0)
        if library not in reached:
            reached.append(library)
            if _is_callee(library):
                pending += library._linking_libraries
    self._linking_libraries = reached
    if any(map(_is_callee, reached)):
        own = {function.name for function in self.get_defined_functions()}
        optimise = self._optimize_final_module

        def optimise_as_one() -> None:
            """What only this entry point calls is its own: LLVM may then inline it, and drop what nothing uses.

            Its name as well: the loader finds functions of all modules by name, and what LLVM has made of one for
            its callers here is not what another module calls by that name.
            """
            for function in list(self._final_module.functions):
                if not function.is_declaration and function.name not in own:
                    function.name = f"{function.name}.{self._final_module.name}"
                    function.linkage = "internal"
            optimise()

        self._optimize_final_module = optimise_as_one
    _numba_finalize(self)


def _set_env(self: Any, name: str, env: Any) -> None:
    """Numba's `set_env`, for functions that have machine code."""
    if self._engine.is_symbol_defined(name):
        _numba_set_env(self, name, env)


# The name of a record type lists all its fields. Ours have hundreds, and Numba asks for the name 20,000 times: computed
# each time, it takes 8 % of a cold compile.
numba.types.Record.__repr__ = functools.cache(numba.types.Record.__repr__)

_numba_finalize = codegen.CPUCodeLibrary.finalize
_numba_set_env = codegen.JITCPUCodegen.set_env
codegen.CPUCodeLibrary.finalize = _finalize
codegen.JITCPUCodegen.set_env = _set_env


def _releasing(compile_function: Callable[..., Any]) -> Callable[..., Any]:
    """The compiler, made to give the lock back when it fails (`save_overload` is not reached then)."""

    @functools.wraps(compile_function)
    def compile_or_release(*args: Any, **kwargs: Any) -> Any:
        try:
            return compile_function(*args, **kwargs)
        except BaseException:
            _lock.release()
            raise

    return compile_or_release

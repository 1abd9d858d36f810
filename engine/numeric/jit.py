"""The compiler of the kernel, and its cache on disk: a machine compiles the same engine once (docs/platform.md
section 2).

Numba's own `cache=True` keys a function by the path and the age of its file. It misses a constant changed in another
module, compiles again for every new path, and raises an error out of the kernel call when the cache is damaged or its
folder is full. The key here is the content of all of engine/, the versions of the software that compiles it, the
processor, and the compiler's options. If anything goes wrong with the cache, the kernel is compiled in memory.

The folder is $GOLDENHOUR_CACHE_DIR, else $XDG_CACHE_HOME/goldenhour, else ~/.cache/goldenhour.

The module uses private names of Numba: `Dispatcher._cache`, `Dispatcher._compiler`, `CompileResult._reduce` and
`_rebuild`, and methods of `CPUCodeLibrary` and `JITCPUCodegen`. Therefore pyproject.toml pins Numba's minor version,
and tests/test_kernel_cache.py checks that a second process finds the compiled code.
"""

import contextlib
import fcntl
import functools
import hashlib
import inspect
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy
from llvmlite import binding
from numba.core import codegen, compiler, serialize

from engine import identity
from engine.private_folder import PrivateFolder, prune_engines

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
_NUMBA = "numba"
"""The folder of all engines' kernels, in the cache folder."""
_LOCK_WAIT_SECONDS = 600.0
"""Longest wait for the lock. A process that dies frees it, so only a process that hangs makes others wait so long."""
_DIGEST_BYTES = hashlib.sha256().digest_size
_LARGEST_FILE = 64 * 1024 * 1024
"""Largest size of a compiled function; the largest of this engine has 1.4 MB."""


@functools.cache
def digest() -> str:
    """Return 20 hex digits that change with anything that the machine code depends on."""
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
    """Return the folder of this engine's compiled kernels; it may not exist yet."""
    return identity.cache_root() / _NUMBA / digest()


def is_cold() -> bool:
    """Whether no kernel of this engine that may be used is on disk, so that the first call takes a minute or so."""
    try:
        with PrivateFolder.open(_NUMBA, digest()) as private:
            return not any(name.endswith(".nbc") for name in private.names())
    except OSError:
        return True


class _Lock:
    """A file lock per engine, held while a process compiles, so that other processes wait for its result.

    The lock counts its holders, because compiling one entry point may compile another. The lock of a process that
    dies is free.
    """

    def __init__(self) -> None:
        self._holders = 0
        self._descriptor: int | None = None

    def acquire(self, private: PrivateFolder) -> None:
        """Wait for the lock; continue without it after `_LOCK_WAIT_SECONDS`, or where the file cannot be locked."""
        self._holders += 1
        if self._descriptor is not None:
            return
        self._descriptor = private.open_lock("lock")
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
        """Release the lock when the last holder does."""
        self._holders = max(0, self._holders - 1)
        if self._holders == 0 and self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


_lock = _Lock()


class _EngineCache:
    """The cache of one function, as Numba calls it: one file per signature.

    A file is the SHA-256 of its key and of the rest, then the data from which Numba rebuilds the function, as Numba's
    own pickle. Pickles can run any code, but so can the machine code in them: what protects both is that only this user
    and root can have written the file (`PrivateFolder`). The digest ensures that damaged machine code is never run.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._folder = folder()
        self._name = f"{function.__module__}.{function.__qualname__}".replace("<", "").replace(">", "")
        self.fault: str | None = None
        """The last error of the cache, for diagnosis."""

    @property
    def cache_path(self) -> str:
        """The folder, for `Dispatcher.stats`."""
        return str(self._folder)

    def enable(self) -> None:
        """Part of Numba's interface: the cache is always on."""

    def disable(self) -> None:
        """Part of Numba's interface: the cache is always on."""

    def flush(self) -> None:
        """Delete this function's compiled code from disk."""
        with self._guard(), PrivateFolder.open(_NUMBA, digest()) as private:
            for name in private.names():
                if name.startswith(f"{self._name}-") and name.endswith(".nbc"):
                    private.remove(name)

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """Return the compiled function, or None. After None the lock is held until `save_overload` or a failed
        compile.
        """
        found = self._load(signature, target_context)
        if found is None:
            with self._guard(), _open_or_create() as private:
                _lock.acquire(private)
            found = self._load(signature, target_context)  # another process may have been first
            if found is not None:
                _lock.release()
        return found

    def save_overload(self, signature: Any, result: Any) -> None:
        """Write a newly compiled function to disk."""
        try:
            with self._guard():
                self._save(signature, result)
        finally:
            _lock.release()

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        """Record an error of the cache instead of raising it."""
        try:
            yield
        except Exception as error:
            self.fault = repr(error)

    def _key(self, signature: Any, codegen: Any) -> bytes:
        """Return the key of a signature: with the processor and the options of the code generator."""
        return repr((signature, codegen.magic_tuple())).encode()

    def _file_name(self, key: bytes) -> str:
        return f"{self._name}-{hashlib.sha256(key).hexdigest()[:16]}.nbc"

    def _load(self, signature: Any, target_context: Any) -> Any:
        """Return the compiled function from disk; None if there is no intact file of this user or root."""
        with self._guard():
            target_context.refresh()
            key = self._key(signature, target_context.codegen())
            try:
                with PrivateFolder.open(_NUMBA, digest()) as private:
                    stored = private.read(self._file_name(key), _LARGEST_FILE)
                    _mark_used(private)
            except FileNotFoundError:
                return None
            data = memoryview(stored)[_DIGEST_BYTES:]
            if _checksum(key, data) != stored[:_DIGEST_BYTES]:
                raise ValueError("the cached kernel is damaged")
            return compiler.CompileResult._rebuild(target_context, *pickle.loads(data))
        return None

    def _save(self, signature: Any, result: Any) -> None:
        """Write a compiled function to disk, under its name only once it is complete."""
        if any(not part.can_cache for part in result.lifted) or result.library.has_dynamic_globals:
            raise ValueError(f"{self._name} cannot be cached: it has lifted code or large global arrays")
        key = self._key(signature, result.codegen)
        data = serialize.dumps(result._reduce())
        with _open_or_create() as private:
            private.write(self._file_name(key), _checksum(key, data) + data)


def _checksum(key: bytes, data: Any) -> bytes:
    """Return the SHA-256 of a key followed by the data."""
    sha = hashlib.sha256(key)
    sha.update(data)
    return sha.digest()


def _open_or_create() -> PrivateFolder:
    """Return the folder of this engine's kernels. If it is new, delete those of old engines."""
    with contextlib.suppress(FileNotFoundError):
        return PrivateFolder.open(_NUMBA, digest())
    private = PrivateFolder.open(_NUMBA, digest(), create=True)
    with contextlib.suppress(OSError):
        prune_engines(_NUMBA)
    return private


_marked: set[Path] = set()
"""Folders that this process has marked as used."""


def _mark_used(private: PrivateFolder) -> None:
    """Set the folder's time to now, once per process: `prune_engines` deletes those used least recently."""
    if private.path not in _marked:
        _marked.add(private.path)
        private.mark_used()


def compiled_entry(function: Any = None, *, nogil: bool = False) -> Any:
    """Compile a function that Python calls, an entry point of the kernel, and cache the machine code on disk.

    Functions that entry points call are `@compiled` or `@njit`. Globals are frozen into the code, and only engine/ is
    part of the key: pass every value from elsewhere as an argument. A function outside engine/ is compiled without
    the cache.

    Parameters
    ----------
    nogil
        Whether the function releases the global interpreter lock.
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
    """Compile a function that compiled functions call.

    Numba compiles a callee anew for every literal argument: 28 times a function that logs 26 kinds of event. Here a
    literal counts as its type, and the wrappers for calls from Python or C are left out. Both together halve the time
    of the engine's first compile. Integer and enum arguments arrive as int64.

    Parameters
    ----------
    from_python
        Whether Python calls the function as well, for example in tests.
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
    """Return the type that an argument is passed as: literals as their type, short integers and enum members as int64.

    An argument typed as an enum member would compile a second signature (docs/platform.md section 2.3).
    """
    plain = numba.types.unliteral(kind)
    if isinstance(plain, numba.types.IntEnumMember):
        return numba.types.int64
    if isinstance(plain, numba.types.Integer) and plain.bitwidth < 64:
        return numba.types.int64
    return plain


_callees: set[str] = set()
"""Functions that only compiled functions call, and that get no machine code of their own: module and name as Numba
mangles them, with which the symbol begins.
"""


def _is_callee(library: Any) -> bool:
    """Whether a code library of Numba belongs to a function in `_callees`."""
    return any(
        function.name.startswith("_ZN") and function.name.split("B", 1)[0] in _callees
        for function in library.get_defined_functions()
    )


def _finalize(self: Any) -> None:
    """Finalise a code library: the replacement of Numba's `CPUCodeLibrary.finalize`.

    Numba links everything that a function reaches into it and optimises the whole, for each function. In a deep
    kernel the same code is then optimised dozens of times, which takes 100 s instead of 25. Here a callee is neither
    linked nor optimised on its own. Its code goes into the entry points that reach it, and these are optimised once.
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
            """Make the callees private to this entry point, and optimise it.

            LLVM may then inline them, and drop the unused ones. Their names become unique as well: the loader finds
            functions of all modules by name, and LLVM may have specialised a callee for its callers in this module.
            """
            for function in list(self._final_module.functions):
                if not function.is_declaration and function.name not in own:
                    function.name = f"{function.name}.{self._final_module.name}"
                    function.linkage = "internal"
            optimise()

        self._optimize_final_module = optimise_as_one
    _numba_finalize(self)


def _set_env(self: Any, name: str, env: Any) -> None:
    """Call Numba's `set_env`, but only for functions that have machine code."""
    if self._engine.is_symbol_defined(name):
        _numba_set_env(self, name, env)


# The name of a record type lists all its fields. Ours have hundreds, and Numba asks for the name 20,000 times: computed
# each time, it takes 8 % of a cold compile.
numba.types.Record.__repr__ = functools.cache(numba.types.Record.__repr__)


def _optimize_functions(self: Any, module: Any) -> None:
    """Run the function passes on the functions of a module that have a body.

    Numba sets up a pass manager for each declaration as well, of which a module has ten times as many as functions: a
    twelfth of the whole compile.
    """
    module.data_layout = self._codegen._data_layout
    for function in module.functions:
        if not function.is_declaration:
            passes, builder = self._codegen._function_pass_manager()
            with self._recorded_timings.record(f"Function passes on {function.name!r}", builder):
                passes.run(function, builder)


def _equal_flags(self: Any, other: Any) -> Any:
    """Compare the options that were set, and all options only if these differ.

    Numba compares flags at each call that it compiles.
    """
    return True if self._values == other._values else _numba_equal_flags(self, other)


def _hash_flags(self: Any) -> int:
    """Return Numba's hash of flags, which depends on the names of the options alone, without reading their values."""
    return _FLAGS_HASH


_FLAGS_HASH = hash(compiler.Flags())
_numba_equal_flags = compiler.Flags.__eq__
compiler.Flags.__eq__ = _equal_flags
compiler.Flags.__hash__ = _hash_flags
_numba_finalize = codegen.CPUCodeLibrary.finalize
_numba_set_env = codegen.JITCPUCodegen.set_env
codegen.CPUCodeLibrary.finalize = _finalize
codegen.CPUCodeLibrary._optimize_functions = _optimize_functions
codegen.JITCPUCodegen.set_env = _set_env


def _releasing(compile_function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the compile function, changed to release the lock when it fails: `save_overload` is not reached then."""

    @functools.wraps(compile_function)
    def compile_or_release(*args: Any, **kwargs: Any) -> Any:
        try:
            return compile_function(*args, **kwargs)
        except BaseException:
            _lock.release()
            raise

    return compile_or_release

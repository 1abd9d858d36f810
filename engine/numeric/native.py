"""Entry points of the engine as machine code, and their cache on disk: a machine compiles the same engine once.

An entry point has a C signature of integers and addresses, so its machine code refers to nothing of Numba. The first
process compiles it with Numba and stores the object file; all others load that with llvmlite. A process that only runs
code therefore needs no compiler, which takes 45 MB of memory and 0.3 s to import (docs/platform.md section 2).

The key of the cache is the content of all of engine/, the versions of the software that compiles it, the processor,
and the compiler's options. If anything goes wrong with the cache, entry points are compiled in memory.
"""

import contextlib
import ctypes
import fcntl
import functools
import hashlib
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import identity
from engine.private_folder import PrivateFolder, UnsafeFolderError, prune_engines

if TYPE_CHECKING:
    from numpy import dtype

    Argument = type[int] | str | dtype[Any] | tuple[str | dtype[Any], int]
    """What an entry point takes: an integer; an array of this dtype; or one of this dtype and number of dimensions."""
else:
    Argument = Any

_NATIVE = "native"
"""The folder of object files in the cache folder, with a folder for each engine."""

_DIGEST_BYTES = hashlib.sha256().digest_size
MOST_BYTES = 1 << 24
"""Largest object file that is read, with its checksum; the largest of this engine has 0.4 MB."""

_LOCK_WAIT_SECONDS = 60.0
"""Longest wait for the lock. A process that dies frees it; one that was stopped, with Ctrl-Z for example, does not."""

_CPU_INFO = Path("/proc/cpuinfo")

_CPU_FIELDS = frozenset(
    (
        *("vendor_id", "cpu family", "model", "model name", "stepping", "flags"),
        *("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features"),
        *("cpu", "machine", "isa", "mmu", "uarch"),
    )
)
"""What LLVM names the processor by, on x86, on ARM and on others. The clock rate, for example, changes all the time."""

_ENGINE_VERSION = identity.engine_version()
"""The engine's sources as they are when it is loaded. Later the files may be those of another version."""

FAILED = -(1 << 63)
"""What machine code returns that has failed."""


class NativeFunction:
    """An entry point: a compiled function that Python calls.

    It is loaded from the cache on its first call, or compiled if it is not there. It does not hold the global
    interpreter lock while it runs.

    Parameters
    ----------
    module, name
        The Python function.
    arguments
        What it takes. Arrays must be C-contiguous and of just this dtype.
    place
        Module and name of this object, if they are not those of the Python function.
    """

    def __init__(
        self, module: str, name: str, arguments: tuple[Argument, ...], place: tuple[str, str] | None = None
    ) -> None:
        self.module = module
        self.name = name
        self.arguments = arguments
        self.place = place or (module, name)
        self._call: Any = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<entry point {self.module}.{self.name}>"

    @property
    def symbol(self) -> str:
        """Its symbol in the object file."""
        return f"goldenhour.{self.module}.{self.name}"

    @property
    def file(self) -> str:
        """Its file in the cache."""
        return f"{self.module}.{self.name}.o"

    @property
    def words(self) -> int:
        """Number of its arguments in C: of an array, the address and the shape."""
        return sum(
            1 if argument is int else 1 + dtype_and_dimensions(argument)[1] for argument in self.arguments
        )

    def __call__(self, *values: Any) -> int:
        """Call the machine code.

        Raises
        ------
        TypeError
            A value does not fit.
        RuntimeError
            The code has failed: an index of a tuple is out of range, for example.
        """
        if self._call is None:
            self.load()
        words: list[int] = []
        for argument, value in zip(self.arguments, values, strict=True):
            if argument is int:
                words.append(value)
                continue
            kind, dimensions = dtype_and_dimensions(argument)
            if value.dtype != kind or value.ndim != dimensions or not value.flags.carray:
                raise TypeError(
                    f"{self!r}: got an array {value.shape} of {value.dtype}, flags {value.flags}; "
                    f"allowed: a writable C-contiguous array of {kind} with {dimensions} dimensions"
                )
            words.append(value.ctypes.data)
            words += value.shape
        result: int = self._call(*words)
        if result == FAILED:
            raise RuntimeError(f"internal error in {self!r}")
        return result

    def is_cached(self) -> bool:
        """Whether it is loaded, or its machine code lies in the cache."""
        return self._call is not None or _read(self.file) is not None

    def load(self) -> None:
        """Load it from the cache, or compile it."""
        with self._lock:
            if self._call is None:
                self._load(compile_to_cache(self))

    def provide(self, code: bytes) -> None:
        """Load it from an object file that another process has compiled."""
        with self._lock:
            if self._call is None:
                self._load(code)

    def _load(self, code: bytes) -> None:
        prototype = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * self.words)
        self._call = prototype(_address(self.symbol, code))


def dtype_and_dimensions(argument: Any) -> tuple[Any, int]:
    """Return the dtype of an argument that is an array, and its number of dimensions."""
    return argument if isinstance(argument, tuple) else (argument, 1)


def compile_to_cache(function: NativeFunction, on_wait: Callable[[bool], None] = lambda waits: None) -> bytes:
    """Return the object file of an entry point from the cache; if there is none, compile it and write it there.

    Other processes that need it wait meanwhile, for a minute at most.

    Parameters
    ----------
    on_wait
        Called with True before a wait for another process, and with False after it.
    """
    code = _read(function.file)
    if code is not None:
        return code
    with _locked(function.file, on_wait):
        code = _read(function.file)  # another process may have been first
        if code is None:
            compiler: Any = import_module("engine.numeric.compiler")
            code = compiler.compile_entry_point(function)
            _write(function.file, code)
        return code


@functools.cache
def digest() -> str:
    """Return 20 hex digits that change with anything that the machine code depends on."""
    surroundings = (
        _ENGINE_VERSION,
        sys.implementation.cache_tag,
        *(metadata.version(name) for name in ("numba", "llvmlite", "numpy")),
        _processor(),
        sorted((name, value) for name, value in os.environ.items() if name.startswith("NUMBA_")),
    )
    return hashlib.sha256(repr(surroundings).encode()).hexdigest()[:20]


@functools.cache
def llvm() -> Any:
    """Return `llvmlite.binding`, ready to make machine code for this processor."""
    binding: Any = import_module("llvmlite.binding")
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding


def _processor() -> object:
    """Return what decides `_target`: on Linux the kernel's description of the processor, which needs no LLVM.

    A process that only sends tasks never loads LLVM, which takes 40 MB.
    """
    try:
        lines = _CPU_INFO.read_text(errors="replace").splitlines()
    except OSError:
        return _target()
    pairs = (line.partition(":") for line in lines)
    found = sorted({(name.strip(), value.strip()) for name, _, value in pairs if name.strip() in _CPU_FIELDS})
    return (sys.platform, platform.machine(), found) if found else _target()


def _target() -> tuple[str, str, str]:
    """Return LLVM's names of the platform, the processor and its features, for which code is compiled.

    As with Numba, NUMBA_CPU_NAME and NUMBA_CPU_FEATURES may say something else than this processor.
    """
    binding = llvm()
    cpu = os.environ.get("NUMBA_CPU_NAME")
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = "" if cpu and cpu.lower() == "generic" else binding.get_host_cpu_features().flatten()
    return binding.get_process_triple(), cpu or binding.get_host_cpu_name(), features


def target_machine() -> Any:
    """Return LLVM's description of the processor for which code is compiled."""
    triple, cpu, features = _target()
    target = llvm().Target.from_triple(triple)
    return target.create_target_machine(
        cpu=cpu, features=features, opt=3, reloc="pic", codemodel="jitdefault", jit=True
    )


_engines: list[Any] = []
"""The loaders of the functions, which own the machine code."""


def _address(symbol: str, content: bytes) -> int:
    """Load an object file. Returns the address of one of its functions."""
    binding = llvm()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), target_machine())
    engine.add_object_file(binding.object_file.ObjectFileRef.from_data(content))
    engine.finalize_object()
    _engines.append(engine)
    address: int = engine.get_function_address(symbol)
    return address


def _read(name: str) -> bytes | None:
    """Return the code in a file of the cache; None if there is none that is intact."""
    try:
        with PrivateFolder.open(_NATIVE, digest()) as folder:
            data = folder.read(name, MOST_BYTES)
            folder.mark_used()
    except (OSError, ValueError):
        return None
    return checked(name, data)


def cache_refusal() -> str | None:
    """Return why the code in the cache is not used: who else could have written it. None if it may be used."""
    try:
        with PrivateFolder.open(_NATIVE, digest()) as folder:
            for name in folder.names():
                if name.endswith(".o"):
                    folder.read(name, MOST_BYTES)
    except UnsafeFolderError as error:
        return f"the cache of compiled code: {error}"
    except (OSError, ValueError):
        pass
    return None


def _write(name: str, code: bytes) -> None:
    """Write code to the cache. Without a cache each process compiles for itself."""
    with contextlib.suppress(OSError, ValueError), _open_or_create() as folder:
        folder.write(name, with_checksum(name, code))


def with_checksum(name: str, code: bytes) -> bytes:
    """Return code after the SHA-256 of its file's name and its content."""
    return hashlib.sha256(name.encode() + b"\0" + code).digest() + code


def checked(name: str, data: bytes) -> bytes | None:
    """Return the code in what `with_checksum` has returned; None if it is damaged or of another name."""
    code = data[_DIGEST_BYTES:]
    return code if data == with_checksum(name, code) else None


def _open_or_create() -> PrivateFolder:
    """Return the folder of this engine's code. If it is new, delete those of old engines."""
    with contextlib.suppress(FileNotFoundError):
        return PrivateFolder.open(_NATIVE, digest())
    folder = PrivateFolder.open(_NATIVE, digest(), create=True)
    with contextlib.suppress(OSError):
        prune_engines(_NATIVE)
    return folder


@contextlib.contextmanager
def _locked(name: str, on_wait: Callable[[bool], None]) -> Iterator[None]:
    """Hold the lock of an entry point while it is compiled. The lock of a process that dies is free.

    Continues without it after `_LOCK_WAIT_SECONDS`, or where the file cannot be locked.
    """
    descriptor = None
    with contextlib.suppress(OSError, ValueError), _open_or_create() as folder:
        descriptor = folder.open_lock(f"{name}.lock")
    try:
        if descriptor is not None and not _lock(descriptor):
            on_wait(True)
            give_up = time.monotonic() + _LOCK_WAIT_SECONDS
            while not _lock(descriptor) and time.monotonic() < give_up:
                time.sleep(0.05)
            on_wait(False)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock a file. Returns False if another process holds the lock; True also where files cannot be locked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True

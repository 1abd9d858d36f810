"""Compiled functions that run without the compiler: machine code from the cache, called as C functions.

Numba takes 45 MB of memory and 0.3 s to import. A process that only writes records needs neither. A function here takes
integers and returns nothing, so that its machine code refers to nothing of Numba. The first process compiles it with
Numba and stores the object file; all others load that with llvmlite (docs/platform.md section 2.5).
"""

import contextlib
import ctypes
import functools
import hashlib
from collections.abc import Callable
from importlib import import_module, metadata
from typing import Any

from engine import identity
from engine.private_folder import PrivateFolder, prune_engines

_NATIVE = "native"
"""The folder of object files in the cache folder, with a folder for each engine."""

_DIGEST_BYTES = hashlib.sha256().digest_size
_MOST_BYTES = 1 << 22
"""Largest object file that is read: far more than any has."""

NativeFunction = Callable[..., None]


@functools.cache
def native_function(module: str, name: str, arguments: int) -> NativeFunction:
    """Return a function of the engine as machine code.

    Parameters
    ----------
    module, name
        The Python function. It must not be able to raise an error, and may call `compiled` functions only.
    arguments
        Number of its arguments, all of them integers: numbers and addresses.
    """
    file = f"{module}.{name}.o"
    code = _read(file)
    if code is None:
        code = _compile(module, name, arguments)
        _write(file, code)
    symbol, _, content = code.partition(b"\0")
    prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * arguments)
    return prototype(_address(symbol.decode(), content))


@functools.cache
def _digest() -> str:
    """Return 20 hex digits that change with anything that the machine code depends on."""
    binding = _binding()
    surroundings = (
        identity.engine_version(),
        metadata.version("numba"),
        metadata.version("llvmlite"),
        binding.get_host_cpu_name(),
        binding.get_host_cpu_features().flatten(),
    )
    return hashlib.sha256(repr(surroundings).encode()).hexdigest()[:20]


@functools.cache
def _binding() -> Any:
    """Return `llvmlite.binding`, ready to make machine code for this processor."""
    binding: Any = import_module("llvmlite.binding")
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding


def _compile(module: str, name: str, arguments: int) -> bytes:
    """Compile a function. Returns the name of its symbol, a zero byte, and the object file."""
    import numba

    binding = _binding()
    function = getattr(import_module(module), name)
    signature = numba.types.void(*[numba.types.int64] * arguments)
    callback = numba.cfunc(signature, error_model="numpy")(function)
    unit = binding.parse_assembly(callback.inspect_llvm())
    machine = _target(binding)
    return b"\0".join((callback.native_name.encode(), machine.emit_object(unit)))


def _target(binding: Any) -> Any:
    target = binding.Target.from_triple(binding.get_process_triple())
    return target.create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="jitdefault",
        jit=True,
    )


_engines: list[Any] = []
"""The loaders of the functions, which own the machine code."""


def _address(symbol: str, content: bytes) -> int:
    """Load an object file. Returns the address of one of its functions."""
    binding = _binding()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _target(binding))
    engine.add_object_file(binding.object_file.ObjectFileRef.from_data(content))
    engine.finalize_object()
    _engines.append(engine)
    address: int = engine.get_function_address(symbol)
    return address


def _read(name: str) -> bytes | None:
    """Return the code in a file of the cache; None if there is none that is intact."""
    try:
        with PrivateFolder.open(_NATIVE, _digest()) as folder:
            data = folder.read(name, _MOST_BYTES)
            folder.mark_used()
    except (OSError, ValueError):
        return None
    code = data[_DIGEST_BYTES:]
    return code if hashlib.sha256(code).digest() == data[:_DIGEST_BYTES] else None


def _write(name: str, code: bytes) -> None:
    """Write code to the cache. Without a cache each process compiles for itself."""
    with contextlib.suppress(OSError, ValueError):
        with PrivateFolder.open(_NATIVE, _digest(), create=True) as folder:
            folder.write(name, hashlib.sha256(code).digest() + code)
        prune_engines(_NATIVE)

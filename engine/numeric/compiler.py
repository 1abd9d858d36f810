"""The compiler of entry points: Numba translates them to LLVM code, from which LLVM makes one object file for each.

The module uses private names of Numba: methods of `CPUCodeLibrary` and `JITCPUCodegen`, and its calling convention.
Therefore pyproject.toml pins Numba's minor version.
"""

import contextlib
import functools
import gc
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, codegen, compiler, config
from numba.core import event as numba_event
from numba.core import ir as numba_ir
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import intrinsic
from numba.np import arrayobj

from engine.numeric import jit, native
from engine.numeric.dispatchers import new_dispatcher


def compile_entry_point(function: native.NativeFunction) -> bytes:
    """Return the object file of an entry point.

    One thread at a time compiles, and none that uses Numba for itself: methods of Numba are replaced meanwhile.

    Raises
    ------
    RuntimeError
        If the machine code refers to anything outside but four functions of C. It does if it allocates an array, or
        calls another function of the mathematical library: these differ between machines.
    """
    python: Any = getattr(import_module(function.module), function.name)
    python = getattr(python, "__wrapped__", python)
    signature = (numba.types.int64,) * function.words
    # Numba makes this context on first use, with a lock of its own around the compiler's. A thread that held the
    # compiler's first would wait for one that holds the other and waits for it.
    _ = cpu_target.target_context
    with global_compiler_lock, _no_garbage_collection(), jit.parts_of_entry_point(), _patched_numba():
        dispatcher = new_dispatcher(_function_of_words(function, python), part=True)
        dispatcher.compile(signature)
        return _object_file(dispatcher.overloads[signature], function)


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Collect no garbage: the compiler's objects live until it ends. Looking through them takes a tenth of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _function_of_words(function: native.NativeFunction, python: Callable[..., Any]) -> Callable[..., int]:
    """Return a Python function of integers that makes arrays of addresses and shapes and calls the entry point."""
    names: dict[str, Any] = {"function": jit.compiled(python), "as_array": _as_array, "int64": np.int64}
    words, values = [], []
    for number, argument in enumerate(function.arguments):
        words.append(f"a{number}")
        if argument is int:
            values.append(f"a{number}")
            continue
        kind, dimensions = native.dtype_and_dimensions(argument)
        names[f"dtype{number}"] = np.dtype(kind)
        lengths = [f"a{number}_{axis}" for axis in range(dimensions)]
        words += lengths
        values.append(f"as_array(a{number}, ({', '.join(lengths)},), dtype{number})")
    call = f"function({', '.join(values)})"
    returns_none = python.__annotations__.get("return", None) is None
    body = f"{call}\n    return 0" if returns_none else f"return int64({call})"
    exec(f"def entry({', '.join(words)}):\n    {body}\n", names)
    entry: Callable[..., int] = names["entry"]
    return entry


@intrinsic
def _as_array(context: Any, address: Any, shape: Any, dtype: Any) -> Any:
    """The C-contiguous array of this dtype and shape at an address. Nobody counts references to it."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.return_type
        array = arrayobj.make_array(kind)(target, builder)
        item = target.get_constant(numba.types.intp, target.get_abi_sizeof(target.get_data_type(kind.dtype)))
        strides = [item]
        for length in cgutils.unpack_tuple(builder, arguments[1])[:0:-1]:
            strides.insert(0, builder.mul(strides[0], length))
        arrayobj.populate_array(
            array,
            data=builder.inttoptr(arguments[0], array.data.type),
            shape=arguments[1],
            strides=strides,
            itemsize=item,
            meminfo=None,
        )
        return array._getvalue()

    return numba.types.Array(dtype.dtype, len(shape), "C")(address, shape, dtype), generate


def _object_file(compiled: Any, function: native.NativeFunction) -> bytes:
    """Link all that an entry point reaches, optimise it as one, and return the object file.

    Numba would link and optimise every function on its own, with everything that it calls. In a deep kernel the same
    code is then optimised dozens of times.
    """
    module = compiled.library._final_module
    for part in _reached(compiled.library):
        module.link_in(part._get_module_for_linking(), preserve=True)
    module.link_in(_c_function(compiled.fndesc, function))
    for each in list(module.functions):
        if not each.is_declaration and each.name != function.symbol:
            each.linkage = "internal"
    binding = native.llvm()
    machine = native.target_machine()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    options.slp_vectorization = False
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    foreign = foreign_names(module)
    if foreign:
        raise RuntimeError(
            f"{function!r} refers to {', '.join(foreign)}: it allocates arrays or calls the mathematical library"
        )
    code: bytes = machine.emit_object(module)
    return code


def _c_function(description: Any, function: native.NativeFunction) -> Any:
    """Return LLVM code of a C function that calls an entry point. It returns FAILED if that raises an error."""
    context = cpu_target.target_context
    word = ir.IntType(64)
    module = context.codegen()._create_empty_module("c")
    inner = context.call_conv.get_function_type(description.restype, description.argtypes)
    callee = ir.Function(module, inner, description.llvm_func_name)
    outer = ir.Function(module, ir.FunctionType(word, [word] * function.words), function.symbol)
    builder = ir.IRBuilder(outer.append_basic_block())
    status, result = context.call_conv.call_function(
        builder, callee, description.restype, description.argtypes, outer.args
    )
    builder.ret(builder.select(status.is_error, ir.Constant(word, native.FAILED), result))
    return native.llvm().parse_assembly(cgutils.normalize_ir_text(str(module)))


def _reached(library: Any) -> list[Any]:
    """Return the libraries of all functions that a function reaches."""
    reached: list[Any] = []
    seen = {id(library)}
    pending = list(library._linking_libraries)
    while pending:
        part = pending.pop(0)
        if id(part) not in seen:
            seen.add(id(part))
            reached.append(part)
            pending += part._linking_libraries
    return reached


def foreign_names(module: Any) -> list[str]:
    """Return the functions and variables outside a module that its machine code may not refer to."""
    declared = [each.name for each in (*module.functions, *module.global_variables) if each.is_declaration]
    return [name for name in declared if not _is_allowed(name)]


def _is_allowed(name: str) -> bool:
    """Whether a function is LLVM's own or one of C, and has the same result on every machine."""
    kind, _, rest = name.partition(".")
    return name in _OF_C or (kind == "llvm" and rest.partition(".")[0] not in _OF_LIBM)


def _finalize(self: Any) -> None:
    """Mark a code library as complete: the replacement of Numba's `finalize`. `_object_file` links and optimises."""
    self._raise_if_finalized()
    self._finalized = True


def _set_env(self: Any, name: str, env: Any) -> None:
    """Do nothing: a part of an entry point has no machine code, and so no environment."""


def _add_llvm_module(self: Any, module: Any) -> None:
    """Add code to a library without optimising it yet."""
    module.data_layout = self._codegen._data_layout
    self._final_module.link_in(module)


def _equal_flags(self: Any, other: Any) -> Any:
    """Compare the options that were set, and all options only if these differ.

    Numba compares flags at each call that it compiles.
    """
    return True if self._values == other._values else _numba_equal_flags(self, other)


def _hash_flags(self: Any) -> int:
    """Return Numba's hash of flags, which depends on the names of the options alone, without reading their values."""
    return _FLAGS_HASH


def _list_variables(self: Any, value: Any) -> list[Any]:
    """Return the variables in a value of Numba's intermediate code.

    Numba asks what each value is by five tests, two million times. Here each type is tested once.
    """
    kind = type(value)
    found = _KINDS.get(kind)
    if found is None:
        found = _KINDS[kind] = (
            "variable"
            if issubclass(kind, numba_ir.Var)
            else "instruction"
            if issubclass(kind, numba_ir.Inst)
            else "sequence"
            if issubclass(kind, list | tuple)
            else "mapping"
            if issubclass(kind, dict)
            else "other"
        )
    if found == "other":
        return []
    if found == "variable":
        return [value]
    if found == "instruction":
        variables: list[Any] = value.list_vars()
        return variables
    variables = []
    for each in value.values() if found == "mapping" else value:
        if _KINDS.get(type(each)) != "other":
            variables += _list_variables(self, each)
    return variables


_OF_C = frozenset({"memcpy", "memmove", "memset", "sqrt"})
"""Functions of C that machine code may call. IEEE 754 prescribes every bit of a square root."""

_OF_LIBM = frozenset(
    {
        "acos", "asin", "atan", "atan2", "cos", "cosh", "exp", "exp10", "exp2", "fma", "fmuladd",
        "log", "log10", "log2", "pow", "powi", "sin", "sincos", "sinh", "tan", "tanh",
    }
)  # fmt: skip
"""Functions that LLVM knows by these names, but calls in the mathematical library, or rounds as the processor can."""

_KINDS: dict[type, str] = {}
"""What values of a type are for `_list_variables`."""


def _broadcast(event: Any) -> None:
    """Tell nobody of an event: Numba reports each pass and each call of LLVM to its timers."""


_FLAGS_HASH = hash(compiler.Flags())
_numba_equal_flags = compiler.Flags.__eq__
_record_name = functools.cache(numba.types.Record.__repr__)
"""The name of a record type lists all its fields. Ours have hundreds, and Numba asks for the name 20,000 times."""

_PATCHES = (
    (codegen.CPUCodeLibrary, "finalize", _finalize),
    (codegen.CPUCodeLibrary, "add_llvm_module", _add_llvm_module),
    (codegen.JITCPUCodegen, "set_env", _set_env),
    (compiler.Flags, "__eq__", _equal_flags),
    (compiler.Flags, "__hash__", _hash_flags),
    (numba.types.Record, "__repr__", _record_name),
    (numba_ir.Inst, "_rec_list_vars", _list_variables),
    (numba_event, "broadcast", _broadcast),
    (config, "DISABLE_JIT", 0),  # the variable NUMBA_DISABLE_JIT is for what a user compiles
)


@contextlib.contextmanager
def _patched_numba() -> Iterator[None]:
    """Replace methods of Numba while an entry point is compiled. The caller holds `global_compiler_lock`."""
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in _PATCHES]
    for owner, name, method in _PATCHES:
        setattr(owner, name, method)
    try:
        yield
    finally:
        for owner, name, method in before:
            setattr(owner, name, method)

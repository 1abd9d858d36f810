"""Functions as Numba knows them."""

import sys
from collections.abc import Callable
from typing import Any

# Numba looks for SciPy's linear algebra, which the engine does not use. Where SciPy is installed this saves 0.5 s.
sys.modules.setdefault("scipy", None)  # type: ignore[arg-type]

import numba  # noqa: E402
from numba.core import compiler, compiler_machinery, typed_passes, untyped_passes  # noqa: E402

if sys.modules.get("scipy", numba) is None:
    del sys.modules["scipy"]


class _PartCompiler(compiler.CompilerBase):  # type: ignore[misc]
    """Numba's compiler without the passes for what parts of entry points do not use.

    These are closures, comprehensions, `with`, arrays in expressions, and branches on the type of an argument.
    """

    def define_pipelines(self) -> list[Any]:
        """Return the passes."""
        passes = compiler_machinery.PassManager("parts of entry points")
        for each in (
            untyped_passes.TranslateByteCode,
            untyped_passes.FixupArgs,
            untyped_passes.IRProcessing,
            untyped_passes.GenericRewrites,
            untyped_passes.ReconstructSSA,
            typed_passes.NopythonTypeInference,
            typed_passes.PreLowerStripPhis,
            typed_passes.IRLegalization,
            typed_passes.AnnotateTypes,
            typed_passes.NativeLowering,
            typed_passes.NoPythonBackend,
        ):
            passes.add_pass(each, each.__name__)
        passes.finalize()
        return [passes]


_OPTIONS: dict[str, Any] = {"error_model": "numpy", "_nrt": False}
"""Division by zero raises nothing; and no arrays are allocated, so none needs a reference count."""


_PART_OPTIONS = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "pipeline_class": _PartCompiler}
"""Parts of entry points have no wrappers for calls from Python or C."""


def new_dispatcher(function: Callable[..., Any], part: bool) -> Any:
    """Return a function as Numba knows it.

    Numba compiles a callee anew for every literal argument: 28 times a function that logs 26 kinds of event. Here a
    literal counts as its type. Integer and enum arguments arrive as int64.

    Parameters
    ----------
    part
        Whether it is a part of an entry point.
    """
    options = _OPTIONS | (_PART_OPTIONS if part else {})
    dispatcher = numba.njit(function, **options)
    if not hasattr(
        dispatcher, "get_call_template"
    ):  # NUMBA_DISABLE_JIT; parts of entry points are compiled nevertheless
        return dispatcher
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

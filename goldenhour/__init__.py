"""goldenhour: synthetic military patients, from the point of injury to the end of their care.

In Python: `result = goldenhour.simulate("standard", seed=1)`. On the command line: `goldenhour --help`.
"""

from typing import TYPE_CHECKING

from engine.lazy import lazy_attributes

if TYPE_CHECKING:
    from goldenhour.comparison import Comparison, Replicated
    from goldenhour.experiment_driver import experiment, open_experiment
    from goldenhour.experiment_result import Experiment
    from goldenhour.experiments import compare, replicate
    from goldenhour.optimisation import optimise
    from goldenhour.optimisation_result import Optimisation
    from goldenhour.result import Result, simulate
    from goldenhour.sensitivity_analysis import sensitivity
    from goldenhour.sensitivity_result import Sensitivity

__version__ = "0.2.0"
__all__ = [
    "Comparison",
    "Experiment",
    "Optimisation",
    "Replicated",
    "Result",
    "Sensitivity",
    "__version__",
    "compare",
    "experiment",
    "open_experiment",
    "optimise",
    "replicate",
    "sensitivity",
    "simulate",
]

# Imported on first access: the command line needs neither NumPy nor Numba.
__getattr__ = lazy_attributes(
    __name__,
    {
        "comparison": ("Comparison", "Replicated"),
        "experiment_driver": ("experiment", "open_experiment"),
        "experiment_result": ("Experiment",),
        "experiments": ("compare", "replicate"),
        "optimisation": ("optimise",),
        "optimisation_result": ("Optimisation",),
        "result": ("Result", "simulate"),
        "sensitivity_analysis": ("sensitivity",),
        "sensitivity_result": ("Sensitivity",),
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)

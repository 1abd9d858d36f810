"""The same scenario, seed and replication give the same bytes: for any chunk size, on any processor, in any order.

GOLDEN has the digests of 2,000 patients of four built-in scenarios, GOLDEN_FINITE those of one with finite care. A
change of the model, a table or the order of draws changes them on purpose. Then run `python
tests/test_determinism.py` from the root of the repository, replace them by the lines that it prints, and explain the
change in the commit. If another change fails here, it has changed records by mistake.
"""

import ast
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scenarios
from engine import scenario as scenario_api
from engine.numeric import compile_to_cache
from engine.run import Simulation, entry_points
from engine.tables import ENDS, PARQUET_PART, TABLES, OutputPool

ROOT = Path(__file__).resolve().parent.parent
PATIENTS = 2000
SEED = 1
GOLDEN = {
    "standard": "836b1f816120b61b6e482acf25be78136db66f095b252892cbae58bd52d2b52b",
    "conventional": "b3d08e2011886f13655e7a2167085d08a32f68606f5fce9d058457101655c6a2",
    "cbrn": "082682b0fa0e17d94a753d1fa6c8838d5ca6725dc084ae36bb00f9de8a799d7a",
    "coin": "76a4869abb24be2b3d4f8a9f03318476bc28e187c6cc5b0b1307bdd9368a7180",
}
GOLDEN_FINITE = {
    "division": "7b9274978f5d8e2f3e228ba001da57f745779adb028be7af8e1feaf33a3c0baf",
}
"""The same of a scenario with finite care, whose choices of destination, queues and surge the others do not have."""
OTHER_MACHINE = {"NUMBA_CPU_NAME": "generic", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "4"}
"""Environment of a process that compiles for a generic processor and hashes strings with another seed."""


@cache
def resolved(name: str, total: int = PATIENTS) -> scenario_api.Scenario:
    return scenario_api.resolve(
        scenario_api.with_overrides(
            scenario_api.parse(scenarios.builtin_bytes(name), "toml", name), total=total
        )
    )


def tables_of(
    name: str, chunk_size: int = 2048, seed: int = SEED, replication: int = 0, total: int = PATIENTS
) -> dict[str, Any]:
    """Each table of a run as one array; `patient` counts from the run's first, `*_end` columns are left out."""
    parts: dict[str, list[Any]] = {table: [] for table in TABLES}
    for chunk in Simulation(resolved(name, total), seed, replication, chunk_size):
        for table, found in parts.items():
            rows = getattr(chunk, table).copy()
            if table != "patients":
                rows["patient"] += chunk.first
            found.append(rows)
    joined = {table: np.concatenate(found) for table, found in parts.items()}
    patients = joined["patients"]
    joined["patients"] = patients[[x for x in patients.dtype.names if x not in ENDS.values()]]
    return joined


def digest(tables: dict[str, Any]) -> str:
    """SHA-256 over the columns of all tables, one after another and little-endian; padding is not included."""
    sha = hashlib.sha256()
    for name, rows in tables.items():
        for column in rows.dtype.names:
            values = np.ascontiguousarray(rows[column])
            sha.update(f"{name}.{column} {values.dtype.str} {len(values)}\n".encode())
            sha.update(values.tobytes())
    return sha.hexdigest()


def processor_features() -> list[str]:
    """The processor features that NumPy can be told not to use: those that it dispatches to beyond its baseline."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    return [name for name in __cpu_dispatch__ if __cpu_features__.get(name)]


def machine_code() -> dict[str, str]:
    """SHA-256 of the machine code of each entry point that the scenarios of GOLDEN need."""
    return {
        function.name: hashlib.sha256(compile_to_cache(function)).hexdigest()
        for name in GOLDEN
        for each in entry_points(resolved(name), texts=False)
        for function in each.functions
    }


@pytest.fixture(scope="module", autouse=True)
def other_machine() -> Iterator[subprocess.Popen[str]]:
    """A process that prints the digests under OTHER_MACHINE. It starts early, because it may have to compile."""
    environment = os.environ | OTHER_MACHINE | {"NPY_DISABLE_CPU_FEATURES": " ".join(processor_features())}
    code = (
        "import json\n"
        "import sys; sys.path.insert(0, 'tests')\n"
        "import test_determinism as t\n"
        "digests = {n: t.digest(t.tables_of(n)) for n in t.GOLDEN}\n"
        "print(json.dumps([t.processor_features(), digests, t.machine_code()]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


# --- in one process


@pytest.mark.parametrize("name", ["standard", "conventional", "cbrn", "coin"])
def test_the_size_of_chunks_changes_nothing(name: str) -> None:
    expected = tables_of(name, 2048, total=9000)
    for chunk_size in (512, 4096, 999):
        found = tables_of(name, chunk_size, total=9000)
        for table, rows in expected.items():
            assert len(found[table]) == len(rows)
            for column in rows.dtype.names:
                assert np.array_equal(found[table][column], rows[column]), (chunk_size, table, column)


@pytest.mark.parametrize("chunk_size", [512, 2048])
def test_the_ends_of_a_chunk_count_its_own_rows(chunk_size: int) -> None:
    for chunk in Simulation(resolved("conventional", 3000), SEED, 0, chunk_size):
        for table, end in ENDS.items():
            assert chunk.patients[end][-1] == len(getattr(chunk, table))
            assert (np.diff(chunk.patients[end].astype(np.int64)) >= 0).all()


@pytest.mark.parametrize("name", ["standard", "cbrn", "brigade"])
def test_what_memory_held_before_changes_no_record(name: str) -> None:
    """Chunks that are kept have memory of their own; those that are dropped leave it, with rows, to later ones."""
    scenario = resolved(name, 3000)
    kept = list(Simulation(scenario, SEED, 0, 400))
    simulation = Simulation(scenario, SEED, 0, 400)
    used = [simulation._outputs.take() for _ in range(2)]
    places = {output["rows"].ctypes.data for output in used}
    for output in used:
        for table in TABLES:
            output[table][0, :20_000].view(np.uint8)[:] = 255
    del output, used
    found = 0
    for expected, chunk in zip(kept, simulation, strict=True):
        base = chunk.patients.base
        assert isinstance(base, np.ndarray)
        found += base["rows"].ctypes.data in places
        for table in TABLES:
            for column in TABLES[table].names or ():
                assert np.array_equal(getattr(chunk, table)[column], getattr(expected, table)[column])
    assert found > len(kept) // 2, "memory was not used again"


def test_memory_is_not_used_again_while_an_array_refers_to_it() -> None:
    pool = OutputPool()
    output = pool.take()
    first = output["events"][0, :10]["at"]
    first[:] = 7
    del output
    other = pool.take()
    other["events"][0, :10]["at"] = 8
    assert (first == 7).all()


def test_chunks_never_cross_the_end_of_a_parquet_part() -> None:
    firsts = [(x.first, len(x)) for x in Simulation(resolved("standard", 20_000), SEED, 0, 5000)]
    assert [first for first, _ in firsts] == [0, 5000, 10_000, 15_000, 16_384]
    assert all(first // PARQUET_PART == (first + n - 1) // PARQUET_PART for first, n in firsts)


@pytest.mark.parametrize("name", [*GOLDEN, *GOLDEN_FINITE])
def test_the_records_have_the_golden_digests(name: str) -> None:
    assert digest(tables_of(name)) == (GOLDEN | GOLDEN_FINITE)[name], "see the docstring of this file"


def test_the_same_run_twice_and_interleaved_with_another() -> None:
    one, other = (iter(Simulation(resolved(name), SEED, 0, 256)) for name in ("standard", "cbrn"))
    chunks = []
    for chunk in one:
        chunks.append(chunk)
        next(other, None)
    patients = np.concatenate([chunk.patients for chunk in chunks])
    expected = tables_of("standard")["patients"]
    assert all(np.array_equal(patients[x], expected[x]) for x in expected.dtype.names)


def test_another_seed_or_replication_is_another_run() -> None:
    runs = [tables_of("standard", seed=seed, replication=k) for seed, k in ((1, 0), (2, 0), (1, 1), (2, 1))]
    assert len({digest(run) for run in runs}) == len(runs)
    for a in range(4):
        for b in range(a):
            assert not np.intersect1d(runs[a]["patients"]["id_lo"], runs[b]["patients"]["id_lo"]).size
            assert (runs[a]["patients"]["birth"] != runs[b]["patients"]["birth"]).mean() > 0.99


def test_a_patient_has_the_same_draws_with_fewer_patients() -> None:
    """Casualties of a smaller total are among those of the larger by cell and index, with the same person
    (docs/model.md section 4.4).
    """
    few, many = tables_of("standard", total=500)["patients"], tables_of("standard")["patients"]
    _, i, j = np.intersect1d(few["id_lo"], many["id_lo"], return_indices=True)
    assert len(i) > 100
    for name in ("nation", "rank", "sex", "given_name", "kind", "condition", "niss"):
        assert np.array_equal(few[name][i], many[name][j]), name


# --- what could differ between processors


FORBIDDEN = {
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "power",
    "float_power",
    "pow",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "arctan",
    "erf",
    "erfc",
    "gamma",
    "lgamma",
    "cbrt",
    "hypot",
    "random",
    "default_rng",
}
LIBRARIES = {"np", "numpy", "math", "cmath", "statistics", "random", "scipy"}
ALLOWED = {
    ("scenario/structs/distributions.py", "math.exp"),
    ("scenario/distances.py", "math.asin"),
    ("scenario/distances.py", "math.cos"),
    ("scenario/distances.py", "math.sin"),
}
"""The mean of a lognormal distribution, which orders links by travel time and is checked against limits; distances
between coordinates, which are rounded to a metre when the file is read."""

ABOVE_RECORDS = {"experiments", "inference"}
"""Wings that judge finished measures. The import contract of the engine keeps them above all that writes a record."""


def libm_in(source: str) -> set[str]:
    """Elementary functions of libraries, and powers other than those of whole numbers, in a module's source."""
    found = set()
    names: dict[str, str] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module in LIBRARIES:
            found |= {f"{node.module}.{x.name}" for x in node.names if x.name in FORBIDDEN}
        elif isinstance(node, ast.Import):
            names |= {x.asname or x.name: x.name for x in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            library = names.get(node.value.id, node.value.id)
            if library in LIBRARIES and node.attr in FORBIDDEN:
                found.add(f"{library}.{node.attr}")
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Pow):
            parts = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.value,)
            if not all(isinstance(x, ast.Constant) and isinstance(x.value, int) for x in parts):
                found.add("**")
        elif isinstance(node, ast.keyword) and node.arg == "fastmath":
            found.add("fastmath")
    return found


def test_no_function_whose_last_bit_depends_on_the_processor_reaches_a_record() -> None:
    modules = [
        path for path in sorted((ROOT / "engine").rglob("*.py")) if path.parent.name not in ABOVE_RECORDS
    ]
    assert len(modules) > 20
    found = {
        (path.relative_to(ROOT / "engine").as_posix(), use)
        for path in modules
        for use in libm_in(path.read_text("utf-8"))
    }
    assert found <= ALLOWED, found - ALLOWED


def test_the_search_finds_each_kind_of_forbidden_function() -> None:
    assert libm_in("import numpy as n\ny = n.exp(x)") == {"numpy.exp"}
    assert libm_in("from math import log") == {"math.log"}
    assert libm_in("import math\ny = math.pow(x, 2)") == {"math.pow"}
    assert libm_in("y = x ** 0.5") == {"**"}
    assert libm_in("x **= y") == {"**"}
    assert libm_in("@njit(fastmath=True)\ndef f(): pass") == {"fastmath"}
    assert libm_in("import math\ny = math.sqrt(x) + 2**63") == set()


def test_ray_is_never_imported_in_process(tmp_path: Path) -> None:
    code = (
        "import sys, goldenhour\n"
        "from goldenhour.__main__ import run\n"
        "goldenhour.simulate('standard', patients=20)\n"
        "assert run(['run', 'standard', '--patients', '20', '--workers', '0', '--quiet', '-o', sys.argv[1]]) == 0\n"
        "assert not [x for x in sys.modules if x == 'ray' or x.startswith('ray.')]"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], cwd=ROOT, check=True, timeout=300)


def test_another_processor_makes_the_same_records(other_machine: subprocess.Popen[str]) -> None:
    output, _ = other_machine.communicate(timeout=600)
    assert other_machine.returncode == 0
    features, digests, code = json.loads(output.splitlines()[-1])
    assert features == [], "NumPy uses processor features that it was told not to use"
    assert digests == {name: digest(tables_of(name)) for name in GOLDEN}
    here = machine_code()
    same = [name for name in here if code[name] == here[name]]
    # a short function may come out the same for both
    assert len(same) < len(here) / 4, f"the machine code of {same} is not for another processor"


if __name__ == "__main__":
    for constant, keys in (("GOLDEN", GOLDEN), ("GOLDEN_FINITE", GOLDEN_FINITE)):
        print(f"{constant} = {{")
        for key in keys:
            print(f'    "{key}": "{digest(tables_of(key))}",')
        print("}")

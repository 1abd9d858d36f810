"""Random networks of finite care with other seeds than in the tests: `make bench-finite-fuzz`.

The property tests of finite care, delays, queues and shards draw the same examples every time. This runs each of them
with NUMBER examples of other seeds. A failing example is reduced and printed, ready for tests/finite_scenarios.json.
Exits with 1 after a fault.
"""

import argparse
import importlib
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisException

from bench import results_file

BLOCK = 250
"""Examples drawn with one seed. Hypothesis varies earlier examples within a block, so small blocks differ more."""

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))


def main() -> int:
    """Run the property tests; return the exit code."""
    tests = _property_tests()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=2000, help="examples of each test (default 2,000)")
    parser.add_argument("--seed", type=int, help="seed of the first block (default: random)")
    parser.add_argument("--only", help="only tests whose name contains this")
    given_words = parser.parse_args()
    first = random.SystemRandom().randrange(1 << 30) if given_words.seed is None else given_words.seed
    counts: dict[str, int] = {}
    faults = 0
    print(f"seed {first}", flush=True)
    for name, test in tests.items():
        if given_words.only and given_words.only not in name:
            continue
        begin = time.monotonic()
        counts[name], failed = _run_blocks(test, given_words.number, first)
        faults += failed
        print(
            f"{name}: {counts[name]:,} examples, {failed} faults, {time.monotonic() - begin:.0f} s",
            flush=True,
        )
    results_file.append("finite_fuzz", {"seed": first, "examples": counts, "faults": faults})
    return 1 if faults else 0


def _property_tests() -> dict[str, Any]:
    """Return the property tests by name."""
    return {
        name: test
        for module in map(
            importlib.import_module, ("test_finite", "test_delays", "test_queues", "test_shards")
        )
        for name, test in vars(module).items()
        if hasattr(test, "hypothesis")
    }


def _run_blocks(test: Any, number: int, first: int) -> tuple[int, int]:
    """Run a test with `number` examples; return how many were run, and in how many blocks one failed."""
    run = faults = 0
    for block in range(-(-number // BLOCK)):
        count, failed = _run_block(test, min(BLOCK, number - BLOCK * block), first + block)
        run += count
        faults += failed
    return run, faults


def _run_block(test: Any, number: int, block_seed: int) -> tuple[int, bool]:
    """Run a test with one seed; return how many examples were run, and whether one failed."""
    count = 0
    failing: dict[str, Any] = {}

    def check(**example: Any) -> None:
        nonlocal count, failing
        count += 1
        try:
            test.hypothesis.inner_test(**example)
        except HypothesisException:  # the example is not one that the test is about
            raise
        except Exception:
            failing = example
            raise

    chosen = settings(
        max_examples=number,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    try:
        seed(block_seed)(chosen(given(**test.hypothesis._given_kwargs)(check)))()
    except Exception as error:
        kind = f"{type(error).__name__}: {error}"
        print(f"seed {block_seed}: {kind[:400]}\n {json.dumps(failing)}", flush=True)
        return count, True
    return count, False


if __name__ == "__main__":
    raise SystemExit(main())

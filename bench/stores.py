"""The stores under load: `make bench-stores` prints each figure and exits with 1 if one misses its requirement.

A section that ends with an error is reported as failed, and the others still run. Arguments choose sections:
`python -m bench.stores latency cycles`.
"""

import argparse
import sys
import traceback

from rich.console import Console

from bench import cache_day, figures, store_faults, store_load

SECTIONS: dict[str, figures.Section] = {
    "cycles": ("1,000 stores opened and closed", store_faults.cycles),
    "together": ("ten runs of 10,000 patients in one Ray", store_load.together),
    "processes": ("ten `goldenhour run` processes on one database", store_load.processes),
    "latency": ("calls from another process while two runs generate", store_load.latency),
    "faults": ("PostgreSQL and the store killed in the middle of runs", store_faults.faults),
}

CACHE = "cache"
"""The section of the caches: a day of runs and edits. It prints its own table."""


def main() -> int:
    """Run all sections, or those named by the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join([*SECTIONS, CACHE]))
    known = [*SECTIONS, CACHE]
    names = parser.parse_args().sections or known
    for name in names:
        if name not in known:
            parser.error(f"there is no section {name!r}; there are {', '.join(known)}")
    code = figures.run("stores", [SECTIONS[name] for name in names if name != CACHE])
    if CACHE in names and not _cache_day():
        code = 1
    return code


def _cache_day() -> bool:
    """Carry out the day of the caches; return whether all its figures meet their requirement."""
    try:
        return cache_day.section(Console(width=None if sys.stdout.isatty() else 110))
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        print(f"FAILED: the section {CACHE} ended with an error: {type(error).__name__}: {error}", flush=True)
        return False


if __name__ == "__main__":
    raise SystemExit(main())

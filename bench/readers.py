"""Records for readers: a stratified sample of all built-in scenarios as plain text, with a surgeon's checklist.

The strata are scenario, stream, true triage and outcome. Each scenario gives the same number of records; within a
scenario the strata take turns, so that rare ones are read as well. `weights.csv` has the share of each stratum, with
which a share of the sample is reweighted to the case mix.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import scenarios
from bench.clinical.builtins import pool, sized
from bench.clinical.text import record_text
from engine.codes import OUTCOMES, STREAMS, TRIAGE
from engine.records import CodeTables, build_patients
from engine.scenario import Scenario
from engine.tables import Chunk, join_chunks, slice_chunk

POOL = 1_500
"""Records of each scenario of which the sample is drawn: of several replications where its care is finite."""
CHECKLIST = Path(__file__).resolve().parent / "clinical" / "checklist.md"
Stratum = tuple[str, str, str]


def simulated(scenario: Scenario, number: int, seed: int) -> Chunk:
    """Return at least `number` records of a scenario as one chunk, as `pool` has them."""
    return join_chunks([chunk for _, chunk in pool(scenario, number, seed)])


def texts(scenario: Scenario, chunk: Chunk, rows: Sequence[int]) -> list[str]:
    """Return the records of these rows of a chunk as text."""
    tables = CodeTables(scenario)
    return [
        record_text(patient)
        for row in rows
        for patient in build_patients(slice_chunk(chunk, row, row + 1), tables)
    ]


def strata(chunk: Chunk) -> list[Stratum]:
    """Return stream, true triage and outcome of each record."""
    p = chunk.patients
    return [
        (STREAMS[stream], TRIAGE[triage], OUTCOMES[status])
        for stream, triage, status in zip(p["stream"], p["triage"], p["status"], strict=True)
    ]


def draw(chunk: Chunk, number: int, seed: int) -> list[int]:
    """Return `number` rows of a chunk: one of each stratum in turn, the strata in random order, until it is reached."""
    generator = np.random.default_rng(seed)
    of_stratum: dict[Stratum, list[int]] = {}
    names = strata(chunk)
    for row in generator.permutation(len(names)).tolist():
        of_stratum.setdefault(names[row], []).append(row)
    chosen: list[int] = []
    while len(chosen) < min(number, len(names)):
        for rows in of_stratum.values():
            if rows and len(chosen) < number:
                chosen.append(rows.pop())
    return chosen


def main() -> int:
    """Write records, checklist and weights into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, default=100)
    parser.add_argument("--scenario", action="append", help="a built-in; repeatable; default: all")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/readers"))
    options = parser.parse_args()
    names = options.scenario or list(scenarios.builtin_names())
    parts = [options.number // len(names) + (k < options.number % len(names)) for k in range(len(names))]
    options.output.mkdir(parents=True, exist_ok=True)
    weights, number = [], 0
    with (options.output / "records.txt").open("w", encoding="utf-8") as file:
        for name, part in zip(names, parts, strict=True):
            if not part:
                continue
            scenario = sized(name, POOL)
            chunk = simulated(scenario, POOL, options.seed)
            rows = draw(chunk, part, options.seed)
            all_strata = strata(chunk)
            for row, text in zip(rows, texts(scenario, chunk, rows), strict=True):
                number += 1
                share = all_strata.count(all_strata[row]) / len(all_strata)
                drawn = [all_strata[each] for each in rows].count(all_strata[row])
                weights.append((number, name, *all_strata[row], row, f"{share / drawn:.5f}"))
                file.write(f"{'=' * 20} record {number} {'=' * 20}\n{text}\n\n")
    with (options.output / "weights.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("record", "scenario", "stream", "triage", "outcome", "row", "weight"))
        writer.writerows(weights)
    (options.output / "checklist.md").write_text(CHECKLIST.read_text("utf-8"), "utf-8")
    print(f"{number} records, checklist.md and weights.csv in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A day of a cluster's cache: 200 runs of 20 scenarios with 10 edits in between; Redis is killed half-way.

Every scenario is stored under its name and warmed up, as the store does it. Each of the 200 steps requests the measures
of a run from the cache and generates its patients from cached values: the tables of the simulator and the texts of the
generators. All results are compared with a computation without cache. In every twentieth step the patients come from a
complete run through the pipeline. An edit changes one setting of a scenario and invalidates the tag of the old version.

`python -m bench.cache_day` prints the figures and exits with 1 if one misses its requirement.
"""

import argparse
import dataclasses
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

import scenarios
from actors import cache
from actors.cluster import session
from actors.run import CHUNK_SIZE, RunRequest, run_scenario
from bench import results_file
from bench.redis_server import Server, binary
from engine import scenario as scenario_api
from engine.arrivals import plan_arrivals
from engine.compile import model as compiled
from engine.precomputed import cache_keys
from engine.records import CodeTables, TextSource, formats
from engine.run import Simulation
from engine.scenario import Scenario

STEPS, SCENARIOS, EDITS = 200, 20, 10
WHOLE_EVERY = 20
PATIENTS = 300
SEED = 11
WAIT_SECONDS = 300.0
LEAST_RATE = {"demographics": 0.95, "medical": 0.95, "configuration": 0.90, "computation": 0.80}
MOST_MB = 100.0

EDITED: tuple[Callable[[Scenario], dict[str, Any]], ...] = (
    lambda s: {"facilities": [replace(f, ward_beds=(f.ward_beds or 40) + 5) for f in s.facilities]},
    lambda s: {"triage_accuracy": 0.77},
    lambda s: {"mascal_threshold": s.mascal_threshold + 3},
    lambda s: {"survival": replace(s.survival, first_aid_minutes=4.0)},
    lambda s: {"environment": sorted({*s.environment, "rain"})},
    lambda s: {"start": "2031-03-01T00:00:00Z"},
    lambda s: {"days": s.days + 1, "day_weights": None},
    lambda s: {"survival": replace(s.survival, severity=(s.survival.severity or 0.0) + 0.1)},
    lambda s: {"retriage_minutes": 45.0},
    lambda s: {"bypass": not s.bypass},
)
"""The edits of the day, in order."""


def stored() -> dict[str, Scenario]:
    """Return the resolved scenarios of the day by the names under which they are stored."""
    found = {}
    for name in scenarios.builtin_names()[:SCENARIOS]:
        s = scenario_api.parse(scenarios.builtin_bytes(name), "toml", name)
        small = scenario_api.with_overrides(s, total=PATIENTS)
        found[f"{name}-small"] = scenario_api.resolve(replace(small, name=f"{name}-small"))
    return found


class Day:
    """The steps of the day and their checks: `lost` lists failed runs, `stale` wrong answers of the cache."""

    def __init__(self, actor: Any, folder: Path, redis: Server | None) -> None:
        self.lost: list[str] = []
        self.stale: list[str] = []
        self.answers = 0
        self.peak_mb = 0.0
        self._actor = actor
        self._folder = folder
        self._redis = redis
        self._scenarios = stored()
        self._process = psutil.Process(self.stats().pid)

    def stats(self) -> cache.CacheStatistics:
        """Return the statistics of the cache actor."""
        import ray

        found: cache.CacheStatistics = ray.get(self._actor.stats.remote(), timeout=WAIT_SECONDS)
        return found

    def warm(self) -> None:
        """Warm up all stored scenarios."""
        import ray

        named = [(name, msgspec.json.encode(s)) for name, s in self._scenarios.items()]
        ready = ray.get(self._actor.warm.remote(named), timeout=WAIT_SECONDS)
        if ready != len(named):
            raise SystemExit(f"only {ready} of {len(named)} scenarios could be warmed up")

    def go(self) -> None:
        """Carry out all steps of the day."""
        draw = random.Random(SEED)
        names = list(self._scenarios)
        edits = iter(EDITED)
        for step in range(STEPS):
            if step % (STEPS // EDITS) == STEPS // EDITS // 2:
                self._edit(draw.choice(names), next(edits))
            if step == STEPS // 2 and self._redis is not None:
                self._redis.kill()
            name = draw.choice(names)
            try:
                self._step(name, whole=step % WHOLE_EVERY == 0)
            except Exception as error:
                self.lost.append(f"step {step}, {name}: {type(error).__name__}: {error}")

    def _edit(self, name: str, change: Callable[[Scenario], dict[str, Any]]) -> None:
        """Store a new version of a scenario and invalidate the old one, as the store does."""
        import ray

        s = self._scenarios[name]
        edited = scenario_api.resolve(replace(s, **change(s)))
        scenario_api.check(edited)
        self._scenarios[name] = edited
        ray.get(self._actor.invalidate.remote([cache.scenario_tag(name)]), timeout=WAIT_SECONDS)

    def _step(self, name: str, whole: bool) -> None:
        s = self._scenarios[name]
        view = cache.SharedCache(self._actor, (cache.scenario_tag(name),))
        asked = cache_keys.key_of_measures(s, s.seed, 0)
        (found,) = view.get([asked], WAIT_SECONDS)
        self._compare(name, "measures", found, cache_keys.build_value(asked.kind, asked.inputs))
        expected = _patients(s, {}, CodeTables(s))
        if whole:
            self._compare(name, "whole run", self._whole(s), expected)
        else:
            cached = view.get_or_build(s, cache_keys.SIMULATION_KINDS)
            model = compiled.compile_scenario(s, s.seed, 0, cached)
            self._compare(name, "model", model.tobytes(), compiled.compile_scenario(s, s.seed, 0).tobytes())
            self._compare(name, "arrivals", repr(plain(cached["arrivals"])), repr(plain(plan_arrivals(s))))
            words = TextSource(view.get_or_build(s, cache_keys.TEXT_KINDS))
            self._compare(name, "patients", _patients(s, cached, CodeTables(s, words)), expected)
        held = sum(figures.bytes for figures in self.stats().namespaces.values())
        self.peak_mb = max(self.peak_mb, (self._process.memory_full_info().pss + held) / 1e6)

    def _compare(self, name: str, what: str, found: Any, expected: Any) -> None:
        self.answers += 1
        if found != expected:
            self.stale.append(f"{name}: {what}")

    def _whole(self, s: Scenario) -> bytes:
        """Return the patients that a run of the pipeline writes."""
        output = self._folder / f"run-{self.answers}"
        request = RunRequest(scenario=s, original=s, seed=s.seed, output=output, workers=1)
        run_scenario(request)
        return b"".join(path.read_bytes() for path in sorted(output.glob("patients-*.jsonl")))


def plain(value: Any) -> Any:
    """Return a plan of arrivals as bytes, numbers and texts that can be compared."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.tolist()  # a list ignores the padding between fields
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    if dataclasses.is_dataclass(value):
        return [plain(getattr(value, field.name)) for field in dataclasses.fields(value)]
    return value


def _patients(s: Scenario, cached: dict[str, Any], code_tables: CodeTables) -> bytes:
    chunks = Simulation(s, s.seed, 0, CHUNK_SIZE, cached)
    return b"".join(
        bytes(frame.data)
        for chunk in chunks
        for frame in formats.encode_chunks([chunk], code_tables, "jsonl", "none")
    )


def section(console: Console) -> bool:
    """Carry out the day and print its figures; return whether all meet their requirement."""
    import ray

    redis = Server() if binary() else None
    before = {name: os.environ.get(name) for name in ("GOLDENHOUR_CACHE", "GOLDENHOUR_REDIS_URL")}
    os.environ["GOLDENHOUR_CACHE"] = "on"
    os.environ.pop("GOLDENHOUR_REDIS_URL", None)
    if redis is not None:
        os.environ["GOLDENHOUR_REDIS_URL"] = redis.url
    begun = time.perf_counter()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="goldenhour-bench-") as folder,
            session.start_session(None, workers=1),
        ):
            actor = cache.start_cache(cache.cache_settings())
            day = Day(actor, Path(folder), redis)
            day.warm()
            day.go()
            stats = day.stats()
            cache.end_cache()
            ray.kill(actor)
    finally:
        if redis is not None:
            redis.stop()
        for variable, value in before.items():
            os.environ.pop(variable, None)
            if value is not None:
                os.environ[variable] = value
    return _show(console, day, stats, redis is not None, time.perf_counter() - begun)


def _show(console: Console, day: Day, stats: cache.CacheStatistics, with_redis: bool, seconds: float) -> bool:
    table = Table(
        title=f"A day of the cache: {STEPS} runs, {SCENARIOS} scenarios, {EDITS} edits", title_justify="left"
    )
    for column in ("figure", "measured", "required", ""):
        table.add_column(column, justify="left" if column == "figure" else "right")
    held: list[bool] = []

    def row(figure: str, measured: str, wanted: str, holds: bool) -> None:
        held.append(holds)
        table.add_row(figure, measured, wanted, "ok" if holds else "FAILED")

    for name, least in LEAST_RATE.items():
        figures = stats.namespaces[name]
        rate = figures.rate or 0.0
        shown = f"{100 * rate:.1f} % of {figures.hits + figures.misses:,}"
        row(f"hits, {name}", shown, f"> {100 * least:.0f} %", rate > least)
    row(
        "cache memory: actor and values",
        f"{day.peak_mb:.0f} MB",
        f"< {MOST_MB:.0f} MB",
        day.peak_mb < MOST_MB,
    )
    row(f"wrong among {day.answers:,} answers", f"{len(day.stale)}", "0", not day.stale)
    redis = "Redis killed half-way" if with_redis else "no Redis here"
    row(f"runs lost, {redis}", f"{len(day.lost)}", "0", not day.lost)
    console.print(table)
    for line in [*day.lost, *day.stale][:10]:
        console.print(line, markup=False)
    console.print(f"{seconds:.0f} s; Redis at the end: {stats.redis}", markup=False)
    rates = {name: stats.namespaces[name].rate for name in LEAST_RATE}
    results_file.append(
        "cache_day", {"rates": rates, "mb": day.peak_mb, "stale": len(day.stale), "lost": len(day.lost)}
    )
    return all(held)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    sys.exit(0 if section(Console(width=None if sys.stdout.isatty() else 110)) else 1)

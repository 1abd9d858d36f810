"""The reference tables, network templates and scenario defaults, each read once from this package's data files.

The functions return the parsed file itself, not a copy: callers must not change it.
"""

import csv
import json
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def table(path: str) -> Any:
    """The parsed JSON file at `path` below `scenarios/data`."""
    return json.loads(files("scenarios").joinpath("data", *path.split("/")).read_bytes())


@cache
def sign_patterns() -> list[dict[str, str]]:
    """What illnesses do to vital signs: rows of beginning of an ICD-10-CM code, pattern, source and tag."""
    text = files("scenarios").joinpath("data", "sign_patterns.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def network_template(name: str) -> Any:
    """The network template `name` of `data/networks`: lists of facilities, links and vehicles."""
    return tomllib.loads(files("scenarios").joinpath("data", "networks", f"{name}.toml").read_text("utf-8"))


def warfare_patterns() -> dict[str, Any]:
    """Warfare types, intensity levels, tempo patterns, special events and environment (warfare_patterns.json)."""
    found: dict[str, Any] = table("reference/warfare_patterns.json")
    return found


def transport_logistics() -> dict[str, Any]:
    """Kinds of transport with speed and capacity, terrain factors (transport_logistics.json)."""
    found: dict[str, Any] = table("reference/transport_logistics.json")
    return found


def transition_matrices() -> dict[str, Any]:
    """Transition probabilities between facilities and evacuation times in minutes (transition_matrices.json)."""
    found: dict[str, Any] = table("reference/transition_matrices.json")
    return found


def simulation_parameters() -> dict[str, Any]:
    """Triage weights, day distribution and defaults of the earlier generator (simulation_parameters.json)."""
    found: dict[str, Any] = table("reference/simulation_parameters.json")
    return found


def fronts_config() -> dict[str, Any]:
    """The default fronts, their nations and facilities (fronts_config.json)."""
    found: dict[str, Any] = table("reference/fronts_config.json")
    return found


def mtf_capacities() -> dict[str, Any]:
    """Capacities of facilities (mtf_capacities.json)."""
    found: dict[str, Any] = table("reference/mtf_capacities.json")
    return found


def overflow_rules() -> dict[str, Any]:
    """Overflow triggers and rules (overflow_rules.json)."""
    found: dict[str, Any] = table("reference/overflow_rules.json")
    return found


def scenario_presets() -> dict[str, Any]:
    """The presets that eight of the built-in scenarios are made from (scenario_presets.json)."""
    found: dict[str, Any] = table("reference/scenario_presets.json")
    return found


def scenario_defaults() -> dict[str, Any]:
    """Default values of scenario settings, each with its source and confidence (scenario_defaults.json)."""
    found: dict[str, Any] = table("scenario_defaults.json")
    return found


def default(name: str) -> Any:
    """The default value `name` of `scenario_defaults`."""
    return scenario_defaults()[name]["value"]


@cache
def nation_codes() -> tuple[str, ...]:
    """Sorted ISO 3166-1 alpha-3 codes that a scenario may name: NATO and the nations of the reference tables."""
    codes = table("nation_codes.json")
    return tuple(sorted([*codes["nato"], *codes["others"]]))


@cache
def transports() -> dict[str, dict[str, Any]]:
    """By kind of transport: its row of transport_logistics.json, with `mode`, "ground" or "air", added."""
    assets = transport_logistics()["transport_assets"]
    return {kind: {**row, "mode": mode} for mode in ("ground", "air") for kind, row in assets[mode].items()}


def terrain_factors() -> dict[str, float]:
    """By terrain: what the time for a distance is multiplied by, from transport_logistics.json."""
    factors: dict[str, float] = transport_logistics()["transport_time_calculation"]["modifiers"]["terrain"]
    return factors


@cache
def model_parameters(name: str) -> dict[str, Any]:
    """The parsed file `name` of `data/model`: constants of the model, each table with source and confidence."""
    return tomllib.loads(files("scenarios").joinpath("data", "model", f"{name}.toml").read_text("utf-8"))

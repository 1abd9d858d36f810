"""Compile a scenario to arrays: the one row of MODEL that the kernel reads.

Constants come from `scenarios/data/model` and `scenarios/data/reference`, where each has its source. A scenario may
replace some of them. Everything that reaches a record is computed with + - * / sqrt and the functions of
`engine.numeric` (docs/model.md section 5.4).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from engine import numeric
from engine.codes import DrawPurpose
from engine.compile.complications import compile_complications
from engine.compile.injuries import compile_injuries
from engine.compile.listed import compile_listed
from engine.compile.listed_deaths import ListedDeaths
from engine.compile.network import compile_care, compile_network, compile_transitions
from engine.compile.people import compile_people
from engine.compile.survival import compile_survival
from engine.compile.tilts import TILT, Shares, apply_tilts, shares_of_type, tilts_of, type_rows
from engine.compile.treatments import compile_treatments
from engine.compile.vital_signs import compile_vital_signs
from engine.scenario import Scenario, has_tilts
from engine.tables import MODEL, Table

TABLE_BUILDERS: dict[str, Callable[[Scenario], Table]] = {
    "people": compile_people,
    "injuries": compile_injuries,
    "survival": compile_survival,
    "network": compile_network,
    "care": compile_care,
    "transitions": compile_transitions,
}
"""By field of MODEL that depends on the scenario: the function that compiles it."""

NOTHING: Mapping[str, Any] = {}
"""No precomputed values."""


class TypeReport(NamedTuple):
    """What the battle casualties of a warfare type are like."""

    shares: Shares
    tilts: dict[str, float]
    """By field of TILT."""


def compile_scenario(
    scenario: Scenario, seed: int, replication: int, precomputed: Mapping[str, Any] = NOTHING
) -> Table:
    """Return all tables of a run of a resolved scenario: one row of MODEL.

    Parameters
    ----------
    precomputed
        Values that are not computed again, by kind of `engine.precomputed.cache_keys`.

    Raises
    ------
    ScenarioError
        If an author's share of triage or of deaths cannot be met.
    """
    model = compile_tables(scenario, precomputed)
    begin_replication(scenario, model, seed, replication)
    return model


def compile_tables(scenario: Scenario, precomputed: Mapping[str, Any] = NOTHING) -> Table:
    """Return the tables that all runs of a resolved scenario share: one row of MODEL, for `begin_replication`.

    Parameters and errors are those of `compile_scenario`.
    """
    model = np.zeros(1, MODEL)
    for name, compile_table in TABLE_BUILDERS.items():
        model[name] = precomputed[name] if name in precomputed else compile_table(scenario)
    model["treatments"] = compile_treatments(scenario)
    model["vital_signs"] = compile_vital_signs(scenario)
    model["complications"] = compile_complications(scenario)
    if has_tilts(scenario):
        apply_tilts(scenario, model, precomputed["tilts"] if "tilts" in precomputed else tilts_of(scenario))
    return model


def begin_replication(scenario: Scenario, model: Table, seed: int, replication: int) -> None:
    """Set in the tables of a resolved scenario what belongs to one run.

    The tables of another run may be given, unless casualties are listed.

    Raises
    ------
    ScenarioError
        If the share that dies of listed casualties, or their ISS, cannot be met.
    """
    model["keys"][0] = [numeric.key(seed, replication, purpose) for purpose in DrawPurpose.labels()]
    if scenario.incidents:
        compile_listed(scenario, model, seed, replication)


def listed_deaths_report(scenario: Scenario, seed: int, replication: int, tilts: Table) -> list[ListedDeaths]:
    """Return who of the listed wounded dies untreated in a run of a resolved scenario, by group of rows.

    Parameters
    ----------
    tilts
        Its tilts.
    """
    model = compile_scenario(replace(scenario, incidents=[]), seed, replication, {"tilts": tilts})
    return compile_listed(scenario, model, seed, replication) if scenario.incidents else []


def battle_triage_report(scenario: Scenario, tilts: Table | None = None) -> dict[str, TypeReport]:
    """Return by warfare type what its battle casualties are like, with the tilts that lead to it.

    Parameters
    ----------
    scenario
        The resolved scenario.
    tilts
        Its tilts; None: they are searched.

    Raises
    ------
    ScenarioError
        If an author's share cannot be met.
    """
    found = tilts_of(scenario) if tilts is None else tilts
    model = compile_scenario(replace(scenario, incidents=[]), 0, 0, {"tilts": found})
    return {
        name: TypeReport(
            shares_of_type(model, row), dict(zip(TILT.names or (), found[row].tolist(), strict=True))
        )
        for name, row in type_rows(scenario).items()
    }

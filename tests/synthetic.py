"""Random but valid chunks, and a scenario and catalogue of awkward texts, for tests of records and formats."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from engine.codes import (
    AWAITED,
    COMPLICATIONS,
    DEATH_CAUSES,
    EVENTS,
    LETHAL_MECHANISMS,
    LIMBS,
    NONE,
    OUTCOMES,
    REGIONS,
    TREATMENTS,
    WAITING_FOR,
)
from engine.records import CodeTables
from engine.tables.columns import EVENT, PATIENT, TREATMENT, VITAL, WOUND, Chunk, slice_chunk

FRONTS = ('Nord "Ost" \\ Straße', "Łódź / 前线", "Plain,\tTab;Comma")
NATIONS = ("EST", "FIN", "POL", "USA")
DAY = 86_400_000


class Catalogue:
    """The functions of `scenarios.catalogue` over a few texts, long and short, with quotes and accents."""

    def nations(self) -> tuple[Any, ...]:
        ranks = (
            ("Private", "OR-1"),
            ("Corporal", "OR-4"),
            ("Sergeant First Class", "OR-7"),
            ("Major", "OF-3"),
        )
        return tuple(
            SimpleNamespace(
                code=code,
                ranks=tuple(
                    SimpleNamespace(name=f"{name} {code}", naval=f"{name} {code}", nato_code=nato)
                    for name, nato in ranks
                ),
            )
            for code in NATIONS
        )

    def names(self, code: str) -> Any:
        def texts(*stems: str) -> tuple[str, ...]:
            return tuple(stem + ending for stem in stems for ending in ("", "a", "sen", "-Ökö", "'s"))

        return SimpleNamespace(
            female_given=texts("Anna", "Mari", "Jo"),
            male_given=texts("Jan", "O'Neil", "Bartholomew"),
            female_family=texts("Kowalska", "Tamm", "Li"),
            male_family=texts("Kowalski", "Saar", 'D"Arc', f"von {code}"),
        )

    def conditions(self) -> tuple[Any, ...]:
        return tuple(
            SimpleNamespace(code=f"S{number:02}.{number % 7}XXA", display=words)
            for number, words in enumerate(
                (
                    "Puncture wound without foreign body of right lower leg, initial encounter",
                    "Displaced comminuted fracture of shaft of left femur, initial encounter for open fracture",
                    "Traumatic hemopneumothorax, initial encounter",
                    "Unspecified injury of head, initial encounter",
                    'Acute "stress" reaction',
                    "Gastroenteritis",
                    "Laceration with foreign body of abdominal wall, left upper quadrant with penetration into "
                    "peritoneal cavity, initial encounter",
                )
                * 12
            )
        )

    def complication_texts(self) -> tuple[Any, ...]:
        return tuple(
            SimpleNamespace(code=f"T79.A{number:02}A", display=f'Compartment syndrome, "limb" {number}')
            for number in range(len(COMPLICATIONS) * LIMBS)
        )

    def external_causes(self) -> tuple[Any, ...]:
        return tuple(
            SimpleNamespace(
                code=f"Y36.2{number}0A",
                display=f"War operations involving other explosions and fragments {number}, military personnel, "
                "initial encounter",
            )
            for number in range(9)
        )

    def blood_groups(self) -> tuple[Any, ...]:
        return tuple(SimpleNamespace(name=group + sign) for sign in "+-" for group in ("O", "A", "B", "AB"))

    def units(self, front: str) -> tuple[str, ...]:
        return tuple(
            f"{company} Company, {battalion} Battalion {front}" for battalion in (1, 2) for company in "ABC"
        )


SIGNS = tuple(name for name in VITAL.names or () if name not in ("at", "patient", "facility", "score"))
"""Columns of vital signs, in which NONE means not taken."""


def scenario(start: str = "2030-01-01T00:00:00Z", detail: str = "core") -> Any:
    """What `CodeTables` reads of a resolved scenario: three fronts, two types, one special event, ten facilities."""
    facilities = [
        SimpleNamespace(id=f"R{role}-{front}", role=role, name=f"Hospital of {front}" if role == 3 else None)
        for front in FRONTS
        for role in (1, 2, 3)
    ]
    facilities.append(SimpleNamespace(id="R4", role=4, name="R4"))
    return SimpleNamespace(
        start=start,
        fronts=[SimpleNamespace(name=front) for front in FRONTS],
        warfare=[SimpleNamespace(type="urban"), SimpleNamespace(type="drone")],
        events=[SimpleNamespace(event="ambush", type="urban")],
        incidents=[],
        facilities=facilities,
        links=[
            SimpleNamespace(origin="POI", destination=facilities[0].id, fronts=[], vehicle="wheels"),
            SimpleNamespace(
                origin=facilities[0].id, destination="R4", fronts=[FRONTS[0]], vehicle=None, minutes={}
            ),
            SimpleNamespace(origin=facilities[1].id, destination="R4", fronts=[], vehicle="fixed_wing"),
        ],
        vehicles=[SimpleNamespace(id="wheels", kind="ambulance_armored")],
        model={},
        treatments={},
        detail=detail,
    )


def code_tables(start: str = "2030-01-01T00:00:00Z", detail: str = "core") -> CodeTables:
    return CodeTables(scenario(start, detail), Catalogue())


def chunk(
    patients: int,
    seed: int = 1,
    events: float = 10,
    treatments: float = 4,
    wounds: float = 1.5,
    vitals: float = 2,
) -> Chunk:
    """One chunk that is a whole run; the four numbers are mean rows a patient."""
    rng = np.random.default_rng(seed)
    n = patients

    def rows(mean: float, least: int, dtype: Any) -> tuple[Any, Any]:
        counts = least + rng.poisson(mean - least, n)
        table = np.zeros(int(counts.sum()), dtype)
        table["patient"] = np.repeat(np.arange(n), counts)
        return table, counts.cumsum()

    table = np.zeros(n, PATIENT)
    for name in ("id_hi", "id_lo", "incident"):
        table[name] = rng.integers(0, 2**64, n, np.uint64)
    table["time"] = np.sort(rng.integers(0, 8 * DAY, n))
    table["incident_time"] = np.maximum(0, table["time"] - rng.integers(0, 900_000, n))
    table["onset"] = table["time"] + rng.integers(0, 2, n) * 3_600_000
    table["closed"] = table["time"] + rng.integers(0, 40 * DAY, n)
    for name in ("untreated_death", "first_care", "role1", "role2", "role3", "role4", "surgery"):
        table[name] = np.where(rng.random(n) < 0.5, -1, table["time"] + rng.integers(0, DAY, n))
    table["service_number"] = rng.integers(0, 100_000_000, n)
    table["incident_size"] = np.where(rng.random(n) < 0.01, 70_000, rng.integers(1, 30, n))
    table["birth"] = rng.integers(4_000, 15_000, n)
    table["nation"] = rng.integers(0, len(NATIONS), n)
    for name, stop in (
        ("given_name", 15),
        ("family_name", 15),
        ("unit", 6),
        ("condition", 84),
        ("front", 3),
        ("stream", 3),
        ("kind", 5),
        ("mechanism", 7),
        ("sex", 2),
        ("rank", 4),
        ("blood_group", 8),
        ("iss", 76),
        ("niss", 76),
        ("worst_ais", 7),
        ("mascal", 2),
        ("rtd72", 2),
        ("status", len(OUTCOMES)),
    ):
        table[name] = rng.integers(0, stop, n)
    table["age"] = rng.integers(18, 60, n)
    table["weight"] = rng.integers(45, 141, n)
    table["triage"] = rng.integers(1, 4, n)
    table["facility"] = rng.integers(-2, 10, n)
    for name, length, none in (
        ("cause", 9, 65_535),
        ("type", 2, NONE),
        ("special", 1, NONE),
        ("severity", 4, NONE),
        ("lethal", len(LETHAL_MECHANISMS), NONE),
        ("death_cause", len(DEATH_CAUSES), NONE),
        ("waiting_for", len(WAITING_FOR), NONE),
        ("fatal_complication", len(COMPLICATIONS), NONE),
    ):
        table[name] = np.where(rng.random(n) < 0.5, none, rng.integers(0, length, n))

    event, table["event_end"] = rows(events, 2, EVENT)
    event["at"] = rng.integers(0, 30 * DAY, len(event))
    event["facility"] = rng.integers(-2, 10, len(event))
    event["kind"] = rng.integers(0, len(EVENTS), len(event))
    triaged = event["kind"] == EVENTS.index("triaged")
    asked = event["kind"] == EVENTS.index("evacuation_requested")
    event["detail"] = np.where(triaged, rng.integers(1, 5, len(event)), 0)
    event["detail"] += np.where(asked, rng.integers(1, 4, len(event)), 0).astype("u1")
    waits = event["kind"] == EVENTS.index("waiting")
    event["detail"] += np.where(waits, np.arange(len(event)) % len(AWAITED), 0).astype("u1")

    complicated = event["kind"] == EVENTS.index("complication")
    event["detail"] += np.where(complicated, np.arange(len(event)) % (len(COMPLICATIONS) * LIMBS), 0).astype(
        "u1"
    )

    treatment, table["treatment_end"] = rows(treatments, 0, TREATMENT)
    treatment["start"] = rng.integers(0, 30 * DAY, len(treatment))
    treatment["end"] = np.where(rng.random(len(treatment)) < 0.05, -1, treatment["start"] + 600_000)
    treatment["facility"] = rng.integers(-2, 10, len(treatment))
    treatment["kind"] = rng.integers(0, len(TREATMENTS), len(treatment))
    treatment["effect"] = rng.integers(0, 3, len(treatment))
    treatment["wound"] = np.where(rng.random(len(treatment)) < 0.5, NONE, rng.integers(0, 24, len(treatment)))

    treatment["units"] = np.where(rng.random(len(treatment)) < 0.9, 0, rng.integers(0, 61, len(treatment)))
    wound, table["wound_end"] = rows(wounds, 0, WOUND)
    wound["condition"] = rng.integers(0, 84, len(wound))
    wound["region"] = rng.integers(0, len(REGIONS), len(wound))
    wound["side"] = rng.integers(0, 3, len(wound))
    wound["ais"] = rng.integers(1, 7, len(wound))

    vital, table["vital_end"] = rows(vitals, 0, VITAL)
    vital["at"] = rng.integers(0, 30 * DAY, len(vital))
    vital["facility"] = rng.integers(-2, 10, len(vital))
    vital["score"] = rng.integers(0, 201, len(vital))
    for name in SIGNS:
        vital[name] = rng.integers(0, 256, len(vital))
    return Chunk(0, 0, True, table, event, treatment, wound, vital)


def split(whole: Chunk, size: int) -> list[Chunk]:
    """The run `whole` in chunks of `size` patients."""
    chunks = [slice_chunk(whole, first, first + size) for first in range(0, max(len(whole), 1), size)]
    for number, chunk in enumerate(chunks):
        chunk.number = number
    return chunks


def make_extreme(chunk: Chunk, seed: int) -> None:
    """Give half of the rows the first or last code of a column, and times and numbers the limits that they may have."""
    rng = np.random.default_rng(seed)
    tables = (chunk.patients, chunk.events, chunk.treatments, chunk.wounds, chunk.vitals)

    def put(table: Any, column: str, *values: int) -> None:
        chosen = rng.random(len(table)) < 0.5
        table[column][chosen] = rng.choice(np.array(values, table[column].dtype), int(chosen.sum()))

    for table in tables:
        if "facility" in table.dtype.names:
            put(table, "facility", -2, 9)
    for column, last in (
        ("mechanism", 6),
        ("nation", 3),
        ("condition", 83),
        ("front", 2),
        ("blood_group", 7),
        ("status", len(OUTCOMES) - 1),
    ):
        put(chunk.patients, column, 0, last)
    for column, last, none in (
        ("cause", 8, 65_535),
        ("severity", 3, NONE),
        ("special", 0, NONE),
        ("lethal", len(LETHAL_MECHANISMS) - 1, NONE),
        ("death_cause", len(DEATH_CAUSES) - 1, NONE),
        ("waiting_for", len(WAITING_FOR) - 1, NONE),
        ("fatal_complication", len(COMPLICATIONS) - 1, NONE),
    ):
        put(chunk.patients, column, 0, last, none)
    put(chunk.events, "kind", 0, len(EVENTS) - 1)
    put(chunk.treatments, "kind", 0, len(TREATMENTS) - 1)
    put(chunk.treatments, "wound", 0, NONE - 1, NONE)
    put(chunk.treatments, "units", 0, 1, 60)
    put(chunk.vitals, "score", 0, 200)
    for column in SIGNS:
        put(chunk.vitals, column, 0, NONE - 1, NONE)
    for column in ("incident_time", "time", "onset", "closed"):
        put(chunk.patients, column, -1, -999, -86_400_001, 0, 364 * DAY // 2)
    for column in ("untreated_death", "role4"):
        put(chunk.patients, column, -1, -(2**62), 0, 999)
    put(chunk.patients, "service_number", 0, 99_999_999, 100_000_000, 2**63 - 1)
    put(chunk.patients, "birth", -719_528, -1, 0, 2_932_896)
    put(chunk.patients, "incident_size", 1, 2**31 - 1)

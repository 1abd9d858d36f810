"""Records: the content of a patient's entry, and that the fast encoder writes the same bytes."""

import doctest
import gc
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np
import pytest
import synthetic

from engine.codes import AT_POI, AWAITED, EN_ROUTE, EVENTS, REGIONS
from engine.errors import RunError
from engine.records import CodeTables, build_patients, schema
from engine.records.code_tables import uuids
from engine.records.formats import jsonl
from engine.tables.columns import WOUND, Chunk, slice_chunk

ROOT = Path(__file__).parent.parent


def written(chunk: Chunk, code_tables: CodeTables) -> list[bytes]:
    return bytes(jsonl.lines(chunk, code_tables)).splitlines()


@pytest.mark.parametrize(
    "rows",
    [
        {},
        {"events": 2, "treatments": 0, "wounds": 0, "vitals": 0},
        {"events": 40, "treatments": 20, "wounds": 20, "vitals": 9},
    ],
)
def test_the_fast_encoder_writes_the_same_bytes(rows: dict[str, float]) -> None:
    chunk = synthetic.chunk(700, **rows)
    code_tables = synthetic.code_tables()
    plain = build_patients(chunk, code_tables)
    lines = written(chunk, code_tables)
    assert lines == [msgspec.json.encode(patient) for patient in plain]
    assert [msgspec.json.decode(line, type=schema.Patient) for line in lines] == plain


def test_a_second_chunk_may_have_new_nations_names_and_incident_sizes() -> None:
    code_tables = synthetic.code_tables()
    first, second = synthetic.chunk(50, seed=1), synthetic.chunk(50, seed=2)
    first.patients["nation"] = 0
    second.patients["incident_size"] = 900_000_000
    for chunk in (first, second):
        assert written(chunk, code_tables) == list(
            map(msgspec.json.encode, build_patients(chunk, synthetic.code_tables()))
        )


def test_fronts_with_quotes_backslashes_and_foreign_letters_survive() -> None:
    chunk = synthetic.chunk(60)
    lines = written(chunk, synthetic.code_tables())
    fronts = [json.loads(line)["front"] for line in lines]
    assert fronts == [synthetic.FRONTS[front] for front in chunk.patients["front"]]
    assert all(b"\n" not in line for line in lines)


def test_times_are_utc_to_the_second_rounded_down() -> None:
    chunk = synthetic.chunk(1)
    chunk.patients["time"] = 86_399_999
    chunk.patients["onset"] = 86_400_000
    (patient,) = build_patients(chunk, synthetic.code_tables("2031-12-31T00:00:00Z"))
    assert (patient.injury.at, patient.injury.onset) == ("2031-12-31T23:59:59Z", "2032-01-01T00:00:00Z")
    (patient,) = build_patients(chunk, synthetic.code_tables("2032-01-01T01:00:00+01:00"))
    assert patient.injury.onset == "2032-01-02T00:00:00Z"


def test_a_time_after_the_year_9999_is_refused_instead_of_cut() -> None:
    tables, first = synthetic.code_tables(), np.datetime64("2030-01-01")
    last = int((np.datetime64("9999-12-31") - first).astype(np.int64)) * 86_400_000
    assert tables.instants(np.array([0, last])).tolist()[1] == b"9999-12-31T00:00:00Z"
    with pytest.raises(RunError, match="the year 10,000"):
        tables.instants(np.array([0, last + 86_400_000]))


def test_ids_are_uuids_from_the_columns() -> None:
    chunk = synthetic.chunk(1)
    chunk.patients["id_hi"], chunk.patients["id_lo"] = 0x00112233_4455_8677, 0x8899AABBCCDDEEFF
    assert uuids(chunk.patients).tolist() == [b"00112233-4455-8677-8899-aabbccddeeff"]
    assert build_patients(chunk, synthetic.code_tables())[0].id == "00112233-4455-8677-8899-aabbccddeeff"


def test_triage_assigned_comes_from_the_timeline_and_precedence_from_the_first_request() -> None:
    for patient in build_patients(synthetic.chunk(200), synthetic.code_tables()):
        triaged = [event for event in patient.timeline if event.event == "triaged"]
        assert [(t.at, t.facility, t.category) for t in patient.triage.assigned] == [
            (event.at, event.facility, event.detail) for event in triaged
        ]
        asked = [event.detail for event in patient.timeline if event.event == "evacuation_requested"]
        assert patient.triage.precedence == (asked[0] if asked else None)
        others = {"triaged", "evacuation_requested", "complication"}
        assert all((event.detail is not None) == (event.event in others) for event in patient.timeline)


def test_only_a_waiting_event_names_what_is_awaited() -> None:
    chunk = synthetic.chunk(200)
    timelines = [patient.timeline for patient in build_patients(chunk, synthetic.code_tables())]
    events = [event for timeline in timelines for event in timeline]
    assert all((event.waiting_for is not None) == (event.event == "waiting") for event in events)
    waits = chunk.events["detail"][chunk.events["kind"] == EVENTS.index("waiting")]
    named = [event.waiting_for for event in events if event.waiting_for]
    assert named == [AWAITED[detail] for detail in waits]
    assert set(named) == set(AWAITED)
    lines = written(chunk, synthetic.code_tables())
    assert sum(line.count(b',"waiting_for":"') for line in lines) > len(named)
    entry = next(event for event in json.loads(lines[0])["timeline"] if event["event"] != "waiting")
    assert "waiting_for" not in entry


def test_more_resources_than_today_are_still_named() -> None:
    """The width of the tables by `detail` follows from the labels: it must hold for any number of resources."""
    code = """
import engine.codes
engine.codes.AWAITED = (*engine.codes.AWAITED, *(f"resource_{n}" for n in range(20)))
import msgspec, synthetic
from engine.codes import AWAITED, EVENTS
from engine.records import build_patients, flat
from engine.records.formats import jsonl
chunk = synthetic.chunk(1000)
waits = chunk.events["kind"] == EVENTS.index("waiting")
expected = [AWAITED[detail] for detail in chunk.events["detail"][waits]]
assert set(expected) == set(AWAITED), "some are not tested"
tables = synthetic.code_tables()
records = build_patients(chunk, tables)
assert [e.waiting_for for r in records for e in r.timeline if e.event == "waiting"] == expected
assert list(flat.decode_columns(chunk, tables)["events"]["waiting_for"][waits]) == expected
lines = [msgspec.json.decode(line) for line in bytes(jsonl.lines(chunk, tables)).splitlines()]
assert [e["waiting_for"] for r in lines for e in r["timeline"] if e["event"] == "waiting"] == expected
assert lines == msgspec.to_builtins(records)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT / "tests", env=environment, check=True)


@pytest.mark.parametrize(
    "module",
    [
        "engine.records.code_tables",
        "engine.records.formats.base",
        "engine.records.notations",
        "engine.measures.durations",
        "scenarios.texts",
    ],
)
def test_examples_in_docstrings_work(module: str) -> None:
    found = doctest.testmod(import_module(module))
    assert found.attempted and not found.failed


def test_places_are_facilities_the_point_of_injury_or_en_route() -> None:
    chunk = synthetic.chunk(3, events=2)
    chunk.patients["facility"] = [AT_POI, EN_ROUTE, 9]
    places = [patient.outcome.facility for patient in build_patients(chunk, synthetic.code_tables())]
    assert places == ["POI", "en route", "R4"]


def test_a_facility_with_a_name_of_its_own_is_named_in_the_timeline() -> None:
    chunk = synthetic.chunk(1, events=2)
    chunk.events["facility"] = [2, 9][0]
    event = build_patients(chunk, synthetic.code_tables())[0].timeline[0]
    front = synthetic.FRONTS[0]
    assert (event.facility, event.name, event.role) == (f"R3-{front}", f"Hospital of {front}", 3)


def test_a_minor_wound_outside_the_face_is_external_to_the_iss() -> None:
    chunk = synthetic.chunk(1, wounds=0)
    chunk.wounds = np.zeros(3, WOUND)
    chunk.patients["wound_end"] = 3
    chunk.wounds["region"] = [REGIONS.index(region) for region in ("thorax", "face", "thorax")]
    chunk.wounds["ais"] = [1, 1, 2]
    (patient,) = build_patients(chunk, synthetic.code_tables())
    assert [wound.iss_region for wound in patient.injury.wounds] == ["external", "face", "chest"]


def test_a_slice_of_a_chunk_has_the_same_records() -> None:
    chunk, code_tables = synthetic.chunk(100), synthetic.code_tables()
    assert (
        build_patients(slice_chunk(chunk, 30, 60), code_tables) == build_patients(chunk, code_tables)[30:60]
    )


def test_building_and_encoding_restore_the_garbage_collector() -> None:
    assert gc.isenabled()
    build_patients(synthetic.chunk(5), synthetic.code_tables())
    written(synthetic.chunk(5), synthetic.code_tables())
    assert gc.isenabled()


def test_code_tables_of_a_real_scenario_are_created_quickly_and_have_all_texts() -> None:
    from engine.scenario import Scenario, resolve
    from scenarios import catalogue

    scenario = resolve(Scenario(name="test"))
    catalogue.conditions(), catalogue.external_causes(), catalogue.nations()
    begin = perf_counter()
    code_tables = CodeTables(scenario)
    assert perf_counter() - begin < 0.05
    chunk = synthetic.chunk(100)
    chunk.patients["nation"] = np.arange(100) % len(code_tables.nations)
    assert written(chunk, code_tables) == list(
        map(msgspec.json.encode, build_patients(chunk, CodeTables(scenario)))
    )


def test_a_full_record_has_more_than_2000_bytes() -> None:
    lines = written(synthetic.chunk(500, events=13, treatments=5, wounds=3), synthetic.code_tables())
    assert sum(map(len, lines)) / len(lines) > 2000


def test_the_documentation_is_generated_from_the_code() -> None:
    page = subprocess.run(
        [sys.executable, "-m", "engine.documentation"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    assert page == (ROOT / "docs" / "records.md").read_text(encoding="utf-8")

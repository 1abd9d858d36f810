"""Records: what a patient's entry says, and that the fast way to write it says the same."""

import gc
import json
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np
import pytest
import synthetic

from engine.codes import AT_POI, AWAITED, EN_ROUTE, EVENTS, REGIONS
from engine.records import CodeTables, schema
from engine.records.code_tables import uuids
from engine.records.formats import fragments
from engine.tables import columns as c

ROOT = Path(__file__).parent.parent


def written(chunk: c.Chunk, lexicon: CodeTables) -> list[bytes]:
    return [msgspec.json.encode(patient) for part in fragments.encoded(chunk, lexicon) for patient in part]


@pytest.mark.parametrize(
    "rows",
    [
        {},
        {"events": 2, "treatments": 0, "wounds": 0, "vitals": 0},
        {"events": 40, "treatments": 20, "wounds": 20, "vitals": 9},
    ],
)
def test_the_fast_way_writes_the_same_bytes(rows: dict[str, float]) -> None:
    chunk = synthetic.chunk(700, **rows)
    lexicon = synthetic.lexicon()
    plain = schema.build_patients(chunk, lexicon)
    lines = written(chunk, lexicon)
    assert lines == [msgspec.json.encode(patient) for patient in plain]
    assert [msgspec.json.decode(line, type=schema.Patient) for line in lines] == plain


def test_a_second_chunk_may_bring_new_nations_names_and_incident_sizes() -> None:
    lexicon = synthetic.lexicon()
    first, second = synthetic.chunk(50, seed=1), synthetic.chunk(50, seed=2)
    first.patients["nation"] = 0
    second.patients["incident_size"] = 900_000_000
    for chunk in (first, second):
        assert written(chunk, lexicon) == list(
            map(msgspec.json.encode, schema.build_patients(chunk, synthetic.lexicon()))
        )


def test_fronts_with_quotes_backslashes_and_foreign_letters_survive() -> None:
    chunk = synthetic.chunk(60)
    lines = written(chunk, synthetic.lexicon())
    fronts = [json.loads(line)["front"] for line in lines]
    assert fronts == [synthetic.FRONTS[front] for front in chunk.patients["front"]]
    assert all(b"\n" not in line for line in lines)


def test_times_are_utc_to_the_second_rounded_down() -> None:
    chunk = synthetic.chunk(1)
    chunk.patients["time"] = 86_399_999
    chunk.patients["onset"] = 86_400_000
    (patient,) = schema.build_patients(chunk, synthetic.lexicon("2031-12-31T00:00:00Z"))
    assert (patient.injury.at, patient.injury.onset) == ("2031-12-31T23:59:59Z", "2032-01-01T00:00:00Z")
    (patient,) = schema.build_patients(chunk, synthetic.lexicon("2032-01-01T01:00:00+01:00"))
    assert patient.injury.onset == "2032-01-02T00:00:00Z"


def test_ids_are_uuids_from_the_columns() -> None:
    chunk = synthetic.chunk(1)
    chunk.patients["id_hi"], chunk.patients["id_lo"] = 0x00112233_4455_8677, 0x8899AABBCCDDEEFF
    assert uuids(chunk.patients).tolist() == [b"00112233-4455-8677-8899-aabbccddeeff"]
    assert schema.build_patients(chunk, synthetic.lexicon())[0].id == "00112233-4455-8677-8899-aabbccddeeff"


def test_triage_assigned_comes_from_the_timeline_and_precedence_from_the_first_request() -> None:
    for patient in schema.build_patients(synthetic.chunk(200), synthetic.lexicon()):
        triaged = [event for event in patient.timeline if event.event == "triaged"]
        assert [(t.at, t.facility, t.category) for t in patient.triage.assigned] == [
            (event.at, event.facility, event.detail) for event in triaged
        ]
        asked = [event.detail for event in patient.timeline if event.event == "evacuation_requested"]
        assert patient.triage.precedence == (asked[0] if asked else None)
        others = {"triaged", "evacuation_requested"}
        assert all((event.detail is not None) == (event.event in others) for event in patient.timeline)


def test_a_wait_and_nothing_else_says_what_for() -> None:
    chunk = synthetic.chunk(200)
    timelines = [patient.timeline for patient in schema.build_patients(chunk, synthetic.lexicon())]
    events = [event for timeline in timelines for event in timeline]
    assert all((event.waiting_for is not None) == (event.event == "waiting") for event in events)
    waits = chunk.events["detail"][chunk.events["kind"] == EVENTS.index("waiting")]
    named = [event.waiting_for for event in events if event.waiting_for]
    assert named == [AWAITED[detail] for detail in waits]
    assert set(named) == set(AWAITED)
    lines = written(chunk, synthetic.lexicon())
    assert sum(line.count(b',"waiting_for":"') for line in lines) > len(named)
    entry = next(event for event in json.loads(lines[0])["timeline"] if event["event"] != "waiting")
    assert "waiting_for" not in entry


def test_places_are_facilities_the_point_of_injury_or_en_route() -> None:
    chunk = synthetic.chunk(3, events=2)
    chunk.patients["facility"] = [AT_POI, EN_ROUTE, 9]
    places = [patient.outcome.facility for patient in schema.build_patients(chunk, synthetic.lexicon())]
    assert places == ["POI", "en route", "R4"]


def test_a_facility_with_a_name_of_its_own_is_named_in_the_timeline() -> None:
    chunk = synthetic.chunk(1, events=2)
    chunk.events["facility"] = [2, 9][0]
    event = schema.build_patients(chunk, synthetic.lexicon())[0].timeline[0]
    front = synthetic.FRONTS[0]
    assert (event.facility, event.name, event.role) == (f"R3-{front}", f"Hospital of {front}", 3)


def test_a_minor_wound_outside_the_face_is_external_to_the_iss() -> None:
    chunk = synthetic.chunk(1, wounds=0)
    chunk.wounds = np.zeros(3, c.WOUND)
    chunk.patients["wound_end"] = 3
    chunk.wounds["region"] = [REGIONS.index(region) for region in ("thorax", "face", "thorax")]
    chunk.wounds["ais"] = [1, 1, 2]
    (patient,) = schema.build_patients(chunk, synthetic.lexicon())
    assert [wound.iss_region for wound in patient.injury.wounds] == ["external", "face", "chest"]


def test_a_portion_of_a_chunk_has_the_same_records() -> None:
    chunk, lexicon = synthetic.chunk(100), synthetic.lexicon()
    assert (
        schema.build_patients(schema.portion(chunk, 30, 60), lexicon)
        == schema.build_patients(chunk, lexicon)[30:60]
    )


def test_the_collector_is_as_it_was_after_building() -> None:
    assert gc.isenabled()
    schema.build_patients(synthetic.chunk(5), synthetic.lexicon())
    written(synthetic.chunk(5), synthetic.lexicon())
    assert gc.isenabled()


def test_a_lexicon_of_a_real_scenario_is_made_in_no_time_and_has_all_words() -> None:
    from engine.scenario import Scenario, resolve
    from scenarios import catalogue

    scenario = resolve(Scenario(name="test"))
    catalogue.conditions(), catalogue.external_causes(), catalogue.nations()
    begin = perf_counter()
    lexicon = CodeTables(scenario)
    assert perf_counter() - begin < 0.05
    chunk = synthetic.chunk(100)
    chunk.patients["nation"] = np.arange(100) % len(lexicon.nations)
    assert written(chunk, lexicon) == list(
        map(msgspec.json.encode, schema.build_patients(chunk, CodeTables(scenario)))
    )


def test_a_full_record_is_a_full_record() -> None:
    lines = written(synthetic.chunk(500, events=13, treatments=5, wounds=3), synthetic.lexicon())
    assert sum(map(len, lines)) / len(lines) > 2000


def test_the_documentation_is_what_the_code_says() -> None:
    page = subprocess.run(
        [sys.executable, "-m", "engine.documentation"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    assert page == (ROOT / "docs" / "records.md").read_text(encoding="utf-8")

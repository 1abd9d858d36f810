"""Full records: what a casualty card, an operation note, a certificate of death and a MIST report say, and that they
agree with the events, treatments, wounds and vital signs of the same record."""

import json
import re
from collections import Counter
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
import synthetic

import goldenhour
from engine.codes import TREATMENTS
from engine.records import FLAT_COLUMNS, build_patients, encode_chunks, flat
from engine.records.formats import jsonl
from engine.records.movements import PLATFORMS
from engine.records.narratives import RecordDraw, draw
from engine.records.notations import csv_parts, msgpack_parts
from engine.records.program import Program
from engine.records.schema import Patient
from scenarios import catalogue

AVPU = {
    (eye, motor): row.avpu
    for row in catalogue.avpu_rows()
    for eye in (row.eye,)
    for motor in range(int(row.motor[0]), int(row.motor[1]) + 1)
}
PRECEDENCE = {"T1": "urgent", "T2": "priority", "T3": "routine", "T4": "routine"}
FULL = ("posture", "narrative", "mist", "movements", "operations", "diagnoses", "icu_days", "avpu", "drug")


@cache
def results() -> tuple[goldenhour.Result, ...]:
    """Small runs in full: helicopter and ground evacuation, a hit at sea and an attack with nerve agent."""
    return tuple(
        goldenhour.simulate(name, patients=2000, settings={"detail": "full"})
        for name in ("coin", "lsco", "warship_hit", "nerve_agent")
    )


@cache
def records() -> list[dict[str, Any]]:
    return [record for result in results() for record in msgspec.to_builtins(list(result.records()))]


def seconds(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "s").astype(np.int64))


def each(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The entries of a list of the record, each with its record."""
    found = [(record, entry) for record in records() for entry in record[name]]
    assert found, f"no record has {name}"
    return found


@pytest.mark.parametrize(
    "rows", [{}, {"events": 2, "treatments": 0, "wounds": 0, "vitals": 0}, {"events": 40}]
)
def test_the_kernel_writes_full_records_as_msgspec_does(rows: dict[str, float]) -> None:
    chunk = synthetic.chunk(300, **rows)
    tables = synthetic.code_tables(detail="full")
    plain = build_patients(chunk, tables)
    lines = bytes(jsonl.lines(chunk, tables)).splitlines()
    assert lines == list(map(msgspec.json.encode, plain))
    assert [msgspec.json.decode(line, type=Patient) for line in lines] == plain
    packed = Program(msgpack_parts(Patient), "patients", tables).write(chunk)
    assert packed == b"".join(map(msgspec.msgpack.encode, plain))


def test_flat_tables_of_full_records_are_the_same_in_every_format() -> None:
    result = results()[0]
    chunk, tables = next(result._chunks()), result._code_tables
    for table in FLAT_COLUMNS:
        decoded = flat.decode_columns(chunk, tables)[table]
        lines = bytes(Program(csv_parts(table), table, tables).write(chunk)).decode().splitlines()
        assert len(lines) == len(getattr(chunk, table))
    decoded = flat.decode_columns(chunk, tables)["patients"]
    frames = {frame.table: frame for frame in encode_chunks([chunk], tables, "parquet")}
    import io

    import pyarrow.parquet

    read = pyarrow.parquet.read_table(io.BytesIO(bytes(frames["patients"].data))).to_pydict()
    for name in ("mist", "narrative", "posture", "protection", "history", "duty"):
        assert read[name] == decoded[name].tolist(), name
        assert any(read[name])


def test_core_records_have_none_of_it() -> None:
    result = goldenhour.simulate("coin", patients=300)
    text = json.dumps(msgspec.to_builtins(list(result.records())))
    assert not [name for name in FULL if f'"{name}"' in text]
    columns = flat.decode_columns(next(result._chunks()), result._code_tables)
    assert set(columns["patients"]["mist"]) == {None}
    assert set(columns["vitals"]["avpu"]) == {None}
    assert np.isnan(columns["patients"]["icu_days"]).all()


def test_core_records_are_as_full_ones_without_what_those_add() -> None:
    """Nothing else depends on `detail`, apart from how often vital signs are taken."""
    core = goldenhour.simulate("coin", patients=300)
    full = goldenhour.simulate("coin", patients=300, settings={"detail": "full"})
    for plain, whole in zip(
        msgspec.to_builtins(list(core.records())), msgspec.to_builtins(list(full.records())), strict=True
    ):
        for name in ("id", "demographics", "incident", "triage", "timeline"):
            assert plain[name] == whole[name]
        assert plain["outcome"].items() <= whole["outcome"].items()
        assert plain["injury"].items() <= whole["injury"].items()
        for one, other in zip(plain["treatments"], whole["treatments"], strict=True):
            assert one.items() <= other.items()


def test_a_tourniquet_has_the_time_and_limb_of_its_treatment() -> None:
    for record in records():
        given = [
            (entry["start"], entry["treatment"], entry["wound"])
            for entry in record["treatments"]
            if entry["treatment"] in ("tourniquet", "junctional_tourniquet")
        ]
        assert [
            (put["at"], put["kind"], put["wound"]) for put in record["casualty_card"]["tourniquets"]
        ] == given
    tourniquets = [(record, put) for record in records() for put in record["casualty_card"]["tourniquets"]]
    assert len(tourniquets) > 20
    for record, put in tourniquets:
        if put["wound"] is not None:
            wound = record["injury"]["wounds"][put["wound"]]
            assert (put["region"], put["side"]) == (wound["region"], wound["side"])
        ends = [entry["start"] for entry in record["operations"] if entry["kind"] == "damage_control"]
        ends += [
            entry["start"]
            for entry in record["treatments"]
            if entry["treatment"] == "tourniquet_conversion" and entry["wound"] == put["wound"]
        ]
        assert put["operated_at"] == next((at for at in sorted(ends) if at >= put["at"]), None)


def test_avpu_follows_from_eye_opening_and_motor_response() -> None:
    seen = Counter()
    for _, signs in each("vitals"):
        expected = AVPU[signs["gcs_eye"], signs["gcs_motor"]] if "gcs_eye" in signs else None
        assert signs.get("avpu") == expected
        seen[expected] += 1
        if signs.get("gcs") == 15:
            assert signs["avpu"] == "alert"
        if signs.get("gcs") == 3:
            assert signs["avpu"] == "unresponsive"
    assert set(seen) >= set(catalogue.AVPU)


def test_every_drug_has_a_route_and_only_blood_and_what_has_units_no_dose() -> None:
    seen = set()
    for _, given in each("treatments"):
        kind = given["treatment"]
        assert ("drug" in given) == ("route" in given)
        if "drug" in given:
            seen.add(kind)
            assert ("dose" in given) == (kind != "blood_transfusion"), given
    assert seen >= {
        "tranexamic_acid",
        "analgesia",
        "antibiotics",
        "blood_transfusion",
        "calcium",
        "autoinjector",
    }
    assert not seen & {"tourniquet", "splint", "laparotomy"}


def test_nothing_goes_into_a_vein_or_a_bone_before_there_is_an_access() -> None:
    for record in records():
        since = {}
        for given in record["treatments"]:
            since.setdefault(given["treatment"], given["start"])
        for given in record["treatments"]:
            if given.get("route") == "IO":
                assert since["intraosseous_access"] <= given["start"]
            if given.get("route") == "IV" and "intraosseous_access" in since and "iv_access" not in since:
                raise AssertionError(f"{given} without a vein")


def test_tranexamic_acid_is_two_grams() -> None:
    doses = {given["dose"] for _, given in each("treatments") if given["treatment"] == "tranexamic_acid"}
    assert doses == {"2 g"}


def test_nobody_swallows_who_is_not_awake() -> None:
    for record in records():
        for given in record["treatments"]:
            if given.get("route") == "PO":
                before = [
                    signs for signs in record["vitals"] if signs["at"] <= given["start"] and "gcs" in signs
                ]
                if before:
                    assert before[-1]["gcs"] >= 14, (record["id"], given)


def test_nobody_with_a_tube_swallows_before_a_reading_says_that_the_casualty_is_awake_again() -> None:
    found = 0
    for record in records():
        tubes = [
            given["start"]
            for given in record["treatments"]
            if given["treatment"] in ("intubation", "surgical_airway", "tracheostomy")
        ]
        for given in record["treatments"]:
            put = [at for at in tubes if at <= given["start"]]
            if put and "route" in given:
                found += 1
                awake = any(
                    signs.get("gcs", 0) >= 14 and put[-1] <= signs["at"] <= given["start"]
                    for signs in record["vitals"]
                )
                assert given["route"] != "PO" or awake, (record["id"], given)
    assert found > 100


def test_ketamine_into_muscle_is_more_than_into_a_vein() -> None:
    doses = {
        (given["route"], given["dose"])
        for record, given in each("treatments")
        if given.get("drug") == "ketamine"
        and "closed_reduction" not in {entry["treatment"] for entry in record["treatments"]}
    }
    assert doses == {("IV", "30 mg"), ("IO", "30 mg"), ("IM", "75 mg"), ("IM", "50 mg")}


def test_each_request_is_a_movement_with_the_precedence_of_the_triage_before_it() -> None:
    for record in records():
        asked = [event for event in record["timeline"] if event["event"] == "evacuation_requested"]
        assert [
            (move["requested_at"], move["precedence"], move["origin"]) for move in record["movements"]
        ] == [(event["at"], event["detail"], event["facility"]) for event in asked]
        category = None
        moves = iter(record["movements"])
        for event in record["timeline"]:
            if event["event"] == "triaged":
                category = event["detail"]
            elif event["event"] == "evacuation_requested":
                assert next(moves)["precedence"] == PRECEDENCE[category]


def test_departures_and_arrivals_of_movements_are_those_of_the_timeline() -> None:
    for record in records():
        for event, name in (("departed", "departed_at"), ("arrived", "arrived_at")):
            places = ("arrived", "staged") if event == "arrived" else ("departed",)
            times = [entry["at"] for entry in record["timeline"] if entry["event"] in places]
            moved = [move[name] for move in record["movements"] if move[name] is not None]
            assert moved == times, record["id"]
        for move in record["movements"]:
            times = [move[name] for name in ("requested_at", "ready_at", "departed_at", "arrived_at")]
            known = [time for time in times if time is not None]
            assert known == sorted(known), move


def test_who_leaves_as_soon_as_possible_leaves_when_ready() -> None:
    """Without limits nobody waits for a vehicle: ready is when the patient leaves, also after operations on the ill
    and with complications.
    """
    result = goldenhour.simulate("coin", patients=4000, settings={"detail": "full"})
    moves = [move for record in result.records() for move in record.movements if move.origin != "POI"]
    left = [move for move in moves if move.departed_at is not None]
    assert len(left) > 500
    assert not [move for move in left if move.ready_at != move.departed_at]


def test_each_vehicle_of_a_pool_is_named_although_links_differ() -> None:
    """Two pools of different kinds between the same two places."""
    result = results()[1]
    kinds = {pool.id: pool.kind for pool in result.scenario.vehicles}
    seen = Counter(
        move.platform
        for record in result.records()
        for move in record.movements
        if move.departed_at is not None and move.origin.startswith("R1")
    )
    named = {kinds[link.vehicle] for link in result.scenario.links if link.origin.startswith("R1")}
    assert len(named) > 1
    assert set(seen) == named


def test_platforms_are_those_of_the_scenario_and_the_urgent_travel_on_litters() -> None:
    seen = set()
    for record, move in each("movements"):
        if move["platform"] is not None:
            seen.add(move["platform"])
            assert move["departed_at"] is not None
        if move["precedence"] in ("urgent", "priority") or record["triage"]["true"] in ("T1", "T2"):
            assert move["position"] == "litter"
    assert {"medevac_helicopter", "ambulance_armored"} <= seen
    assert seen <= set(PLATFORMS)


def test_the_ventilated_travel_with_a_critical_care_team() -> None:
    found = 0
    for record in records():
        tubes = [
            entry["start"]
            for entry in record["treatments"]
            if entry["treatment"] in ("intubation", "surgical_airway", "tracheostomy")
        ]
        for move in record["movements"]:
            if tubes and move["departed_at"] is not None and tubes[0] <= move["departed_at"]:
                found += 1
                assert move["escort"] == "critical care team"
    assert found > 20


def test_the_duration_of_an_operation_is_that_between_its_events() -> None:
    for record in records():
        starts = {"surgery_started": "damage_control", "definitive_surgery_started": "definitive"}
        steps = [event for event in record["timeline"] if "surgery_" in event["event"]]
        sessions = [event for event in steps if event["event"] in starts]
        assert [(note["start"], note["kind"], note["facility"]) for note in record["operations"]] == [
            (event["at"], starts[event["event"]], event["facility"]) for event in sessions
        ]
        for note in record["operations"]:
            if note["end"] is None:
                assert note["minutes"] is None
            else:
                assert note["end"] in [event["at"] for event in steps if event["event"].endswith("ended")]
                assert abs(seconds(note["end"]) - seconds(note["start"]) - 60 * note["minutes"]) < 61


def test_an_operation_note_names_what_was_done_and_the_wounds_it_was_done_to() -> None:
    kinds = catalogue.treatment_kinds()
    for record, note in each("operations"):
        done = [
            given
            for given in record["treatments"]
            if kinds[given["treatment"]].theatre
            and note["start"] <= given["start"] <= (note["end"] or record["outcome"]["at"])
            and given["facility"] == note["facility"]
        ]
        assert note["procedures"] is not None, record["id"]
        for given in done:
            assert kinds[given["treatment"]].display in note["procedures"]
        assert len(note["procedures"].split("; ")) == len(done)
        for given in done:
            if given["wound"] is not None:
                display = record["injury"]["wounds"][given["wound"]]["display"].split(", initial")[0]
                assert display in note["findings"]


def test_codes_of_procedures_hold_whatever_the_wound() -> None:
    kinds, codes = catalogue.treatment_kinds(), catalogue.procedure_codes()
    assert codes
    for label, code in codes.items():
        assert label in kinds
        assert re.fullmatch("0[0-9A-HJ-NP-Z]{6}", code), label
    for _, given in each("treatments"):
        assert given.get("procedure_code") == codes.get(given["treatment"])


def test_days_in_intensive_care_are_the_time_between_its_events() -> None:
    leaves = {
        "ward_admitted",
        "surgery_started",
        "definitive_surgery_started",
        "departed",
        "returned_to_duty",
        "died",
        "left_theatre",
        "discharged",
        "in_care_at_horizon",
    }
    stays = 0
    for record in records():
        steps = [event for event in record["timeline"] if event["event"] in leaves | {"icu_admitted"}]
        days = (
            sum(
                seconds(following["at"]) - seconds(event["at"])
                for event, following in pairwise(steps)
                if event["event"] == "icu_admitted"
            )
            / 86_400
        )
        stays += days > 0
        assert -1e-3 < days - record["outcome"]["icu_days"] < 0.1 + 1e-3
    assert stays > 50


def test_a_hit_on_the_facility_ends_the_stay_in_intensive_care() -> None:
    hit = [{"event": "hit", "at_hours": 24.0 * day, "facility": "R2"} for day in range(1, 30, 2)]
    result = goldenhour.simulate("coin", patients=2000, settings={"detail": "full", "world": hit})
    struck = 0
    for record in result.records():
        care = [given for given in record.treatments if given.treatment == "critical_care"]
        if not care:
            continue
        days = sum(seconds(given.end) - seconds(given.start) for given in care) / 86_400
        events = [event.event for event in record.timeline]
        struck += ("icu_admitted", "facility_hit") in pairwise(events)
        assert record.outcome.icu_days <= days + 0.1, record.id
    assert struck > 20


def test_the_blood_of_an_operation_is_that_of_its_resuscitation_or_its_own() -> None:
    units = 0
    for record in records():
        blood = [given for given in record["treatments"] if given["treatment"] == "blood_transfusion"]
        since = ""
        for operation in record["operations"]:
            until = operation["end"] or record["outcome"]["at"]
            expected = sum(
                given["units"]
                for given in blood
                if given["facility"] == operation["facility"] and since < given["start"] <= until
            )
            assert operation["blood_units"] == expected, record["id"]
            since, units = until, units + expected
    assert units > 100


def test_nobody_is_ventilated_longer_than_the_record_lasts_nor_without_a_tube() -> None:
    for record in records():
        days = record["outcome"]["ventilator_days"]
        span = (seconds(record["outcome"]["at"]) - seconds(record["injury"]["at"])) / 86_400
        assert days <= span + 0.1
        if days:
            assert any(
                given["treatment"] in ("intubation", "surgical_airway", "tracheostomy")
                for given in record["treatments"]
            )


def test_diagnoses_begin_with_the_main_one_and_name_each_wound_once() -> None:
    for record in records():
        named = [entry["code"] for entry in record["injury"]["diagnoses"]]
        assert named[0] == record["injury"]["diagnosis"]["code"]
        assert [entry["place"] for entry in record["injury"]["diagnoses"]] == list(range(1, 1 + len(named)))
        wounds = {wound["code"]: wound["ais"] for wound in record["injury"]["wounds"]}
        further = {entry["code"] for entry in record["injury"]["further_diagnoses"]}
        assert set(named) == {named[0], *wounds, *further}
        severities = [wounds[code] for code in named[1:] if code in wounds]
        assert severities == sorted(severities, reverse=True)


def test_only_the_dead_have_a_chain_of_causes_and_it_ends_with_the_external_cause() -> None:
    for record in records():
        chain = record["outcome"]["death_chain"]
        cause = record["outcome"]["cause_of_death"]
        assert bool(chain) == (cause is not None)
        if not chain:
            continue
        lines = [entry["line"] for entry in chain]
        assert lines == [line for line in ("immediate", "due_to", "underlying") if line in lines]
        assert lines[0] == "immediate"
        external = record["injury"]["external_cause"]
        if external is not None and cause != "facility_hit":
            assert chain[-1]["code"] == external["code"]
        if cause.endswith("haemorrhage"):
            assert chain[0]["code"] == "R57.1"
            assert chain[1]["code"] in {wound["code"] for wound in record["injury"]["wounds"]}
        if cause == "tension_pneumothorax":
            assert chain[1]["code"][:3] in ("S21", "S22", "S25", "S26", "S27", "S28"), chain


def test_only_those_who_return_have_duty_and_its_limits() -> None:
    seen = Counter()
    for record in records():
        duty = record["outcome"]["duty"]
        assert (duty is not None) == (record["outcome"]["status"] == "rtd")
        seen[duty] += 1
    assert seen["full duty"] > 20
    assert len(seen) > 4


def test_nobody_in_a_crash_is_dismounted_and_nobody_on_foot_wears_a_seat_belt() -> None:
    seen = Counter()
    for record in records():
        injury, where = record["injury"], record["injury"]["circumstances"]
        text = where["narrative"]
        assert (text is None) == (injury["external_cause"] is None)
        seen[where["posture"]] += 1
        if where["posture"] is None:
            assert where["protection"] is None
            continue
        words = text.lower()
        if "crash" in words or "traffic" in words:
            assert where["posture"] == "mounted"
        if where["posture"] != "mounted":
            assert "seat belt" not in words
            assert "in a vehicle" not in words
        if injury["kind"] != "agent":
            assert "mask" not in words
        assert where["protection"] in text
    assert set(seen) >= {"dismounted", "mounted", "aboard", None}


def test_casualties_of_one_incident_and_cause_were_in_the_same_posture() -> None:
    postures: dict[Any, set[Any]] = {}
    for record in records():
        cause = (record["injury"]["external_cause"] or {}).get("code")
        postures.setdefault((record["incident"]["id"], cause), set()).add(
            record["injury"]["circumstances"]["posture"]
        )
    assert all(len(found) == 1 for found in postures.values())


def test_a_mist_report_tells_what_is_known_at_departure() -> None:
    found = 0
    for record in records():
        left = [
            event["at"]
            for event in record["timeline"]
            if event["event"] == "departed" and event["facility"] == "POI"
        ]
        assert (record["casualty_card"]["mist"] is None) == (not left)
        if not left:
            continue
        found += 1
        told = re.fullmatch(r"M: (.*)\. I: (.*)\. S: (.*)\. T: (.*)\.", record["casualty_card"]["mist"])
        assert told is not None, record["casualty_card"]["mist"]
        mechanism, injuries, signs, treatments = told.groups()
        assert mechanism == (record["injury"]["circumstances"]["narrative"] or "Illness")
        worst = record["injury"]["diagnosis"]["display"].split(", initial")[0]
        assert injuries.startswith(worst)
        taken: dict[str, Any] = {}
        for reading in record["vitals"]:
            if reading["at"] <= left[0]:
                taken |= reading
        expected = [
            f"HR {taken['heart_rate']}" if "heart_rate" in taken else "HR not taken",
            f"BP {taken['systolic']}/{taken['diastolic']}" if "systolic" in taken else None,
            f"RR {taken['respiratory_rate']}" if "respiratory_rate" in taken else None,
            f"SpO2 {taken['spo2']} %" if "spo2" in taken else None,
            f"GCS {taken['gcs']}" if "gcs" in taken else None,
            f"pain {taken['pain']}/10"
            if "pain" in taken and taken.get("avpu") not in ("pain", "unresponsive")
            else None,
            f"AVPU {taken['avpu']}" if "avpu" in taken else None,
        ]
        assert signs == ", ".join(text for text in expected if text)
        given = [
            entry["treatment"].replace("_", " ")
            for entry in record["treatments"]
            if entry["facility"] == "POI" and entry["start"] <= left[0]
        ]
        assert treatments == (", ".join(list(dict.fromkeys(given))[:8]) or "none")
    assert found > 1000


def test_shares_of_allergies_and_histories_are_those_of_the_catalogue() -> None:
    ids = np.array([int(record["id"][19:].replace("-", ""), 16) for record in records()], np.uint64)
    assert len(set(ids.tolist())) == len(ids)
    patients = len(records())
    for rows, name in ((catalogue.allergies(), "allergies"), (catalogue.histories(), "history")):
        counts = Counter(record["casualty_card"][name] for record in records())
        for row in rows:
            spread = 5 * (patients * row.share * (1 - row.share)) ** 0.5
            assert abs(counts[row.words] - patients * row.share) < spread, row
    taken = {row.words: row.medication for row in catalogue.histories()}
    for record in records():
        assert record["casualty_card"]["medication"] in ("none", taken[record["casualty_card"]["history"]])


def test_draws_of_a_record_are_uniform_and_independent_of_each_other() -> None:
    words = np.random.default_rng(1).integers(0, 2**63, 100_000, np.uint64)
    drawn = [draw(words, purpose) for purpose in RecordDraw]
    for numbers in drawn:
        assert 0 <= numbers.min() < numbers.max() < 1
        assert abs(numbers.mean() - 0.5) < 5 / (12 * len(words)) ** 0.5
    correlations = np.corrcoef(drawn)
    assert np.abs(correlations - np.eye(len(drawn))).max() < 5 / len(words) ** 0.5


def test_every_treatment_with_a_dose_exists_and_the_states_are_signs_of_a_record() -> None:
    assert {row.treatment for row in catalogue.doses()} <= set(TREATMENTS)
    for sign in catalogue.dose_signs():
        assert sign.sign in synthetic.SIGNS


@pytest.mark.parametrize("name", sorted(catalogue.death_chains()))
def test_immediate_causes_are_codes_of_icd_10_cm(name: str) -> None:
    icd = pytest.importorskip("simple_icd_10_cm")
    row = catalogue.death_chains()[name]
    assert icd.is_leaf(row.code)
    assert icd.get_description(row.code) == row.display

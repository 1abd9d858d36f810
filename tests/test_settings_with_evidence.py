"""The built-in scenarios `lsco`, `warship_hit` and `nerve_agent`: they check clean, and each shows what it is about."""

import hashlib
import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

import goldenhour

NAMES = ("lsco", "warship_hit", "nerve_agent")
REPLICATIONS = range(3)
BURNS = tuple(f"T{number}" for number in range(20, 33))
DAY_MINUTES = 24 * 60


@cache
def result(name: str, replication: int = 0) -> goldenhour.Result:
    return goldenhour.simulate(name, replication=replication)


@cache
def records(name: str, replication: int = 0) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(one) for one in result(name, replication).records()]


def measured(name: str, place: str, replication: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = result(name, replication).measures[place]
    return found


def minutes(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() / 60.0


def agent_casualties() -> list[dict[str, Any]]:
    return [one for one in records("nerve_agent") if one["injury"]["kind"] == "agent"]


def times(record: dict[str, Any], event: str) -> list[str]:
    return [row["at"] for row in record["timeline"] if row["event"] == event]


# --- all three


@pytest.mark.parametrize("name", NAMES)
def test_it_checks_clean_and_says_how_many_to_expect(call: Any, name: str) -> None:
    answer = call("scenarios", "check", name, "--json")
    assert answer.code == 0, answer.err
    checked = json.loads(answer.out)
    assert 200 <= checked["expected"] <= 400
    assert all("ICU beds for about" in note for note in checked["notes"]), "no setting without effect"
    shown = call("scenarios", "check", name).out
    assert f"about {checked['expected']:,.0f}" in shown
    assert "5-95 %" in shown


@pytest.mark.parametrize("name", NAMES)
def test_only_what_is_outside_the_theatre_has_no_limits(name: str) -> None:
    scenario = result(name).scenario
    for facility in scenario.facilities:
        if facility.role == 4:
            continue
        assert facility.triage_teams and facility.treatment_bays and facility.ward_beds, facility.id
        if facility.role >= 2:
            assert facility.operating_tables and facility.surgical_teams and facility.icu_beds, facility.id
    pools = {pool.id for pool in scenario.vehicles}
    by_hand = {link.destination for link in scenario.links if link.vehicle not in pools}
    assert by_hand == ({f"R1-{front.name}" for front in scenario.fronts} if name == "warship_hit" else set())


@pytest.mark.parametrize("name", NAMES)
def test_nobody_waits_for_weeks_and_everybody_leaves(name: str) -> None:
    for replication in REPLICATIONS:
        days = result(name, replication).scenario.days
        assert measured(name, "flow", replication)["days"] <= days + 30
        for record in records(name, replication):
            first = [row["at"] for row in record["timeline"] if row["event"] == "arrived"][:1]
            if first:
                assert minutes(record["injury"]["onset"], first[0]) < DAY_MINUTES
        waits = [
            row["mean_wait_minutes"]
            for row in measured(name, "flow", replication)["resources"]
            if row["mean_wait_minutes"] is not None
        ]
        assert max(waits) < DAY_MINUTES


@pytest.mark.parametrize("name", NAMES)
def test_the_text_that_show_prints_gives_the_same_bytes(call: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.toml").write_text(call("scenarios", "show", name).out)
    digests = []
    for source in (name, "mine.toml"):
        output = tmp_path / source.removesuffix(".toml")
        answer = call("run", source, "--workers", "0", "--quiet", "--no-store", "-o", str(output))
        assert answer.code == 0, answer.err
        digests.append(hashlib.sha256((output / "patients-00000.jsonl").read_bytes()).hexdigest())
    assert digests[0] == digests[1]


# --- each


def test_in_large_scale_combat_role_2_and_surgery_are_hours_away() -> None:
    for replication in REPLICATIONS:
        times_from_injury = measured("lsco", "minutes_from_injury", replication)
        assert 3 * 60 < times_from_injury["role2"]["median"] < 12 * 60
        assert 4 * 60 < times_from_injury["surgery"]["median"] < 16 * 60
        assert 60 < times_from_injury["role1"]["median"] < 4 * 60


def test_in_large_scale_combat_faster_evacuation_saves_lives() -> None:
    """The settings that contest evacuation decide: without them, common random numbers show fewer deaths."""
    free = {
        f"vehicles[{pool}-{n}].{setting}": value
        for n in range(1, 5)
        for pool, setting, value in (
            ("forward", "dispatch_minutes", 5.0),
            ("forward", "loss", 0.0),
            ("convoy", "lift", None),
        )
    }
    freed = [goldenhour.simulate("lsco", replication=number, settings=free) for number in REPLICATIONS]
    held = [result("lsco", number) for number in REPLICATIONS]

    def dead(runs: list[goldenhour.Result]) -> int:
        return sum(run.measures["outcomes"]["kia"] + run.measures["outcomes"]["dow"] for run in runs)

    assert dead(freed) < dead(held)


def test_on_ships_burns_are_the_largest_share_of_wounds() -> None:
    for replication in REPLICATIONS:
        battle = [one["injury"] for one in records("warship_hit", replication) if one["injury"]["wounds"]]
        groups: dict[str, int] = {}
        for injury in battle:
            code = injury["diagnosis"]["code"][:3]
            group = "burn" if code in BURNS else code
            groups[group] = groups.get(group, 0) + 1
        assert max(groups, key=lambda group: groups[group]) == "burn"
        burned = [one for one in battle if any(wound["code"].startswith(BURNS) for wound in one["wounds"])]
        assert len(burned) > 0.4 * len(battle)
        assert any(wound["code"].startswith("T27") for one in burned for wound in one["wounds"]), (
            "of the airway"
        )
        assert any("blast" in wound["display"] for one in battle for wound in one["wounds"])


def test_on_ships_as_many_are_hurt_as_on_the_ships_of_history_and_four_in_ten_die() -> None:
    dead = hurt = 0
    for replication in REPLICATIONS:
        battle = [one for one in records("warship_hit", replication) if one["injury"]["category"] == "battle"]
        by_ship = {ship: sum(one["front"] == ship for one in battle) for ship in ("Frigate", "Destroyer")}
        assert by_ship == {"Frigate": 37 + 21, "Destroyer": 20 + 26}
        hurt += len(battle)
        dead += sum(one["outcome"]["status"] in ("kia", "dow") for one in battle)
    assert 0.35 < dead / hurt < 0.47


def test_on_ships_the_first_facility_is_on_board_and_the_next_afloat() -> None:
    for record in records("warship_hit"):
        places = [row["facility"] for row in record["timeline"] if row["event"] == "arrived"]
        assert places[:1] in ([], [f"R1-{record['front']}"])
        assert places[1:2] in ([], ["R2-Afloat"])


def test_agent_casualties_are_coded_as_an_attack() -> None:
    found = agent_casualties()
    assert len(found) == 70 + 50
    for record in found:
        injury = record["injury"]
        assert (injury["agent"], injury["category"], injury["mechanism"]) == ("nerve", "battle", "cbrn")
        assert injury["external_cause"]["code"] == "Y36.7X0A"
        assert injury["diagnosis"]["code"] == "T44.0X3A", "poisoning, assault"
    assert {record["injury"]["severity"] for record in found} == {"mild", "moderate", "severe", "very_severe"}


WHILE_THE_SKIN_IS_CLEANED = ("atropine", "bag_mask_ventilation", "oxygen", "autoinjector")
"""Treatments that keep the poisoned alive meanwhile."""


def test_agent_casualties_are_decontaminated_once_before_triage_and_care() -> None:
    decontaminated = 0
    for record in agent_casualties():
        arrived = times(record, "arrived")
        started = times(record, "decontamination_started")
        assert len(started) <= 1
        assert started == arrived[:1], "at the door of the first facility"
        triaged = [each for each in times(record, "triaged") if started and each > started[0]]
        if not triaged:  # who dies on the way, or there
            continue
        decontaminated += 1
        assert minutes(started[0], triaged[0]) >= 20.0
        inside = [
            row
            for row in record["treatments"]
            if row["facility"].startswith("R") and row["treatment"] not in WHILE_THE_SKIN_IS_CLEANED
        ]
        assert inside[0]["treatment"] == "decontamination"
        assert min(minutes(started[0], row["start"]) for row in inside[1:]) >= 20.0
    assert decontaminated > 90


def test_nobody_else_is_decontaminated() -> None:
    for record in records("nerve_agent"):
        if record["injury"]["kind"] != "agent":
            assert not times(record, "decontamination_started")


def test_the_worried_rest_near_their_unit() -> None:
    found = [one for one in records("nerve_agent") if one["injury"]["diagnosis"]["code"] == "F43.0"]
    assert len(found) >= 70
    stayed = sum(max(row.get("role") or 0 for row in one["timeline"]) == 1 for one in found)
    assert stayed > 0.35 * len(found), "back within the three days that Role 1 keeps them"

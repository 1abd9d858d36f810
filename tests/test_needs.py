"""What the wounds of the catalogue call for: facts that a trauma surgeon checks."""

import re

import pytest

from engine.codes import Treatment
from scenarios import catalogue
from scenarios.catalogue.vocabulary import Treatment as Word

WOUNDS = [condition for condition in catalogue.conditions() if condition.use == "wound"]
BLOOD = {"blood_transfusion", "calcium", "tranexamic_acid"}
DRESSINGS = {"pressure_dressing", "haemostatic_dressing", "wound_care", "burn_dressing", "chest_seal"}


def named(pattern: str) -> list[catalogue.Condition]:
    """The wounds whose display matches."""
    found = [condition for condition in WOUNDS if re.search(pattern, condition.display, re.IGNORECASE)]
    assert found, pattern
    return found


def test_the_words_are_the_treatments_of_the_engine() -> None:
    assert set(Word.__args__) == set(Treatment.labels())  # type: ignore[attr-defined]


def test_there_are_more_than_a_thousand_diagnoses() -> None:
    uses = {(condition.code, condition.use) for condition in catalogue.conditions()}
    assert len(uses) > 1000
    assert len({condition.code for condition in WOUNDS}) > 700


def test_a_treatment_is_a_need_or_an_operation_never_both() -> None:
    needs = {word for condition in WOUNDS for word in condition.needs}
    operations = {word for condition in WOUNDS for word in condition.operations}
    assert not needs & operations
    assert {"laparotomy", "craniotomy", "thoracotomy", "vascular_repair", "amputation"} <= operations
    assert {"tourniquet", "chest_drain", "closed_reduction", "burn_fluids"} <= needs


def test_every_wound_needs_something() -> None:
    assert all(condition.needs for condition in WOUNDS)


@pytest.mark.parametrize("opened", ["fracture", "globe", "peritoneum", "pleura", "skull"])
def test_what_lies_open_is_operated_on(opened: str) -> None:
    found = [condition for condition in WOUNDS if condition.opens == opened]
    assert found
    drained = (
        {"chest_drain"} if opened == "pleura" else set()
    )  # of small holes in the chest nothing is excised
    assert all(condition.operations or drained & set(condition.needs) for condition in found)


def test_an_open_fracture_a_pierced_globe_and_a_breached_cavity_are_marked_as_open() -> None:
    for condition in named("for open fracture"):
        if not condition.code.startswith("S02.5"):  # a tooth
            assert condition.opens in ("fracture", "skull"), condition.code
    for condition in named(
        "penetrating wound .*eyeball|ocular laceration|avulsion of .* eye|destruction of .* eyeball"
    ):
        assert condition.opens == "globe", condition.code
    for condition in named("with penetration into peritoneal cavity"):
        assert condition.opens == "peritoneum", condition.code
    for condition in named("with penetration into thoracic cavity"):
        assert (condition.opens, condition.chest) == ("pleura", "open"), condition.code


def test_a_cut_vessel_is_operated_on() -> None:
    for condition in WOUNDS:
        if condition.vessel:
            assert {"vascular_repair", "ligation"} & set(condition.operations), condition.code
            assert condition.bleeding, condition.code


def test_a_dislocation_is_reduced() -> None:
    assert all("closed_reduction" in condition.needs for condition in named("dislocation"))


def test_the_chest_is_opened_for_what_a_surgeon_can_mend_there() -> None:
    for condition in WOUNDS:
        if "thoracotomy" in condition.operations:
            assert re.match(r"S2(5|6\.02|7\.33|7\.4|7\.5|7\.81|8\.0)", condition.code), condition.code
            assert not re.search("cord|blast|contusion", condition.display), condition.code


def test_the_skull_is_opened_for_a_mass_an_open_fracture_or_a_penetrating_wound() -> None:
    for condition in WOUNDS:
        if "craniotomy" in condition.operations:
            mass = re.match(r"S06\.[3-5]", condition.code) and condition.ais_low >= 4
            assert condition.opens == "skull" or mass, condition.code
        if re.match(r"S06\.[45]", condition.code) and condition.ais_low >= 4:
            assert "craniotomy" in condition.operations, condition.code


def test_a_coma_is_intubated_and_ventilated() -> None:
    for condition in WOUNDS:
        if condition.brain == "severe":
            assert {"intubation", "ventilation", "critical_care"} <= set(condition.needs), condition.code
        assert (condition.brain != "") == bool(re.match(r"S06|S02\.(0|1|91)|S07\.1", condition.code)), (
            condition.code
        )


def test_an_organ_is_never_dressed() -> None:
    for condition in WOUNDS:
        if DRESSINGS & set(condition.needs):
            assert (
                condition.opens
                or condition.burn
                or "superficial" in condition.display.lower()
                or re.search("abrasion|foreign body in cornea", condition.display, re.IGNORECASE)
            ), condition.code
    for condition in named("ear drum|blast injury of|barotrauma|inner ear"):
        if "except ear drum" not in condition.display:
            assert not DRESSINGS & set(condition.needs), condition.code


def test_a_tourniquet_is_for_a_limb_that_bleeds() -> None:
    for condition in WOUNDS:
        if "tourniquet" in condition.needs:
            assert condition.bleeding == "limb", condition.code
            assert condition.regions in (("upper_limb",), ("lower_limb",)), condition.code
        if "junctional_tourniquet" in condition.needs:
            assert condition.bleeding == "junctional", condition.code
        if condition.bleeding == "limb" and (condition.vessel or condition.amputation):
            assert "tourniquet" in condition.needs, condition.code


def test_who_bleeds_from_a_large_vessel_or_a_lost_limb_gets_blood() -> None:
    for condition in WOUNDS:
        large = condition.vessel and condition.ais_low >= 3
        lost = condition.amputation and condition.bleeding in ("limb", "junctional")
        if large or lost:
            assert set(condition.needs) >= BLOOD, condition.code
        if condition.needs and "blood_transfusion" in condition.needs:
            assert "iv_access" in condition.needs, condition.code


def test_a_broken_pelvic_ring_gets_a_binder_and_a_broken_limb_a_splint() -> None:
    assert all("pelvic_binder" in condition.needs for condition in named("fractures? of .*pelvis"))
    for condition in WOUNDS:
        if condition.fracture and condition.regions in (("upper_limb",), ("lower_limb",)):
            assert "splint" in condition.needs, condition.code


def test_air_and_blood_in_the_chest_are_drained_and_a_hole_in_it_is_sealed() -> None:
    for condition in named("pneumothorax|hemothorax"):
        assert "chest_drain" in condition.needs, condition.code
    for condition in WOUNDS:
        if condition.chest == "open":
            assert {"chest_seal", "needle_decompression", "chest_drain"} <= set(condition.needs), (
                condition.code
            )
        if condition.chest == "tension-prone":
            assert "needle_decompression" in condition.needs, condition.code


def test_a_burn_is_dressed_and_from_20_per_cent_on_gets_fluids() -> None:
    for condition in WOUNDS:
        if condition.burn and not re.match(r"T26\.[12]|T27", condition.code):
            first_degree = "first degree" in condition.display
            assert ("burn_dressing" in condition.needs) != first_degree, condition.code
            assert first_degree or condition.burn_share is not None, condition.code
        if condition.burn_share is not None:
            large = condition.burn_share[0] >= 20
            assert ("burn_fluids" in condition.needs) == large, condition.code


def test_an_open_wound_gets_antibiotics_and_a_tetanus_shot() -> None:
    for condition in WOUNDS:
        if condition.opens:
            assert {"antibiotics", "tetanus_prophylaxis"} <= set(condition.needs), condition.code


def test_a_lost_airway_is_secured() -> None:
    for condition in WOUNDS:
        if condition.airway == "lost":
            assert {"intubation", "surgical_airway"} & set(condition.needs), condition.code


def test_a_pierced_eye_is_shielded_and_never_pressed() -> None:
    for condition in WOUNDS:
        if condition.opens == "globe":
            assert "eye_shield" in condition.needs, condition.code
            assert not DRESSINGS & set(condition.needs), condition.code


def test_the_stay_comes_with_every_wound_and_who_is_badly_hurt_leaves() -> None:
    for condition in WOUNDS:
        assert condition.stay_days is not None and condition.return_days is not None, condition.code
        if condition.return_days != "no":
            assert condition.return_days >= condition.stay_days, condition.code
        if condition.ais_low >= 3 and condition.code not in ("S06.8A1A",):
            assert condition.return_days == "no", condition.code
        if condition.fracture and re.match(r"S(22\.0|32|42|52|72|82)", condition.code):
            assert condition.return_days == "no", condition.code


def test_the_sides_call_for_the_same() -> None:
    by_text: dict[tuple[str, int, tuple[str, ...]], set[tuple[object, ...]]] = {}
    for condition in WOUNDS:
        text = re.sub(r"\b(left|right)\b", "", condition.display)
        key = text, condition.ais_low, condition.mechanisms
        if not text.startswith("Laceration of  colon") and "[" not in text:
            by_text.setdefault(key, set()).add(
                (
                    condition.needs,
                    condition.operations,
                    condition.bleeding,
                    condition.opens,
                    condition.return_days,
                )
            )
    assert {key: found for key, found in by_text.items() if len(found) > 1} == {}

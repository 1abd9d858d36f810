"""The catalogue: nations and names, ranks, units, diagnoses and external causes."""

import csv
import json
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import pytest
import simple_icd_10_cm as icd

from engine import codes
from engine.codes import MECHANISMS, REGIONS, SIDED_REGIONS
from scenarios import catalogue, compile_names
from scenarios.texts import clean_text

CODES = [nation.code for nation in catalogue.nations()]
WORST_AIS = {
    "head": 6, "eyes": 3, "ears": 2, "face": 4, "neck": 6, "thorax": 6, "abdomen": 6,
    "upper_limb": 5, "lower_limb": 5,
}  # fmt: skip
WARFARE = (
    "standard", "conventional", "artillery", "urban", "guerrilla", "drone", "naval", "cbrn", "peacekeeping",
)  # fmt: skip
TWO_PACKAGES = """
S06.0X0A S06.0X1A S06.2X9A S06.9X9A S05.61XA T70.0XXA S01.90XA S11.90XA S21.309A S27.0XXA S27.1XXA S27.2XXA
S27.321A S31.609A S36.00XA S36.113A S35.90XA S32.9XXB S72.90XB S82.201B S42.301B S75.001A S85.001A S45.101A
S78.119A S88.119A S58.119A S68.719A T20.30XA T31.20 T31.40 T79.4XXA R57.1 T79.2XXA T79.A0XA T59.4X1A T58.8X1A
Y36.200A Y36.210A Y36.230A Y36.250A Y36.270A Y36.290A Y36.300A Y36.430A Y36.500A Y36.6X0A Y36.7X0A
Y36.820A Y37.230A Y37.430A Z65.5 Z91.82 A09 A08.11 J06.9 J20.9 J18.9 J10.1 B50.9 B54 B55.1 A01.00 A90 L03.90
K35.80 K37 K04.7 N20.0 N39.0 H10.9 L23.9 B35.3 R50.9 R19.7 E86.0 S93.401A S83.519A S43.006A S13.4XXA M25.569
T67.5XXA T68.XXXA T69.021A T33.90XA F43.0 F43.10 F43.11 F43.12 F43.20 F43.22 F41.9 F32.9 G47.00 F51.02
R45.851 F44.9 F10.10 M54.50 R51.9 T67.01XA F32.A U07.1
"""
SNOMED_CONFIRMED = {
    "62106007", "62564004", "36118008", "31892009", "39419009", "386689009", "370977006", "33737001",
    "44465007", "279039007", "25374005", "74400008", "128045006", "47505003", "67195008", "17226007",
    "193462001", "48694002",
}  # fmt: skip


def every_name(code: str) -> list[str]:
    names = catalogue.names(code)
    return [*names.male_given, *names.female_given, *names.male_family, *names.female_family]


def coded() -> list[catalogue.Condition | catalogue.Cause]:
    return [*catalogue.conditions(), *catalogue.external_causes()]


def wounds() -> list[catalogue.Condition]:
    return [condition for condition in catalogue.conditions() if condition.use == "wound"]


def test_every_nato_nation_is_known_and_every_nation_of_the_reference_tables() -> None:
    listed = json.loads(files("scenarios").joinpath("data", "nation_codes.json").read_bytes())
    assert len(listed["nato"]) == 32
    assert set(CODES) == set(listed["nato"]) | set(listed["others"])
    assert sorted(CODES) == CODES
    folder = files("scenarios").joinpath("data", "reference")
    text = "".join(item.read_text() for item in folder.iterdir() if item.name.endswith(".json"))
    named = set(re.findall(r'"nationality_code":\s*"([A-Z]{3})"', text))
    assert named and named <= set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_names_are_latin_without_titles_or_separators(code: str) -> None:
    for name in every_name(code):
        assert name == unicodedata.normalize("NFC", name)
        assert all(unicodedata.name(char).startswith("LATIN") or char in " -'" for char in name), name
        assert not re.search(r'[,."\\\d\s]', name.replace(" ", "")), name
        assert name[-1].isalpha() and any(char.isupper() for char in name), name


@pytest.mark.parametrize("code", CODES)
def test_every_nation_has_enough_names_for_both_sexes(code: str) -> None:
    names = catalogue.names(code)
    assert 30 <= len(names.male_given) <= 400
    assert 30 <= len(names.female_given) <= 400
    assert 40 <= len(names.male_family) <= 800
    assert len(names.male_family) == len(names.female_family)
    for table in (names.male_given, names.female_given, names.male_family):
        assert len(set(table)) == len(table)


@pytest.mark.parametrize("code", [code for code in CODES if code not in ("USA", "CAN")])
def test_no_nation_falls_back_to_us_english_names(code: str) -> None:
    english = import_module("faker.providers.person.en_US").Provider
    names = catalogue.names(code)
    shared = len(set(names.male_family) & set(english.last_names)) / len(names.male_family)
    same_language = code in ("GBR", "AUS", "NZL")
    assert shared < (0.8 if same_language else 0.3)
    for locale in catalogue.nations()[catalogue.nation_index()[code]].locales:
        assert locale == "supplement" or compile_names.find_provider(locale) is not english


def test_a_locale_that_faker_lacks_is_an_error() -> None:
    for locale in ("sq_AL", "sr_ME", "en_AU", "en_CA"):
        with pytest.raises(compile_names.MissingLocaleError):
            compile_names.find_provider(locale)


def test_compiling_the_names_again_gives_the_committed_files() -> None:
    folder = files("scenarios").joinpath("data", "names")
    compiled = compile_names.compile_names()
    assert sorted(compiled) == sorted(item.name for item in folder.iterdir())
    for name, data in compiled.items():
        assert folder.joinpath(name).read_bytes() == data, name


@pytest.mark.parametrize(
    ("code", "male", "female"),
    [
        ("POL", "Kowalski", "Kowalska"),
        ("CZE", "Svoboda", "Svobodová"),
        ("CZE", "Černý", "Černá"),
        ("SVK", "Horváth", "Horváthová"),
        ("BGR", "Ivanov", "Ivanova"),
        ("LTU", "Kazlauskas", "Kazlauskaitė"),
        ("LVA", "Bērziņš", "Bērziņa"),
        ("GRC", "Alexopoulos", "Alexopoulou"),
        ("MKD", "Jovanovski", "Jovanovska"),
        ("ISL", "Guðmundsson", "Guðmundsdóttir"),
        ("EST", "Pavlov", "Pavlova"),
        ("DEU", "Ackermann", "Ackermann"),
    ],
)
def test_surnames_agree_with_sex_where_the_language_does(code: str, male: str, female: str) -> None:
    names = catalogue.names(code)
    assert names.female_family[names.male_family.index(male)] == female


def test_a_spaniard_has_two_surnames() -> None:
    assert all(len(name.split()) >= 2 for name in catalogue.names("ESP").male_family)


@pytest.mark.parametrize("nation", catalogue.nations(), ids=CODES)
def test_ranks_cover_soldiers_and_officers_and_their_weights_sum_to_one(nation: catalogue.Nation) -> None:
    assert sum(rank.weight for rank in nation.ranks) == pytest.approx(1.0)
    assert all(re.fullmatch(r"OR-[1-9]|OF-[1-5]", rank.nato_code) for rank in nation.ranks)
    assert all(18 <= rank.min_age <= 45 for rank in nation.ranks)
    soldiers = sum(rank.weight for rank in nation.ranks if rank.nato_code.startswith("OR"))
    assert 0.85 < soldiers < 0.99
    assert 0 < nation.female_share < 0.3


@pytest.mark.parametrize("code", [None, *CODES])
def test_blood_groups_are_eight_and_their_shares_sum_to_one(code: str | None) -> None:
    groups = catalogue.blood_groups(code)
    assert [group.name for group in groups] == [group.name for group in catalogue.blood_groups()]
    assert len({group.name for group in groups}) == 8
    assert sum(group.weight for group in groups) == pytest.approx(1.0)


def test_units_bear_the_name_of_their_front() -> None:
    units = catalogue.units("Poland")
    assert units[0] == "A Company, 1st Battalion (Poland)"
    assert len(set(units)) == len(units) == len(catalogue.units("Estonia"))
    assert all("(Poland)" in unit for unit in units)


def test_who_is_aboard_a_ship_belongs_to_its_company() -> None:
    units = catalogue.units("Destroyer")
    assert len(set(units)) == len(units) and all("(Destroyer)" in unit for unit in units)
    assert not any("Battalion" in unit or "Squadron" in unit for unit in units)


def test_every_icd_code_is_billable_and_its_display_is_the_packages() -> None:
    for entry in coded():
        assert icd.is_valid_item(entry.code) and icd.is_leaf(entry.code), entry.code
        assert clean_text(icd.get_description(entry.code)) == entry.display, entry.code
        assert entry.code[0] not in "STVWXY" or len(entry.code) == 8 or entry.code[:3] in ("T31", "T32"), (
            entry.code
        )


def texts_of(value: object) -> Iterator[str]:
    """All texts of a table, those of its keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from texts_of(key)
            yield from texts_of(entry)
    elif isinstance(value, list | tuple | set | frozenset):
        for entry in value:
            yield from texts_of(entry)


def test_every_text_of_the_code_tables_and_data_files_is_clean() -> None:
    """No tab, double blank, non-breaking blank, control character or invisible character."""
    found = {name: list(texts_of(value)) for name, value in vars(codes).items() if name.isupper()}
    for path in Path(str(files("scenarios").joinpath("data"))).rglob("*"):
        if path.suffix == ".json":
            found[path.name] = list(texts_of(json.loads(path.read_bytes())))
        elif path.suffix == ".toml":
            found[path.name] = list(texts_of(tomllib.loads(path.read_text())))
        elif path.suffix == ".csv":
            found[path.name] = list(texts_of(list(csv.reader(path.read_text("utf-8").splitlines()))))
    assert sum(map(len, found.values())) > 20_000
    dirty = {name: [text for text in texts if text != clean_text(text)] for name, texts in found.items()}
    assert {name: texts for name, texts in dirty.items() if texts} == {}


def test_cleaning_a_text_changes_nothing_else() -> None:
    assert clean_text(" a\t b\u00a0\u2009c\r\nd\x00e\u200bf\ufeff ") == "a b c d ef"
    for text in ("Łódź / 前线", "O'Neill-Müller", "", "type I or II/ initial"):
        assert clean_text(text) == text


def test_every_code_confirmed_in_two_packages_is_used() -> None:
    known = {entry.code for entry in coded()}
    assert set(TWO_PACKAGES.split()) <= known


def test_the_side_of_a_diagnosis_is_the_side_its_display_names() -> None:
    for condition in catalogue.conditions():
        named = {side for side in ("left", "right") if re.search(rf"\b{side}\b", condition.display)}
        assert named == {condition.side} & {"left", "right"}, condition.code


def test_left_and_right_are_equally_likely() -> None:
    totals = dict.fromkeys(("left", "right"), 0.0)
    for condition in catalogue.conditions():
        if condition.side in totals and condition.source != "two-packages":
            totals[condition.side] += condition.weight
    assert 0.95 < totals["left"] / totals["right"] < 1.1


@pytest.mark.parametrize("mechanism", MECHANISMS[:3])
@pytest.mark.parametrize("region", REGIONS)
def test_every_wound_of_the_model_has_a_diagnosis(region: str, mechanism: str) -> None:
    sides = ("left", "right") if region in SIDED_REGIONS else ("",)
    for ais in range(1, WORST_AIS[region] + 1):
        for side in sides:
            fitting = {
                condition.code
                for condition in wounds()
                if catalogue.wound_fits(condition, region, side, ais, mechanism, "standard")
                and (condition.side == side or condition.side not in ("left", "right"))
                and not condition.burn
                and condition.weight > 0
            }
            assert len(fitting) >= (3 if ais <= 3 else 1), (region, mechanism, ais, side)


def test_wounds_are_of_known_regions_and_severities() -> None:
    for condition in wounds():
        assert set(condition.regions) <= set(REGIONS)
        assert 1 <= condition.ais_low <= condition.ais_high <= 6
        assert all(condition.ais_high <= WORST_AIS[region] for region in condition.regions)
        assert condition.mechanisms and condition.weight >= 0
        unspecified = re.search(r"unspecified (arm|hand|femur|hip|lower leg|front wall)", condition.display)
        extent = condition.code.startswith("T31")  # goes second to the code of a site
        assert (condition.weight > 0) == (not extent and (unspecified is None or condition.side != "")), (
            condition.code
        )


def test_a_gunshot_neither_burns_nor_bruises() -> None:
    for condition in wounds():
        if "gunshot" in condition.mechanisms:
            assert not condition.burn, condition.code
            cerebral = condition.code.startswith("S06.3")  # "contusion and laceration", one code
            corneal = condition.code.startswith("S05.0")  # abrasion by splinters beside the shot
            bruise = r"contusion|superficial (?!\(|foreign body)|abrasion|blast|crush"
            assert cerebral or corneal or not re.search(bruise, condition.display.lower()), condition.code


def test_a_wound_of_ais_1_is_of_the_skin_or_a_concussion_outside_the_face() -> None:
    for condition in wounds():
        if condition.ais_low == 1 and not {"eyes", "ears", "face"} & set(condition.regions):
            assert condition.skin or condition.brain == "concussion", condition.code


def test_a_fatal_wound_is_not_of_the_skin() -> None:
    for condition in wounds():
        if condition.ais_high >= 4 and condition.skin:
            assert condition.burn, condition.code
        if condition.ais_high == 6:
            assert not condition.skin


def test_flags_agree_with_the_display() -> None:
    for condition in catalogue.conditions():
        text = condition.display.lower()
        if condition.use == "wound":
            assert condition.fracture == ("fracture" in text or "flail chest" in text), condition.code
            assert condition.amputation == ("amputation" in text), condition.code
            assert condition.burn == ("burn" in text), condition.code
            assert condition.pneumothorax == ("pneumothorax" in text), condition.code
            assert condition.eye == ("eyes" in condition.regions), condition.code
            vessel = re.search(r"arter|vein|aorta|vena cava|blood vessel", text)
            assert condition.vessel == bool(vessel), condition.code


def test_open_fractures_come_from_penetrating_wounds() -> None:
    for condition in wounds():
        if condition.mechanisms == ("gunshot",) and condition.fracture:
            assert "closed" not in condition.display


def test_drowning_is_naval() -> None:
    for condition in wounds():
        if condition.immersion:
            assert condition.types == ("naval",)


@pytest.mark.parametrize("use", ["nbi", "disease", "psychological", "agent"])
@pytest.mark.parametrize("category", ["T1", "T2", "T3"])
def test_every_triage_category_has_diagnoses(use: str, category: str) -> None:
    for sex in ("female", "male"):
        assert any(
            condition.use == use
            and category in condition.categories
            and condition.environment is None
            and condition.sex in (None, sex)
            and condition.weight > 0
            for condition in catalogue.conditions()
        )


@pytest.mark.parametrize("category", ["T1", "T2", "T3"])
def test_musculoskeletal_diseases_exist_for_every_category(category: str) -> None:
    assert any(c.group == "msk" and category in c.categories for c in catalogue.conditions())


@pytest.mark.parametrize(
    ("group", "environment"), [("fall", "mountainous_terrain"), ("crush", "urban_debris")]
)
def test_injuries_of_an_environment_occur_only_there_and_in_every_category(
    group: str, environment: str
) -> None:
    members = [condition for condition in catalogue.conditions() if condition.group == group]
    assert {condition.environment for condition in members} == {environment}
    assert {category for condition in members for category in condition.categories} == {"T1", "T2", "T3"}


@pytest.mark.parametrize("group", ["heat", "cold"])
def test_heat_and_cold_make_casualties_of_every_category(group: str) -> None:
    members = [condition for condition in catalogue.conditions() if condition.group == group]
    assert {category for condition in members for category in condition.categories} == {"T1", "T2", "T3"}


def test_every_warfare_type_has_causes_for_every_mechanism() -> None:
    for warfare in WARFARE:
        for mechanism in MECHANISMS[:3]:
            fitting = [
                cause
                for cause in catalogue.external_causes()
                if cause.use == "wound" and cause.mechanism == mechanism and cause.types.get(warfare, 0) > 0
            ]
            assert fitting, (warfare, mechanism)
            if mechanism == "other":
                assert {cause.nature for cause in fitting} >= {"burn", "blunt"}, warfare


def test_war_operations_are_coded_for_military_personnel() -> None:
    for cause in catalogue.external_causes():
        if cause.code.startswith(("Y36", "Y37")):
            assert cause.code[6] == "0" and "military personnel" in cause.display


def test_snomed_codes_are_the_confirmed_ones_and_carry_their_notice() -> None:
    codes = {condition.code for condition in catalogue.conditions()}
    assert set(catalogue.snomed()) <= codes
    assert {concept.code for concept in catalogue.snomed().values()} <= SNOMED_CONFIRMED
    assert "CC BY 4.0" in catalogue.snomed_notice()

"""What a scenario is, how it is written and read, and what follows from it."""

import doctest
import json
import subprocess
import sys
from importlib import import_module
from math import fsum
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect as mi
from msgspec.structs import replace

from engine.errors import ScenarioError
from engine.scenario import (
    TRANSPORT_KINDS,
    WARFARE_TYPES,
    Batch,
    Casualties,
    Distribution,
    Facility,
    Lift,
    Link,
    Mix,
    Rates,
    Scenario,
    Shift,
    Surge,
    Survival,
    Vehicle,
    Warfare,
    WorldEvent,
    check,
    day_weights_of,
    environment_multipliers,
    link_minutes,
    mean_of,
    mix_of,
    parse,
    resolve,
    scenario_hash,
    start_seconds,
    to_toml,
    with_overrides,
)
from scenarios import builtin_bytes, tables

MINIMAL = 'name = "small"\n'


def read(text: str) -> Scenario:
    return parse(text.encode(), "toml")


def any_value(kind: mi.Type) -> st.SearchStrategy[Any]:
    """Values of a type within its bounds, whatever they mean together."""
    if isinstance(kind, mi.Metadata):
        return any_value(kind.type)
    if isinstance(kind, mi.UnionType):
        return st.one_of(*[any_value(t) for t in kind.types])
    if isinstance(kind, mi.NoneType):
        return st.none()
    if isinstance(kind, mi.AnyType):
        number = st.floats(allow_nan=False, allow_infinity=False)
        return st.one_of(
            number, st.lists(number, max_size=2), st.dictionaries(st.text("ab_", min_size=1), number)
        )
    if isinstance(kind, mi.BoolType):
        return st.booleans()
    if isinstance(kind, mi.LiteralType):
        return st.sampled_from(kind.values)
    if isinstance(kind, mi.StrType):
        letters = st.characters(exclude_categories=["Cs"])
        return st.text(letters, min_size=kind.min_length or 0, max_size=min(kind.max_length or 12, 12))
    if isinstance(kind, mi.IntType):
        return st.integers(kind.ge, kind.le)
    if isinstance(kind, mi.FloatType):
        low, high = (kind.ge if kind.gt is None else kind.gt), (kind.le if kind.lt is None else kind.lt)
        return st.floats(
            low,
            high,
            exclude_min=kind.gt is not None,
            exclude_max=kind.lt is not None,
            allow_nan=False,
            allow_infinity=False,
        )
    if isinstance(kind, mi.ListType):
        least = kind.min_length or 0
        return st.lists(any_value(kind.item_type), min_size=least, max_size=max(2, least))
    if isinstance(kind, mi.DictType):
        return st.dictionaries(any_value(kind.key_type), any_value(kind.value_type), min_size=1, max_size=3)
    assert isinstance(kind, mi.StructType)
    required = {f.encode_name: any_value(f.type) for f in kind.fields if f.required}
    optional = {f.encode_name: any_value(f.type) for f in kind.fields if not f.required}
    return st.fixed_dictionaries(required, optional=optional)


SCENARIOS = any_value(mi.type_info(Scenario)).map(lambda tree: msgspec.convert(tree, Scenario))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(SCENARIOS)
def test_a_scenario_written_as_toml_or_json_reads_back_equal(s: Scenario) -> None:
    for commented in (False, True):
        assert read(to_toml(s, commented)) == s
    assert parse(msgspec.json.encode(s), "json") == s


def test_a_name_is_enough_for_a_scenario() -> None:
    s = resolve(read(MINIMAL))
    assert check(s) == []
    assert s.casualties.total == 1440
    assert [(f.name, f.share) for f in s.fronts] == [("Poland", 0.6), ("Estonia", 0.3), ("Finland", 0.1)]
    assert s.fronts[0].nations == {"POL": 0.5, "LTU": 0.25, "NLD": 0.2, "ESP": 0.05}


def test_the_commented_file_explains_every_field_of_every_table() -> None:
    text = to_toml(read(MINIMAL), commented=True)

    def names(kind: mi.Type) -> list[str]:
        if isinstance(kind, mi.Metadata):
            return names(kind.type)
        if isinstance(kind, mi.UnionType):
            return [n for t in kind.types for n in names(t)]
        if isinstance(kind, mi.ListType):
            return names(kind.item_type)
        if isinstance(kind, mi.StructType) and kind.cls is not Distribution:
            return [f.encode_name for f in kind.fields] + [n for f in kind.fields for n in names(f.type)]
        return []

    lines = text.splitlines()
    for name in names(mi.type_info(Scenario)):
        assert any(
            line.lstrip("#[").startswith((f"{name} =", f"{name}]")) or f".{name}]" in line for line in lines
        )


def test_every_example_of_the_commented_file_can_be_taken_as_it_is() -> None:
    text = to_toml(read(MINIMAL), commented=True)
    # Coordinates and distances are for links without minutes, which the example of a link has.
    not_together = (
        "#csv",
        '#fronts = ["North", "South"]',
        "#count = 16",
        "#distances",
        "#road_factor",
        "#latitude",
        "#longitude",
    )
    live = [
        line[1:] if line.startswith("#") and not line.startswith(("# ", *not_together)) else line
        for line in text.splitlines()
    ]
    s = read("\n".join(line for line in live if line))
    assert s.links[0].minutes is not None
    assert s.warfare[0].type == "artillery"


def test_every_field_has_a_description() -> None:
    from engine.scenario.toml import describe

    for cls in (
        Distribution,
        Scenario,
        Facility,
        Shift,
        Surge,
        Link,
        Batch,
        Vehicle,
        Lift,
        WorldEvent,
        Survival,
    ):
        kind = mi.type_info(cls)
        assert isinstance(kind, mi.StructType)
        assert all(describe(field.type)["description"] for field in kind.fields)


def test_start_may_be_a_toml_date_time_in_any_zone() -> None:
    assert read(MINIMAL + "start = 2031-05-01T02:00:00+02:00").start == "2031-05-01T00:00:00Z"
    assert start_seconds(read(MINIMAL + 'start = "1970-01-02T00:00:00Z"')) == 86_400


def test_resolving_twice_changes_nothing() -> None:
    s = resolve(read(MINIMAL + 'tempo = "surge"\n[[warfare]]\ntype = "drone"\n[[events]]\nevent = "ambush"'))
    assert resolve(s) == s
    assert (s.events[0].day, s.events[0].type, s.events[0].casualty_multiplier) == (5, "drone", 2.0)
    assert s.warfare[0].weight == 0.6


def test_the_default_network_leads_every_front_from_poi_to_role_4() -> None:
    s = resolve(read(MINIMAL))
    assert [f.id for f in s.facilities][:3] == ["R1-Poland", "R2-Poland", "R3-Poland"]
    assert [link.origin for link in s.links[:4]] == ["POI", "R1-Poland", "R2-Poland", "R3-Poland"]
    means = [mean_of(link.minutes) for link in s.links[:4] if link.minutes]
    assert means == [30, 45, 90, 360]
    role1, role2 = s.facilities[0], s.facilities[1]
    assert (role1.dcr, role2.dcr, role2.dcs, role2.icu, role2.definitive) == (False, True, True, True, False)
    assert [f.policy_days for f in (*s.facilities[:3], s.facilities[-1])] == [3, 7, 15, None]


def test_a_link_without_facilities_replaces_the_default_leg_of_its_origin() -> None:
    text = '[[links]]\norigin = "POI"\ndestination = "R2-Finland"\nminutes = {distribution = "constant", mean = 20}'
    s = resolve(read(MINIMAL + text))
    from_poi = [(link.destination, link.fronts) for link in s.links if link.origin == "POI"]
    assert from_poi == [("R2-Finland", ["Finland"]), ("R1-Poland", ["Poland"]), ("R1-Estonia", ["Estonia"])]


def test_shares_follow_from_population_where_none_are_given() -> None:
    fronts = (
        '[[fronts]]\nname = "A"\npopulation = 3000\nnations = {NOR = 1}\n'
        '[[fronts]]\nname = "B"\npopulation = 1000\nnations = {SWE = 1}\n'
    )
    assert [f.share for f in resolve(read(MINIMAL + fronts)).fronts] == [0.75, 0.25]
    equal = fronts.replace("population = 3000\n", "").replace("population = 1000\n", "")
    assert [f.share for f in resolve(read(MINIMAL + equal)).fronts] == [0.5, 0.5]


def test_travel_time_follows_distance_speed_and_terrain() -> None:
    link = Link(origin="POI", destination="R2", distance_km=30, terrain="forest", vehicle="ambulance_armored")
    minutes = link_minutes(link, [])
    assert minutes.mean == pytest.approx(30 / 60 * 60 * 1.5)
    assert minutes.sd == pytest.approx(0.25 * 45)
    pool = Vehicle(id="v", kind="ambulance_armored", number=1, speed_kmh=30, load_minutes=5, unload_minutes=1)
    assert link_minutes(replace(link, vehicle="v"), [pool]).mean == pytest.approx(96)


def test_the_hash_ignores_seed_name_and_description_and_nothing_else() -> None:
    s = read(MINIMAL)
    same = replace(s, seed=7, name="other", description="words")
    assert scenario_hash(s) == scenario_hash(same) == scenario_hash(resolve(s))
    assert scenario_hash(s) != scenario_hash(replace(s, days=9))
    assert len(scenario_hash(s)) == 64


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("standard", "80a6d9a82a9b9ab3f479a0ddddeccdf8ac3a1d1479d798f6cbd7c57d546cf8c5"),
        ("division", "235f750df1841a459cc620dd20ea328cce11511d5f4006c56b4a4d4d020c1cf0"),
    ],
)
def test_a_scenario_keeps_its_hash_when_the_language_gets_new_settings(name: str, expected: str) -> None:
    assert scenario_hash(parse(builtin_bytes(name), "toml", name)) == expected


def test_days_without_warfare_follow_the_day_distribution() -> None:
    s = read(MINIMAL)
    assert day_weights_of(s) == [0.2, 0.4, 0, 0.3, 0, 0, 0, 0.1]
    assert day_weights_of(replace(s, days=1)) == [1]
    assert day_weights_of(replace(s, days=2)) == pytest.approx([0.9, 0.1])
    assert day_weights_of(replace(s, days=16))[:6] == pytest.approx([0.1, 0.1, 0.2, 0.2, 0, 0])


@pytest.mark.parametrize("tempo", list(tables.warfare_patterns()["tempo_patterns"]))
def test_tempo_gives_its_pattern_over_any_number_of_days(tempo: Any) -> None:
    pattern = tables.warfare_patterns()["tempo_patterns"][tempo]["daily_intensity"]
    s = replace(read(MINIMAL), tempo=tempo)
    assert day_weights_of(s) == pytest.approx([x / sum(pattern) for x in pattern])
    long = day_weights_of(replace(s, days=24))
    entries = pattern * 3 if tempo == "intermittent" else [pattern[8 * d // 24] for d in range(24)]
    assert long == pytest.approx([x / sum(entries) for x in entries])
    assert fsum(long) == pytest.approx(1)


def test_rates_without_tempo_have_even_days() -> None:
    rates = Rates(disease=Distribution(distribution="constant", mean=1))
    s = replace(read(MINIMAL), casualties=Casualties(rates=rates), days=4)
    assert day_weights_of(s) == [0.25] * 4
    assert day_weights_of(replace(s, day_weights=[1, 0, 0, 1])) == [0.5, 0, 0, 0.5]


def shares(s: Scenario) -> dict[str, float]:
    out: dict[str, float] = {}
    for cell in mix_of(s):
        out[cell.stream] = out.get(cell.stream, 0) + cell.weight
    return out


def test_without_warfare_the_default_mix_holds() -> None:
    assert shares(read(MINIMAL)) == pytest.approx({"battle": 0.15, "nbi": 0.33, "disease": 0.52})


def test_an_explicit_mix_is_delivered_whatever_the_warfare_and_weather() -> None:
    for types in (["artillery"], ["cbrn"], ["drone", "peacekeeping"]):
        s = replace(
            read(MINIMAL),
            mix=Mix(battle=0.2, nbi=0.3, disease=0.5),
            warfare=[Warfare(type=t) for t in types],  # type: ignore[arg-type]
            environment=["rain"],
        )
        assert shares(s) == pytest.approx({"battle": 0.2, "nbi": 0.3, "disease": 0.5})


def test_a_warfare_type_tilts_the_default_mix_by_its_modifiers() -> None:
    s = replace(read(MINIMAL), warfare=[Warfare(type="artillery")])
    weights = {"battle": 0.15 * 2.5, "nbi": 0.33 * 0.6, "disease": 0.52 * 0.3}
    assert shares(s) == pytest.approx({k: w / sum(weights.values()) for k, w in weights.items()})


def test_in_type_cbrn_the_agent_makes_battle_casualties() -> None:
    cells = {c.kind: c.weight for c in mix_of(replace(read(MINIMAL), warfare=[Warfare(type="cbrn")]))}
    assert set(cells) == {"wounded", "agent", "nbi"}
    assert cells["agent"] > 0.9
    assert cells["agent"] / cells["wounded"] == pytest.approx(0.52 * 5 / (0.15 * 0.1))


def test_types_share_the_casualties_by_their_weights() -> None:
    s = replace(read(MINIMAL), warfare=[Warfare(type="urban"), Warfare(type="naval", weight=3.3)])
    by_type: dict[Any, float] = {}
    for cell in mix_of(s):
        by_type[cell.type] = by_type.get(cell.type, 0) + cell.weight
    assert by_type == pytest.approx({"urban": 0.25, "naval": 0.75})


def test_rain_brings_disease_and_storm_fewer_wounded() -> None:
    dry, wet = read(MINIMAL), replace(read(MINIMAL), environment=["rain"])
    assert shares(wet)["disease"] > shares(dry)["disease"]
    assert environment_multipliers(wet) == {"battle": 0.95, "nbi": 0.95, "disease": 1.2}
    assert shares(replace(dry, environment=["storm"]))["battle"] < shares(dry)["battle"]


def test_an_override_of_the_total_keeps_the_proportions_of_rates() -> None:
    front = '[[fronts]]\nname = "A"\npopulation = 1000\nnations = {NOR = 1}\n'
    text = MINIMAL + '[casualties.rates]\nbattle = {distribution = "exponential", mean = 0.3}\n'
    s = read(text + 'disease = {distribution = "constant", mean = 0.7}\n' + front)
    many = with_overrides(s, total=300_000, seed=5)
    assert check(many) is not None
    assert (many.casualties.total, many.seed) == (300_000, 5)
    assert shares(many) == pytest.approx({"battle": 0.3, "disease": 0.7})


def test_an_override_of_days_stretches_day_weights_and_is_checked() -> None:
    s = replace(read(MINIMAL), days=2, day_weights=[1, 3])
    assert with_overrides(s, days=4).day_weights == [0.5, 0.5, 1.5, 1.5]
    with pytest.raises(ScenarioError, match=r"^days: got -1;"):
        check(with_overrides(s, days=-1))
    with pytest.raises(ScenarioError, match=r"^casualties.total: got 0;"):
        check(with_overrides(s, total=0))


PLACE = '[[links]]\norigin="POI"\ndestination="R2"\ndistance_km=9\n[[facilities]]\nid="R2"\nrole=2\n'  # and more of it
STAGED = (
    '[[links]]\norigin="POI"\ndestination="C"\ndistance_km=9\n[[links]]\norigin="C"\ndestination="R2"\ndistance_km=9\n'
    '[[facilities]]\nid="R2"\nrole=2\n[[facilities]]\nid="C"\nrole=0\n'
)
POOL = (
    '[[vehicles]]\nid="a"\nkind="ambulance_armored"\nnumber=2\nspeed_kmh=9\nnight=false\nloss=1\nbase="R3-Poland"\n'
    '[[links]]\norigin="POI"\ndestination="R1-Poland"\nvehicle="a"\n'
)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ('intensity = "high"', "patient_multiplier cancels"),
        ('environment = ["rain"]', "only shift the mix"),
        (
            '[[facilities]]\nid="R4"\nrole=4\nicu_beds=4\n[[links]]\norigin="POI"\ndestination="R4"\ndistance_km=9',
            "icu_beds: no effect, because arrival at a Role 4",
        ),
        (
            '[[facilities]]\nid="R2"\nrole=2\n[[links]]\norigin="POI"\ndestination="R2"\ndistance_km=9',
            "a Role 4",
        ),
        ('[[vehicles]]\nid="a"\nkind="fixed_wing"\nnumber=2', "no link names it"),
        (
            '[[links]]\norigin="POI"\ndestination="R3-Poland"\ndistance_km=90\n'
            '[[links]]\norigin="POI"\ndestination="R2-Poland"\ndistance_km=9',
            "R2-Poland is closer",
        ),
        ("[survival]\nclock = false\ntbi_success = 0.2", "survival.tbi_success"),
        ("bumping = true", "no treatment bays are limited"),
        ("retriage_minutes = 30", "nobody waits"),
        ('retriage_minutes = "none"', "nobody waits"),
        ('acceptance = "push"', "no facility can be full"),
        ('destination = "spread-out"', "no place has a choice"),
        ("bypass = false", "no place has a choice"),
        ("national_preference = true", "no facility has a nation"),
        (
            PLACE + "surgical_teams=2\nshifts=[{from_hour=6, to_hour=18, surgical_teams=2}]",
            "shifts give the roster",
        ),
        (PLACE + "surge={ward_beds=3}", "surge: no effect, because the ward beds have no limit"),
        (PLACE + "ward_beds=9\nsurge={}", "it adds nothing"),
        (PLACE + "ward_beds=9\nsurge={icu_beds=3}", "surge.icu_beds: no effect"),
        (
            PLACE + "dcs=false\noperating_tables=2",
            "operating_tables: no effect, because it lacks the capability",
        ),
        (PLACE + "kind='role2_basic'\nicu_beds=2", "icu_beds: no effect, because it lacks the capability"),
        (POOL + 'minutes={distribution="constant", mean=9}', "speed_kmh: no effect"),
        (POOL + "distance_km=9", "does not move from 20 to 6 h UTC"),
        (POOL + "distance_km=9", "never moves anybody"),
        (POOL + "distance_km=9", "base R3-Poland is no end of its links"),
        (STAGED + "triage_teams=2\nicu_beds=2", "triage_teams, icu_beds: no effect, because a staging unit"),
        ('[[world]]\nevent="hit"\nat_hours=3\nfacility="R2-Poland"', "capacity_lost: no effect"),
        ('[[world]]\nevent="hit"\nat_hours=3\nfacility="R2-Poland"\ncapacity_lost=0', "kills nobody"),
        ('horizon_days=9\n[[world]]\nevent="close"\nat_hours=300\nfacility="R2-Poland"', "after the horizon"),
        (
            '[[vehicles]]\nid="a"\nkind="fixed_wing"\nnumber=2\n[[world]]\nevent="interdiction"\nat_hours=3\nvehicle="a"',
            "no link names a",
        ),
    ],
)
def test_settings_without_effect_are_noted(text: str, note: str) -> None:
    assert any(note in line for line in check(read(MINIMAL + text)))


def test_reading_a_scenario_needs_neither_numpy_nor_numba() -> None:
    code = (
        "import sys, scenarios, engine.scenario as e; s = e.parse(scenarios.builtin_bytes('urban'), 'toml');"
        "e.check(s), e.scenario_hash(s), e.to_toml(s, True), e.mix_of(s), e.day_weights_of(s);"
        "sys.exit(any(m in sys.modules for m in ('numpy', 'numba', 'ray')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("module", ["parsing", "checks.scenario", "defaults"])
def test_the_examples_of_the_docstrings_hold(module: str) -> None:
    found = doctest.testmod(import_module(f"engine.scenario.{module}"))
    assert found.attempted > 0
    assert found.failed == 0


def test_the_settings_of_the_tables_are_those_a_scenario_accepts() -> None:
    patterns = tables.warfare_patterns()
    fields = {f.encode_name: f for f in mi.type_info(Scenario).fields}  # type: ignore[attr-defined]
    text = json.dumps(msgspec.json.schema(Scenario))
    assert tuple(patterns["warfare_types"]) == WARFARE_TYPES
    assert set(tables.transports()) == set(TRANSPORT_KINDS)
    assert set(fields["environment"].type.type.item_type.values) == set(patterns["environmental_modifiers"])
    for group in ("intensity_levels", "tempo_patterns", "special_event_templates"):
        assert all(f'"{word}"' in text for word in patterns[group])
    for terrain in tables.transport_logistics()["transport_time_calculation"]["modifiers"]["terrain"]:
        assert f'"{terrain}"' in text

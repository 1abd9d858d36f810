"""The scenarios that ship."""

import pytest

import scenarios
from engine.scenario import (
    NETWORKS,
    WARFARE_TYPES,
    Scenario,
    check,
    mean_of,
    parse,
    rate_components,
    resolve,
    to_toml,
)
from scenarios import tables

NAMES = scenarios.builtin_names()


def builtin(name: str) -> Scenario:
    return parse(scenarios.builtin_bytes(name), "toml", name)


def test_presets_warfare_types_and_calibrated_scenarios_ship() -> None:
    presets = {"un_peacekeeping" if n == "peacekeeping" else n for n in tables.scenario_presets()["presets"]}
    assert len(presets) == 8
    others = {"standard", "coin", "falklands", "okinawa", "lsco", "nerve_agent", "warship_hit", *NETWORKS}
    assert set(NAMES) == presets | set(WARFARE_TYPES) | others
    assert NAMES[0] == "standard"
    with pytest.raises(KeyError):
        scenarios.builtin_bytes("../tables")


@pytest.mark.parametrize("name", NAMES)
def test_a_builtin_is_sound_named_as_its_file_and_described(name: str) -> None:
    s = builtin(name)
    assert s.name == name
    assert len(s.description) > 20
    check(s)
    resolved = resolve(s)
    check(resolved)
    assert resolve(resolved) == resolved
    for commented in (False, True):
        assert parse(to_toml(resolved, commented).encode(), "toml") == resolved


@pytest.mark.parametrize("preset", list(tables.scenario_presets()["presets"]))
def test_a_preset_keeps_the_numbers_of_its_table(preset: str) -> None:
    row = tables.scenario_presets()["presets"][preset]
    s = builtin("un_peacekeeping" if preset == "peacekeeping" else preset)
    assert s.casualties.total == row["total_patients"]
    assert s.days == row["duration_days"]
    assert [f.name for f in s.fronts] == [f["name"] for f in row["fronts"]]
    assert [f.share for f in s.fronts] == [f["casualty_rate"] for f in row["fronts"]]
    for front, table in zip(s.fronts, row["fronts"], strict=True):
        wanted = {n["nationality_code"]: n["percentage"] / 100 for n in table["nationality_distribution"]}
        assert front.nations == pytest.approx(wanted)
    assert s.mix is not None
    mix = row["injury_distribution"]
    agent = mix["Disease"] if preset == "cbrn_incident" else 0.0
    assert s.mix.battle == pytest.approx(mix["Battle Injury"] + agent)
    assert s.mix.nbi == mix["Non-Battle Injury"]
    assert s.mix.disease == pytest.approx(mix["Disease"] - agent)


@pytest.mark.parametrize("name", WARFARE_TYPES)
def test_a_warfare_type_is_a_builtin_of_1440_casualties_in_8_days(name: str) -> None:
    s = builtin(name)
    assert (s.casualties.total, s.days, [w.type for w in s.warfare]) == (1440, 8, [name])


def test_coin_is_the_setting_of_the_calibration() -> None:
    s = resolve(builtin("coin"))
    rates = s.casualties.rates
    assert rates is not None
    assert (s.days, s.fronts[0].population, s.warfare) == (30, 4122, [])
    assert rate_components(rates.battle)[0].mean == 0.3
    dnbi = rate_components(rates.nbi)[0].mean + rate_components(rates.disease)[0].mean  # type: ignore[operator]
    assert dnbi == pytest.approx(0.70)
    first = s.links[0]
    assert (first.origin, first.destination, first.minutes.median, first.minutes.sigma) == (
        "POI",
        "R2",
        52,
        0.85,
    )  # type: ignore[union-attr]
    assert [f.kind for f in s.facilities] == ["role2_enhanced", "role3", "role4"]


def test_falklands_and_okinawa_add_killed_and_wounded() -> None:
    for name, battle, p0 in (("falklands", 1.77 + 0.68, 0.18), ("okinawa", 6.86 + 1.63, 0.125)):
        s = builtin(name)
        assert s.casualties.rates is not None
        assert sum(mean_of(d) for d in rate_components(s.casualties.rates.battle)) == pytest.approx(battle)
        assert s.survival.instant_death == p0


def test_nato_is_32_nations() -> None:
    assert len(tables.table("nation_codes.json")["nato"]) == 32
    assert set(tables.nation_codes()) == {*tables.table("nation_codes.json")["nato"], "AUS", "NZL"}

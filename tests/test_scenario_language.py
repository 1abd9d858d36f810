"""How planners write scenarios: entries that override a network, numbers for distributions, places of mistakes."""

import pytest

from engine.errors import ScenarioError
from engine.scenario import Scenario, check, parse, resolve, scenario_hash, to_toml
from engine.scenario.near_ids import near_id

BRIGADE = 'name = "x"\nnetwork = "brigade"\n[[fronts]]\nname = "North"\npopulation = 4000\nnations = { GBR = 1.0 }\n'


def brigade(text: str) -> Scenario:
    return parse((BRIGADE + text).encode(), "toml")


def refused(text: str) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        check(parse(text.encode(), "toml"))
    return caught.value


# --- overrides of a network


def test_an_entry_that_overrides_one_of_a_network_needs_its_id_and_what_differs() -> None:
    short = brigade(
        '[[facilities]]\nid = "R2-North"\nward_beds = 5\n[[vehicles]]\nid = "medevac"\nspeed_kmh = 50.0\n'
    )
    network = resolve(brigade(""))
    facility = next(f for f in network.facilities if f.id == "R2-North")
    pool = next(p for p in network.vehicles if p.id == "medevac")
    full = brigade(
        f'[[facilities]]\nid = "R2-North"\nrole = {facility.role}\nkind = "{facility.kind}"\nward_beds = 5\n'
        f'[[vehicles]]\nid = "medevac"\nkind = "{pool.kind}"\nnumber = {pool.number}\nspeed_kmh = 50.0\n'
    )
    assert check(short) == check(full)
    assert resolve(short) == resolve(full)
    assert [f.ward_beds for f in resolve(short).facilities if f.id == "R2-North"] == [5]
    assert [p.number for p in resolve(short).vehicles if p.id == "medevac"] == [pool.number]


@pytest.mark.parametrize("commented", [False, True])
def test_a_written_override_stays_as_short_as_it_was(commented: bool) -> None:
    scenario = brigade('[[facilities]]\nid = "R2-North"\nward_beds = 5\n')
    text = to_toml(scenario, commented)
    assert parse(text.encode(), "toml") == scenario
    assert "\nrole = " not in text


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[[facilities]]\nid = "R2-South"\nward_beds = 5', "facilities[0].role"),
        ('[[vehicles]]\nid = "trucks"\nnumber = 5', "vehicles[0].kind"),
        ('[[vehicles]]\nid = "trucks"\nkind = "transport_truck"', "vehicles[0].number"),
    ],
)
@pytest.mark.parametrize("head", [BRIGADE, 'name = "x"\n'])
def test_an_entry_that_overrides_none_needs_all(head: str, text: str, place: str) -> None:
    error = refused(head + text)
    assert error.place == place
    assert "(missing)" in str(error)
    assert "overrides one of a network" in error.allowed
    with pytest.raises(ScenarioError):
        scenario_hash(parse((head + text).encode(), "toml"))


def test_an_id_that_is_nearly_one_of_the_networks_is_refused() -> None:
    error = refused(BRIGADE + '[[facilities]]\nid = "R2-north"\nrole = 2')
    assert (error.place, error.value, error.near) == ("facilities[0].id", "R2-north", "R2-North")
    assert "new = true" in error.allowed
    assert refused(BRIGADE + '[[vehicles]]\nid = "ambulance-North"\nnumber = 3').near == "ambulances-North"


def test_an_entry_that_says_new_is_added_beside_the_one_it_resembles() -> None:
    facility = '[[facilities]]\nid = "R2-north"\nrole = 2\nnew = true\n'
    pool = '[[vehicles]]\nid = "Medevac"\nkind = "medevac_helicopter"\nnumber = 1\nnew = true\n'
    scenario = brigade(facility + pool)
    check(scenario)
    complete = resolve(scenario)
    assert {"R2-North", "R2-north"} <= {f.id for f in complete.facilities}
    assert {"medevac", "Medevac"} <= {p.id for p in complete.vehicles}
    assert not any(entry.new for entry in [*complete.facilities, *complete.vehicles])
    assert check(parse(to_toml(scenario).encode(), "toml")) == check(scenario)


def test_new_is_refused_where_nothing_is_new() -> None:
    assert refused(BRIGADE + '[[facilities]]\nid = "R2-North"\nnew = true').place == "facilities[0].new"
    assert refused('name = "x"\n[[facilities]]\nid = "R2"\nrole = 2\nnew = true').place == "facilities[0].new"


def test_slips_are_told_from_other_names() -> None:
    ids = ["R2-North", "R1-North-3", "ambulances-North", "R2-A"]
    slips = [
        "r2-north",
        "R2_North",
        "R2North",
        "R2-Nort",
        "R2-Norths",
        "R2-Nroth",
        "R2-Narth",
        "ambulance-North",
    ]
    assert [near_id(word, ids) for word in slips] == ["R2-North"] * 7 + ["ambulances-North"]
    others = ["R2-North", "R2-South", "R3-North", "R1-North-4", "R2-B", "R2-North-2", "ambulances", "", "-"]
    assert [near_id(word, ids) for word in others] == [None] * len(others)

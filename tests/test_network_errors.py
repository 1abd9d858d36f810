"""Broken networks: each is refused with one message that names place, value and what is allowed."""

import pytest
from broken_scenarios import R2, R3, Broken, N, assert_refused, fronts, link, minutes

BROKEN: dict[str, Broken] = {
    "facility POI": (
        N + "[[facilities]]\nid = 'POI'\nrole = 2",
        "facilities[0].id",
        "'POI'",
        "point of injury",
        None,
    ),
    "facility twice": (N + R2 + R2, "facilities[1].id", "'R2'", "only once", None),
    "role 5": (N + "[[facilities]]\nid = 'R5'\nrole = 5", "facilities[0].role", "5", "at most 4", None),
    "kind of another role": (
        N + R2 + "kind = 'role3'",
        "facilities[0].kind",
        "'role3'",
        "a kind of role 2: role2_basic or role2_enhanced",
        None,
    ),
    "facility of no front": (
        N + R2 + "fronts = ['Poland', 'Atlantis']",
        "facilities[0].fronts[1]",
        "'Atlantis'",
        "a front",
        None,
    ),
    "no beds": (N + R2 + "icu_beds = 0", "facilities[0].icu_beds", "0", "at least 1", None),
    "facilities without links": (
        N + R2,
        "links",
        "\"none from POI for front 'Poland'\"",
        "every front",
        None,
    ),
    "front nobody fetches": (
        N + fronts(A=0.5, B=0.5) + R2 + link("POI", "R2", "distance_km = 3\nfronts = ['A']"),
        "links",
        "\"none from POI for front 'B'\"",
        "every front",
        None,
    ),
    "cyclic links": (
        N + R2 + R3 + link("POI", "R2") + link("R2", "R3") + link("R3", "R2"),
        "links[2]",
        "'R2 -> R3 -> R2'",
        "form no cycle",
        None,
    ),
    "link to itself": (
        N + R2 + link("POI", "R2") + link("R2", "R2"),
        "links[1]",
        "'R2 -> R2'",
        "form no cycle",
        None,
    ),
    "link downwards": (
        N + R2 + R3 + link("POI", "R3") + link("R3", "R2"),
        "links[1].destination",
        "'R2'",
        "Role 3",
        None,
    ),
    "link twice": (
        N + R2 + link("POI", "R2") * 2,
        "links[1]",
        "'POI -> R2'",
        "one link between the same two places",
        None,
    ),
    "link from nowhere": (N + R2 + link("R-2", "R2"), "links[0].origin", "'R-2'", "POI or a facility", "R2"),
    "link to POI": (N + R2 + link("R2", "POI"), "links[0].destination", "'POI'", "a facility", None),
    "link without time": (
        N + R2 + link("POI", "R2", ""),
        "links[0].minutes",
        "(missing)",
        "distance_km",
        None,
    ),
    "link with both": (
        N + R2 + link("POI", "R2", "distance_km = 3\nminutes = { distribution = 'constant', mean = 3 }"),
        "links[0]",
        "'minutes and distance_km'",
        "one of the two",
        None,
    ),
    "terrain without distance": (
        N + minutes("distribution = 'constant', mean = 3").rstrip() + "\nterrain = 'road'",
        "links[0].terrain",
        "'road'",
        "with distance_km",
        None,
    ),
    "helicopter in a forest": (
        N + R2 + link("POI", "R2", "distance_km = 3\nterrain = 'forest'\nvehicle = 'fixed_wing'"),
        "links[0].terrain",
        "'forest'",
        "air",
        None,
    ),
    "unknown vehicle": (
        N + R2 + link("POI", "R2", "distance_km = 3\nvehicle = 'ambulance'"),
        "links[0].vehicle",
        "'ambulance'",
        "a kind of transport",
        "ambulance_armored",
    ),
    "link of a front its end does not serve": (
        N + R2 + "fronts = ['Poland']\n" + link("POI", "R2", "distance_km = 3\nfronts = ['Estonia']"),
        "links[0].fronts[0]",
        "'Estonia'",
        "R2 serves: Poland",
        None,
    ),
    "ends with no front in common": (
        N
        + R2
        + "fronts = ['Poland']\n"
        + R3
        + "fronts = ['Estonia']\n"
        + link("POI", "R2")
        + link("R2", "R3"),
        "links[1]",
        "'R2 -> R3'",
        "in common",
        None,
    ),
    "constant with sd": (
        N + minutes("distribution = 'constant', mean = 3, sd = 1"),
        "links[0].minutes.sd",
        "1.0",
        "constant takes mean",
        None,
    ),
    "lognormal without sigma": (
        N + minutes("distribution = 'lognormal', median = 3"),
        "links[0].minutes.sigma",
        "(missing)",
        "median and sigma",
        None,
    ),
    "lognormal with mean and median": (
        N + minutes("distribution = 'lognormal', mean = 3, sd = 1, median = 3"),
        "links[0].minutes.median",
        "3.0",
        "mean and sd",
        None,
    ),
    "negative sd": (
        N + minutes("distribution = 'gamma', mean = 3, sd = -1"),
        "links[0].minutes.sd",
        "-1",
        "at least 1e-06",
        None,
    ),
    "zero mean": (
        N + minutes("distribution = 'exponential', mean = 0"),
        "links[0].minutes.mean",
        "0.0",
        "at least 1e-06",
        None,
    ),
    "triangle inside out": (
        N + minutes("distribution = 'triangular', low = 5, mode = 2, high = 9"),
        "links[0].minutes",
        "'low 5, mode 2, high 9'",
        "low <= mode",
        None,
    ),
    "vehicle twice": (
        N + "[[vehicles]]\nid = 'a'\nkind = 'fixed_wing'\nnumber = 1\n" * 2,
        "vehicles[1].id",
        "'a'",
        "only once",
        None,
    ),
    "vehicle called as its kind": (
        N + "[[vehicles]]\nid = 'fixed_wing'\nkind = 'fixed_wing'\nnumber = 1",
        "vehicles[0].id",
        "'fixed_wing'",
        "any id but",
        None,
    ),
    "vehicle without a base": (
        N + "[[vehicles]]\nid = 'a'\nkind = 'fixed_wing'\nnumber = 1\nbase = 'R1-Polnd'",
        "vehicles[0].base",
        "'R1-Polnd'",
        "a facility",
        "R1-Poland",
    ),
    "vehicle without room": (
        N + "[[vehicles]]\nid = 'a'\nkind = 'fixed_wing'\nnumber = 1\nlitters = 0",
        "vehicles[0].litters",
        "0",
        "at least one patient",
        None,
    ),
    "network of another name": (N + 'network = "brigad"', "network", "'brigad'", "one of brigade", "brigade"),
    "scale without a network": (N + "network_scale = 2", "network_scale", "2.0", "only with network", None),
    "scale of nothing": (
        N + "network = 'brigade'\nnetwork_scale = 0",
        "network_scale",
        "0",
        "above 0 and at most 1,000",
        None,
    ),
    "network for too many fronts": (
        N + "network = 'division'\n" + "".join(fronts(**{f"F{i}": 0.005}) for i in range(200)),
        "network",
        "'division with 1,003 facilities'",
        "at most 1,000",
        None,
    ),
    "role that the network's facility cannot have": (
        N + "network = 'brigade'\n" + fronts(A=1) + "\n[[facilities]]\nid='R2-A'\nrole=3",
        "facilities[0].kind",
        "'role2_enhanced'",
        "a kind of role 3: role3",
        None,
    ),
    "overlay that contradicts the network": (
        N
        + "network = 'brigade'\n[[vehicles]]\nid = 'medevac'\nkind = 'medevac_helicopter'\nnumber = 2\nlitters = 0\n"
        "seats = 0",
        "vehicles[0].litters",
        "0",
        "room for at least one patient",
        None,
    ),
    "acceptance": (N + "acceptance = 'refuse'", "acceptance", "'refuse'", "accept, push", None),
    "destination policy": (
        N + "destination = 'closest_first'",
        "destination",
        "'closest_first'",
        "least-loaded",
        "closest-first",
    ),
    "no re-triage": (N + "retriage_minutes = 0", "retriage_minutes", "0", "at least 1 and", None),
    "triage better than right": (N + "triage_accuracy = 1.2", "triage_accuracy", "1.2", "at most 1", None),
    "staging unit of a role": (
        N + "[[facilities]]\nid = 'C'\nrole = 1\nkind = 'csu'",
        "facilities[0].kind",
        "'csu'",
        "a kind of role 1: role1",
        None,
    ),
    "role 0 of another kind": (
        N + "[[facilities]]\nid = 'C'\nrole = 0\nkind = 'role1'",
        "facilities[0].kind",
        "'role1'",
        "csu",
        None,
    ),
    "staging unit that operates": (
        N + "[[facilities]]\nid = 'C'\nrole = 0\ndcs = true",
        "facilities[0].dcs",
        "True",
        "gives no care",
        None,
    ),
    "staging unit without a way on": (
        N + "[[facilities]]\nid = 'C'\nrole = 0\n" + link("POI", "C"),
        "facilities[0]",
        "\"no link onward from C for T1 of front 'Poland'\"",
        "from every staging unit",
        None,
    ),
    "staging unit that nobody of T3 leaves": (
        N
        + "[[facilities]]\nid = 'C'\nrole = 0\n"
        + R2
        + link("POI", "C")
        + link("C", "R2", "distance_km = 3\ncategories = ['T1', 'T2']"),
        "facilities[0]",
        "\"no link onward from C for T3 of front 'Poland'\"",
        "from every staging unit",
        None,
    ),
    "staging unit that leads back down": (
        N
        + "[[facilities]]\nid = 'C'\nrole = 0\n"
        + R2
        + R3
        + link("POI", "R3")
        + link("R3", "C")
        + link("C", "R2"),
        "links[2].destination",
        "'R2'",
        "Role 3 or higher",
        None,
    ),
    "T3 left at the point of injury": (
        N + R2 + link("POI", "R2", "distance_km = 3\ncategories = ['T1', 'T2']"),
        "links",
        "\"no link onward from POI for T3 of front 'Poland'\"",
        "a link onward for every category, from POI",
        None,
    ),
    "category twice": (
        N + R2 + link("POI", "R2", "distance_km = 3\ncategories = ['T1', 'T1']"),
        "links[0].categories[1]",
        "'T1'",
        "only once",
        None,
    ),
    "expectant by category": (
        N + R2 + link("POI", "R2", "distance_km = 3\ncategories = ['T4']"),
        "links[0].categories[0]",
        "'T4'",
        "one of T1, T2, T3",
        None,
    ),
    "links that share a category and no vehicle": (
        N
        + R2
        + link("POI", "R2", "distance_km = 3\ncategories = ['T1', 'T2']")
        + link("POI", "R2", "distance_km = 3\ncategories = ['T2', 'T3']"),
        "links[1]",
        "'POI -> R2'",
        "one link between the same two places",
        None,
    ),
    "facility of an unknown nation": (
        N + R2 + "nation = 'XXX'",
        "facilities[0].nation",
        "'XXX'",
        "alpha-3",
        None,
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_network_is_refused_naming_place_value_and_what_is_allowed(case: str) -> None:
    assert_refused(BROKEN[case])

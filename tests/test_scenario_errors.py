"""Broken scenarios: each is refused with one message that names place, value and what is allowed."""

import pickle
import re
import time

import pytest

from engine.errors import GoldenhourError, Interrupted, RunError, ScenarioError, shown
from engine.scenario import MAX_BYTES, check, parse

N = 'name = "x"\n'
FRONT = '[[fronts]]\nname = "A"\npopulation = 1000\nnations = { NOR = 1 }\n'
RATES = '[casualties.rates]\nbattle = { distribution = "exponential", mean = 1 }\n'
R2 = '[[facilities]]\nid = "R2"\nrole = 2\n'
R3 = '[[facilities]]\nid = "R3"\nrole = 3\n'


POOL = "[[vehicles]]\nid = 'a'\nkind = 'ambulance_armored'\nnumber = 1\n"
LIFT = POOL + "lift = { interval_hours = 12 }\n"
BATCH = "distance_km = 3\nvehicle = 'a'\nbatch = { minimum = 9, wait_minutes = 60 }"


def link(origin: str, destination: str, more: str = "distance_km = 10") -> str:
    return f'[[links]]\norigin = "{origin}"\ndestination = "{destination}"\n{more}\n'


def fronts(**shares: object) -> str:
    return "".join(
        f'[[fronts]]\nname = "{n}"\nshare = {v}\nnations = {{ NOR = 1 }}\n' for n, v in shares.items()
    )


def minutes(text: str) -> str:
    return R2 + link("POI", "R2", f"minutes = {{ {text} }}")


BROKEN = {
    # text, place, value as shown, part of what is allowed, near match
    "no name": ("days = 3", "name", "(missing)", "a string in quotes", None),
    "unknown key": (N + "dayz = 3", "dayz", "'dayz'", "one of the fields name", "days"),
    "unknown nested key": (
        N + "[survival]\ntbi_sucess = 1",
        "survival.tbi_sucess",
        "'tbi_sucess'",
        "the fields",
        "tbi_success",
    ),
    "key with blanks": (N + '"a b" = 3', '["a b"]', "'a b'", "the fields", None),
    "text for a number": (
        N + 'days = "8"',
        "days",
        "'8'",
        "a whole number, at least 1 and at most 3,650",
        None,
    ),
    "fraction for a whole number": (N + "days = 8.0", "days", "8.0", "a whole number", None),
    "bool for a number": (N + "horizon_days = true", "horizon_days", "True", "a finite number", None),
    "number for a bool": (N + "[survival]\nclock = 1", "survival.clock", "1", "true or false", None),
    "number for a text": ("name = 3", "name", "3", "a string", None),
    "value for a table": (N + "survival = 3", "survival", "3", "a table with the fields", None),
    "table for a list": (N + '[warfare]\ntype = "urban"', "warfare", "{'type': 'urban'}", "a list of", None),
    "list for a table": (
        N + "casualties = [3]",
        "casualties",
        "[3]",
        "a table with the fields total, rates",
        None,
    ),
    "number for a distribution": (
        N + RATES.replace('{ distribution = "exponential", mean = 1 }', "1"),
        "casualties.rates.battle",
        "1",
        "or a list",
        None,
    ),
    "negative days": (N + "days = -3", "days", "-3", "at least 1", None),
    "too many days": (N + "days = 4000", "days", "4000", "at most 3,650", None),
    "huge seed": (
        N + "seed = 0x" + "f" * 6000,
        "seed",
        "a whole number of 24000 bits",
        "at most 9,223",
        None,
    ),
    "total 0": (N + "[casualties]\ntotal = 0", "casualties.total", "0", "at least 1", None),
    "total above a billion": (
        N + "[casualties]\ntotal = 1_000_000_001",
        "casualties.total",
        "1000000001",
        "at most 1,000,000,000",
        None,
    ),
    "not a number": (N + "horizon_days = nan", "horizon_days", "nan", "a finite number", None),
    "infinite share": (N + fronts(A="inf"), "fronts[0].share", "inf", "a finite number", None),
    "infinite nation": (
        N + "[[fronts]]\nname = 'A'\nnations = { NOR = -inf }",
        'fronts[0].nations["NOR"]',
        "-inf",
        "a finite number",
        None,
    ),
    "unknown word": (N + 'intensity = "hihg"', "intensity", "'hihg'", "one of", "high"),
    "unknown warfare": (
        N + '[[warfare]]\ntype = "amphibious"',
        "warfare[0].type",
        "'amphibious'",
        "naval",
        None,
    ),
    "warfare twice": (
        N + '[[warfare]]\ntype = "urban"\n' * 2,
        "warfare[1].type",
        "'urban'",
        "only once",
        None,
    ),
    "weather twice": (N + 'environment = ["fog", "fog"]', "environment[1]", "'fog'", "only once", None),
    "zero weight": (N + '[[warfare]]\ntype = "urban"\nweight = 0', "warfare[0].weight", "0", "above 0", None),
    "shares of fronts": (N + fronts(A=0.5, B=0.4), "fronts", "'shares that sum to 0.9'", "sum to 1", None),
    "some shares": (
        N + fronts(A=0.5) + FRONT.replace('"A"', '"B"'),
        "fronts[1].share",
        "(missing)",
        "every front",
        None,
    ),
    "front twice": (N + fronts(A=0.5) + fronts(A=0.5), "fronts[1].name", "'A'", "only once", None),
    "nations do not sum": (
        N + "[[fronts]]\nname = 'A'\nnations = { NOR = 0.5, SWE = 0.4 }",
        "fronts[0].nations",
        "'shares that sum to 0.9'",
        "sum to 1",
        None,
    ),
    "negative nation": (
        N + "[[fronts]]\nname = 'A'\nnations = { NOR = 1.5, SWE = -0.5 }",
        'fronts[0].nations["NOR"]',
        "1.5",
        "0 to 1",
        None,
    ),
    "no nation": (N + "[[fronts]]\nname = 'A'\nnations = {}", "fronts[0].nations", "{}", "at least 1", None),
    "unknown nation": (
        N + fronts(A=1) + "[[fronts]]\nname = 'B'\nnations = { XXX = 1 }",
        'fronts[1].nations["XXX"]',
        "'XXX'",
        "alpha-3",
        None,
    ),
    "small nation": (
        N + "[[fronts]]\nname = 'B'\nnations = { pol = 1 }",
        'fronts[0].nations["pol"]',
        "'pol'",
        "alpha-3",
        "POL",
    ),
    "zero population": (N + FRONT.replace("1000", "0"), "fronts[0].population", "0", "at least 1", None),
    "rates without population": (
        N + RATES + FRONT.replace("population = 1000\n", ""),
        "fronts[0].population",
        "(missing)",
        "strength",
        None,
    ),
    "rates without fronts": (N + RATES, "fronts", "(missing)", "population", None),
    "total and rates": (
        N + "[casualties]\ntotal = 5\n" + RATES + FRONT,
        "casualties",
        "'total and rates'",
        "not both",
        None,
    ),
    "no rate": (N + "[casualties.rates]\n" + FRONT, "casualties.rates", "(missing)", "at least one of", None),
    "empty list of rates": (
        N + "[casualties.rates]\nnbi = []\n" + FRONT,
        "casualties.rates.nbi",
        "[]",
        "at least one",
        None,
    ),
    "rate in a list": (
        N + "[casualties.rates]\nnbi = [{ distribution = 'gamma', mean = 3 }]\n" + FRONT,
        "casualties.rates.nbi[0].sd",
        "(missing)",
        "mean and sd",
        None,
    ),
    "triangular rate": (
        N
        + "[casualties.rates]\nnbi = { distribution = 'triangular', low = 1, mode = 2, high = 3 }\n"
        + FRONT,
        "casualties.rates.nbi.distribution",
        "'triangular'",
        "one of constant",
        None,
    ),
    "too many by rates": (
        N + "days = 3650\n" + RATES.replace("= 1 ", "= 900 ") + FRONT.replace("1000", "1_000_000"),
        "casualties.rates",
        "'3.28e+09 casualties expected'",
        "at most 1,000,000,000",
        None,
    ),
    "autocorrelated exponential": (
        N + RATES.replace("= 1 ", "= 1, autocorrelation = 0.3 ") + FRONT,
        "casualties.rates.battle.autocorrelation",
        "0.3",
        "lognormal",
        None,
    ),
    "mix does not sum": (
        N + "[mix]\nbattle = 0.5\nnbi = 0.5\ndisease = 0.5",
        "mix",
        "'shares that sum to 1.5'",
        "sum to 1",
        None,
    ),
    "mix of nothing": (
        N + "[mix]\nbattle = 0\nnbi = 0\ndisease = 0",
        "mix",
        "'shares that sum to 0'",
        "sum to 1",
        None,
    ),
    "mix without disease": (
        N + "[mix]\nbattle = 0.5\nnbi = 0.5",
        "mix.disease",
        "(missing)",
        "a finite number",
        None,
    ),
    "mix with rates": (
        N + "[mix]\nbattle = 1\nnbi = 0\ndisease = 0\n" + RATES + FRONT,
        "mix",
        "'a mix and rates'",
        "total",
        None,
    ),
    "day weights of another length": (
        N + "days = 3\nday_weights = [1, 2]",
        "day_weights",
        "'2 weights'",
        "one weight per day, 3",
        None,
    ),
    "day weights of nothing": (
        N + "days = 2\nday_weights = [0, 0]",
        "day_weights",
        "[0.0, 0.0]",
        "above 0",
        None,
    ),
    "negative day weight": (
        N + "days = 2\nday_weights = [1, -1]",
        "day_weights[1]",
        "-1",
        "at least 0",
        None,
    ),
    "day weights and tempo": (
        N + "days = 1\nday_weights = [1]\ntempo = 'surge'",
        "day_weights",
        "'day_weights and tempo'",
        "one of the two",
        None,
    ),
    "horizon before the end": (N + "horizon_days = 3", "horizon_days", "3.0", "at least days = 8", None),
    "start is no time": (N + "start = 'tomorrow'", "start", "'tomorrow'", "UTC", None),
    "start without a zone": (
        N + "start = 2030-01-01T00:00:00",
        "start",
        "'2030-01-01T00:00:00'",
        "UTC",
        None,
    ),
    "start too early": (
        N + "start = '1815-06-18T11:00:00Z'",
        "start",
        "'1815-06-18T11:00:00Z'",
        "1900",
        None,
    ),
    "event after the end": (
        N + "[[events]]\nevent = 'ambush'\nday = 9",
        "events[0].day",
        "9",
        "1 to days = 8",
        None,
    ),
    "event on day 0": (N + "[[events]]\nevent = 'ambush'\nday = 0", "events[0].day", "0", "at least 1", None),
    "event at 25 h": (
        N + "[[events]]\nevent = 'ambush'\nhour = 25",
        "events[0].hour",
        "25",
        "below 24",
        None,
    ),
    "event on no front": (
        N + "[[events]]\nevent = 'ambush'\nfront = 'Polnd'",
        "events[0].front",
        "'Polnd'",
        "a front",
        "Poland",
    ),
    "event of another type": (
        N + "[[warfare]]\ntype = 'urban'\n[[events]]\nevent = 'ambush'\ntype = 'naval'",
        "events[0].type",
        "'naval'",
        "urban",
        None,
    ),
    "event without battle": (
        N + "[mix]\nbattle = 0\nnbi = 1\ndisease = 0\n[[events]]\nevent = 'ambush'",
        "events[0]",
        "'ambush'",
        "battle casualties",
        None,
    ),
    "triage does not sum": (
        N + "[triage.battle]\nT1 = 0.5\nT2 = 0.5\nT3 = 0.5",
        'triage["battle"]',
        "'shares that sum to 1.5'",
        "sum to 1",
        None,
    ),
    "triage without T3": (
        N + "[triage.battle]\nT1 = 0.5\nT2 = 0.5",
        'triage["battle"]["T3"]',
        "(missing)",
        "T1, T2 and T3",
        None,
    ),
    "triage of T5": (N + "[triage.battle]\nT5 = 1", 'triage["battle"]["T5"]', "'T5'", "one of T1", None),
    "triage of nobody": (
        N + "[triage.batle]\nT1 = 1",
        'triage["batle"]',
        "'batle'",
        "one of battle",
        "battle",
    ),
    "mechanisms do not sum": (
        N + "[survival.mechanisms]\nexplosion = 0.5",
        "survival.mechanisms",
        "'shares that sum to 0.5'",
        "sum to 1",
        None,
    ),
    "probability above 1": (
        N + "[survival]\ninstant_death = 1.5",
        "survival.instant_death",
        "1.5",
        "at most 1",
        None,
    ),
    "path in the name": ('name = "../../etc/passwd"', "name", "'../../etc/passwd'", "without slashes", None),
    "dots for a name": ('name = ".."', "name", "'..'", "not '.' or '..'", None),
    "control character": ('name = "a\\u0007b"', "name", r"'a\x07b'", "printable", None),
    "blank name": ('name = " "', "name", "' '", "without blanks", None),
    "long name": ('name = "' + "x" * 81 + '"', "name", "'" + "x" * 76 + "...", "1 to 80 characters", None),
    "path in a front": (N + fronts(**{"A/B": 1}), "fronts[0].name", "'A/B'", "without slashes", None),
    "path in a facility": (
        N + "[[facilities]]\nid = 'a\\b'\nrole = 2",
        "facilities[0].id",
        r"'a\\b'",
        "without slashes",
        None,
    ),
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
    "no places": (N + R2 + "places = 0", "facilities[0].places", "0", "at least 1", None),
    "shift of no length": (
        N + R2 + "shifts = [{ from_hour = 6, to_hour = 6, surgical_teams = 1 }]",
        "facilities[0].shifts[0].to_hour",
        "6.0",
        "at least a minute before or after from_hour",
        None,
    ),
    "shift outside the day": (
        N + R2 + "shifts = [{ from_hour = 6, to_hour = 25, surgical_teams = 1 }]",
        "facilities[0].shifts[0].to_hour",
        "25",
        "at most 24",
        None,
    ),
    "shifts that overlap past midnight": (
        N
        + R2
        + "shifts = [{ from_hour = 5, to_hour = 12, surgical_teams = 1 }, "
        + "{ from_hour = 20, to_hour = 6, surgical_teams = 1 }]",
        "facilities[0].shifts[1]",
        "'20 to 6 h'",
        "facilities[0].shifts[0] overlaps",
        None,
    ),
    "roster without teams": (
        N + R2 + "shifts = [{ from_hour = 6, to_hour = 18, surgical_teams = 0 }]",
        "facilities[0].shifts",
        "'no surgical team at any time'",
        "at least one team in some shift",
        None,
    ),
    "surge from nowhere": (
        N + R2 + "surge = { trigger = 2 }",
        "facilities[0].surge.trigger",
        "2",
        "at most 1",
        None,
    ),
    "supply without stock": (
        N + R2 + "resupply_hours = 24\nresupply_units = 5",
        "facilities[0].blood_units",
        "(missing)",
        "resupply_hours needs it",
        None,
    ),
    "supply of no size": (
        N + R2 + "blood_units = 9\nresupply_hours = 24",
        "facilities[0].resupply_units",
        "(missing)",
        "resupply_hours needs it",
        None,
    ),
    "service time without a mean": (
        N + R2 + "care_minutes = { distribution = 'exponential' }",
        "facilities[0].care_minutes.mean",
        "(missing)",
        "exponential takes mean",
        None,
    ),
    "batch without vehicles": (
        N + R2 + link("POI", "R2", "distance_km = 3\nbatch = { minimum = 2, wait_minutes = 60 }"),
        "links[0].batch",
        "(missing)",
        "one of vehicles",
        None,
    ),
    "batch of one": (
        N + R2 + link("POI", "R2", "distance_km = 3\nbatch = { minimum = 1, wait_minutes = 60 }"),
        "links[0].batch.minimum",
        "1",
        "at least 2",
        None,
    ),
    "batch larger than its vehicle": (
        N + POOL + R2 + link("POI", "R2", BATCH),
        "links[0].batch.minimum",
        "9",
        "at most 2, the litters and seats of a",
        None,
    ),
    "batch larger than its place": (
        N
        + POOL.replace("number = 1", "number = 1\nlitters = 9")
        + R2
        + "places = 8\n"
        + R3
        + link("POI", "R2")
        + link("R2", "R3", BATCH),
        "links[1].batch.minimum",
        "9",
        "at most 8, the places of R2",
        None,
    ),
    "override twice": (
        N + POOL + R2 + link("POI", "R2", BATCH.replace("60 }", "60, override = ['T1', 'T1'] }")),
        "links[0].batch.override[1]",
        "'T1'",
        "only once",
        None,
    ),
    "lift in batches": (
        N
        + LIFT.replace("number = 1", "number = 1\nlitters = 9")
        + R2
        + R3
        + link("POI", "R2")
        + link("R2", "R3", BATCH),
        "links[1].batch",
        "'a'",
        "on a schedule",
        None,
    ),
    "lift from the point of injury": (
        N + LIFT + R2 + link("POI", "R2", "distance_km = 3\nvehicle = 'a'"),
        "links[0].vehicle",
        "'a'",
        "no scheduled lift from POI",
        None,
    ),
    "lift from two places": (
        N
        + LIFT
        + R2
        + R3
        + "[[facilities]]\nid = 'R4'\nrole = 4\n"
        + link("POI", "R2")
        + link("R2", "R3", "distance_km = 3\nvehicle = 'a'")
        + link("R3", "R4", "distance_km = 3\nvehicle = 'a'"),
        "links[2].origin",
        "'R3'",
        "R2, because the scheduled lift a leaves from there",
        None,
    ),
    "lift that never comes": (
        N + POOL + "lift = { interval_hours = 0 }",
        "vehicles[0].lift.interval_hours",
        "0",
        "at least 0.05",
        None,
    ),
    "lift without an interval": (
        N + POOL + "lift = { first_hour = 3 }",
        "vehicles[0].lift.interval_hours",
        "(missing)",
        "a finite number",
        None,
    ),
    "seats alone for those who lie": (
        N + POOL + "litters = 0\nseats = 4\n" + R2 + link("POI", "R2", "distance_km = 3\nvehicle = 'a'"),
        "vehicles[0].litters",
        "0",
        "litters on at least one link from POI",
        None,
    ),
    "weather of more than every day": (
        N + POOL + "grounded = 1.1",
        "vehicles[0].grounded",
        "1.1",
        "at most 1",
        None,
    ),
    "unknown happening": (
        N + "[[world]]\nevent = 'closed'\nat_hours = 3",
        "world[0].event",
        "'closed'",
        "one of",
        "close",
    ),
    "happening without a time": (
        N + "[[world]]\nevent = 'close'",
        "world[0].at_hours",
        "(missing)",
        "a finite number",
        None,
    ),
    "happening nowhere": (
        N + "[[world]]\nevent = 'close'\nat_hours = 3",
        "world[0].facility",
        "(missing)",
        "the id of a facility; close needs one",
        None,
    ),
    "happening at an unknown place": (
        N + "[[world]]\nevent = 'hit'\nat_hours = 3\nfacility = 'R2-Polnd'",
        "world[0].facility",
        "'R2-Polnd'",
        "a facility",
        "R2-Poland",
    ),
    "happening in the network": (
        N + "network = 'brigade'\n[[world]]\nevent = 'hit'\nat_hours = 3\nfacility = 'R2-Estnia'",
        "world[0].facility",
        "'R2-Estnia'",
        "a facility",
        "R2-Estonia",
    ),
    "hit on vehicles": (
        N + POOL + "[[world]]\nevent = 'hit'\nat_hours = 3\nvehicle = 'a'",
        "world[0].vehicle",
        "'a'",
        "only with interdiction",
        None,
    ),
    "interdiction of nothing": (
        N + "[[world]]\nevent = 'interdiction'\nat_hours = 3",
        "world[0].vehicle",
        "(missing)",
        "one of vehicles",
        None,
    ),
    "interdiction of more than there are": (
        N + POOL + "[[world]]\nevent = 'interdiction'\nat_hours = 3\nvehicle = 'a'\nnumber = 2",
        "world[0].number",
        "2",
        "at most 1",
        None,
    ),
    "opening for a time": (
        N + "[[world]]\nevent = 'open'\nat_hours = 3\nfacility = 'R4'\nduration_hours = 3",
        "world[0].duration_hours",
        "3.0",
        "only with close, move, hit or interdiction",
        None,
    ),
    "closing that kills": (
        N + "[[world]]\nevent = 'close'\nat_hours = 3\nfacility = 'R4'\nkilled = 0.5",
        "world[0].killed",
        "0.5",
        "only with hit",
        None,
    ),
    "opened twice": (
        N + "[[world]]\nevent = 'open'\nat_hours = 3\nfacility = 'R4'\n" * 2,
        "world[1].facility",
        "'R4'",
        "opened once",
        None,
    ),
    "too many events": (
        N + "[[events]]\nevent = 'ambush'\n" * 255,
        "events",
        "'255 entries'",
        "at most 254",
        None,
    ),
    "not TOML": (N + "days = = 3", "scenario, line 2", "'days = = 3'", "TOML", None),
    "unfinished TOML": (N + 'description = "abc', "scenario, line 2", "'description", "TOML", None),
    "key twice": (
        N + "days = 3\ndays = 4",
        "scenario, line 3",
        "'days = 4'",
        "valid TOML (Cannot overwrite",
        None,
    ),
    "empty": ("", "name", "(missing)", "a string", None),
    "nested lists": ("a = " + "[" * 5000, "scenario", "'a = [[[", "nested less deeply", None),
    "nested keys": (
        ".".join("a" * 5000) + " = 1",
        "scenario, line 1",
        "'4,999 dots",
        "at most 50 in a line",
        None,
    ),
    "endless number": (N + "days = " + "9" * 5000, "scenario", "'Exceeds the limit", "in range", None),
}


@pytest.mark.parametrize("case", list(BROKEN))
def test_a_broken_scenario_is_refused_naming_place_value_and_what_is_allowed(case: str) -> None:
    text, place, value, allowed, near = BROKEN[case]
    with pytest.raises(ScenarioError) as caught:
        check(parse(text.encode(), "toml"))
    error, message = caught.value, str(caught.value)
    assert error.exit_code == 2
    assert error.place == place
    assert message.startswith(f"{place}: got {value}")
    assert allowed in error.allowed
    assert error.allowed in message
    assert error.near == near
    assert near is None or message.endswith(f"did you mean {near!r}?")
    assert "\n" not in message
    assert len(shown(error.value)) <= 80


RAW = {
    "200 MB": (
        b"a" * (200 * 1024 * 1024),
        "toml",
        "scenario",
        "'209,715,200 bytes'",
        "at most 4,194,304 bytes",
    ),
    "binary": (b"\x7fELF\x02\x01\n\x00\x01", "toml", "scenario, line 2", "b'\\x7fELF", "without NUL bytes"),
    "Latin-1": (
        "name = 'x'\ndescription = 'Tromsø'".encode("latin-1"),
        "toml",
        "scenario, line 2",
        'b"\\xf8\'"',
        "UTF-8",
    ),
    "JSON list": (b"[1]", "json", "scenario", "[1]", "an object"),
    "not JSON": (
        b'{"name": "x",\n"days": }',
        "json",
        "scenario, line 2",
        "'\"days\": }'",
        "valid JSON (Expecting value",
    ),
    "JSON key twice": (
        b'{"name": "x", "days": 1, "days": 2}',
        "json",
        "scenario",
        "'days'",
        "each key only once",
    ),
    "JSON NaN": (b'{"name": "x", "days": NaN}', "json", "scenario", "'NaN'", "finite numbers"),
    "JSON overflow": (
        b'{"name": "x", "horizon_days": 1e999}',
        "json",
        "horizon_days",
        "inf",
        "a finite number",
    ),
    "JSON null": (b'{"name": null}', "json", "name", "None", "a string"),
    "JSON depth": (b"[" * 100_000, "json", "scenario", "'[[[[", "nested less deeply"),
    "JSON huge": (
        b'{"name": "x", "horizon_days": 1' + b"0" * 400 + b"}",
        "json",
        "horizon_days",
        "1000",
        "a finite",
    ),
    "half a character": (
        b'{"name": "\\ud800"}',
        "json",
        "scenario",
        "'\\\\ud800'",
        "whole Unicode characters",
    ),
}


@pytest.mark.parametrize("case", list(RAW))
def test_bytes_that_hold_no_scenario_are_refused_at_once(case: str) -> None:
    data, form, place, value, allowed = RAW[case]
    begin = time.perf_counter()
    with pytest.raises(ScenarioError) as caught:
        parse(data, form)  # type: ignore[arg-type]
    assert time.perf_counter() - begin < 5
    assert caught.value.place == place
    assert str(caught.value).startswith(f"{place}: got {value}")
    assert allowed in caught.value.allowed


def test_the_place_of_a_broken_file_is_its_name() -> None:
    with pytest.raises(ScenarioError, match=r"^winter\.toml, line 1: got 'days =';"):
        parse(b"days =", "toml", where="winter.toml")


def test_a_mark_at_the_beginning_of_the_file_is_no_mistake() -> None:
    assert parse(b"\xef\xbb\xbfname = 'x'", "toml").name == "x"


def test_a_file_of_the_largest_size_is_read_in_seconds() -> None:
    line = b"# " + b"x" * 97 + b"\n"
    data = b"name = 'x'\n" + line * ((MAX_BYTES - 20) // len(line))
    assert parse(data, "toml").name == "x"


def test_errors_know_their_exit_codes_and_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ScenarioError("fronts[0].share", float("nan"), "a share", "b")))
    assert (str(error), error.exit_code) == (
        "fronts[0].share: got nan; allowed: a share; did you mean 'b'?",
        2,
    )
    assert (GoldenhourError.exit_code, RunError.exit_code, Interrupted.exit_code) == (1, 1, 130)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('battle = { distribution = "constant", mean = 0 }', "casualties.rates"),
        (
            'battle = { distribution = "constant", mean = 0 }\nnbi = { distribution = "constant", mean = 3 }\n'
            '[[events]]\nevent = "ambush"',
            "events[0]",
        ),
    ],
)
def test_rates_of_nothing_are_refused(text: str, place: str) -> None:
    source = (
        'name = "x"\n[[fronts]]\nname = "N"\npopulation = 1000\nnations = { USA = 1.0 }\n'
        f"[casualties.rates]\n{text}\n"
    )
    with pytest.raises(ScenarioError, match=re.escape(place)):
        check(parse(source.encode(), "toml"))

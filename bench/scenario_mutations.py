"""Mutated scenarios: valid ones changed at random by what their fields accept, from a number that selects the draws."""

import json
import math
import random
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect as mi

import scenarios
from engine.scenario import Scenario, parse, resolve, to_toml

RICH = """
name = "rich"
days = 4
acceptance = "accept"
bumping = true
expectant = true
national_preference = true
destination = "least-loaded"
horizon_days = 40
[casualties.rates]
battle = [
    { distribution = "lognormal", mean = 2.0, sd = 3.0, autocorrelation = 0.3 },
    { distribution = "gamma", mean = 1, sd = 1 },
]
disease = { distribution = "exponential", mean = 0.5 }
[survival]
severity = 0.1
mechanisms = { explosion = 0.7, gunshot = 0.2, other = 0.1 }
[[warfare]]
type = "artillery"
weight = 2.0
[[warfare]]
type = "cbrn"
[[events]]
event = "mass_casualty"
day = 2
hour = 3.5
front = "A"
casualty_multiplier = 4.0
[[fronts]]
name = "A"
population = 4000
nations = { NOR = 0.5, USA = 0.5 }
[[fronts]]
name = "B"
population = 2000
nations = { EST = 1.0 }
[[facilities]]
id = "C"
role = 0
ward_beds = 6
[[facilities]]
id = "R1"
role = 1
triage_teams = 2
treatment_bays = 2
ward_beds = 8
triage_minutes = { distribution = "triangular", low = 1, mode = 2, high = 6 }
[[facilities]]
id = "R2"
role = 2
nation = "NOR"
ward_beds = 4
icu_beds = 2
treatment_bays = 2
operating_tables = 2
blood_units = 20
resupply_hours = 12
resupply_units = 10
shifts = [
    { from_hour = 6, to_hour = 18, surgical_teams = 2 },
    { from_hour = 18, to_hour = 6, surgical_teams = 1 },
]
surge = { trigger = 0.8, delay_minutes = 60, ward_beds = 4 }
surgery_minutes = { distribution = "gamma", mean = 90, sd = 40 }
icu_minutes = { distribution = "erlang", mean = 1600, k = 2 }
[[facilities]]
id = "R2b"
role = 2
places = 10
[[facilities]]
id = "R3"
role = 3
ward_beds = 20
[[links]]
origin = "POI"
destination = "C"
distance_km = 8
vehicle = "cars"
[[links]]
origin = "C"
destination = "R1"
minutes = { distribution = "lognormal", median = 20, sigma = 0.5 }
vehicle = "cars"
[[links]]
origin = "R1"
destination = "R2"
distance_km = 30
terrain = "mixed"
vehicle = "bus"
batch = { minimum = 3, wait_minutes = 120 }
[[links]]
origin = "R1"
destination = "R2b"
minutes = { distribution = "constant", mean = 50 }
categories = ["T2", "T3"]
[[links]]
origin = "R2"
destination = "R3"
minutes = { distribution = "exponential", mean = 100 }
vehicle = "plane"
[[links]]
origin = "R2b"
destination = "R3"
distance_km = 200
[[vehicles]]
id = "cars"
kind = "ambulance_armored"
number = 4
dispatch_minutes = 5
load_minutes = 2
[[vehicles]]
id = "bus"
kind = "transport_truck"
number = 2
seats = 10
night = false
grounded = 0.1
loss = 0.01
[[vehicles]]
id = "plane"
kind = "fixed_wing"
number = 1
lift = { interval_hours = 12, first_hour = 6, cancellation = 0.1 }
[[world]]
event = "move"
at_hours = 30
facility = "R2"
duration_hours = 4
minutes_factor = 1.5
[[world]]
event = "hit"
at_hours = 40
facility = "R2b"
duration_hours = 12
killed = 0.1
[[world]]
event = "interdiction"
at_hours = 50
vehicle = "cars"
number = 2
duration_hours = 6
[[world]]
event = "open"
at_hours = 10
facility = "R2b"
"""
"""A scenario that uses nearly every field."""

FULL_CHUNK = 2_500
"""More patients than a chunk holds."""

Tree = dict[str, Any]


class Mutated(NamedTuple):
    """A scenario file."""

    text: bytes
    suffix: str
    """.toml or .json."""
    changes: tuple[str, ...]
    """What was changed."""
    patients: int = 50
    """With how many it is run: a few, or a full chunk."""


class Spot(NamedTuple):
    """A value in a tree: the table or list that holds it, its key there, its type and its place."""

    holder: Any
    key: Any
    kind: mi.Type
    place: str


def mutated(number: int) -> Mutated:
    """Return the scenario of a number, always the same for the same number."""
    draw = random.Random(number)
    tree = json.loads(draw.choice(_bases()))
    if draw.random() < 0.03:
        return _broken_text(draw, tree)
    changes = []
    for _ in range(draw.choice((1, 1, 2, 2, 3, 4, 8))):
        changes.append(draw.choices(_CHANGES, _WEIGHTS)[0](draw, tree))
    patients = 50 if draw.random() < 0.95 else FULL_CHUNK
    if draw.random() < 0.5:
        try:
            text = to_toml(msgspec.convert(tree, Scenario)).encode()
            return Mutated(text, ".toml", tuple(changes), patients)
        except (msgspec.ValidationError, RecursionError):
            pass
    return Mutated(json.dumps(tree).encode(), ".json", tuple(changes), patients)


@cache
def _bases() -> tuple[str, ...]:
    """The valid scenarios that are mutated, as JSON; those with whole networks more than once."""
    found = []
    for name in scenarios.builtin_names():
        found.append(parse(scenarios.builtin_bytes(name), "toml"))
    rich = parse(RICH.encode(), "toml")
    found += [rich] * 12
    found += [
        resolve(parse(scenarios.builtin_bytes(name), "toml")) for name in ("standard", "brigade", "division")
    ] * 2
    return tuple(msgspec.json.encode(scenario).decode() for scenario in found)


# --- places and values


def _spots(value: Any, kind: mi.Type, place: str, holder: Any, key: Any) -> Iterator[Spot]:
    """Every value of a tree with its type, the outermost included."""
    yield Spot(holder, key, kind, place)
    for option in _options(kind):
        if isinstance(option, mi.StructType) and isinstance(value, dict):
            for field in option.fields:
                if field.encode_name in value:
                    yield from _spots(
                        value[field.encode_name],
                        field.type,
                        f"{place}.{field.encode_name}",
                        value,
                        field.encode_name,
                    )
        elif isinstance(option, mi.ListType) and isinstance(value, list):
            for i, item in enumerate(value):
                yield from _spots(item, option.item_type, f"{place}[{i}]", value, i)
        elif isinstance(option, mi.DictType) and isinstance(value, dict):
            for name, item in value.items():
                yield from _spots(item, option.value_type, f"{place}[{name}]", value, name)


def _options(kind: mi.Type) -> list[mi.Type]:
    """The types that a field may have, without None and annotations of strings."""
    while isinstance(kind, mi.Metadata):
        kind = kind.type
    if isinstance(kind, mi.UnionType):
        return [option for member in kind.types for option in _options(member)]
    return [] if isinstance(kind, mi.NoneType) else [kind]


def _all_spots(tree: Tree) -> list[Spot]:
    return list(_spots(tree, mi.type_info(Scenario), "", {"": tree}, ""))[1:]


def _number(draw: random.Random, kind: mi.IntType | mi.FloatType) -> Any:
    """A number within the bounds of a field: mostly at their ends, sometimes just outside, or odd."""
    whole = isinstance(kind, mi.IntType)
    low = float(kind.ge if kind.ge is not None else kind.gt if kind.gt is not None else 0.0)
    high = float(kind.le if kind.le is not None else kind.lt if kind.lt is not None else 1.0)
    way = draw.random()
    if way < 0.25:
        value = low
    elif way < 0.45:
        value = high
    elif way < 0.75:
        least = max(low, 1e-9 if not whole else 1.0)
        value = math.exp(draw.uniform(math.log(least), math.log(max(high, least))))
    elif way < 0.85:
        value = draw.uniform(low, high)
    elif way < 0.93:
        value = draw.choice(
            (low + 5e-324, math.nextafter(low, math.inf), math.nextafter(high, low), high / 2)
        )
    else:
        return draw.choice((0, -1, 5e-324, 1e308, 2**63, 2**80, low - 1e-9, high + 1, True, "1", None, -0.0))
    return int(max(low, min(high, value))) if whole else value


def _value(draw: random.Random, kind: mi.Type, tree: Tree, depth: int = 0) -> Any:
    """A value of a type."""
    options = _options(kind)
    if not options:
        return None
    option = draw.choice(options)
    if isinstance(option, (mi.IntType, mi.FloatType)):
        return _number(draw, option)
    if isinstance(option, mi.BoolType):
        return draw.random() < 0.5
    if isinstance(option, mi.LiteralType):
        return draw.choice(option.values)
    if isinstance(option, mi.StrType):
        return _word(draw, tree)
    if isinstance(option, mi.ListType):
        return [_value(draw, option.item_type, tree, depth + 1) for _ in range(draw.choice((0, 1, 1, 2, 5)))]
    if isinstance(option, mi.DictType):
        keys = _options(option.key_type)[0]
        words = keys.values if isinstance(keys, mi.LiteralType) else ("NOR", "USA", "EST", "XXX")
        chosen = draw.sample(list(words), min(len(words), draw.choice((1, 2, 3))))
        return {word: 1.0 / len(chosen) for word in chosen}
    if isinstance(option, mi.StructType):
        if option.cls.__name__ == "Distribution":
            return _distribution(draw)
        return {
            field.encode_name: _value(draw, field.type, tree, depth + 1)
            for field in option.fields
            if field.required or draw.random() < 0.25
        }
    return None


def _distribution(draw: random.Random) -> Tree:
    """A distribution with the parameters of its kind."""
    kind = draw.choice(
        ("constant", "exponential", "lognormal", "lognormal 2", "gamma", "erlang", "triangular")
    )
    size = math.exp(draw.uniform(math.log(1e-4), math.log(1e6)))
    spread = math.exp(draw.uniform(math.log(1e-4), math.log(1e3)))
    parameters: dict[str, Tree] = {
        "constant": {"mean": draw.choice((0, size))},
        "exponential": {"mean": size},
        "lognormal": {"mean": size, "sd": size * spread},
        "lognormal 2": {"median": size, "sigma": min(5.0, spread)},
        "gamma": {"mean": size, "sd": size * spread},
        "erlang": {"mean": size, "k": draw.choice((1, 2, 1000))},
        "triangular": {"low": size / 2, "mode": size, "high": size * (1 + spread)},
    }
    return {"distribution": kind.split()[0]} | parameters[kind]


def _word(draw: random.Random, tree: Tree) -> str:
    """A word: mostly one that names something in the scenario."""
    known = ["POI", "R4", "R1-Poland"]
    for name, key in (("fronts", "name"), ("facilities", "id"), ("vehicles", "id")):
        entries = tree.get(name)
        known += (
            [str(entry.get(key)) for entry in entries if isinstance(entry, dict)]
            if isinstance(entries, list)
            else []
        )
    odd = (
        "",
        " ",
        "x" * 97,
        "=1+1",
        "a/b",
        "\u202e",
        "é\u0301",
        "NOR",
        "\x1b[31m",
        "{n}",
        "{front}",
        "..",
        "\ud7ff",
        "ambulance_armored",
    )
    return draw.choice(known) if draw.random() < 0.8 else draw.choice(odd)


# --- changes


def _change_number(draw: random.Random, tree: Tree) -> str:
    """Replace a number."""
    return _replace(draw, tree, (mi.IntType, mi.FloatType))


def _change_value(draw: random.Random, tree: Tree) -> str:
    """Replace a value of any type by another of its type."""
    return _replace(draw, tree, (mi.Type,))


def _replace(draw: random.Random, tree: Tree, kinds: tuple[type[mi.Type], ...]) -> str:
    spots = [
        spot for spot in _all_spots(tree) if any(isinstance(option, kinds) for option in _options(spot.kind))
    ]
    if not spots:
        return "nothing"
    spot = draw.choice(spots)
    spot.holder[spot.key] = value = _value(draw, spot.kind, tree)
    return f"{spot.place} = {value!r:.60}"


def _set_field(draw: random.Random, tree: Tree) -> str:
    """Set a field of some table, whether it is set or not; networks more often than the rest."""
    tables = [
        (spot.holder[spot.key], option, spot.place)
        for spot in [Spot({"": tree}, "", mi.type_info(Scenario), ""), *_all_spots(tree)]
        for option in _options(spot.kind)
        if isinstance(option, mi.StructType) and isinstance(spot.holder[spot.key], dict)
    ]
    table, kind, place = draw.choice(tables)
    field = draw.choice(kind.fields)
    table[field.encode_name] = value = _value(draw, field.type, tree)
    return f"{place}.{field.encode_name} = {value!r:.60}"


def _delete(draw: random.Random, tree: Tree) -> str:
    """Delete a field or an entry."""
    spot = draw.choice(_all_spots(tree))
    del spot.holder[spot.key]
    return f"without {spot.place}"


def _add_entry(draw: random.Random, tree: Tree) -> str:
    """Add an entry to a list of the scenario: a random one, or a copy of one of its own under another name."""
    name = draw.choice(("fronts", "facilities", "links", "vehicles", "world", "world", "events", "warfare"))
    entries = tree.setdefault(name, [])
    if not isinstance(entries, list):
        return "nothing"
    if entries and isinstance(entries[0], dict) and draw.random() < 0.6:
        entry = json.loads(json.dumps(draw.choice(entries)))
        for key in ("id", "name"):
            if isinstance(entry, dict) and key in entry:
                entry[key] = f"{entry[key]} {draw.randrange(1000)}"
    else:
        field = next(field for field in _scenario_fields() if field.encode_name == name)
        entry = _value(
            draw, next(o for o in _options(field.type) if isinstance(o, mi.ListType)).item_type, tree
        )
    entries.insert(draw.randrange(len(entries) + 1), entry)
    return f"{name} + {entry!r:.60}"


@cache
def _scenario_fields() -> tuple[mi.Field, ...]:
    info = mi.type_info(Scenario)
    assert isinstance(info, mi.StructType)
    return info.fields


def _multiply(draw: random.Random, tree: Tree) -> str:
    """Copy the entries of a list many times under new names, as many as are allowed or a few more."""
    name, most = draw.choice(
        (
            ("fronts", 200),
            ("facilities", 1000),
            ("links", 4000),
            ("vehicles", 1000),
            ("world", 1000),
            ("events", 254),
        )
    )
    entries = tree.get(name)
    if not isinstance(entries, list) or not entries:
        return "nothing"
    count = draw.choice((10, 50, most, most + 1))
    copies = []
    for i in range(count - len(entries)):
        entry = json.loads(json.dumps(entries[i % len(entries)]))
        for key in ("id", "name"):
            if isinstance(entry, dict) and key in entry:
                entry[key] = f"{entry[key]}-{i}"
        copies.append(entry)
    if name == "fronts":
        for entry in [*entries, *copies]:
            if isinstance(entry, dict):
                entry.pop("share", None)
    entries += copies
    return f"{name} x {count}"


def _chain(draw: random.Random, tree: Tree) -> str:
    """Replace the network by one long way, with as many facilities as are allowed, one more or fewer."""
    count = draw.choice((3, 8, 9, 10))
    ids = ["POI", *(f"c{i}" for i in range(count)), "end"]
    kept = [entry for entry in tree.get("facilities") or () if isinstance(entry, dict)]
    role = draw.choice((0, 1, 2, 3))
    facilities: list[Tree] = [{"id": name, "role": role} for name in ids[1:-1]]
    if kept and draw.random() < 0.5:
        facilities = [draw.choice(kept) | facility for facility in facilities]
    minutes = _distribution(draw) if draw.random() < 0.2 else {"distribution": "constant", "mean": 30}
    tree["facilities"] = [*facilities, {"id": ids[-1], "role": 4}]
    tree["links"] = [{"origin": one, "destination": two, "minutes": minutes} for one, two in pairwise(ids)]
    for name in ("vehicles", "world", "network"):
        tree.pop(name, None)
    return f"a way of {count + 1} facilities"


def _shuffle(draw: random.Random, tree: Tree) -> str:
    """Change the order of a list."""
    lists = [spot.holder[spot.key] for spot in _all_spots(tree) if isinstance(spot.holder[spot.key], list)]
    if lists:
        draw.shuffle(draw.choice(lists))
    return "shuffled"


def _swap(draw: random.Random, tree: Tree) -> str:
    """Exchange two values, wherever they are."""
    one, other = draw.choice(_all_spots(tree)), draw.choice(_all_spots(tree))
    first, second = (json.loads(json.dumps(spot.holder[spot.key])) for spot in (one, other))
    one.holder[one.key] = second
    other.holder[other.key] = first
    return f"{one.place} <-> {other.place}"


_CHANGES: tuple[Callable[[random.Random, Tree], str], ...] = (
    _change_number,
    _set_field,
    _add_entry,
    _change_value,
    _delete,
    _shuffle,
    _multiply,
    _swap,
    _chain,
)
_WEIGHTS = (10, 8, 4, 2, 2, 1, 1, 1, 1)


def _broken_text(draw: random.Random, tree: Tree) -> Mutated:
    """A text that is no scenario, or hard to read."""
    size = draw.choice((100, 10_000, 1_000_000))
    text = to_toml(msgspec.convert(tree, Scenario)) if draw.random() < 0.5 else 'name = "x"\n'
    place = draw.randrange(len(text) + 1)
    name, inserted = draw.choice(
        (
            ("numbers", "\nday_weights = [" + "1," * size + "]\n"),
            ("brackets", "\na = " + "[" * size + "]" * size),
            ("tables", "\n[[world]]" * (size // 4)),
            ("dotted", "\n" + "a." * size + "b = 1"),
            ("quoted", "\n" + '"a".' * size + "b = 1"),
            ("text", "\ndescription = '''" + "x\n" * size + "'''"),
            ("digits", "\ndays = " + "9" * size),
            ("word", '\nintensity = "' + "medium" * (size // 6) + '"'),
            ("bytes", "".join(chr(draw.randrange(256)) for _ in range(50))),
        )
    )
    data = (text[:place] + inserted + text[place:]).encode(
        "latin-1" if name == "bytes" else "utf-8", "replace"
    )
    return Mutated(data, draw.choice((".toml", ".toml", ".json")), (f"text of {name}, {size:,}",))

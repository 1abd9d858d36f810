"""Random small networks of finite care for the property tests: scenarios as mappings, drawn with Hypothesis."""

from typing import Any

from effects import NO_STAY
from hypothesis import strategies as st

Draw = Any
Mapping = dict[str, Any]

FRONTS = ("A", "B", "C")
NATIONS = ({"NOR": 1.0}, {"POL": 0.5, "NOR": 0.5}, {"USA": 1.0})
CATEGORIES = ("T1", "T2", "T3")
KINDS = {1: ("role1",), 2: ("role2_basic", "role2_enhanced"), 3: ("role3",), 4: ("role4",), 0: ("csu",)}


def minutes(draw: Draw, low: int, high: int, varied: bool = True) -> Mapping:
    """Draw a time with a mean between `low` and `high` minutes."""
    mean = float(draw(st.integers(low, high)))
    kind = draw(
        st.sampled_from(("lognormal", "exponential", "erlang", "triangular", "constant")[: 5 - varied])
    )
    if kind == "lognormal":
        return {"distribution": kind, "mean": mean, "sd": mean * draw(st.sampled_from((0.2, 0.7)))}
    if kind == "erlang":
        return {"distribution": kind, "mean": mean, "k": 2}
    if kind == "triangular":
        return {"distribution": kind, "low": 0.5 * mean, "mode": mean, "high": 2.0 * mean}
    return {"distribution": kind, "mean": mean}


def maybe(draw: Draw, low: int, high: int) -> int | None:
    """Draw a number, or no limit."""
    return draw(st.none() | st.integers(low, high))


def _shifts(draw: Draw) -> list[Mapping]:
    kind = draw(st.integers(0, 5))
    teams = draw(st.integers(1, 2))
    if kind == 1:
        return [{"from_hour": 20.0, "to_hour": 6.0, "surgical_teams": teams}]
    if kind == 2:
        return [
            {"from_hour": 6.0, "to_hour": 18.0, "surgical_teams": teams + 1},
            {"from_hour": 18.0, "to_hour": 6.0, "surgical_teams": teams - 1},
        ]
    if kind == 3:
        return [
            {"from_hour": 0.0, "to_hour": 7.5, "surgical_teams": 0},
            {"from_hour": 7.5, "to_hour": 24.0, "surgical_teams": teams},
        ]
    return []


def _reoperations(draw: Draw) -> Mapping:
    """Draw the rules of further operations."""
    found: Mapping = {
        "probability": draw(st.sampled_from(([0.2, 0.4, 0.6, 0.8], [1.0] * 4, [0.0, 0.0, 0.0, 1.0]))),
        "most": draw(st.integers(2, 5)),
        "roles": draw(st.sampled_from(([], [3], [2]))),
    }
    if draw(st.booleans()):
        found["interval_minutes"] = minutes(draw, 30, 2000)
    return found


def _divert(draw: Draw) -> Mapping:
    """Draw when a facility diverts; a condition may be one that never holds there."""
    conditions: Mapping = {
        "queue": draw(st.integers(1, 4)),
        "tables_busy": True,
        "no_team": True,
        "ward_share": draw(st.sampled_from((0.3, 1.0))),
        "icu_share": draw(st.sampled_from((0.5, 1.0))),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(conditions)), min_size=1, max_size=3, unique=True))
    categories = draw(st.sampled_from(([], ["T1", "T2"], ["T3"], ["T1"])))
    return {name: conditions[name] for name in chosen} | {"categories": categories}


def _facility(draw: Draw, name: str, role: int) -> Mapping:
    """Draw a facility with random limits."""
    f: Mapping = {"id": name, "role": role, "kind": draw(st.sampled_from(KINDS[role]))}
    if role == 0:
        if draw(st.booleans()):
            f["places"] = draw(st.integers(6, 20))
        return f
    scarce = {
        "triage_teams": maybe(draw, 1, 2),
        "treatment_bays": maybe(draw, 1, 4),
        "operating_tables": maybe(draw, 1, 3),
        "surgical_teams": maybe(draw, 1, 2),
        "icu_beds": maybe(draw, 1, 4),
        "ward_beds": maybe(draw, 2, 20),
        "places": draw(st.none() | st.none() | st.integers(3, 25)),
        "blood_units": draw(st.none() | st.none() | st.integers(0, 30)),
    }
    f |= {key: value for key, value in scarce.items() if value is not None}
    shifts = _shifts(draw)
    if shifts:
        f["shifts"] = shifts
    if "blood_units" in f and draw(st.booleans()):
        f |= {"resupply_hours": 12.0, "resupply_units": 8}
    if "ward_beds" in f and draw(st.booleans()):
        f["surge"] = {
            "trigger": draw(st.sampled_from((0.0, 0.5, 0.8, 1.0))),
            "delay_minutes": draw(st.sampled_from((0.0, 90.0))),
            "ward_beds": draw(st.integers(0, 4)),
            "icu_beds": draw(st.integers(0, 2)),
            "treatment_bays": draw(st.integers(0, 2)),
        }
    if draw(st.booleans()):
        f["hold_bay"] = False
    if draw(st.integers(0, 2)) == 0:
        f["divert"] = _divert(draw)
    for field, low, high in (
        ("care_minutes", 5, 240),
        ("resuscitation_minutes", 5, 120),
        ("surgery_minutes", 20, 300),
        ("icu_minutes", 60, 2000),
    ):
        if draw(st.integers(0, 3)) == 0:
            f[field] = minutes(draw, low, high, varied=False)
    if draw(st.integers(0, 3)) == 0:
        f["policy_days"] = draw(st.sampled_from((0.0, 2.0, 30.0)))
    if draw(st.booleans()):
        f["nation"] = draw(st.sampled_from(("NOR", "USA")))
    return f


def _pool(draw: Draw, name: str, lasting: bool) -> Mapping:
    """Draw a pool of vehicles on request; if `lasting`, some of them always remain available."""
    v: Mapping = {
        "id": name,
        "kind": "ambulance_standard",
        "number": draw(st.integers(1, 4)),
        "litters": draw(st.integers(1, 3)),
        "seats": draw(st.integers(0, 3)),
    }
    for field in ("load_minutes", "unload_minutes", "dispatch_minutes"):
        if draw(st.integers(0, 2)) == 0:
            v[field] = draw(st.sampled_from((2.0, 7.5)))
    if draw(st.integers(0, 4)) == 0:
        v["night"] = False
    if draw(st.integers(0, 4)) == 0:
        v["grounded"] = 0.3
    if not lasting and draw(st.integers(0, 4)) == 0:
        v["loss"] = draw(st.sampled_from((0.01, 0.2)))
    if draw(st.integers(0, 2)) == 0:
        v["clock_factor"] = draw(st.sampled_from((0.5, 2.0)))
    return v


def _links(draw: Draw, layers: list[list[Mapping]], lasting: bool) -> tuple[list[Mapping], list[Mapping]]:
    """Draw links from each place to the next layer, sometimes to a later one, and the pools that serve them."""
    links: list[Mapping] = []
    pools: list[Mapping] = [_pool(draw, f"V{k}", lasting) for k in range(draw(st.integers(0, 3)))]
    lifts: list[Mapping] = []
    origins: list[tuple[str, int]] = [("POI", -1)]
    origins += [(f["id"], k) for k, layer in enumerate(layers[:-1]) for f in layer]
    for origin, k in origins:
        targets = list(layers[k + 1])
        if k + 2 < len(layers) and draw(st.integers(0, 2)) == 0:
            targets += layers[k + 2]
        count = draw(st.integers(1, len(targets)))
        alike = minutes(draw, 10, 200) if draw(st.integers(0, 2)) == 0 else None
        for n, target in enumerate(targets[:count]):
            link: Mapping = {
                "origin": origin,
                "destination": target["id"],
                "minutes": alike or minutes(draw, 10, 200),
            }
            if pools and draw(st.booleans()):
                link["vehicle"] = draw(st.sampled_from(pools))["id"]
                pool = next(p for p in pools if p["id"] == link["vehicle"])
                room = pool["litters"] + pool["seats"]
                if room >= 2 and draw(st.integers(0, 2)) == 0:
                    link["batch"] = {
                        "minimum": draw(st.integers(2, min(room, 3))),
                        "wait_minutes": draw(st.sampled_from((30.0, 600.0))),
                        "override": draw(st.sampled_from(([], ["T1"], ["T1", "T2"]))),
                    }
            if n and draw(st.integers(0, 3)) == 0:
                link["categories"] = draw(st.sampled_from((["T1"], ["T1", "T2"], ["T3"])))
            links.append(link)
        if k >= 0 and draw(st.integers(0, 4)) == 0:  # a scheduled lift serves all links of this origin
            lift = {
                "id": f"L-{origin}",
                "kind": "ambulance_standard",
                "number": draw(st.integers(1, 2)),
                "litters": draw(st.integers(2, 4)),
                "seats": draw(st.integers(0, 4)),
                "lift": {
                    "interval_hours": draw(st.sampled_from((3.0, 12.0))),
                    "first_hour": draw(st.sampled_from((0.0, 5.0))),
                    "cancellation": draw(st.sampled_from((0.0, 0.3))),
                },
            }
            lifts.append(lift)
            for link in links:
                if link["origin"] == origin:
                    link["vehicle"] = lift["id"]
                    link.pop("batch", None)
    used = {link.get("vehicle") for link in links}
    for pool in pools:
        if draw(st.integers(0, 3)) == 0:
            pool["base"] = draw(st.sampled_from([f["id"] for layer in layers for f in layer]))
    return links, [pool for pool in pools + lifts if pool["id"] in used]


def _world(
    draw: Draw, facilities: list[Mapping], pools: list[Mapping], days: int, lasting: bool
) -> list[Mapping]:
    """Draw events in the network; if `lasting`, they are temporary."""
    found: list[Mapping] = []
    opened = set()
    for _ in range(draw(st.sampled_from((0, 0, 1, 2, 4)))):
        at = float(draw(st.integers(1, 24 * days)))
        kind = draw(st.sampled_from(("open", "close", "move", "hit", "hit", "interdiction")))
        until: Mapping = {"duration_hours": float(draw(st.integers(1, 40)))}
        if not lasting and draw(st.booleans()):
            until = {}
        if kind == "interdiction":
            if not pools:
                continue
            pool = draw(st.sampled_from(pools))
            found.append({"event": kind, "at_hours": at, "vehicle": pool["id"], **until})
            if draw(st.booleans()):
                found[-1]["number"] = draw(st.integers(1, pool["number"]))
            continue
        where = draw(st.sampled_from(facilities))["id"]
        event = {"event": kind, "at_hours": at, "facility": where}
        if kind == "open":
            if where in opened:
                continue
            opened.add(where)
        else:
            event |= until
        if kind == "move":
            event["minutes_factor"] = draw(st.sampled_from((0.3, 1.0, 2.5)))
        if kind == "hit":
            event["capacity_lost"] = draw(st.sampled_from((0.0, 0.5, 1.0)))
            event["killed"] = draw(st.sampled_from((0.0, 0.3)))
        found.append(event)
    return found


def _incidents(draw: Draw, fronts: int, days: int) -> list[Mapping]:
    """Draw listed casualties, at most 30: some with a given category, mean severity or stream."""
    found: list[Mapping] = []
    for _ in range(draw(st.integers(1, 3))):
        hour, quarter = draw(st.integers(0, 22)), draw(st.sampled_from((0, 15, 30, 45)))
        row: Mapping = {
            "at": f"day {draw(st.integers(1, days))} {hour:02}:{quarter:02}",
            "front": FRONTS[draw(st.integers(0, fronts - 1))],
        }
        if draw(st.booleans()):
            row["number"] = draw(st.integers(1, 10))
        else:
            row |= {
                "numbers": [draw(st.integers(0, 5)), draw(st.integers(1, 5))],
                "every_minutes": 30.0,
            }
        choice = draw(
            st.sampled_from(({}, {"category": "T1"}, {"mean_iss": 20.0}, {"stream": "nbi"}, "triage"))
        )
        row |= {"triage": {"T1": 0.3, "T2": 0.3, "T3": 0.4}} if choice == "triage" else choice
        found.append(row)
    return found


def _move_the_dead(draw: Draw, scenario: Mapping, lasting: bool) -> None:
    """Draw how the dead are moved, and perhaps vehicles for them."""
    rules: Mapping = {"died_of_wounds": draw(st.booleans())}
    if draw(st.integers(0, 2)) == 0:
        pool = _pool(draw, "H", lasting)
        scenario["vehicles"].append(pool)
        rules["vehicle"] = "H"
    elif scenario["vehicles"] and draw(st.integers(0, 3)) == 0:
        shared = [pool["id"] for pool in scenario["vehicles"] if "lift" not in pool]
        rules |= {"vehicle": draw(st.sampled_from(shared))} if shared else {}
    if draw(st.booleans()):
        reached = ["POI"]
        for place in reached:
            found = [link["destination"] for link in scenario["links"] if link["origin"] == place]
            reached += [name for name in found if name not in reached]
        rules["collection_points"] = [draw(st.sampled_from(reached[1:]))]
    scenario["mortuary_affairs"] = rules


@st.composite
def scenarios(draw: Draw, lasting: bool = False, prepares: bool = False) -> Mapping:
    """Draw a scenario as a mapping; if `lasting`, nothing is lost for good, so that all patients can be served.

    If `prepares`, patients may have to be prepared for transport, and vehicles wait for them. Otherwise the times of
    vehicles and of patients are simple to tell apart.
    """
    fronts = draw(st.integers(1, 3))
    roles = draw(
        st.sampled_from(([1, 2, 3], [2, 3, 4], [1, 0, 2, 4], [1, 2, 3, 4], [2, 0, 4], [2], [0, 2, 3], [1, 3]))
    )
    layers = [
        [_facility(draw, f"F{k}{n}-R{role}", role) for n in range(draw(st.integers(1, 2)))]
        for k, role in enumerate(roles)
    ]
    facilities = [f for layer in layers for f in layer]
    links, pools = _links(draw, layers, lasting)
    for link in links:
        origin = next((f for f in facilities if f["id"] == link["origin"]), {})
        if "batch" in link and _places(origin) < link["batch"]["minimum"]:
            del link["batch"]
    days = draw(st.integers(1, 3))
    battle = draw(st.sampled_from((0.3, 0.8, 1.0)))
    rest = round(1.0 - battle, 3)
    minutes, after = (draw(st.sampled_from((0.0, 15.0, 90.0))) if prepares else 0.0 for _ in range(2))
    scenario: Mapping = {
        "name": "random",
        "model": {
            "care": {
                "preparation": {"minutes": [minutes] * 4, "after_operation_minutes": after},
                **({} if prepares else NO_STAY),
            }
        },
        "seed": draw(st.integers(0, 10_000)),
        "days": days,
        "casualties": {"total": draw(st.integers(30, 220))},
        "mix": {"battle": battle, "nbi": rest / 2, "disease": rest / 2},
        "fronts": [{"name": FRONTS[k], "nations": NATIONS[k]} for k in range(fronts)],
        "facilities": facilities,
        "links": links,
        "vehicles": pools,
        "world": _world(draw, facilities, pools, days, lasting),
        "acceptance": draw(st.sampled_from(("accept", "accept", "push"))),
        "destination": draw(st.sampled_from(("closest-first", "spread-out", "least-loaded"))),
        "bypass": draw(st.sampled_from((True, True, False))),
        "national_preference": draw(st.sampled_from((False, False, True))),
        "bumping": draw(st.booleans()),
        "expectant": draw(st.sampled_from((False, False, True))),
        "retriage_minutes": draw(st.sampled_from((15.0, 60.0, 300.0))),
    }
    if draw(st.booleans()):
        scenario["reoperations"] = _reoperations(draw)
    if draw(st.integers(0, 2)) == 0:
        scenario["intensive_care"] = {
            "after_surgery": draw(st.booleans()),
            "worst_ais": draw(st.sampled_from((3, 4, "none"))),
            "niss": draw(st.sampled_from((9, 25))),
            "after_resuscitation": draw(st.booleans()),
        }
    if draw(st.integers(0, 2)) == 0:
        minutes = st.sampled_from((0.0, 4.0, {"distribution": "exponential", "mean": 30.0}))
        names = st.sampled_from(
            ("first_aid_after_minutes", "treatment_minutes", "triage_after_minutes", "triage_minutes")
        )
        scenario["point_of_injury"] = draw(st.dictionaries(names, minutes))
    if draw(st.integers(0, 2)) == 0:
        scenario["incidents"] = _incidents(draw, fronts, days)
    if draw(st.integers(0, 2)) == 0:
        _move_the_dead(draw, scenario, lasting)
    kind = draw(st.sampled_from((None, None, "artillery", "cbrn", "urban")))
    if kind:
        scenario["warfare"] = [{"type": kind}]
        scenario["mascal_threshold"] = 3
    if draw(st.integers(0, 5)) == 0:
        scenario["survival"] = {"clock": False}
    if draw(st.booleans()):
        scenario["horizon_days"] = float(days + draw(st.integers(0, 5)))
    return scenario


@st.composite
def simultaneous_scenarios(draw: Draw) -> Mapping:
    """Draw a scenario in which nothing is lost for good and much happens at the same instant.

    All times are constant multiples of a quarter of an hour, and lifts bring many patients into step.
    """
    scenario: Mapping = draw(scenarios(lasting=True))
    for link in scenario["links"]:
        link["minutes"] = _in_quarters(link["minutes"])
    for f in scenario["facilities"]:
        if f["role"] > 0:
            for field in ("care_minutes", "resuscitation_minutes", "surgery_minutes", "icu_minutes"):
                f[field] = _in_quarters(f.get(field) or {"mean": 15.0 * draw(st.integers(1, 16))})
    for pool in scenario["vehicles"]:
        pool |= {key: 15.0 for key in ("load_minutes", "unload_minutes", "dispatch_minutes") if key in pool}
        if "lift" in pool:
            pool["lift"]["interval_hours"] = draw(st.sampled_from((1.0, 3.0)))
    _add_lifts(draw, scenario)
    for _ in range(draw(st.integers(0, 3))):
        event: Mapping = {
            "event": draw(st.sampled_from(("hit", "hit", "close"))),
            "at_hours": float(draw(st.integers(3, 24 * scenario["days"] + 10))),
            "facility": draw(st.sampled_from(scenario["facilities"]))["id"],
            "duration_hours": float(draw(st.integers(1, 40))),
        }
        if event["event"] == "hit":
            event["capacity_lost"] = draw(st.sampled_from((0.0, 0.5, 1.0)))
            event["killed"] = draw(st.sampled_from((0.0, 0.3)))
        scenario["world"].append(event)
    return scenario


def _in_quarters(minutes: Mapping) -> Mapping:
    """Return a constant time near that of a distribution: a multiple of 15 minutes."""
    mean = minutes.get("mean") or minutes["mode"]
    return {"distribution": "constant", "mean": max(15.0, 15.0 * round(mean / 15.0))}


def _add_lifts(draw: Draw, scenario: Mapping) -> None:
    """Let lifts instead of other vehicles serve some places."""
    pools = {pool["id"]: pool for pool in scenario["vehicles"]}
    for origin in sorted({link["origin"] for link in scenario["links"]} - {"POI"}):
        name = f"L-{origin}"
        if name in pools or draw(st.booleans()):
            continue
        pools[name] = {
            "id": name,
            "kind": "ambulance_standard",
            "number": 1,
            "litters": draw(st.integers(1, 4)),
            "seats": draw(st.integers(0, 3)),
            "lift": {"interval_hours": draw(st.sampled_from((1.0, 3.0)))},
        }
        for link in scenario["links"]:
            if link["origin"] == origin:
                link["vehicle"] = name
                link.pop("batch", None)
    used = {link.get("vehicle") for link in scenario["links"]}
    used.add(scenario.get("mortuary_affairs", {}).get("vehicle"))
    scenario["vehicles"] = [pool for name, pool in pools.items() if name in used]
    scenario["world"] = [e for e in scenario["world"] if e.get("vehicle") is None or e["vehicle"] in used]


def _places(f: Mapping) -> int:
    if "places" in f:
        return int(f["places"])
    return f["ward_beds"] + f.get("icu_beds", 0) + f.get("treatment_bays", 0) if "ward_beds" in f else 1 << 30


__all__ = ["scenarios", "simultaneous_scenarios"]

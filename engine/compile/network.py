"""A scenario's evacuation network, care and transition matrices compiled to the tables of `kernel.event_loop`."""

import math

import numpy as np

from engine import numeric
from engine.compile.capacity import compile_capacity
from engine.compile.rows import (
    STANDARD,
    by_type,
    cumulated,
    environment,
    filled,
    floats,
    ints,
    triage_weights,
)
from engine.numeric import interpreted
from engine.scenario import (
    POI,
    Distribution,
    Scenario,
    incident_types,
    link_minutes,
    mean_of,
    one_way_minutes,
)
from engine.tables import CARE, DAY, NETWORK, TRANSITIONS, Table
from scenarios import tables
from scenarios.tables import model_parameters

ROLES = ("POI", "Role1", "Role2", "Role3", "Role4")
TABLE_STREAMS = ("Battle Injury", "Non-Battle Injury", "Disease")
STREAMS = ("battle", "nbi", "disease")


def duration(d: Distribution) -> tuple[int, float, float, float]:
    """(code, a, b, c) of a distribution for `distributions.continuous`; a lognormal by median and sigma."""
    kind = d.distribution
    if kind == "lognormal":
        given = numeric.LOGNORMAL if d.median is None else numeric.LOGNORMAL_MEDIAN
        a, b = (d.mean, d.sd) if d.median is None else (d.median, d.sigma)
        if not a:
            return numeric.CONSTANT, 0.0, 0.0, 0.0
        median = numeric.interpreted_distributions.lognormal_median(given, float(a), float(b or 0.0))
        sigma = numeric.interpreted_distributions.lognormal_sigma(given, float(a), float(b or 0.0))
        return numeric.LOGNORMAL_MEDIAN, median, sigma, 0.0
    if kind == "triangular":
        return numeric.TRIANGULAR, float(d.low or 0), float(d.mode or 0), float(d.high or 0)
    code = {
        "constant": numeric.CONSTANT,
        "exponential": numeric.EXPONENTIAL,
        "gamma": numeric.GAMMA,
        "erlang": numeric.ERLANG,
    }[kind]
    return code, float(d.mean or 0), float(d.sd or d.k or 0), 0.0


def compile_network(s: Scenario) -> Table:
    """The evacuation network of a resolved scenario: from each place the closest link of a front (by mean time)."""
    index = {f.id: k for k, f in enumerate(s.facilities)}
    pools = {v.id for v in s.vehicles} if s.routing == "clock" else set()  # loading is counted one by one
    times = [
        one_way_minutes(link, s.vehicles) if link.vehicle in pools else link_minutes(link, s.vehicles)
        for link in s.links
    ]
    order = sorted(range(len(s.links)), key=lambda k: (mean_of(times[k]), k))
    first = np.full(len(s.fronts), -1, np.int64)
    onward = np.full((len(s.facilities), len(s.fronts)), -1, np.int64)
    for k in reversed(order):
        link = s.links[k]
        for f, front in enumerate(s.fronts):
            if front.name not in link.fronts:
                continue
            if link.origin == POI:
                first[f] = k
            else:
                onward[index[link.origin], f] = k
    mobility = environment(s, "mobility", 1.0, lambda x, y: x * y)
    delay = environment(s, "evacuation_delay_minutes", 0.0, lambda x, y: x + y)
    role = [f.role for f in s.facilities]
    strategic = [role[index[link.destination]] == 4 for link in s.links]
    codes = [duration(t) for t in times]
    own_times = [
        [f.triage_minutes, f.care_minutes, f.resuscitation_minutes, f.surgery_minutes, f.icu_minutes]
        for f in s.facilities
    ]
    services = [[(-1, 0.0, 0.0, 0.0) if t is None else duration(t) for t in row] for row in own_times]
    able = {
        name: np.array([bool(getattr(f, name)) for f in s.facilities], np.uint8)
        for name in ("dcr", "dcs", "icu", "definitive")
    }
    return filled(
        NETWORK,
        role=ints(role),
        resuscitates=able["dcr"],
        operates=able["dcs"],
        icu=able["icu"],
        definitive=able["definitive"],
        policy=floats(math.inf if f.policy_days is None else f.policy_days * DAY for f in s.facilities),
        first_link=first,
        next_link=onward,
        origin=ints(-1 if link.origin == POI else index[link.origin] for link in s.links),
        destination=ints(index[link.destination] for link in s.links),
        minutes=floats(mean_of(t) for t in times),
        kind=ints(c[0] for c in codes),
        travel=floats(c[1:] for c in codes),
        slowdown=floats(1.0 if high else 1.0 / mobility for high in strategic),
        delay=floats(delay if link.origin == POI else 0.0 for link in s.links),
        service_kind=np.array([[t[0] for t in row] for row in services], np.int64),
        service=np.array([[t[1:] for t in row] for row in services], np.float64),
        **compile_capacity(s, order, [mean_of(t) for t in times]),
    )


def compile_care(s: Scenario) -> Table:
    """Service times, triage and request."""
    given = model_parameters("care")
    right = given["triage"]["right"]
    variation = given["surgery"]["variation"]
    variance = interpreted.log(1.0 + variation * variation)
    bands = [given["surgery"][f"role{r}_mean_minutes"] for r in (2, 3)]
    return filled(
        CARE,
        triage=floats([given["triage"]["minutes"]]),
        right=floats(
            [s.triage_accuracy] * 5
            if s.triage_accuracy is not None
            else [right["poi"], right["role1"], right["role2"], right["role2"], right["role2"]]
        ),
        over=floats([given["triage"]["over_triage_weight"]]),
        role1=floats(given["minutes"]["role1_care"]),
        care=floats(given["minutes"]["care"]),
        resuscitation=floats(given["minutes"]["resuscitation"]),
        icu=floats(given["minutes"]["icu"]),
        waits=floats([given["waits"]["door_to_resuscitation"], given["waits"]["resuscitation_to_surgery"]]),
        surgery=floats([interpreted.log(m) - 0.5 * variance for m in row] for row in bands),
        surgery_sigma=floats([math.sqrt(variance)]),
        decontamination=floats([given["decontamination"]["minutes"]]),
        request=floats([given["request"]["request_share"], given["request"]["departure_share"]]),
        aid_slowdown=floats([1.0 / environment(s, "visibility", 1.0, lambda x, y: x * y)]),
        threshold=ints([s.mascal_threshold]),
        horizon=floats([math.inf if s.horizon_days is None else s.horizon_days * DAY]),
    )


def compile_transitions(s: Scenario) -> Table:
    """The tables of transition-matrix routing (transition_matrices.json); empty under the clock."""
    names = incident_types(s)
    matrices = tables.transition_matrices()["base_transitions"]
    rows = np.ones((len(ROLES), 4, 7))
    for place, role in enumerate(ROLES):
        for category in (1, 2, 3):
            given = matrices[role]["transitions"][f"T{category}"]
            weights = [
                0.0,
                *(given.get(r, 0.0) for r in ROLES[1:]),
                given.get("KIA", 0.0),
                given.get("RTD", 0.0),
            ]
            rows[place, category] = cumulated(weights)
    triage = np.zeros((len(names), 3, 3))
    for row, name in enumerate(names):
        if name == STANDARD:
            weights_of = tables.simulation_parameters()["triage_weights"]
        else:
            weights_of = tables.warfare_patterns()["warfare_types"][name]["triage_weights"]
        for stream, label in enumerate(TABLE_STREAMS):
            own = triage_weights(s, ("battle", "nbi", "disease")[stream])
            triage[row, stream] = cumulated(own or [weights_of[label][f"T{k}"] for k in (1, 2, 3)])
    net = compile_network(s)[0]
    place_of = np.full((len(s.fronts), len(ROLES)), -1, np.int64)
    for f in range(len(s.fronts)):
        link = net["first_link"][f]
        while link >= 0:
            here = net["destination"][link]
            if place_of[f, net["role"][here]] < 0:
                place_of[f, net["role"][here]] = here
            link = net["next_link"][here, f]
    return filled(
        TRANSITIONS,
        used=np.array([s.routing == "transition-matrix"], np.uint8),
        cumulated=rows,
        triage=by_type(triage),
        facility=place_of,
    )

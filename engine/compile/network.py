"""Compile the evacuation network of a scenario, its care and its transition matrices to tables of the kernel."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec.structs import astuple

from engine import numeric
from engine.codes import STREAMS
from engine.compile.capacity import (
    compile_capacity,
    finite_resources,
    is_unlimited,
    resource_capacities,
)
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
from engine.compile.vehicles import compile_vehicles
from engine.compile.ways import compile_ways
from engine.compile.world import compile_world, world_events
from engine.numeric import interpreted
from engine.scenario import (
    POI,
    Distribution,
    Scenario,
    care_at_point_of_injury,
    incident_types,
    is_available,
    link_minutes,
    mean_of,
    model_constants,
    one_way_minutes,
)
from engine.tables import CARE, DAY, HOUR, MINUTE, NETWORK, TRANSITIONS, Table
from scenarios import tables

ROLES = ("POI", "Role1", "Role2", "Role3", "Role4")
"""Places of the transition matrices, in the order of the table."""

OPERATING_ROLES = (1, 2, 3)
"""Roles at which somebody may be operated on again; at Role 4 the outcome is fixed."""

NO_AIS, NO_NISS = 7, 76
"""Above the highest AIS and NISS: no criterion."""

STREAM_LABELS = ("Battle Injury", "Non-Battle Injury", "Disease")
"""Streams of the reference tables, in the order of `Stream`."""


def duration(distribution: Distribution) -> tuple[int, float, float, float]:
    """Return (code, a, b, c) of a distribution for `engine.numeric.continuous`; a lognormal by median and sigma."""
    kind = distribution.distribution
    if kind == "lognormal":
        return _lognormal(distribution)
    if kind == "triangular":
        low, mode, high = distribution.low, distribution.mode, distribution.high
        return numeric.TRIANGULAR, float(low or 0), float(mode or 0), float(high or 0)
    code = {
        "constant": numeric.CONSTANT,
        "exponential": numeric.EXPONENTIAL,
        "gamma": numeric.GAMMA,
        "erlang": numeric.ERLANG,
    }[kind]
    return code, float(distribution.mean or 0), float(distribution.sd or distribution.k or 0), 0.0


def _lognormal(distribution: Distribution) -> tuple[int, float, float, float]:
    """Return (code, a, b, c) of a lognormal; a constant 0 if its mean or median is 0."""
    code = numeric.LOGNORMAL if distribution.median is None else numeric.LOGNORMAL_MEDIAN
    first, second = (
        (distribution.mean, distribution.sd)
        if distribution.median is None
        else (distribution.median, distribution.sigma)
    )
    if not first:
        return numeric.CONSTANT, 0.0, 0.0, 0.0
    functions = numeric.interpreted_distributions
    median = functions.lognormal_median(code, float(first), float(second or 0.0))
    sigma = functions.lognormal_sigma(code, float(first), float(second or 0.0))
    return numeric.LOGNORMAL_MEDIAN, median, sigma, 0.0


def compile_network(scenario: Scenario) -> Table:
    """Return one row of NETWORK for a resolved scenario."""
    facilities = {facility.id: number for number, facility in enumerate(scenario.facilities)}
    pools = set() if is_unlimited(scenario) else {pool.id for pool in scenario.vehicles}
    # vehicles of a pool load and unload patient by patient; for others the time of a link includes it
    times = [
        one_way_minutes(link, scenario.vehicles)
        if link.vehicle in pools
        else link_minutes(link, scenario.vehicles)
        for link in scenario.links
    ]
    minutes = [mean_of(time) for time in times]
    order = sorted(range(len(scenario.links)), key=lambda link: (minutes[link], link))
    capacity = resource_capacities(scenario)
    finite = finite_resources(scenario, capacity)
    events = world_events(scenario, facilities)
    return filled(
        NETWORK,
        **_facility_fields(scenario),
        **_closest_links(scenario, facilities, order),
        **_field_times(scenario),
        **_link_fields(scenario, facilities, times, minutes),
        **compile_capacity(scenario, capacity, finite),
        **compile_ways(scenario, facilities, finite, events, order, minutes),
        **compile_vehicles(scenario),
        **compile_world(scenario, facilities, events),
    )


def _facility_fields(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of NETWORK by facility: role, capabilities, policy and service times of its own."""
    facilities = scenario.facilities
    own_times = [
        [
            facility.triage_minutes,
            facility.care_minutes,
            facility.resuscitation_minutes,
            facility.surgery_minutes,
            facility.icu_minutes,
        ]
        for facility in facilities
    ]
    services = [
        [(-1, 0.0, 0.0, 0.0) if time is None else duration(time) for time in row] for row in own_times
    ]
    resuscitation = is_available(scenario, "resuscitation")
    surgery = is_available(scenario, "surgery")
    return {
        "role": ints(facility.role for facility in facilities),
        "resuscitates": np.array([bool(facility.dcr) and resuscitation for facility in facilities], np.uint8),
        "operates": np.array([bool(facility.dcs) and surgery for facility in facilities], np.uint8),
        "has_icu": np.array([bool(facility.icu) for facility in facilities], np.uint8),
        "definitive": np.array([bool(facility.definitive) for facility in facilities], np.uint8),
        "evacuation_policy": floats(
            math.inf if facility.policy_days is None else facility.policy_days * DAY
            for facility in facilities
        ),
        "service_kind": np.array([[time[0] for time in row] for row in services], np.int64),
        "service": np.array([[time[1:] for time in row] for row in services], np.float64),
    }


def _closest_links(scenario: Scenario, facilities: dict[str, int], order: Sequence[int]) -> dict[str, Any]:
    """Return the closest link of each front from the POI, and from each facility; -1 without."""
    first = np.full(len(scenario.fronts), -1, np.int64)
    onward = np.full((len(scenario.facilities), len(scenario.fronts)), -1, np.int64)
    for number in reversed(order):
        link = scenario.links[number]
        for place, front in enumerate(scenario.fronts):
            if front.name not in link.fronts:
                continue
            if link.origin == POI:
                first[place] = number
            else:
                onward[facilities[link.origin], place] = number
    return {"first_link": first, "next_link": onward}


def _field_times(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of NETWORK on care at the point of injury, in the order of `FieldTime`."""
    times = [
        [
            None if time is None else duration(time)
            for time in astuple(care_at_point_of_injury(scenario, front))
        ]
        for front in scenario.fronts
    ]
    unset = (-1, 0.0, 0.0, 0.0)
    return {
        "field_care": np.array([any(row) for row in times], np.uint8),
        "field_kind": np.array([[(time or unset)[0] for time in row] for row in times], np.int64),
        "field_minutes": np.array([[(time or unset)[1:] for time in row] for row in times], np.float64),
    }


def _link_fields(
    scenario: Scenario, facilities: dict[str, int], times: Sequence[Distribution], minutes: Sequence[float]
) -> dict[str, Any]:
    """Return the fields of NETWORK by link; mobility does not slow links to Role 4."""
    links = scenario.links
    mobility = environment(scenario, "mobility", 1.0, lambda one, other: one * other)
    delay = environment(scenario, "evacuation_delay_minutes", 0.0, lambda one, other: one + other)
    strategic = [scenario.facilities[facilities[link.destination]].role == 4 for link in links]
    codes = [duration(time) for time in times]
    return {
        "origin": ints(-1 if link.origin == POI else facilities[link.origin] for link in links),
        "destination": ints(facilities[link.destination] for link in links),
        "minutes": floats(minutes),
        "travel_kind": ints(code[0] for code in codes),
        "travel_parameters": floats(code[1:] for code in codes),
        "slowdown": floats(1.0 if to_role_4 else 1.0 / mobility for to_role_4 in strategic),
        "delay": floats(delay if link.origin == POI else 0.0 for link in links),
    }


def compile_care(scenario: Scenario) -> Table:
    """Return one row of CARE: service times, triage and request."""
    given = model_constants(scenario, "care")
    variation = given["surgery"]["variation"]
    variance = interpreted.log(1.0 + variation * variation)
    bands = [given["surgery"][f"role{role}_mean_minutes"] for role in (2, 3)]
    right = given["triage"]["right"]
    accuracy, minor = (
        [right[f"{of}{place}"] for place in ("poi", "role1", "role2", "role2", "role2")]
        for of in ("", "minor_")
    )
    immediate = [right["immediate_poi"], right["immediate_mascal"]]
    slight = [right["slight_poi"], right["slight_facility"]]
    if scenario.triage_accuracy is not None:
        accuracy = minor = [scenario.triage_accuracy] * len(ROLES)
        immediate = [scenario.triage_accuracy] * 2
        slight = [scenario.triage_accuracy] * 2
    visibility = environment(scenario, "visibility", 1.0, lambda one, other: one * other)
    horizon = scenario.horizon_days
    return filled(
        CARE,
        triage=floats([given["triage"]["minutes"]]),
        triage_accuracy=floats(accuracy),
        triage_accuracy_minor=floats(minor),
        triage_accuracy_immediate=floats(immediate),
        triage_accuracy_slight=floats(slight),
        over_triage_weight=floats([given["triage"]["over_triage_weight"]]),
        over_triage_two_steps=floats([given["triage"]["two_steps"]]),
        plain_share=floats([given["triage"]["plain_share"]]),
        plain_ais=np.array(given["triage"]["plain_ais"], np.int64),
        unwell_hours=floats([given["unwell"][of] for of in ("chest", "burn", "blood")]),
        unwell_burn=floats([given["unwell"]["burn_share"]]),
        unwell_by_grade=floats(given["unwell"]["agent"]),
        unwell_by_triage=floats([0.0, *given["unwell"]["ill"], 0.0, 0.0]),
        role1=floats(given["minutes"]["role1_care"]),
        care=floats(given["minutes"]["care"]),
        resuscitation=floats(given["minutes"]["resuscitation"]),
        icu=floats(given["minutes"]["icu"]),
        waits=floats([given["waits"]["door_to_resuscitation"], given["waits"]["resuscitation_to_surgery"]]),
        surgery=floats([interpreted.log(mean) - 0.5 * variance for mean in row] for row in bands),
        surgery_work=floats(
            [interpreted.log(mean) for mean in given["surgery"][f"role{role}_mean_work"]] for role in (2, 3)
        ),
        surgery_given=floats(
            [
                math.sqrt(variance),
                *(given["surgery"][name] for name in ("exponent", "setup_minutes")),
                *(given["surgery"][f"{name}_minutes"] for name in ("least", "most")),
            ]
        ),
        **_reoperations(scenario),
        excision=floats(given["excision"]["interval"]),
        icu_after_surgery=int(scenario.intensive_care.after_surgery),
        icu_after_resuscitation=int(scenario.intensive_care.after_resuscitation),
        icu_ais=scenario.intensive_care.worst_ais or NO_AIS,
        icu_niss=scenario.intensive_care.niss or NO_NISS,
        decontamination=floats([given["decontamination"]["minutes"]]),
        blood=floats(
            [
                interpreted.log(given["blood"]["units"]),
                interpreted.log(given["blood"]["units_of_others"]),
                given["blood"]["sigma"],
                given["blood"]["severity"],
                given["blood"]["per_niss"],
                given["blood"]["niss"],
                interpreted.log(given["blood"]["units_of_shock"]),
                given["blood"]["shock_sigma"],
            ]
        ),
        most_units_of_others=floats(given["blood"]["most_of_others"]),
        most_units=given["blood"]["most"],
        prehospital_units=given["blood"]["prehospital"],
        unit_minutes=floats([given["blood"]["minutes_of_unit"], given["blood"]["minutes_of_further_unit"]]),
        request_shares=floats([given["request"]["request_share"], given["request"]["departure_share"]]),
        preparation=floats([0.0, *(minutes * MINUTE for minutes in given["preparation"]["minutes"])]),
        awakening=floats([given["preparation"]["after_operation_minutes"] * MINUTE]),
        recovery=floats(
            [
                *(minutes * MINUTE for minutes in given["recovery"]["minutes"]),
                given["recovery"]["routine_hours"] * HOUR,
            ]
        ),
        arrangement=floats(
            [[0.0, 0.0]]
            + [
                [least * HOUR, most * HOUR]
                for least, most in zip(
                    given["strategic"]["least_hours"], given["strategic"]["most_hours"], strict=True
                )
            ]
        ),
        quarters_ais=given["quarters"]["worst_ais"],
        quarters_after=floats([given["quarters"]["after_hours"] * HOUR]),
        icu_limits=floats([hours * HOUR for hours in given["intensive"]["hours"]]),
        aid_slowdown=floats([1.0 / visibility]),
        mascal_threshold=ints([scenario.mascal_threshold]),
        horizon=floats([math.inf if horizon is None else horizon * DAY]),
    )


def _reoperations(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of CARE on further operations; without them one operation is the most of a stay."""
    given = scenario.reoperations
    applies = given is not None and not is_unlimited(scenario)
    kind: int = numeric.TRIANGULAR
    parameters = tuple(model_constants(scenario, "care")["reoperation"]["interval"])
    if given is not None and given.interval_minutes is not None:
        kind, *rest = duration(given.interval_minutes)
        parameters = tuple(rest)
    roles = (given.roles if given is not None else []) or OPERATING_ROLES
    return {
        "reoperation": floats([0.0] * 4 if given is None else given.probability),
        "most_operations": given.most if given is not None and applies else 1,
        "reoperation_roles": sum(1 << role for role in roles),
        "reoperation_interval_kind": kind,
        "reoperation_interval": floats(parameters),
    }


def compile_transitions(scenario: Scenario) -> Table:
    """Return one row of TRANSITIONS from transition_matrices.json (docs/model.md section 2.10)."""
    names = incident_types(scenario)
    triage = np.zeros((len(names), len(STREAMS), 3))
    for row, name in enumerate(names):
        for number, (stream, label) in enumerate(zip(STREAMS, STREAM_LABELS, strict=True)):
            weights = triage_weights(scenario, stream) or _table_triage(name, label)
            triage[row, number] = cumulated(weights)
    return filled(
        TRANSITIONS,
        used=np.array([is_unlimited(scenario)], np.uint8),
        cumulated=_outcome_shares(),
        triage=by_type(triage),
        facility=_facility_by_role(scenario),
    )


def _outcome_shares() -> Any:
    """Return the cumulated shares of the outcomes by place and category, shape (5, 4, 7)."""
    matrices = tables.transition_matrices()["base_transitions"]
    rows = np.ones((len(ROLES), 4, 7))
    for place, role in enumerate(ROLES):
        for category in (1, 2, 3):
            given = matrices[role]["transitions"][f"T{category}"]
            onward = [given.get(name, 0.0) for name in ROLES[1:]]
            rows[place, category] = cumulated([0.0, *onward, given.get("KIA", 0.0), given.get("RTD", 0.0)])
    return rows


def _table_triage(type_: str, label: str) -> list[float]:
    """Return the weights of T1 to T3 of the reference tables for a warfare type and stream."""
    if type_ == STANDARD:
        weights = tables.simulation_parameters()["triage_weights"]
    else:
        weights = tables.warfare_patterns()["warfare_types"][type_]["triage_weights"]
    return [weights[label][name] for name in ("T1", "T2", "T3")]


def _facility_by_role(scenario: Scenario) -> Any:
    """Return the first facility of each role on the closest links of each front; -1 without."""
    network = compile_network(scenario)[0]
    found = np.full((len(scenario.fronts), len(ROLES)), -1, np.int64)
    for front in range(len(scenario.fronts)):
        link = network["first_link"][front]
        while link >= 0:
            here = network["destination"][link]
            if found[front, network["role"][here]] < 0:
                found[front, network["role"][here]] = here
            link = network["next_link"][here, front]
    return found

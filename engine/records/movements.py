"""The movements of a patient: one for each evacuation request (docs/model.md section 2.12)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.codes import LIMBS, NONE, PRECEDENCES, CasualtyKind, Event, TriageCategory
from engine.records.code_tables import Codes, CodeTables
from engine.records.doses import TUBES
from engine.records.fields import View
from engine.records.operation_notes import operations_by_kind
from engine.records.patient_rows import NEVER, earliest, ends_of, keys_of, last_before, of_kinds
from engine.records.values import Coded, Values
from engine.scenario import POI, TRANSPORT_KINDS, model_constants, transport_kind
from engine.tables import MINUTE, Table
from scenarios import catalogue

PLATFORMS: tuple[str, ...] = TRANSPORT_KINDS
"""Kinds of transport."""

_MOVEMENT = np.dtype(
    [
        ("requested", "i8"),
        ("ready", "i8"),
        ("departed", "i8"),
        ("arrived", "i8"),
        ("patient", "i4"),
        ("origin", "i2"),
        ("destination", "i2"),
        ("precedence", "u1"),
        ("lies", "u1"),
        ("platform", "u1"),
        ("escort", "u1"),
    ]
)
NOWHERE = -3
"""Destination of those who have not arrived."""

_STEPS = (Event.EVACUATION_REQUESTED, Event.DEPARTED, Event.ARRIVED, Event.STAGED)
_STARTED = (Event.SURGERY_STARTED, Event.DEFINITIVE_SURGERY_STARTED)
_OPERATIONS = (Event.SURGERY_ENDED, Event.DEFINITIVE_SURGERY_ENDED)


def movement_rows(view: View) -> tuple[Table, Codes]:
    """Return the movements of all patients, in the order of their requests, and the ends of the patients' rows."""
    patients, events = view.chunk.patients, view.chunk.events
    steps = events[of_kinds(events, _STEPS)]
    asked = np.flatnonzero(steps["kind"] == Event.EVACUATION_REQUESTED)
    rows = np.zeros(len(asked), _MOVEMENT)
    requests = steps[asked]
    who = rows["patient"] = requests["patient"]
    rows["requested"], rows["origin"] = requests["at"], requests["facility"]
    rows["precedence"] = np.minimum(requests["detail"], len(PRECEDENCES) - 1)
    left, departure = _next_step(steps, asked, who, (Event.DEPARTED,))
    came, arrival = _next_step(
        steps, np.where(left, asked + 1, len(steps)), who, (Event.ARRIVED, Event.STAGED)
    )
    rows["departed"] = np.where(left, departure["at"], -1)
    rows["arrived"] = np.where(came, arrival["at"], -1)
    rows["destination"] = np.where(came, arrival["facility"], NOWHERE)
    rows["ready"] = _ready(view, rows)
    triage = patients["triage"].take(who)
    rows["lies"] = (rows["precedence"] < TriageCategory.T3) | (triage != TriageCategory.T3)
    named = departure["detail"].astype(np.uint8)
    rows["platform"] = np.where(left & (named > 0), named - np.uint8(1), _platforms(view, rows))
    rows["escort"] = _escort_codes(view, rows)
    return rows, ends_of(rows, len(patients))


def _next_step(
    steps: Table, places: NDArray[Any], who: NDArray[Any], kinds: tuple[int, ...]
) -> tuple[NDArray[np.bool_], Table]:
    """Return whether the step after each of `places` is of the same patient and one of `kinds`, and the step."""
    if not len(places):
        return np.zeros(0, bool), steps[:0]
    after = np.minimum(places + 1, len(steps) - 1)
    following = steps[after]
    found = (places + 1 < len(steps)) & (following["patient"] == who) & of_kinds(following, kinds)
    return found, following


def _ready(view: View, rows: Table) -> NDArray[np.int64]:
    """Return when each patient may leave: at the point of injury at the request, else after the preparation.

    So long after an operation, or for the treatments of a complication, a facility keeps everybody. Nobody leaves
    earlier. Who has not left by the end of the record, and was not ready by then, never is.
    """
    given = model_constants(view.code_tables.scenario, "care")["preparation"]
    minutes = np.array([0.0, *given["minutes"]])
    inside = rows["origin"] >= 0
    ready = rows["requested"] + np.where(inside, minutes.take(rows["precedence"]) * MINUTE, 0.0).astype(
        np.int64
    )
    ready = np.where(
        inside, np.maximum(ready, _kept_until(view, rows, given["after_operation_minutes"])), ready
    )
    closed = view.chunk.patients["closed"].take(rows["patient"])
    gone = rows["departed"] >= 0
    result: NDArray[np.int64] = np.where(
        gone, np.minimum(ready, rows["departed"]), np.where(ready <= closed, ready, -1)
    )
    return result


_KEPT = np.dtype([("patient", "i4"), ("at", "i8"), ("until", "i8")])


def _kept_until(view: View, rows: Table, after_operation: float) -> NDArray[np.int64]:
    """Return until when what came before each request keeps the patient there, ms; -1: nothing did.

    `after_operation` are the minutes between an operation and the departure.
    """
    ended = _ends_of_operations(view)
    found = _complications(view)
    kept = np.zeros(len(ended) + len(found), _KEPT)
    kept["patient"] = np.concatenate((ended["patient"], found["patient"]))
    kept["at"] = np.concatenate((ended["at"], found["at"]))
    kept["until"] = np.concatenate((ended["at"] + int(after_operation * MINUTE), found["until"]))
    kept = kept[np.lexsort((kept["at"], kept["patient"]))]
    latest = np.maximum.accumulate(keys_of(kept["patient"], kept["until"]))
    last = last_before(kept, "at", rows["patient"], rows["requested"])
    until = np.full(len(rows), -1, np.int64)
    known = last >= 0
    until[known] = latest[last[known]] - keys_of(rows["patient"][known], np.zeros(int(known.sum()), np.int64))
    return until


def _ends_of_operations(view: View) -> Table:
    """Return the events at which operations end: in the theatre, and of the ill within the care."""
    events = view.chunk.events
    care = events[events["kind"] == Event.CARE_ENDED]
    treatments = view.chunk.treatments[operations_by_kind().take(view.chunk.treatments["kind"])]
    ill = view.chunk.patients["kind"].take(treatments["patient"]) != CasualtyKind.WOUNDED
    done = keys_of(treatments["patient"][ill], treatments["end"][ill])
    care = care[np.isin(keys_of(care["patient"], care["at"]), done)]
    return np.concatenate((events[of_kinds(events, _OPERATIONS)], care))


def _complications(view: View) -> Table:
    """Return until when the treatments of complications keep patients: counted from when these are found.

    On the ward they are found at once, else when the patient is next admitted to a bed or is to leave.
    """
    events = view.chunk.events
    complicated = events["kind"] == Event.COMPLICATION
    steps = np.flatnonzero(~complicated)
    places = np.flatnonzero(complicated)
    from engine.compile import busy_minutes

    found = np.zeros(len(places), _KEPT)
    found["patient"] = events["patient"][places]
    busy = (np.array(busy_minutes()) * MINUTE).astype(np.int64)
    kinds = events["kind"][steps]
    following = np.append(kinds[1:], np.uint8(Event.INJURED))
    to_bed = (kinds == Event.WARD_ADMITTED) & ~np.isin(following, _STARTED)
    looks = np.append(to_bed | np.isin(kinds, (Event.ICU_ADMITTED, Event.EVACUATION_REQUESTED)), True)
    step = np.searchsorted(steps, places)  # the one after each complication
    looked = np.flatnonzero(looks)
    look = looked[np.searchsorted(looked, step)]
    own = look < len(steps)
    after = events[steps[np.minimum(look, len(steps) - 1)]] if len(steps) else events[:0]
    own &= after["patient"] == found["patient"]
    on_ward = to_bed[step - 1] & (events["patient"][steps[step - 1]] == found["patient"])
    found["at"] = np.where(on_ward, events["at"][places], np.where(own, after["at"], NEVER))
    found["until"] = found["at"] + busy.take(events["detail"][places] // LIMBS)
    return found[found["at"] < NEVER]


def _platform_table(code_tables: CodeTables) -> NDArray[np.uint8]:
    """Return the platform of the links by origin, destination and front; NONE where they name none, or several.

    The first facility is at 1 among the origins, and at 0 among the destinations; the last destination stands for all.
    """
    scenario = code_tables.scenario
    places = {facility.id: number for number, facility in enumerate(scenario.facilities)}
    table = np.full((len(places) + 1, len(places) + 1, len(scenario.fronts)), NONE, np.uint8)
    unknown = np.zeros(table.shape, bool)
    for link in scenario.links:
        named = transport_kind(link, scenario.vehicles)
        origin = 0 if link.origin == POI else 1 + places[link.origin]
        for number, front in enumerate(scenario.fronts):
            if link.fronts and front.name not in link.fronts:
                continue
            for destination in (places[link.destination], len(places)):
                code = [*PLATFORMS].index(named) if named is not None else NONE
                differs = table[origin, destination, number] not in (NONE, code)
                unknown[origin, destination, number] |= named is None or differs
                table[origin, destination, number] = code
    table[unknown] = NONE
    return table


def _platforms(view: View, rows: Table) -> NDArray[np.uint8]:
    """Return the platform of each movement that has begun, as the links say.

    It serves where the choice of a link depended on no other patient: such a departure does not name the vehicle.
    """
    table = view.code_tables.reusable(_platform_table, _platform_table)
    last = table.shape[1] - 1
    fronts = view.chunk.patients["front"].take(rows["patient"])
    origins = np.clip(rows["origin"] + 1, 0, last)
    destinations = np.where(rows["destination"] < 0, last, rows["destination"])
    begun = rows["departed"] >= 0
    found: NDArray[np.uint8] = np.where(begun, table[origins, destinations, fronts], np.uint8(NONE))
    return found


def _escort_texts(_: CodeTables) -> tuple[list[str], NDArray[np.uint8]]:
    """Return the escorts, and their index by precedence and whether the patient is ventilated."""
    texts = list(dict.fromkeys(row.escort for row in catalogue.escorts()))
    table = np.zeros((len(PRECEDENCES), 2), np.uint8)
    for row in catalogue.escorts():
        table[PRECEDENCES.index(row.precedence), int(row.ventilated)] = texts.index(row.escort)
    return texts, table


def escorts(view: View) -> Values:
    """Return the escort of each movement."""
    return Coded(view.code_tables.reusable(_escort_texts, _escort_texts)[0], view.rows["escort"])


def _escort_codes(view: View, rows: Table) -> NDArray[np.uint8]:
    """Return the escort of each movement: by precedence, and whether the airway has been secured with a tube."""
    _, table = view.code_tables.reusable(_escort_texts, _escort_texts)
    treatments = view.chunk.treatments
    tubes = treatments[of_kinds(treatments, TUBES)]
    since = earliest(len(view.chunk.patients), tubes, "start").take(rows["patient"])
    left = np.where(rows["departed"] >= 0, rows["departed"], NEVER - 1)
    found: NDArray[np.uint8] = table[rows["precedence"], (since <= left).astype(np.int64)]
    return found

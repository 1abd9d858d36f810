"""Patient records as plain text that one can read from top to bottom in the order of time."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from engine.records import Patient

WIDTH = 108
UNITS = {
    "heart_rate": "pulse",
    "systolic": "systolic",
    "diastolic": "diastolic",
    "respiratory_rate": "breaths",
    "spo2": "SpO2",
    "gcs": "GCS",
    "gcs_eye": "E",
    "gcs_verbal": "V",
    "gcs_motor": "M",
    "etco2": "EtCO2",
    "temperature": "temperature",
    "haemoglobin": "Hb",
    "inr": "INR",
    "base_excess": "base excess",
}
"""Short names of vital signs; all others are printed under their own."""
HIDDEN = {"at", "facility", "health_score"}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _words(label: str) -> str:
    return label.replace("_", " ")


def _since(at: str, start: datetime) -> str:
    """Return the time since the injury: hours and minutes, after three days also days."""
    minutes = int((_time(at) - start).total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    days, rest = divmod(abs(minutes), 1440)
    clock = f"{sign}{rest // 60:d}:{rest % 60:02d}"
    return f"{sign}{days}d {rest // 60:02d}:{rest % 60:02d}" if days else clock


def _extra(value: Any, hidden: set[str]) -> str:
    """Return all other fields of a row that have a value, as text."""
    fields = msgspec.structs.asdict(value)
    given = {
        name: x for name, x in fields.items() if name not in hidden and x is not None and x != [] and x != ""
    }
    return ", ".join(f"{UNITS.get(name, _words(name))} {_shown(x)}" for name, x in given.items())


def _shown(value: Any) -> str:
    if isinstance(value, msgspec.Struct):
        return _extra(value, set())
    if isinstance(value, list | tuple):
        return "; ".join(_shown(each) for each in value)
    return _words(str(value)) if isinstance(value, str) else str(value)


def _person(record: Patient) -> Iterator[str]:
    person, injury, incident, end = record.demographics, record.injury, record.incident, record.outcome
    yield (
        f"{person.rank} {person.given_name} {person.family_name}, {person.sex}, {person.age} years, "
        f"{record.nationality}, {person.weight_kg} kg, blood group {person.blood_group}"
    )
    yield f"front {record.front}; unit {person.unit}"
    together = f"{incident.casualties} casualties" + (", mass casualty incident" if incident.mascal else "")
    yield f"incident: {incident.type}, {incident.special_event or 'no special event'}, {together}"
    cause = injury.external_cause
    yield (
        f"{_words(injury.category)} casualty, {_words(injury.kind)}, mechanism {_words(injury.mechanism)}"
        + (f", severity {_words(injury.severity)}" if injury.severity else "")
    )
    yield f"external cause: {cause.code} {cause.display}" if cause else "external cause: none"
    yield f"main diagnosis: {injury.diagnosis.code} {injury.diagnosis.display}"
    shown = {"category", "kind", "mechanism", "external_cause", "diagnosis", "wounds", "severity"}
    more = _extra(injury, shown | {"at", "onset", "iss", "niss"})
    if more:
        yield more
    true = "none, killed at once" if end.cause_of_death == "instantly_fatal_injury" else record.triage.true
    yield (
        (f"ISS {injury.iss}, NISS {injury.niss}; " if injury.wounds else "") + f"true triage {true}; "
        f"precedence {record.triage.precedence or 'none'}"
    )
    for number, wound in enumerate(injury.wounds):
        side = f" {wound.side}" if wound.side else ""
        yield f"  wound {number}: {wound.code} {wound.display} [{_words(wound.region)}{side}, AIS {wound.ais}]"


def _aid_follows(record: Patient, at: str) -> bool:
    """Return whether anything is given between first aid and the next facility."""
    later = [event.at for event in record.timeline if event.event == "arrived" and event.at >= at]
    until = later[0] if later else record.outcome.at
    return any(at <= treatment.start <= until for treatment in record.treatments)


def _course(record: Patient) -> Iterator[tuple[str, int, str]]:
    """Yield time, rank among what happens at the same time, and text of events, treatments and vital signs."""
    for event in record.timeline:
        if event.event == "first_aid" and not _aid_follows(record, event.at):
            continue
        detail = " ".join(x for x in (event.detail, event.waiting_for and f"for {event.waiting_for}") if x)
        role = f", Role {event.role}" if event.role else ""
        place = f" ({event.facility}{role})"
        yield event.at, 0, f"{_words(event.event)} {_words(detail)}".strip() + place
    for treatment in record.treatments:
        wound = f" of wound {treatment.wound}" if treatment.wound is not None else ""
        until = ""
        if treatment.end is not None:
            minutes = (_time(treatment.end) - _time(treatment.start)).total_seconds() / 60
            until = f", {minutes:.0f} min"
        effect = "" if treatment.effect == "supportive" else f", {treatment.effect}"
        more = _extra(treatment, {"treatment", "facility", "start", "end", "effect", "wound"})
        name = _words(treatment.treatment)
        yield (
            treatment.start,
            2,
            f"    {name}{wound} ({treatment.facility}{until}{effect})" + (f": {more}" if more else ""),
        )
    for signs in record.vitals:
        yield signs.at, 1, f"        signs ({signs.facility}): {_extra(signs, HIDDEN)}"


def record_text(record: Patient) -> str:
    """Return a record as text: person, injury and wounds, the course in the order of time, and the outcome."""
    start = _time(record.injury.at)
    lines = [*_person(record), ""]
    if record.injury.onset != record.injury.at:
        lines.append(f"symptoms begin {_since(record.injury.onset, start)} after the exposure")
    rows = sorted(_course(record), key=lambda row: (row[0], row[1]))
    lines += [f"{_since(at, start):>9}  {text}" for at, _, text in rows]
    end = record.outcome
    died = f", cause {_words(end.cause_of_death)}" if end.cause_of_death else ""
    waiting = f", waiting for {_words(end.waiting_for)}" if end.waiting_for else ""
    lines += [
        "",
        f"outcome: {end.status.upper()} at {end.facility} {_since(end.at, start)}{died}{waiting}"
        + (", back on duty within 72 h" if end.rtd_within_72h else "")
        + (f"; duty: {end.duty}" if end.duty else ""),
    ]
    return "\n".join(lines)

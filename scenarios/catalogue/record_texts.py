"""What full records say of treatments, transport, operations and deaths: CSV files of the catalogue."""

from functools import cache
from typing import Literal, TypeVar, get_args

import msgspec

from scenarios.catalogue.diagnoses import Condition, Region, Tag, Use, check_source
from scenarios.catalogue.tables import CatalogueError, read_rows
from scenarios.catalogue.vocabulary import Treatment

DoseState = Literal[
    "shock",
    "severe_pain",
    "worst_pain",
    "awake",
    "severe_agent",
    "ill",
    "access",
    "facility",
    "mouth",
    "recent",
    "same_day",
    "reduction",
    "no_nsaid",
    "psychotic",
    "minor",
    "hospital_infection",
    "mild_pain",
    "bagged",
    "contaminated",
    "in_bed",
    "tubed",
    "moderate_pain",
    "fracture",
    "digit",
]
"""What decides on a drug and its dose: signs of `dose_states.csv`, diagnoses of `dose_diagnoses.csv`, other treatments
before or after by `dose_times.csv`, the grade of an agent, illness, an intravenous or intraosseous access, and the
place, a true category of T3, and an infection that is a complication."""
DiagnosisState = Literal["no_mouth", "no_nsaid", "psychotic", "contaminated", "fracture", "digit"]
"""States of `dose_diagnoses.csv`. Who is not in `no_mouth` is in `mouth`."""
DOSE_STATES: tuple[DoseState, ...] = get_args(DoseState)

Route = Literal["IV", "IO", "IM", "IN", "PO", "SC", "OTFC", "inhaled", "nebulised", "local"]
Avpu = Literal["alert", "voice", "pain", "unresponsive"]
AVPU: tuple[Avpu, ...] = get_args(Avpu)


class _Sourced(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row with its source."""

    source: str
    tag: Tag


class Dose(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A drug, fluid or blood product of a treatment. Of a treatment the first row whose states all hold counts."""

    treatment: Treatment
    states: tuple[DoseState, ...] = ()
    drug: str
    dose: str = ""
    """An amount, or a text; empty for blood, whose units are in the record."""
    per_kg: bool = False
    """The amounts, with " and " between them, are for each kilogram of body weight."""
    per_percent: bool = False
    """The amount is for each per cent of the body surface burnt, and 100 more for each 10 kg above 80 kg."""
    unit: str = ""
    routes: tuple[Route, ...]
    """The first for which the patient has the access; else the last that needs none, else the first."""


class Medication(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The drug of a treatment for diagnoses: it comes before those of `doses.csv`; the first row that holds counts."""

    treatment: Treatment
    codes: tuple[str, ...]
    """Beginnings of codes, of the main diagnosis or of wounds."""
    drug: str
    dose: str
    unit: str = ""
    routes: tuple[Route, ...]
    from_role: int = 1
    """The lowest role that begins it: 3 where the diagnosis needs a laboratory first."""


class DoseSign(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A state that a sign shows: when it was last taken before the treatment, or first after it."""

    state: DoseState
    sign: str
    within: tuple[float, float]
    untaken: bool = False
    """Whether it holds for T3 in whom the sign was never taken."""


class DoseDiagnosis(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A state that a wound or the main diagnosis puts a patient into."""

    state: DiagnosisState
    codes: tuple[str, ...] = ()
    """Beginnings of codes; empty: all."""
    regions: tuple[Region, ...] = ()
    """Of wounds; empty: all, and diagnoses without a region."""
    ais_from: int = 0
    """Of wounds."""
    operated: bool = False
    """Only those that call for an operation."""

    def holds(self, condition: Condition, operations: tuple[str, ...]) -> bool:
        """Whether a condition that calls for these operations puts a patient into the state, at this AIS or above."""
        return (
            (not self.codes or condition.code.startswith(self.codes))
            and (not self.regions or not set(self.regions).isdisjoint(condition.regions))
            and (not self.operated or bool(operations))
        )


class DoseTime(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A state in which a treatment was given before, or will be given after, within so many minutes."""

    state: DoseState
    treatment: Treatment
    after: bool = False
    within_minutes: tuple[float, float]


class AvpuRow(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """AVPU by the eye opening and motor response of the Glasgow Coma Scale."""

    eye: int
    motor: tuple[float, float]
    avpu: Avpu


class Escort(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who goes with a patient between facilities."""

    precedence: Literal["urgent", "priority", "routine"]
    ventilated: bool = False
    escort: str


class ProcedureCode(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A code of ICD-10-PCS that holds for each operation of its name, whatever the wound and its side."""

    treatment: Treatment
    pcs_code: str
    reason: str


class DeathChain(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The immediate cause of a death; of other deaths it is the main diagnosis."""

    cause: str
    code: str
    display: str


_Row = TypeVar("_Row", bound=_Sourced)


def _rows(name: str, kind: type[_Row]) -> tuple[_Row, ...]:
    """Return the rows of a file. Raises CatalogueError at the first cell that cannot be used."""
    found = []
    for line, row in read_rows(name, kind):
        check_source(name, line, row.source)
        found.append(row)
    return tuple(found)


@cache
def doses() -> tuple[Dose, ...]:
    """Doses in the order in which they are considered."""
    rows = _rows("doses.csv", Dose)
    for line, row in enumerate(rows, 2):
        try:
            [float(amount) for amount in (row.dose if row.per_kg or row.per_percent else "0").split(" and ")]
        except ValueError:
            allowed = "a number where it is per_kg or per_percent"
            raise CatalogueError("doses.csv", line, "dose", row.dose, allowed) from None
    return rows


@cache
def medications() -> tuple[Medication, ...]:
    """Drugs by diagnosis, in the order in which they are considered."""
    return _rows("medications.csv", Medication)


@cache
def dose_signs() -> tuple[DoseSign, ...]:
    """The signs of the states that decide on a dose."""
    return _rows("dose_states.csv", DoseSign)


@cache
def dose_diagnoses() -> tuple[DoseDiagnosis, ...]:
    """The states of diagnoses that decide on a dose."""
    return _rows("dose_diagnoses.csv", DoseDiagnosis)


@cache
def dose_times() -> tuple[DoseTime, ...]:
    """The states of other treatments that decide on a dose."""
    return _rows("dose_times.csv", DoseTime)


@cache
def avpu_rows() -> tuple[AvpuRow, ...]:
    """AVPU by eye opening and motor response."""
    return _rows("avpu.csv", AvpuRow)


@cache
def escorts() -> tuple[Escort, ...]:
    """Escorts by precedence, and whether the patient is ventilated."""
    return _rows("escorts.csv", Escort)


@cache
def procedure_codes() -> dict[str, str]:
    """Codes of ICD-10-PCS by treatment."""
    return {row.treatment: row.pcs_code for row in _rows("procedure_codes.csv", ProcedureCode)}


@cache
def death_chains() -> dict[str, DeathChain]:
    """Immediate causes by cause of death."""
    return {row.cause: row for row in _rows("death_chains.csv", DeathChain)}


class DutyLimit(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A limit of the duty of those who return. Of a condition the first row counts whose cells all hold."""

    uses: tuple[Use, ...]
    groups: tuple[str, ...] = ()
    regions: tuple[Region, ...] = ()
    fracture: bool = False
    concussion: bool = False
    ais_from: int = 0
    limit: str
    days: int

    def holds(self, condition: Condition) -> bool:
        """Whether the limit is for a condition."""
        return (
            condition.use in self.uses
            and (not self.groups or condition.group in self.groups)
            and (not self.regions or not set(self.regions).isdisjoint(condition.regions))
            and (not self.fracture or condition.fracture)
            and (not self.concussion or condition.brain == "concussion")
            and condition.ais_high >= self.ais_from
        )


@cache
def duty_limits() -> tuple[DutyLimit, ...]:
    """Limits of duty in the order in which they are considered."""
    return _rows("duty_limits.csv", DutyLimit)


Posture = Literal["dismounted", "mounted", "in_position", "aboard", "in_aircraft"]
POSTURES: tuple[Posture, ...] = get_args(Posture)
"""Where somebody was when an attack or a crash happened."""


class Circumstance(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happened, in words, by external cause, and where casualties were, in shares."""

    causes: tuple[str, ...]
    """Codes of ICD-10-CM without the placeholder and the seventh character."""
    words: str
    postures: dict[str, float]


class Protection(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Protective equipment, a share of those in a posture."""

    postures: tuple[Posture, ...]
    agents: bool = False
    """Of agent casualties; else of all others."""
    liquid: bool = False
    """Of agent casualties whom a liquid on the skin poisons, hours later."""
    protection: str
    share: float


class Allergy(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An allergy, a share of all patients."""

    words: str
    share: float


class History(_Sourced, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A medical history, a share of all patients, and what some of them take for it."""

    words: str
    share: float
    medication: str = ""
    taken_share: float = 0.0


@cache
def circumstances() -> tuple[Circumstance, ...]:
    """Circumstances of external causes."""
    rows = _rows("circumstances.csv", Circumstance)
    for line, row in enumerate(rows, 2):
        if not set(row.postures) <= set(POSTURES):
            raise CatalogueError(
                "circumstances.csv", line, "postures", str(row.postures), ", ".join(POSTURES)
            )
    return rows


@cache
def protections() -> tuple[Protection, ...]:
    """Protective equipment by posture."""
    return _rows("protection.csv", Protection)


@cache
def allergies() -> tuple[Allergy, ...]:
    """Allergies."""
    return _rows("allergies.csv", Allergy)


@cache
def histories() -> tuple[History, ...]:
    """Medical histories."""
    return _rows("histories.csv", History)

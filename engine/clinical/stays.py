"""How long a casualty needs care, by diagnosis (docs/model.md section 2.5.6).

The longest of the conditions counts. Its median days are multiplied by one lognormal factor of the casualty. Who has a
condition that ends duty in theatre never returns, however long the stay.
"""

from engine import numeric
from engine.clinical.scores import INSTANTLY_FATAL_AIS
from engine.clinical.uniforms import to_uniform
from engine.codes import NONE, STAY
from engine.numeric import compiled, words
from engine.tables import DAY, CasualtyState, Output, PatientRow, SurvivalParameters

SOON_DAYS = 3.0
"""A return to duty within so many days of the injury is one within 72 hours."""


@compiled
def longest_stay(
    output: Output, first: int, count: int, parameters: SurvivalParameters
) -> tuple[float, float, bool]:
    """Return what the wounds in rows from `first` on ask for: days in care, days at least, and leaving the theatre."""
    days, least, leaves = 0.0, 0.0, False
    for number in range(first, first + count):
        condition = output.wounds[number].condition
        days = max(days, parameters.stay_days[condition])
        least = max(least, parameters.stay_least[condition])
        leaves = leaves or parameters.leaves[condition] != 0
    return days, least, leaves


@compiled
def stay_of(days: float, least: float, uniform: float, parameters: SurvivalParameters) -> float:
    """Return days in care: lognormal with the median `days`, not below `least` nor the shortest part of `days`."""
    if days <= 0.0:
        return least
    factor = numeric.exp(parameters.stay_sigma * numeric.normal_quantile(uniform))
    return max(least, days * max(parameters.stay_shortest, factor))


@compiled
def is_back_soon(days: float, lethal: bool, worst_ais: int, leaves: bool) -> bool:
    """Return whether a wounded casualty who needs care for `days` is expected back on duty within 72 hours."""
    return not (lethal or leaves or worst_ais == INSTANTLY_FATAL_AIS) and days < SOON_DAYS


@compiled
def draw_stay_of_wounded(
    record: PatientRow,
    casualty: CasualtyState,
    output: Output,
    cell: int,
    index: int,
    key: int,
    parameters: SurvivalParameters,
) -> None:
    """Draw how long a wounded casualty needs care: as long as the longest of the wounds (docs/model.md section 2.5.6).

    It counts from the injury.
    """
    days, least, leaves = longest_stay(output, casualty.wound, casualty.wounds, parameters)
    if record.lethal != NONE:
        least = max(least, parameters.least_days)
    length = stay_of(days, least, to_uniform(words(key, cell, index, STAY)[1]), parameters)
    casualty.stay_end = record.time + length * DAY
    casualty.leaves_theatre = 1 if leaves else 0
    casualty.expects_rtd72 = 1 if is_back_soon(length, record.lethal != NONE, record.worst_ais, leaves) else 0


@compiled
def stay_after_operation(casualty: CasualtyState, now: float, parameters: SurvivalParameters) -> None:
    """Let care last for the least days after an operation that ends at `now`, ms."""
    casualty.stay_end = max(casualty.stay_end, now + parameters.least_days * DAY)
    casualty.expects_rtd72 = 0

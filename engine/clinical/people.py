"""Identity of the casualties: nation, sex, age, rank, names, unit, blood group, weight (docs/model.md section 2.4).

The draws of a casualty are keyed by purpose, cell, index and block, so they depend on no other casualty (section 5.2).
"""

from engine import numeric
from engine.clinical.uniforms import pick_cumulated, to_uniform
from engine.codes import BIRTH_AND_NAMES, BODY, IDENTITY, NONE, Sex
from engine.numeric import compiled, words
from engine.tables import BLOOD_GROUPS, NATIONS, RANKS, PatientRow, PeopleTables

_MS_PER_DAY = 86_400_000
_DAYS_PER_YEAR = 365.0


@compiled
def _date(days: int) -> tuple[int, int, int]:
    """Return (year, month, day) of a day number from 1970-01-01, in the proleptic Gregorian calendar.

    After `civil_from_days` by H. Hinnant: eras of 400 years, years that start on 1 March.
    """
    shifted = days + 719468
    era = shifted // 146097
    day_of_era = shifted - era * 146097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * from_march + 2) // 5 + 1
    month = from_march + 3 if from_march < 10 else from_march - 9
    year = year_of_era + era * 400 + (1 if month <= 2 else 0)
    return year, month, day


@compiled
def _day_number(year: int, month: int, day: int) -> int:
    """Return the day number from 1970-01-01: the inverse of `_date`."""
    from_march = year - 1 if month <= 2 else year
    era = from_march // 400
    year_of_era = from_march - era * 400
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146097 + day_of_era - 719468


@compiled
def _set_birth(record: PatientRow, years: int, uniform: float, today: int) -> None:
    """Set birth and age: a birth at most 364 days before the day `years` years ago; `today` is a day number."""
    year, month, day = _date(today)
    if month == 2 and day == 29:
        day = 28
    record.birth = _day_number(year - years, month, day) - int(uniform * _DAYS_PER_YEAR)
    record.age = years  # fewer than 365 days before the birthday `years` years ago, and so not the one before


@compiled
def draw_person(
    record: PatientRow, cell: int, index: int, key: int, tables: PeopleTables, nation: int, sex: int
) -> None:
    """Draw the identity of a patient: nation, sex, age, rank, names, unit, blood group and weight.

    docs/model.md section 3.2.13.

    Parameters
    ----------
    nation
        Index of the nation; negative: drawn among those of the front.
    sex
        Sex; NONE: drawn.
    """
    a, b, c, d = words(key, cell, index, IDENTITY)
    if nation < 0:
        nation = pick_cumulated(tables.nations[record.front], 0, NATIONS, to_uniform(a))
    if sex == NONE:
        sex = Sex.FEMALE if to_uniform(b) < tables.female[nation] else Sex.MALE
    rank = pick_cumulated(tables.ranks[nation], 0, RANKS, to_uniform(c))
    record.nation = nation
    record.sex = sex
    record.rank = rank
    uniform = to_uniform(d)
    age = tables.rank_age[nation, rank] + int(tables.age_span[0] * uniform * uniform)
    a, b, c, d = words(key, cell, index, BIRTH_AND_NAMES)
    _set_birth(record, age, to_uniform(a), (tables.start[0] + record.time) // _MS_PER_DAY)
    record.given_name = int(to_uniform(b) * tables.given[nation, sex])
    record.family_name = int(to_uniform(c) * tables.family[nation, sex])
    record.unit = int(to_uniform(d) * tables.units[record.front])
    a, b, _, _ = words(key, cell, index, BODY)
    record.blood_group = pick_cumulated(tables.blood[nation], 0, BLOOD_GROUPS, to_uniform(a))
    weight = tables.weight[sex, 0] + tables.weight[sex, 1] * numeric.normal_quantile(to_uniform(b))
    limits = tables.weight_limits[sex]
    record.weight = int(min(limits[1], max(limits[0], weight)) + 0.5)

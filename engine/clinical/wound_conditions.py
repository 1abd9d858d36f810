"""Which condition each wound of a battle casualty is, so that no two of them exclude each other (section 2.4.3)."""

import math

from engine.clinical.scores import iss_region
from engine.clinical.uniforms import pick_cumulated
from engine.codes import NONE, Region
from engine.numeric import compiled
from engine.tables import NO_SIDE, TYPES, InjuryTables, Output, PatientRow, WoundRow

_REGION_COUNT = len(Region)
_SCORED_WOUNDS = 3


@compiled
def type_row(record: PatientRow, tables: InjuryTables) -> int:
    """Return the row of the tables by warfare type; a special event has its own type, and the last row is for none."""
    if record.special != NONE:
        return int(tables.special_type[record.special])
    return min(int(record.type), TYPES - 1)


@compiled
def severity_rank(region: int, ais: int) -> int:
    """Return the rank of a wound by severity: by AIS, and eyes and ears last among equals, since they never kill."""
    return 2 * ais + (0 if region in (Region.EYES, Region.EARS) else 1)


@compiled
def sort_wounds(output: Output, first: int, count: int) -> None:
    """Sort wounds by severity, the worst first, by stable insertion; `condition` is moved along."""
    for number in range(1, count):
        region = output.wounds[first + number].region
        ais = output.wounds[first + number].ais
        side = output.wounds[first + number].side
        condition = output.wounds[first + number].condition
        place = first + number
        while place > first and severity_rank(
            output.wounds[place - 1].region, output.wounds[place - 1].ais
        ) < severity_rank(region, ais):
            output.wounds[place].region = output.wounds[place - 1].region
            output.wounds[place].ais = output.wounds[place - 1].ais
            output.wounds[place].side = output.wounds[place - 1].side
            output.wounds[place].condition = output.wounds[place - 1].condition
            place -= 1
        output.wounds[place].region = region
        output.wounds[place].ais = ais
        output.wounds[place].side = side
        output.wounds[place].condition = condition


@compiled
def _contradicts(
    record: PatientRow, output: Output, first: int, count: int, condition: int, tables: InjuryTables
) -> bool:
    """Whether a condition cannot join those of `count` wounds.

    It excludes one of them, is of the other sex, or burns more than the worst AIS of the burns stands for.
    """
    if tables.sex[condition] and tables.sex[condition] != record.sex + 1:
        return True
    area = tables.burn_area[condition]
    worst = 0
    for number in range(first, first + count):
        other = output.wounds[number].condition
        if (tables.conflicts[condition, other >> 3] >> (other & 7)) & 1:
            return True
        if tables.burn_area[other] > 0.0:
            area += tables.burn_area[other]
            worst = max(worst, int(output.wounds[number].ais))
    return bool(worst > 0 and tables.burn_area[condition] > 0.0 and area >= tables.burn_most[worst])


@compiled
def _choose_condition(
    record: PatientRow,
    output: Output,
    first: int,
    count: int,
    region: int,
    ais: int,
    side: int,
    uniform: float,
    tables: InjuryTables,
) -> int:
    """Return the condition that `uniform` selects for a wound, or the next one that fits `count` others; else -1."""
    row = type_row(record, tables)
    start = tables.first[row, region, record.mechanism, ais, side]
    size = tables.count[row, region, record.mechanism, ais, side]
    choice = pick_cumulated(tables.chance, start, size, uniform)
    for _ in range(size):
        condition = int(tables.choices[start + choice])
        if not _contradicts(record, output, first, count, condition, tables):
            return condition
        choice = (choice + 1) % size
    return -1


@compiled
def _may_move(wound: WoundRow, region: int, worst: WoundRow, tables: InjuryTables) -> bool:
    """Whether a wound may be in another region: one with such wounds, without another ISS or another worst wound."""
    return (
        iss_region(region, wound.ais) == iss_region(wound.region, wound.ais)
        and severity_rank(region, wound.ais) <= severity_rank(worst.region, worst.ais)
        and (wound.ais == 1 or tables.ais[region, wound.ais - 2] < math.inf)
    )


@compiled
def _place_wound(
    record: PatientRow, output: Output, first: int, count: int, wound: WoundRow, tables: InjuryTables
) -> bool:
    """Choose a condition for a wound beside `count` others; return whether there is one.

    Where all conditions of its place exclude others, the wound changes sides. Where that does not help, it moves to
    another region of the same ISS region.
    """
    uniform = (float(wound.condition) + 0.5) / 65536.0
    drawn_region, drawn_side = int(wound.region), int(wound.side)
    begin = int(uniform * _REGION_COUNT)
    for attempt in range(2 * (_REGION_COUNT + 1)):
        region = drawn_region
        if attempt >= 2:
            region = (begin + attempt // 2) % _REGION_COUNT
            if region == drawn_region or not _may_move(wound, region, output.wounds[first], tables):
                continue
        side = 0
        if tables.sided[region]:
            side = drawn_side if drawn_side else 1 + int(uniform * 2.0)
            if attempt & 1:
                side = 3 - side
        elif attempt & 1:
            continue
        condition = _choose_condition(record, output, first, count, region, wound.ais, side, uniform, tables)
        if condition >= 0:
            named = int(tables.side[condition])
            if named:
                side = 0 if named == NO_SIDE else named
            wound.region = region
            wound.side = side
            wound.condition = condition
            return True
    return False


@compiled
def choose_conditions(
    record: PatientRow, output: Output, first: int, count: int, tables: InjuryTables
) -> int:
    """Choose conditions that fit warfare type, region, mechanism, AIS and side; return the number of wounds.

    No two conditions exclude each other. A wound for which nothing is left is part of those before it, and is left out,
    unless it is one of the three worst, which decide on the NISS. docs/model.md section 2.4.3.
    """
    kept = 0
    for number in range(count):
        wound = output.wounds[first + number]
        if not _place_wound(record, output, first, kept, wound, tables):
            if number >= _SCORED_WOUNDS:
                continue
            row = type_row(record, tables)
            wound.condition = tables.choices[
                tables.first[row, wound.region, record.mechanism, wound.ais, wound.side]
            ]
        if kept < number:
            place = output.wounds[first + kept]
            place.region = wound.region
            place.ais = wound.ais
            place.side = wound.side
            place.condition = wound.condition
        kept += 1
    sort_wounds(output, first, kept)
    return kept

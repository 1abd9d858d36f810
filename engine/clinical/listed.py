"""Listed casualties: what their row of the list gives is set, the rest is drawn as for everybody (docs/model.md
section 2.3.6).

A given triage category is met by drawing again, up to `MOST_ATTEMPTS` times: the first casualty of that category is
taken. So wounds and survival clock have the distribution that they have among casualties of the category. Where it is
rare, later attempts shift the latent severity towards it. Where a row gives shares of some categories, the rest of the
row is drawn again in the same way until it has one of the others.
"""

import numpy as np

from engine import numeric
from engine.clinical.casualties import (
    SAMPLE,
    SampledCasualty,
    copy_arrival,
    draw_ais,
    draw_cause,
    draw_side,
    draw_wound_scores,
    draw_wounds,
    wound_cause,
)
from engine.clinical.illnesses import draw_illness
from engine.clinical.scores import INSTANTLY_FATAL_AIS, severity_scores
from engine.clinical.survival import draw_fate_of_ill, draw_fate_of_wounded
from engine.clinical.uniforms import to_uniform
from engine.clinical.wound_conditions import sort_wounds, type_row
from engine.codes import (
    CASUALTY_SEVERITY,
    ILLNESS_CAUSE,
    NONE,
    WOUND_DRAWS,
    CasualtyKind,
    DrawPurpose,
    Mechanism,
    TriageCategory,
)
from engine.numeric import Counter, compiled, compiled_entry, words
from engine.tables import (
    ARRIVAL,
    MODEL,
    NO_SIDE,
    ArrivalRow,
    CasualtyState,
    Ints,
    ListedTables,
    Model,
    Output,
    PatientRow,
    Rows,
)

MOST_ATTEMPTS = 400
"""Attempts at a given category. After that the category holds and the last wounds stay."""

PLAIN_ATTEMPTS = 64
"""Attempts before the latent severity is shifted."""

SHIFT = 0.1
"""Change of the latent severity from one later attempt to the next."""

_IMMEDIATE = int(TriageCategory.T1)  # plain, as in engine.kernel.waiting

_STEP = 0x9E3779B97F4A7C15
"""Distance between the cells of two attempts, 2**64 divided by the golden ratio."""


@compiled
def row_of_cell(tables: ListedTables, cell: int) -> int:
    """Return the row of the list that a cell is; -1 for a cell of drawn casualties."""
    low = 0
    high = tables.count
    while low < high:
        middle = (low + high) // 2
        if tables.cells[middle] < cell:
            low = middle + 1
        else:
            high = middle
    return low if low < tables.count and tables.cells[low] == cell else -1


@compiled
def given_category(tables: ListedTables, listed: int, index: int) -> int:
    """Return the triage category that a casualty of a row is given; 0 where it is drawn, and for row -1."""
    if listed < 0 or index >= tables.categories[listed, 2]:
        return 0
    if index < tables.categories[listed, 0]:
        return TriageCategory.T1
    return TriageCategory.T2 if index < tables.categories[listed, 1] else TriageCategory.T3


@compiled
def _give_wounds(
    record: PatientRow,
    output: Output,
    first_wound: int,
    cell: int,
    index: int,
    severity: float,
    model: Model,
    listed: int,
) -> int:
    """Give a casualty the wounds of its row: drawn are their AIS, within the bounds of each, and sides."""
    given = model.listed
    tables = model.injuries
    key = model.keys[DrawPurpose.INJURY]
    mechanism = given.mechanism[listed]
    latent = (
        numeric.normal_quantile(to_uniform(words(key, cell, index, CASUALTY_SEVERITY)[1]))
        + tables.severity[type_row(record, tables)]
        + severity
    )
    count = int(given.conditions[listed])
    for number in range(count):
        entry = given.first[listed] + number
        wound = output.wounds[first_wound + number]
        _, b, c, _ = words(key, cell, index, WOUND_DRAWS + number)
        region = given.region[entry]
        ais = draw_ais(region, mechanism, latent, to_uniform(b), tables)
        wound.region = region
        wound.ais = min(max(ais, int(given.ais[entry, 0])), int(given.ais[entry, 1]))
        wound.condition = tables.by_ais[given.condition[entry], mechanism, wound.ais]
        wound.side = draw_side(region, to_uniform(c), tables)
        named = int(tables.side[wound.condition])
        if named:
            wound.side = 0 if named == NO_SIDE else named
    sort_wounds(output, first_wound, count)
    record.mechanism = mechanism
    record.iss, record.niss = severity_scores(output, first_wound, count)
    record.worst_ais = output.wounds[first_wound].ais
    record.condition = output.wounds[first_wound].condition
    record.cause = wound_cause(record, key, tables)
    record.severity = NONE
    return count


@compiled
def _attempt_wounded(
    output: Output,
    row: int,
    casualty: CasualtyState,
    cell: int,
    index: int,
    shift: float,
    model: Model,
    listed: int,
) -> None:
    """Draw wounds and fate of a listed casualty, keyed by `cell` and `index`."""
    record = output.patients[row]
    given = model.listed
    key = model.keys[DrawPurpose.INJURY]
    may_die_at_once = given.categories[listed, 2] == 0 and given.fitting[listed] == 0
    if given.conditions[listed]:
        casualty.wounds = _give_wounds(record, output, casualty.wound, cell, index, shift, model, listed)
    else:
        casualty.wounds = draw_wounds(
            record,
            output,
            casualty.wound,
            cell,
            index,
            key,
            model.injuries,
            int(given.mechanism[listed]),
            shift,
            may_die_at_once,
        )
    draw_fate_of_wounded(
        record,
        casualty,
        output,
        casualty.wound,
        casualty.wounds,
        type_row(record, model.injuries),
        cell,
        index,
        model.keys[DrawPurpose.SURVIVAL],
        given.odds[listed],
        given.life[listed],
        model.survival,
        model.treatments.rules,
    )


@compiled
def draw_listed_wounded(
    output: Output, row: int, casualty: CasualtyState, model: Model, counter: Counter, listed: int
) -> None:
    """Draw the wounds of a listed casualty and their fate: those that its row gives, or that its category needs."""
    record = output.patients[row]
    wanted = given_category(model.listed, listed, counter[1])
    fitting = int(model.listed.fitting[listed])
    if wanted:
        fitting = 1 << wanted
    shift = model.listed.severity[listed]
    cell = np.uint64(counter[0])
    true = 0
    for attempt in range(MOST_ATTEMPTS if fitting else 1):
        if attempt > PLAIN_ATTEMPTS:
            # Towards the nearest category that fits: the first bits are the more severe categories.
            shift += SHIFT if fitting >> true == 0 else -SHIFT
        cell = np.uint64(counter[0]) + np.uint64(attempt) * np.uint64(_STEP)
        _attempt_wounded(output, row, casualty, cell, counter[1], shift, model, listed)
        true = int(record.triage)
        if casualty.expectant:
            true = _IMMEDIATE
        if (fitting >> true) & 1 and record.worst_ais < INSTANTLY_FATAL_AIS:
            break
    if wanted:
        record.triage = wanted
        casualty.expectant = 0
        casualty.needs_surgery = 1 if wanted <= TriageCategory.T2 else 0


@compiled
def draw_listed_ill(
    record: PatientRow, casualty: CasualtyState, model: Model, counter: Counter, listed: int
) -> None:
    """Draw illness, agent or accident of a listed casualty and its fate."""
    given = model.listed
    key = model.keys[DrawPurpose.INJURY]
    wanted = given_category(given, listed, counter[1])
    arrived_as = record.kind
    cell = np.uint64(counter[0])
    kills = False
    agent = NONE
    if given.conditions[listed] and arrived_as == CasualtyKind.AGENT:
        agent = int(model.injuries.nature[given.condition[given.first[listed]]])
    for attempt in range(MOST_ATTEMPTS):
        cell = np.uint64(counter[0]) + np.uint64(attempt) * np.uint64(_STEP)
        record.kind = arrived_as
        kills = draw_illness(record, cell, counter[1], key, model.injuries, agent)
        if (
            (wanted == 0 or record.triage == wanted)
            and (given.kind[listed] == NONE or record.kind == given.kind[listed])
            and (wanted > 0 or given.fitting[listed] == 0 or (given.fitting[listed] >> record.triage) & 1)
            and (given.may_kill[listed] or not kills)
        ):
            break
    if given.kind[listed] != NONE:
        record.kind = given.kind[listed]
        if record.kind == CasualtyKind.PSYCHOLOGICAL:
            record.mechanism = Mechanism.PSYCHOLOGICAL
        elif record.kind == CasualtyKind.DISEASE:
            record.mechanism = Mechanism.ILLNESS
    if given.conditions[listed]:
        condition = given.condition[given.first[listed]]
        if model.injuries.same[record.condition] != model.injuries.same[condition]:
            record.condition = condition
        cause_word = words(key, cell, counter[1], ILLNESS_CAUSE)[0]
        record.cause = draw_cause(record, to_uniform(cause_word), model.injuries)
    if wanted:
        record.triage = wanted
    draw_fate_of_ill(
        record,
        casualty,
        kills and given.may_kill[listed] > 0,
        cell,
        counter[1],
        model.keys[DrawPurpose.SURVIVAL],
        model.survival,
    )


@compiled_entry(ARRIVAL, int, MODEL, SAMPLE, "i8", "i8")
def iss_of_listed(
    arrivals: Rows[ArrivalRow],
    listed: int,
    model: Rows[Model],
    sample: Rows[SampledCasualty],
    sums: Ints,
    niss: Ints,
) -> None:
    """Add up the ISS of the wounded of a row of the list, without those killed at once, whose ISS is 75.

    The sums serve the search for the severity that meets a given mean ISS.

    Parameters
    ----------
    arrivals
        The casualties of the row.
    listed
        Row of `model.listed`.
    model
        One row of MODEL.
    sample
        One row of SAMPLE: working memory.
    sums
        Shape (2,): the sum of the ISS and the number of casualties are added.
    niss
        Shape (76,): the number of casualties by NISS is added; at 0 of those whose worst wound is too small to kill.
    """
    output = sample[0]
    record = output.patients[0]
    given = model[0].listed
    for number in range(len(arrivals)):
        arrival = arrivals[number]
        copy_arrival(record, arrival, 1)
        draw_wound_scores(
            record,
            output,
            0,
            arrival.cell,
            arrival.index,
            model[0].keys[DrawPurpose.INJURY],
            model[0].injuries,
            int(given.mechanism[listed]),
            given.severity[listed],
            True,
        )
        if record.worst_ais < INSTANTLY_FATAL_AIS:
            sums[0] += record.iss
            sums[1] += 1
            niss[record.niss if record.worst_ais >= model[0].survival.lethal_ais else 0] += 1

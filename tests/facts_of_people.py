"""Facts of every record: people, incidents, the order of records, and ids."""

import itertools
from typing import Any

import numpy as np
from coherence import DAY, MINUTE, Run, fact

from engine import scenario as scenario_api
from engine.codes import (
    NONE,
    SEXES,
    CasualtyKind,
    DeathCause,
    Sex,
)
from scenarios import catalogue, tables
from scenarios.tables import model_parameters

# --- people


@fact
def age_and_birth_date_agree_at_the_injury(r: Run) -> None:
    start = np.datetime64(r.scenario.start.rstrip("Z"), "ms")
    today = (start + r.p["time"].astype("timedelta64[ms]")).astype("datetime64[D]")
    born = r.p["birth"].astype("datetime64[D]")

    def parts(day: Any) -> tuple[Any, Any]:
        year, month = day.astype("datetime64[Y]"), day.astype("datetime64[M]")
        of_year = (month - year.astype("datetime64[M]")).astype(int) * 32 + (day - month).astype(int)
        return year.astype(int) + 1970, of_year

    (year, now), (birth_year, birthday) = parts(today), parts(born)
    assert np.array_equal(r.p["age"], year - birth_year - (now < birthday))


@fact
def nobody_is_too_young_for_the_rank(r: Run) -> None:
    for nation, rank in np.unique(np.stack([r.p["nation"], r.p["rank"]]), axis=1).T.tolist():
        held = catalogue.nations()[nation].ranks[rank]
        age = r.p["age"][(r.p["nation"] == nation) & (r.p["rank"] == rank)]
        assert age.min() >= max(17, held.min_age), held
        assert age.max() <= 70


@fact
def nations_are_those_of_the_front(r: Run) -> None:
    for front, nation in np.unique(np.stack([r.p["front"], r.p["nation"]]), axis=1).T.tolist():
        shares = r.scenario.fronts[front].nations
        assert shares.get(catalogue.nations()[nation].code, 0.0) > 0.0


@fact
def names_numbers_and_the_rest_are_in_range(r: Run) -> None:
    for nation, sex in np.unique(np.stack([r.p["nation"], r.p["sex"]]), axis=1).T.tolist():
        names = catalogue.names(catalogue.nations()[nation].code)
        who = r.p[(r.p["nation"] == nation) & (r.p["sex"] == sex)]
        assert who["given_name"].max() < len(getattr(names, f"{SEXES[sex]}_given"))
        assert who["family_name"].max() < len(getattr(names, f"{SEXES[sex]}_family"))
    for k, front in enumerate(r.scenario.fronts):
        known = catalogue.units(front.name)
        named = scenario_api.listed_units(r.scenario, front.name, known)
        assert r.p["unit"][r.p["front"] == k].max(initial=0) < len(known) + len(named)
    assert (r.p["blood_group"] < 8).all()
    lightest = np.where(r.p["sex"] == Sex.MALE, 55, 45)
    assert ((r.p["weight"] >= lightest) & (r.p["weight"] <= 140)).all()
    for nation in np.unique(r.p["nation"]):
        numbers = r.p["service_number"][r.p["nation"] == nation]
        assert len(np.unique(numbers)) == len(numbers)
        assert numbers.min() >= 10_000_000


# --- incidents, order and ids


@fact
def casualties_of_one_incident_belong_together(r: Run) -> None:
    order = np.argsort(r.p["incident"], kind="stable")
    rows = r.p[order]
    first = np.flatnonzero(np.concatenate([[True], rows["incident"][1:] != rows["incident"][:-1]]))
    size = np.diff(np.append(first, len(rows)))
    head = np.repeat(rows[first], size)
    for name in ("front", "type", "special", "stream", "incident_time", "incident_size", "mascal"):
        assert np.array_equal(rows[name], head[name]), name
    weapons = rows["kind"] == CasualtyKind.WOUNDED
    kinds = [
        np.minimum(table["kind"], CasualtyKind.DISEASE) for table in (rows, head)
    ]  # psychological ones arrive as disease
    assert np.array_equal(*kinds)
    if not r.scenario.incidents:  # rows of a list may give those of one incident different mechanisms
        assert np.array_equal(rows["mechanism"][weapons], head["mechanism"][weapons])
    if r.scenario.casualties.rates is None or not r.scenario.casualties.rates.depletion:
        assert np.array_equal(size, rows["incident_size"][first])


@fact
def an_incident_lasts_minutes(r: Run) -> None:
    after = r.p["time"] - r.p["incident_time"]
    assert (after >= 0).all()
    for k, name in [*enumerate([w.type for w in r.scenario.warfare]), (NONE, None)]:
        table = tables.warfare_patterns()["warfare_types"][name]["casualty_clustering"] if name else {}
        given = table.get("cluster_duration_minutes", table.get("individual_spacing_minutes", [2, 15]))
        of_type = (r.p["type"] == k) & (r.p["special"] == NONE)  # a special event may have another type
        assert after[of_type].max(initial=0) <= max(given) * MINUTE, name
    dnbi = r.p["stream"] != 0
    if not r.scenario.incidents:
        assert (r.p["incident_size"][dnbi] == 1).all()


@fact
def nobody_dies_of_a_sprain_or_a_headache(r: Run) -> None:
    can_kill = np.array([x.lethal for x in catalogue.conditions()])
    ill = np.isin(r.p["kind"], (CasualtyKind.NBI, CasualtyKind.DISEASE, CasualtyKind.PSYCHOLOGICAL)) & (
        r.p["lethal"] != NONE
    )
    assert (r.p["triage"][ill] == 1).all()
    assert can_kill[r.p["condition"][ill]].all()


@fact
def mass_casualty_incidents_are_those_above_the_threshold(r: Run) -> None:
    assert np.array_equal(r.p["mascal"] == 1, r.p["incident_size"] >= r.scenario.mascal_threshold)


@fact
def people_are_hurt_within_the_days_of_the_scenario(r: Run) -> None:
    assert (r.p["incident_time"] >= 0).all()
    assert (r.p["incident_time"] < r.scenario.days * DAY).all()


@fact
def records_are_in_the_order_of_time_and_id(r: Run) -> None:
    if r.finite.any():  # records leave the kernel between the injury and the outcome
        assert (np.maximum.accumulate(r.p["time"]) <= r.p["closed"]).all()
        return
    keys = list(zip(r.p["time"].tolist(), r.p["id_hi"].tolist(), r.p["id_lo"].tolist(), strict=True))
    assert all(a < b for a, b in itertools.pairwise(keys))


@fact
def ids_are_unique_and_uuids_of_version_8(r: Run) -> None:
    pairs = np.stack([r.p["id_hi"], r.p["id_lo"]])
    assert np.unique(pairs, axis=1).shape == pairs.shape
    assert ((r.p["id_hi"] >> np.uint64(12)) & np.uint64(15) == 8).all()
    assert (r.p["id_lo"] >> np.uint64(62) == 2).all()


@fact
def those_who_would_die_untreated_are_known(r: Run) -> None:
    lethal = r.p["lethal"] != NONE
    fatal = r.p["worst_ais"] == 6
    assert np.array_equal((r.p["untreated_death"] >= 0), lethal | fatal)
    assert (r.p["untreated_death"] >= r.p["onset"])[lethal | fatal].all()
    dead = r.p["death_cause"] != NONE
    if r.clock:
        of_clock = dead & lethal & (r.p["death_cause"] != DeathCause.LATE_COMPLICATIONS)
        assert np.array_equal(r.p["death_cause"][of_clock], 1 + r.p["lethal"][of_clock])
        p = r.p[of_clock]
        worst = max([1.0, *(v.clock_factor or 1.0 for v in r.scenario.vehicles)])
        if any(f.surge for f in r.scenario.facilities):  # the clock runs faster in an overflow area
            worst = max(worst, model_parameters("care")["overflow"]["clock_factor"])
        least = (p["untreated_death"] - p["onset"]) / worst - 1
        assert (p["closed"] - p["onset"] >= least).all(), "care hastens death"

"""What a scenario changes of single treatments acts on those treatments alone, in the direction it promises."""

from typing import Any

import effects as x
import numpy as np
import pytest

import goldenhour
from engine.codes import EN_ROUTE, LETHAL_MECHANISMS, NONE, TREATMENTS, Effect
from engine.errors import ScenarioError
from engine.scenario import MECHANISM_OF
from engine.scenario.structs.treatments import FIRST_AID, TREATMENT_NAMES

TOTAL = 6000
SEVERE = {"instant_death": 0.0, "severity": 0.6}
GAS = {"warfare": [{"type": "cbrn"}]}


def run(treatments: dict[str, Any] | None = None, **settings: Any) -> Any:
    more = {} if treatments is None else {"treatments": treatments}
    return x.run(
        TOTAL, **{"survival": SEVERE, **x.network(legs=(90.0, 120.0, 180.0, 360.0)), **more, **settings}
    )


def died(result: Any) -> Any:
    return x.status(result, "kia", "dow", "died_nonbattle")


def of_mechanism(result: Any, *names: str) -> Any:
    return np.isin(result.patients["lethal"], [LETHAL_MECHANISMS.index(name) for name in names])


@pytest.mark.parametrize("name", sorted(MECHANISM_OF))
def test_without_a_kind_of_first_aid_nobody_gets_it_and_its_own_die(name: str) -> None:
    plain, without = run(), run({name: {"available": False}})
    assert x.same_people(plain, without)
    before, after = x.treatments(plain, name), x.treatments(without, name)
    assert len(before) > 20 and len(after) == 0
    own = plain.patients["lethal"] == MECHANISM_OF[name]
    least = 1 if name == "tranexamic_acid" else 3  # a clock rate of .85 moves few deaths
    assert died(without)[own].sum() >= died(plain)[own].sum() + least
    assert (died(plain) == died(without))[~own].all()


def test_a_wound_without_tourniquet_is_dressed() -> None:
    plain, without = run(), run({"tourniquet": {"available": False}})
    own = x.treatments(plain, "tourniquet")["patient"]
    dressed = x.treatments(without, "haemostatic_dressing")["patient"]
    alive = np.unique(own)
    assert np.isin(alive, dressed).mean() > 0.95


@pytest.mark.parametrize("name", sorted(MECHANISM_OF))
def test_the_success_of_first_aid_is_the_one_asked_for(name: str) -> None:
    for share in (0.1, 1.0):
        given = x.treatments(run({name: {"success": share}}), name)
        aimed = given[(given["effect"] != Effect.SUPPORTIVE)]
        assert x.share_is((aimed["effect"] == Effect.EFFECTIVE).sum(), len(aimed), share, lines=10)


def test_first_aid_that_never_works_is_ineffective_and_not_supportive() -> None:
    never, rare = (
        x.treatments(run({"tourniquet": {"success": share}}), "tourniquet") for share in (0.0, 1e-9)
    )
    counts = [(given["effect"] == Effect.INEFFECTIVE).sum() for given in (never, rare)]
    assert counts[0] == counts[1] > 10
    assert not (never["effect"] == Effect.EFFECTIVE).any()


def test_a_faster_clock_after_first_aid_kills_more() -> None:
    slow, fast = (run({"tourniquet": {"rate": rate}}) for rate in (0.01, 1.0))
    own = of_mechanism(slow, "extremity_haemorrhage")
    assert died(fast)[own].sum() > died(slow)[own].sum() + 5
    assert (died(fast) == died(slow))[~own].all()


def test_the_delay_of_one_kind_of_first_aid_is_its_own() -> None:
    plain, late = run(), run({"tourniquet": {"delay_minutes": 50.0}})
    own = of_mechanism(plain, "extremity_haemorrhage")
    first = [x.rows(result, "first_aid") for result in (plain, late)]
    waits = [np.full(TOTAL, np.nan) for _ in first]
    for wait, events, result in zip(waits, first, (plain, late), strict=True):
        wait[events["patient"]] = events["at"] - result.patients["time"][events["patient"]]
    there = ~np.isnan(waits[0]) & ~np.isnan(waits[1])
    assert np.allclose(waits[1][there & own], 10.0 * waits[0][there & own], atol=10.0)
    assert (waits[0] == waits[1])[there & ~own].all()
    assert died(late)[own].sum() > died(plain)[own].sum()


def before_the_first_door(result: Any, treatments: Any) -> Any:
    """Those of these treatments that begin before the patient reaches a facility."""
    doors = np.stack([result.patients[f"role{role}"] for role in (1, 2, 3, 4)]).astype(float)
    first = np.where(doors < 0, np.inf, doors).min(axis=0)
    return treatments[treatments["start"] < first[treatments["patient"]]]


def test_blood_before_role_1_saves_the_bleeding() -> None:
    plain, blood = run(), run({"prehospital_blood": {"available": True, "success": 1.0, "rate": 0.05}})
    early = before_the_first_door(blood, x.treatments(blood, "blood_transfusion"))
    assert len(early) > 50 and (early["facility"] == EN_ROUTE).all()
    assert not len(before_the_first_door(plain, x.treatments(plain, "blood_transfusion")))
    bleeds = of_mechanism(plain, "torso_haemorrhage", "junctional_haemorrhage", "extremity_haemorrhage")
    assert bleeds[early["patient"]].all()
    assert died(blood)[bleeds].sum() < died(plain)[bleeds].sum() - 5
    assert (died(blood) == died(plain))[~bleeds].all()
    often = run({"prehospital_blood": {"available": True, "success": 0.5}})
    half = before_the_first_door(often, x.treatments(often, "blood_transfusion"))
    assert x.share_is((half["effect"] == Effect.EFFECTIVE).sum(), len(half), 0.5)


def test_resuscitation_works_as_often_as_asked_for() -> None:
    late = {"surgery": {"delay_minutes": 300.0}}
    never, often = (run({"resuscitation": {"success": share}, **late}) for share in (0.0, 1.0))
    assert died(never).sum() > died(often).sum() + 10
    assert len(x.rows(never, "resuscitation_started")) > 0
    without = run({"resuscitation": {"available": False}, **late})
    assert len(x.rows(without, "resuscitation_started")) == 0
    assert died(without).sum() > died(often).sum() + 10


def test_resuscitation_is_later_and_weaker_as_asked_for() -> None:
    late = {"surgery": {"delay_minutes": 300.0}}
    slow, weak, plain = (run({"resuscitation": {"rate": rate}, **late}) for rate in (0.01, 1.0, None))
    assert died(weak).sum() > died(plain).sum() > died(slow).sum()
    delayed = run({"resuscitation": {"delay_minutes": 65.0}})
    arrived, started = x.rows(delayed, "arrived", "R2"), x.rows(delayed, "resuscitation_started", "R2")
    at_door = dict(zip(arrived["patient"].tolist(), arrived["at"].tolist(), strict=True))
    waits = [
        at - at_door[patient]
        for patient, at in zip(*(started[k].tolist() for k in ("patient", "at")), strict=True)
    ]
    assert len(waits) > 50 and np.median(waits) == pytest.approx(65 * x.MINUTE)


def test_without_blood_for_transfusion_nobody_is_transfused_and_more_die() -> None:
    plain, without = run(), run({"blood_transfusion": {"available": False}})
    assert len(x.treatments(plain, "blood_transfusion")) > 50
    assert len(x.treatments(without, "blood_transfusion")) == 0
    assert died(without).sum() > died(plain).sum()


def bleeding(result: Any) -> Any:
    return of_mechanism(result, "torso_haemorrhage", "junctional_haemorrhage", "extremity_haemorrhage")


def test_resuscitation_without_blood_does_not_stop_the_clock_of_the_bleeding() -> None:
    def died_in_it(result: Any) -> Any:
        began, ended = (
            np.isin(np.arange(TOTAL), x.rows(result, f"resuscitation_{word}")["patient"])
            for word in ("started", "ended")
        )
        return began & ~ended

    slow = x.network(legs=(90.0, 120.0, 180.0, 360.0), R2={"resuscitation_minutes": x.constant(120.0)})
    plain, without = run(**slow), run({"blood_transfusion": {"available": False}}, **slow)
    assert not died_in_it(plain).any()
    assert died_in_it(without).sum() >= 5
    assert bleeding(plain)[died_in_it(without)].all()
    assert (died(plain) == died(without))[~bleeding(plain)].all()


def test_surgery_without_blood_succeeds_less_often() -> None:
    def saved(factor: float, **treatments: Any) -> Any:
        constant = {"survival": {"treatment": {"without_blood": {"surgery_factor": factor}}}}
        result = run(treatments, model=constant)
        operated = result.patients["surgery"] >= 0
        return operated & bleeding(result) & ~died(result)

    for name in ("blood_transfusion", "resuscitation"):
        off = {name: {"available": False}}
        every, half = saved(1.0, **off), saved(0.5, **off)
        assert not (half & ~every).any()
        assert x.share_is(half.sum(), every.sum(), 0.5, lines=2)
    assert (saved(1.0) == saved(0.5)).all()


def test_surgery_acts_as_asked_for() -> None:
    plain, never = run(), run({"surgery": {"success": 0.0}})
    brain = of_mechanism(plain, "tbi")
    mortal = plain.patients["lethal"] != NONE
    assert died(never)[mortal & ~brain].sum() > died(plain)[mortal & ~brain].sum() + 50
    assert (died(never) == died(plain))[brain].all()
    without = run({"surgery": {"available": False}})
    assert len(x.rows(without, "surgery_started")) == 0 and died(without).sum() > died(plain).sum() + 50
    late = run({"surgery": {"delay_minutes": 75.0}})
    times = [r.patients["surgery"].astype(float) for r in (plain, late)]
    both = (times[0] >= 0) & (times[1] >= 0)
    assert np.median((times[1] - times[0])[both]) == pytest.approx(60 * x.MINUTE)


def test_antidotes_act_on_agent_casualties_alone() -> None:
    plain = run(**GAS)
    agent = of_mechanism(plain, "agent")
    for name, treatment in (("autoinjector", "autoinjector"), ("atropine_and_oxime", "atropine_and_oxime")):
        without = run({name: {"available": False}}, **GAS)
        assert len(x.treatments(plain, treatment)) > 20 and len(x.treatments(without, treatment)) == 0
        assert died(without)[agent].sum() > died(plain)[agent].sum() + 3
        assert (died(without) == died(plain))[~agent].all()
        never, always = (run({name: {"success": share}}, **GAS) for share in (0.0, 1.0))
        assert died(never)[agent].sum() > died(always)[agent].sum() + 3
        success = 1.0 if name == "autoinjector" else 0.0
        slow, fast = (run({name: {"success": success, "rate": rate}}, **GAS) for rate in (0.01, 1.0))
        ends = [result.patients["closed"][agent & died(slow) & died(fast)].sum() for result in (slow, fast)]
        assert ends[1] < ends[0]


def test_emergency_care_saves_the_ill() -> None:
    settings = {"mix": x.NBI, "model": {"casualties": {"dnbi": {"lethal": {"nbi": 0.03}}}}}
    never, always, without = (
        run({"emergency_care": setting}, **settings)
        for setting in ({"success": 0.0}, {"success": 1.0}, {"available": False})
    )
    assert died(never).sum() > died(always).sum() + 5
    assert died(without).sum() > died(always).sum() + 5
    assert (
        len(x.treatments(always, "emergency_care")) > 0 and len(x.treatments(without, "emergency_care")) == 0
    )


def test_every_treatment_is_one_of_the_records_or_of_the_table() -> None:
    assert {*TREATMENT_NAMES} - {*TREATMENTS} == {"prehospital_blood", "resuscitation", "surgery"}
    assert {*FIRST_AID} == {*MECHANISM_OF, "autoinjector"}


@pytest.mark.parametrize(
    ("treatments", "place", "words"),
    [
        ({"turniquet": {"available": False}}, 'treatments["turniquet"]', "did you mean 'tourniquet'"),
        ({"tourniquet": {"avail": False}}, 'treatments["tourniquet"].avail', "did you mean 'available'"),
        ({"tourniquet": {"success": 1.5}}, 'treatments["tourniquet"].success', "at most 1"),
        ({"tourniquet": {"delay_minutes": 0}}, 'treatments["tourniquet"].delay_minutes', "at least 0.01"),
        ({"surgery": {"rate": 0.5}}, 'treatments["surgery"].rate', "no rate; surgery has available, success"),
    ],
)
def test_what_a_treatment_does_not_have_is_refused(
    treatments: dict[str, Any], place: str, words: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        x.notes(treatments=treatments)
    assert caught.value.place == place
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"treatments": {"tourniquet": {}}}, "nothing of it is set"),
        ({"treatments": {"tourniquet": {"available": True}}}, "available anyhow"),
        ({"treatments": {"tourniquet": {"available": False, "success": 0.5}}}, "success: no effect"),
        ({"treatments": {"prehospital_blood": {"success": 0.5}}}, "success: no effect"),
        ({"treatments": {"prehospital_blood": {"available": False}}}, "carry no blood"),
        ({"treatments": {"autoinjector": {"success": 0.5}}}, "only the warfare type cbrn"),
        ({"treatments": {"surgery": {"success": 0.5}}, "survival": {"clock": False}}, "clock = false"),
        ({"treatments": {"surgery": {"success": 0.5}}, "routing": "transition-matrix"}, "transition-matrix"),
    ],
)
def test_a_treatment_setting_without_effect_is_noted(settings: dict[str, Any], words: str) -> None:
    assert any(note.startswith('treatments["') and words in note for note in x.notes(**settings))
    assert not [
        note for note in x.notes(treatments={"tourniquet": {"available": False}}) if "treatments[" in note
    ]


def test_a_stock_of_blood_is_not_used_where_nobody_gets_blood() -> None:
    stock = {"facilities[R2-North].blood_units": 40}

    def used(**settings: Any) -> tuple[float | None, float]:
        given = {**stock, **{f"treatments.{name}.available": value for name, value in settings.items()}}
        measures = goldenhour.simulate("brigade", patients=300, settings=given).measures
        (place,) = (row for row in measures["flow"]["facilities"] if row["facility"] == "R2-North")
        return place["blood_used"], measures["consumption"]["blood"]["total"]

    units, consumed = used()
    assert units is not None
    assert units > 10 < consumed
    assert used(blood_transfusion=False) == (0, 0)

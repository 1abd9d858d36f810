"""The whole scenario: every setting, with its default."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from engine.scenario.structs.bounds import (
    MAX_DAYS,
    MAX_FACILITIES,
    MAX_FRONTS,
    MAX_HORIZON_DAYS,
    MAX_INCIDENTS,
    MAX_LINKS,
    MAX_VEHICLES,
    MIN_RETRIAGE_MINUTES,
)
from engine.scenario.structs.care import IntensiveCare, Reoperations
from engine.scenario.structs.casualties import Casualties, Mix
from engine.scenario.structs.complications import Complications
from engine.scenario.structs.facilities import Facility
from engine.scenario.structs.fronts import Front
from engine.scenario.structs.incidents import Incident
from engine.scenario.structs.links import Link
from engine.scenario.structs.mortuary import MortuaryAffairs
from engine.scenario.structs.point_of_injury import PointOfInjury
from engine.scenario.structs.survival import Survival
from engine.scenario.structs.treatments import TreatmentName, TreatmentSetting
from engine.scenario.structs.vehicles import Vehicle
from engine.scenario.structs.vocabulary import (
    Acceptance,
    Agent,
    Climate,
    DestinationPolicy,
    Detail,
    Environment,
    Intensity,
    NetworkName,
    Routing,
    Season,
    ShareCategory,
    Stream,
    Tempo,
)
from engine.scenario.structs.warfare import SpecialEvent, Warfare
from engine.scenario.structs.world import WorldEvent


class Scenario(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A whole scenario: who is hurt, where and when, and the evacuation network."""

    name: Annotated[str, Meta(min_length=1, max_length=80, description="short name of the scenario")]
    description: Annotated[str, Meta(max_length=4000, description="what it is, in a sentence or two")] = ""
    start: Annotated[
        str, Meta(description="date and time at which day 1 begins, ISO 8601 in UTC, whole seconds")
    ] = "2030-01-01T00:00:00Z"
    days: Annotated[int, Meta(ge=1, le=MAX_DAYS, description="days during which people are hurt")] = 8
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1, description="seed of all random draws")] = 1
    horizon_days: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=MAX_HORIZON_DAYS,
                examples=[30.0],
                description="days after which the simulation stops, at least `days`; unset: all are "
                "followed to an outcome",
            ),
        ]
        | None
    ) = None
    intensity: Annotated[
        Intensity, Meta(description="intensity of operations: rates, clusters and number of events")
    ] = "medium"
    tempo: Annotated[
        Tempo | None,
        Meta(
            examples=["escalating"],
            description="how casualties spread over the days; unset: sustained with warfare types",
        ),
    ] = None
    environment: Annotated[
        list[Environment],
        Meta(
            max_length=100,
            examples=[["rain", "night_operations"]],
            description="conditions: they multiply the casualty rates, also those that are given, slow links and "
            "first aid, and cause special injuries; `scenarios check` prints the factors",
        ),
    ] = []
    climate: Annotated[
        Climate | None,
        Meta(
            examples=["desert"],
            description="climate of the theatre: it decides on the shares of accidents and diseases, and where some "
            "occur at all; unset: arctic with extreme_cold, desert with extreme_heat or dust_storm, else temperate",
        ),
    ] = None
    season: Annotated[
        Season | None,
        Meta(
            examples=["winter"],
            description="season: it acts as the climate does; unset: winter with extreme_cold, summer with "
            "extreme_heat, else that of the northern hemisphere in the month of `start`",
        ),
    ] = None
    agents: Annotated[
        dict[Agent, Annotated[float, Meta(ge=0, le=1)]] | None,
        Meta(
            examples=[{"nerve": 0.7, "blister": 0.3}],
            description="CBRN agents of warfare type cbrn, with the shares of incidents that they cause, together 1; "
            "all agent casualties of an incident have the same agent; unset: nerve alone",
        ),
    ] = None
    day_weights: Annotated[
        Annotated[list[Annotated[float, Meta(ge=0, le=1e6)]], Meta(max_length=MAX_DAYS)] | None,
        Meta(
            examples=[[1.0, 2.0, 1.0]],
            description="instead of tempo: one weight per day, as many as `days`; under rates they "
            "scale the rates",
        ),
    ] = None
    routing: Annotated[
        Routing,
        Meta(
            description="clock: outcomes follow from severity, time and care; transition-matrix: "
            "reference table"
        ),
    ] = "clock"
    mascal_threshold: Annotated[
        int,
        Meta(
            ge=2,
            le=1_000_000,
            description="casualties of one incident from which it is a mass casualty incident",
        ),
    ] = 10
    expectant: Annotated[
        bool,
        Meta(
            description="mass casualty policy: at an incident of mascal_threshold casualties or more the worst wounded "
            "are T4, last in every queue: those of NISS 50 and more (model.care.mascal.expectant_niss), or the share "
            "of T4 in triage.battle"
        ),
    ] = False
    acceptance: Annotated[
        Acceptance,
        Meta(
            description="accept: a vehicle leaves only for a facility that has a place; push: it leaves anyhow"
        ),
    ] = "accept"
    destination: Annotated[
        DestinationPolicy,
        Meta(
            description="which of the facilities that can take a patient: the closest, one at random, or the "
            "least loaded"
        ),
    ] = "closest-first"
    bypass: Annotated[
        bool,
        Meta(
            description="true: a full or closed destination is passed over for the next; false: patients wait "
            "for the closest"
        ),
    ] = True
    national_preference: Annotated[
        bool, Meta(description="true: facilities of the casualty's own nation come first")
    ] = False
    bumping: Annotated[
        bool,
        Meta(
            description="true: a more urgent patient takes the treatment bay of a less urgent one, who resumes later"
        ),
    ] = False
    reoperations: Annotated[
        Reoperations | None,
        Meta(description="further operations in the same stay; unset: one operation in each stay at most"),
    ] = None
    intensive_care: Annotated[IntensiveCare, Meta(description="which of the wounded need intensive care")] = (
        IntensiveCare()
    )
    point_of_injury: Annotated[
        PointOfInjury | None,
        Meta(
            description="times of first aid and field triage, before which nobody is ready for evacuation; unset: "
            "they delay nobody"
        ),
    ] = None
    mortuary_affairs: Annotated[
        MortuaryAffairs | None,
        Meta(description="the dead are moved; unset: they leave the simulation at death and take no vehicle"),
    ] = None
    retriage_minutes: Annotated[
        Annotated[float, Meta(ge=MIN_RETRIAGE_MINUTES, le=1e6)] | None,
        Meta(
            examples=[60.0],
            description='interval of re-triage while waiting, in minutes; "none" for never',
        ),
    ] = 60.0
    triage_accuracy: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=1,
                examples=[0.8],
                description="probability of the right category at every triage; unset: by category and place",
            ),
        ]
        | None
    ) = None
    network: Annotated[
        NetworkName | None,
        Meta(
            examples=["brigade"],
            description="a ready network; the scenario's own facilities, links and vehicles override its entries "
            "or add to them: by id, links by origin and destination; unset: the default network or the scenario's own",
        ),
    ] = None
    network_scale: Annotated[
        float,
        Meta(
            gt=0,
            le=1000,
            examples=[2.0],
            description="multiplies the network's teams, bays, tables, beds, places, supplies and vehicles, "
            "at least 1 each",
        ),
    ] = 1.0
    casualties: Annotated[
        Casualties,
        Meta(description="how many: total or rates; without either those of incidents, without these 1,440"),
    ] = Casualties()
    mix: Annotated[
        Mix | None,
        Meta(
            examples=[{"battle": 0.5, "nbi": 0.3, "disease": 0.2}],
            description="shares of battle, nbi, disease under total; unset: .15/.33/.52 by warfare type",
        ),
    ] = None
    triage: Annotated[
        dict[Stream, dict[ShareCategory, float]] | None,
        Meta(
            examples=[{"battle": {"T1": 0.25, "T2": 0.25, "T3": 0.5}}],
            description="shares of T1, T2, T3 by stream; with expectant also T4 of battle, in mass casualty incidents. "
            "Clock: battle tilts severity and surgery until they are met, disease acts on the agent too in type cbrn; "
            "transition-matrix: they are drawn as they stand",
        ),
    ] = None
    survival: Annotated[Survival, Meta(description="changes to the survival clock")] = Survival()
    treatments: Annotated[
        dict[TreatmentName, TreatmentSetting],
        Meta(
            examples=[{"tourniquet": {"available": False}}],
            description="what a scenario changes of single treatments: available, success, rate, delay_minutes",
        ),
    ] = {}
    complications: Annotated[
        Complications,
        Meta(description="complications in the course: infection, kidney injury, embolism and others"),
    ] = Complications()
    detail: Annotated[
        Detail,
        Meta(
            description="how much a record shows: core, vital signs at doors, around procedures, twice a day and "
            "before death; full, the whole series, and the fields that docs/records.md marks. Nothing else "
            "depends on it"
        ),
    ] = "core"
    model: Annotated[
        dict[str, Any],
        Meta(
            max_length=10,
            examples=[{"survival": {"lethality": {"sigma": 1.0}}}],
            description="constants of the model that the scenario replaces: by file of scenarios/data/model, table "
            "and name",
        ),
    ] = {}
    warfare: Annotated[
        list[Warfare],
        Meta(max_length=100, description="types of warfare with weights; empty: no pattern in the day"),
    ] = []
    events: Annotated[
        list[SpecialEvent], Meta(max_length=254, description="special events on top of the daily course")
    ] = []
    incidents: Annotated[
        list[Incident],
        Meta(
            max_length=MAX_INCIDENTS,
            description="listed casualties: exactly as many, when and where given; part of casualties.total, on top "
            "of casualties.rates",
        ),
    ] = []
    fronts: Annotated[
        list[Front],
        Meta(
            max_length=MAX_FRONTS,
            description="fronts; empty: Poland .6, Estonia .3, Finland .1 of the reference table",
        ),
    ] = []
    facilities: Annotated[
        list[Facility],
        Meta(
            max_length=MAX_FACILITIES,
            description="MTFs and staging units; empty: the network's, else Role 1, 2, 3 per front and one Role 4",
        ),
    ] = []
    links: Annotated[
        list[Link],
        Meta(
            max_length=MAX_LINKS,
            description="legs of evacuation; empty: the default ones; without facilities each "
            "replaces the default leg "
            "of the same origin",
        ),
    ] = []
    vehicles: Annotated[list[Vehicle], Meta(max_length=MAX_VEHICLES, description="vehicle pools")] = []
    world: Annotated[
        list[WorldEvent],
        Meta(max_length=1000, description="events that happen to facilities and vehicles, in any order"),
    ] = []

"""The state of a casualty in the simulation: survival clock, stage, place, and what is held or waited for."""

from engine.tables.rows import Float64, Int32, Int64, Row, UInt8, UInt32, UInt64, dtype_of


class CasualtyState(Row):
    """One casualty, moved from stage to stage by `engine.kernel`.

    Times are in ms; -1 in a column of indices means none. Fields read at every event are next to each other.
    """

    # the survival clock (docs/model.md section 2.5)
    life: Float64  # ms of clock time until death; infinity: not lethal, or rescued
    used: Float64  # ms of clock time used up to `since`
    since: Float64  # ms
    rate: Float64  # clock rate from `since` on
    late_death_at: Float64  # ms; infinity: no late death
    slowest: Float64  # smallest treatment rate so far
    # what is due next
    at: Float64  # ms of the next stage
    retriage_at: Float64  # ms of the next re-triage; infinity: none
    # place, and what is held (finite resources only)
    factor: Float64  # product of the environment's clock factors
    stay_end: Float64  # ms when care ends; until the first admission of those without wounds, its length
    admitted_at: Float64  # ms of the first admission to an MTF
    stage: Int32  # `engine.kernel.codes.Stage`
    facility: Int32  # index, AT_POI or EN_ROUTE
    category: Int32  # assigned triage category
    queue: Int32  # number of the queue
    next: Int32  # slots of the neighbours in the queue or treatment bay, or of the next free slot
    previous: Int32
    version: Int32  # of the calendar entry that counts
    held: Int32  # resource in use
    granted_resource: Int32  # resource granted and not yet in use
    occupied_place: Int32  # facility where a place is occupied
    reserved_place: Int32  # facility where a place is reserved
    way: Int32  # where the casualty waits for transport
    # random draws, decision log
    arrival_number: Int64  # counted from 1
    cell: UInt64  # with `index` the counter of the random draws
    index: UInt32
    leg: Int32  # facilities reached so far
    triage_word: UInt32  # words of triage and treatment at the present facility
    treatment_word: UInt32
    rescue_word: UInt32
    destination: Int32  # facility
    first_decision: Int32  # rows of the first and last entry of the decision log
    last_decision: Int32
    granted_value: Int32  # bits of GrantFlag
    granted: UInt8  # 1: may perform the stage that is due
    in_bay: UInt8  # 1 + category, among those who may be bumped; else 0
    in_surge_place: UInt8
    no_blood: UInt8
    is_free: UInt8  # 1: the slot is free
    admitted: UInt8  # 1: has arrived at an MTF
    expects_rtd72: UInt8
    leaves_theatre: UInt8  # 1: never fit for duty in theatre again
    needs_surgery: UInt8
    must_lie: UInt8  # 1: wounded with a true category of T1 or T2
    resuscitated: UInt8
    resuscitating: UInt8
    operated: UInt8
    operated_here: UInt8
    definitive: UInt8
    decontaminated: UInt8
    head_ais: UInt8  # worst AIS of the head
    expectant: UInt8  # 1: T4 whenever triaged
    operable: UInt8  # bit r: something called for can be done at Role r
    grave: UInt8  # 1: wounded, and something would kill, blood is called for, or the worst AIS is 3 or more
    cavity: UInt8  # 1: a wound calls for an operation in head, neck, chest or belly
    airway_held: UInt8  # 1: a wound threatens the airway itself
    calls_for_ventilator: UInt8  # 1: the injuries or the illness do
    comatose: (
        UInt8  # 1: comatose by an injury of the brain, or intubated, when triaged at the present facility
    )
    ventilated: UInt8  # 1: has been on the ventilator in intensive care
    prompt: UInt8  # 1: a wound calls for an operation of Role 3 that does not wait for a day after the first
    excision: UInt8  # 1: a wound calls for the excision of a burn; 2: and no wound for anything else
    tourniquet: UInt8  # 1: a wound calls for a limb tourniquet, until it is operated on
    onward: UInt8  # role at which the last operation called for can be done; 0: none is called for
    care_role: UInt8  # lowest role that gives all treatments that the injuries or the illness call for
    killer: (
        UInt8  # number of the wound that would kill; NONE: none of them can do it that way, or nothing would
    )
    intensive: UInt8  # 1: has been in intensive care
    sorted_inside: UInt8  # 1: has been triaged before leaving a facility
    outpatient: UInt8  # 1: nothing that the injuries or the illness call for needs a bed
    large_burn: UInt8  # 1: a large part of the body surface is burnt, which is excised at Role 4
    single_session: UInt8  # 1: all operations are in cavities, of Role 2, and nothing calls for a second one
    in_quarters: UInt8  # 1: an outpatient of the facility, with limited duty in the unit
    hypotensive: UInt8  # 1: `low_pressure` is such that triage in a facility sees it
    shocked: UInt8  # 1: in shock from bleeding at the first facility
    blood_units: UInt8  # units that resuscitation calls for; 0: no blood
    blood_given: UInt8  # units of them that there are
    platform: UInt8  # 1 + kind of transport of the vehicle that moves the casualty; 0: the network names none
    # waiting, and the first leg
    wait_since: Float64  # ms
    wait_until: Float64  # ms when the wait ends, as far as known; infinity
    remaining: Float64  # ms of care left after a bump; at the point of injury, from request to departure
    aid_at: Float64  # ms of first aid before the first facility; infinity once done
    request_at: Float64
    ready_at: Float64  # ms before which evacuation is not requested, although field triage is over
    depart_at: Float64
    arrive_at: Float64
    vehicle_clock_factor: Float64  # clock factor of the vehicle
    # recovery, and what is rarely accessed
    first_life: Float64  # ms: `life` as drawn, for the score
    recover_at: Float64  # ms: start of the recovery
    recover_from: Float64  # score at that time
    recover_span: Float64  # ms; 0: not recovering
    bonus: Float64  # what resuscitation adds to the score, before it is weighted by 1 - u/T
    outcome: Int64  # `MatrixOutcome` of the present place, under transition-matrix routing
    wound: Int64  # first row of the wounds
    wounds: Int64  # number of wounds
    first_treatment: Int64  # first row of the treatments
    rate_before_bump: Float64  # clock rate during the interrupted care
    transport_requested_at: Float64  # ms of the request for transport onwards
    bumped_at: Float64  # ms
    blocked_since: Float64  # ms since when the held resource is no longer needed but the next is not free
    first_event: Int64  # first row of the events
    work_first: Float64  # usual minutes of the operations that the wounds call for: what a Role 2 does, ...
    work_later: Float64  # ... what only a higher role does, ...
    work_again: Float64  # ... and of a session in which nothing of it is left
    low_pressure: Float64  # mmHg by which the pressure is low beyond what the loss of blood does
    low_pulse: Float64  # change of the pulse with it
    gcs: Float64  # Glasgow Coma Scale after the injury; 15 without an injury of the brain
    gcs_hours: Float64  # time constant of its recovery
    unwell_hours: Float64  # from the first admission on, in which signs are not normal
    tube_hours: Float64  # from the first admission on with a tube, operations and coma aside
    awake_at: Float64  # ms until when an operation keeps the casualty from leaving
    operated_until: Float64  # ms of the end of the last operation at the present facility; -infinity
    recovered_at: Float64  # ms until when those who breathe for themselves are watched after it; -infinity
    arranged_at: (
        Float64  # ms from when on the journey from the present facility is arranged; -infinity: not asked for
    )
    reoperate_at: Float64  # ms when a further operation here is due; infinity: none
    risks: Int64  # mask of `Risk` that the injuries bring
    complications: Int64  # bit k: `Complication` k has occurred
    unseen: Int64  # those of them that are not in the record yet
    considered_at: Float64  # ms up to which complications have occurred; -infinity
    transfused_at: Float64  # ms of the first resuscitation with blood; infinity
    operations_here: Int32  # operations begun at the present facility
    retriages: Int32  # number of re-triages so far
    vehicles_sent: Int32  # vehicles sent for this casualty to this place


STATE = dtype_of(CasualtyState)

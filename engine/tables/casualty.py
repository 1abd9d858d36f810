"""The state of a casualty on the way: survival clock, stage, place, and what is held or waited for."""

from engine.tables.rows import Float64, Int32, Int64, Row, UInt8, UInt32, UInt64, dtype_of


class CasualtyState(Row):
    """One casualty on the way: what `engine.kernel.event_loop` moves from stage to stage.

    What is read at every event stands together.
    """

    # the clock
    life: Float64  # T in ms of clock time; infinite for the non-lethal and the rescued
    used: Float64  # u at `since`
    since: Float64  # ms
    rate: Float64  # r in force from `since` on
    late_death_at: Float64  # ms of a late death; infinite without
    slowest: Float64  # smallest s in force
    # what is due
    at: Float64  # ms of the next stage
    retriage_at: Float64  # ms of the next re-triage; infinity
    # where, and what is held (finite resources only)
    factor: Float64  # product of the environment's factors
    stay_end: Float64  # ms when the casualty could return to duty; infinite for the dying
    stage: Int32
    facility: Int32  # where the casualty is: an index, AT_POI or EN_ROUTE
    category: Int32  # assigned triage
    queue: Int32  # waiting line; -1
    next: Int32  # neighbours in the waiting line
    previous: Int32
    version: Int32  # of the entry in the calendar that counts
    held: Int32  # resource in use; -1
    granted_resource: Int32  # given, and not yet made use of; -1
    occupied_place: Int32  # facility whose place is taken; -1
    reserved_place: Int32  # facility where a place is kept for the one on the way; -1
    way: Int32
    # counters of the random streams, journal
    arrival_number: Int64  # number of the arrival
    cell: UInt64  # counters of the random streams
    index: UInt32
    leg: Int32  # number of facilities reached
    destination: Int32
    first_decision: Int32  # first and last entry of the journal; -1
    last_decision: Int32
    granted_value: Int32
    granted: UInt8  # 1: may perform the stage that is due
    in_bay: UInt8  # 1 + category in the list of those who may be bumped
    in_surge_place: UInt8  # 1: in a surge place
    no_blood: UInt8
    boards: UInt8  # goes with the vehicle that is being loaded
    is_free: UInt8  # 1: the slot is free
    admitted: UInt8  # arrived at an MTF
    expects_rtd72: UInt8
    needs_surgery: UInt8
    resuscitated: UInt8
    resuscitating: UInt8
    operated: UInt8
    operated_here: UInt8
    definitive: UInt8
    decontaminated: UInt8
    head_ais: UInt8  # worst AIS of the head
    # waiting, and the first leg
    wait_since: Float64  # ms
    wait_until: Float64  # ms when the wait is known to end; infinity
    remaining: Float64  # ms of care left for a bumped patient
    aid_at: Float64  # before the first door; infinity once done
    request_at: Float64
    depart_at: Float64
    arrive_at: Float64
    vehicle_clock_factor: Float64  # factor on the clock in the vehicle
    # recovery and other things seldom looked at
    first_life: Float64  # T as drawn, for the score
    recover_at: Float64  # ms, score and span (ms) of the recovery; span 0: not recovering
    recover_from: Float64
    recover_span: Float64
    bonus_at: Float64  # ms and size of the passing effect of resuscitation
    bonus: Float64
    origin: Int64
    outcome: Int64  # of the present place, under transition-matrix routing
    wound: Int64  # first row and number of the wounds
    wounds: Int64
    first_treatment: Int64  # first row of the treatments
    rate_before_bump: Float64  # rate of the clock while care goes on, for who resumes
    transport_requested_at: Float64  # ms: transport onwards was asked for
    bumped_at: Float64  # ms
    blocked_since: Float64  # ms: what is held is no longer needed, but the next is not free
    first_event: Int64  # first row of the events
    retriages: Int32
    vehicles_sent: Int32  # vehicles sent for this patient at this place


STATE = dtype_of(CasualtyState)

"""The stages of a casualty's way through the evacuation network (docs/model.md section 2.7): the dispatcher.

Each stage function performs what is due and sets the next stage and its time. Between two stages the survival clock may
bring death. A stage that needs a finite resource is performed once it has been granted. Both passes of
`kernel.event_loop` run the same stages; the event log of a patient is what they log, in the order of time.
"""

from engine.kernel.codes import LAST_POI_STAGE, Stage
from engine.kernel.disposition_stages import decide_disposition, leave_with_vehicle
from engine.kernel.facility_stages import (
    arrive,
    end_decontamination,
    end_treatment,
    end_triage,
    enter_facility,
    start_treatment,
    start_triage,
)
from engine.kernel.interruptions import resume_care
from engine.kernel.operation_stages import (
    await_operation,
    end_operation,
    start_intensive_care,
    start_operation,
)
from engine.kernel.outcomes import return_to_duty
from engine.kernel.poi_stages import perform_poi_stage
from engine.kernel.remains_stages import collect_remains, deliver_remains, request_collection
from engine.kernel.waiting import retriage
from engine.numeric import Counter, compiled
from engine.tables import CasualtyState, Model, Output


@compiled
def perform_stage(output: Output, row: int, casualty: CasualtyState, model: Model, counter: Counter) -> None:
    """Perform the stage that is due, or the re-triage that comes before it."""
    if casualty.retriage_at < casualty.at:
        retriage(output, row, casualty, model, counter)
        return
    now = casualty.at
    casualty.granted = 0
    if casualty.stage <= LAST_POI_STAGE:
        perform_poi_stage(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.ARRIVE:
        arrive(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.DECONTAMINATED:
        end_decontamination(output, row, casualty, now)
    elif casualty.stage == Stage.ADMIT:
        enter_facility(output, row, casualty, now, model)
    elif casualty.stage == Stage.START_TRIAGE:
        start_triage(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.LEAVE:
        leave_with_vehicle(output, row, casualty, now, model)
    elif casualty.stage == Stage.RESUME:
        resume_care(output, row, casualty, now)
    elif casualty.stage == Stage.TRIAGE:
        end_triage(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.TREAT:
        start_treatment(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.TREATED:
        end_treatment(output, row, casualty, now, model, counter)
    elif (
        casualty.stage == Stage.SURGERY
        or casualty.stage == Stage.DEFINITIVE_SURGERY
        or casualty.stage == Stage.REOPERATION
    ):
        start_operation(output, row, casualty, now, model, counter)
    elif (
        casualty.stage == Stage.OPERATED
        or casualty.stage == Stage.DEFINITIVE_DONE
        or casualty.stage == Stage.REOPERATED
    ):
        end_operation(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.ICU:
        start_intensive_care(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.AWAIT_OPERATION:
        await_operation(output, row, casualty, now, model)
    elif (
        casualty.stage == Stage.DISPOSITION
        or casualty.stage == Stage.COMPLICATION
        or casualty.stage == Stage.FIT_TO_TRAVEL
    ):
        decide_disposition(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.REMAINS:
        request_collection(output, row, casualty, now, model, counter)
    elif casualty.stage == Stage.COLLECT:
        collect_remains(output, row, casualty, now)
    elif casualty.stage == Stage.DELIVER:
        deliver_remains(output, row, casualty, now, model)
    else:
        return_to_duty(output, row, casualty, now, model)

"""run_scenario: one run from scenario to files, with recovery.

The run is driven by one loop (`actors.run.attempt`), whether it is carried out in this process or on Ray. Recovery has
one place: after any fault of Ray everything under way is thrown away and a new attempt begins with new actors. The
writers cut their files back to the last line of their journals, and the simulator skips to the first chunk that is not
in them. An unfinished run that is started again does the same.
"""

import os
import shlex
import uuid
from collections.abc import Callable
from functools import partial

import msgspec

from actors.cache import LocalCache, SharedCache, cache_for_run, cache_settings
from actors.cluster import Log, Sampler, Session, add_metric, start_session
from actors.run.attempt import Finished, run_attempt
from actors.run.executor import Executor
from actors.run.interrupts import ignore_interrupts
from actors.run.intervals import stall_seconds, sync_seconds
from actors.run.lanes import formats_by_lane
from actors.run.local_executor import LocalExecutor
from actors.run.messages import EncodeSettings
from actors.run.object_store_output import ObjectStoreOutput
from actors.run.output_folder import OutputFolder
from actors.run.part_owners import part_owners
from actors.run.partial_folder import LOG
from actors.run.plan import RunPlan
from actors.run.progress import OnProgress, Progress, ProgressReporter
from actors.run.publishing import Output, check_patients, in_manifest_order, publish_run
from actors.run.ray_executor import RayExecutor
from actors.run.recovery import RecoveryLimit
from actors.run.request import AUTOMATIC_WORKERS, RunRequest, check_request
from actors.run.result import RunResult
from actors.run.run_file import RunFile, engine_digest, libraries
from actors.run.scheduler import Scheduler
from engine.errors import Interrupted, RunError, StoppedRun
from engine.precomputed import key_of_measures
from engine.scenario import scenario_hash

OnClaimed = Callable[[str, bool], None]
"""Called once the run has claimed its output, before anything else starts: with the run's id, and whether the run
was started before."""


def run_scenario(
    request: RunRequest,
    on_progress: OnProgress = lambda progress: None,
    on_claimed: OnClaimed = lambda run_id, started_before: None,
) -> RunResult:
    """Run a scenario and write its files to the output. An unfinished run of the same request is resumed.

    Parameters
    ----------
    request
        What to run.
    on_progress
        Called in this thread, on every change of phase and otherwise at most ten times a second.
    on_claimed
        Called once the run has claimed its output; see `OnClaimed`.

    Raises
    ------
    InputError
        The options, the output folder or the address of the cluster are invalid.
    StoppedRun
        The disk, a process or the cluster failed. If anything was written, the message says how to resume the run.
    RunError
        The scenario cannot be run to its end. Nothing is left in the output.
    Interrupted
        Ctrl-C or SIGTERM.
    """
    check_request(request)
    cache_settings()
    output = _claim_output(request)
    log: Log | None = None
    try:
        log = Log(output.run.run_id, output.partial / LOG)
        on_claimed(output.run.run_id, output.started_before)
        result = _execute(request, output, log, on_progress)
        log.write(
            "finished",
            patients=result.patients,
            bytes=result.bytes,
            seconds=round(result.seconds, 3),
            compile_seconds=round(result.compile_seconds, 3),
        )
        return result
    except KeyboardInterrupt:
        with ignore_interrupts():
            resumable = output.suspend()
            left = (
                _how_to_resume(output, request.address)
                if resumable
                else "nothing was left in the output folder"
            )
            _log_end(log, "interrupted", left)
        raise Interrupted(f"stopped; {left}") from None
    except BaseException as error:
        if isinstance(error, MemoryError):
            error = StoppedRun("out of memory: use a smaller --chunk-size or fewer --workers")
        with ignore_interrupts():
            _log_end(log, "failed", str(error) or type(error).__name__)
            if isinstance(error, RunError) and not isinstance(error, StoppedRun):
                output.discard()
            elif output.suspend() and isinstance(error, StoppedRun):
                raise StoppedRun(f"{error}\n{_how_to_resume(output, request.address)}") from error
        raise error
    finally:
        if log is not None:
            log.close()


def _claim_output(request: RunRequest) -> Output:
    run = RunFile(
        run_id=request.run_id or str(uuid.uuid4()),
        version=request.version,
        engine=engine_digest(),
        scenario=msgspec.Raw(msgspec.json.encode(request.original)),
        scenario_name=request.original.name,
        scenario_hash=scenario_hash(request.original),
        seed=request.seed,
        replication=request.replication,
        formats=request.formats,
        compress=request.compress,
        chunk_size=request.chunk_size,
        libraries=libraries(request.formats, request.compress),
        workers=request.workers,
        writers=request.writers,
        simulators=request.simulators,
        address=request.address,
        destination=str(request.destination or ""),
    )
    if request.destination is None:
        return OutputFolder.claim(request.output, request.force, run)
    return ObjectStoreOutput.claim(request.destination, request.output, request.force, run)


def _execute(request: RunRequest, output: Output, log: Log, on_progress: OnProgress) -> RunResult:
    """Run in this process or on Ray."""
    log.write(
        "resumed" if output.resumed else "started",
        output=str(output.output),
        scenario=request.original.name,
        seed=request.seed,
        replication=request.replication,
        workers=request.workers,
        writers=request.writers,
        simulators=request.simulators,
        version=request.version,
    )
    if request.workers == 0:
        return RunDriver(request, output, log, on_progress).run_in_process()

    def starting(runs_ahead: int = 0) -> None:
        on_progress(
            Progress(phase="starting", expected=request.scenario.casualties.total, runs_ahead=runs_ahead)
        )

    starting()
    with start_session(request.address, request.workers, request.cpus_of_simulators, starting) as session:
        if request.workers == AUTOMATIC_WORKERS:
            workers = max(1, session.generators() - request.cpus_of_simulators)
            request = msgspec.structs.replace(request, workers=workers)
        add_metric("runs_started", resumed=str(output.resumed).lower())
        try:
            result = RunDriver(request, output, log, on_progress).run_on_ray(session)
        except KeyboardInterrupt:
            add_metric("runs_ended", state="interrupted")
            raise
        except BaseException:
            add_metric("runs_ended", state="failed")
            raise
        add_metric("runs_ended", state="finished")
        return result


def _log_end(log: Log | None, event: str, message: str) -> None:
    if log is not None:
        log.write(event, message=message)


def _how_to_resume(output: Output, address: str | None) -> str:
    cluster = "" if address is None else f" --address {shlex.quote(address)}"
    return f"`goldenhour resume {shlex.quote(str(output.output))}{cluster}` resumes the run"


class RunDriver:
    """Drives a run through its attempts, and holds the state that they share."""

    def __init__(self, request: RunRequest, output: Output, log: Log, on_progress: OnProgress) -> None:
        scenario = msgspec.json.encode(request.scenario)
        self._request = request
        self._output = output
        self._plan = RunPlan(
            request=request,
            run_id=output.run.run_id,
            folder=output.partial,
            scenario=scenario,
            lanes={
                lane: EncodeSettings(lane, formats, request.compress, scenario)
                for lane, formats in formats_by_lane(request.formats, request.writers).items()
            },
            owners=part_owners(request.writers, request.chunk_size),
            cache=None,
            sync_seconds=sync_seconds() if request.sync_seconds is None else request.sync_seconds,
            stall_seconds=stall_seconds(),
        )
        self._scheduler = Scheduler((*self._plan.lanes,), self._plan.owners)
        self._sampler = Sampler()
        self._reporter = ProgressReporter(
            request, self._plan.run_id, self._scheduler, self._sampler, log, on_progress
        )
        self._cache_fault: str | None = None

    def run_in_process(self) -> RunResult:
        """Simulate, encode and write in this process."""
        settings = cache_settings()
        if settings.mode != "off":
            self._plan = self._plan._replace(cache=LocalCache(settings))
        return self._drive(partial(LocalExecutor, self._plan))

    def run_on_ray(self, session: Session) -> RunResult:
        """Run on the Ray that this process has joined. Recovers from faults of Ray as far as `RecoveryLimit` allows."""
        cache = cache_for_run(session.local, self._request.original.name)
        self._plan = self._plan._replace(cache=cache)
        if isinstance(cache, SharedCache):
            lanes = {lane: settings._replace(cache=cache) for lane, settings in self._plan.lanes.items()}
            self._plan = self._plan._replace(lanes=lanes)
        return self._drive(partial(RayExecutor, self._plan, session, self._sampler))

    def _drive(self, new_executor: Callable[[], Executor]) -> RunResult:
        """Make attempts until one finishes the run."""
        self._sampler.watch("driver", os.getpid())
        self._sampler.start()
        recoveries = RecoveryLimit()
        phase = "resuming" if self._output.resumed else "preparing"
        try:
            while True:
                executor = new_executor()
                try:
                    report = partial(self._reporter.report, executor)
                    outcome = run_attempt(executor, self._scheduler, phase, report)
                    self._note_cache_fault(executor.cache_fault)
                    if isinstance(outcome, Finished):
                        self._sampler.sample()
                        return self._finish(outcome, recoveries.count, report)
                    recoveries.add(outcome)
                    add_metric("recoveries")
                    phase = "recovering"
                    report(phase, outcome.reason)
                except KeyboardInterrupt:
                    with ignore_interrupts():
                        executor.save()
                    raise
                finally:
                    with ignore_interrupts():
                        executor.close()
        finally:
            self._sampler.stop()

    def _finish(self, finished: Finished, recoveries: int, report: Callable[[str], None]) -> RunResult:
        """Publish the files and return the result."""
        request, output = self._request, self._output
        report("finishing")
        parts = in_manifest_order(finished.parts, request.formats)
        patients = self._scheduler.run_patients
        check_patients(parts, request.formats, patients)
        tick = partial(report, "finishing" if request.destination is None else "uploading")
        files = publish_run(request, output, parts, finished.measures, patients, tick)
        seconds = self._reporter.seconds
        self._sampler.sample()
        cache = self._plan.cache
        if cache is not None:
            cache.put(key_of_measures(request.scenario, request.seed, request.replication), finished.measures)
            self._note_cache_fault(cache.fault)
        return RunResult(
            patients=patients,
            output=output.output,
            files=files,
            parts=parts,
            measures=msgspec.json.decode(finished.measures),
            seconds=seconds,
            patients_per_second=patients / seconds,
            bytes=sum(part.bytes for part in parts),
            peak_pss_mb=self._sampler.peak_mb,
            pss_mb=self._sampler.breakdown_mb,
            recoveries=recoveries,
            notes=()
            if self._cache_fault is None
            else (f"{self._cache_fault}; the run continued without the cache",),
            resumed=output.resumed,
            run_id=self._plan.run_id,
            workers=request.workers,
            compile_seconds=self._reporter.compile_seconds,
        )

    def _note_cache_fault(self, fault: str | None) -> None:
        """Remember the first fault of the cache, the only one that the result mentions."""
        self._cache_fault = self._cache_fault or fault


__all__ = ["RunDriver", "run_scenario"]

"""RayActors: the actors and the remote task of one attempt at a run on Ray."""

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from actors.cluster import Session, as_remote
from actors.run.generator import generate, generate_run_tables
from actors.run.shards import MergingSimulator, ShardSimulator, divide_fronts
from actors.run.simulator import FlowSimulator
from actors.run.writer import Writer

if TYPE_CHECKING:
    from actors.run.plan import RunPlan

END_SECONDS = 1.0
"""Time that an actor has to end after Ray has asked it to."""


class RayActors:
    """The actors of one attempt, started by `start`.

    `simulator` delivers the chunks; `shards` simulate for it, if there are several simulators. `generate` and
    `generate_run_tables` are the remote tasks that encode. `node` is the id of the driver's node.
    """

    def __init__(self) -> None:
        import ray

        self._ray: Any = ray
        self.node: str = ray.get_runtime_context().get_node_id()
        self.shards: list[Any] = []
        self.simulator: Any = None
        self.writers: list[Any] = []
        self.generate: Any = None
        self.generate_run_tables: Any = None
        self._local_pids: list[int] = []

    def start(self, plan: "RunPlan", session: Session) -> None:
        """Start all actors, without waiting for them."""
        request = plan.request
        stateful: dict[str, Any] = {"num_cpus": 0, "max_restarts": 0, "max_task_retries": 0}
        # Simulators and generators run away from the driver and the writer, so that two nodes carry the same load.
        placement = "DEFAULT" if session.local else "SPREAD"
        simulated = (plan.scenario, request.seed, request.replication, request.chunk_size, plan.cache)
        fronts_of_shards = divide_fronts(plan.scenario, request.simulators)
        for fronts in fronts_of_shards:
            shard = as_remote(ShardSimulator).options(**stateful, scheduling_strategy=placement)
            self.shards.append(shard.remote(*simulated, fronts=fronts))
        if fronts_of_shards:
            merging = as_remote(MergingSimulator).options(**stateful)
            self.simulator = merging.remote(*simulated, parts=fronts_of_shards, shards=self.shards)
        else:
            flow = as_remote(FlowSimulator).options(**stateful, scheduling_strategy=placement)
            self.simulator = flow.remote(*simulated)
        here = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(self.node, soft=False)
        writer = as_remote(Writer).options(
            **stateful, scheduling_strategy=here if request.writers == 1 else "SPREAD"
        )
        for index in range(request.writers):
            self.writers.append(
                writer.remote(str(plan.folder), plan.run_id, index, plan.owners, plan.sync_seconds)
            )
        task: dict[str, Any] = {
            "num_cpus": 1,
            "max_retries": 3,
            "retry_exceptions": False,
            "scheduling_strategy": placement,
        }
        self.generate = as_remote(generate, "goldenhour.generate").options(num_returns=2, **task)
        self.generate_run_tables = as_remote(generate_run_tables, "goldenhour.generate_run_tables").options(
            **task
        )

    @property
    def simulators(self) -> list[Any]:
        """All actors that simulate."""
        return [*self.shards, self.simulator]

    def by_role(self) -> list[tuple[str, Any]]:
        """All actors with their roles in the memory figures."""
        return [
            *(("shard", shard) for shard in self.shards),
            ("simulator", self.simulator),
            *(("writer", writer) for writer in self.writers),
        ]

    def add_local(self, pid: int) -> None:
        """Remember that an actor is this process of the driver's node."""
        self._local_pids.append(pid)

    def save(self, seconds: float) -> None:
        """Have the writers bring to the disk what they hold; wait at most so long."""
        with contextlib.suppress(Exception):
            saved = [writer.checkpoint.remote() for writer in self.writers]
            self._ray.wait(saved, num_returns=len(saved), timeout=seconds)

    def kill(self) -> None:
        """End all actors."""
        for actor in (self.simulator, *self.shards, *self.writers):
            with contextlib.suppress(Exception):
                self._ray.kill(actor)
        _kill_processes(self._local_pids)


def _kill_processes(pids: list[int]) -> None:
    """Kill the processes that do not end soon: Ray asks them to end, which a process that hangs never does."""
    until = time.monotonic() + END_SECONDS
    while pids:
        overdue = time.monotonic() > until
        try:
            os.kill(pids[-1], signal.SIGKILL if overdue else 0)
        except OSError:
            pids.pop()
            continue
        if overdue:
            pids.pop()
        else:
            time.sleep(0.005)

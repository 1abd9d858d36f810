"""RunPlan: what an executor needs to know of a run."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from actors.run.lanes import PART_LANE, chunks_per_parquet_part
from actors.run.messages import EncodeSettings
from actors.run.part_owners import PartOwners
from actors.run.request import RunRequest

if TYPE_CHECKING:
    from actors.cache import LocalCache, SharedCache


class RunPlan(NamedTuple):
    """A run as its executors see it.

    `folder` is where the writers work. `scenario` is the resolved scenario as JSON. `lanes` says how to encode each
    lane. `stall_seconds` is the time without any event after which an executor on Ray counts as stalled.
    """

    request: RunRequest
    run_id: str
    folder: Path
    scenario: bytes
    lanes: dict[str, EncodeSettings]
    owners: PartOwners
    cache: "SharedCache | LocalCache | None"
    sync_seconds: float
    stall_seconds: float

    @property
    def chunks_per_part_task(self) -> int:
        """Chunks that one task of the part lane holds; 0 if the run has no such lane."""
        return chunks_per_parquet_part(self.request.chunk_size) if PART_LANE in self.lanes else 0

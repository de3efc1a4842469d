"""The files of a run's folder, by what they are."""

from __future__ import annotations

from ..errors import ArtifactError
from ..workspace import RunFolder
from .records import PlanRecord, Start, from_json, to_json

_START = "run.json"
PLAN = "plan.json"


class Files:
    """The files of one run; each that may not be there yet is None until it is."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    @property
    def begun(self) -> Start | None:
        """What preflight chose and found; None before preflight."""
        content = self.folder.read(_START)
        return None if content is None else from_json(Start, content)

    @property
    def start(self) -> Start:
        """The same. Raises `ArtifactError` before preflight."""
        if (found := self.begun) is None:
            raise ArtifactError(f"run {self.folder.run_id} has not been through preflight; run that first")
        return found

    @property
    def plan(self) -> PlanRecord | None:
        """The plan as its gate saw it; None before the gate."""
        content = self.folder.read(PLAN)
        return None if content is None else from_json(PlanRecord, content)

    def write_plan(self, plan: PlanRecord) -> None:
        """Publish the plan as its gate sees it."""
        self.folder.write(PLAN, to_json(plan))

    def write_start(self, start: Start) -> None:
        """Publish what preflight chose and found."""
        self.folder.write(_START, to_json(start))

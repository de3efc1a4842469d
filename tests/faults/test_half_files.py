"""Files of a run's folder of which half is there, as a disk keeps them that lost its power."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.embedded import postgres
from include.trueup.errors import ArtifactError
from include.trueup.ledger import Ledger
from include.trueup.report import report
from include.trueup.run.workspace import Workspace
from tests.stepping import Stepped, do

SAYS = "is not what was written there .* trigger the DAG again"


@pytest.fixture
def small(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Stepped:
    return Stepped(postgres_server, ledger, workspace, tmp_path, people=3)


@pytest.mark.parametrize("whole", [0, 0.5])
def test_half_a_file_is_said_and_half_a_report_of_a_proven_run_is_written_again(small: Stepped, whole: float) -> None:
    run = small.begin("a", to="plan")

    def halve(path: str) -> tuple[Path, bytes]:
        file = Path(run.folder.location(path))
        content = file.read_bytes()
        file.write_bytes(content[: int(len(content) * whole)])
        return file, content

    def refused(path: str, step: str) -> None:
        file, content = halve(path)
        with pytest.raises(ArtifactError, match=f"{file.name} {SAYS}"):
            do(run, first=step, last=step)
        file.write_bytes(content)

    refused("run.json", "plan_gate")
    refused("manifests/plan/000.json", "plan_gate")
    do(run, first="plan_gate", last="approve")
    refused("plan.json", "create_tables")
    do(run, first="create_tables")
    said = report(run.chosen())
    for path in ("proven/report.json", "report.json"):
        halve(path)
    assert report(run.chosen()) == said
    facts = run.files.report
    assert facts is not None
    assert facts.verdict == said

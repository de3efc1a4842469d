"""How a run came out, read from the report in its workspace."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ..trueup.run import Files, run_id
from ..trueup.run.files import COMPARISON, CUTOVER, REPORT, REPORT_HTML
from ..trueup.run.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A run's verdict; `exceptions` are rows that it left alone, as others changed them.
    `report` is where report.html lies: a path, or an s3:// address."""

    passed: bool
    exceptions: int
    headline: str
    next: str
    report: str

    def lines(self) -> list[str]:
        """The verdict for people."""
        word = "FAILED" if not self.passed else "Passed with exceptions" if self.exceptions else "Passed"
        return [
            f"{word}. {self.headline}",
            *([self.next] if self.next and not self.passed else []),
            f"Report: {self.report}",
        ]


def read(workspace: Workspace, dag_id: str, airflow_run_id: str) -> Outcome | None:
    """The outcome of the run that Airflow knows by that id; None if it left no report."""
    files = Files(workspace.run(run_id(dag_id, airflow_run_id)))
    content = files.reported(REPORT)
    if content is None:
        return None
    verdict = json.loads(content)["verdict"]
    return Outcome(
        passed=verdict["status"] == "passed",
        exceptions=verdict.get("exceptions", 0),
        headline=verdict["headline"],
        next=verdict.get("next", ""),
        report=files.location(REPORT_HTML),
    )


def without_report(workspace: Workspace, dag_id: str, airflow_run_id: str) -> list[str]:
    """What a run did that leaves no report, for people: one that turns a switch, or compares. Nothing of others."""
    folder = workspace.run(run_id(dag_id, airflow_run_id))
    if (refusal := Files(folder).refusal) is not None:
        return [f"REFUSED at {refusal.step}. {refusal.reason}"]
    if (turned := folder.read_json(CUTOVER)) is not None:
        return [f"Turned: {turned['from']} → {turned['to']}. {_sentence(turned['undo'])}"]
    if (comparison := folder.read_json(COMPARISON)) is None:
        return []
    differ = comparison["differences"]
    such = f"{len(differ):,} differences, such as of {differ[0].get('key')}" if differ else "no difference"
    return [f"Compared: {comparison['compared']:,}, {such}.", f"All of it: {folder.location(COMPARISON)}"]


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."

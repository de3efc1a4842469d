"""The revisions of a run on schemas, one by one, while they are run."""

from __future__ import annotations

from typing import Any

from include.trueup.run.files import Files
from include.trueup.run.schema_records import PlannedDatabase, PlannedRevision, SchemaPlan

from .invented import Invented, invented
from .test_progress import step

__all__ = ["invented"]


def _revision(name: str, phase: int) -> PlannedRevision:
    beside: dict[str, Any] = dict.fromkeys(("breaking", "locks", "irreversible"))
    return PlannedRevision(
        revision=name, up=True, sql="", title=name, phase=phase, findings=(), seconds=0.1, locked={}, goes={}, **beside
    )


def test_revisions_are_done_one_after_the_other_phase_by_phase(invented: Invented) -> None:
    from trueup_airflow.pages import revisions

    files = Files(invented.workspace.run("schemas"))
    assert revisions.of("schemas", [step("running", name="apply", group=None)]) == ()
    planned = {"auth": [_revision("a3", 3), _revision("a6", 6)], "specs": [_revision("s1", 1), _revision("s5", 5)]}
    databases = {
        id: PlannedDatabase(identity=id, heads=(), steps=tuple(steps), going={}) for id, steps in planned.items()
    }
    about: dict[str, Any] = {
        "sha256": "a" * 64,
        "created_at": "2026-11-20T10:00:00Z",
        "from_phase": 0,
        "target_phase": 6,
    }
    files.write_schema_plan(SchemaPlan(databases=databases, **about))

    def told(state: str) -> list[tuple[str, str]]:
        found = revisions.of("schemas", [step(state, name="apply", group=None)])
        return [(one.revision, one.state) for one in found]

    assert told("queued") == [("s1", "pending"), ("a3", "pending"), ("s5", "pending"), ("a6", "pending")]
    files.begin_revision("specs", 1)
    files.begin_revision("auth", 1)
    files.begin_revision("specs", 2)
    assert told("running") == [("s1", "done"), ("a3", "done"), ("s5", "running"), ("a6", "pending")]
    assert told("failed")[2:] == [("s5", "failed"), ("a6", "left out")]
    files.begin_revision("auth", 2)
    assert {state for _, state in told("success")} == {"done"}
    assert told("skipped") == []

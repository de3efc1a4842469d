"""Facts of runs as `report.json` has them: what a report is made from, for tests and for looking at reports."""

from __future__ import annotations

import hashlib
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from include.trueup.report.text import sentence

Facts = dict[str, Any]
START = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
PLAN = hashlib.sha256(b"plan").hexdigest()

# phase, title, source table, target table, source rows, rejected, target rows
PHASES = (
    (
        "links",
        "Links between goals and KPIs",
        "purposepath-goal-kpi-links",
        "purposepath-kpi-links",
        13_100,
        41,
        13_059,
    ),
    ("milestones", "Milestones, as targets", "purposepath-kpi-milestones", "purposepath-kpi-data", 23_760, 517, 32_190),
    ("actuals", "Actuals", "purposepath-kpi-actuals", "purposepath-kpi-data", 1_042_630, 3_812, 1_458_250),
    ("readings", "Readings, as actuals", "purposepath-kpi-readings", "purposepath-kpi-data", 324_500, 2_750, 440_200),
)
RULES = (
    ("K2", "Every row has an id"),
    ("K2", "No two rows share an id"),
    ("K2", "Every row names its link"),
    ("K8", "Every row has a tenant"),
    ("K8", "Every date is an ISO 8601 date or timestamp"),
    ("K5", "Every post_value is an exact number"),
)
STEPS = (
    ("snapshot", 41.2, 8),
    ("shared", 0.9, 1),
    ("transform", 18.4, 16),
    ("plan", 9.7, 16),
    ("plan_gate", 21.3, 1),
)
UNDO = (
    "The source tables are untouched: point the application back at them. Every row that this run added or changed is "
    "named in plan/<phase>/p<partition>.parquet; delete the added rows, put the changed ones back."
)


def expected(rule: str, description: str, **changes: Any) -> Facts:
    good: Facts = {
        "severity": "critical",
        "passed": True,
        "observed": None,
        "unexpected": 0,
        "examples": [],
        "error": None,
    }
    return {"rule": rule, "description": description, **good, **changes}


def gate(name: str, phase: str | None, rows: int, expectations: list[Facts]) -> Facts:
    critical = sum(not e["passed"] and e["severity"] == "critical" for e in expectations)
    about = {"gate": name, "phase": phase, "rows": rows, "passed": not critical, "critical_failures": critical}
    return {**about, "expectations": expectations, "errors": []}


def finding(severity: str, code: str, phase: int, count: int, keys: list[str], message: str) -> Facts:
    examples = [{"key": key, "message": message.format(key=key)} for key in keys]
    name, _, table, *_ = PHASES[phase]
    return {"severity": severity, "code": code, "phase": name, "table": table, "count": count, "examples": examples}


def passed() -> Facts:
    """A run that wrote two million rows and proved them."""
    plan: list[Facts] = []
    applied: list[Facts] = []
    proof: list[Facts] = []
    at = 0
    rows_by_target: dict[str, int] = {}
    for phase, title, source, target, source_rows, rejected, rows in PHASES:
        kept = source_rows // 50
        skipped = {"outside_window": 1_200} if phase == "readings" else {}
        written = source_rows - rejected - kept - sum(skipped.values())
        verbs = {"add": rows, "change": 12 if phase == "links" else 0, "keep": kept, "extra": 0}
        about: Facts = {"phase": phase, "title": title, "source_table": source, "target_table": target}
        numbers = {"source_rows": source_rows, "written": written, "kept": kept, "rejected": rejected, "unaccounted": 0}
        plan.append({**about, **numbers, "skipped": skipped, "rows": verbs})
        wrote = rows + verbs["change"]
        spent: Facts = {"conflicts": 0, "retries": 7 if phase == "actuals" else 0, "seconds": wrote / 4_100}
        applied.append({"phase": phase, "batches": wrote // 2_000 + 1, "rows": wrote, "written": wrote, **spent})
        rows_by_target[target] = rows_by_target.get(target, 0) + wrote + kept
        counted: Facts = {"compared": rows_by_target[target], "missing": 0, "different": 0, "extra": 0, "unverified": 0}
        proof.append({"phase": phase, "target_table": target, **counted, "reread": 0, "passed": True, "examples": []})
    gates = [gate("rows", p["phase"], p["rows"]["add"], [expected(*rule) for rule in RULES]) for p in plan]
    nulls = [{"_key": f"link-{i:05}", "person_id": "null"} for i in range(7)]
    person = expected("K1", "Every link has a person", severity="warning", passed=False, unexpected=318, examples=nulls)
    gates[0]["expectations"].append(person)
    add_up = [
        expected("counts.unaccounted", "Every source row is accounted for"),
        expected("counts.add_up", "Written, kept, rejected and skipped rows add up to the source rows"),
    ]
    gates += [gate("counts", None, 4, add_up)]
    gates += [gate("budget", None, 1, [expected("budget.share", "At most 5 % of the source rows are rejected")])]
    same = expected("proof.different", "No row of the target differs from the plan")
    gates += [
        gate("proof", p["phase"], 1, [expected("proof.missing", "No row of the plan is missing from the target"), same])
        for p in plan
    ]
    timings = []
    for step, took, tasks in STEPS:
        timings.append(timing(step, None, at, took, tasks))
        at += round(took)
    for p, done in zip(plan, applied, strict=True):
        for step, seconds in (("apply", done["seconds"]), ("read_back", 12.5), ("verify", 4.5), ("gate", 0.3)):
            timings.append(timing(step, p["phase"], at, round(seconds, 2), 1 if step == "gate" else 16))
            at += round(seconds)
    return {
        "format": 1,
        "migration": {"id": "kpi_linking", "title": "KPI linking", "owner": "purposepath"},
        "run": {
            "id": "manual__2026-03-14T09-26-53.589793-00-00",
            "dag_id": "kpi_linking",
            "mode": "apply",
            "triggered_by": "ada@example.org",
            "window": None,
            "options": {
                "partitions": 16,
                "segments": 8,
                "write_rate": None,
                "max_rejects": None,
                "max_reject_share": 0.05,
            },
            "started_at": START.isoformat(),
            "ended_at": (START + timedelta(seconds=at)).isoformat(),
            "status": "proven",
            "failed": None,
        },
        "verdict": {
            "status": "passed",
            "headline": "Proven: 1,943,711 rows written, every one of them read back and found as planned; "
            "7,120 source rows are in quarantine.",
            "next": "Look through the findings; a run with mode verify proves it again at any time.",
        },
        "plan": {"sha256": PLAN, "created_at": (START + timedelta(seconds=90)).isoformat(), "phases": plan},
        "applied": applied,
        "gates": gates,
        "proof": proof,
        "findings": findings(),
        "approval": {
            "decision": "approved",
            "by": "grace",
            "at": (START + timedelta(seconds=95)).isoformat(),
            "comment": "Checked the rejects with the owners of the data.",
            "plan_sha256": PLAN,
        },
        "timings": timings,
        "artifacts": [
            artifact(f"{kind}/{p['phase']}/p{i:03}.parquet", 9_000 + i)
            for kind in ("plan", "proof")
            for p in plan
            for i in range(16)
        ],
        "undo": {"how": UNDO},
    }


def timing(step: str, phase: str | None, at: float, seconds: float | None, tasks: int) -> Facts:
    began = (START + timedelta(seconds=at)).isoformat(timespec="seconds")
    return {"step": step, "phase": phase, "started_at": began, "seconds": seconds, "tasks": tasks}


def artifact(path: str, rows: int) -> Facts:
    return {"path": path, "rows": rows, "bytes": rows * 131, "sha256": hashlib.sha256(path.encode()).hexdigest()}


def findings() -> list[Facts]:
    unlinked = "Row {key} belongs to a KPI that has no link; it is quarantined. Link the KPI and plan again."
    bad_date = "Row {key} has no date that is an ISO 8601 date; it is quarantined. Correct it and plan again."
    unknown = "Attribute {key} is not in the contract; it is carried along. Should the new table name it?"
    missing_key = "Row {key} has no kpi_id; it is quarantined. Correct it and plan again."
    bad_type = "Row {key} holds a value of another type than declared: value (S); it is quarantined. Correct it."
    return [
        finding("reject", "missing_key", 0, 41, ["link-00311", "link-01207", "link-09944"], missing_key),
        finding("reject", "bad_date", 1, 117, ["milestone-00017", "milestone-00412"], bad_date),
        finding("reject", "unlinked", 1, 400, [f"milestone-{i:05}" for i in (3, 9, 27, 81, 243)], unlinked),
        finding("reject", "unlinked", 2, 3_812, ["0b72a386-05b0-4e6a-aa13-c7b793f5a40d"], unlinked),
        finding("reject", "bad_type", 3, 2_750, [f"reading-{i:06}" for i in (11, 512, 1_733, 40_025)], bad_type),
        finding("warning", "unknown_attribute", 0, 3, ["colour", "legacy_rank", "x_synced"], unknown),
    ]


def failed(facts: Facts, step: str, error: str, next_: str, kept: str) -> Facts:
    """The same facts, of a run that failed at a step."""
    facts["run"] |= {"status": "failed", "failed": {"step": step, "error": error, "next": next_}}
    facts["verdict"] = {"status": "failed", "headline": f"{sentence(error)} {kept}", "next": next_}
    return facts


def failed_at_gate() -> Facts:
    """The plan breaks a critical expectation, so nothing was written."""
    facts = passed() | {
        "applied": [],
        "proof": [],
        "approval": None,
        "undo": {"how": "Nothing was written, so there is nothing to undo."},
    }
    facts["gates"] = facts["gates"][:6]
    twins = [{"_key": f"0b72a386-05b0-4e6a-aa13-{i:012x}", "tenant_id": "acorn-000"} for i in range(20)]
    broken = expected("K2", "No two rows share an id", passed=False, unexpected=2_204, examples=twins)
    unjudged = expected(
        "K8", "Every row has a tenant", passed=False, unexpected=None, error="The column “tenant” does not exist."
    )
    facts["gates"][2] = gate("rows", "actuals", 1_458_250, [expected(*RULES[0]), broken, unjudged])
    facts["gates"][2]["errors"] = ["K8: The column “tenant” does not exist."]
    facts["timings"] = facts["timings"][:5]
    error = "the plan gate did not pass. rows of actuals: K2 (No two rows share an id): 2,204 rows"
    return failed(
        facts,
        "plan_gate",
        error,
        "Mend the source rows or the transform; then trigger the DAG again.",
        "Nothing was written.",
    )


def failed_at_apply() -> Facts:
    """The store gave up half-way; rows were changed by somebody else meanwhile."""
    facts = passed()
    facts["proof"] = facts["proof"][:1]
    facts["gates"] = facts["gates"][:7]
    facts["applied"] = [
        facts["applied"][0],
        facts["applied"][1] | {"written": 20_114, "rows": 20_150, "conflicts": 36, "retries": 412},
    ]
    milestones = facts["plan"]["phases"][1]
    milestones["skipped"] = {"conflict": 36}
    milestones["written"] -= 36
    facts["findings"].append(
        finding(
            "warning",
            "conflict",
            1,
            36,
            ["milestone-00099"],
            "Row {key} is not what the plan was made from; it was left alone.",
        )
    )
    facts["timings"] = [*facts["timings"][:9], timing("apply", "milestones", 113, None, 16)]
    error = "purposepath-kpi-data did not take a batch of 25 rows in 10 tries (ThrottlingException)"
    return failed(
        facts,
        "apply/milestones (part 7)",
        error,
        "When the store answers again, clear the failed task: it goes on with what is left.",
        "33,185 rows were written before and are kept.",
    )


def failed_proof() -> Facts:
    """The target is not what the plan says."""
    facts = passed()
    planned = '{"id":"a-17","post_value":"7.1000000000000000000000000000000000001","is_manual_override":false}'
    found = '{"id":"a-17","post_value":"7.1000000000000000000000000000000000002","is_manual_override":true}'
    facts["proof"][2] |= {
        "missing": 1,
        "different": 1,
        "extra": 1,
        "unverified": 1,
        "reread": 4,
        "passed": False,
        "examples": [
            {"kind": "different", "key": "a-17", "planned": planned, "found": found},
            {"kind": "extra", "key": "stranger", "planned": None, "found": '{"id":"stranger"}'},
            {"kind": "missing", "key": "a-18", "planned": planned.replace("17", "18"), "found": None},
            {"kind": "unverified", "key": "a-19", "planned": planned.replace("17", "19"), "found": None},
        ],
    }
    facts["proof"] = facts["proof"][:3]
    broken = expected("proof.missing", "No row of the plan is missing from the target", passed=False, unexpected=1)
    facts["gates"] = [*facts["gates"][:8], gate("proof", "actuals", 1, [broken])]
    error = "the phase-actuals gate did not pass, so nothing after it runs"
    return failed(
        facts,
        "gate/actuals",
        error,
        "Read the proof below; mend what it names, then trigger the DAG again.",
        "1,503,511 rows were written before and are kept.",
    )


def failed_at_once() -> Facts:
    """Preflight failed: almost every part is missing."""
    facts = passed() | {
        "plan": None,
        "approval": None,
        "undo": {"how": "Nothing was written, so there is nothing to undo."},
    }
    facts |= {name: [] for name in ("applied", "gates", "proof", "findings", "timings", "artifacts")}
    return failed(
        facts, "preflight", "table purposepath-kpis does not exist", "Check the connection.", "Nothing was written."
    )


def planned() -> Facts:
    """A plan of a window of time, nothing written."""
    facts = passed() | {"applied": [], "proof": [], "approval": None}
    facts["gates"] = facts["gates"][:6]
    facts["timings"] = facts["timings"][:5]
    window = {"start": "2026-01-01T00:00:00+00:00", "end": "2026-02-01T00:00:00+00:00"}
    facts["run"] |= {"mode": "plan", "status": "planned", "window": window}
    headline = "Planned, nothing written: 1,943,699 rows to add, 12 to change, 28,079 as they are."
    facts["verdict"] = {
        "status": "passed",
        "headline": headline,
        "next": "Read the plan. To carry it out, trigger the DAG with mode apply.",
    }
    return facts


def nothing_to_do() -> Facts:
    """A second run, which finds every row in its place."""
    facts = passed() | {"applied": [], "findings": [], "approval": None}
    for phase in facts["plan"]["phases"]:
        phase |= {"kept": phase["written"] + phase["kept"], "written": 0}
        phase["rows"] |= {"add": 0, "change": 0, "keep": phase["rows"]["add"] + phase["rows"]["keep"]}
    facts["verdict"]["headline"] = "Nothing to add: all 1,971,790 rows were there already, and every one is proven."
    return facts


HOSTILE = (
    "<script>alert('row')</script>",
    "\"'><img src=x onerror=alert(1)>",
    "\u202egnp.exe\u2066 \u05e9\u05dc\u05d5\u05dd",
    "`who`` ami | ## @everyone\n\n- [x](https://evil.example) <!-- **",
    "{{ 7 * 7 }}{% raw %}",
    "a\x00b\x1b[31m\ud800",
    "x" * 1_000_000,
)


def hostile() -> Facts:
    """A failed run in which every text that comes from rows, or from people, is out to do harm."""
    facts = deepcopy(failed_proof())
    text = " ".join(HOSTILE[:6])
    facts["migration"] |= {"title": text, "owner": text}
    facts["run"] |= {"id": text, "triggered_by": text, "options": {text: text}}
    facts["run"]["failed"] = {"step": text, "error": HOSTILE[6] + text, "next": text}
    facts["verdict"] = {"status": "failed", "headline": text, "next": text}
    facts["approval"] |= {"by": text, "comment": text, "decision": text, "at": text, "plan_sha256": text}
    facts["undo"] = {"how": text}
    facts["plan"]["phases"][0] |= {"title": text, "phase": text, "source_table": text, "skipped": {text: 1}}
    facts["proof"][2]["examples"] = [{"kind": "different", "key": h, "planned": h, "found": h} for h in HOSTILE]
    facts["proof"][2]["examples"] += [{"kind": "extra", "key": text, "planned": None, "found": '{"<b>": "<i>"}'}]
    facts["gates"][0]["expectations"] = [
        expected(h, h, passed=False, unexpected=1, observed=h, error=h, examples=[{h: h}, {"_key": h}]) for h in HOSTILE
    ]
    facts["gates"][0] |= {"passed": False, "errors": list(HOSTILE), "gate": text, "phase": text}
    facts["findings"] = [finding("reject", h, 0, 1, [h], "{key}") for h in HOSTILE]
    facts["timings"] = [timing(text, text, 0, 1.0, 1) | {"started_at": text}]
    facts["artifacts"] = [artifact("plan", 1) | {"path": text, "sha256": text}]
    return facts


ALL = (passed, failed_at_gate, failed_at_apply, failed_proof, failed_at_once, planned, nothing_to_do, hostile)

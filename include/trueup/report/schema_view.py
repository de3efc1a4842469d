"""What the report shows of changes to schemas, from the part `schema` of its facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def schema_view(schema: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Every name that a template uses, present; None where the run was about rows."""
    if schema is None:
        return None
    return {
        "target_phase": schema.get("target_phase"),
        "from_phase": schema.get("from_phase"),
        "where": schema.get("where"),
        "steps": [_step(step) for step in schema.get("steps") or []],
        "rehearsals": [_rehearsal(one) for one in schema.get("rehearsals") or []],
        "going": list(schema.get("going") or []),
        "backups": [
            {
                "database": b.get("database"),
                "tables": len(b.get("rows") or {}),
                "rows": sum((b.get("rows") or {}).values()),
            }
            for b in schema.get("backups") or []
        ],
    }


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    names = ("database", "phase", "revision", "title", "way", "breaking", "locks", "irreversible")
    found = [
        {n: f.get(n) for n in ("rule", "level", "line", "message", "excuse", "refused")}
        for f in step.get("findings") or []
    ]
    return {**{n: step.get(n) for n in names}, "findings": found, "refused": any(f["refused"] for f in found)}


def _rehearsal(one: Mapping[str, Any]) -> dict[str, Any]:
    common = {n: one.get(n) for n in ("database", "cloned_by", "steps", "sample_rows")}
    return {**common, "problems": list(one.get("problems") or []), "notes": list(one.get("notes") or [])}

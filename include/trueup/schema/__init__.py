"""Schema changes as plan, apply and prove: phases of Alembic revisions, over several databases in step.

lint → rehearse on a clone → approve (going down) → back up → apply, phase by phase → gate → report.
"""

from __future__ import annotations

from .model import AlembicHistory, SchemaMigration, SchemaPhase

__all__ = ["AlembicHistory", "SchemaMigration", "SchemaPhase"]

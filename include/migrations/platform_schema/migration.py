"""Platform schema: two databases, two Alembic histories, phases 0 to 6, always in step. See README.md."""

from __future__ import annotations

from pathlib import Path

from include.trueup.schema import AlembicHistory, SchemaMigration

from .suites import phase

HERE = Path(__file__).parent

migration = SchemaMigration(
    id="platform_schema",
    title="Platform schema",
    owner="socrates",
    doc=(HERE / "README.md").read_text(encoding="utf-8"),
    histories=(
        AlembicHistory(id="auth", connection="socrates_auth_postgres", script_location=HERE / "auth"),
        AlembicHistory(id="specs", connection="socrates_specs_postgres", script_location=HERE / "specs"),
    ),
    phases=(
        phase(0, "Baseline"),
        phase(1, "User rules"),
        phase(2, "Test results"),
        phase(3, "Several language models"),
        phase(4, "Code generation"),
        phase(5, "User learning"),
        phase(6, "Teams"),
    ),
)

"""Alembic's environment: `alembic -c include/migrations/platform_schema/specs.ini`."""

from include.trueup.schema.environment import run

run("SOCRATES_SPECS_URL")

"""Alembic's environment: `alembic -c include/migrations/platform_schema/auth.ini`."""

from include.trueup.schema.environment import run

run("SOCRATES_AUTH_URL")

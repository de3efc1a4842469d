"""Airflow's scheduler, with the libraries that tasks need imported beforehand: `python -m trueup_airflow.process.scheduler …`.

LocalExecutor forks its workers from the scheduler, and a worker forks each task, so that what is imported here is there
when a task starts. Only libraries: the project's own code is imported by each task, as it is at that time.
"""

from __future__ import annotations

import importlib
import logging
import sys

LIBRARIES = (
    "adbc_driver_postgresql.dbapi",
    "airflow.providers.amazon.aws.hooks.base_aws",
    "airflow.providers.postgres.hooks.postgres",
    "alembic.command",
    "boto3",
    "duckdb",
    "great_expectations.expectations",
    "jinja2",
    "orjson",
    "pandas",
    "psutil",
    "psycopg",
    "pyarrow.dataset",
    "pyarrow.fs",
    "pyarrow.parquet",
    "sqlalchemy.dialects.postgresql",
)
"""None of them may start a thread that a fork would leave behind: a test looks."""


def import_libraries() -> None:
    """Import them all."""
    logging.getLogger("great_expectations").setLevel(
        logging.WARNING
    )  # it names 200 functions that it does not register
    for library in LIBRARIES:
        importlib.import_module(library)


def main(arguments: list[str]) -> None:
    """Run the scheduler with those arguments."""
    if sys.platform == "linux":  # elsewhere workers are new interpreters, which inherit nothing
        import_libraries()
    from airflow.__main__ import main as airflow

    sys.argv = ["airflow", "scheduler", *arguments]
    airflow()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main(sys.argv[1:])

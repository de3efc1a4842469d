"""A DAG that is no migration, for tests of what starts and runs DAGs."""

from __future__ import annotations

import time

from airflow.sdk import Param, dag, task

LIBRARIES = ("duckdb", "great_expectations.expectations", "pandas", "pyarrow")


@dag(schedule=None, params={"seconds": Param(0, type="number", minimum=0), "fail": Param(False, type="boolean")})
def stub() -> None:
    @task
    def loaded() -> dict[str, int]:
        """How many of the libraries that tasks need were there before this task began."""
        import sys

        return {"libraries": sum(library in sys.modules for library in LIBRARIES)}

    @task
    def parts() -> list[int]:
        return [10, 20]

    @task
    def work(rows: int, params: dict[str, float]) -> dict[str, int]:
        time.sleep(params["seconds"])
        if params["fail"]:
            raise ValueError("as asked")
        return {"rows": rows}

    numbers = parts()
    loaded() >> numbers
    work.expand(rows=numbers)


stub()

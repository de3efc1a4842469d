"""What the scheduler imports for its tasks survives being forked."""

from __future__ import annotations

import subprocess
import sys

import pytest

from include.embedded import settings
from include.embedded.home import PROJECT, Home

# Work as tasks do it, in a fork of a process that has the libraries and nothing else; and the names of its threads.
PROGRAM = """
import os
from pathlib import Path
from trueup_airflow.process.scheduler import import_libraries

import_libraries()
print(sorted({(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()} - {"python"}))
print(len(list(Path("/proc/self/task").iterdir())))
child = os.fork()
if child:
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

import duckdb, great_expectations, pandas, pyarrow.compute
assert duckdb.sql("SELECT count(DISTINCT i % 1000) FROM range(3_000_000) t(i)").fetchall() == [(1000,)]
table = pyarrow.table({"a": list(range(100_000))})
assert len(table.group_by("a").aggregate([("a", "sum")])) == 100_000
context = great_expectations.get_context(mode="ephemeral")
batch = context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")
expectation = great_expectations.expectations.ExpectColumnValuesToNotBeNull(column="a")
assert batch.get_batch({"dataframe": pandas.DataFrame({"a": [1, 2]})}).validate(expectation).success
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers are new interpreters, and nothing is imported")
def test_a_fork_of_the_scheduler_can_do_what_tasks_do(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = Home(tmp_path_factory.mktemp("home"))
    environment = settings.environment(home, {"PATH": "/usr/bin:/bin"}, metadata_url=f"sqlite:///{home.root}/a.db")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    background, threads = done.stdout.splitlines()[:2]
    # Arrow's allocator starts its own again in a fork. Any other would be lost there, with whatever lock it holds.
    assert (background, threads) == ("['jemalloc_bg_thd']", "2"), done.stdout

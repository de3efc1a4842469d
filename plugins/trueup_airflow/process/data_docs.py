"""Data Docs of a run, built on request: `make data-docs` starts it, by include/embedded.

`python -m trueup_airflow.process.data_docs <run id>`, where the environment leads to the workspace."""

from __future__ import annotations

import sys

from include.project import load_expectations
from include.trueup.errors import OptionsError, TrueupError
from include.trueup.report import data_docs
from include.trueup.run import Files

from .. import connections


def main(run_id: str) -> int:
    """Build them; the exit status: 0, or 1 where there is nothing to build them of."""
    try:
        load_expectations()
        print(f"Data Docs: {data_docs.build(Files(connections.workspace().run(run_id)))}")
    except TrueupError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, OptionsError) else 1
    print("The run's page in Airflow opens them, too (Data Docs).")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

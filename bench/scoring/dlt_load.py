"""(d): dlt loads the legacy tables into a schema of their own; the statement follows. Run by a Python that has dlt."""

from __future__ import annotations

import resource
import sys


def load(uri: str) -> None:
    """Load the five tables into the schema `loaded`."""
    import dlt  # type: ignore[import-not-found]
    from dlt.sources.sql_database import sql_database  # type: ignore[import-not-found]

    names = [
        "assessment_sessions",
        "profiles",
        "scoring_results_types",
        "scoring_results_functions",
        "scoring_results_state",
    ]
    pipeline = dlt.pipeline("scoring", destination=dlt.destinations.postgres(uri), dataset_name="loaded")
    source = sql_database(uri.replace("postgresql://", "postgresql+psycopg2://"), table_names=names, backend="pyarrow")
    pipeline.run(source, loader_file_format="csv")


if __name__ == "__main__":
    load(sys.argv[1])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)

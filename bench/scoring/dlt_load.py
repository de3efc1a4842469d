"""(d): dlt loads the legacy tables into a schema of their own; the statement follows. Run by a Python that has dlt."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from urllib.parse import parse_qsl, urlsplit


def load(uri: str) -> None:
    """Load the five tables into the schema `loaded`."""
    os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"  # it warns of each batch that it has JSON
    import dlt  # type: ignore[import-not-found]
    from dlt.sources.sql_database import sql_database  # type: ignore[import-not-found]

    names = [
        "assessment_sessions",
        "profiles",
        "scoring_results_types",
        "scoring_results_functions",
        "scoring_results_state",
    ]
    parts = urlsplit(uri)
    given = dict(parse_qsl(parts.query))
    # libpq takes the host of the query, where a socket's folder may stand, before the other
    credentials = {
        "database": parts.path[1:],
        "username": parts.username,
        "password": "none",
        "host": "localhost",
        "query": {"host": given["host"]},
    }
    # a folder of its own: what dlt remembers of a pipeline would be of another database
    folder = tempfile.mkdtemp()
    destination = dlt.destinations.postgres(credentials={**credentials, "port": int(given["port"])})
    pipeline = dlt.pipeline("scoring", pipelines_dir=folder, destination=destination, dataset_name="loaded")
    engine = uri.replace("postgresql://", "postgresql+psycopg2://")
    source = sql_database(engine, schema="public", table_names=names, backend="pyarrow")
    pipeline.run(source, loader_file_format="csv")


if __name__ == "__main__":
    load(sys.argv[1])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)

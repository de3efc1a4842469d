"""SQLAlchemy's mappers of Airflow's models, configured before a second thread asks for them.

The first query of a process configures them: under SQLAlchemy's own lock it imports every model, while a thread that
imports a model holds that module's lock and waits for SQLAlchemy's. Python notices circles of import locks only, so two
such threads wait for each other for ever. Whoever starts a thread that queries Airflow's database calls this first.
"""

from __future__ import annotations


def configure() -> None:
    """Import all of Airflow's models and configure their mappers: nothing is left for a query to configure."""
    from airflow.models import import_all_models
    from sqlalchemy.orm import configure_mappers

    import_all_models()  # type: ignore[no-untyped-call]
    configure_mappers()

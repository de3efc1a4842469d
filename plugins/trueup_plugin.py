"""What Trueup adds to Airflow: the windows that backfills are cut into, the pages, and the versioned API."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from trueup_airflow.windows import OnDemandWindows


class TrueupPlugin(AirflowPlugin):
    """Loaded by every program of Airflow."""

    name = "trueup"
    timetables: list[Any] = [OnDemandWindows]  # noqa: RUF012 - as Airflow's class declares it
    external_views: list[dict[str, Any]] = [  # noqa: RUF012
        {
            "name": "Migrations",
            "href": "/trueup/pages/",
            "destination": "nav",
            "nav_top_level": True,
            "icon": "/trueup/pages/static/icon.svg",
            "url_route": "migrations",
        },
        {
            "name": "Migration",
            "href": "/trueup/pages/run?dag_id={DAG_ID}&run_id={RUN_ID}",
            "destination": "dag_run",
            "url_route": "migration",
        },
        {
            "name": "Migration history",
            "href": "/trueup/pages/history?dag_id={DAG_ID}",
            "destination": "dag",
            "url_route": "migration-history",
        },
        {
            "name": "Cutover",
            "href": "/trueup/pages/cutover?dag_id={DAG_ID}",
            "destination": "dag",
            "url_route": "migration-cutover",
        },
        {
            "name": "Rollback",
            "href": "/trueup/pages/rollback?dag_id={DAG_ID}",
            "destination": "dag",
            "url_route": "migration-rollback",
        },
        {
            "name": "Backfilled days",
            "href": "/trueup/pages/backfills?dag_id={DAG_ID}",
            "destination": "dag",
            "url_route": "migration-backfills",
        },
        {
            "name": "Trueup API",
            "href": "/trueup/api/docs",
            "destination": "nav",
            "category": "docs",
            "url_route": "trueup-api",
        },
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """What the API server mounts. The first whose prefix fits answers, so a longer prefix stands before a shorter one.
        Made when it is asked for: every task loads the plugin, and none needs a web framework."""
        from trueup_airflow.api.app import app as api
        from trueup_airflow.api.metrics import app as metrics
        from trueup_airflow.pages.app import app as pages
        from trueup_airflow.process import mappers

        mappers.configure()  # before requests are answered by several threads

        return [
            {"app": api, "url_prefix": "/trueup/api", "name": "Trueup API"},
            {"app": pages, "url_prefix": "/trueup/pages", "name": "Trueup pages"},
            {"app": metrics, "url_prefix": "/trueup", "name": "Trueup metrics"},
        ]

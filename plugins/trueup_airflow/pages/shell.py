"""The HTML of the views: a shell each without any data, which a module of ours fills."""

from __future__ import annotations

from hashlib import sha256
from html import escape
from typing import Literal
from urllib.parse import quote

from starlette.responses import HTMLResponse

from .bundles import STATIC

View = Literal[
    "migrations",
    "run",
    "history",
    "turn",
    "cutover",
    "rollback",
    "backfills",
    "start",
    "lens",
    "schemas",
    "expectation",
]
TITLES: dict[View, str] = {
    "migrations": "Migrations",
    "run": "Migration run",
    "history": "Migration history",
    "turn": "Cutover run",
    "cutover": "Cutover",
    "rollback": "Rollback",
    "backfills": "Backfills",
    "start": "Start a run",
    "lens": "A row",
    "schemas": "Where the databases are",
    "expectation": "An expectation",
}


def _version() -> str:
    digest = sha256()
    for file in sorted(STATIC.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


VERSION = _version()
VERSIONED = f"static/{VERSION}"
"""Where a page fetches its scripts and styles: they are never others there, so a browser keeps them and asks once."""
WHOLE = "whole"
"""The folder, below that, of what `bundles` makes of them."""


FIRST: dict[View, str] = {
    "migrations": "migrations",
    "run": "dags/{dag}/runs/{run}",
    "history": "dags/{dag}/history",
    "turn": "dags/{dag}/runs/{run}/turn",
    "cutover": "dags/{dag}/switch",
    "rollback": "dags/{dag}/undoing",
    "backfills": "dags/{dag}/backfills",
    "start": "dags/{dag}/start",
    "schemas": "dags/{dag}/schemas",
}
"""The first data that a view asks for, below `data/`: the browser fetches them while it still fetches the script that will ask.
Views that only know from their address's fragment what is asked for are not here."""


def _preload(view: View, dag_id: str, run_id: str) -> str:
    if view not in FIRST:
        return ""
    # what encodeURIComponent leaves as it is, or the script's address would be another one
    dag, run = (quote(id, safe="!~*'()") for id in (dag_id, run_id))
    address = escape(f"data/{FIRST[view].format(dag=dag, run=run)}")
    return f'<link rel="preload" as="fetch" crossorigin="anonymous" href="{address}">\n'


def shell(view: View, dag_id: str = "", run_id: str = "", title: str = "") -> HTMLResponse:
    """The page of a view. `dag_id`, `run_id` and `title`, what the migration is called, go into attributes, which the module
    reads."""
    return HTMLResponse(
        f"""<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{TITLES[view]} – Trueup</title>
<link rel="icon" href="{VERSIONED}/icon.svg">
<script src="{VERSIONED}/theme.js"></script>
<link rel="stylesheet" href="{VERSIONED}/{WHOLE}/styles.css">
{_preload(view, dag_id, run_id)}<script type="module" src="{VERSIONED}/{WHOLE}/{view}.js"></script>
</head>
<body data-dag="{escape(dag_id)}" data-run="{escape(run_id)}" data-title="{escape(title)}">
<main id="view" data-testid="view-{view}" aria-busy="true"><p class="soft" role="status">Loading …</p></main>
<noscript><p class="soft">This page needs JavaScript; the same facts are in each run’s report.md and under /trueup/api.</p></noscript>
</body>
</html>
"""
    )

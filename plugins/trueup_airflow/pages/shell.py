"""The HTML of the views: a shell each without any data, which a module of ours fills."""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Literal

from starlette.responses import HTMLResponse

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
STATIC = Path(__file__).parent / "static"


def _version() -> str:
    found = sha256()
    for file in sorted(STATIC.iterdir()):
        found.update(file.name.encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:16]


VERSION = _version()
VERSIONED = f"static/{VERSION}"
"""Where a page fetches its scripts and styles: they are never others there, so a browser keeps them and asks once."""


@cache
def modules(view: str) -> tuple[str, ...]:
    """What a view's module is made of: named in the shell, so that all of it is fetched at once."""
    found, asked = {f"{view}.js"}, [f"{view}.js"]
    while asked:
        named = set(re.findall(r'from "\./([a-z_]+\.js)"', (STATIC / asked.pop()).read_text(encoding="utf-8")))
        asked += sorted(named - found)
        found |= named
    return tuple(sorted(found - {f"{view}.js"}))


def shell(view: View, dag_id: str = "", run_id: str = "") -> HTMLResponse:
    """The page of a view. `dag_id` and `run_id` go into attributes, which the module reads."""
    return HTMLResponse(
        f"""<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{TITLES[view]} – Trueup</title>
<link rel="icon" href="{VERSIONED}/icon.svg">
<script src="{VERSIONED}/theme.js"></script>
<link rel="stylesheet" href="{VERSIONED}/pages.css">
<link rel="stylesheet" href="{VERSIONED}/parts.css">
<link rel="stylesheet" href="{VERSIONED}/rows.css">
{"".join(f'<link rel="modulepreload" href="{VERSIONED}/{name}">' for name in modules(view))}
<script type="module" src="{VERSIONED}/{view}.js"></script>
</head>
<body data-dag="{escape(dag_id)}" data-run="{escape(run_id)}">
<main id="view" data-testid="view-{view}" aria-busy="true"><p class="soft" role="status">Loading …</p></main>
<noscript><p class="soft">This page needs JavaScript; the same facts are in each run’s report.md and under /trueup/api.</p></noscript>
</body>
</html>
"""
    )

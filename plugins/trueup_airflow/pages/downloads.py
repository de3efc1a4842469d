"""Files of a run, as they lie in the workspace: the report to open or keep, findings and rejected rows."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from contextlib import ExitStack
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from fastapi import APIRouter, HTTPException, Query
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from include.trueup.rows import duck
from include.trueup.run.files import FINDINGS_CSV, REJECTS_JSONL, REPORT, REPORT_HTML, REPORT_MD

from .. import connections
from . import evidence, state
from .files import local
from .findings import COLUMNS, LONGEST, opened
from .known import entered
from .one_run import Asked, undone_by

router = APIRouter(prefix="/data/dags/{dag_id}/runs/{run_id}/files")
REPORT_CSP = (
    "default-src 'none'; style-src {style}; img-src data:; frame-ancestors 'self'; base-uri 'none'; form-action 'none'; "
    "sandbox allow-popups allow-modals"
)
FORMULA = r"^[=+\-@\t\r\n\x{FF0B}\x{FF0D}\x{FF1D}\x{FF20}]"
"""How a cell begins that a spreadsheet may take for a formula, in wide letters too."""
TYPES = {".json": "application/json", ".md": "text/markdown", ".csv": "text/csv", ".jsonl": "application/jsonl"}


@router.get("/report.html")
def report_html(asked: Asked, download: bool = Query(False)) -> Response:
    """The report as a page: no script at all runs in it, and of styles only its own. One of a run that was undone since, or that
    the ledger does not have as passed, says so when it is opened; the file itself stays as it was, and is what is downloaded."""
    with TemporaryDirectory(prefix="trueup-page-") as scratch:
        page = local(asked.id, REPORT_HTML, Path(scratch)).read_bytes()
    if not download and (banner := _above(asked.id)) is not None:
        page = re.sub(rb"<body[^>]*>", lambda tag: tag[0] + banner, page, count=1)
    headers = {"Content-Security-Policy": REPORT_CSP.format(style=style_of(page))}
    if download:
        headers["Content-Disposition"] = f'attachment; filename="{asked.id}-{REPORT_HTML}"'
    return Response(page, media_type="text/html; charset=utf-8", headers=headers)


def style_of(page: bytes) -> str:
    """The one style that the page has, as a source of a policy."""
    styles = re.search(rb"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(styles[1] if styles else b"").digest()).decode()
    return f"'sha256-{digest}'"


def _above(id: str) -> bytes | None:
    """What is said above a report that does not hold (any more); None of any other."""
    book = connections.book()
    row = book.run(id) if book else None
    undone = undone_by(book, entered(row)) if book and row else None
    if undone is None:
        report = evidence.report(id)
        why = state.disowned(row, report.verdict) if report else None
        return (
            None
            if why is None
            else _banner("disowned", "Not proven.", f"{why[:1].upper()}{why[1:]}: do not rely on it.")
        )
    by = f" by run {undone.run_id or undone.id}" if undone.run_id or undone.id else ""
    at = f" on {undone.at:%Y-%m-%d %H:%M} UTC" if undone.at else ""
    text = f"What this run wrote was rolled back{by}{at}. The report below is of the time before."
    return _banner("undone", "Undone.", text)


def _banner(what: str, title: str, text: str) -> bytes:
    banner = f"<strong>{title}</strong> {escape(text)}"
    return f'<div role="alert" data-testid="{what}" class="undone"><p>{banner}</p><hr></div>'.encode()


@router.get("/report.json")
def report_json(asked: Asked) -> Response:
    """The report as JSON."""
    return _file(asked.id, REPORT)


@router.get("/report.md")
def report_markdown(asked: Asked) -> Response:
    """The report as Markdown."""
    return _file(asked.id, REPORT_MD)


@router.get("/rejects.jsonl")
def rejects_jsonl(asked: Asked) -> Response:
    """The rejected rows, exactly: one JSON object a line."""
    return _file(asked.id, REJECTS_JSONL)


@router.get("/rejects.csv")
def rejects_csv(asked: Asked) -> Response:
    """The rejected rows as a table, for a spreadsheet."""
    columns = (
        "{phase: 'VARCHAR', \"table\": 'VARCHAR', key: 'VARCHAR', code: 'VARCHAR', message: 'VARCHAR', \"row\": 'JSON'}"
    )
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="trueup-page-")))
        path = duck.path(local(asked.id, REJECTS_JSONL, scratch))
        source = (
            f"read_json({path}, format = 'newline_delimited', columns = {columns}, hive_partitioning = false, "
            f"maximum_object_size = {LONGEST})"
        )
        with duck.connect(scratch) as connection:
            made = _copied(connection, source, ("phase", "table", "key", "code", "message", "row"), scratch)
        return _sent(made, f"{asked.id}-{Path(REJECTS_JSONL).stem}.csv", stack.pop_all())


@router.get("/findings.csv")
def findings_csv(asked: Asked) -> Response:
    """All findings as a table, for a spreadsheet: those of the plan, and the rows that were left alone since."""
    with opened(asked.id) as connection, ExitStack() as stack:
        if connection is None:
            raise HTTPException(404, f"run {asked.id} has no findings: it has no plan that was judged")
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="trueup-page-")))
        # a conflict's number is below zero
        in_order = "findings ORDER BY number < 0, abs(number)"
        made = _copied(connection, in_order, COLUMNS, scratch)
        return _sent(made, f"{asked.id}-{Path(FINDINGS_CSV).stem}.csv", stack.pop_all())


def _file(id: str, name: str) -> Response:
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="trueup-page-")))
        path = local(id, name, scratch)
        return _sent(path, f"{id}-{name}", stack.pop_all())


def _copied(connection: duckdb.DuckDBPyConnection, source: str, columns: Sequence[str], scratch: Path) -> Path:
    """A CSV file that a spreadsheet takes for text: a cell that would be a formula there begins with `'`."""
    made = scratch / "made.csv"
    shown = ", ".join(f"{_harmless(c)} AS {duck.identifier(c)}" for c in columns)
    connection.execute(f"COPY (SELECT {shown} FROM {source}) TO {duck.literal(str(made))} (FORMAT csv, HEADER)")
    return made


def _harmless(column: str) -> str:
    text = f"CAST({duck.identifier(column)} AS VARCHAR)"
    formula = f"regexp_matches({text}, '{FORMULA}') AND TRY_CAST({text} AS DECIMAL(38, 10)) IS NULL"
    return f"CASE WHEN {formula} THEN '''' || {text} ELSE {text} END"


def _sent(path: Path, name: str, stack: ExitStack) -> Response:
    """The file, to be saved; what `stack` holds is given up when it is sent."""
    media = f"{TYPES[Path(name).suffix]}; charset=utf-8"
    return FileResponse(path, media_type=media, filename=name, background=BackgroundTask(stack.close))

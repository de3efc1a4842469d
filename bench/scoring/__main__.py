"""`python -m bench.scoring`: five ways from five exploded tables to one JSONB table, in one go, on one PostgreSQL."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from bench.measure import cpu_of, machine
from include.embedded import postgres
from include.embedded.home import Home

from . import contestant

HERE = Path(__file__).parent
RESULTS = HERE.parent / "RESULTS-scoring.md"
SAMPLE_SQL = HERE.parent.parent / "include" / "migrations" / "scoring_results"
DLT = "dlt[postgres,sql_database]==1.30.0"
NAMES = {
    "a": "(a) one `INSERT … SELECT`, PostgreSQL's default work_mem; no backup, no check",
    "b": "(b) the same, work_mem 256 MB",
    "c": f"(c) the original's loop, session by session (the first {contestant.LOOP_SESSIONS:,} sessions)",
    "d": "(d) dlt loads the tables into a schema of their own, then (b)",
    "e1": "(e) Trueup: snapshot, plan, gates, apply, every row proven; one worker",
    "e2": "(e) the same, two workers",
}


@dataclass(kw_only=True)
class Measured:
    """One contestant: seconds of wall time and of CPU, its own and PostgreSQL's; bytes; what the target then held."""

    name: str
    rows: int
    wall: float
    client_cpu: float
    store_cpu: float
    peak_bytes: int
    found: tuple[Any, ...]
    steps: list[tuple[str, float]] = field(default_factory=list)
    partitions: int | None = None


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the exit status: 1 where two contestants did not leave the same rows."""
    parser = argparse.ArgumentParser(prog="python -m bench.scoring", description=__doc__)
    parser.add_argument("--sessions", type=int, default=200_000)
    parser.add_argument("--only", default=",".join(NAMES), help="contestants, such as a,b,e1")
    parser.add_argument("--write", action="store_true", help=f"put the figures into {RESULTS.name}")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="trueup-bench-") as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            server.create_database("legacy")
            with psycopg.connect(uri(server, "legacy")) as connection:
                for script in (SAMPLE_SQL / "sample.sql", SAMPLE_SQL / "create.sql"):
                    connection.execute(script.read_bytes())
                fill = (HERE / "sql" / "fill.sql").read_text(encoding="utf-8")
                connection.execute(fill.replace("%(sessions)s", str(asked.sessions)).encode())
            found = [measure(server, name, Path(folder)) for name in asked.only.split(",")]
        finally:
            server.stop()
    text = results(found, asked.sessions, arguments)
    print(f"\n{text}")
    if asked.write:
        RESULTS.write_text(text, encoding="utf-8")
    whole = [m for m in found if m.name != "c"]
    if any(m.found != whole[0].found for m in whole):
        print("they did not leave the same rows, so there is nothing to compare", file=sys.stderr)
        return 1
    return 0


def uri(server: postgres.Server, database: str) -> str:
    """The database's URI, with times in UTC."""
    return f"{server.uri(database)}&options=-c%20timezone%3DUTC"


def measure(server: postgres.Server, name: str, folder: Path) -> Measured:
    """Run a contestant in a process of its own, on a copy of the legacy database."""
    server.create_database("ledger")
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        connection.execute(b"DROP DATABASE IF EXISTS work")
        connection.execute(b"CREATE DATABASE work TEMPLATE legacy")
        connection.execute(b"DROP DATABASE ledger")
    server.create_database("ledger")
    with psycopg.connect(server.uri("work"), autocommit=True) as connection:
        connection.execute(b"ANALYZE")
        connection.execute(b"CHECKPOINT")
    dlt = _dlt() if name == "d" else None
    asked: dict[str, Any] = {"name": name, "uri": uri(server, "work")}
    if name.startswith("e"):
        workspace = tempfile.mkdtemp(dir=folder)
        asked |= {"ledger_uri": server.uri("ledger"), "workspace": workspace, "workers": int(name[1])}
    store, began, usage = cpu_of(server.pid), time.monotonic(), os.times()
    loader_peak = 0
    if dlt:
        loader_peak = int(_run([dlt, str(HERE / "dlt_load.py"), asked["uri"]]).splitlines()[-1])
        asked |= {"name": "b", "schema": "loaded"}
    result = json.loads(_run([sys.executable, "-m", "bench.scoring.contestant", json.dumps(asked)]).splitlines()[-1])
    wall, now = time.monotonic() - began, os.times()
    result["peak_bytes"] = max(result["peak_bytes"], loader_peak)
    client = now.children_user + now.children_system - usage.children_user - usage.children_system
    with psycopg.connect(uri(server, "work")) as connection:
        query = b"""
            SELECT count(*), sum(jsonb_hash_extended(payload, 0)::numeric), sum(hash_numeric_extended(confidence, 0)::numeric),
                sum(hashtextextended(concat_ws(' ', session_id, type_code, scoring_version, computed_at), 0)::numeric)
            FROM scoring_results
        """
        found = connection.execute(query).fetchone() or ()
    measured = Measured(
        name=name, wall=wall, client_cpu=client, store_cpu=cpu_of(server.pid) - store, found=tuple(found), **result
    )
    print(f"{NAMES[name]}: {measured.rows:,} rows in {wall:.1f} s, {measured.peak_bytes / 2**20:,.0f} MB", flush=True)
    return measured


def _run(command: Sequence[str]) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def _dlt() -> str:
    """The Python of an environment of its own that has dlt, made if need be."""
    folder = Home.of(os.environ).root / "bench-dlt"
    python = folder / "bin" / "python"
    if not python.exists():
        uv = [str(Path(sys.executable).parent / "uv")]
        _run([*uv, "venv", "-q", str(folder)])
        _run(
            [
                *uv,
                "pip",
                "install",
                "-q",
                "--compile-bytecode",
                "--python",
                str(python),
                DLT,
                "psycopg2-binary",
                "pyarrow",
            ]
        )
    return str(python)


def results(found: Sequence[Measured], sessions: int, arguments: Sequence[str]) -> str:
    """All figures, as Markdown."""
    command = " ".join(["python -m bench.scoring", *arguments])
    lines = ["# Results: scoring results", "", f"`{command}` on {datetime.now(UTC):%d %B %Y}, on", ""]
    lines += [f"- {line}" for line in machine()[:2]]
    lines += [
        "",
        (
            f"{sessions:,} sessions, {26 * sessions:,} legacy rows. Each contestant is a process of its own, one after the other, on "
            "a copy of the same database; what the target then held was compared by a hash over all rows, and was the same."
        ),
        "",
        "| | sessions written | wall | sessions/s | client CPU | PostgreSQL's CPU | peak memory of a client process |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for m in found:
        lines.append(
            f"| {NAMES[m.name]} | {m.rows:,} | {m.wall:.1f} s | {m.rows / m.wall:,.0f} | {m.client_cpu:.1f} s "
            f"| {m.store_cpu:.1f} s | {m.peak_bytes / 2**20:,.0f} MB |"
        )
    by_name = {m.name: m for m in found}
    lines.append("")
    for one, other in (("e1", "a"), ("e1", "b"), ("e2", "b"), ("e2", "e1"), ("e1", "c"), ("e1", "d")):
        if {one, other} <= by_name.keys():
            mine, its = (by_name[name].wall / by_name[name].rows for name in (one, other))
            lines.append(f"- time for a session, {one} to {other}: {mine / its:.2f}")
    if trueup := by_name.get("e1"):
        lines += [
            "",
            f"## The steps of (e), one worker, {trueup.partitions} partitions",
            "",
            "| step | wall |",
            "|---|--:|",
        ]
        lines += [f"| {name} | {seconds:.2f} s |" for name, seconds in trueup.steps]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m bench`: Trueup's engine beside what people write today, in one go, on the same machine and store."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from include.embedded.home import Home

from .measure import Measured, machine, measure

RESULTS = Path(__file__).parent / "RESULTS.md"
NAMES = {
    "a": "(a) the original's loop: a query by index and a put for each row",
    "b": "(b) a careful script: scan, dictionaries, boto3's `batch_writer`; no backup, no proof",
    "c": "(c) Trueup: snapshot, plan, gates, apply, read back, full proof, report",
}


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="driving rows (links, milestones, actuals, readings)")
    parser.add_argument("--loop-rows", type=int, default=3_000, help="driving rows of (a), which is slow")
    parser.add_argument("--only", default="a,b,c", help="contestants, such as b,c")
    parser.add_argument("--memory", action="store_true", help="(c) at ten times the rows, too")
    parser.add_argument("--write", action="store_true", help="put the figures into bench/RESULTS.md")
    asked = parser.parse_args(arguments)
    home = Home.of(os.environ).root
    about = machine()
    print("\n".join(about), flush=True)
    found: dict[str, Measured] = {}
    for name in asked.only.split(","):
        found[name] = measure(name, asked.loop_rows if name == "a" else asked.rows, home)
        print(_figures(found[name]), flush=True)
    larger = measure("c", asked.rows * 10, home) if asked.memory else None
    if {"b", "c"} <= found.keys() and found["b"].found != found["c"].found:
        print("(b) and (c) did not make the same rows, so there is nothing to compare", file=sys.stderr)
        return 1
    text = results(found, larger, about, arguments)
    print(f"\n{text}")
    if asked.write:
        RESULTS.write_text(text, encoding="utf-8")
    return 0


def results(found: dict[str, Measured], larger: Measured | None, about: list[str], arguments: Sequence[str]) -> str:
    """The figures as Markdown."""
    lines = ["# Results", "", f"`python -m bench {' '.join(arguments)}`, {datetime.now(UTC):%d %B %Y}.", ""]
    lines += [f"- {line}" for line in about]
    lines += [
        "",
        (
            "Each contestant is a process of its own, one after the other, each on a fresh engine filled with the same sample. "
            "Rows are target rows written. Client CPU is that of the contestant's process, imports included; "
            "(b) and (c) left the same rows (compared by a hash over all of them)."
        ),
        "",
        "| contestant | driving rows | rows written | wall | rows/s | client CPU a row | store CPU a row | peak memory |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        *(_figures(m) for m in found.values()),
        "",
    ]
    lines += [f"- {ratio}" for ratio in _ratios(found)]
    if "c" in found:
        lines += ["", *_steps(found["c"])]
    if larger and "c" in found:
        factor = larger.peak_bytes / found["c"].peak_bytes
        lines += [
            "",
            "## Memory",
            "",
            (
                f"(c) at {found['c'].driving:,} driving rows: {_mb(found['c'])}; at {larger.driving:,}: {_mb(larger)} "
                f"({factor:.2f} times; {larger.rows:,} rows written in {larger.wall:.0f} s, {larger.rows / larger.wall:,.0f} rows/s)."
            ),
        ]
    return "\n".join([*lines, ""])


def _figures(m: Measured) -> str:
    client, store = (f"{cpu / m.rows * 1e6:,.0f} µs" for cpu in (m.client_cpu, m.store_cpu))
    return (
        f"| {NAMES[m.name]} | {m.driving:,} | {m.rows:,} | {m.wall:.1f} s | {m.rows / m.wall:,.0f} "
        f"| {client} | {store} | {_mb(m)} |"
    )


def _ratios(found: dict[str, Measured]) -> list[str]:
    ratios = []
    if {"b", "c"} <= found.keys():
        b, c = found["b"], found["c"]
        ratios.append(f"wall time of (c) to (b): {c.wall / b.wall:.2f}")
        ratios.append(f"client CPU a row of (c) to (b): {c.client_cpu / c.rows / (b.client_cpu / b.rows):.2f}")
    if {"a", "c"} <= found.keys():
        a, c = found["a"], found["c"]
        ratios.append(f"rows/s of (c) to (a): {c.rows / c.wall / (a.rows / a.wall):.1f}")
    return ratios


def _steps(m: Measured) -> list[str]:
    lines = [f"## The steps of (c): {m.about}", "", "| step | wall | client CPU |", "|---|--:|--:|"]
    lines += [f"| {s['step']} | {s['seconds']:.2f} s | {s['cpu']:.2f} s |" for s in m.steps]
    return [*lines, "", f"CPU of the ledger's PostgreSQL: {m.ledger_cpu:.2f} s."]


def _mb(m: Measured) -> str:
    return f"{m.peak_bytes / 2**20:,.0f} MB"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

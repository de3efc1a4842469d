"""The figures as Markdown."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from .measure import Measured
from .trueup_run import IMPORT

NAMES = {
    "a": "(a) the original's loop: look-ups by index and a put for each row",
    "b": "(b) a careful script: scans, dictionaries, boto3's `batch_writer`; no backup, no check",
    "c": "(c) Trueup: snapshot, plan, gates, apply, every row read back and proven, report",
}
_WITHOUT_IMPORT = "(c) without the import of Great Expectations"


def results(
    found: Mapping[str, Measured], larger: Measured | None, about: Sequence[str], arguments: Sequence[str]
) -> str:
    """All figures. `found`: by contestant; `larger`: (c) over more rows; `about`: the machine, a line each."""
    command = " ".join(["python -m bench", *arguments])
    lines = ["# Results", "", f"`{command}` on {datetime.now(UTC):%d %B %Y}, on", ""]
    lines += [f"- {line}" for line in about]
    lines += ["", *_explained(found), "", *_table(found), "", *(f"- {ratio}" for ratio in ratios(found))]
    if "c" in found:
        lines += ["", *_steps(found["c"])]
    if larger:
        lines += ["", *_memory(found.get("c"), larger)]
    return "\n".join([*lines, ""])


def without_import(m: Measured) -> Measured:
    """(c) less what the import of Great Expectations took: a cost for each run or task that has a gate, not for rows."""
    (step,) = (step for step in m.steps if step.name == IMPORT)
    return replace(m, wall=m.wall - step.wall, client_cpu=m.client_cpu - step.cpu)


def ratios(found: Mapping[str, Measured]) -> list[str]:
    """What (c) took, by what the others took."""
    said = []
    if {"b", "c"} <= found.keys():
        b, c = found["b"], found["c"]
        bare = without_import(c)
        said += [
            (
                f"wall time, (c) to (b): {_per_row(c.wall, c) / _per_row(b.wall, b):.2f}"
                f" (without the import {_per_row(bare.wall, bare) / _per_row(b.wall, b):.2f})"
            ),
            (
                f"client CPU, (c) to (b): {_per_row(c.client_cpu, c) / _per_row(b.client_cpu, b):.2f}"
                f" (without the import {_per_row(bare.client_cpu, bare) / _per_row(b.client_cpu, b):.2f})"
            ),
        ]
    if {"a", "c"} <= found.keys():
        a, c = found["a"], found["c"]
        said.append(f"rows a second, (c) to (a): {_per_row(a.wall, a) / _per_row(c.wall, c):.1f}")
    return said


def _explained(found: Mapping[str, Measured]) -> list[str]:
    busiest = max(m.other_cpu / m.wall / (os.cpu_count() or 1) for m in found.values())
    lines = [
        (
            "Each contestant is a process of its own, one after the other, on a fresh engine that was filled with the same"
            " sample before. Wall time and client CPU (user and system) are those of the whole process, from its start to"
            " its end, imports included. Rows are the rows written to the two new tables; what the tables then held was read"
            " with boto3 and compared by a hash over all rows."
        )
    ]
    if {"b", "c"} <= found.keys():
        lines.append("(b) and (c) left the same rows.")
    if "a" in found:
        lines.append(
            f"(a) is slow, so it had the first {found['a'].source_rows:,} source rows of the sample only, in tables"
            " that held no more; (b), run over the same, left the same rows."
        )
    lines.append(
        f"Other programs used up to {busiest:.0%} of the machine meanwhile; that makes everybody slower, and CPU time"
        " longer."
    )
    return lines


def _table(found: Mapping[str, Measured]) -> list[str]:
    lines = [
        "| | source rows | rows written | wall | rows/s | client CPU a row | store CPU a row | peak memory |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, m in found.items():
        lines.append(_figures(NAMES[name], m))
        if name == "c":
            lines.append(_figures(_WITHOUT_IMPORT, without_import(m)))
    return lines


def _figures(name: str, m: Measured) -> str:
    cells = [
        name,
        f"{m.source_rows:,}",
        f"{m.rows:,}",
        f"{m.wall:.1f} s",
        f"{m.rows / m.wall:,.0f}",
        f"{_per_row(m.client_cpu, m):,.0f} µs",
        f"{_per_row(m.store_cpu, m):,.0f} µs",
        f"{_mb(m):,.0f} MB",
    ]
    return f"| {' | '.join(cells)} |"


def _steps(m: Measured) -> list[str]:
    lines = [f"## The steps of (c), with {m.parts}", "", "| step | wall | client CPU |", "|---|--:|--:|"]
    lines += [f"| {step.name} | {step.wall:.2f} s | {step.cpu:.2f} s |" for step in m.steps]
    return [*lines, "", f"PostgreSQL, which holds the ledger, used {m.ledger_cpu:.1f} s of CPU beside that."]


def _memory(smaller: Measured | None, larger: Measured) -> list[str]:
    lines = ["## Memory", ""]
    if smaller:
        factor = larger.source_rows / smaller.source_rows
        lines.append(
            f"Peak memory of (c) is {_mb(larger) / _mb(smaller):.2f} times as much over {factor:.1f} times the rows:"
            f" {_mb(smaller):,.0f} MB over {smaller.source_rows:,} source rows, {_mb(larger):,.0f} MB over"
            f" {larger.source_rows:,}."
        )
    return [
        *lines,
        (
            f"The larger run, with {larger.parts}, wrote and proved {larger.rows:,} rows in {larger.wall:,.0f} s:"
            f" {larger.rows / larger.wall:,.0f} a second, {_per_row(larger.client_cpu, larger):,.0f} µs of client CPU a row."
        ),
    ]


def _per_row(seconds: float, m: Measured) -> float:
    """Microseconds a row written."""
    return seconds / m.rows * 1e6


def _mb(m: Measured) -> float:
    return m.peak_bytes / 2**20

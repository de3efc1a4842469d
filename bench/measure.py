"""Measuring: a contestant's time and CPU from outside of it, what it left in the targets, and the machine."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil

from include.embedded import dynamodb, postgres
from include.trueup.stores.dynamodb.items import canonical_item

from .data import TARGETS, client, fill

PACKAGES = ("boto3", "duckdb", "pyarrow", "great-expectations", "pandas", "orjson", "SQLAlchemy")
_MODULO = 1 << 256


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What a table holds: its rows, and a SHA-256 of them that no order of theirs changes."""

    rows: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a step of (c) took, in seconds: wall, and CPU of its process."""

    name: str
    wall: float
    cpu: float


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One contestant's run over `source_rows` rows, `driving` of them not look-ups, that wrote `rows` rows.

    Seconds; `wall` and `client_cpu` from the start of its process to its end. Meanwhile `store_cpu` went to the
    DynamoDB engine, `ledger_cpu` to PostgreSQL, and `other_cpu` to all else that ran on the machine. `found`: what the
    targets held afterwards, by table. `steps` and `parts` (how many partitions and segments there were): (c) only.
    """

    name: str
    driving: int
    source_rows: int
    rows: int
    wall: float
    client_cpu: float
    store_cpu: float
    ledger_cpu: float
    other_cpu: float
    peak_bytes: int
    found: dict[str, Fingerprint]
    steps: tuple[Step, ...] = ()
    parts: str = ""


def measure(name: str, driving: int, home: Path) -> Measured:
    """Run a contestant (a, b or c) over the sample of that many driving rows, on an engine that is started, and filled,
    for it alone. `home` is where dynoxide is installed.

    Raises `subprocess.CalledProcessError` when the contestant fails, `RuntimeError` where there is no dynoxide or the
    targets do not hold as many rows as the contestant says.
    """
    binary = dynamodb.find_dynoxide(home)
    if binary is None:
        raise RuntimeError("the benchmark needs dynoxide: Linux on x86-64, and npm to install it with")
    with (
        tempfile.TemporaryDirectory(prefix="trueup-bench-") as folder,
        dynamodb.dynoxide(dynamodb.free_port(), binary, Path(folder) / "dynoxide.log") as engine,
    ):
        source = fill(engine.endpoint, driving, targets=name != "c")
        asked = {"name": name, "endpoint": engine.endpoint}
        ledger = postgres.start(Path(folder) / "postgres") if name == "c" else None
        try:
            if ledger:
                ledger.create_database("ledger")
                asked |= {"ledger": ledger.uri("ledger"), "workspace": str(Path(folder) / "workspace")}
            before = _busy(), cpu_of(engine.process.pid), cpu_of(ledger.pid) if ledger else 0.0
            began = time.monotonic()
            result, client_cpu = _contest(asked)
            wall = time.monotonic() - began
            after = _busy(), cpu_of(engine.process.pid), cpu_of(ledger.pid) if ledger else 0.0
        finally:
            if ledger:
                ledger.stop()
        found = fingerprints(engine.endpoint)
    if (there := sum(table.rows for table in found.values())) != result["rows"]:
        raise RuntimeError(f"contestant {name} says that it wrote {result['rows']:,} rows; the targets hold {there:,}")
    busy, store_cpu, ledger_cpu = (now - then for now, then in zip(after, before, strict=True))
    return Measured(
        name=name,
        driving=driving,
        source_rows=sum(source.values()),
        rows=result["rows"],
        wall=wall,
        client_cpu=client_cpu,
        store_cpu=store_cpu,
        ledger_cpu=ledger_cpu,
        other_cpu=max(0.0, busy - client_cpu - store_cpu - ledger_cpu),
        peak_bytes=result["peak_bytes"],
        found=found,
        steps=tuple(Step(**step) for step in result.get("steps", ())),
        parts=result.get("parts", ""),
    )


def _contest(asked: dict[str, str]) -> tuple[dict[str, Any], float]:
    """A contestant's result and the CPU seconds of its process, with those of the processes that it waited for."""
    command = [sys.executable, "-m", "bench.contestant", json.dumps(asked)]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, said)
    return json.loads(said.splitlines()[-1]), usage.ru_utime + usage.ru_stime


def cpu_of(pid: int) -> float:
    """CPU seconds, user and system, of a process, of its children that are over, and of those that are not."""
    process = psutil.Process(pid)
    children = 0.0
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended just now: the next time, its parent's figures have it
            children += sum(child.cpu_times()[:4])
    return sum(process.cpu_times()[:4]) + children


def _busy() -> float:
    """CPU seconds that all programs of the machine have used since it was started."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


def fingerprints(endpoint: str) -> dict[str, Fingerprint]:
    """What the new tables hold, by name, read by boto3 alone."""
    scan = client(endpoint).get_paginator("scan")
    found = {}
    for target in TARGETS:
        found[target.name] = fingerprint(
            item for page in scan.paginate(TableName=target.name) for item in page["Items"]
        )
    return found


def fingerprint(items: Iterable[Mapping[str, Any]]) -> Fingerprint:
    """Rows in DynamoDB JSON, in any order; equal numbers in different notations are the same."""
    rows, total = 0, 0
    for item in items:
        text = orjson.dumps(canonical_item(dict(item)), option=orjson.OPT_SORT_KEYS)
        total = (total + int.from_bytes(hashlib.sha256(text).digest())) % _MODULO
        rows += 1
    return Fingerprint(rows=rows, sha256=f"{total:064x}")


def machine() -> list[str]:
    """The machine and what runs on it, a line each."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in info if line.startswith("model name")), platform.machine())
    memory = f"{psutil.virtual_memory().total / 2**30:.0f} GB of memory"
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return [
        f"{os.cpu_count()} cores of {model}, {memory}, {platform.system()} {platform.release()}",
        f"Python {platform.python_version()}, {versions}",
        f"DynamoDB engine: dynoxide {dynamodb.DYNOXIDE_VERSION}, in memory, on the same machine",
    ]

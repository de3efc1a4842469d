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
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import orjson
import psutil

from include.embedded import dynamodb, postgres
from include.trueup.stores.dynamodb.items import Item, canonical_item

from .data import ACCESS, TARGETS, fill

PACKAGES = ("boto3", "duckdb", "pyarrow", "great-expectations", "pandas", "orjson", "SQLAlchemy")
_MODULO = 1 << 256


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What a table holds: its rows, and a SHA-256 of them that no order of theirs changes."""

    rows: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One contestant's run. Seconds; `wall` and `client_cpu` from the start of its process to its end; `store_cpu` of
    the DynamoDB engine and `ledger_cpu` of PostgreSQL meanwhile. `found`: what the targets held afterwards, by table.
    `steps`: (c) only."""

    name: str
    driving: int
    source_rows: int
    rows: int
    wall: float
    client_cpu: float
    store_cpu: float
    ledger_cpu: float
    peak_bytes: int
    found: dict[str, Fingerprint]
    steps: list[dict[str, Any]] = field(default_factory=list)
    about: str = ""


def measure(name: str, driving: int, home: Path) -> Measured:
    """Run a contestant (a, b or c) over the sample of that many driving rows, on an engine that is started, and filled,
    for it alone. `home` is where dynoxide is installed.

    Raises `subprocess.CalledProcessError` when the contestant fails, `RuntimeError` where there is no dynoxide.
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
        server = postgres.start(Path(folder) / "postgres") if name == "c" else None
        try:
            if server:
                server.create_database("ledger")
                asked |= {"ledger": server.uri("ledger"), "workspace": str(Path(folder) / "workspace")}
            servers = [engine.process.pid, *([server.pid] if server else [])]
            before = [cpu_of(pid) for pid in servers]
            began = time.monotonic()
            result, client_cpu = _contest(asked)
            wall = time.monotonic() - began
            store_cpu, ledger_cpu, *_ = (
                *(cpu_of(pid) - cpu for pid, cpu in zip(servers, before, strict=True)),
                0.0,
            )
        finally:
            if server:
                server.stop()
        found = fingerprints(engine.endpoint)
    assert sum(f.rows for f in found.values()) == result["rows"], "what is there is what was written"
    return Measured(
        name=name,
        driving=driving,
        source_rows=sum(source.values()),
        rows=result["rows"],
        wall=wall,
        client_cpu=client_cpu,
        store_cpu=store_cpu,
        ledger_cpu=ledger_cpu,
        peak_bytes=result["peak_bytes"],
        found=found,
        steps=result.get("steps", []),
        about=f"{result['partitions']} partitions, {result['segments']} segments" if name == "c" else "",
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
    return sum(process.cpu_times()[:4]) + sum(sum(child.cpu_times()[:4]) for child in process.children(recursive=True))


def fingerprints(endpoint: str) -> dict[str, Fingerprint]:
    """What the new tables hold, by name, read by boto3 alone."""
    client = boto3.client("dynamodb", endpoint_url=endpoint, **ACCESS)
    pages = {target.name: client.get_paginator("scan").paginate(TableName=target.name) for target in TARGETS}
    return {name: fingerprint(item for page in scan for item in page["Items"]) for name, scan in pages.items()}


def fingerprint(items: Iterable[Item]) -> Fingerprint:
    """Rows in DynamoDB JSON, in any order; equal numbers in different notations are the same."""
    rows, total = 0, 0
    for item in items:
        text = orjson.dumps(canonical_item(item), option=orjson.OPT_SORT_KEYS)
        total = (total + int.from_bytes(hashlib.sha256(text).digest())) % _MODULO
        rows += 1
    return Fingerprint(rows=rows, sha256=f"{total:064x}")


def machine() -> list[str]:
    """The machine and what runs on it, a line each."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in info if line.startswith("model name")), platform.machine())
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return [
        f"{os.cpu_count()} cores of {model}, {psutil.virtual_memory().total / 2**30:.0f} GB of memory,"
        f" {platform.system()} {platform.release()}",
        f"Python {platform.python_version()}, {versions}",
        f"DynamoDB engine: dynoxide {dynamodb.DYNOXIDE_VERSION}, in memory, on the same machine",
        f"load average before: {', '.join(f'{load:.2f}' for load in os.getloadavg())}",
    ]

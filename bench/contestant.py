"""One contestant in a process of its own: `python -m bench.contestant '<json>'`; prints its result as one line of JSON.

The JSON has `name` (a, b or c) and `endpoint`; for c also `ledger` (a URI) and `workspace` (a folder).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def contest(name: str, endpoint: str, ledger: str = "", workspace: str = "") -> dict[str, Any]:
    """Migrate; at least `rows`, the target rows written, and `peak_bytes`, the most memory that this process had."""
    if name == "c":
        from .trueup_run import trueup

        result = trueup(endpoint, ledger, workspace)
    else:
        from . import peers

        result = {"rows": {"a": peers.loop, "b": peers.script}[name](peers.connect(endpoint))}
    return {**result, "peak_bytes": peak_bytes()}


def peak_bytes() -> int:
    """The most resident memory that this process has had so far. Not `ru_maxrss`: that is its parent's too."""
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(contest(**json.loads(sys.argv[1]))))

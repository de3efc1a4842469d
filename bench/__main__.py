"""`python -m bench`: Trueup's engine beside what people write today, in one go, on the same machine and store."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from include.embedded.home import Home

from .measure import Measured, machine, measure
from .results import NAMES, results

RESULTS = Path(__file__).parent / "RESULTS.md"
LARGER = 1_000_000


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the exit status: 1 where two contestants did not leave the same rows."""
    asked = _parsed(arguments)
    home = Home.of(os.environ).root
    about = machine()
    print("\n".join(about), flush=True)
    runs: dict[str, list[Measured]] = {name: [] for name in asked.only}
    for _ in range(asked.repeat):
        for name in asked.only:
            runs[name].append(_said(measure(name, asked.loop_rows if name == "a" else asked.rows, home)))
    if wrong := _differing(runs, home):
        print(f"{wrong} did not leave the same rows, so there is nothing to compare", file=sys.stderr)
        return 1
    larger = _said(measure("c", LARGER, home)) if asked.memory else None
    median = {name: sorted(found, key=lambda m: m.wall)[len(found) // 2] for name, found in runs.items()}
    text = results(median, larger, about, arguments)
    print(f"\n{text}")
    if asked.write:
        RESULTS.write_text(text, encoding="utf-8")
    return 0


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="rows to migrate (look-ups not counted)")
    parser.add_argument("--loop-rows", type=int, default=3_000, help="rows for (a), which takes milliseconds for each")
    parser.add_argument("--only", type=_names, default=list(NAMES), help="contestants, such as b,c")
    parser.add_argument("--repeat", type=int, default=1, help="times that each runs; the median by wall time is shown")
    parser.add_argument("--memory", action="store_true", help=f"(c) over {LARGER:,} rows, too")
    parser.add_argument("--write", action="store_true", help="put the figures into bench/RESULTS.md")
    return parser.parse_args(arguments)


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - NAMES.keys():
        raise argparse.ArgumentTypeError(
            f"there is no contestant {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}"
        )
    return names


def _said(m: Measured) -> Measured:
    """The same, printed in short."""
    cpu = f"{m.client_cpu / m.rows * 1e6:,.0f} µs of client CPU a row"
    print(f"({m.name}) {m.rows:,} rows in {m.wall:.1f} s, {cpu}, {m.peak_bytes / 2**20:,.0f} MB", flush=True)
    return m


def _differing(runs: dict[str, list[Measured]], home: Path) -> str:
    """Who should have left the same rows and did not; empty if nobody. For (a), (b) runs over the same rows."""
    alike = [[m for name in ("b", "c") for m in runs.get(name, [])]]
    if found := runs.get("a"):
        alike.append([*found, measure("b", found[0].driving, home)])
    differing = [group for group in alike if any(m.found != group[0].found for m in group)]
    return " and ".join(", ".join(f"({m.name})" for m in group) for group in differing)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

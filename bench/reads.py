"""`python -m bench.reads`: results of a session read from the exploded tables and from the unified one, side by side."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import psycopg

from bench.measure import machine
from include.embedded import postgres
from include.migrations.scoring_results import sample
from include.migrations.scoring_results.serving import ReadFrom, get_results, persist_results
from include.trueup.stores.postgres import PostgresStore

RESULTS = Path(__file__).parent / "RESULTS-reads.md"
WAYS: dict[str, ReadFrom] = {"before: four exploded tables": "legacy_first", "after: one row": "unified_only"}


@dataclass(frozen=True, kw_only=True)
class Read:
    """A way of reading: seconds of each read, in order of their length."""

    name: str
    seconds: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Reads a second, one after the other."""
        return len(self.seconds) / sum(self.seconds)

    def at(self, share: float) -> float:
        """Milliseconds within which this share of the reads was answered."""
        return 1000 * self.seconds[min(len(self.seconds) - 1, int(share * len(self.seconds)))]


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.reads", description=__doc__)
    parser.add_argument("--reads", type=int, default=2_000, help="reads a way")
    parser.add_argument("--write", action="store_true", help=f"put the figures into {RESULTS.name}")
    asked = parser.parse_args(arguments)
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="trueup-bench-") as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            server.create_database("results")
            uri = server.uri("results")
            sessions = fill(uri)
            found = [read for name, way in WAYS.items() for read in measure(uri, name, way, sessions, asked.reads)]
        finally:
            server.stop()
    text = results(found, asked.reads, len(sessions), arguments)
    print(text)
    if asked.write:
        RESULTS.write_text(text, encoding="utf-8")
    return 0


def fill(uri: str) -> list[str]:
    """The sample, each session with results in both shapes; these sessions."""
    sample.fill(lambda _: PostgresStore(uri))
    scored = {row["session_id"] for row in sample.rows()["scoring_results_types"]}
    sessions = sorted(scored & {row["session_id"] for row in sample.rows()["profiles"]})
    with psycopg.connect(uri) as connection:
        for session in sessions:
            persist_results(connection, get_results(connection, session, "legacy_first"), write_exploded=False)
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return sessions


def measure(uri: str, name: str, way: ReadFrom, sessions: list[str], reads: int) -> list[Read]:
    """Reads by a connection that is kept, and by a new one each."""
    with psycopg.connect(uri) as kept:

        def by_kept(session: str) -> None:
            get_results(kept, session, way)
            kept.rollback()

        def by_new(session: str) -> None:
            with psycopg.connect(uri) as connection:
                get_results(connection, session, way)

        return [
            Read(name=f"{name}, a connection that is kept", seconds=_timed(by_kept, sessions, reads)),
            Read(name=f"{name}, a new connection each", seconds=_timed(by_new, sessions, reads // 4)),
        ]


def _timed(read: Callable[[str], None], sessions: list[str], reads: int) -> tuple[float, ...]:
    seconds = []
    for session in islice(cycle(sessions), reads):
        began = time.perf_counter()
        read(session)
        seconds.append(time.perf_counter() - began)
    return tuple(sorted(seconds))


def results(found: Sequence[Read], reads: int, sessions: int, arguments: Sequence[str]) -> str:
    """The figures as Markdown."""
    rows = [f"| {each.name} | {each.rate:,.0f} | {each.at(0.5):.2f} | {each.at(0.99):.2f} |" for each in found]
    return "\n".join(
        [
            "# Reads of scoring results, before and after",
            "",
            f"`python -m bench.reads {' '.join(arguments)}`: {reads:,} reads over {sessions:,} sessions, one after the other, on",
            "an embedded PostgreSQL over a socket; a quarter as many by new connections.",
            "",
            *machine(),
            "",
            "| way | reads a second | p50, ms | p99, ms |",
            "|---|--:|--:|--:|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

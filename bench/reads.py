"""`python -m bench.reads`: what services read, before and after their migrations, side by side and in one run: results of a
session from the exploded tables and from the unified one, each by a new connection, by one that is kept, and the query alone;
and a client's check-ins, generated at each request and pre-created."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

import psycopg

from bench.measure import machine
from include.embedded import dynamodb, postgres
from include.embedded.home import Home
from include.migrations.checkins import sample as checkins
from include.migrations.checkins.migration import migration
from include.migrations.checkins.serving import get_assignments
from include.migrations.scoring_results import sample
from include.migrations.scoring_results.serving import ReadFrom, get_results, persist_results
from include.routes import Stores
from include.trueup.ledger import Ledger, this_process
from include.trueup.run import Options, Run
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore, client
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk

RESULTS = Path(__file__).parent / "RESULTS-reads.md"
BEFORE, AFTER = "before", "after"
SHAPES: dict[str, ReadFrom] = {BEFORE: "legacy_first", AFTER: "unified_only"}
"""Of scoring results: the four exploded tables, and the one row."""
NEW, KEPT, ALONE = "results, a new connection each", "results, kept connections", "results, the query alone"
CHECKINS = "check-ins of a client"
ROUNDS = 20
"""Each way is asked a share of its reads in every round, so that what else the machine does is in all of them alike."""
Read = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way of reading: what is read, in which shape, by what, and of whom; `seconds` of each read."""

    name: str
    shape: str
    read: Read
    ids: Sequence[str]
    seconds: list[float] = field(default_factory=list)

    def at(self, share: float) -> float:
        """Milliseconds within which this share of the reads was answered."""
        return 1000 * sorted(self.seconds)[min(len(self.seconds) - 1, int(share * len(self.seconds)))]


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.reads", description=__doc__)
    parser.add_argument("--reads", type=int, default=1_000, help="reads a way")
    parser.add_argument("--write", action="store_true", help=f"put the figures into {RESULTS.name}")
    asked = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="trueup-bench-") as folder, servers(Path(folder)) as (uri, ledger, store):
        with results_ways(uri) as ways:
            ways += checkins_ways(store, Ledger(ledger), Workspace(str(Path(folder) / "workspace")))
            measure(ways, asked.reads)
    text = results(ways, arguments)
    print(text)
    if asked.write:
        RESULTS.write_text(text, encoding="utf-8")
    return 0


@contextmanager
def servers(folder: Path) -> Iterator[tuple[str, str, DynamoDBStore]]:
    """An empty database for results, one for a ledger, and an empty DynamoDB."""
    binary = dynamodb.find_dynoxide(Home.of(os.environ).root)
    if binary is None:
        raise RuntimeError("the benchmark needs dynoxide: Linux on x86-64, and npm to install it with")
    server = postgres.start(folder / "postgres")
    try:
        for name in ("results", "ledger"):
            server.create_database(name)
        with dynamodb.dynoxide(dynamodb.free_port(), binary) as engine:
            made = client(
                endpoint_url=engine.endpoint,
                region_name="us-east-1",
                aws_access_key_id="local",
                aws_secret_access_key="local",
            )
            yield server.uri("results"), server.uri("ledger"), DynamoDBStore(made)
    finally:
        server.stop()


@contextmanager
def results_ways(uri: str) -> Iterator[list[Way]]:
    """The ways of reading results of a session, as the API does: in a transaction that may not write, and in a bounded time."""
    store = PostgresStore(uri)
    sessions = fill(store)
    stores = Stores(lambda _: store, lambda: Ledger(uri))
    ways: list[Way] = []
    with psycopg.connect(uri, prepare_threshold=None) as alone:
        for shape, read_from in SHAPES.items():

            def by_new(session: str, read_from: ReadFrom = read_from) -> None:
                with store.connect() as connection:
                    connection.read_only = True
                    connection.execute("SELECT set_config('statement_timeout', '20s', true)")
                    get_results(connection, session, read_from)

            def by_kept(session: str, read_from: ReadFrom = read_from) -> None:
                with stores.postgres("results") as connection:
                    get_results(connection, session, read_from)

            def by_query(session: str, read_from: ReadFrom = read_from) -> None:
                get_results(alone, session, read_from)

            for name, read in ((NEW, by_new), (KEPT, by_kept), (ALONE, by_query)):
                ways.append(Way(name=name, shape=shape, read=read, ids=sessions))
        yield ways
    stores.forget()


def fill(store: PostgresStore) -> list[str]:
    """The sample, each session with results in both shapes; these sessions."""
    sample.fill(lambda _: store)
    rows = sample.rows()
    scored = {row["session_id"] for row in rows["scoring_results_types"]}
    sessions = sorted(scored & {row["session_id"] for row in rows["profiles"]})
    with store.connect() as connection:
        for session in sessions:
            persist_results(connection, get_results(connection, session, "legacy_first"), write_exploded=False)
    store.script("ANALYZE")
    return sessions


def checkins_ways(store: DynamoDBStore, ledger: Ledger, workspace: Workspace) -> list[Way]:
    """The ways of reading a client's check-ins, once the migration has run over the sample."""
    checkins.fill(lambda _: store)
    run = Run(
        id="reads",
        dag_id=migration.id,
        migration=migration,
        options=Options(partitions=1, segments=1, max_reject_share=0.5),
        ledger=ledger,
        workspace=workspace,
        store=lambda _: store,
        holder=this_process(),
    )
    walk(run)
    ledger.close()
    clients = sorted(f"client-000-{number:03}" for number in range(checkins.CLIENTS_PER_BLOCK))
    return [
        Way(name=CHECKINS, shape=BEFORE, read=lambda id: get_assignments(store, id, lambda _: False), ids=clients),
        Way(name=CHECKINS, shape=AFTER, read=lambda id: get_assignments(store, id, lambda _: True), ids=clients),
    ]


def measure(ways: Sequence[Way], reads: int) -> None:
    """Ask each way, a share of the reads in each round, in turns."""
    asked = [(way, cycle(way.ids)) for way in ways]
    for number in range(ROUNDS + 1):  # the first one only warms up
        for way, ids in asked[:: 1 if number % 2 else -1]:
            for id in islice(ids, max(1, reads // ROUNDS)):
                began = time.perf_counter()
                way.read(id)
                if number:
                    way.seconds.append(time.perf_counter() - began)


def results(ways: Sequence[Way], arguments: Sequence[str]) -> str:
    """The figures as Markdown."""
    by = {(way.name, way.shape): way for way in ways}
    rows = []
    for name in dict.fromkeys(way.name for way in ways):
        before, after = by[name, BEFORE], by[name, AFTER]
        figures = " | ".join(f"{way.at(share):.2f}" for share in (0.5, 0.99) for way in (before, after))
        rows.append(f"| {name} | {figures} | {before.at(0.5) / after.at(0.5):.2f} |")
    pooled = {shape: by[NEW, shape].at(0.5) / by[KEPT, shape].at(0.5) for shape in SHAPES}
    whole = by[NEW, BEFORE].at(0.5) / by[KEPT, AFTER].at(0.5)
    sessions, clients = (len(by[name, AFTER].ids) for name in (ALONE, CHECKINS))
    return "\n".join(
        [
            "# What services read, before and after",
            "",
            f"`python -m bench.reads {' '.join(arguments)}`: {len(ways[0].seconds):,} reads a way over {sessions:,} sessions and",
            f"{clients:,} clients, one after the other, the ways in turns over {ROUNDS} rounds of one run. PostgreSQL is embedded and",
            "reached by a socket, so a connect is as cheap as it can be. Without the web server.",
            "",
            *machine(),
            "",
            "| ms | p50 before | p50 after | p99 before | p99 after | before ÷ after |",
            "|---|--:|--:|--:|--:|--:|",
            *rows,
            "",
            f"A new connection each ÷ kept ones (p50): {pooled[BEFORE]:.2f} before, {pooled[AFTER]:.2f} after. A new connection and",
            f"the exploded tables ÷ a kept one and one row: {whole:.2f}.",
            "",
            "Results: *before* are the four exploded tables and the session, *after* is the row of `scoring_results`. Check-ins:",
            "*before*, weeks are generated at each request from bases and all responses of the client; *after*, they are read.",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

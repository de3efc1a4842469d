"""Reading PostgreSQL tables in segments: disjoint, complete, under one snapshot, while rows move."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any

import psycopg
import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Table, Type
from include.trueup.errors import StoreRejectedError, StoreUnavailableError
from include.trueup.stores.postgres import PostgresStore, catalog
from include.trueup.stores.postgres.reading import STRIPE_BLOCKS
from include.trueup.stores.postgres.session import Address, session
from tests.contract.postgres_rows import read, rows, table
from tests.harness import new_database, run_sql

ROWS = 12_000
SEGMENTS = 3
WIDE = table("wide", {"id": Type.INTEGER, "n": Type.NUMBER, "padding": Type.TEXT})
EVERY_ROW_MOVES = "BEGIN; LOCK TABLE wide IN SHARE ROW EXCLUSIVE MODE; UPDATE wide SET n = n + 1; COMMIT"
FEW = {"id": Type.INTEGER, "n": Type.NUMBER}


@pytest.fixture(scope="module")
def uri(postgres_server: postgres.Server) -> str:
    return new_database(postgres_server)


@pytest.fixture
def wide(uri: str) -> Table:
    """A table of several stripes with full pages, so that the new version of an updated row goes to another page."""
    run_sql(
        uri,
        "DROP TABLE IF EXISTS wide",
        "CREATE TABLE wide (id int PRIMARY KEY, n numeric, padding text)",
        f"INSERT INTO wide SELECT i, i, repeat('.', 500) FROM generate_series(1, {ROWS}) i",
    )
    blocks = run_sql(uri, "SELECT pg_relation_size('wide') / 8192")[0][0]
    assert blocks > STRIPE_BLOCKS
    return WIDE


def keys_by_segment(uri: str, snapshot: str | None) -> list[Counter[int]]:
    """The keys of each segment; between two segments every row moves."""
    found = []
    for segment in rows_by_segment(PostgresStore(uri, snapshot=snapshot), WIDE, SEGMENTS):
        found.append(Counter(row["id"] for row in segment))
        run_sql(uri, EVERY_ROW_MOVES)
    return found


def rows_by_segment(store: PostgresStore, declared: Table, segments: int) -> Iterator[list[dict[str, Any]]]:
    for segment in range(segments):
        yield [row for batch in store.read(declared, segment, segments) for row in batch.to_pylist()]


@contextmanager
def rows_that_move(uri: str) -> Iterator[None]:
    """Meanwhile, update rows again and again, so that their newest versions go from place to place."""
    stop = threading.Event()

    def update() -> None:
        with psycopg.connect(uri, autocommit=True) as connection:
            while not stop.is_set():
                connection.execute("UPDATE wide SET n = n + 1 WHERE id % 7 = floor(random() * 7)")

    thread = threading.Thread(target=update)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def each_once(found: list[Counter[int]]) -> bool:
    together = sum(found, Counter[int]())
    return set(together) == set(range(1, ROWS + 1)) and set(together.values()) == {1}


def test_segments_are_disjoint_and_complete_while_rows_move(wide: Table, uri: str) -> None:
    with rows_that_move(uri):
        alone = keys_by_segment(uri, None)
        with PostgresStore(uri).export_snapshot() as snapshot:
            together = keys_by_segment(uri, snapshot)
    assert each_once(alone)
    assert each_once(together)
    assert min(map(len, alone)) > ROWS / SEGMENTS / 2
    assert min(map(len, together)) > 0


def test_places_alone_would_not_do_while_rows_move(wide: Table, uri: str) -> None:
    """What the hash of the key is for: ranges of places that are each read at their own time repeat rows."""
    found = []
    for first in range(0, 3 * STRIPE_BLOCKS, STRIPE_BLOCKS):
        place = f"ctid >= '({first},0)' AND ctid < '({first + STRIPE_BLOCKS},0)'"
        found.append(Counter(key for (key,) in run_sql(uri, f"SELECT id FROM wide WHERE {place}")))
        run_sql(uri, EVERY_ROW_MOVES)
    assert not each_once(found)


def test_an_exported_snapshot_sees_nothing_that_is_written_later(wide: Table, uri: str) -> None:
    store = PostgresStore(uri)
    with store.export_snapshot() as snapshot:
        run_sql(uri, "DELETE FROM wide WHERE id <= 100", "UPDATE wide SET n = -1 WHERE id > 1000", "VACUUM wide")
        run_sql(uri, f"INSERT INTO wide SELECT i, i FROM generate_series({ROWS + 1}, {ROWS + 5000}) i")
        seen = PostgresStore(uri, snapshot=snapshot)
        found = [row for segment in rows_by_segment(seen, wide, SEGMENTS) for row in segment]
        assert sorted((row["id"], row["n"]) for row in found) == [(i, str(i)) for i in range(1, ROWS + 1)]
        assert seen.get(wide, rows(wide, {"id": 1}, {"id": 2000}, {"id": ROWS + 1})).num_rows == 2
    assert len(read(store, wide, SEGMENTS)) == ROWS + 4900
    with pytest.raises(StoreUnavailableError, match=r"no longer held open.*Run the step again"):
        list(seen.read(wide, 0, SEGMENTS))
    with pytest.raises(StoreUnavailableError, match=r"no longer held open.*Run the step again"):
        seen.get(wide, rows(wide, {"id": 1}))


def test_a_table_rewritten_after_the_snapshot_is_not_read_by_places_that_are_gone(wide: Table, uri: str) -> None:
    with PostgresStore(uri).export_snapshot() as snapshot:
        store = PostgresStore(uri, snapshot=snapshot)
        first = list(store.read(wide, 0, SEGMENTS))
        assert first
        run_sql(uri, "VACUUM FULL wide")
        with pytest.raises(StoreUnavailableError, match=r"wide was .*rewritten.*under a new snapshot"):
            list(store.read(wide, 1, SEGMENTS))


RELOADED = {
    "one": "BEGIN; TRUNCATE one; INSERT INTO one {}",
    "several": "BEGIN; TRUNCATE several_1; INSERT INTO several_1 {}",
    "view_of_one": "BEGIN; TRUNCATE one; INSERT INTO one {}",
    "taken": (
        "CREATE TABLE instead (id int PRIMARY KEY, n numeric); INSERT INTO instead {};"
        " BEGIN; ALTER TABLE taken DETACH PARTITION taken_1; ALTER TABLE taken ATTACH PARTITION instead FOR VALUES FROM (0) TO (400)"
    ),
    "above": "BEGIN; ALTER TABLE above ALTER n TYPE numeric(20)",
    "swapped": (
        "CREATE TABLE anew (LIKE swapped INCLUDING ALL); INSERT INTO anew {};"
        " BEGIN; DROP TABLE swapped; ALTER TABLE anew RENAME TO swapped"
    ),
}


@pytest.mark.parametrize("name", RELOADED)
def test_a_table_that_is_filled_anew_in_one_transaction_is_never_read_as_empty(uri: str, name: str) -> None:
    """Whoever waits for that transaction's lock sees the state before it, in which TRUNCATE shows nothing."""
    filled = "SELECT i, i FROM generate_series(1, 50) i"
    run_sql(
        uri,
        "DROP TABLE IF EXISTS one, several, above, swapped, taken, taken_1 CASCADE",
        *(f"CREATE TABLE {each} (id int PRIMARY KEY, n numeric)" for each in ("one", "swapped", "above")),
        *(
            f"CREATE TABLE {each} (id int PRIMARY KEY, n numeric) PARTITION BY RANGE (id)"
            for each in ("several", "taken")
        ),
        *(f"CREATE TABLE {each}_1 PARTITION OF {each} FOR VALUES FROM (0) TO (400)" for each in ("several", "taken")),
        "CREATE VIEW view_of_one AS SELECT * FROM one",
        "CREATE TABLE below () INHERITS (above)",
        *(f"INSERT INTO {each} {filled}" for each in ("one", "several", "below", "swapped", "taken")),
    )
    store, declared = PostgresStore(uri), table(name, FEW)
    with psycopg.connect(uri, autocommit=True) as loader, ThreadPoolExecutor() as pool, store.reading() as before:
        loader.execute(RELOADED[name].format(filled).encode())
        reader = pool.submit(read, store, declared)
        while not run_sql(uri, "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'relation'"):
            assert not reader.done()
        loader.execute("COMMIT")
        assert len(reader.result()) == 50
        with pytest.raises(StoreUnavailableError, match=r"emptied.* do not show.*new snapshot"):
            assert len(read(before, declared)) == 50
        with pytest.raises(StoreUnavailableError, match=r"emptied.* do not show.*new snapshot"):
            before.get(declared, rows(declared, {"id": 1}))


def test_a_part_that_is_made_while_a_table_is_read_hides_nothing(uri: str) -> None:
    run_sql(
        uri,
        "DROP TABLE IF EXISTS growing CASCADE",
        "CREATE TABLE growing (id int PRIMARY KEY, n numeric) PARTITION BY RANGE (id)",
        "CREATE TABLE growing_1 PARTITION OF growing FOR VALUES FROM (0) TO (400)",
        "INSERT INTO growing SELECT i, i FROM generate_series(1, 50) i",
    )
    declared = table("growing", FEW)
    with PostgresStore(uri).reading() as store:
        run_sql(
            uri,
            "CREATE TABLE growing_2 PARTITION OF growing FOR VALUES FROM (400) TO (800)",
            "INSERT INTO growing VALUES (500, 1)",
            "REINDEX TABLE growing",
            "CREATE INDEX ON growing (n)",
        )
        assert len(read(store, declared)) == len(read(store, declared, SEGMENTS)) == 50
        assert store.get(declared, rows(declared, {"id": 1}, {"id": 500})).num_rows == 1


@pytest.mark.parametrize("with_snapshot", [False, True])
def test_partitioned_tables_views_and_tables_without_a_key_are_read_in_segments(uri: str, with_snapshot: bool) -> None:
    run_sql(
        uri,
        "DROP TABLE IF EXISTS parts, parent, keyless CASCADE",
        "CREATE TABLE parts (id int PRIMARY KEY, n numeric) PARTITION BY RANGE (id)",
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (400)",
        "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (400) TO (1000)",
        "INSERT INTO parts SELECT i, i FROM generate_series(1, 900) i",
        "CREATE VIEW seen AS SELECT * FROM parts WHERE id > 450",
        "CREATE TABLE parent (id int, n numeric)",
        "CREATE TABLE child () INHERITS (parent)",
        "INSERT INTO parent SELECT i, i FROM generate_series(1, 50) i",
        "INSERT INTO child SELECT i, i FROM generate_series(51, 100) i",
        "CREATE TABLE keyless AS SELECT nullif(i % 50, 0) AS id, i::numeric AS n FROM generate_series(1, 200) i",
    )
    store = PostgresStore(uri)
    with store.export_snapshot() as snapshot:
        reader = PostgresStore(uri, snapshot=snapshot if with_snapshot else None)
        for name, expected in {"parts": 900, "seen": 450, "parent": 100, "keyless": 200}.items():
            declared = table(name, FEW)
            assert len(read(reader, declared, SEGMENTS)) == expected, name
            assert {row["n"] for row in read(reader, declared, SEGMENTS)} == {
                row["n"] for row in read(reader, declared)
            }, name


def test_composite_keys_are_spread_over_segments(uri: str) -> None:
    run_sql(
        uri,
        "DROP TABLE IF EXISTS pairs",
        "CREATE TABLE pairs (a text, b int, PRIMARY KEY (a, b))",
        "INSERT INTO pairs SELECT chr(97 + i % 5), i FROM generate_series(1, 1000) i",
    )
    declared = table("pairs", {"a": Type.TEXT, "b": Type.INTEGER}, key=["a", "b"])
    store = PostgresStore(uri)
    sizes = [sum(batch.num_rows for batch in store.read(declared, segment, 4)) for segment in range(4)]
    assert sum(sizes) == 1000
    assert min(sizes) > 150


def test_a_reader_that_is_left_early_leaves_no_connection(wide: Table, uri: str) -> None:
    batches = PostgresStore(uri).read(wide, 0, 1)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    backends = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'trueup' AND datname = current_database()"
    )
    for _ in range(50):
        if run_sql(uri, backends) == [(0,)]:
            return
    raise AssertionError("the connection is still there")


def test_reading_holds_a_bounded_part_of_the_table(uri: str) -> None:
    run_sql(
        uri,
        "DROP TABLE IF EXISTS fat",
        "CREATE TABLE fat AS SELECT i AS id, repeat('x', 1000) AS t FROM generate_series(1, 60000) i",
    )
    declared = table("fat", {"id": Type.INTEGER, "t": Type.TEXT})
    sizes = [batch.nbytes for batch in PostgresStore(uri).read(declared, 0, 1)]
    assert sum(sizes) > 60_000_000
    assert max(sizes) < 16_000_000


def test_estimates_come_from_the_planner(uri: str, wide: Table) -> None:
    store = PostgresStore(uri)
    assert store.describe(wide).estimated_rows is None  # type: ignore[union-attr]
    run_sql(uri, "ANALYZE wide")
    assert store.describe(wide).estimated_rows == ROWS  # type: ignore[union-attr]
    assert store.describe(table("nowhere", WIDE.columns)) is None
    with pytest.raises(StoreRejectedError, match="no table nowhere"):
        list(store.read(table("nowhere", WIDE.columns), 0, 1))
    with pytest.raises(StoreRejectedError, match="no column 'm'"):
        list(store.read(table("wide", {**WIDE.columns, "m": Type.TEXT}), 0, 1))


def test_no_timeout_of_the_database_ends_a_snapshot_or_a_read(uri: str, wide: Table) -> None:
    (database,) = run_sql(uri, "SELECT current_database()")[0]
    names = ("transaction_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    try:
        run_sql(uri, *(f"ALTER DATABASE {database} SET {name} = '60ms'" for name in names))
        with PostgresStore(uri).reading() as store:
            time.sleep(0.1)
            assert len(read(store, wide)) == ROWS
        with session(Address.of(uri, lock_timeout=1, patience=1), doing="look") as opened:
            found = opened.fetch("SELECT " + ", ".join(f"current_setting('{name}') AS {name}" for name in names))
        assert found.to_pylist() == [dict(zip(names, ("0", "0", "10min"), strict=True))]
    finally:
        run_sql(uri, f"ALTER DATABASE {database} RESET ALL")


@pytest.mark.parametrize("name", ["zero_damaged_pages", "ignore_checksum_failure"])
def test_a_server_that_reads_damaged_pages_without_an_error_is_an_obstacle(uri: str, wide: Table, name: str) -> None:
    """Somebody has saved by it what was left of a damaged database, and it is on since."""
    ((database,),) = run_sql(uri, "SELECT current_database()")

    def obstacles() -> tuple[str, ...]:
        described = PostgresStore(uri).describe(wide)
        assert described is not None
        return described.obstacles

    assert obstacles() == ()
    try:
        run_sql(uri, f"ALTER DATABASE {database} SET {name} = on")
        assert [name in each for each in obstacles()] == [True]
        with pytest.raises(StoreRejectedError, match=f"wide cannot be read: .*{name}"):
            read(PostgresStore(uri), wide)
    finally:
        run_sql(uri, f"ALTER DATABASE {database} RESET ALL")


def test_a_view_over_a_gin_index_is_read_whole_whatever_the_role_says(uri: str) -> None:
    """The setting has such an index give some of the rows that it finds, at random."""
    ((database,),) = run_sql(uri, "SELECT current_database()")
    run_sql(
        uri,
        "CREATE TABLE tagged (id int PRIMARY KEY, tags int[])",
        "INSERT INTO tagged SELECT n, ARRAY[1, n % 2 + 2] FROM generate_series(1, 20000) n",
        "CREATE INDEX ON tagged USING gin (tags)",
        "CREATE VIEW tagged_1 AS SELECT id FROM tagged WHERE tags @> '{1}'",
        "ANALYZE tagged",
    )
    view = table("tagged_1", {"id": Type.INTEGER})
    try:
        for setting in ("gin_fuzzy_search_limit = 10", "enable_seqscan = off"):
            run_sql(uri, f"ALTER DATABASE {database} SET {setting}")
        assert run_sql(uri, "SELECT count(*)::int < 20000 FROM tagged_1") == [(True,)]
        assert len(read(PostgresStore(uri), view)) == 20_000
    finally:
        run_sql(uri, f"ALTER DATABASE {database} RESET ALL")


def test_a_table_that_logical_replication_is_still_filling_is_an_obstacle(uri: str) -> None:
    """A subscription whose publisher is far: what its worker would note, step by step, is noted here by hand."""
    whole = table("filled", {"id": Type.INTEGER})
    run_sql(
        uri,
        "CREATE TABLE filled (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE filled_part PARTITION OF filled DEFAULT",
        "CREATE SUBSCRIPTION far CONNECTION 'host=far' PUBLICATION all_of_it WITH (connect = false, slot_name = NONE)",
    )
    store = PostgresStore(uri, patience=0)
    state = "INSERT INTO pg_subscription_rel SELECT oid, 'filled_part'::regclass, '{}', NULL FROM pg_subscription"
    try:
        for letter, whether in (("i", True), ("d", True), ("f", True), ("s", False), ("r", False)):
            run_sql(uri, "SET allow_system_table_mods = on", "DELETE FROM pg_subscription_rel", state.format(letter))
            described = store.describe(whole)
            assert described is not None
            assert ["still copying" in each for each in described.obstacles] == [True] * whether
            with pytest.raises(StoreUnavailableError, match="still copying") if whether else nullcontext():
                assert read(store, whole) == []
    finally:
        run_sql(uri, "DROP SUBSCRIPTION far", "DROP TABLE filled")


def test_a_standby_that_answers_by_now_is_not_read(uri: str, wide: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address of several servers led to the primary at preflight, and to a standby since, which has not all rows yet."""
    store = PostgresStore(uri, patience=0)
    assert store.get(wide, rows(wide, {"id": 1})).num_rows == 1
    monkeypatch.setattr(catalog, "QUERY", catalog.QUERY.replace("pg_is_in_recovery()", "true"))
    for asked in (lambda: store.get(wide, rows(wide, {"id": 1})), lambda: read(store, wide)):
        with pytest.raises(StoreUnavailableError, match=r"wide cannot be read: the server is a standby"):
            asked()


def test_a_snapshot_whose_holder_is_ended_is_told_at_once_and_another_block_has_another(uri: str, wide: Table) -> None:
    store = PostgresStore(uri, patience=60)
    with store.reading() as reading:
        run_sql(
            uri,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'trueup' AND datname ="
            " current_database() AND state = 'idle in transaction'",
        )
        begun = time.monotonic()
        with pytest.raises(StoreUnavailableError, match="no longer held open"):
            read(reading, wide)
        assert time.monotonic() - begun < 30
    with store.reading() as reading:
        assert len(read(reading, wide)) == ROWS

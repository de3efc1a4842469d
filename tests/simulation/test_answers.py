"""What is remembered of DuckDB's answers is what it would answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from include.trueup.errors import ArtifactError
from include.trueup.rows import duck

from .answers import Connection, Memory
from .lent import Databases


class Seen:
    """Databases that were opened, each empty."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.memory, self.opened = folder, Memory(on=True), 0

    def connection(self) -> Connection:
        """A connection that remembers."""

        def opening() -> duckdb.DuckDBPyConnection:
            self.opened += 1
            return duckdb.connect()

        return Connection(self.memory, self.folder, "own", opening)


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    """With a folder of its own."""
    return Seen(tmp_path)


def _rows(connection: Connection, file: Path) -> list[tuple[int]]:
    duck.relation(connection, "rows", [file], None)  # type: ignore[arg-type]
    connection.execute("CREATE OR REPLACE TEMP TABLE more AS SELECT n + 1 AS n FROM rows")
    rows: list[tuple[int]] = connection.execute("SELECT n FROM more ORDER BY n").fetchall()
    connection.close()
    return rows


def _asked_again(seen: Seen, file: Path) -> Connection:
    """A connection that was asked what another one was asked before."""
    _write(file, 1, 2)
    _rows(seen.connection(), file)
    connection = seen.connection()
    duck.relation(connection, "rows", [file], None)  # type: ignore[arg-type]
    connection.execute("CREATE OR REPLACE TEMP TABLE more AS SELECT n + 1 AS n FROM rows")
    return connection


def _write(file: Path, *numbers: int) -> None:
    with duckdb.connect() as connection:
        given = pa.table({"n": pa.array(numbers, pa.int64())})
        connection.register("given", given)
        duck.write(connection, "SELECT * FROM given", file)


def test_what_was_answered_once_is_not_computed_again_wherever_the_file_lies(seen: Seen, tmp_path: Path) -> None:
    for name in ("a.parquet", "b.parquet"):
        _write(tmp_path / name, 1, 2)
        assert _rows(seen.connection(), tmp_path / name) == [(2,), (3,)]
    assert seen.opened == 1


def test_other_rows_or_other_code_are_computed(seen: Seen, tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    _write(file, 1)
    assert _rows(seen.connection(), file) == [(2,)]
    _write(file, 5)
    assert _rows(seen.connection(), file) == [(6,)]
    seen.memory.code = b"patched"
    assert _rows(seen.connection(), file) == [(6,)]
    assert seen.opened == 3


def test_what_was_not_computed_is_done_before_what_is(seen: Seen, tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    connection = _asked_again(seen, file)
    assert connection.execute("SELECT sum(n) FROM more").fetchall() == [(5,)]


def test_what_is_computed_late_reads_files_as_they_were(seen: Seen, tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    connection = _asked_again(seen, file)
    _write(file, 7)
    assert connection.execute("SELECT n FROM more ORDER BY n").fetchall() == [(2,), (3,)]
    assert connection.execute("SELECT sum(n) FROM more").fetchall() == [(5,)]
    assert connection.execute("SELECT n FROM rows").fetchall() == [(7,)]


def test_what_is_computed_late_reads_files_that_are_gone(seen: Seen, tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    connection = _asked_again(seen, file)
    file.unlink()
    assert connection.execute("SELECT sum(n) FROM more").fetchall() == [(5,)]
    assert [*tmp_path.iterdir()] == []


def test_a_file_that_was_written_is_written_again(seen: Seen, tmp_path: Path) -> None:
    for name in ("a", "b"):
        connection = seen.connection()
        (tmp_path / name).mkdir()
        file = tmp_path / name / "out.parquet"
        assert duck.write(connection, "SELECT 1 AS n", file) == 1  # type: ignore[arg-type]
        assert duck.columns_of(file).names == ["n"]
        parts = ", PARTITION_BY (n)"
        duck.write(connection, "SELECT 1 AS n, 2 AS m", tmp_path / name / "parts", parts)  # type: ignore[arg-type]
        assert [each.parent.name for each in (tmp_path / name / "parts").glob("*/*.parquet")] == ["n=1"]
    assert seen.opened == 1


def test_files_elsewhere_are_read_each_time(seen: Seen, tmp_path: Path) -> None:
    seen.folder = tmp_path / "other"
    for number in (1, 5):
        _write(tmp_path / "a.parquet", number)
        assert _rows(seen.connection(), tmp_path / "a.parquet") == [(number + 1,)]


def test_rows_that_are_read_from_a_stream_are_part_of_what_was_asked(seen: Seen) -> None:
    for numbers in ([1, 2], [1, 2], [3]):
        connection = seen.connection()
        rows = pa.table({"n": numbers})
        connection.register("given", pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches()))
        assert connection.sql("SELECT n FROM given ORDER BY n").to_arrow_table().column(0).to_pylist() == numbers
    assert seen.opened == 2


def test_an_error_comes_out_in_the_words_of_the_engine(tmp_path: Path) -> None:
    gone = f"SELECT * FROM read_parquet('{tmp_path}/gone.parquet')"
    with ExitStack() as opened:
        databases = Databases(Memory(on=True), tmp_path, duck.connect, opened)
        with pytest.raises(ArtifactError), databases.connect(tmp_path) as connection:
            connection.execute(gone)


def test_a_database_is_given_to_the_next_only_as_it_was_at_first(tmp_path: Path) -> None:
    connects: list[Path] = []

    @contextmanager
    def connect(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        connects.append(scratch)
        with duckdb.connect() as database:
            yield database

    with ExitStack() as opened:
        databases = Databases(Memory(on=True), tmp_path, connect, opened)
        for more, opens in (
            ("CREATE TEMP TABLE t AS SELECT 2 AS n", 1),
            ("CREATE TABLE t AS SELECT 2 AS n", 1),
            ("", 2),
        ):
            with databases.connect(tmp_path) as connection:
                with pytest.raises(duckdb.CatalogException):
                    connection.execute(f"SELECT * FROM rows, t -- {more}")
                connection.execute(f"CREATE OR REPLACE VIEW rows AS SELECT 1 AS n -- {more}")
                connection.execute(more or "SELECT 1")
                assert connection.execute(f"SELECT n, {len(more)} FROM rows").fetchall() == [(1, len(more))]
            assert len(connects) == opens


def test_what_reads_other_relations_only_is_not_computed_again(seen: Seen, tmp_path: Path) -> None:
    for number in (1, 5):
        connection = seen.connection()
        for name, content in (("a", 3), ("b", number)):
            _write(tmp_path / f"{name}.parquet", content)
            duck.relation(connection, name, [tmp_path / f"{name}.parquet"], None)  # type: ignore[arg-type]
            connection.execute(f"CREATE TEMP TABLE of_{name} AS SELECT n + 1 AS n FROM {name}")
            connection.execute(f"CREATE TEMP VIEW last_{name} AS SELECT n FROM of_{name}")
            connection.execute(f"DELETE FROM of_{name} WHERE n > 100")
        taken = len(seen.memory.answers)
        assert connection.execute("SELECT n FROM last_a").fetchall() == [(4,)]
        assert len(seen.memory.answers) == taken + (number == 1)
        assert connection.execute("SELECT n FROM last_b").fetchall() == [(number + 1,)]


_ANYTHING = ("SET VARIABLE v = {n}", "DROP VIEW IF EXISTS {3}")
_STATEMENTS = (
    "CREATE OR REPLACE TEMP TABLE {0} AS SELECT n + {n} AS n FROM {1}",
    "CREATE OR REPLACE TEMP VIEW {2} AS SELECT n * 2 AS n FROM {1}",
    "CREATE OR REPLACE TEMP VIEW {3} AS SELECT n + (SELECT count(*) FROM {1}) AS n FROM {2}",
    "-- some; not all\nDELETE FROM {0} WHERE n % 3 = {n}",
    "INSERT INTO {0} SELECT n FROM {2}",
    "UPDATE {0} SET n = n + {n}",
    "CREATE OR REPLACE TEMP MACRO {4}(x) AS x + (SELECT count(*) FROM {1})",
    "INSERT INTO {0} SELECT {4}(n) FROM {2}",
    "CREATE OR REPLACE TEMP VIEW {2} AS SELECT n FROM {0}; CREATE OR REPLACE TEMP VIEW {3} AS SELECT n FROM {2}",
    "register {n}",
    "CREATE OR REPLACE TEMP TABLE g AS SELECT n FROM {2}",
    "SELECT sum(n) FROM {0}",
    "SELECT sum(n) FROM {1}",
    "SELECT sum(n) FROM {2}",
    "SELECT sum({4}(n)) FROM {2}",
    "SELECT max(n), getvariable('v') FROM {3}",
    "SELECT count(*) FROM {5}",
    "SELECT view_name FROM duckdb_views() WHERE len(view_name) = 1",
    "SELECT table_name, column_count FROM duckdb_tables() WHERE len(table_name) = 1",
)


def test_whatever_is_asked_is_answered_as_by_duckdb(tmp_path: Path) -> None:
    forgets = Random(0)
    with duckdb.connect() as database:
        plain = [_answers(database.cursor, Random(seed)) for seed in range(24)]
        memory = Memory(on=True)
        for _ in range(3):
            for seed in range(24):
                connect = partial(Connection, memory, tmp_path, "own", database.cursor)
                assert _answers(connect, Random(seed)) == plain[seed], seed
            memory.answers = {name: answer for name, answer in memory.answers.items() if forgets.random() < 0.6}


def _answers(connect: Callable[[], Any], random: Random) -> list[object]:
    with closing(connect()) as connection:
        for name in ("a", "b"):
            connection.execute(f"CREATE TEMP TABLE {name} AS SELECT {random.randrange(2)} AS n")
        for name in ("c", "d"):
            connection.execute(f"CREATE TEMP VIEW {name} AS SELECT n FROM a")
        connection.execute("CREATE TEMP MACRO e(x) AS x")
        connection.execute("SET VARIABLE v = 0")
        connection.register("f", pa.table({"n": [1]}))
        return [_asked(connection, random) for _ in range(25)]


def _asked(connection: Any, random: Random) -> object:
    tables, views = random.sample("ab", 2), random.sample("cd", 2)
    text = random.choice(_STATEMENTS if random.random() < 0.97 else _ANYTHING).format(
        *tables, *views, "e", "f", n=random.randrange(3)
    )
    if text.startswith("register"):
        connection.register("f", pa.table({"n": [1] * int(text[-1])}))
        return None
    try:
        rows = connection.execute(text).fetchall()
    except duckdb.Error as error:
        return type(error)
    return sorted(rows) if text.startswith("SELECT") else None


def test_what_came_to_hold_the_same_on_another_way_is_the_same(seen: Seen, tmp_path: Path) -> None:
    computed = []
    for name, most in (("a.parquet", 3), ("b.parquet", 7)):
        _write(tmp_path / name, 1, 2, most)
        connection = seen.connection()
        duck.relation(connection, "rows", [tmp_path / name], None)  # type: ignore[arg-type]
        connection.execute("CREATE OR REPLACE TEMP TABLE more AS SELECT n + 1 AS n FROM rows")
        connection.execute("DELETE FROM more WHERE n = (SELECT max(n) FROM more)")
        before = len(seen.memory.answers)
        assert connection.execute("SELECT n FROM more ORDER BY n").fetchall() == [(2,), (3,)]
        computed.append(len(seen.memory.answers) - before)
        connection.close()
    assert computed == [1, 0]

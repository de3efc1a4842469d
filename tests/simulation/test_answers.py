"""What is remembered of DuckDB's answers is what it would answer."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from include.trueup.errors import ArtifactError
from include.trueup.rows import duck

from .answers import ChangedError, Connection, Memory, remembered


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
    _write(file, 1, 2)
    _rows(seen.connection(), file)
    connection = seen.connection()
    duck.relation(connection, "rows", [file], None)  # type: ignore[arg-type]
    connection.execute("CREATE OR REPLACE TEMP TABLE more AS SELECT n + 1 AS n FROM rows")
    assert connection.execute("SELECT sum(n) FROM more").fetchall() == [(5,)]


def test_where_a_file_has_changed_meanwhile_it_is_said(seen: Seen, tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    _write(file, 1, 2)
    _rows(seen.connection(), file)
    connection = seen.connection()
    duck.relation(connection, "rows", [file], None)  # type: ignore[arg-type]
    connection.execute("CREATE OR REPLACE TEMP TABLE more AS SELECT n + 1 AS n FROM rows")
    _write(file, 7)
    with pytest.raises(ChangedError):
        connection.execute("SELECT n FROM more ORDER BY n")


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
    with pytest.raises(ArtifactError), remembered(Memory(on=True), tmp_path, duck.connect, tmp_path) as connection:
        connection.execute(gone)

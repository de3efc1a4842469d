"""Transforms that are functions: what they are given, that they are held to what they declare, and each way to be wrong."""

from __future__ import annotations

import datetime as clock
import hashlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from include.trueup.declare.migration import Migration, Phase, Source, Table, Target, Type
from include.trueup.errors import DeclarationError
from include.trueup.plan import functions, hashing
from include.trueup.plan.inputs import SQL
from include.trueup.rows import duck

Made = dict[str, pd.DataFrame]
TYPES = {
    "id": Type.TEXT, "amount": Type.NUMBER, "n": Type.INTEGER, "f": Type.FLOAT, "b": Type.BOOLEAN, "at": Type.TIMESTAMP,
    "local": Type.DATETIME, "day": Type.DATE, "doc": Type.JSON, "raw": Type.BINARY,
}  # fmt: skip
DIRTY = """
    ('a', '123456789012345678901234567890.10', 9007199254740993, 'nan'::DOUBLE, true, '2025-01-01 00:00:00.000001+02',
        '2025-01-01', '0999-01-01', '{"x":[1.10]}', '\\x00\\xff'::BLOB),
    ('b', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('c', '-0.1', -1, -0.0, false, '1969-12-31 23:59:59Z', '9999-12-31 23:59:59.999999', '1970-01-01', 'null', '')
"""


def copied(people: pd.DataFrame) -> Made:
    return {"rows": people[[*TYPES]].assign(_source=people["_key"])}


def declared(function: Any, **more: Any) -> Migration:
    def table(name: str) -> Table:
        return Table(name=name, connection="c_postgres", key=("id",), columns=TYPES)

    phase = Phase(id="copy", source="people", target="persons", transform=function)
    return Migration(
        id="functions", owner="tests", doc="-", sources=(Source(id="people", table=table("people"), partition_by=("id",)),),
        targets=(Target(id="persons", table=table("persons")),), phases=(phase,), **more,
    )  # fmt: skip


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """One partition with three people, the second of nulls."""
    columns = ", ".join(f"{duck.identifier(name)} {SQL[type_]}" for name, type_ in TYPES.items())
    with duck.connect(tmp_path) as made:
        made.execute(f"CREATE TEMP TABLE __trueup_of_people ({columns})")
        made.execute(f"INSERT INTO __trueup_of_people VALUES {DIRTY}")
        made.execute("ALTER TABLE __trueup_of_people ADD COLUMN _key VARCHAR")
        made.execute("UPDATE __trueup_of_people SET _key = id")
        made.execute("CREATE TEMP VIEW people AS FROM __trueup_of_people")
        yield made


def define(connection: duckdb.DuckDBPyConnection, function: Callable[..., Any]) -> None:
    migration = declared(function)
    run: Any = SimpleNamespace(migration=migration)
    functions.define(connection, run, migration.phases[0])


def test_every_value_goes_through_a_function_as_it_is(connection: duckdb.DuckDBPyConnection) -> None:
    define(connection, copied)
    columns = ", ".join(f"{duck.identifier(name)}::VARCHAR" for name in TYPES)
    given, made = (connection.execute(f"SELECT {columns} FROM {t} ORDER BY id").fetchall() for t in ("people", "rows"))
    assert made == given
    assert given[0][1] == "123456789012345678901234567890.10"
    assert given[0][3] == "nan"


def other_types(people: pd.DataFrame) -> Made:
    """What an author has who does not keep to what he is given, where nothing is lost by it."""
    rows = copied(people)["rows"].sort_values("id").reset_index(drop=True)
    rows["amount"] = [Decimal("0.10"), None, 10**30]
    rows["n"] = pd.Series([1, None, 3], dtype="Int64")
    rows["b"] = pd.Categorical(["x", "x", "x"]) == "x"
    rows["doc"] = "{}"
    rows["day"] = [clock.date(2025, 1, 1), None, clock.date(2025, 1, 2)]
    rows["at"] = pd.to_datetime(["2025-01-01", None, "2025-01-02"], utc=True)
    return {"rows": rows[rows["id"] != "b"]}  # an index with a gap says nothing


def test_types_that_lose_nothing_are_taken(connection: duckdb.DuckDBPyConnection) -> None:
    define(connection, other_types)
    made = connection.execute("SELECT id, amount::VARCHAR, n, b, doc, day::VARCHAR FROM rows ORDER BY id").fetchall()
    assert made == [("a", "0.10", 1, True, "{}", "2025-01-01"), ("c", str(10**30), 3, True, "{}", "2025-01-02")]


def with_column(people: pd.DataFrame, name: str, value: Any) -> Made:
    return {"rows": copied(people)["rows"].assign(**{name: value})}


def a_list(people: pd.DataFrame) -> Any:
    return [people]


def no_frame(people: pd.DataFrame) -> Any:
    return {"rows": copied(people)["rows"].to_dict()}


def no_rows(people: pd.DataFrame) -> Made:
    return {"findings": people}


def another_frame(people: pd.DataFrame) -> Made:
    return {**copied(people), "row": people}


def no_source(people: pd.DataFrame) -> Made:
    return {"rows": people[[*TYPES]]}


def half_findings(people: pd.DataFrame) -> Made:
    return {**copied(people), "findings": pd.DataFrame({"_source": ["a"]})}


def named_index(people: pd.DataFrame) -> Made:
    return {"rows": copied(people)["rows"].set_index("id", drop=False)}


def grouped(people: pd.DataFrame) -> Made:
    return {"rows": copied(people)["rows"].groupby(["id", "_source"]).first()}


def text_index(people: pd.DataFrame) -> Made:
    rows = copied(people)["rows"]
    rows.index = pd.Index(["x", "y", "z"])
    return {"rows": rows}


def twice_named(people: pd.DataFrame) -> Made:
    rows = copied(people)["rows"]
    return {"rows": pd.concat([rows, rows[["n"]]], axis=1)}


def number_as_float(people: pd.DataFrame) -> Made:
    return with_column(people, "amount", people["amount"].astype("double[pyarrow]"))


def numpy_float(people: pd.DataFrame) -> Made:
    return with_column(people, "amount", 1.5)


def integer_of_merge(people: pd.DataFrame) -> Made:
    return with_column(people, "n", people["n"].astype("float64"))


def integer_as_float(people: pd.DataFrame) -> Made:
    return with_column(people, "n", 1.0)


def nan_for_null(people: pd.DataFrame) -> Made:
    return with_column(people, "doc", pd.Series(["{}", np.nan, "[]"], dtype=object))


def nan_or_null(people: pd.DataFrame) -> Made:
    return with_column(people, "f", np.array([1.0, np.nan, 2.0]))


def mixed(people: pd.DataFrame) -> Made:
    return with_column(people, "id", pd.Series(["a", 2, b"c"], dtype=object))


def number_as_id(people: pd.DataFrame) -> Made:
    return with_column(people, "id", 1)


def no_zone(people: pd.DataFrame) -> Made:
    return with_column(people, "at", pd.Timestamp("2025-01-01"))


def nanoseconds(people: pd.DataFrame) -> Made:
    return with_column(people, "local", pd.Timestamp("2025-01-01 00:00:00.000000001"))


def dictionaries(people: pd.DataFrame) -> Made:
    return with_column(people, "doc", pd.Series([{"x": 1}] * len(people), dtype=object))


def strangers(people: pd.DataFrame) -> Made:
    return with_column(people, "_source", "another")


def nobody(people: pd.DataFrame) -> Made:
    return with_column(people, "_source", None)


def multiplied(people: pd.DataFrame) -> Made:
    rows = copied(people)["rows"]
    return {"rows": rows.merge(pd.DataFrame({"_source": ["a", "a"], "m": [1, 2]}), how="left").drop(columns="m")}


def raises(people: pd.DataFrame) -> Made:
    return {"rows": people[["nothing"]]}


def by_place(people: pd.DataFrame) -> Made:
    return with_column(people, "doc", str(people["id"].iloc[0]))


_CALLS = [0]


def remembers(people: pd.DataFrame) -> Made:
    _CALLS[0] += 1
    return with_column(people, "doc", str(_CALLS[0]))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (a_list, "gives list, not a dict of frames"),
        (no_frame, "not a dict of frames"),
        (no_rows, "gives no frame 'rows'"),
        (another_frame, "a frame 'row', which means nothing"),
        (no_source, "lacks the columns \\['_source'\\]"),
        (half_findings, "frame 'findings' lacks the columns"),
        (named_index, "has an index of its own \\(id, .*reset_index"),
        (grouped, "has an index of its own \\(id, _source"),
        (text_index, "has an index of its own"),
        (twice_named, "has the column 'n' twice"),
        (number_as_float, "'amount' is double.*Type.NUMBER is declared: give a number as text.*digits are lost"),
        (numpy_float, "'amount' is float64.*Type.NUMBER"),
        (integer_of_merge, "'n' is float64 with NaN in it"),
        (integer_as_float, "'n' is float64.*Type.INTEGER is declared: give an integer"),
        (nan_for_null, "'doc' has a NaN in row 1: null is None"),
        (nan_or_null, "'f' is float64 with NaN in it, which may be a null or a NaN"),
        (mixed, "'id' holds values of several types \\(bytes, int, str\\)"),
        (number_as_id, "'id' is int64.*Type.TEXT is declared: give text"),
        (no_zone, "Type.TIMESTAMP is declared: give a timestamp with its time zone"),
        (nanoseconds, "more digits than microseconds"),
        (dictionaries, "Type.JSON is declared: give JSON as text"),
        (strangers, "3 rows of 'rows' are of no row of 'people' in this partition \\(_source is 'another'"),
        (nobody, "_source is None"),
        (multiplied, "has 2 rows of the key 'a', all of source row 'a'.*merge"),
        (raises, "raised KeyError \\(line \\d+ of test_function_transforms.py\\)"),
        (by_place, "is not pure: called again on the same rows, in another order, 3 rows of 'rows' are others"),
        (remembers, "is not pure"),
    ],
)
def test_each_mistake_is_told(connection: duckdb.DuckDBPyConnection, function: Any, said: str) -> None:
    with pytest.raises(DeclarationError, match=rf"(?s)phase 'copy': transform {function.__name__}\(\).*{said}"):
        define(connection, function)


# what a declaration takes for a transform


def asks_the_clock(people: pd.DataFrame) -> Made:
    return with_column(people, "doc", str(clock.datetime.now(clock.UTC)))


def draws(people: pd.DataFrame) -> Made:
    return with_column(people, "doc", str(random.random()))


def _later() -> float:
    return time.time()


def through_another(people: pd.DataFrame) -> Made:
    return with_column(people, "doc", [str(_later()) for _ in people["id"]])


def imports_it(people: pd.DataFrame) -> Made:
    import os

    return with_column(people, "doc", os.environ["HOME"])


def of_numpy(people: pd.DataFrame) -> Made:
    return with_column(people, "n", np.random.default_rng().integers(9))


def with_default(people: pd.DataFrame, more: int = 1) -> Made:
    return copied(people)


def of_all(*people: pd.DataFrame) -> Made:
    return copied(people[0])


def of_nothing(peoples: pd.DataFrame) -> Made:
    return copied(peoples)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (asks_the_clock, "asks_the_clock .line \\d+ of test_function_transforms.py. uses now, but a transform is pure"),
        (draws, "uses random"),
        (through_another, "_later .line .* uses time"),
        (imports_it, "uses os"),
        (of_numpy, "uses default_rng"),
        (with_default, "parameter 'more' must be a plain one without default"),
        (of_all, "parameter 'people' must be a plain one"),
        (of_nothing, "asks for 'peoples', which is not a relation; did you mean 'people'"),
        (lambda people: copied(people), "is not a function of a module"),
        (dict, "is not a function of a module"),
    ],
)
def test_a_declaration_refuses_what_is_not_pure(function: Any, said: str) -> None:
    with pytest.raises(DeclarationError, match=f"phase 'copy'.*{said}"):
        declared(function)


def test_a_phase_with_a_function_says_where_its_code_is_and_a_plan_is_of_that_code() -> None:
    migration = declared(copied)
    phase = migration.phases[0]
    run: Any = SimpleNamespace(migration=migration, undoes=None)
    sha256 = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    assert hashing._scripts(run) == {"copy.transform.test_function_transforms.py": sha256}
    assert (phase.scripts, phase.code) == ((), (Path(__file__),))
    assert replace(phase, title="Another").function is copied

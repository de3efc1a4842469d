"""Declarations made at random that `make check` accepts, with rows of odd values, all the way: each is planned, applied, proven,
found again and rolled back on the stores' twins, and no row of a source is lost on the way; where rows lie in windows, one is
backfilled first."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import Phase as Generated
from hypothesis import strategies as st

from include.console.check import problems
from include.trueup.declare import Derived, Migration, Param, Phase, Source, Table, Target, Type
from include.trueup.declare.phase import Output
from include.trueup.declare.relations import WINDOWED
from include.trueup.run import Window
from include.trueup.testing import Made, Stage, make, there_and_back
from include.trueup.testing.literal import as_read, in_python
from tests.simulation.twins import DocumentServer, DocumentTwin, LedgerTwin, RelationalTwin, WorkspaceTwin
from tests.unit.embedded.backfilled import backfill

NAMES = ["a", "Full Name", "order", "key", "é", 'a"b', "select", "VALUE", "t", "sum(x)", "row", "p", "__x"]
POSTGRES = tuple(Type)
DYNAMODB = (Type.TEXT, Type.NUMBER, Type.BOOLEAN, Type.BINARY)
KEYS: Mapping[str, list[Type]] = {
    "postgres": [t for t in Type if t not in (Type.JSON, Type.FLOAT)],
    "dynamodb": [Type.TEXT, Type.NUMBER, Type.BINARY],
}
_ODD_TEXTS = [
    *("", " ", "a", "A", "1", "1.50", "-0", "9007199254740993", "1e400", "NaN", "true", "2024-02-29", "2024-02-30", '{"b": 1.10}'),
    *("null", "NULL", "\\N", "it's", 'a"b', "a,b", "[1]", "é", "e\u0301", "🦆", "\u0001", "x" * 300, "2024-02-29T12:00:00.123456Z"),
]  # fmt: skip
_TIMES = [
    dt.datetime(1, 1, 1),
    dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
    dt.datetime(2024, 2, 29, 12),
    dt.datetime(9999, 12, 31, 23, 59, 59, 999999),
]
VALUES: Mapping[Type, list[Any]] = {
    Type.TEXT: _ODD_TEXTS,
    Type.NUMBER: [Decimal(n) for n in ("0", "1", "-1.5", "9007199254740993", "123456789012345678901234567890.5", "1e-20", "1e40")],
    Type.INTEGER: [0, 1, -1, 2, 9007199254740993, 2**63 - 1, -(2**63)],
    Type.FLOAT: [0.0, -0.0, 0.1, 1.0, float("nan"), float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308],
    Type.BOOLEAN: [True, False],
    Type.TIMESTAMP: [each.replace(tzinfo=dt.UTC) for each in _TIMES],
    Type.DATETIME: _TIMES,
    Type.DATE: [each.date() for each in _TIMES],
    Type.JSON: ["{}", "[]", "null", '"x"', "1", '{"b":1.10,"a":[null,{"é":"\\u0000x"}]}', "12345678901234567890.5", '"2024-02-29"'],
    Type.BINARY: [b"", b"a", b"\x00\xff", b"\\x41"],
}  # fmt: skip
CASTS: Mapping[Type, tuple[Type, ...]] = {
    Type.TEXT: tuple(t for t in Type if t is not Type.BINARY),
    Type.NUMBER: (Type.TEXT, Type.INTEGER, Type.FLOAT, Type.JSON),
    Type.INTEGER: (Type.TEXT, Type.NUMBER, Type.FLOAT, Type.BOOLEAN),
    Type.FLOAT: (Type.TEXT, Type.NUMBER, Type.INTEGER),
    Type.BOOLEAN: (Type.TEXT, Type.JSON),
    Type.TIMESTAMP: (Type.TEXT, Type.DATE),
    Type.DATETIME: (Type.TEXT, Type.TIMESTAMP),
    Type.DATE: (Type.TEXT, Type.DATETIME, Type.TIMESTAMP),
    Type.JSON: (Type.TEXT, Type.NUMBER, Type.BOOLEAN),
    Type.BINARY: (Type.TEXT,),
}
"""What a column may be declared as in the target, beside what it is in the source; two of it are refused by `make check`."""
SHAPES = ("copy", "findings", "many", "first", "two", "owned", "looked up", "derived", "param")
DAYS = (
    Window(start=dt.datetime(2024, 2, 29, tzinfo=dt.UTC), end=dt.datetime(2024, 3, 1, tzinfo=dt.UTC)),
    Window(start=_TIMES[0].replace(tzinfo=dt.UTC), end=_TIMES[2].replace(tzinfo=dt.UTC)),
    Window(start=_TIMES[1].replace(tzinfo=dt.UTC), end=_TIMES[3].replace(tzinfo=dt.UTC)),
)
"""Ranges of which a run may be: a day, and two that begin or end with a value of `_TIMES`."""
SEVERITIES = ("reject", "skip", "keep", "warning")


def _quoted(names: list[str]) -> str:
    return ", ".join('"' + name.replace('"', '""') + '"' for name in names)


@dataclass(frozen=True, kw_only=True)
class Declared:
    """The parts of a declaration, and rows of its source."""

    shape: str
    of_dynamodb: tuple[bool, bool]
    columns: dict[str, Type]
    key: tuple[str, ...]
    into: dict[str, Type]
    required: tuple[str, ...]
    severity: str
    rows: list[dict[str, Any]]
    partitions: int
    sets: bool
    window: str | None
    days: Window
    keeps: bool
    held: int

    def script(self) -> str:
        """The transform."""
        names = [*self.columns]
        source, of_key = _quoted(names), _quoted([*self.key])
        rows, findings = f"SELECT {source}, _key AS _source FROM old", ""
        if self.shape == "findings":
            found = "hash(_key) % 2 = 0"
            says = f"SELECT _key AS _source, _key AS key, '{self.severity}' AS severity, 'found' AS code, 'found' AS message"
            findings = f"CREATE VIEW findings AS {says} FROM old WHERE {found};"
            rows += "" if self.severity == "warning" else f" WHERE NOT ({found})"
        elif self.shape == "many":
            rows = f"SELECT {source}, n AS nth, _key AS _source FROM old, (VALUES (1), (2)) AS v(n)"
        elif self.shape == "first":  # one row of several
            group = _quoted(names[-1:])
            ranked = f"SELECT *, row_number() OVER (PARTITION BY {group} ORDER BY _key) AS nth FROM old"
            rows = f"SELECT {source}, _key AS _source FROM ranked WHERE nth = 1"
            says = "SELECT _key AS _source, _key AS key, 'skip' AS severity, 'further' AS code, '' AS message"
            findings = f"CREATE VIEW ranked AS {ranked}; CREATE VIEW findings AS {says} FROM ranked WHERE nth > 1;"
        elif self.shape == "two":
            findings = f"CREATE VIEW rows_beside AS SELECT {of_key}, _key AS _source FROM old;"
        elif self.shape == "owned":
            nulls = ", ".join(f"NULL AS {_quoted([name])}" for name in self.into)
            rows = f"SELECT {of_key}, {nulls}, _key AS _source FROM old"
        elif self.shape == "derived":
            rows = f"SELECT {source}, _key AS _source FROM every"
        elif self.shape == "param":
            rows = f"SELECT {source}, (SELECT value FROM params WHERE id = 'word') AS nth, _key AS _source FROM old"
        elif self.shape == "looked up":
            of_old = ", ".join(f"old.{_quoted([name])}" for name in names)
            joined = "FROM old LEFT JOIN others o ON o.k = old._key GROUP BY ALL"
            rows = f"SELECT {of_old}, 'x' || count(o) AS nth, old._key AS _source {joined}"
        if self.sets:
            rows = rows.replace(", _key AS _source", ", 'never' AS stamp, _key AS _source", 1)
        return f"{findings} CREATE VIEW rows AS {rows}"

    def declare(self, folder: Path) -> Migration:
        """The migration."""
        (folder / "rows.sql").write_text(self.script(), encoding="utf-8")
        (folder / "migration.py").touch()  # where a problem's line is looked for
        came_from, goes_to = (f"c_{'dynamodb' if each else 'postgres'}" for each in self.of_dynamodb)
        old = Table(name="old", connection=came_from, key=self.key, columns=self.columns)
        sources = [Source(table=old, partition_by=self.partition_by, window=self.window)]
        into, key = {**self.into}, self.key
        if self.shape in ("many", "looked up", "param"):
            into["nth"] = Type.TEXT if self.shape != "many" or self.of_dynamodb[1] else Type.INTEGER
            key = (*key, "nth") if self.shape == "many" else key
        if self.shape == "owned":
            return Migration(
                id="made", owner="tests", sources=(*sources,), targets=(Target(id="new", table=old, owned=(*self.into,)),),
                phases=(Phase(source="old", target="new", transform=folder / "rows.sql", allow_empty=True),),
            )  # fmt: skip
        new = Table(name="new", connection=goes_to, key=key, columns=into, required=self.required)
        if self.sets:
            new = replace(new, columns={**into, "stamp": Type.TEXT})
        targets, phase = (
            [Target(table=new, sets=("stamp",) if self.sets else ())],
            Phase(
                source="every" if self.shape == "derived" else "old",
                keeps_existing="kept" if self.keeps else None,
                target="new",
                transform=folder / "rows.sql",
                allow_empty=True,
                expected_skips=tuple(code for code in ("found", "further") if f"'{code}'" in self.script()),
            ),
        )
        if self.shape == "two":
            beside = Table(name="beside", connection=goes_to, key=key, columns={name: into[name] for name in key})
            targets.append(Target(table=beside))
            phase = Phase(
                source="old", outputs=(Output(target="new"), Output(target="beside")), transform=folder / "rows.sql",
                allow_empty=True,
            )  # fmt: skip
        if self.shape == "looked up":
            others = Table(name="others", connection=came_from, key=("k",), columns={"k": Type.TEXT})
            sources.append(Source(table=others, partition_by=None))
        return Migration(
            id="made", owner="tests", sources=(*sources,), targets=(*targets,), phases=(phase,), derived=self.derived(folder),
            params=(Param(id="word", title="Word", description="", type="string", default="", choices=("", "it's")),),
        )  # fmt: skip

    def derived(self, folder: Path) -> tuple[Derived, ...]:
        """The relation that the phase is of, where that is not the source."""
        if self.shape != "derived":
            return ()
        (folder / "every.sql").write_text(f"SELECT {_quoted([*self.columns])} FROM old", encoding="utf-8")
        return (
            Derived(id="every", name="old", columns=self.columns, key=self.key, query=folder / "every.sql", window=self.window),
        )  # fmt: skip

    def there(self, made: Made) -> list[dict[str, Any]]:
        """Rows that the target has already: some that are planned, a value of which is another."""
        columns = [name for name in self.into if name not in (*self.key, *self.required)]
        rows = []
        for row in made.rows["new"][: self.held] if columns else []:
            other = {name: value for name, value in row.items() if name in self.into or name == "nth"}
            if other.pop(columns[0], None) is not None:
                rows.append(other)
        return rows

    def is_within(self, row: dict[str, Any]) -> bool:
        """Whether the row lies in the days, said without the engine."""
        value = row[self.window or ""]
        if isinstance(value, str):
            day, at = dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 12, 0, 0, 123456)
            value = {"2024-02-29": day, "2024-02-29T12:00:00.123456Z": at}.get(value)
        if value is not None and not isinstance(value, dt.datetime):
            value = dt.datetime.combine(value, dt.time())
        return value is not None and self.days.start <= value.replace(tzinfo=dt.UTC) < self.days.end

    @property
    def partition_by(self) -> tuple[str, ...]:
        """Rows of one value of the last column lie together, where one of them is taken."""
        return ([*self.columns][-1],) if self.shape == "first" else self.key


def _may_become(type_: Type, there: tuple[Type, ...], of_key: bool, of_dynamodb: bool) -> list[Type]:
    """Itself, and types that take some of its values."""
    found = [each for each in (type_, *CASTS.get(type_, ())) if each in there]
    return (
        [each for each in found if each in KEYS["dynamodb" if of_dynamodb else "postgres"]]
        if of_key
        else found or [Type.TEXT]
    )


def _beside(draw: st.DrawFn, shape: str, into_dynamodb: bool, columns: dict[str, Type]) -> dict[str, Any]:
    """What may stand beside the shape of a declaration, and rows that the target has."""
    plain = shape in ("copy", "findings", "derived", "param")
    windows = [None, *(name for name, type_ in columns.items() if type_ in WINDOWED)]
    return {
        "sets": plain and not into_dynamodb and draw(st.booleans()),
        "window": draw(st.sampled_from(windows)),
        "days": draw(st.sampled_from(DAYS)),
        "keeps": plain and draw(st.booleans()),
        "held": draw(st.integers(0, 3)) if plain else 0,
    }


@st.composite
def declared(draw: st.DrawFn) -> Declared:
    """A declaration that may be all right, with rows."""
    shape = draw(st.sampled_from(SHAPES))
    of_dynamodb = draw(st.tuples(st.booleans(), st.booleans()))
    of_dynamodb = (of_dynamodb[0],) * 2 if shape == "owned" else of_dynamodb
    names = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=5, unique=True))
    here, there = (DYNAMODB if each else POSTGRES for each in of_dynamodb)
    keys = st.sampled_from(KEYS["dynamodb" if True in of_dynamodb else "postgres"])
    key = tuple(names[: draw(st.integers(1, 1 if shape == "many" else min(2, len(names) - 1)))])
    columns = {name: draw(keys if name in key else st.sampled_from(here)) for name in names}
    into = {
        name: draw(st.sampled_from(_may_become(type_, there, name in key, True in of_dynamodb)))
        for name, type_ in columns.items()
    }
    if shape == "owned":
        into = {name: type_ for name, type_ in columns.items() if name not in key}
    row = st.fixed_dictionaries(
        {
            name: st.sampled_from(VALUES[type_]) if name in key else st.none() | st.sampled_from(VALUES[type_])
            for name, type_ in columns.items()
        }
    )
    empty = ("", b"") if of_dynamodb[0] else ()  # no key of DynamoDB
    rows = draw(
        st.lists(row, min_size=draw(st.sampled_from([0, 2, 2, 2])), max_size=6, unique_by=lambda row: repr([row[name] for name in key]))
        .map(lambda rows: [row for row in rows if not any(row[name] in empty for name in key)])
    )  # fmt: skip
    return Declared(
        shape=shape, of_dynamodb=of_dynamodb, columns=columns, key=key, into=into, rows=rows,
        required=tuple(draw(st.sets(st.sampled_from([*into]), max_size=1))) if shape != "owned" else (),
        severity=draw(st.sampled_from(SEVERITIES)), partitions=draw(st.integers(1, 3)), **_beside(draw, shape, of_dynamodb[1], columns),
    )  # fmt: skip


def twins(folder: Path) -> Stage:
    """Where it runs: empty stores in memory."""
    relational, documents = RelationalTwin(), DocumentTwin(DocumentServer())
    return Stage(
        store=lambda connection: documents if "dynamodb" in connection else relational,
        ledger=LedgerTwin(),
        workspace=WorkspaceTwin(folder / "workspace"),
    )


def all_the_way(each: Declared, folder: Path) -> None:
    """There and back, if `make check` has nothing against it; a gate may stop it only for what `check` of these rows says, too."""
    migration = each.declare(folder)
    assume(not problems(migration, folder))
    rows: dict[str, list[dict[str, Any]]] = {"old": each.rows}
    if each.shape == "looked up":
        rows["others"] = [{"k": "true"}, {"k": "1"}]
    made = make(migration, rows)
    accounted(each, migration, made)
    gives = {target: planned for target, planned in made.rows.items() if each.shape != "owned"}
    there = each.there(made)
    if each.keeps:
        named = {tuple(row[name] for name in each.key): row for row in there}
        gives["new"] = [named.get(tuple(row[name] for name in each.key), row) for row in gives["new"]]
    rejects = {key: code for (_, key), code in made.codes("reject").items()}
    stage = twins(folder)
    backfilled = each.window is not None and each.shape not in ("first", "owned")
    if each.sets:  # such a table is made by its own script
        new = migration.targets[0].table
        made_before = replace(new, columns={**new.columns, "stamp": Type.TEXT}, sets=(), sets_defaults=False)
        stage.store(new.connection).create(made_before)
    holds = {"new": there} if there else {}
    try:
        if backfilled:
            backfill(each, migration, stage, rows, holds, gives)
        else:
            there_and_back(
                migration, stage, rows=rows, holds=holds, gives=gives, rejects=rejects, partitions=each.partitions
            )
    except AssertionError as error:
        if not (made.broken and "gate did not pass" in str(error)):
            raise
    else:
        assert not made.broken
    finally:
        stage.ledger.close()


def accounted(each: Declared, migration: Migration, made: Made) -> None:
    """Every source row is planned or told of, and what is planned of a column is what was read, where it is of the same type."""
    (phase,) = migration.phases
    counts, ended = made.counts[phase.id], set(made.codes("reject"))
    assert (counts["source_rows"], counts["unaccounted"]) == (len(each.rows), 0), (each, counts)
    assert counts["rejected"] == len(ended), (each, counts)
    if each.shape in ("copy", "many", "looked up", "derived", "param"):
        read = as_read(migration.sources[0].table, each.rows, dynamodb=each.of_dynamodb[0])
        times = 2 if each.shape == "many" else 1
        same = {name for name, type_ in each.columns.items() if each.into[name] is type_ and type_ is not Type.JSON}
        told = [name for name, type_ in each.columns.items() if type_ is not Type.JSON]
        kept = [_told(row, told, same) for row in made.rows["new"]]
        given = [_told(row, told, same) for row in in_python(read) for _ in range(times)]
        assert not Counter(kept) - Counter(given), each
        assert len(kept) == (len(each.rows) - len(ended)) * times, each


def _told(row: Mapping[str, Any], names: list[str], same: set[str]) -> str:
    """What must be of a planned row as it was read: values, or of another type whether there is one."""
    return repr([row[name] if name in same else row[name] is None for name in names])


GENERATED = settings(
    deadline=None, derandomize=True, database=None, phases=[Generated.generate], suppress_health_check=list(HealthCheck)
)
"""The same examples each time, not made smaller: each is three runs, which cost 2 s to compute."""


@settings(GENERATED, max_examples=4)
@given(each=declared())
def test_what_check_accepts_is_proven(workspace_folder: Path, each: Declared) -> None:
    all_the_way(each, workspace_folder)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(GENERATED, max_examples=48)
@given(each=declared())
def test_whatever_check_accepts_is_proven(workspace_folder: Path, each: Declared) -> None:
    all_the_way(each, workspace_folder)

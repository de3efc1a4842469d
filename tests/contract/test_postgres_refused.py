"""Rows that PostgreSQL refuses, or lets disappear: each is told, with what refused it, and the others are written."""

from __future__ import annotations

import pytest

from include.embedded import postgres
from include.trueup.declare.migration import Table, Type
from include.trueup.errors import StoreRejectedError
from include.trueup.stores import REFUSED_ELSEWHERE, Outcome, Share
from include.trueup.stores.postgres import PostgresStore, halving
from tests.contract.postgres_rows import rows, table
from tests.harness import new_database, run_sql

COLUMNS = {"id": Type.INTEGER, "v": Type.NUMBER, "u": Type.TEXT}
DECLARED = table("t", COLUMNS)
PLAIN = "CREATE TABLE t (id bigint PRIMARY KEY, v numeric, u text)"
FUNCTION = "CREATE OR REPLACE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} END $$"
TRIGGER = "CREATE TRIGGER meddles BEFORE {} ON t FOR EACH ROW EXECUTE FUNCTION meddle()"


@pytest.fixture(scope="module")
def uri(postgres_server: postgres.Server) -> str:
    return new_database(postgres_server)


@pytest.fixture
def store(uri: str) -> PostgresStore:
    run_sql(uri, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return PostgresStore(uri, lock_timeout=0.2, patience=0.5)


def told(outcome: Outcome) -> dict[str, str | None]:
    """The rows refused, with what refused each."""
    assert outcome.conflicts == []
    return {row.key: row.constraint for row in outcome.refused}


NOT_REFERRED_TO = "INSERT INTO p SELECT 'u' || n FROM generate_series(0, 16) n WHERE n NOT IN (7, 11)"
REFERS = "u text CONSTRAINT refers REFERENCES p DEFERRABLE INITIALLY DEFERRED"
RAISES = "IF NEW.v > 100 THEN RAISE EXCEPTION 'too much'; END IF; RETURN NEW;"
DROPS = "IF NEW.v > 100 THEN RETURN NULL; END IF; RETURN NEW;"
PART = "CREATE TABLE part_{0} PARTITION OF t FOR VALUES FROM ({0}) TO ({1})"
APART = "v numeric, CONSTRAINT apart EXCLUDE ((v > 100) WITH =) WHERE (v > 100)"


@pytest.mark.parametrize(
    ("made", "constraint"),
    [
        ([PLAIN.replace("v numeric", "v numeric CONSTRAINT small CHECK (v < 100)")], "small"),
        ([PLAIN.replace("v numeric", "v numeric(2)")], "column v"),
        ([PLAIN.replace("u text", "u text NOT NULL")], "column u"),
        ([PLAIN.replace("v numeric", APART)], "apart"),
        ([PLAIN, "CREATE UNIQUE INDEX by_lower ON t (lower(u)) WHERE v > 100"], "by_lower"),
        (["CREATE TABLE p (u text PRIMARY KEY)", PLAIN.replace("u text", REFERS), NOT_REFERRED_TO], "refers"),
        ([PLAIN, FUNCTION.format(RAISES), TRIGGER.format("INSERT")], "trigger meddles"),
        ([PLAIN, FUNCTION.format(DROPS), TRIGGER.format("INSERT")], "trigger meddles"),
        ([f"{PLAIN} PARTITION BY RANGE (id)", *(PART.format(*p) for p in ((0, 7), (8, 11), (12, 17)))], None),
    ],
)
def test_what_is_refused_is_named_and_the_others_are_written(
    store: PostgresStore, uri: str, made: list[str], constraint: str | None
) -> None:
    run_sql(uri, *made)
    null = constraint == "column u"
    given = [{"id": n, "v": "1", "u": f"u{n}"} for n in range(17)]
    for n in (7, 11):
        given[n] |= {"v": "101", "u": None if null else "same" if constraint in ("by_lower", "apart") else f"u{n}"}
    several = constraint in ("by_lower", "apart")  # the first of the two is let in
    refused = ["11"] if several else ["7", "11"]
    for _ in range(2):  # and again: what is written counts, what is refused is refused
        outcome = store.add(DECLARED, rows(DECLARED, *given))
        assert told(outcome) == dict.fromkeys(refused, constraint)
        assert outcome.written == 17 - len(refused)
    assert run_sql(uri, "SELECT count(*) FROM t") == [(17 - len(refused),)]


def test_a_change_that_is_dropped_is_refused_and_one_that_somebody_made_is_a_conflict(
    store: PostgresStore, uri: str
) -> None:
    run_sql(
        uri,
        PLAIN,
        "INSERT INTO t SELECT n, 1, 'u' FROM generate_series(0, 5) n",
        FUNCTION.format(
            "IF NEW.id = 2 THEN RETURN NULL; END IF; IF NEW.id = 3 THEN NEW.u = 'mine'; END IF; RETURN NEW;"
        ),
        TRIGGER.format("UPDATE"),
        "UPDATE t SET v = 7 WHERE id = 4",
    )
    before = rows(DECLARED, *({"id": n, "v": "1", "u": "u"} for n in range(6)))
    after = rows(DECLARED, *({"id": n, "v": "2", "u": "u"} for n in range(6)))
    outcome = store.change(DECLARED, after, before)
    assert [(r.key, r.constraint) for r in outcome.refused] == [("2", "trigger meddles")]
    # what the trigger made of row 3 was written: that it is another row is for the proof to find
    assert ([c.key for c in outcome.conflicts], outcome.written) == (["4"], 4)


def test_a_key_that_the_table_takes_for_another_is_refused(store: PostgresStore, uri: str) -> None:
    run_sql(uri, "CREATE TABLE spans (id interval CONSTRAINT spans_key PRIMARY KEY)")
    declared = table("spans", {"id": Type.TEXT})
    outcome = store.add(declared, rows(declared, {"id": "1 day"}, {"id": "24:00:00"}, {"id": "2 days"}))
    assert (outcome.written, told(outcome)) == (2, {"24:00:00": "spans_key"})


def test_a_row_is_removed_unless_others_refer_to_it_or_a_trigger_keeps_it(store: PostgresStore, uri: str) -> None:
    run_sql(
        uri,
        PLAIN,
        "CREATE TABLE child (t bigint REFERENCES t)",
        "INSERT INTO t SELECT n, 1, 'u' FROM generate_series(0, 5) n",
        "INSERT INTO child VALUES (3)",
        FUNCTION.format("IF OLD.id = 2 THEN RETURN NULL; END IF; RETURN OLD;"),
        TRIGGER.format("DELETE"),
    )
    outcome = store.remove(DECLARED, rows(DECLARED, *({"id": n, "v": "1", "u": "u"} for n in range(6))))
    assert [(r.key, r.constraint) for r in outcome.refused] == [("2", "trigger meddles")]
    assert [c.key for c in outcome.conflicts] == ["3"]
    assert "child" in outcome.conflicts[0].reason
    assert run_sql(uri, "SELECT id FROM t ORDER BY id") == [(2,), (3,)]


def test_a_batch_of_which_every_row_is_refused_is_given_up(
    store: PostgresStore, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halving, "HOPELESS", 10)
    run_sql(uri, PLAIN.replace("v numeric", "v numeric CONSTRAINT never CHECK (false)"))
    given = rows(DECLARED, *({"id": n, "v": "1"} for n in range(40)))
    with pytest.raises(StoreRejectedError, match=r"first 10 of 40 rows were refused.*never.*\w\. Nothing of this"):
        store.add(DECLARED, given)


def test_a_unit_of_which_a_row_is_refused_is_not_written(store: PostgresStore, uri: str) -> None:
    run_sql(uri, PLAIN, "CREATE TABLE log (id bigint PRIMARY KEY, t bigint CONSTRAINT of_t CHECK (t <> 5))")
    log = table("log", {"id": Type.INTEGER, "t": Type.INTEGER})

    def share(declared: Table, *given: dict[str, int]) -> Share:
        made = rows(declared, *given)
        before = rows(declared, *({} for _ in given))
        return Share(table=declared, rows=made, before=before, units=tuple(range(len(given))))

    shares = [share(DECLARED, *({"id": n} for n in range(9))), share(log, *({"id": n, "t": n} for n in range(9)))]
    for _ in range(2):
        first, second = store.together(shares)
        assert (first.written, second.written, first.conflicts, second.conflicts) == (8, 8, [], [])
        assert [(r.key, r.reason) for r in first.refused] == [("5", REFUSED_ELSEWHERE)]
        assert [(r.key, r.constraint) for r in second.refused] == [("5", "of_t")]
    assert run_sql(uri, "SELECT count(*) FROM t JOIN log USING (id)") == [(8,)]


def test_rows_that_refer_to_one_another_are_removed_in_one_transaction(store: PostgresStore, uri: str) -> None:
    run_sql(uri, PLAIN, "CREATE TABLE log (id bigint PRIMARY KEY, t bigint REFERENCES t)")
    log = table("log", {"id": Type.INTEGER, "t": Type.INTEGER})

    def share(declared: Table, *given: dict[str, int], gone: bool) -> Share:
        made, none = rows(declared, *given), rows(declared, *({} for _ in given))
        units = tuple(range(len(given)))
        return Share(table=declared, rows=made, before=made if gone else none, units=units, gone=(gone,) * len(given))

    for gone, left in ((False, 6), (True, 0)):
        shares = [
            share(DECLARED, *({"id": n} for n in range(6)), gone=gone),
            share(log, *({"id": n, "t": n} for n in range(6)), gone=gone),
        ]
        assert [(o.written, o.conflicts, o.refused) for o in store.together(shares)] == [(6, [], [])] * 2
        assert run_sql(uri, "SELECT count(*) FROM t") == run_sql(uri, "SELECT count(*) FROM log") == [(left,)]
    run_sql(uri, "INSERT INTO t VALUES (1)", "INSERT INTO log VALUES (1, 1)")
    (outcome,) = store.together([share(DECLARED, {"id": 1}, gone=True)])
    assert [r.reason.partition("). ")[2] for r in outcome.refused] == [
        "Rows of another table still refer to it: they have to go first, or to refer to another row."
    ]


@pytest.mark.parametrize("cascade_to", [(), ("public.c.refers",)])
@pytest.mark.parametrize("on_delete", ["NO ACTION", "CASCADE"])
def test_a_row_that_others_refer_to_stays_where_no_trigger_fires(
    store: PostgresStore, uri: str, on_delete: str, cascade_to: tuple[str, ...]
) -> None:
    """With this setting of a role or a database the server looks after no foreign key, and cascades nothing."""
    run_sql(
        uri,
        PLAIN,
        f"CREATE TABLE c (t bigint CONSTRAINT refers REFERENCES t ON DELETE {on_delete})",
        "INSERT INTO t VALUES (1, 1, 'u'), (2, 2, 'u')",
        "INSERT INTO c VALUES (1)",
    )
    (database,) = run_sql(uri, "SELECT current_database()")[0]
    given = rows(DECLARED, {"id": 1, "v": "1", "u": "u"}, {"id": 2, "v": "2", "u": "u"})
    run_sql(uri, f"ALTER DATABASE {database} SET session_replication_role = replica")
    try:
        outcome = store.remove(DECLARED, given, cascade_to=cascade_to)
    finally:
        run_sql(uri, f"ALTER DATABASE {database} RESET ALL")
    assert [(one.key, "other rows refer to it" in one.reason) for one in outcome.conflicts] == [("1", True)]
    assert run_sql(uri, "SELECT id FROM t") == [(1,)]


@pytest.mark.parametrize("held", [r"a \u0000", r"\ud800", "1e999999"])
def test_a_conflict_is_told_of_a_row_whose_json_no_jsonb_holds(store: PostgresStore, uri: str, held: str) -> None:
    text = held if held.startswith("1") else f'"{held}"'
    run_sql(uri, f"{PLAIN[:-1]}, j json)", f"INSERT INTO t VALUES (1, 1, 'theirs', '{text}')")
    new, before = (rows(DECLARED, {"id": 1, "v": "1", "u": u}) for u in ("new", "before"))
    outcomes = [store.add(DECLARED, new), store.change(DECLARED, new, before)]
    assert [[(c.key, text in (c.found or "")) for c in outcome.conflicts] for outcome in outcomes] == [
        [("1", True)]
    ] * 2


@pytest.mark.parametrize("role", ["origin", "replica"])
@pytest.mark.parametrize(
    ("on_update", "cascade_to", "stays"),
    [
        ("SET NULL", (), {"origin", "replica"}),
        ("SET DEFAULT", (), {"origin", "replica"}),
        ("CASCADE", (), {"replica"}),
        ("SET NULL", ("public.c.refers",), {"replica"}),
    ],
)
def test_a_row_is_not_changed_where_what_refers_to_it_would_be_emptied(
    store: PostgresStore, uri: str, role: str, on_update: str, cascade_to: tuple[str, ...], stays: set[str]
) -> None:
    """A foreign key may be to any unique columns, which a migration changes."""
    run_sql(
        uri,
        PLAIN.replace("u text", "u text UNIQUE"),
        f"CREATE TABLE c (u text CONSTRAINT refers REFERENCES t (u) ON UPDATE {on_update})",
        "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')",
        "INSERT INTO c VALUES ('a'), ('c')",
    )
    (database,) = run_sql(uri, "SELECT current_database()")[0]
    before = rows(DECLARED, *({"id": n, "v": f"{n}", "u": u} for n, u in ((1, "a"), (2, "b"), (3, "c"))))
    after = rows(DECLARED, *({"id": n, "v": "9", "u": u} for n, u in ((1, "A"), (2, "B"), (3, "c"))))
    shares = [Share(table=DECLARED, rows=after, before=before, units=(0, 1, 2), cascade_to=cascade_to)]
    run_sql(uri, f"ALTER DATABASE {database} SET session_replication_role = {role}")
    try:
        alone = store.change(DECLARED, after, before, cascade_to=cascade_to)
        (in_unit,) = store.together(shares)  # which finds what is written already
    finally:
        run_sql(uri, f"ALTER DATABASE {database} RESET ALL")
    follows = "A" if on_update == "CASCADE" else None
    for outcome in (alone, in_unit):
        assert told(outcome) == ({"1": "public.c.refers"} if role in stays else {})
    assert {*run_sql(uri, "SELECT u FROM c")} == {("c",), ("a" if role in stays else follows,)}
    assert run_sql(uri, "SELECT u, v FROM t ORDER BY id")[1:] == [("B", 9), ("c", 9)]


@pytest.mark.parametrize(("its", "ours"), [("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")])
def test_what_is_written_outlasts_a_crash_whatever_the_role_says(
    store: PostgresStore, uri: str, its: str, ours: str
) -> None:
    (database,) = run_sql(uri, "SELECT current_database()")[0]
    run_sql(
        uri,
        PLAIN,
        FUNCTION.format("NEW.u = current_setting('synchronous_commit'); RETURN NEW;"),
        TRIGGER.format("INSERT"),
        f"ALTER DATABASE {database} SET synchronous_commit = {its}",
    )
    try:
        store.add(DECLARED, rows(DECLARED, {"id": 1, "v": "1", "u": None}))
    finally:
        run_sql(uri, f"ALTER DATABASE {database} RESET ALL")
    assert run_sql(uri, "SELECT u FROM t") == [(ours,)]

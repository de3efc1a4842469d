"""Tables of the shapes that public sample databases have, carried by what `make new` writes, and reshaped; there and back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from include.console.pairing import parts
from include.embedded import postgres
from include.trueup.declare import Migration, Phase, Source, Table, Target, columns
from include.trueup.declare.phase import Output
from include.trueup.errors import GateError
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from tests.harness import new_database, run_sql
from tests.migrations.generated import NEW, OLD, TABLES, Databases, merged, verbs

FOLDER = Path(__file__).parent / "shapes"
SHAPES = (
    "films",
    "trades",
    "songs",
    "bikes",
    "staff",
    "countries",
    "flights",
    "questions",
    "baseball",
    "parts",
    "forum",
)
IN_A_CIRCLE = {"films": "ALTER TABLE store DROP CONSTRAINT store_manager_staff_id_fkey"}
"""Of two tables that refer to each other none can be the first: one of the keys is taken away until both are there."""

LEFT = {"sales.prices": ("price",)}
"""Columns of money, which no type carries: left out, and said."""


@pytest.fixture
def fresh(postgres_server: postgres.Server, ledger: Ledger, workspace: Workspace, tmp_path: Path) -> Databases:
    """Two empty databases."""
    return Databases(new_database(postgres_server), new_database(postgres_server), ledger, workspace, tmp_path)


def script(shape: str) -> str:
    return (FOLDER / f"{shape}.sql").read_text(encoding="utf-8")


def emptied(here: Databases, shape: str) -> None:
    """The same tables in the new database, with all that they do, and no rows."""
    run_sql(here.uris[NEW], script(shape))
    tables = [name for (name,) in run_sql(here.uris[NEW], TABLES)]
    run_sql(
        here.uris[NEW], f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE", IN_A_CIRCLE.get(shape, "SELECT 1")
    )


def there_and_back(here: Databases) -> Migration:
    """Every table of the old database, in one run, and back."""
    tables = [name for (name,) in run_sql(here.uris[OLD], TABLES)]
    generated = {name: here.generated(name, tested=True, left=LEFT.get(name, ())) for name in tables}
    migration = merged("shape", *generated.values())
    assert set(verbs(here.run(migration))) == {"add"}
    held = {name: here.rows(NEW, name, list(one.targets[0].table.columns)) for name, one in generated.items()}
    for name, one in generated.items():
        assert held[name] == here.rows(OLD, name, list(one.targets[0].table.columns)), name
    assert set(verbs(here.run(migration))) == {"keep"}
    return migration


def undone(here: Databases, migration: Migration) -> None:
    here.back(migration)
    for target in migration.targets:
        schema, table = parts(target.table.name)
        assert run_sql(here.uris[NEW], f'SELECT * FROM "{schema}"."{table}"') == []


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_tables_are_made_alike_in_a_database_that_has_nothing(shape: str, fresh: Databases) -> None:
    """Types, schemas and keys come along; `staff` has an enum in a schema, of which the new database knows nothing."""
    run_sql(fresh.uris[OLD], script(shape))
    undone(fresh, there_and_back(fresh))


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_tables_that_are_there_are_filled(shape: str, fresh: Databases) -> None:
    """Triggers, foreign keys, sequences, partitions, generated columns: each does what it does, and all is proven."""
    run_sql(fresh.uris[OLD], script(shape))
    emptied(fresh, shape)
    migration = there_and_back(fresh)
    for column, last in run_sql(fresh.uris[NEW], SEQUENCES):
        assert run_sql(
            fresh.uris[NEW],
            f"SELECT {last} >= coalesce(max({column.rpartition('.')[2]}), 0) FROM {column.rpartition('.')[0]}",
        ) == [(True,)]
    undone(fresh, migration)


SEQUENCES = """
    SELECT d.refobjid::regclass || '.' || quote_ident(a.attname), coalesce(s.last_value, 0)
    FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    JOIN pg_sequences s ON (quote_ident(s.schemaname) || '.' || quote_ident(s.sequencename))::regclass = c.oid
    WHERE d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
"""
"""The columns that sequences fill, and where these are."""


@pytest.mark.slow
def test_a_trigger_that_stamps_rows_is_named_with_the_remedy(fresh: Databases) -> None:
    """Every table of Pagila has it. An added row keeps its stamp; of a changed one the proof says who set it, and what to do."""
    run_sql(fresh.uris[OLD], script("films"))
    emptied(fresh, "films")
    migration = fresh.generated("actor")
    fresh.run(migration)
    run_sql(fresh.uris[OLD], "UPDATE actor SET first_name = 'EVA' WHERE actor_id = 1")
    with pytest.raises(GateError, match=r"'last_update'.*trigger last_updated .*Target\.sets"):
        fresh.run(migration)
    (target,) = migration.targets
    stamped = {name: type_ for name, type_ in target.table.columns.items() if name != "last_update"}
    table = replace(
        target.table, columns=stamped, required=tuple(n for n in target.table.required if n != "last_update")
    )
    again = replace(migration, targets=(replace(target, table=table, sets=("last_update",)),))
    fresh.run(again)
    assert run_sql(fresh.uris[NEW], "SELECT first_name FROM actor ORDER BY 1") == [("BO",), ("EVA",)]


DOCUMENTS = """
CREATE VIEW rows AS
SELECT
    f.film_id AS id,
    to_json({
        'title': f.title,
        'rating': f.rating,
        'language': trim(l.name),
        'actors': coalesce((
            SELECT list({'id': a.actor_id, 'name': a.first_name || ' ' || a.last_name} ORDER BY a.actor_id)
            FROM film_actor fa JOIN actor a USING (actor_id) WHERE fa.film_id = f.film_id
        ), []),
        'categories': coalesce((
            SELECT list(c.name ORDER BY c.name) FROM film_category fc JOIN category c USING (category_id) WHERE fc.film_id = f.film_id
        ), [])
    }) AS doc,
    f._key AS _source
FROM film f JOIN language l USING (language_id);
CREATE VIEW findings AS SELECT _key AS _source, title AS key, 'reject' AS severity, 'untitled' AS code, 'no title' AS message
FROM film WHERE title IS NULL;
"""
SPLIT = """
CREATE VIEW rows AS SELECT o.order_id, o.order_date, o.freight, c.company_name AS customer, o._key AS _source
FROM orders o LEFT JOIN customers c ON rtrim(c.customer_id) = rtrim(o.customer_id);
CREATE VIEW rows_shipments AS SELECT order_id, ship_name AS receiver, coalesce(nullif(ship_city, ''), 'unknown') AS city, _key AS _source
FROM orders WHERE ship_name IS NOT NULL;
"""


def test_a_film_becomes_one_document_with_its_actors_and_categories(fresh: Databases, tmp_path: Path) -> None:
    run_sql(fresh.uris[OLD], script("films"))
    (tmp_path / "documents.sql").write_text(DOCUMENTS)
    film, *looked_up = (
        fresh.generated(name).sources[0]
        for name in ("film", "actor", "category", "language", "film_actor", "film_category")
    )
    named = [replace(source, id=source.table.name, partition_by=None) for source in looked_up]
    films = Table(name="films", connection=NEW, key=("id",), columns=columns(integer="id", json="doc"))
    migration = Migration(
        id="documents", owner="tests", sources=(replace(film, id="film"), *named), targets=(Target(table=films),),
        phases=(Phase(source="film", target="films", transform=tmp_path / "documents.sql"),),
    )  # fmt: skip
    assert verbs(fresh.run(migration)) == {"add": 3}
    expected = run_sql(
        fresh.uris[OLD],
        """SELECT f.film_id, jsonb_build_object('title', title, 'rating', rating, 'language', trim(l.name), 'actors', coalesce((
            SELECT jsonb_agg(jsonb_build_object('id', actor_id, 'name', first_name || ' ' || last_name) ORDER BY actor_id)
            FROM film_actor JOIN actor USING (actor_id) WHERE film_actor.film_id = f.film_id), '[]'), 'categories', coalesce((
            SELECT jsonb_agg(c.name ORDER BY c.name) FROM film_category JOIN category c USING (category_id)
            WHERE film_category.film_id = f.film_id), '[]'))::text FROM film f JOIN language l USING (language_id) ORDER BY 1""",
    )
    found = run_sql(fresh.uris[NEW], "SELECT id, doc::text FROM films ORDER BY 1")
    assert [(id, json.loads(doc)) for id, doc in found] == [(id, json.loads(doc)) for id, doc in expected]
    fresh.back(migration)
    assert run_sql(fresh.uris[NEW], "SELECT * FROM films") == []


@pytest.mark.slow
def test_one_wide_table_becomes_two_by_a_look_up(fresh: Databases, tmp_path: Path) -> None:
    run_sql(fresh.uris[OLD], script("trades"))
    (tmp_path / "split.sql").write_text(SPLIT)
    orders, customers = (fresh.generated(name).sources[0] for name in ("orders", "customers"))
    headers = columns(integer="order_id", date="order_date", float="freight", text="customer")
    shipments = columns(integer="order_id", text="receiver city")
    targets = tuple(
        Target(table=Table(name=name, connection=NEW, key=("order_id",), columns=typed))
        for name, typed in {"headers": headers, "shipments": shipments}.items()
    )
    sources: tuple[Source, ...] = (
        replace(orders, id="orders"),
        replace(customers, id="customers", partition_by=None),
    )
    outputs = (Output(target="headers"), Output(target="shipments"))
    phase = Phase(source="orders", outputs=outputs, transform=tmp_path / "split.sql")
    migration = Migration(id="split", owner="tests", sources=sources, targets=targets, phases=(phase,))
    assert verbs(fresh.run(migration)) == {"add": 3}
    expected = "SELECT order_id, order_date, freight, company_name FROM orders LEFT JOIN customers USING (customer_id) ORDER BY 1"
    assert run_sql(
        fresh.uris[NEW], "SELECT order_id, order_date, freight::real, customer FROM headers ORDER BY 1"
    ) == run_sql(fresh.uris[OLD], expected)
    assert run_sql(fresh.uris[NEW], "SELECT * FROM shipments") == [(10248, "Vins", "Reims")]
    assert verbs(fresh.run(migration)) == {"keep": 3}
    fresh.back(migration)
    assert run_sql(fresh.uris[NEW], "SELECT order_id FROM headers UNION ALL SELECT order_id FROM shipments") == []

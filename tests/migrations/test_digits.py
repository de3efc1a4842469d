"""Runs over real stores end with every digit that a source has: a row whose number went through a double is a reject, the others are
proven as they are."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from include.embedded import postgres
from include.trueup.declare import Migration, Phase, Source, Table, Target, columns
from include.trueup.declare.cost import Cost
from include.trueup.ledger import Ledger
from include.trueup.rows import digits
from include.trueup.run.workspace import Workspace
from include.trueup.stores.dynamodb import DynamoDBStore
from include.trueup.stores.postgres import PostgresStore
from include.trueup.testing import Stage, there_and_back
from tests.harness import new_database

N38 = Decimal("0.12345678901234567890123456789012345678")
PG = Decimal("12345678901234567890123456789012345678901234567890.12345")
SCRIPT = """
CREATE VIEW rows AS
SELECT id, {whole} AS document, coalesce(exact, CASE id WHEN 'lost' THEN {whole} ->> 'price' END) AS price, _key AS _source
FROM (SELECT *, json_at({whole}, CASE WHEN id <> 'lost' THEN '$.price' END) AS exact FROM old)
"""


@pytest.fixture
def stage(
    postgres_server: postgres.Server, empty_kpi_store: DynamoDBStore, ledger: Ledger, workspace: Workspace
) -> Stage:
    rows = PostgresStore(new_database(postgres_server))
    return Stage(store=lambda id: empty_kpi_store if "dynamodb" in id else rows, ledger=ledger, workspace=workspace)


def migration(folder: Path, store: str, whole: str) -> Migration:
    (folder / "rows.sql").write_text(SCRIPT.format(whole=whole))
    types = columns(text="id", json="document", number="price")
    old = Table(name="old", connection=f"old_{store}", key=("id",), columns=columns(text="id", json="document"))
    new = Table(name="new", connection="new_postgres", key=("id",), columns=types)
    phase = Phase(source="old", target="new", transform=folder / "rows.sql")
    return Migration(
        id="digits", owner="o", sources=(Source(table=old),), targets=(Target(table=new),), phases=(phase,)
    )


@pytest.mark.parametrize(
    ("store", "whole", "number"),
    [("postgres", "document", PG), ("dynamodb", "json_from_dynamodb(document)", N38)],
)
def test_every_digit_is_in_the_target_or_the_row_is_rejected(
    store: str, whole: str, number: Decimal, stage: Stage, tmp_path: Path
) -> None:
    documents: dict[str, dict[str, Any]] = {
        "kept": {"price": number, "more": [1, number]},
        "lost": {"price": number},
        "short": {"price": Decimal("1.5")},
    }
    given = {key: document if store == "dynamodb" else text(document) for key, document in documents.items()}
    there_and_back(
        migration(tmp_path, store, whole),
        stage,
        rows={"old": [{"id": key, "document": document} for key, document in given.items()]},
        gives={
            "new": [
                {"id": key, "document": text(document), "price": document["price"]}
                for key, document in documents.items()
                if key != "lost"
            ]
        },
        rejects={"lost": "digits_lost"},
    )


def text(document: dict[str, Any]) -> str:
    """A document as JSON, with every digit."""
    members = (f'"{k}":{"[" + ",".join(map(str, v)) + "]" if isinstance(v, list) else v}' for k, v in document.items())
    return "{" + ",".join(members) + "}"


def test_a_relation_that_all_partitions_share_loses_none_either(stage: Stage, tmp_path: Path) -> None:
    """The row of `here` takes its price from a document of another row, in whichever partition that is."""
    (tmp_path / "prices.sql").write_text(
        "SELECT id, document ->> 'price' AS lossy, json_at(document, 'price') AS whole FROM old"
    )
    declared = replace(migration(tmp_path, "postgres", "document"), shared={"prices": tmp_path / "prices.sql"})
    (tmp_path / "rows.sql").write_text(
        "CREATE VIEW rows AS SELECT id, NULL AS document, _key AS _source, "
        "(SELECT CASE old.id WHEN 'here' THEN lossy ELSE whole END FROM prices p WHERE p.id = 'there') AS price FROM old"
    )
    there_and_back(
        declared,
        stage,
        rows={"old": [{"id": "here", "document": "{}"}, {"id": "there", "document": text({"price": N38})}]},
        gives={"new": [{"id": "there", "price": N38}]},
        rejects={"here": "digits_lost"},
        partitions=3,
    )


@pytest.mark.parametrize("case", ["it fails", "a version before", "it costs something"])
def test_where_what_all_partitions_share_is_not_there_of_neighbours_rows_are_rejected(
    case: str, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The query finds one row of the number, and two of a neighbour; the version before computed none of neighbours."""
    (tmp_path / "prices.sql").write_text(
        "SELECT (SELECT id FROM old WHERE json_at(document, 'price')::DOUBLE > 0.3333333333333333::DOUBLE) AS more"
    )
    declared = replace(migration(tmp_path, "postgres", "document"), shared={"prices": tmp_path / "prices.sql"})
    (tmp_path / "rows.sql").write_text(
        "CREATE VIEW rows AS SELECT id, document, NULL AS price, _key AS _source FROM old, (SELECT count(*) FROM prices)"
    )
    (phase,) = declared.phases
    declared = replace(declared, phases=(replace(phase, allow_empty=True),))
    (tmp_path / "cost.sql").write_text(
        "CREATE VIEW figures AS SELECT 'a' AS name, 1 AS value; CREATE VIEW paid AS SELECT id FROM old"
    )
    if case == "it costs something":
        declared = replace(declared, cost=Cost(scripts=(tmp_path / "cost.sql",), words=lambda figures, params: {}))
    if case == "a version before":
        monkeypatch.setattr(digits, "first_long", lambda *_, **_more: None)
    document = text({"price": Decimal("0.33333333333333333333")})
    there_and_back(
        declared,
        stage,
        rows={"old": [{"id": "a", "document": '{"price":0.4}'}, {"id": "b", "document": document}]},
        gives={"new": []},
        rejects={"a": "digits_lost", "b": "digits_lost"},
    )

"""The ledger's revisions make the tables that the code declares, and go down and up again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from include.trueup import ledger
from include.trueup.ledger.tables import SCHEMA, metadata

VERSIONS = {"version_table": "ledger_version", "version_table_schema": SCHEMA}


@pytest.fixture
def connection(ledger_uri: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(sa.make_url(ledger_uri).set(drivername="postgresql+psycopg"))
    with engine.begin() as opened:
        yield opened
    engine.dispose()


def differences(connection: sa.Connection) -> list[Any]:
    only = {"include_schemas": True, "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA}
    context = MigrationContext.configure(connection, opts={**VERSIONS, **only, "compare_type": True})
    return list(compare_metadata(context, metadata))


def test_the_revisions_make_what_is_declared_down_and_up_again(connection: sa.Connection) -> None:
    assert differences(connection) == []
    config = Config()
    config.set_main_option("script_location", str(Path(ledger.__file__).parent / "alembic"))
    config.attributes["connection"] = connection
    command.downgrade(config, "base")
    assert sa.inspect(connection).get_table_names(schema=SCHEMA) == ["ledger_version"]
    command.upgrade(config, "head")
    assert differences(connection) == []

"""`make new` of a table onto itself: it is not copied, but columns of its rows are changed where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.console.check import problems
from include.console.new import Place, Written, files, named
from include.embedded import postgres
from include.trueup.errors import OptionsError
from include.trueup.ledger import Ledger
from include.trueup.run.workspace import Workspace
from include.trueup.stores.postgres import PostgresStore
from include.trueup.walk import walk
from tests.harness import new_database, run_of, run_sql
from tests.migrations.generated import passes_its_own_test
from tests.migrations.test_new import loaded

USERS = """CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail text NOT NULL, seen timestamptz DEFAULT now(), "User" text,
    upper_mail text GENERATED ALWAYS AS (upper(mail)) STORED, price money)"""


@pytest.fixture
def uri(postgres_server: postgres.Server) -> str:
    uri = new_database(postgres_server)
    run_sql(uri, USERS, "INSERT INTO users (mail) VALUES ('Ada@Example.com'), ('bob@example.com')")
    return uri


def written(uri: str, *owned: str, target: str = "users", key: tuple[str, ...] = ()) -> Written:
    store = PostgresStore(uri)
    users = store.catalogue("users")
    assert users is not None
    place = Place.of("crm_postgres:users")
    existing = store.catalogue(target)
    return files("made", (place, users), (Place.of(target, "crm_postgres"), existing), key=key, owned=owned)


def test_without_a_column_it_is_refused_with_the_remedy(uri: str) -> None:
    for target in ("users", "public.users"):
        with pytest.raises(OptionsError, match=r"same table, users: .* not copied onto itself.* OWNED='price'"):
            written(uri, target=target)
    with pytest.raises(OptionsError, match="people is another table than users: leave OWNED out"):
        written(uri, "mail", target="people")


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ("id", "'id' of users is of its key"),
        ("upper_mail", "'upper_mail' of users is GENERATED"),
        ("price", "'price' of users is money, which no type carries"),
    ],
)
def test_a_column_that_cannot_change_in_place_is_refused(uri: str, column: str, why: str) -> None:
    with pytest.raises(OptionsError, match=f"OWNED: {why}"):
        written(uri, "mail", column)


def test_a_column_that_is_named_twice_changes_once() -> None:
    assert named(" mail  mail seen mail") == ("mail", "seen")


def test_a_new_name_that_postgresql_would_cut_is_refused(uri: str) -> None:
    with pytest.raises(OptionsError, match=r"'é+' has 64 bytes, .* more than 63: shorten it"):
        written(uri, "é" * 32)
    assert written(uri, "é" * 31 + "e").files


def test_another_key_than_its_own_is_refused(uri: str) -> None:
    with pytest.raises(OptionsError, match=r"KEY=mail: rows of users are changed .* primary key \(id\): leave KEY out"):
        written(uri, "mail", key=("mail",))
    assert written(uri, "seen", key=("id",)).files == written(uri, "seen").files


def test_columns_that_are_there_and_one_that_is_added_change_in_place(
    uri: str, tmp_path: Path, ledger: Ledger, workspace: Workspace, there_and_back: Any
) -> None:
    made = written(uri, "mail", "User", "mail_domain")
    folder = tmp_path / "include/migrations/made"
    migration = loaded(tmp_path, made, "made")
    assert [problem.message for problem in problems(migration, folder)] == [
        f"say what {name} is made from, in place of fill_in" for name in ("mail", '"User"', "mail_domain")
    ]
    assert "prepare.sql and migration.py: mail_domain is added to users, which has no such column" in made.left[3]

    script = folder / "rows.sql"
    for name, value in (("mail", "lower(mail)"), ('"User"', "'u' || id"), ("mail_domain", "split_part(mail, '@', 2)")):
        script.write_text(script.read_text().replace(f"fill_in AS {name},", f"{value} AS {name},"))
    assert problems(migration, folder) == []
    passes_its_own_test(tmp_path, migration, there_and_back)
    store = PostgresStore(uri)
    walk(run_of(migration, ledger, workspace, lambda _: store, "r"))
    assert workspace.run("r").read_json("report.json")["verdict"]["status"] == "passed"
    assert run_sql(uri, 'SELECT id, mail, "User", mail_domain, upper_mail FROM users ORDER BY id') == [
        (1, "ada@example.com", "u1", "Example.com", "ADA@EXAMPLE.COM"),
        (2, "bob@example.com", "u2", "example.com", "BOB@EXAMPLE.COM"),
    ]

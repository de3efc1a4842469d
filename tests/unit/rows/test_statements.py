"""SQL in files: every statement is used, and is given what it asks for, no less and no more."""

from __future__ import annotations

import ast
import importlib
from collections import defaultdict
from pathlib import Path

import pytest

from include.trueup.rows.statements import Statements
from tests.house import ROOT

ENGINE = ROOT / "include/trueup"


def modules() -> list[tuple[str, Statements]]:
    """Modules of the engine that have statements of their own."""
    names = [
        str(sql.relative_to(ROOT).with_suffix("")).replace("/", ".")
        for sql in sorted(ENGINE.rglob("*.sql"))
        if sql.with_suffix(".py").is_file() and "stores" not in sql.parts
    ]
    loaded = [(name, vars(importlib.import_module(name))) for name in names]
    return [(name, each) for name, inside in loaded for each in inside.values() if isinstance(each, Statements)]


def calls(file: Path) -> list[ast.Call]:
    """The calls that ask for a statement."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return [call for call in found if isinstance(call.func, ast.Name) and call.func.id in ("_SQL", "SQL")]


def test_every_statement_is_used_and_given_what_it_asks_for() -> None:
    asked: dict[str, set[str]] = defaultdict(set)
    wrong = []
    for name, statements in modules():
        file = ROOT / f"{name.replace('.', '/')}.py"
        imported = f"from .{file.stem} import SQL"
        users = [file, *(f for f in file.parent.glob("*.py") if imported in f.read_text(encoding="utf-8"))]
        for call in (call for user in users if user == file or name.endswith("verbs") for call in calls(user)):
            first = ast.literal_eval(call.args[0])
            asked[name].add(first)
            given = {keyword.arg for keyword in call.keywords if keyword.arg}
            wants = statements.parts_of(first)
            more = any(keyword.arg is None for keyword in call.keywords)
            if given - wants or (wants - given and not more):
                wrong.append(f"{name}: {first} wants {sorted(wants)}, and is given {sorted(given)}")
        assert asked[name] == statements.names, name
    assert wrong == []
    assert len(asked) > 5


def test_a_part_that_is_not_given_is_no_empty_text(tmp_path: Path) -> None:
    (tmp_path / "some.sql").write_text(
        "-- About it.\n\n-- name: first\nSELECT $key FROM $rows -- all\n\n-- name: other\nSELECT 1\n"
    )
    statements = Statements(str(tmp_path / "some.py"), rows='"a table"')
    assert statements("first") == 'SELECT _key FROM "a table" -- all'
    assert statements("first", rows="$key") == "SELECT _key FROM $key -- all"
    assert statements("other") == "SELECT 1"
    (tmp_path / "some.sql").write_text("-- name: first\nSELECT $nothing\n")
    with pytest.raises(KeyError, match="nothing"):
        Statements(str(tmp_path / "some.py"))("first")

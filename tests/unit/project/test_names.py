"""A name says what it holds: a count of those that only say where it came from ("found", "said")."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house import ROOT

VAGUE = {"found", "said", "told", "about", "there", "those"}
"""Words that are no nouns: a reader has to look up what was found, and who said it."""
CONTRACTS = {
    "include/trueup/ledger/rows.py": "ConflictRow.found",  # a column of the ledger, and a field of report.json
    "include/trueup/stores/__init__.py": "Conflict.found",  # what becomes that column
}
"""Names that others read, and that stay."""
MOST = 450


def test_names_say_what_they_hold() -> None:
    places = [
        f"{file.relative_to(ROOT)}:{line} {name}"
        for folder in ("include", "plugins")
        for file in sorted((ROOT / folder).rglob("*.py"))
        for line, name in vague(ast.parse(file.read_text(encoding="utf-8")))
        if CONTRACTS.get(str(file.relative_to(ROOT)), "").rpartition(".")[2] != name
    ]
    assert len(places) <= MOST, "\n".join(places)


def test_what_counts() -> None:
    code = """
def _told(about, *, said=None):
    self.found = there = 1
    for those in told: pass
    with held() as found: pass
    return [said for said in found], lambda there: there
import told as about
class Row:
    found: int
match 1:
    case [*those] as there: pass
"""
    names = [name for _, name in vague(ast.parse(code))]
    assert sorted(names) == sorted(
        [
            "_told",
            "about",
            "said",
            "found",
            "there",
            "those",
            "found",
            "said",
            "there",
            "about",
            "found",
            "those",
            "there",
        ]
    )


def vague(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where a name is bound that is one of these words: line and name."""
    for node in ast.walk(tree):
        for name in _bound(node):
            if name.strip("_") in VAGUE:
                yield getattr(node, "lineno", 0), name


def _bound(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case (
            ast.alias(asname=str(name))
            | ast.ExceptHandler(name=str(name))
            | ast.MatchAs(name=str(name))
            | ast.MatchStar(name=str(name))
        ):
            yield name
        case _:
            return

"""A name says what it holds: a count of those that only say where it came from ("found", "said")."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.house import ROOT

VAGUE = {"found", "said", "told", "about", "there", "those"}
"""Words that are no nouns: a reader has to look up what was found, and who said it."""
CONTRACTS = {
    "include/trueup/ledger/rows.py": "found",  # a column of the ledger
    "include/trueup/run/records.py": "found",  # a field of report.json: what a row is, where it should be `planned`
    "include/trueup/stores/__init__.py": "found",  # a conflict's: what becomes that column
    "include/trueup/report/lens/outcome.py": "found",  # from here on: fields of what the pages' endpoints answer
    "plugins/trueup_airflow/pages/evidence.py": "found",
    "plugins/trueup_airflow/pages/findings.py": "there",
    "plugins/trueup_airflow/pages/index.py": "about",
    "plugins/trueup_airflow/pages/schemas.py": "there",
    "plugins/trueup_airflow/pages/switches.py": "there",
    "plugins/trueup_airflow/pages/undoing.py": "there",
    "include/trueup/testing/checking.py": "about",  # what an author's test reads of a finding
}
"""Names that others read: a field each, by its file."""
MOST = 0
"""Of either folder."""


@pytest.mark.parametrize("folder", ["include", "plugins"])
def test_names_say_what_they_hold(folder: str) -> None:
    places = [
        f"{path}:{line} {name}"
        for file in sorted((ROOT / folder).rglob("*.py"))
        for path in [str(file.relative_to(ROOT))]
        for line, name in vague(ast.parse(file.read_text(encoding="utf-8")))
        if name != CONTRACTS.get(path)
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

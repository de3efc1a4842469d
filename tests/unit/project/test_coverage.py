"""The page of coverage names what is there: each place, symbol and test function; and leaves no line without a reason."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from tests.coverage_page import ROOT, Line, lines

NEXT = {
    "environments and promotion",
    "notifications",
    "metrics and alerts of a fleet",
    "maintenance window",
    "retention",
    "retiring the legacy tables",
}
DOCUMENTS = {
    "Migrations for scoring model updates": 20,
    "Scoring results migration to unified table": 35,
    "Migration plan: pre-created assignments": 45,
    "Data migration scripts (KPI linking)": 45,
    "Migration strategy (schemas, API, embeddings)": 30,
    "The card of the project": 12,
    "Use cases, played through the API or the browser": 5,
}
"""How many lines each has at least: one may be put more shortly, none is dropped."""


@cache
def defined(file: Path) -> set[str]:
    """Functions, classes and assigned names, those in a class also as `Class.name`."""
    found: set[str] = set()

    def walk(node: ast.AST, inside: str) -> None:
        for child in ast.iter_child_nodes(node):
            names: list[str] = []
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names = [child.name]
            elif isinstance(child, ast.Assign | ast.AnnAssign):
                targets = child.targets if isinstance(child, ast.Assign) else [child.target]
                names = [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
            found.update(names, (f"{inside}.{name}" for name in names if inside))
            walk(child, child.name if isinstance(child, ast.ClassDef) else inside)

    walk(ast.parse(file.read_text(encoding="utf-8")), "")
    return found


def has(path: str, symbol: str) -> bool:
    """Whether the file is there and has the symbol: a definition of Python, or words of any other file."""
    file = ROOT / path
    if not file.exists() or not symbol:
        return file.exists()
    return symbol in (defined(file) if file.suffix == ".py" else file.read_text(encoding="utf-8"))


def fault(line: Line) -> str:
    """What is wrong with the line; empty if nothing is."""
    status, _, theme = line.status.partition(": ")
    wrong = [f"{path}:{symbol} is not there" for path, symbol in line.places if not has(path, symbol)]
    wrong += [
        f"{path}::{name} is no test"
        for path, name in line.tests
        if not name.startswith("test_") or not path.startswith("tests/") or not has(path, name)
    ]
    match status:
        case "works":
            wrong += [] if line.places else ["names no place"]
            wrong += [] if line.tests else ["names no test"]
        case "no" | "open":
            wrong += [] if len(line.where.split()) > 1 else ["says no reason"]
        case "next":
            wrong += [] if theme in NEXT else [f"{theme!r} may not come later"]
        case _:
            wrong.append(f"has no status {line.status!r}")
    return "; ".join(wrong)


def test_every_line_names_what_is_there() -> None:
    assert {f"{line.document}: {line.asked}": said for line in lines() if (said := fault(line))} == {}


def test_every_document_is_there_and_no_requirement_twice() -> None:
    every = lines()
    counts = {document: sum(line.document == document for line in every) for document in DOCUMENTS}
    assert {document: count for document, count in counts.items() if count < DOCUMENTS[document]} == {}
    assert {line.document for line in every} == DOCUMENTS.keys()
    asked = [(line.document, line.asked) for line in every]
    assert [one for one in asked if asked.count(one) > 1] == []


def test_what_is_wrong_is_seen() -> None:
    def of(status: str, where: str, shown_by: str) -> str:
        return fault(Line(document="d", asked="a", status=status, where=where, shown_by=shown_by))

    here = "`tests/unit/project/test_coverage.py:NEXT`"
    test = "`tests/unit/project/test_coverage.py::test_what_is_wrong_is_seen`"
    assert of("works", here, test) == ""
    assert of("works", f"{here} in words, `docs/coverage.md:What was never run here`", test) == ""
    assert "names no place" in of("works", "somewhere", test)
    assert "names no test" in of("works", here, "")
    assert "is not there" in of("works", "`include/trueup/gone.py`", test)
    assert "is not there" in of("works", here.replace("NEXT", "PAST"), test)
    assert "is no test" in of("works", here, test.replace("is_seen", "is_gone"))
    assert "is no test" in of("works", here, "`tests/unit/project/test_coverage.py::fault`")
    assert "says no reason" in of("no", "", "")
    assert "may not come later" in of("next: the rest", "", "")
    assert "has no status" in of("partly", here, test)

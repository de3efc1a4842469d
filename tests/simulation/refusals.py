"""Where the engine refuses something that people may ask for, or says that its work has failed: read from its code, so that none
is forgotten."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import include.trueup

TOP = Path(include.trueup.__file__).parent
KINDS = ("StatusError", "TargetHeldError", "ApprovalError", "GateError", "ProofError", "SourceError")
"""Errors that refuse."""
ELSEWHERE = {
    "declare": "the declaration of the world is sound",
    "schema": "runs of the world are on rows",
    "stores": "a twin stands for the store of PostgreSQL; the real ones have tests/contract/",
    "testing": "no part of a run",
}
"""Packages that the world does not come to, each with the reason."""

NOT_HERE = {
    **dict.fromkeys(("shadow.require", "shadow._keys", "comparisons.end"), "no shadow comparison is declared"),
    "turning._back": "no way back is declared",
    "guards.guard": "a turn has no guards",
    "turning.refuse_unseen": "nobody is asked about a turn",
    "decisions.turn": "each turn is made as soon as it is asked for",
    "decisions.refuse_second_turn": "each turn has an id of its own",
    **{f"cost.{name}": "no run costs anything" for name in ("approve", "reject", "waive", "require")},
    **dict.fromkeys(
        ("preflight.look_at_source", "preflight._refuse", "preflight._refuse_twins"), "the source is as it is declared"
    ),
    **dict.fromkeys(("preflight.look_at_target", "rollback_preflight._look_at"), "nobody drops the target"),
    "target_checks.refuse_unwritable": "each column of the target can be written",
    "gates._refuse_other_plan": "no run is asked for a plan by its hash",
    "holding.refuse": "nothing is written by a place alone: the engine guards itself",
    "ledger.entered": "what is asked of a run asks first whether it is there",
    "approval._shown": "nobody prunes plan.json, which a plan that passed its gate has",
    "approval.waive": "only a run without Airflow is asked for it",
}
"""Refusals that the world has no way to, each with the reason."""


def module(file: Path) -> str:
    """What a module is called here."""
    return file.parent.name if file.stem == "__init__" else file.stem


@cache
def refusals() -> tuple[str, ...]:
    """The functions that refuse: `leases.enter`."""
    files = [file for file in sorted(TOP.rglob("*.py")) if file.relative_to(TOP).parts[0] not in ELSEWHERE]
    read = {file: file.read_text(encoding="utf-8") for file in files}
    texts = {file: text for file, text in read.items() if "raise " in text or "Error(" in text}
    trees = {file: ast.parse(text) for file, text in texts.items()}
    kinds = {*KINDS}
    for tree in trees.values():
        kinds |= set(_gives(tree))
    found = [f"{module(file)}.{name}" for file, tree in trees.items() for name in _raising(tree, kinds, "")]
    return tuple(dict.fromkeys(found))


def _gives(tree: ast.Module) -> Iterator[str]:
    """Classes of such errors, and functions that give one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(_name(base) in KINDS for base in node.bases):
            yield node.name
        if isinstance(node, ast.FunctionDef) and node.returns is not None and _name(node.returns) in KINDS:
            yield node.name


def _raising(node: ast.AST, kinds: set[str], within: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Raise) and child.exc is not None and _name(child.exc) in kinds:
            yield within
        yield from _raising(child, kinds, child.name if isinstance(child, ast.FunctionDef) else within)


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _name(node.func)
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""

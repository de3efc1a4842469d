"""The documents agree with each other and with what they speak of: links, files, the list of decisions, the lint."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from include.migrations.kpi_linking.migration import migration
from include.trueup.ledger.tables import metadata
from include.trueup.steps import rollback_steps, steps

ROOT = Path(__file__).parents[3]
DECISIONS = ROOT / "docs" / "decisions"
PARTS = ("**Context.**", "**Decision.**", "**Consequence.**", "**A change violates this when**")
LISTED = re.compile(r"^\| \[(\d+)\]\(([^)]+)\) \| (.+?) \| (.+?) \| (.+?) \|$", re.M)
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FOLDERS = ("include", "plugins", "dags", "tests", "bench", "docs", "examples", "bin", "docker", ".ci")
DOCS = sorted(
    p
    for p in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("include/migrations/*/README.md"),
        *ROOT.glob("examples/*/README.md"),
    )
)


def test_the_list_of_decisions_and_the_folder_agree() -> None:
    listed = LISTED.findall((DECISIONS / "README.md").read_text(encoding="utf-8"))
    pages = sorted(p.name for p in DECISIONS.glob("[0-9]*.md"))
    assert [file for _, file, *_ in listed] == pages
    assert [int(name[:4]) for name in pages] == [*range(1, len(pages) + 1)], "a number twice, or left out"
    for number, file, title, *_ in listed:
        page = (DECISIONS / file).read_text(encoding="utf-8")
        assert page.splitlines()[0] == f"# {number}. {title}", file
        assert [part for part in PARTS if part not in page] == [], file


@pytest.mark.parametrize("page", DOCS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    links = {link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in link}
    assert [link for link in sorted(links) if not (page.parent / link).exists()] == []
    named = re.findall(rf"`((?:{'|'.join(map(re.escape, FOLDERS))})/[\w./-]+)`", text)
    tracked = {path for path in named if not (ROOT / path).exists()}
    assert sorted(tracked) == []


def test_the_hooks_before_a_commit_are_the_lint_of_ci() -> None:
    lint = (ROOT / "Makefile").read_text(encoding="utf-8").split("\nlint:")[1].split("\n\n")[0]
    ran = re.findall(r"-m (ruff check|ruff format|mypy)", lint)
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    hooks = [re.sub(r"^\.venv/bin/python -m | --force-exclude$", "", hook["entry"]) for hook in repository["hooks"]]
    assert hooks == ran


def _section(title: str) -> str:
    return ARCHITECTURE.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("page", ["architecture.md", "glossary.md"])
def test_files_of_the_engine_that_are_named_are_there(page: str) -> None:
    """Named as they lie in `include/trueup/`, or in the project."""
    text = re.sub(r"```.*?```", "", (ROOT / "docs" / page).read_text(encoding="utf-8"), flags=re.S)
    rooms = text if page == "glossary.md" else _section("The rooms of the engine")
    named = re.findall(r"`([\w/]+\.(?:py|sql)|[\w/]+/)`", rooms)
    assert len(named) > 50
    assert [n for n in named if not (ROOT / "include/trueup" / n).exists() and not (ROOT / n).exists()] == []


def test_the_architecture_has_every_step_every_file_of_a_run_and_every_table_of_the_ledger() -> None:
    ids = {f"<phase>.{s.id}" if s.phase else s.id for s in (*steps(migration), *rollback_steps(migration))}
    assert {id for id in ids if f"`{id}`" not in _section("The steps")} == set()
    runs = ROOT / "tests/fixtures/first_release/workspace/runs"
    left = {path.name for run in runs.iterdir() for path in run.iterdir()}
    assert {name for name in left if f"`{name}" not in _section("The run's folder")} == set()
    assert {t.name for t in metadata.tables.values() if f"| `{t.name}` |" not in _section("The ledger")} == set()


def _defined(file: Path) -> set[str]:
    """Functions, classes, and names of modules and classes that are assigned."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


@pytest.mark.parametrize("walk", ["The life of a row", "The life of a param", "The life of a run on schemas"])
def test_what_the_walks_name_is_in_the_code(walk: str) -> None:
    """`module.name`, `module:function` and `_private` each stand in the engine or the plugin."""
    files = [file for folder in ("include/trueup", "plugins") for file in (ROOT / folder).rglob("*.py")]
    known = set[str]().union(*map(_defined, files))
    named = re.findall(r"`([a-zA-Z_.]+[.:]\w+|_[a-z_]+)`", _section(walk))
    leaves = {name: re.split(r"[.:]", name)[-1] for name in named if not re.search(r"\.(py|sql|json)$", name)}
    own = {"_extra", "_mistyped", "_source", "budget.left_alone", "links.apply", "run.part"}
    assert len(leaves) > 8
    assert {name for name, leaf in leaves.items() if leaf not in known} - own == set()

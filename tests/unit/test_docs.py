"""The documents agree with each other and with what they speak of: links, files, the list of decisions, the lint."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
DECISIONS = ROOT / "docs" / "decisions"
PARTS = ("**Context.**", "**Decision.**", "**Consequence.**", "**A change violates this when**")
LISTED = re.compile(r"^\| \[(\d+)\]\(([^)]+)\) \| (.+?) \| (.+?) \| (.+?) \|$", re.M)
FOLDERS = ("include", "plugins", "dags", "tests", "bench", "docs", "bin", "docker", ".ci")
DOCS = sorted(p for p in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("include/migrations/*/README.md")))


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

"""The documents as a site: every page has its place in it, what is made from the code is as the code is, and it loads nothing."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests import reference

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
MADE = reference.pages()
LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "link": "href",
}


def placed(nav: Any) -> Iterator[str]:
    """The files that a part of the navigation names."""
    if isinstance(nav, str):
        yield nav
    for each in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from placed(each)


def test_every_page_has_one_place() -> None:
    left_out = [line.strip("/") for line in SITE["not_in_nav"].split()]
    pages = {str(file.relative_to(DOCS)) for file in DOCS.rglob("*.md")}
    pages = {page for page in pages if not any(fnmatch(page, each) for each in left_out)}
    in_nav = [*placed(SITE["nav"])]
    assert sorted(in_nav) == sorted(pages), "a new page needs its line under nav in mkdocs.yml"


@pytest.mark.parametrize("page", MADE, ids=lambda page: page.name)
def test_what_is_made_from_the_code_is_as_the_code_is(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == MADE[page], "run: .venv/bin/python -m tests.reference"


def test_every_setting_is_described_and_no_other() -> None:
    assert reference.read_in_code() - reference.INTERNAL == {*reference.SETTINGS}


def test_every_example_has_its_page() -> None:
    shown = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("how-to/*.md"))
    examples = [file.parent.name for file in ROOT.glob("examples/*/migration.py")]
    assert [id for id in examples if f"examples/{id}/" not in shown] == []


def test_every_name_that_an_author_imports_is_in_the_reference() -> None:
    from include.trueup import declare, errors, testing

    page = "".join((DOCS / "reference" / f"{name}.md").read_text() for name in ("declaration", "testing", "errors"))
    described = set(re.findall(r"^::: [\w.]+\.(\w+)$", page, re.M))
    assert {*declare.__all__} - described == {"SuiteFactory"}  # a type that is said in words
    given = {name for name, value in vars(testing).items() if name[0] != "_" and not isinstance(value, ModuleType)}
    assert given - described == {"annotations", "make_of", "parted"}  # the others are for `make try`
    assert f"::: {errors.__name__}\n" in page


class _Loads(HTMLParser):
    """What a page loads from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(LOADS.get(tag, "")) or ""
        if re.match(r"(https?:)?//", address):
            self.found.append(f"{tag} {address}")


@pytest.mark.slow  # installs what builds it, the first time
def test_it_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTHON"))}
    done = subprocess.run(
        ["make", "-o", ".venv/ready", "docs"], cwd=ROOT, env={**environment, "TRUEUP_HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    site = tmp_path / "docs"
    pages = [*site.rglob("*.html")]
    assert len(pages) > 60
    for page in pages:
        parser = _Loads()
        parser.feed(page.read_text(encoding="utf-8"))
        assert parser.found == [], page
    for style in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)]*", style.read_text(encoding="utf-8")) == []
    assert "rows.sql" in (site / "search" / "search_index.js").read_text(encoding="utf-8")

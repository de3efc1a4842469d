"""Data Docs: what Great Expectations renders of a run's gates, with rows and suites that want to be markup."""

from __future__ import annotations

import itertools
import json
import logging
import re
from html import unescape
from typing import Any

import great_expectations.expectations as gxe
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from include.trueup.errors import ArtifactError
from include.trueup.gate import evaluate
from include.trueup.gate.suites import ExpectFirstToBeSumOfRest
from include.trueup.report import data_docs
from include.trueup.run import Files
from include.trueup.run.workspace import Workspace

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp; ${x} $$ {{7*7}} `](javascript:alert(3))\u202e"
ALLOWED = {
    "class",
    "id",
    "hidden",
    "href",
    "colspan",
    "scope",
    "lang",
    "dir",
    "charset",
    "name",
    "content",
    "http-equiv",
}


def docs(workspace: Workspace) -> dict[str, str]:
    """The pages of a run whose every text is hostile, by name."""
    rows = pd.DataFrame(
        {"_key": ["k1", HOSTILE], "a": [None, HOSTILE], HOSTILE: ["x", HOSTILE], "n": [1, 2], "m": [1, 3]}
    )
    suite: list[Any] = [
        gxe.ExpectColumnValuesToNotBeNull(column="a", description=HOSTILE, meta={"rule": HOSTILE}, notes=HOSTILE),
        gxe.ExpectColumnValuesToBeInSet(column="a", value_set=[HOSTILE + "!"]),
        gxe.ExpectColumnValuesToBeInSet(column=HOSTILE, value_set=["x"]),
        gxe.ExpectColumnValuesToMatchRegex(column=HOSTILE, regex="<b onclick=x>"),
        gxe.ExpectColumnDistinctValuesToBeInSet(column="a", value_set=["x"]),
        gxe.ExpectColumnValuesToNotBeNull(column=f"absent {HOSTILE}"),
        gxe.ExpectTableRowCountToEqual(value=2),
        ExpectFirstToBeSumOfRest(column_list=["n", "m"]),
    ]
    files = Files(workspace.run("run-1"))
    files.write_gate("plan", [evaluate(lambda: suite, [rows], gate=HOSTILE, output="links")])
    assert data_docs.build(files).endswith("index.html")
    assert files.has_docs()
    assert "gates/docs/index.html" in files.names()
    names = ("index.html", "01-results.html", "01-expectations.html")
    return {name: (files.docs_page(name) or b"").decode() for name in names}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    logged: list[str] = []  # its renderers log what they cannot do, and leave it out
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("great_expectations").addHandler(handler)
    try:
        return docs(Workspace(str(tmp_path_factory.mktemp("docs"))))
    finally:
        logging.getLogger("great_expectations").removeHandler(handler)
        assert not [said for said in logged if "unexpected Exception" in said]


def test_nothing_hostile_is_an_element_or_an_attribute(pages: dict[str, str]) -> None:
    for name, page in pages.items():
        soup = BeautifulSoup(page, "html.parser")
        for element in soup.find_all(True):
            assert element.name not in ("script", "img", "iframe", "object", "form", "input", "link", "base"), name
            assert set(element.attrs) <= ALLOWED, (name, element.name, element.attrs)
            assert not str(element.get("href", "")).strip().lower().startswith(("javascript", "data", "http")), name
        (policy,) = soup.select('meta[http-equiv="Content-Security-Policy"]')
        assert str(policy["content"]).startswith("default-src 'none'; style-src 'sha256-")


def test_values_are_shown_as_they_are(pages: dict[str, str]) -> None:
    soup = BeautifulSoup(pages["01-results.html"], "html.parser")
    sampled = [cell.get_text(strip=True) for cell in soup.select("td table td")]
    assert any(text.startswith("<script>alert(1)</script><img src=x") for text in sampled)
    results = soup.get_text()
    shown = re.sub(r"\s+", " ", results)
    assert "alert(1)</script><img src=x onerror=alert(2)>\"'&amp; ${x} $$ {{7*7}}" in shown
    assert "&lt;" not in unescape(shown)
    assert shown.count("values must belong to this set") == 3
    assert "raised an exception" in shown
    assert not re.search("[\ue000-\ue0ff]", "".join(pages.values()))


def test_nothing_is_loaded_from_anywhere(pages: dict[str, str]) -> None:
    for name, page in pages.items():
        assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page), name
        assert "@import" not in page
        assert {url[:11] for url in re.findall(r"url\([\"']?([^)]*)\)", page)} <= {"data:image/"}, name


def test_headings_go_down_a_level_at_a_time(pages: dict[str, str]) -> None:
    for name, page in pages.items():
        levels = [
            int(heading.name[1]) for heading in BeautifulSoup(page, "html.parser").find_all(re.compile("^h[1-6]$"))
        ]
        assert levels[0] == 1, name
        assert all(low - high <= 1 for high, low in itertools.pairwise(levels)), (name, levels)


def test_the_pages_lead_to_each_other_and_say_what_held(pages: dict[str, str]) -> None:
    index = BeautifulSoup(pages["index.html"], "html.parser")
    assert [a["href"] for a in index.select("td a")] == ["01-results.html", "01-expectations.html"]
    assert "Failed 1 of 8" in re.sub(r"\s+", " ", index.get_text())
    results = BeautifulSoup(pages["01-results.html"], "html.parser")
    assert results.find("a", href="01-expectations.html")
    assert results.find("a", href="index.html")
    assert {str(a["href"])[0] for a in results.select("main a[href]")} <= {"#", "0"}
    assert len(results.select("main .fa-check-circle")) == 1
    assert "k1" not in pages["01-expectations.html"]


def test_a_run_without_results_says_so(workspace: Workspace) -> None:
    with pytest.raises(ArtifactError, match="no gate of a run 'run-2' left results"):
        data_docs.build(Files(workspace.run("run-2")))


def test_an_expectation_that_nobody_knows_is_not_left_out(workspace: Workspace) -> None:
    files = Files(workspace.run("run-1"))
    suite: list[Any] = [gxe.ExpectTableRowCountToEqual(value=1)]
    files.write_gate("plan", [evaluate(lambda: suite, [pd.DataFrame({"_key": ["k"]})], gate="rows")])
    name = "gates/gx/plan/01-plan-rows.suite.json"
    written = files.folder.read_json(name)
    written["expectations"][0]["type"] = "expect_what_nobody_knows"
    files.folder.write(name, json.dumps(written))
    with pytest.raises(ArtifactError, match="expect_what_nobody_knows"):
        data_docs.build(files)

"""Data Docs of a run: the pages that Great Expectations renders of its gates' results, made harmless and self-contained.

What Great Expectations 1.24 renders loads scripts and styles from the network, and puts values of rows into the page as they
are. So its own renderers give only the body; every text of the documents has no character of markup while they do, and gets
its own back, escaped, once all but plain elements is taken out. Each page holds the styles that it needs, and no script.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pydantic import JsonValue

from ..errors import ArtifactError
from ..run import Files
from ..run.gate_files import DOCS_INDEX

_HERE = Path(__file__).parent / "docs"
_STYLES = ("bootstrap.min.css", "docs.css")
_HIDDEN = {ord(character): chr(0xE000 + ord(character)) for character in "<>&\"'`$"}
"""What a character of markup, or of Great Expectations' own templates, is while a page is rendered: one for private use."""
_SHOWN = {ord(hidden): escape(chr(character)) for character, hidden in _HIDDEN.items()}
_TAGS = {
    *("a", "b", "blockquote", "br", "code", "dd", "div", "dl", "dt", "em", "h1"),
    *("h2", "h3", "h4", "h5", "h6", "hr", "i", "li", "nav", "ol", "p"),
    *("pre", "section", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "th"),
    *("thead", "tr", "ul"),
}
_HEADING = re.compile(r"<h([1-6])\b")
_HEADING_TAG = re.compile(r"<(/?)h([1-6])\b")
_ATTRIBUTES = {"*": {"class", "id", "hidden"}, "a": {"href"}, "td": {"colspan"}, "th": {"colspan"}}


@dataclass(frozen=True, kw_only=True)
class _Page:
    """A suite and its validation, as the index lists them; `validation` and `expectations` are names of pages."""

    suite: str
    success: bool
    held: int
    count: int
    validation: str
    expectations: str


def build(files: Files) -> str:
    """Build the pages anew in the run's folder; where their index lies. Raises `ArtifactError` where no gate of the run left
    anything for them."""
    from ..gate import suites as _of_every_run  # noqa: F401 - so that Great Expectations knows them

    written = [*files.native()]
    if not written:
        raise ArtifactError(
            f"there is nothing to build Data Docs of: no gate of a run {files.folder.run_id!r} left results of Great "
            f"Expectations in {files.folder.location('')}. Its page and its report say the run's id; runs of an earlier release "
            "have none"
        )
    return files.write_docs(_pages(files.folder.run_id, written))


def _pages(run_id: str, written: list[tuple[dict[str, JsonValue], dict[str, JsonValue]]]) -> Iterator[tuple[str, str]]:
    listed = []
    for number, (suite, validation) in enumerate(written, start=1):
        name, title = f"{number:02}", str(suite["name"])
        statistics = validation["statistics"]
        assert isinstance(statistics, Mapping)  # GateResult.documents wrote it
        page = _Page(
            suite=title,
            success=validation["success"] is True,
            held=int(str(statistics["successful_expectations"])),
            count=int(str(statistics["evaluated_expectations"])),
            validation=f"{name}-results.html",
            expectations=f"{name}-expectations.html",
        )
        listed.append(page)
        yield page.validation, _page(run_id, f"Results of {title}", _harmless(_results(validation), page))
        yield page.expectations, _page(run_id, f"Expectations of {title}", _harmless(_expectations(suite), page))
    yield DOCS_INDEX, _page(run_id, "All gates", "", listed)


def _results(validation: dict[str, JsonValue]) -> str:
    from great_expectations.core.expectation_validation_result import expectationSuiteValidationResultSchema
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

    loaded = expectationSuiteValidationResultSchema.load(_hidden(validation))
    for each in loaded.results:
        if "unexpected_count" in each.result and "unexpected_percent" not in each.result:
            each.result["unexpected_count"] = (
                0  # of a whole column: its renderer would ask for a share that there is not
            )
    return _body(ValidationResultsPageRenderer(run_info_at_end=True).render(loaded))


def _expectations(suite: dict[str, JsonValue]) -> str:
    """Raises `ArtifactError` where Great Expectations knows a type of expectation no more: it would leave it out."""
    from great_expectations.core import ExpectationSuite
    from great_expectations.render.renderer.page_renderer import ExpectationSuitePageRenderer

    hidden = _hidden(suite)
    loaded = ExpectationSuite(name=hidden["name"], expectations=hidden["expectations"])
    wanted = hidden["expectations"]
    if len(loaded.expectations) != len(wanted):
        known = {each.expectation_type for each in loaded.expectations}
        lost = sorted({str(each["type"]) for each in wanted} - known)
        raise ArtifactError(
            f"suite {suite['name']!r} has expectations that are not known here: {', '.join(lost)}. They are the migration's own "
            "(its expectations.py): build the Data Docs with the code of the run"
        )
    renderer: Any = ExpectationSuitePageRenderer()
    return _body(renderer.render(loaded))


def _body(content: object) -> str:
    from great_expectations.render.view import DefaultJinjaPageView

    class Body(DefaultJinjaPageView):
        _template = "body.j2"

    view: Any = Body(custom_views_directory=str(_HERE))
    return str(view.render(content))


def _hidden(value: Any) -> Any:
    """A JSON value whose texts have no character of markup."""
    if isinstance(value, str):
        return value.translate(_HIDDEN)
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    if isinstance(value, dict):
        return {_hidden(name): _hidden(item) for name, item in value.items()}
    return value


def _harmless(body: str, page: _Page) -> str:
    """The body with plain elements alone, without any address but those of these pages."""
    import nh3

    def kept(_: str, attribute: str, value: str) -> str | None:
        if attribute != "href" or value.startswith("#"):
            return value
        return page.expectations if "/expectations/" in value else None

    plain = nh3.clean(body, tags=_TAGS, attributes=_ATTRIBUTES, attribute_filter=kept, link_rel=None)
    return _in_order(plain).translate(_SHOWN)


def _in_order(body: str) -> str:
    """The body with its headings one level below each other, from the page's own on: Great Expectations chooses them by size,
    and who cannot see that goes by levels."""
    levels = {level: rank for rank, level in enumerate(sorted({*_HEADING.findall(body)}), start=2)}
    return _HEADING_TAG.sub(lambda tag: f"<{tag[1]}h{levels[tag[2]]}", body)


def _page(run_id: str, title: str, body: str, pages: list[_Page] | None = None) -> str:
    css = _css()
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            run_id=run_id,
            title=title,
            body=Markup(body),
            pages=pages,
            css=Markup(css),
            css_sha256=b64encode(hashlib.sha256(css.encode()).digest()).decode(),
        )
    )


@cache
def _css() -> str:
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in _STYLES)


@cache
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined)

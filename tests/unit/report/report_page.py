"""A report's HTML as a reader finds it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "link", "hr", "input"}


def squeezed(words: str) -> str:
    return re.sub(r"\s+", " ", words).strip()


class Page(HTMLParser):
    """A page, read: its elements with their attributes, and the text of each section and table row.

    Raises `AssertionError` for elements that are not closed, or out of turn.
    """

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.style = ""
        self._rows: list[list[str]] = []
        self._sections: dict[str, list[str]] = {"": []}
        self.feed(source)
        self.close()
        assert self.open == [], "an element is not closed"

    @property
    def text(self) -> str:
        return squeezed(" ".join(self.words))

    @property
    def rows(self) -> list[str]:
        return [squeezed(" ".join(words)) for words in self._rows]

    @property
    def sections(self) -> dict[str, str]:
        return {name: squeezed(" ".join(words)) for name, words in self._sections.items()}

    def tags(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        name = dict(attrs).get("id")
        if name:
            self.ids.append(name)
            self._sections[name] = []
        if tag == "tr":
            self._rows.append([])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} is closed out of turn"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
            return
        self.words.append(data)
        list(self._sections.values())[-1].append(data)
        if "tr" in self.open:
            self._rows[-1].append(data)

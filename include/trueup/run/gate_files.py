"""Those files of a run's folder that gates leave (`files.py` is the map of all)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from pydantic import JsonValue

from ..gate import GateResult
from .recorded import recorded
from .records import to_values
from .workspace import RunFolder

GATES = "gates"
_NATIVE = f"{GATES}/gx"
_SUITE, _VALIDATION = ".suite.json", ".validation.json"
_DOCS = f"{GATES}/docs"
DOCS_INDEX = "index.html"
DOCS = f"{_DOCS}/{DOCS_INDEX}"
"""The index of a run's Data Docs, where somebody had them built."""


class GateFiles:
    """What the gates of one run found; nothing before they have judged."""

    folder: RunFolder

    def judged(self) -> list[str]:
        """The gates that have judged, sorted."""
        return sorted(n.removesuffix(".json") for n in self.folder.names(GATES) if n.endswith(".json"))

    def gate(self, name: str) -> tuple[GateResult, ...]:
        """What a gate found; nothing before it has judged."""
        return recorded(self.folder, tuple[GateResult, ...], f"{GATES}/{name}.json") or ()

    def write_gate(self, name: str, results: Iterable[GateResult]) -> None:
        """Publish what a gate found, and beside it the same as Great Expectations writes it: suites and validations, in the
        order of the results."""
        written = [*results]
        self.folder.remove(f"{_NATIVE}/{name}")
        for number, result in enumerate(written, start=1):
            suite = re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(filter(None, (name, result.gate, result.output))))
            if (documents := result.documents(suite, self.folder.run_id)) is None:
                continue
            for document, tail in zip(documents, (_SUITE, _VALIDATION), strict=True):
                self.folder.write(f"{_NATIVE}/{name}/{number:02}-{suite}{tail}", json.dumps(document))
        self.folder.write(f"{GATES}/{name}.json", json.dumps([to_values(result) for result in written], indent=1))

    def native(self) -> Iterator[tuple[dict[str, JsonValue], dict[str, JsonValue]]]:
        """The suites and validations as Great Expectations wrote them, gate by gate."""
        for gate in self.judged():
            names = self.folder.names(f"{_NATIVE}/{gate}")
            for name in (n.removesuffix(_VALIDATION) for n in names if n.endswith(_VALIDATION)):
                suite, validation = (
                    self.folder.read_json(f"{_NATIVE}/{gate}/{name}{t}") for t in (_SUITE, _VALIDATION)
                )
                yield suite, validation

    def write_docs(self, pages: Iterable[tuple[str, str]]) -> str:
        """Publish Data Docs, each page by its name in place of those that were there; where their index lies."""
        self.folder.remove(_DOCS)
        for name, page in pages:
            self.folder.write(f"{_DOCS}/{name}", page)
        return self.folder.location(DOCS)

    def has_docs(self) -> bool:
        """Whether it has Data Docs."""
        return DOCS_INDEX in self.folder.names(_DOCS)

    def docs_page(self, name: str) -> bytes | None:
        """A page of its Data Docs; None where there is none of that name."""
        return self.folder.read(f"{_DOCS}/{name}") if re.fullmatch(r"[a-z0-9-]+\.html", name) else None

"""Where a run is, in Airflow's own pages: in the form, in the document of a DAG, and in the question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.trueup.declare.environment import environment, is_live

if TYPE_CHECKING:
    from include.trueup.run import Where


def installation() -> str:
    """Which installation this is, for a field of a form."""
    name = environment()
    return f"This installation is {name.upper() if is_live(name) else name}."


def document(doc: str) -> str:
    """The document of a DAG, with which installation this is before it."""
    return f"*{installation()}*\n\n{doc.lstrip()}"


def in_words(where: Where | None) -> str:
    """Where a run is, as Markdown: the environment, each store as its server says itself, the code."""
    if where is None:
        return f"**{installation()}**\n\n"
    name = f"{where.environment.upper()} (live)" if where.live else where.environment
    words = [f"**{_plain(name)}**"]
    words += [
        f"{_plain(p.connection)} `{p.place}`" if p.place else f"{_plain(p.connection)} did not answer"
        for p in where.places
    ]
    if where.code is not None:
        commit = (
            f", commit `{where.code.commit}`{' with changes' if where.code.changed else ''}"
            if where.code.commit
            else ""
        )
        words.append(f"code `{where.code.sha256[:12]}`{commit}")
    return f"{' · '.join(words)}\n\n"


def _plain(text: str) -> str:
    """A name as Markdown that shows it as it is."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|~" else c for c in text)

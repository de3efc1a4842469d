"""What a migration is for, and from where to where it leads: from its declaration, read once."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import lru_cache

from include import project
from include.trueup.declare.migration import Migration
from include.trueup.errors import DeclarationError
from include.trueup.schema import SchemaMigration

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Side:
    """A side of a migration: its tables (or databases), and the connections that they are behind."""

    tables: tuple[str, ...]
    connections: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class About:
    """What a declaration says of itself. `purpose`: the first sentence of its document; `source` is None where it changes
    schemas. `cuts_over`: it has a switch."""

    title: str
    owner: str
    purpose: str
    source: Side | None
    target: Side
    cuts_over: bool


@lru_cache(maxsize=256)
def of(migration_id: str) -> About | None:
    """What the migration of that id says; None where this installation has none of that id, or one that is broken."""
    declaration = declared(migration_id)
    if declaration is None:
        return None
    named = {"title": declaration.title, "owner": declaration.owner, "purpose": purpose(declaration.doc)}
    if isinstance(declaration, SchemaMigration):
        names = tuple(history.id for history in declaration.histories)
        connections = tuple(sorted({history.connection for history in declaration.histories}))
        return About(**named, source=None, target=Side(tables=names, connections=connections), cuts_over=False)
    driven = {phase.source for phase in declaration.phases}
    written = {output.target for phase in declaration.phases for output in phase.outputs}
    sources = [s for s in declaration.sources if s.id in driven] or [
        s for s in declaration.sources if s.partition_by is not None
    ]
    return About(
        **named,
        source=_side((s.table.name, s.table.connection) for s in sources),
        target=_side((t.table.name, t.table.connection) for t in declaration.targets if t.id in written),
        cuts_over=bool(declaration.settings),
    )


@lru_cache(maxsize=256)
def declared(migration_id: str) -> Migration | SchemaMigration | None:
    """The declaration of that id; None where there is none here, or one that cannot be read, which the log then says."""
    if migration_id not in project.migration_ids():
        return None
    try:
        return project.load_migration(migration_id)
    except (DeclarationError, ImportError) as error:
        log.warning("the declaration of %s cannot be shown: %s", migration_id, error)
        return None


def _side(tables: object) -> Side:
    listed = list(dict.fromkeys(tables))  # type: ignore[call-overload]
    return Side(
        tables=tuple(dict.fromkeys(name for name, _ in listed)),
        connections=tuple(sorted({connection for _, connection in listed})),
    )


def purpose(doc: str) -> str:
    """The first sentence of a document in Markdown that is no heading, as plain text."""
    for block in re.split(r"\n\s*\n", doc.strip()):
        text = " ".join(line.strip() for line in block.splitlines() if not line.startswith("#"))
        if text and not text.startswith(("|", "```", "-", "*")):
            plain = re.sub(
                r"`([^`]*)`|\*\*([^*]*)\*\*|\[([^\]]*)\]\([^)]*\)", lambda m: m[1] or m[2] or m[3] or "", text
            )
            first = re.match(r"(.+?[.:!?])(\s|$)", plain)
            return (first[1] if first else plain).rstrip(":")
    return ""

"""What an author says: migrations, sources, targets, tables, types, and the names that are the engine's own.

Anybody may import it; it imports nothing of the engine but its errors."""

from .migration import (
    Derived,
    Index,
    Migration,
    Output,
    Param,
    Phase,
    Source,
    Statement,
    SuiteFactory,
    Table,
    Target,
    Type,
)

__all__ = [
    "Derived",
    "Index",
    "Migration",
    "Output",
    "Param",
    "Phase",
    "Source",
    "Statement",
    "SuiteFactory",
    "Table",
    "Target",
    "Type",
]

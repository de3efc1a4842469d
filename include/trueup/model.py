"""The door for migrations that were written before `include.trueup.declare`: the same names."""

from .declare.migration import (
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

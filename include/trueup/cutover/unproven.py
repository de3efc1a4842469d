"""Why no switch is turned."""

from __future__ import annotations

from ..errors import ProofError


class UnprovenError(ProofError):
    """`why` a migration is not proven, which turns its switch, or that of another."""

    def __init__(self, migration_id: str, why: str, switch: str | None = None) -> None:
        self.why = why
        super().__init__(
            f"the switch of {switch or migration_id} is not turned: {why}. "
            f"Trigger {migration_id} over whole tables (mode verify, or apply), and cut over when it is proven"
        )

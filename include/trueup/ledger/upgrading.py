"""The ledger's own tables, brought to the newest version by Alembic."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from ..errors import OptionsError
from . import sessions
from .tables import SCHEMA, UPGRADE_LOCK

_UPGRADE_SECONDS = 10.0
"""How long a transaction that makes tables may be idle at the least, since Alembic reads its scripts in it."""


def upgrade(engine: sa.Engine) -> None:
    """What `Ledger.upgrade` does."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "alembic").replace("%", "%%"))
    with sessions.transaction(engine, _UPGRADE_SECONDS) as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
        connection.execute(sa.schema.CreateSchema(SCHEMA, if_not_exists=True))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise OptionsError(
                f"the ledger is of a newer version of Trueup than this one ({error}), so no run is begun by this one: bring this "
                "installation, on every worker, to that version, and clear the task"
            ) from error

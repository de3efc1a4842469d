"""The stores behind the API, by Airflow connection."""

from __future__ import annotations

import atexit

from include.routes import Stores
from trueup_airflow import connections

STORES = Stores(open_store=connections.open_store, ledger=lambda: connections.ledger())
"""Those of this process."""
atexit.register(STORES.forget)


def forget() -> None:
    """Look connections up again at the next request."""
    STORES.forget()

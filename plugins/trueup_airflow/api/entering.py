"""What a process counted, on its way to the ledger, which need not be there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from airflow.sdk.exceptions import AirflowNotFoundException

from include.trueup.errors import TrueupError
from include.trueup.ledger import Ledger

log = logging.getLogger(__name__)

Done = TypeVar("Done")
_reported: set[str] = set()
"""Of what it was said that Airflow gives no connection to enter it by."""


def enter(
    what: str, ledger: Callable[[], Ledger], work: Callable[[Ledger], Done], *, leaving: bool = False
) -> Done | None:
    """What `work` gives; None where the ledger does not take it, which the log says. Where Airflow gives no connection to the
    ledger, that is said of each `what` once, and not by a process that is `leaving`."""
    try:
        book = ledger()
        if book.is_upgraded():
            return work(book)
        log.info("%s: entered once a run has brought the ledger to its newest version", what)
    except AirflowNotFoundException as error:
        if not leaving and what not in _reported:
            _reported.add(what)
            log.warning(
                "%s: counted in this process only, since Airflow gives no connection to the ledger (%s); define the connection"
                " trueup_ledger",
                what,
                error,
            )
    except TrueupError as error:
        log.warning("%s: not entered yet: %s", what, error)
    except Exception:  # such as a connection of a type that cannot be
        log.exception("%s: not entered yet", what)
    return None

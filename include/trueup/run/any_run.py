"""What a run on rows and a run on schemas have in common."""

from __future__ import annotations

from typing import Protocol

from ..ledger import Ledger
from ..stores.effects import Effects
from .files import Files
from .options import Options, SchemaOptions
from .workspace import RunFolder


class AnyRun(Protocol):
    """A run, on rows or on schemas."""

    @property
    def id(self) -> str:
        """The run's id in the ledger."""

    @property
    def dag_id(self) -> str:
        """The DAG that it is a run of."""

    @property
    def airflow_run_id(self) -> str | None:
        """What Airflow calls it, if it is one of Airflow's."""

    @property
    def options(self) -> Options | SchemaOptions:
        """What it was asked to do."""

    @property
    def ledger(self) -> Ledger:
        """Where its status, steps and approvals are entered."""

    @property
    def folder(self) -> RunFolder:
        """Where its files are."""

    @property
    def files(self) -> Files:
        """The same, by what they are."""

    @property
    def effects(self) -> Effects:
        """Clocks, waiting and chance."""

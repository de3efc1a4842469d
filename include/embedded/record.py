"""TRUEUP_HOME/stack.json: what runs for this home, so that any later command can find it and end it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .daemons import Daemon
from .home import Home, write_private


@dataclass(frozen=True, kw_only=True)
class Record:
    """`daemons` by name and `ports` by the name of what listens there. Of the Airflow that runs: `embedded` are the
    connections that lead to an embedded store, `workspace` is its TRUEUP_WORKSPACE."""

    ports: Mapping[str, int] = field(default_factory=dict)
    daemons: Mapping[str, Daemon] = field(default_factory=dict)
    embedded: tuple[str, ...] = ()
    workspace: str = ""

    @classmethod
    def load(cls, home: Home) -> Record:
        """What was recorded last; an empty record where nothing was."""
        if not home.stack_file.exists():
            return cls()
        kept = json.loads(home.stack_file.read_text())
        daemons = {d["name"]: Daemon(**{**d, "log": Path(d["log"])}) for d in kept["daemons"]}
        return cls(**{**kept, "daemons": daemons, "embedded": tuple(kept["embedded"])})

    def save(self, home: Home) -> None:
        """Write the record, whole or not at all."""
        daemons = [
            {"name": d.name, "pid": d.pid, "started": d.started, "log": str(d.log)} for d in self.daemons.values()
        ]
        kept = {**vars(self), "ports": dict(self.ports), "daemons": daemons}
        write_private(home.stack_file, json.dumps(kept, indent=1))

    def adding(self, daemon: Daemon, port: int | None = None) -> Record:
        """This record with one more daemon and, if it listens on one, its port."""
        ports = {**self.ports, daemon.name: port} if port else self.ports
        return replace(self, ports=ports, daemons={**self.daemons, daemon.name: daemon})

    def without(self, names: tuple[str, ...]) -> Record:
        """This record without those daemons; their ports are kept, to be used again."""
        return replace(self, daemons={name: d for name, d in self.daemons.items() if name not in names})

    def running(self, name: str) -> bool:
        """Whether that daemon runs."""
        return name in self.daemons and self.daemons[name].running()

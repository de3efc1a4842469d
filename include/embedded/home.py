"""TRUEUP_HOME: the one folder that holds all state of a checkout, and the secrets made for it."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..trueup.errors import TerminalError

PROJECT = Path(__file__).resolve().parents[2]
"""The checkout: the folder with dags/, plugins/ and include/."""

ROLES = {"admin": "admin", "olive": "op", "ursula": "user", "vera": "viewer"}
"""Users of the embedded Airflow and their roles (op may configure, user may run and approve, viewer may look)."""


class StartError(TerminalError):
    """A program did not start. The message names it, says why, and where its log is."""


@dataclass(frozen=True)
class Home:
    """Where everything of one TRUEUP_HOME lies. `root` is absolute."""

    root: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Home:
        """The home that `TRUEUP_HOME` names, by default `.trueup` of the checkout; relative paths start there too."""
        return cls((PROJECT / Path(environ.get("TRUEUP_HOME") or ".trueup").expanduser()).resolve())

    def make(self) -> None:
        """Make the folder, or close one that is there: rows, logs and reports lie in it, for its owner alone."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        mode = stat.S_IMODE(self.root.stat().st_mode)
        if mode & stat.S_IRWXO:
            self.root.chmod(mode & ~(stat.S_IRWXG | stat.S_IRWXO))

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME: Airflow's configuration file and task logs."""
        return self.root / "airflow"

    @property
    def logs(self) -> Path:
        """One log file per program that the launcher starts, and one per in-process run."""
        return self.root / "logs"

    @property
    def postgres(self) -> Path:
        """Data of the embedded PostgreSQL."""
        return self.root / "postgres"

    @property
    def dynamodb(self) -> Path:
        """Tables of the embedded DynamoDB engine."""
        return self.root / "dynamodb"

    @property
    def workspace(self) -> Path:
        """Artifacts of the runs, where TRUEUP_WORKSPACE names no other place."""
        return self.root / "workspace"

    @property
    def stack_file(self) -> Path:
        """What of the stack is running: ports, process ids, start times."""
        return self.root / "stack.json"

    @property
    def passwords_file(self) -> Path:
        """Passwords of the Airflow users by name, as Airflow's SimpleAuthManager reads them; mode 600."""
        return self.root / "passwords.json"

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the lock of that name alone among all processes of this home. Waits; a dead process holds nothing."""
        self.make()
        with (self.root / f"{name}.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def passwords(self) -> dict[str, str]:
        """The password of each of `ROLES`' users, made at the first call and kept."""
        return self._kept(self.passwords_file, {user: secrets.token_urlsafe(12) for user in ROLES})

    def secrets(self) -> dict[str, str]:
        """Airflow's own secrets (`jwt`, `api`, `fernet`), made at the first call and kept in a file of mode 600.

        All of Airflow's programs must share them: left to itself, each makes its own on an empty home.
        """
        fresh = {
            "jwt": secrets.token_urlsafe(64),  # SHA-512 wants 64 bytes
            "api": secrets.token_urlsafe(32),
            "fernet": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        }
        return self._kept(self.root / "secrets.json", fresh)

    def _kept(self, file: Path, fresh: dict[str, str]) -> dict[str, str]:
        with self.lock("secrets"):
            kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
            if missing := fresh.keys() - kept.keys():
                kept |= {name: fresh[name] for name in missing}
                write_private(file, json.dumps(kept, indent=1))
        return kept


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read (mode 600), whole or not at all."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        output.write(text)
    part.replace(file)

"""Every error Trueup raises.

    TrueupError
    ├── TerminalError                 trying again cannot help
    │   ├── DeclarationError          a migration is declared wrongly
    │   ├── OptionsError              a run was asked for something it cannot do
    │   ├── SourceError               a source table is missing or is not what was declared
    │   ├── MemoryLimitError          a step needs more memory than it may hold
    │   ├── UnreadableValueError      a value has no canonical form
    │   ├── StoreRejectedError        a store refused a request as invalid or not allowed
    │   ├── TargetHeldError           another run is writing to the same target
    │   ├── StatusError               a run may not go from one status to the other
    │   ├── ArtifactError             a file of the workspace is missing or is not what was written
    │   ├── GateError                 a gate did not pass
    │   ├── ApprovalError             a plan is not approved, is another than was approved, or is too old
    │   └── ProofError                the target is not what the plan says
    └── TransientError                the same call may succeed later; the work done so far is kept
        └── StoreUnavailableError     a store did not answer, throttled, or answered with a server error

Terminal and transient are different classes, so that a caller decides on the class and never on the text.
A message says what happened, to which row or table, and what to do next.
"""

from __future__ import annotations


class TrueupError(Exception):
    """Base of every error that Trueup raises."""


class TerminalError(TrueupError):
    """Trying again cannot help; somebody has to change something first."""


class TransientError(TrueupError):
    """The same call may succeed later; the work done so far is kept."""


class DeclarationError(TerminalError):
    """A migration is declared wrongly."""


class OptionsError(TerminalError):
    """A run was asked for something that it cannot do."""


class SourceError(TerminalError):
    """A source table is missing, or is not what the migration declares."""


class UnreadableValueError(TerminalError):
    """A value has no canonical form: no number, no JSON, or beyond what the engine takes. The message says why."""


class MemoryLimitError(TerminalError):
    """A step needs more memory than it may hold. The message names the setting."""


class StoreRejectedError(TerminalError):
    """A store refused a request as invalid or not allowed."""


class TargetHeldError(TerminalError):
    """Another run is writing to the same target, or waits to. `held_by`: its id, where it is known."""

    def __init__(self, message: str, held_by: str | None = None) -> None:
        super().__init__(message)
        self.held_by = held_by


class StatusError(TerminalError):
    """A run may not go from its status to the one asked for."""


class ArtifactError(TerminalError):
    """A file of the workspace is missing, or is not the file that was written."""


class GateError(TerminalError):
    """A gate did not pass, so nothing after it may run."""


class ApprovalError(TerminalError):
    """A plan is not approved, is not the plan that was approved, or is older than it may be."""


class ProofError(TerminalError):
    """The target does not hold what the plan says."""


class StoreUnavailableError(TransientError):
    """A store did not answer, throttled the request, or answered with a server error, each time it was tried."""

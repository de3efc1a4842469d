"""What an author says: migrations, sources, targets, tables, types, and the names that are the engine's own.

Anybody may import it; it imports nothing of the engine but its errors."""

from .migration import *  # noqa: F403  its `__all__` is the list of what an author writes with
from .migration import __all__ as __all__

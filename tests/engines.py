"""As these were called before they stood in `harness.py`."""

from .harness import HOME, Item, fastest_engine, few_rows, items, run_of, store_at

__all__ = ["HOME", "Item", "fastest_engine", "few_rows", "items", "run_of", "store_at"]

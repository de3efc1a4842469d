"""The PostgreSQL store. ADBC reads and writes (Arrow, by binary COPY); psycopg quotes, and runs scripts."""

from __future__ import annotations

from psycopg import Connection

from .pool import Pool
from .store import PostgresStore

__all__ = ["Connection", "Pool", "PostgresStore"]

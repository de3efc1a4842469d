"""Twins in memory of all that the engine reaches outside of itself: they pass the contract suites of the real ones, tell of every
effect, and lie on demand.

- `RelationalTwin` is a `Store` as PostgreSQL is one, over a `Database`: tables with unique indexes, CHECKs, foreign keys,
  triggers in Python, row security and sequences. An author's SQL around the rows is noted (`Database.scripts`).
- `MemoryStore` with `DOCUMENTS` is a `Store` as DynamoDB is one, a process' door to a `Server`'s tables.
- `LedgerTwin` is the engine's ledger, its statements run by SQLite.
- `WorkspaceTwin` is the engine's workspace in a folder.

**The hook.** Each takes `hook: Callable[[Effect], None]`, called before and after each effect, in the thread (or fibre) that does
it, and never while a lock is held: so that whoever schedules may hand over to others there, end the one that calls (any
`BaseException`; an open transaction is then taken back), let time pass (by `Effects`), or change rows as another program would
(`Database.tables[…].rows`). It may raise, too:

| raised | before | after |
|---|---|---|
| `StoreUnavailableError` | it was not done | it was done, and the answer is lost |
| `HiddenError(*keys)` | of `read` and `get`: these rows are not in the answer | – |

A relational store tries again by itself after `StoreUnavailableError`, by the engine's own rule (`Address.insist`), until its
`patience` is over; the ledger does not. To "apply and then time out" is to raise it after; to be "late after the lease is gone" is
to let time pass at `commit`, told when a transaction has done everything and keeps its locks: if another run's `end_older` or
the server's idle time ended it meanwhile, it is not committed.
"""

from .hook import Effect as Effect
from .hook import HiddenError as HiddenError
from .hook import Hook as Hook
from .ledger import LedgerTwin as LedgerTwin
from .looking import DOCUMENTS as DOCUMENTS
from .looking import POSTGRES as POSTGRES
from .relational import RelationalTwin as RelationalTwin
from .server import Foreign as Foreign
from .server import Held as Held
from .server import Server as Server
from .store import MemoryStore as MemoryStore
from .transactions import Database as Database
from .workspace import WorkspaceTwin as WorkspaceTwin

"""Twins in memory of all that the engine reaches outside of itself: they pass the contract suites of the real ones, tell of every
effect, and lie on demand.

- `RelationalTwin` is a `Store` as PostgreSQL is one, over a `Database`: tables with unique indexes, CHECKs, foreign keys,
  triggers in Python, row security and sequences. An author's SQL around the rows is noted (`Database.scripts`).
- `DocumentTwin` is the engine's own store of DynamoDB, over a `DocumentServer` that answers its requests.
- `LedgerTwin` is the engine's ledger, its statements run by SQLite.
- `WorkspaceTwin` is the engine's workspace in a folder.

**The hook.** Each takes `hook: Callable[[Effect], None]`, called before and after each effect, in the thread (or fibre) that does
it, and never while a lock is held: so that whoever schedules may hand over to others there, end the one that calls (any
`BaseException`; an open transaction is then taken back), let time pass (by `Effects`), or change rows as another program would
(`Database.tables[…].rows`). It may raise, too:

| raised | before | after |
|---|---|---|
| `StoreUnavailableError` | it was not done | it was done, and the answer is lost |
| `HiddenError(*keys)` | of reads: these rows are not in the answer | – |
| `ThrottledError(code)` | of a document request: refused for now, with this code | – |
| `UnprocessedError(done)` | of a document batch: only the first `done` are processed, and the answer says so | – |
| `HalfError(done)` | of a document batch: only the first `done` are processed, and no answer comes | – |
| `LaterError(later)` | of a document request: no answer comes, and it is done when `later` says | – |
| `StaleError()` | of a document read: items as they were before they were last written, unless it is to be consistent | – |

A relational store tries again by itself after `StoreUnavailableError`, by the engine's own rule (`Address.insist`), until its
`patience` is over; a document store by its own (`Wire`, `Backoff`); the ledger does not. To "apply and then time out" is to
raise it after. To be "late after the lease is gone" is to let time pass at `commit`, told when a transaction has done
everything and keeps its locks: if another run's `end_older`, or the server's idle time, ended it meanwhile, it is not
committed. A document store's request that is late is done, as DynamoDB does it.
"""

from .document_server import DocumentServer as DocumentServer
from .documents import DocumentTwin as DocumentTwin
from .hook import Effect as Effect
from .hook import HalfError as HalfError
from .hook import HiddenError as HiddenError
from .hook import Hook as Hook
from .hook import LaterError as LaterError
from .hook import StaleError as StaleError
from .hook import ThrottledError as ThrottledError
from .hook import UnprocessedError as UnprocessedError
from .ledger import LedgerTwin as LedgerTwin
from .relational import RelationalTwin as RelationalTwin
from .tables import Counter as Counter
from .tables import Does as Does
from .tables import Firing as Firing
from .tables import ForeignKey as ForeignKey
from .tables import RowRefusedError as RowRefusedError
from .transactions import Database as Database
from .workspace import WorkspaceTwin as WorkspaceTwin

"""Twins of what the engine writes to: stores in memory, which pass the contract suite of the real ones, and lie on demand.

    server = Server("shop")                             what every store of one connection shares: tables, and what they do
    store = MemoryStore(server, POSTGRES, hook)         a process' door to it; DOCUMENTS is the other kind
    hook(Effect(kind, target, keys, when))              called before and after each effect of that door

Between `before` and `after` lies one effect, whole: in PostgreSQL's twin a batch is one, in the documents' twin each row (or
transaction) is. So a hook can be anybody: it may hand over to another process, advance a clock, or raise.

- Raised before: refused, and nothing was done (throttled, unreachable, killed before it was sent).
- Raised after: done, and the answer was lost (timed out, killed while it waited).
- Raised before one row of a batch of documents: applied in part.
- Handed over before, and gone on with later: a request that is late. PostgreSQL's twin refuses it if somebody has ended its
  session meanwhile (`Store.end_older`), as the server does; the documents' twin takes it, as DynamoDB does.

What a table does by itself is `Held`'s: unique indexes, foreign keys, triggers, rows that a policy hides, sequences.
"""

from .looking import DOCUMENTS, POSTGRES
from .server import Effect, Foreign, Held, Hook, Server
from .store import MemoryStore

__all__ = ["DOCUMENTS", "POSTGRES", "Effect", "Foreign", "Held", "Hook", "MemoryStore", "Server"]

"""The same histories against real servers: PostgreSQL and a DynamoDB engine behind proxies that cut, and each try of a task a
process of its own, which is stopped and killed by signals.

The schedule, the world, Airflow and the oracle are those of the bench (`..world`), in one process: the *parent*. A try is a
fibre there as ever, but what it does is done by a child (`trying.py`), which tells of each effect before it begins and after it
has ended, and waits for the answer. So the schedule chooses at the same points as it does over the twins.

- `machine.py`, `stores.py`, `trying.py`: in the child. Its clocks and its waiting are the schedule's, as the twins have it: a
  lease is over after a minute of the schedule, not of the wall, and PostgreSQL is given the same clock (`servers.py`).
- `processes.py`, `places.py`: in the parent, which has the child go on, stops it, kills it, and looks at the tables by
  connections of its own.
- `servers.py`, `proxy.py`: the servers, and what stands before them.
"""

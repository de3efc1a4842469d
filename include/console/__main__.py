"""What an author's commands of the Makefile call: `python -m include.console check <id>`."""

from __future__ import annotations

import sys

from ..trueup.errors import TrueupError
from .check import check, notes


def main(arguments: list[str]) -> int:
    """Do what the command line asks; the exit status: 0 where nothing is wrong, 1 where something is, 2 for a wrong command."""
    match arguments:
        case ["check", migration_id]:
            problems = check(migration_id)
            for problem in problems:
                print(problem)
            for note in notes(migration_id) if not problems else ():
                print(f"Note: {note}")
            print(
                f"{migration_id}: {len(problems)} problem{'s' * (len(problems) != 1)}"
                if problems
                else f"{migration_id}: all is well"
            )
            return 1 if problems else 0
        case _:
            print(__doc__, file=sys.stderr)
            return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TrueupError as error:
        print(error, file=sys.stderr)
        sys.exit(2)

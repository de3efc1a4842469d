"""Workers: what several threads do at once."""

from __future__ import annotations

from include.trueup.stores.effects import Threads, Until


def test_what_has_ended_comes_in_the_order_in_which_it_was_begun() -> None:
    with Threads(4) as pool:
        begun = [pool.submit(int, n) for n in range(64)]
        assert pool.wait(begun, Until.ALL) == (begun, [])

"""How an exact index becomes a decimal number: the same in Python and in the database (prepare_scores.sql)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

DIGITS = 34
"""Significant digits of an index that has no end, as DECIMAL128 has."""
_HALF_EVEN = re.compile(r"half_even:(0|[1-9]\d?|100)\Z")


@dataclass(frozen=True)
class Rounding:
    """A rule of rounding: to `places` fractional digits, half even; None: not at all."""

    places: int | None = None

    @classmethod
    def parse(cls, rule: str) -> Rounding:
        """Of `none` or `half_even:<places>`. Raises `ValueError` for anything else."""
        if rule == "none":
            return cls()
        if match := _HALF_EVEN.match(rule):
            return cls(int(match[1]))
        raise ValueError(f"rounding is {rule!r}; it can be none, or half_even:<places> with 0 to 100 places")

    def of(self, exact: Fraction) -> Decimal:
        """The number, exactly where it ends and is not to be rounded; else to the rule's places, or where it has no end, to
        34 significant digits, half even."""
        if self.places is not None:
            return _shifted(round(exact * 10**self.places), -self.places)
        rest, powers = exact.denominator, {2: 0, 5: 0}
        for prime in powers:
            while rest % prime == 0:
                rest //= prime
                powers[prime] += 1
        if rest == 1:
            places = max(powers.values())
            return _shifted(exact.numerator * (10**places // exact.denominator), -places)
        return Context(prec=DIGITS, rounding=ROUND_HALF_EVEN).divide(
            Decimal(exact.numerator), Decimal(exact.denominator)
        )


def _shifted(digits: int, exponent: int) -> Decimal:
    return Decimal((int(digits < 0), tuple(map(int, str(abs(digits)))), exponent))

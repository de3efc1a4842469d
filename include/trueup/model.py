"""The door for migrations that were written before `include.trueup.declare`: the same names."""

from .declare import *  # noqa: F403
from .declare import __all__ as __all__

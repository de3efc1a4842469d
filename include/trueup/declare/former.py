"""Keywords of the first release: what was declared with them is still taken, with a `DeprecationWarning`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

C = TypeVar("C")
FORMER: dict[str, Mapping[str, str]] = {}
"""The former keywords of each class, by its name, each with what to write now."""


def takes_former(
    keywords: Mapping[str, str], translate: Callable[[dict[str, Any]], dict[str, Any]]
) -> Callable[[type[C]], type[C]]:
    """A class decorator: of the former `keywords`, each with what to write now, those that are given are warned about;
    then `translate` gives the keywords that the class itself takes."""

    def decorate(declared: type[C]) -> type[C]:
        init: Callable[..., None] = declared.__init__

        @wraps(init)
        def taking(self: C, *values: Any, **given: Any) -> None:
            if former := keywords.keys() & given:
                for name in sorted(former):
                    message = f"{declared.__name__}({name}=…) is deprecated: {keywords[name]}"
                    warnings.warn(message, DeprecationWarning, stacklevel=2)
                given = translate(given)
            init(self, *values, **given)

        FORMER[declared.__name__] = keywords
        declared.__init__ = taking  # type: ignore[method-assign,assignment]
        return declared

    return decorate


def renamed(names: Mapping[str, str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A `translate` that gives each keyword under its present name."""
    return lambda given: {names.get(name, name): value for name, value in given.items()}

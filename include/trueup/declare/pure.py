"""What a transform that is a function may be: one of a module, of relations by name, that asks no clock and draws no lots.

Only code is looked at, of the function and of those that it calls in its own folder; what it gives is tried when it runs.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from ..errors import DeclarationError

_MODULES = {
    *("asyncio", "ctypes", "http", "locale", "multiprocessing", "os", "pathlib", "platform"),
    *("random", "requests", "secrets", "shutil", "socket", "sqlite3", "subprocess", "sys"),
    *("tempfile", "threading", "time", "urllib", "urllib3"),
}
"""Modules that read a clock, draw at random, or reach for something that is no row."""
_NAMES = frozenset(
    {"now", "utcnow", "today", "urandom", "uuid1", "uuid4", "default_rng", "open", "input", "__import__"}
)
"""Names that do so, whatever they are looked up in."""


def parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the function's parameters: the relations that it sees."""
    return tuple(inspect.signature(function).parameters)


def check(phase: str, function: Callable[..., Any]) -> None:
    """Raise `DeclarationError` where the function cannot be the transform of that phase."""
    what = f"phase {phase!r}: transform {getattr(function, '__name__', function)!r}"
    named = isinstance(function, FunctionType) and function.__name__.isidentifier()
    if not named or function.__qualname__ != function.__name__ or function.__closure__:
        raise DeclarationError(f"{what} is not a function of a module; write one with def, outside of others")
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) or (
            parameter.default is not parameter.empty
        ):
            raise DeclarationError(
                f"{what}: parameter {parameter.name!r} must be a plain one without default: it names the relation that it gets"
            )
    for code, owner in _reached(function):
        if name := _impure(code, owner):
            raise DeclarationError(
                f"{what}: {code.co_name} (line {code.co_firstlineno} of {Path(code.co_filename).name}) uses {name}, but a "
                "transform is pure: a plan that is made again of the same rows must be the same. Give it what it needs as a "
                "relation: a param, a constant, a source"
            )


def files(function: Callable[..., Any]) -> tuple[Path, ...]:
    """The files of its code: of the function, and of those that it calls in its own folder."""
    return tuple(sorted({Path(code.co_filename) for code, _ in _reached(function)}))


def mentions(function: Callable[..., Any], text: str) -> bool:
    """Whether its code has that text as a value."""
    return any(text in code.co_consts for code, _ in _reached(function))


def _reached(function: Callable[..., Any]) -> Iterator[tuple[CodeType, FunctionType]]:
    """The code of the function and of all functions of its folder that it names, each with the function that it is of."""
    asked: list[Callable[..., Any]] = [function]
    seen: set[int] = set()
    folder = Path(inspect.unwrap(function).__code__.co_filename).parent
    while asked:
        each = inspect.unwrap(asked.pop())
        if isinstance(each, type):
            asked += [member for member in vars(each).values() if isinstance(member, FunctionType)]
        if not isinstance(each, FunctionType) or id(each.__code__) in seen:
            continue
        seen.add(id(each.__code__))
        if not Path(each.__code__.co_filename).is_relative_to(folder):
            continue
        for code in _nested(each.__code__):
            yield code, each
            asked += [each.__globals__[name] for name in code.co_names if callable(each.__globals__.get(name))]


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _impure(code: CodeType, owner: FunctionType) -> str | None:
    for step in dis.get_instructions(code):
        name = step.argval
        if step.opname == "IMPORT_NAME" and str(name).split(".")[0] in _MODULES:
            return str(name)
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            given = owner.__globals__.get(name)
            module = given.__name__ if isinstance(given, ModuleType) else getattr(given, "__module__", None)
            if isinstance(module, str) and (module.split(".")[0] in _MODULES or module == "numpy.random"):
                return str(name)
        if step.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_GLOBAL", "LOAD_NAME", "IMPORT_FROM") and name in _NAMES:
            return str(name)
    return None

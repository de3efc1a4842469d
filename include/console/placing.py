"""Where in the text of a declaration a problem is: `ast` says what a call spans, and which of its parts is meant."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ..trueup.declare.former import FORMER
from .problem import Problem

_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")
_OWN = re.compile(r"^migration '\w+': ")


def within(file: Path, line: int, text: str) -> int:
    """The line that a problem of the call that begins there is about: that of the last name in quotes which the call has in it, else
    that of the field that the text names, else the call's own."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError):
        return line
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.lineno == line]
    if not calls:
        return line
    call = max(calls, key=lambda node: node.end_lineno or node.lineno)
    clause = _OWN.sub("", text).partition("; ")[0]
    own_id = next((each.value for each in call.keywords if each.arg == "id"), None)
    texts = [n for n in ast.walk(call) if isinstance(n, ast.Constant) and isinstance(n.value, str) and n is not own_id]
    for name in [] if " twice" in clause else reversed(_QUOTED.findall(clause)):
        if at := next((each.lineno for each in texts if each.value == name), None):
            return at
    fields = {each.arg: each.value.lineno for each in call.keywords if each.arg}
    return next((fields[word] for word in re.findall(r"\w+", clause) if word in fields and word != "id"), line)


def former(folder: Path) -> Iterator[Problem]:
    """Keywords of the first release, which are still taken, and mean nothing or have another name now."""
    for file in sorted(folder.glob("*.py")):
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except (OSError, SyntaxError, ValueError):
            continue  # whoever imports it says what is wrong
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            keywords = FORMER.get(node.func.id, {})
            for given in node.keywords:
                if given.arg and given.arg in keywords:
                    message = f"{node.func.id}({given.arg}=…) is of the first release: {keywords[given.arg]}"
                    yield Problem(file, given.value.lineno, message)

"""A view's scripts in one file, and all styles in one: a page then waits for three files, not for twenty.

The modules in `static/` are written for it: each import is a line `import { a, b } from "./other.js";`, each export stands
before what it exports, and only a view's own module, which comes last, awaits at its top.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"
STYLES = ("pages.css", "parts.css", "rows.css")
_IMPORT = re.compile(r'^import \{ ([^}]+) \} from "\./([a-z_]+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:const|class|function|async function) (\w+))", re.MULTILINE)


@cache
def script(view: str) -> str:
    """The view's module, and before it all that it imports: each a function that gives what it exports."""
    modules: dict[str, str] = {}

    def code(name: str) -> str:
        text = (STATIC / f"{name}.js").read_text(encoding="utf-8")
        for _, other in _IMPORT.findall(text):
            if other not in modules:
                its = code(other)
                exported = ", ".join(_EXPORT.findall((STATIC / f"{other}.js").read_text(encoding="utf-8")))
                modules[other] = f"const ${other} = (() => {{\n{its}\nreturn {{ {exported} }};\n}})();\n"
        return _EXPORT.sub("", _IMPORT.sub(lambda each: f"const {{ {each[1]} }} = ${each[2]};", text))

    last = code(view)
    return "".join(modules.values()) + last


@cache
def styles() -> str:
    """All styles, in their order."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in STYLES)

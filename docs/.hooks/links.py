"""MkDocs: a link that leads out of docs/, to a file of the checkout, is shown as that file's path, for it is not of the site."""

from __future__ import annotations

import posixpath
import re
from typing import Any

_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
_CODE = re.compile(r"(```.*?```|`[^`\n]+`(?!\]))", re.S)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The page, with such links as text."""
    folder = posixpath.dirname(page.file.src_uri)

    def shown(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, link[3]))
        if "://" in link[3] or not path.startswith("../"):
            return link[0]
        path = path.removeprefix("../")
        return f"`{path}`" if link[2].strip("`") == path else f"{link[2]} (`{path}`)"

    parts = _CODE.split(markdown)
    return "".join(part if n % 2 else _LINK.sub(shown, part) for n, part in enumerate(parts))

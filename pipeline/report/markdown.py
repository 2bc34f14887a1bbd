"""Markdown from untrusted text: what comes from a model file is shown as it is and never becomes markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.report import view


def escape(text: object) -> str:
    """Text that Markdown shows as it is: names come from model files."""
    shown = re.sub(r"[\\`*\[\]<>|~$&@#]|(?<!\w)_|_(?!\w)", r"\\\g<0>", view.printable(text))
    # Bare addresses would become links.
    return re.sub(r":(?=//)|(?<=www)\.", r"\\\g<0>", shown, flags=re.IGNORECASE)


def code(text: object) -> str:
    """Inline code. A backtick or a bar inside would end it, so such text is escaped instead."""
    shown = view.printable(text)
    return escape(shown) if not shown.strip() or re.search(r"[`|\\]", shown) else f"`{shown}`"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], right: tuple[int, ...] = ()) -> str:
    """A Markdown table; `right` are the columns aligned right."""
    lines = [head, tuple("---:" if i in right else "---" for i in range(len(head))), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def yaml(text: object) -> str:
    """A quoted YAML string, its marks escaped: a viewer may take front matter for Markdown."""

    def escaped(match: re.Match[str]) -> str:
        point = ord(match[0])
        return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"

    return '"' + re.sub(r"[^\w .,/-]", escaped, view.printable(text), flags=re.ASCII) + '"'

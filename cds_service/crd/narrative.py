"""The words of a resource's narrative, which is XHTML."""

from __future__ import annotations

from typing import Final

import nh3

_BLOCKS: Final = set(
    """
    address article blockquote br caption dd div dl dt h1 h2 h3 h4 h5 h6 hr li ol p pre section table tbody tfoot thead tr ul
    """.split()  # noqa: SIM905  one line a reader can check against HTML
)
_CELLS: Final = {"td", "th"}


def narrative_words(div: str) -> str:
    """Return the words of an XHTML narrative without its tags, blocks on lines of their own (HTML read by nh3)."""
    if "<" not in div and "&" not in div:
        return div
    kept = nh3.clean(div, tags=_BLOCKS | _CELLS, attributes={}, url_schemes=set(), strip_comments=True, link_rel=None)
    pieces: list[str] = []
    for piece in kept.split("<"):
        tag, closed, rest = piece.partition(">")
        if not closed:  # the text before the first tag
            pieces.append(piece)
            continue
        name = tag.strip("/ ").split(" ", 1)[0]
        if name in _CELLS:
            pieces.append(": " if name == "th" and tag.startswith("/") else " ")
        else:
            pieces.append("\n" if name in _BLOCKS else "")
        pieces.append(rest)
    text = "".join(pieces)
    for entity, character in (("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text

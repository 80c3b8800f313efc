"""A document of the repository as HTML for a page: headings with ids, tables and code that scroll, links that lead somewhere.

Raw HTML is not rendered. Links to other documents that are served lead to their pages; relative links to any other file
become plain text, since there is nothing to lead to.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")

#: What a block of code is, by the language of its fence.
_KINDS = {
    "bash": "Commands",
    "console": "Commands and what they print",
    "python": "Program in Python",
    "mermaid": "Diagram in Mermaid",
}
#: The ids that the page around the document has.
_TAKEN = ("content",)


@dataclass(frozen=True)
class Rendered:
    """A document ready for a page: the text of its first heading, and the whole as HTML."""

    title: str
    html: Markup


def render_document(text: str, path: str, served: Mapping[str, str]) -> Rendered:
    """``text``, the document at ``path`` of the repository, as HTML. ``served`` are the pages' names by the documents' paths."""
    tokens = _without_comments(_markdown.parse(text))
    seen: dict[str, int] = dict.fromkeys(_TAKEN, 1)
    title, heading = "", ""
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            said = _text(tokens[place + 1])
            title, heading = title or said, _unique(slug(said), seen)
            token.attrSet("id", heading)
        elif token.type == "table_open":
            token.meta["heading"] = heading
        elif token.type == "inline" and token.children:
            token.children = _links_mended(token.children, path, served)
    html = _Renderer().render(tokens, _markdown.options, {})
    return Rendered(title, Markup(html))  # noqa: S704  # rendered without raw HTML, every text escaped


def slug(heading: str) -> str:
    """The id that GitHub gives a heading, so that one link serves both."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _unique(wanted: str, seen: dict[str, int]) -> str:
    times = seen.get(wanted, 0)
    seen[wanted] = times + 1
    return f"{wanted}-{times}" if times else wanted


def _text(inline: Token) -> str:
    return "".join(child.content for child in inline.children or () if child.type in ("text", "code_inline"))


def _without_comments(tokens: list[Token]) -> list[Token]:
    """Leave out the paragraphs that are nothing but a comment: they are marks for the tests of the documents."""
    kept: list[Token] = []
    place = 0
    while place < len(tokens):
        if tokens[place].type == "paragraph_open" and re.fullmatch(r"<!--.*?-->", tokens[place + 1].content, re.DOTALL):
            place += 3
        else:
            kept.append(tokens[place])
            place += 1
    return kept


def _links_mended(children: list[Token], path: str, served: Mapping[str, str]) -> list[Token]:
    kept: list[Token] = []
    leads = True
    for child in children:
        if child.type == "link_open":
            address = _address(str(child.attrGet("href") or ""), path, served)
            leads = address is not None
            if address is None:
                continue
            child.attrSet("href", address)
            if ":" in address:
                child.attrSet("rel", "noreferrer")
        elif child.type == "link_close" and not leads:
            continue
        kept.append(child)
    return kept


def _address(href: str, path: str, served: Mapping[str, str]) -> str | None:
    """Where a link of the document at ``path`` leads from its page: beside it, within it or to another site; None: nowhere."""
    target, mark, anchor = href.partition("#")
    if ":" in target or not target:
        return href
    name = served.get(posixpath.normpath(posixpath.join(posixpath.dirname(path), target)))
    return None if name is None else f"{name}{mark}{anchor}"


class _Renderer(RendererHTML):
    """Tables and blocks of code in frames that scroll by themselves and can be reached with the keyboard."""

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        named = escapeHtml(tokens[idx].meta["heading"])
        return (
            f'<div class="table-frame" role="region" aria-labelledby="{named}" tabindex="0"><table aria-labelledby="{named}">\n'
        )

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return "</table></div>\n"

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        language = tokens[idx].info.strip()
        kind = escapeHtml(_KINDS.get(language, language.upper() or "Text"))
        code = f'<pre tabindex="0" role="group" aria-label="{kind}"><code>{escapeHtml(tokens[idx].content)}</code></pre>'
        if language != "mermaid":
            return f'<div class="code">{code}</div>\n'
        return f'<figure class="code">{code}<figcaption>A diagram, as its source in Mermaid.</figcaption></figure>\n'

"""A card's detail as HTML, as an EHR shows it: GitHub's markdown without raw HTML, images or autolinks."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markupsafe import Markup

#: Raw HTML is shown as text; only http, https and mailto links are made (markdown-it's own rule for links, and ours on top).
_markdown = MarkdownIt("js-default", {"html": False, "linkify": False}).disable("image")


def render_markdown(text: str) -> Markup:
    """``text`` as HTML that is safe to put into a page."""
    return Markup(_markdown.render(text))  # noqa: S704  # rendered without raw HTML, every text escaped

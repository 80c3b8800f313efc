"""Reading pages in tests: elements with their attributes, and the text of an element found by id or class."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "link", "input", "img", "br", "hr"}


class Page(HTMLParser):
    """``elements`` are (tag, attributes) in order; ``places`` the numbers of the elements around each, and its own."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self._texts: list[tuple[tuple[int, ...], str]] = []
        self._open: list[int] = []
        self.places: list[tuple[int, ...]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.places.append((*self._open, len(self.elements) - 1))
        if tag not in VOID:
            self._open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.places.append((*self._open, len(self.elements) - 1))

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            if self.elements[self._open.pop()][0] == tag:
                break

    def handle_data(self, data: str) -> None:
        self._texts.append((tuple(self._open), data))

    @property
    def text(self) -> str:
        """All text, white space as one space."""
        return " ".join("".join(text for _, text in self._texts).split())

    def index(self, *, id: str = "", css: str = "") -> int:  # noqa: A002  # HTML's name
        """Where the first element with that id, or that class, stands."""
        for number, (_, attributes) in enumerate(self.elements):
            if (id and attributes.get("id") == id) or (css and css in attributes.get("class", "").split()):
                return number
        raise AssertionError(f"no element {id or css!r}")

    def text_of(self, **where: str) -> str:
        """The text within one element."""
        number = self.index(**where)
        return " ".join("".join(text for path, text in self._texts if number in path).split())

    def tags_in(self, **where: str) -> list[str]:
        """The tags within one element, in order."""
        number = self.index(**where)
        return [self.elements[place[-1]][0] for place in self.places if number in place[:-1]]

    def values(self, attribute: str) -> set[str]:
        """All values of one attribute."""
        return {attributes[attribute] for _, attributes in self.elements if attribute in attributes}

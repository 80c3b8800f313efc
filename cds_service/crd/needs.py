"""What a decision may lack: the core names it, the edge fetches it, and neither knows how the other works."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Literal, TypeVar

import msgspec

T = TypeVar("T")


class Need(msgspec.Struct, frozen=True):
    """Something that was not sent and may be fetched: a read, a search, or a next page of one.

    A read is of ``resource_type`` and ``id``, a search for ``resource_type`` by the parameters ``query``, in their order; a
    page is at ``url``, the address that the server gave. What its kind does not use is empty.
    """

    kind: Literal["read", "search", "page"]
    resource_type: str
    id: str = ""
    query: tuple[tuple[str, str], ...] = ()
    url: str = ""

    @property
    def place(self) -> str:
        """A name for what is needed, unique within one call. May hold ids: patient data."""
        query = "&".join(f"{name}={value}" for name, value in self.query)
        return {"read": f"{self.resource_type}/{self.id}", "search": f"{self.resource_type}?{query}", "page": self.url}[self.kind]


class Fetched(msgspec.Struct, frozen=True):
    """What came of a Need: ``raw``, or None with the ``failure``.

    ``absent`` and ``not-allowed`` are answers (there is none; we may not ask); any other failure is technical.
    """

    raw: bytes | None
    failure: str | None = None

    @property
    def is_technical(self) -> bool:
        """Did the fetch break, rather than answer that there is nothing or be forbidden?"""
        return self.failure is not None and self.failure not in ("absent", "not-allowed")


def run(steps: Generator[Need, Fetched, T], fetch: Callable[[Need], Fetched]) -> T:
    """Drive ``steps`` to their end, answering each Need by ``fetch``."""
    try:
        need = next(steps)
        while True:
            need = steps.send(fetch(need))
    except StopIteration as finished:
        value: T = finished.value
        return value


def not_allowed(_need: Need) -> Fetched:
    """The ``fetch`` of a call that may fetch nothing."""
    return Fetched(None, "not-allowed")

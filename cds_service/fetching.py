"""Answers the core's needs from the FHIR server of a call, if the operator allowed that server."""

from __future__ import annotations

from collections.abc import Callable, Collection

from cds_service.crd.hook_request import FhirAccess
from cds_service.crd.needs import Fetched, Need
from cds_service.fhir_client import FetchFailed, FhirClient, FhirSession

#: HTTP statuses by which a FHIR server answers that a resource is not there, or not ours to see: an answer, not a failure.
_ABSENT = (401, 403, 404, 410)
#: Shorter tokens are words that an answer may well have of its own; a real one, to be secret, has more characters.
_LEAST_TOKEN = 16


class Fetching:
    """The fetches of one call; a context manager. What came of each need is put into ``answers``, by its place, for the records.

    The session is opened when first needed: most calls fetch nothing. ``origins`` are the FHIR servers of the calling
    client, None for those of the settings.
    """

    def __init__(
        self, client: FhirClient, access: FhirAccess, origins: Collection[str] | None, answers: dict[str, Fetched]
    ) -> None:
        self._token = (access.access_token or "").strip().encode("utf-8", "replace")
        self._open: Callable[[], FhirSession | None] = lambda: client.open(access.server, access.access_token, origins)
        self._session: FhirSession | None = None
        self.answers = answers

    def __enter__(self) -> Fetching:
        return self

    def __exit__(self, *_: object) -> None:
        if self._session is not None:
            self._session.close()

    def fetch(self, need: Need) -> Fetched:
        """Fetch ``need``, or say why not."""
        if self._session is None:
            self._session = self._open()
        answer = Fetched(None, "not-allowed") if self._session is None else _ask(self._session, need)
        self.answers[need.place] = answer = self._without_token(answer)
        return answer

    def _without_token(self, answer: Fetched) -> Fetched:
        """``answer``, and where the server repeats the token it was sent, a word in its place: what is fetched is also kept."""
        if answer.raw is None or len(self._token) < _LEAST_TOKEN:
            return answer
        raw = answer.raw.replace(self._token, b"(token)").replace(self._token.replace(b"/", rb"\/"), b"(token)")
        return answer if raw == answer.raw else Fetched(raw)


def _ask(session: FhirSession, need: Need) -> Fetched:
    try:
        if need.kind == "read":
            return Fetched(session.read(need.resource_type, need.id))
        if need.kind == "search":
            return Fetched(session.search(need.resource_type, need.query))
        return Fetched(session.next_page(need.url))
    except FetchFailed as failure:
        return Fetched(None, "absent" if failure.status in _ABSENT else failure.kind)

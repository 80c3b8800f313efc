"""Deciding a kept call again with what was kept, and comparing the answers.

Pure but for the ``decide`` that is handed in. Card, suggestion and assertion ids are made anew with each answer, so
they are compared by where they stand and by which of them are the same, not by their characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from cds_service.records.record import CallRecord

#: Decides a call: what was kept of its input in, response body out.
Decide = Callable[["ReplayInput"], bytes]
#: Decides a call likewise: lines out that say why each of its orders is answered as it is, or not at all.
Explain = Callable[["ReplayInput"], list[str]]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
#: Characters shown before the place where two texts differ.
_BEFORE = 40
# Numbers stay text: 1.10 and 1.1 are different answers where an order is echoed.
_decoder = msgspec.json.Decoder(float_hook=str)


class ReplayInput(msgspec.Struct, frozen=True):
    """All that the decision of a kept call rested on; see ``CallRecord`` for the fields.

    ``policies`` are the policy files then in use, by policy id, as kept; one that was never kept is missing, and
    ``policy_hashes`` tells by its SHA-256 whether a file at hand is the same.
    """

    service_id: str
    hook: str
    client: str | None
    crd_version: str
    request: bytes
    fetched: dict[str, bytes]
    today: str
    settings: dict[str, Any]
    policy_hashes: dict[str, str]
    policies: dict[str, bytes]

    def __repr__(self) -> str:
        return f"ReplayInput(service_id={self.service_id!r})"


class Difference(msgspec.Struct, frozen=True):
    """A place in the response (a path such as ``cards[0].summary``), and what stood there then and stands there now."""

    place: str
    then: Any
    now: Any


def replay_input(call: CallRecord, policies: dict[str, bytes]) -> ReplayInput:
    """What ``decide`` gets to see of ``call``: never its response."""
    return ReplayInput(
        call.service_id,
        call.hook,
        call.client,
        call.crd_version,
        call.request,
        call.fetched,
        call.today,
        call.settings,
        call.policy_hashes,
        policies,
    )


def replay(call: CallRecord, policies: dict[str, bytes], decide: Decide) -> list[Difference]:
    """Decide ``call`` again; how the answer differs from the kept one, an empty list when it is the same."""
    return compare(call.response, decide(replay_input(call, policies)), _known_ids(call))


def compare(then: bytes, now: bytes, fixed: frozenset[str] = frozenset()) -> list[Difference]:
    """How two response bodies differ, apart from ids made anew; ids in ``fixed`` count as they are.

    What is no JSON, or nested too deep to be walked through, is compared as text, and told from where it first differs.
    """
    try:
        before, after = _decoder.decode(then), _decoder.decode(now)
        return list(_differences(_without_ids(before, fixed, {}), _without_ids(after, fixed, {}), ""))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _text_differences(_numbered(_text(then), fixed, {}), _numbered(_text(now), fixed, {}))


def _known_ids(call: CallRecord) -> frozenset[str]:
    # An id that came with the request was not made by the answer.
    return frozenset(found.lower() for found in _UUID.findall(_text(call.request)))


def _text(body: bytes) -> str:
    return body.decode("utf-8", "backslashreplace")


def _without_ids(value: Any, fixed: frozenset[str], seen: dict[str, str]) -> Any:
    """``value`` with each made UUID, also within a longer text, replaced by its number in order of appearance."""
    if isinstance(value, dict):
        return {key: _without_ids(item, fixed, seen) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_ids(item, fixed, seen) for item in value]
    return _numbered(value, fixed, seen) if isinstance(value, str) else value


def _numbered(text: str, fixed: frozenset[str], seen: dict[str, str]) -> str:
    def number(match: re.Match[str]) -> str:
        found = match.group().lower()
        return match.group() if found in fixed else seen.setdefault(found, f"<id {len(seen) + 1}>")

    return _UUID.sub(number, text)


def same_until(then: str, now: str) -> int:
    """How many characters two texts have in common from their beginning."""
    return next((at for at, (one, other) in enumerate(zip(then, now, strict=False)) if one != other), min(len(then), len(now)))


def _text_differences(then: str, now: str) -> list[Difference]:
    if then == now:
        return []
    start = max(0, same_until(then, now) - _BEFORE)
    return [Difference("", then[start:], now[start:])]


def _differences(then: Any, now: Any, place: str) -> Iterator[Difference]:
    if isinstance(then, dict) and isinstance(now, dict):
        for key in [*then, *(key for key in now if key not in then)]:
            yield from _differences(then.get(key), now.get(key), f"{place}.{key}".lstrip("."))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (before, after) in enumerate(zip(then, now, strict=True)):
            yield from _differences(before, after, f"{place}[{number}]")
    elif then != now or type(then) is not type(now):
        yield Difference(place, then, now)

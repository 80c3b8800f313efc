"""What of a request's body may be kept: all but tokens."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cds_service.crd.fhir import members

_TOKEN_NAMES = (b"fhirauthorization", b"fhir_authorization", b"accesstoken", b"access_token")
_ESCAPE = re.compile(rb"\\u00([2-7][0-9a-fA-F])")
#: What an order or a prefetched resource says is the patient's chart: kept to the letter, since an answer may repeat it. The
#: others are texts, or the call is refused.
_TO_THE_LETTER = frozenset(("context", "prefetch", "hook", "hookInstance"))
#: A name of a token, or an escape, in which one may be hidden.
_SUSPECT = re.compile(rb"access_?token|fhir_?authorization|\\u", re.IGNORECASE)


def _may_hold_token(body: bytes) -> bool:
    if b"\\u00" in body:
        body = _ESCAPE.sub(lambda escape: bytes.fromhex(escape[1].decode()), body)
    body = body.lower()
    return any(name in body for name in _TOKEN_NAMES)


def without_token(body: bytes) -> bytes:
    """``body`` without ``fhirAuthorization``, and without members of such a name in its extensions: tokens are never stored.

    Every member without one stays as it came, and so do ``context`` and ``prefetch``.
    """
    # Nor is its name written with escapes. A backslash alone is looked for first: that takes a thirtieth of the time.
    is_named = b"fhirAuthorization" in body or b"access_token" in body
    if not is_named and (b"\\" not in body or b"\\u" not in body):
        return body
    present: dict[str, Any] = dict(members(body.removeprefix(b"\xef\xbb\xbf")))
    is_taken_out = present.pop("fhirAuthorization", None) is not None
    for name, raw in present.items():
        if name not in _TO_THE_LETTER and _SUSPECT.search(raw) and _may_hold_token(bytes(raw)):
            present[name] = _without_tokens_within(bytes(raw))
            is_taken_out = True
    # Where one is named, it may stand in a member that another of the same name hides.
    return msgspec.json.encode(present) if is_taken_out or is_named else body


def _without_tokens_within(raw: bytes) -> msgspec.Raw:
    """``raw``, any JSON, without the members of a token's name; ``null`` where it cannot be read, and so was not."""
    try:
        return msgspec.Raw(msgspec.json.encode(_stripped(msgspec.json.decode(raw))))
    except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError):
        return msgspec.Raw(b"null")


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _stripped(each) for name, each in value.items() if name.encode().lower() not in _TOKEN_NAMES}
    return [_stripped(each) for each in value] if isinstance(value, list) else value


class _Named(msgspec.Struct, rename="camel"):
    hook_instance: Any = None


_named = msgspec.json.Decoder(_Named)


def refused_body(body: bytes) -> tuple[bytes, str]:
    """What may be kept of a body that was refused, and its hookInstance, each empty where there is none.

    Nothing is kept of what is no JSON object, nor where a token may stand at another place than its own.
    """
    try:
        kept = without_token(body)
        named = _named.decode(kept.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return b"", ""
    if _may_hold_token(kept):
        return b"", ""
    return kept, named.hook_instance if isinstance(named.hook_instance, str) else ""

"""Request JSON to a checked ``HookRequest``; with ``hook_contexts`` the only module that knows the keys of a request.

A typed envelope is parsed once; resources and prefetch stay the bytes they came as until somebody needs them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Generic, TypeVar

import msgspec

from .errors import BadRequest, ConstraintBroken
from .fhir import Bundle, Resource
from .fhir_values import as_object, as_text
from .hook_contexts import NonEmpty, OrderContext, SelectContext, read_context
from .hooks import CRD_VERSIONS, HOOK_NAMES, CrdVersion, Hook
from .request_json import parsed


class Configuration(msgspec.Struct, frozen=True):
    """What the client wants returned (CRD ``davinci-crd.configuration``): both on unless it says otherwise."""

    coverage_info: bool = True
    guideline: bool = True


class FhirAccess(msgspec.Struct, frozen=True):
    """The FHIR server that the request names and the token for it; either may be None. Never in a log, nor in a record."""

    server: str | None = None
    access_token: str | None = None

    def __repr__(self) -> str:
        return "FhirAccess(...)"


class HookRequest(msgspec.Struct, frozen=True):
    """One checked hook call.

    ``orders`` are the draft orders that the hook is about (order-sign, order-select), in the order they came. For
    order-dispatch and appointment-book ``order_references`` are the ServiceRequests that the context refers to, as
    (type, id), or ("", fullUrl) of one without an id yet; ``appointments`` maps each to the appointments based on it.
    """

    hook: Hook
    hook_instance: str
    patient_id: str
    version: CrdVersion
    configuration: Configuration
    fhir: FhirAccess
    orders: tuple[Resource, ...]
    prefetch: Mapping[str, msgspec.Raw]
    order_references: tuple[tuple[str, str], ...] = ()
    appointments: Mapping[tuple[str, str], tuple[Resource, ...]] = {}
    other_resources: tuple[str, ...] = ()


_Context = TypeVar("_Context")


class _Envelope(msgspec.Struct, Generic[_Context], rename="camel"):
    hook: NonEmpty
    hook_instance: NonEmpty
    context: _Context
    prefetch: dict[str, msgspec.Raw] | None = None
    fhir_server: Any = None
    fhir_authorization: Any = None
    extension: Any = None


_envelopes = msgspec.json.Decoder(_Envelope[msgspec.Raw])
#: What reads a request with draft orders in one pass: each pass over a large body costs as much as all else about it.
_whole_requests: dict[str, msgspec.json.Decoder[Any]] = {
    "draftOrders": msgspec.json.Decoder(_Envelope[OrderContext[Bundle]]),
    "selections": msgspec.json.Decoder(_Envelope[SelectContext[Bundle]]),
}


def parse_hook_request(body: bytes, hook: Hook) -> HookRequest:
    """Check ``body`` by the rules of ``hook``, the service it was sent to.

    A body that names another hook of the table is answered all the same: the CDS Hooks Sandbox sends such. Raises
    BadRequest (malformed), ConstraintBroken (a CRD version that is not served) or TooLarge (more than MAX_ORDERS).
    """
    body = _utf8(body)
    envelope = _envelope(body, hook)
    if envelope.hook not in HOOK_NAMES:
        raise BadRequest("hook", "names a hook that is not served here", f"Send one of {', '.join(sorted(HOOK_NAMES))}")
    extension = as_object(envelope.extension)
    return HookRequest(
        hook=hook,
        hook_instance=envelope.hook_instance,
        version=_version(extension.get("davinci-crd.requestedVersion")),
        configuration=_configuration(extension.get("davinci-crd.configuration")),
        fhir=FhirAccess(as_text(envelope.fhir_server), as_text(as_object(envelope.fhir_authorization).get("access_token"))),
        prefetch=envelope.prefetch or {},
        **read_context(envelope.context, hook),
    )


def _envelope(body: bytes, hook: Hook) -> _Envelope[Any]:
    """``body`` read to the entries of its draft orders; if anything in it is wrong, with its context left as bytes.

    Part by part the first mistake is then found and told by its own name, even if the hook's name or the version is one.
    """
    if hook.orders_in in _whole_requests:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _whole_requests[hook.orders_in].decode(body)  # type: ignore[no-any-return]
    return parsed(_envelopes, body, "")  # type: ignore[no-any-return]


def _utf8(body: bytes) -> bytes:
    """``body`` without a byte order mark. msgspec skips over strings it need not read, so UTF-8 is checked here, once."""
    if body.isascii():
        return body
    try:
        body.decode()
    except UnicodeDecodeError:
        raise BadRequest("", "the body is not UTF-8", "Send JSON in UTF-8") from None
    return body.removeprefix(b"\xef\xbb\xbf")


def _version(requested: Any) -> CrdVersion:
    """The version to answer in: a patch part is ignored, absent means 2.0 (CRD 2.2.1 dev-3; an older client names none)."""
    if requested is None:
        return "2.0"
    found = re.fullmatch(r"(\d+\.\d+)(\.\d+)?", requested) if isinstance(requested, str) and len(requested) < 20 else None
    if found is None or found[1] not in CRD_VERSIONS:
        raise ConstraintBroken(
            "extension.davinci-crd.requestedVersion",
            "is no CRD version that is served here",
            f"Send one of {', '.join(CRD_VERSIONS)} as a string, or leave it out for {CRD_VERSIONS[0]}",
        )
    return "2.2" if found[1] == "2.2" else "2.0"


def _configuration(given: Any) -> Configuration:
    """Obey the options that are known and boolean, ignore unknown or nonsensical ones (CRD 2.2.1 dev-6, dev-14 to dev-17)."""
    options = as_object(given)
    chosen = {
        field: options[code]
        for code, field in (("coverage-info", "coverage_info"), ("guideline", "guideline"))
        if isinstance(options.get(code), bool)
    }
    return Configuration(**chosen)

"""What an order calls itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .fhir_values import as_list, as_object, as_text, codings


def order_title(order: Mapping[str, Any]) -> str:
    """How the order names itself: ``code.text``, else its first display, else its first code."""
    code = as_object(order.get("code"))
    texts: Iterable[str | None] = (
        as_text(code.get("text")),
        *(as_text(coding.get("display")) for coding in codings(code)),
        *(as_text(coding.get("code")) for coding in codings(code)),
        *(as_text(as_object(detail).get("text")) for detail in as_list(order.get("orderDetail"))),
    )
    return next((text for text in texts if text and text != "Unknown"), "order without a name")

"""What all pages share: security headers, the error page, and whether the try-it page is on."""

from __future__ import annotations

from http import HTTPStatus

from flask import Request, Response, make_response, render_template
from werkzeug.exceptions import HTTPException

from cds_service.services import Services

#: Nothing from elsewhere, nothing inline; forms go to this site only, and no site may frame it.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}

_ERRORS = {
    403: "This page answers forms sent from this site only.",
    404: "There is no page at this address.",
    405: "This page does not take such a request.",
    413: "What was sent is larger than this service reads.",
    415: "This page takes what its own form sends, and nothing else.",
}


def is_try_on(parts: Services) -> bool:
    """Is the try-it page served: as set, else in open mode only?"""
    settings = parts.settings
    return settings.try_ if settings.try_ is not None else settings.mode != "jwt"


def secure(request: Request, answer: Response) -> None:
    """Set the security headers on every page and static file; what was tried is kept by no cache."""
    if answer.mimetype == "text/html" or request.endpoint == "static":
        for name, value in _HEADERS.items():
            answer.headers.setdefault(name, value)
    if request.path == "/try":
        answer.headers["Cache-Control"] = "no-store"


def error_page(error: HTTPException) -> Response:
    """An error of HTTP as a page for people. Says nothing of what was sent."""
    status = error.code or 500
    title = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Error"
    text = _ERRORS.get(
        status, "The service could not answer this request." if status >= 500 else "The request cannot be answered."
    )
    answer = make_response(render_template("error.html", status=status, title=title, text=text), status)
    for name, value in error.get_headers():
        if name.lower() == "allow":
            answer.headers[name] = value
    return answer

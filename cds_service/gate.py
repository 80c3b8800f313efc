"""Who may call: applied to every request before its body is looked at; where no token came none of it is held."""

from __future__ import annotations

from typing import Any

from flask import Request, g

from cds_service.auth import Caller, NotAuthenticated, endpoint_audiences, refuse_if_not_local
from cds_service.services import services

__all__ = ["NotAuthenticated", "NotLocal", "allowed_origin", "caller", "check_caller", "is_worth_reading"]

#: What is guarded. Health, the OpenAPI document and the policy pages, which cards link to, stay open.
_GUARDED = ("/cds-services",)
_LOCAL_ONLY = ("/cds-services", "/try")


class NotLocal(Exception):
    """A call that is not local reached a service that is open only because it listens on a loopback address."""


def check_caller(request: Request) -> None:
    """Authenticate the call in jwt mode, or see that it is local. Raises NotAuthenticated and NotLocal.

    A preflight bears no token and passes (CDS Hooks 2.0 "Cross-Origin Resource Sharing").
    """
    parts = services()
    if parts.settings.mode is None and request.path.startswith(_LOCAL_ONLY):
        environ = request.environ
        names = [key[5:] for key in environ if key[:5] == "HTTP_"]
        if refuse_if_not_local(environ.get("HTTP_HOST"), names, explicit_open=False):
            raise NotLocal
    if parts.authenticator is None or request.method == "OPTIONS" or not request.path.startswith(_GUARDED):
        return
    audiences = endpoint_audiences(parts.public_url, request.path)
    g.caller = parts.authenticator.verify(request.headers.get("Authorization"), audiences, parts.now().timestamp())


def is_worth_reading(environ: dict[str, Any]) -> bool:
    """In jwt mode: may the request with this head get past ``check_caller``, so that its body is to be held?"""
    return "HTTP_AUTHORIZATION" in environ or not environ["PATH_INFO"].startswith(_GUARDED)


def caller() -> Caller | None:
    """The authenticated client of the current request, None in open mode."""
    found: Caller | None = g.get("caller")
    return found


def allowed_origin(request: Request) -> str | None:
    """The value of Access-Control-Allow-Origin for ``request``, or None to send none.

    Any origin in open mode; in jwt mode those that clients registered.
    """
    parts = services()
    if parts.authenticator is None:
        return "*"
    origin = request.headers.get("Origin")
    return origin if origin in parts.origins else None

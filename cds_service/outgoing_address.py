"""Where an outgoing call may go: the URL taken apart, its host resolved once, every address checked.

Three kinds of address: *public*; *internal* (private, link-local, loopback, and IPv6 forms that carry an IPv4
address), which must be allowed by name; and *never* (unspecified, multicast, reserved), which no setting allows.
"""

from __future__ import annotations

import ipaddress
import queue
import re
import socket
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec

from cds_service.settings import checked_origin, is_loopback_host

#: ``host, port`` to addresses as text; raises OSError. An argument, so that tests need no DNS.
Resolve = Callable[[str, int], Sequence[str]]
Clock = Callable[[], float]

OutgoingKind = Literal["refused", "timeout", "too-large", "status", "network", "encoding"]

MAX_URL = 8192
#: Addresses of one name that are tried; all that the resolver gives are checked.
MAX_TRIED = 4
#: Look-ups under way at once. One that hangs cannot be stopped, only left behind, and those must not pile up.
_LOOKUPS = threading.BoundedSemaphore(16)

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))  # RFC 6052, RFC 8215
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # RFC 4291 2.4; Python calls old site-local addresses global
_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")  # RFC 1122 3.2.1.3: no destination; Linux takes 0.0.0.0 for itself


class OutgoingError(Exception):
    """An outgoing call was refused or failed. Names its ``kind`` only: no URL, header or byte of an answer.

    ``status`` is the answer's HTTP status where ``kind`` is ``status``, else None.
    """

    def __init__(self, kind: OutgoingKind, status: int | None = None) -> None:
        super().__init__(f"{kind} {status}" if status else kind)
        self.kind = kind
        self.status = status


class Deadline:
    """A point of the monotonic clock that everything an outgoing call does must end before."""

    def __init__(self, seconds: float, now: Clock = time.monotonic) -> None:
        self._now = now
        self._end = now() + seconds

    def left(self) -> float:
        """Seconds left, always more than 0. Raises OutgoingError ``timeout`` when there are none."""
        left = self._end - self._now()
        if left <= 0:
            raise OutgoingError("timeout")
        return left


class Target(msgspec.Struct, frozen=True):
    """A URL that is fit to be called: ``origin`` as ``checked_origin`` writes it, ``host`` without brackets."""

    origin: str
    scheme: str
    host: str
    port: int
    path: str
    query: str


def parse_target(url: str) -> Target:
    """Take ``url`` apart. Raises OutgoingError ``refused``.

    Refused: anything but https (plain http on loopback hosts only), user names, fragments, backslashes, spaces,
    control and non-ASCII characters, zone ids, dot segments however they are spelt, more than 8192 characters.
    """
    if not isinstance(url, str) or len(url) > MAX_URL or not _VISIBLE_ASCII.fullmatch(url) or set("\\#") & set(url):
        raise OutgoingError("refused")
    try:
        parts = urlsplit(url)
        if "@" in parts.netloc or "%" in parts.netloc:
            raise OutgoingError("refused")
        origin = checked_origin(f"{parts.scheme}://{parts.netloc}")
    except ValueError:
        raise OutgoingError("refused") from None
    # A host or proxy behind the origin may decode once more than we do, so %2e and %5c count as what they stand for.
    decoded = unquote(unquote(parts.path))
    if "\\" in decoded or any(segment in (".", "..") for segment in decoded.split("/")):
        raise OutgoingError("refused")
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return Target(origin, parts.scheme, str(parts.hostname), port, parts.path, parts.query)


def reach_of(address: str) -> Literal["public", "internal", "never"]:
    """Which kind of address (see the module) ``address`` is; ``never`` too if it is no IP address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "never"
    if isinstance(ip, ipaddress.IPv6Address):
        inner = _embedded(ip)
        if inner is not None:
            return "never" if reach_of(str(inner)) == "never" else "internal"
        if ip.is_loopback:
            return "internal"
    elif ip in _THIS_NETWORK:
        return "never"
    if ip.is_unspecified or ip.is_multicast or ip.is_reserved:
        return "never"
    if ip.version == 6 and ip not in _GLOBAL_UNICAST:
        return "internal"
    return "public" if ip.is_global else "internal"


def _embedded(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip.teredo is not None:
        return ip.teredo[1]
    if any(ip in network for network in _NAT64):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


def checked_addresses(target: Target, private_hosts: Collection[str], resolve: Resolve, deadline: Deadline) -> tuple[str, ...]:
    """Resolve ``target.host`` once and return the addresses to call, all of them checked.

    Internal addresses pass if the host is itself an IP literal (its origin was allowed as such), if ``localhost``
    resolves to loopback, or if the host is in ``private_hosts``. One address that does not pass refuses the call, since
    a name that mixes public and internal addresses is what rebinding looks like. Raises OutgoingError.
    """
    named = target.host in {host.lower() for host in private_hosts}
    try:
        answers: Sequence[str] = (str(ipaddress.ip_address(target.host)),)
        named = True
    except ValueError:
        answers = _resolve_within(target, resolve, deadline)
    for answer in answers:
        reach = reach_of(answer)
        own = target.host == "localhost" and is_loopback_host(answer)
        if reach == "never" or (reach == "internal" and not (named or own)):
            raise OutgoingError("refused")
    if not answers:
        raise OutgoingError("network")
    return tuple(answers[:MAX_TRIED])


def system_resolve(host: str, port: int) -> Sequence[str]:
    """The operating system's answer for ``host``, in its order, without repeats."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(info[4][0]) for info in found))


def _resolve_within(target: Target, resolve: Resolve, deadline: Deadline) -> Sequence[str]:
    # getaddrinfo takes no timeout, so it runs aside and is left behind when the time is up.
    if not _LOOKUPS.acquire(timeout=deadline.left()):
        raise OutgoingError("timeout")
    answer: queue.SimpleQueue[Sequence[str] | None] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(tuple(resolve(target.host, target.port)))
        except Exception:  # OSError, and UnicodeError for labels that are too long
            answer.put(None)
        finally:
            _LOOKUPS.release()

    threading.Thread(target=look_up, name="outgoing-name", daemon=True).start()
    try:
        found = answer.get(timeout=deadline.left())
    except queue.Empty:
        raise OutgoingError("timeout") from None
    if found is None:
        raise OutgoingError("network")
    return found

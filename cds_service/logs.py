"""Structured logs: JSON lines on standard error that can hold no patient data.

What a line may say is a closed vocabulary, ``FIELDS``, each with the form its value must have. A field that is not in it is left
out, a value of another form is written as ``(not logged)``: a client may choose a hookInstance, a path or a header freely,
and a library may put anything into an exception's message or a warning. Of exceptions the type and the places in
the code are logged, never the message or a local variable.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, BinaryIO

import msgspec
import structlog

from cds_service.crd.annotation import ASSERTION_PREFIX

#: Written in place of a value that does not have its field's form.
NOT_LOGGED = "(not logged)"
_MOST_FRAMES = 30
_MOST_ITEMS = 50
_MOST_KNOWN = 500

_UUID = re.compile(r"(?:urn:uuid:)?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Ours alone: an order may bear an earlier one, and what follows the prefix there is whatever the client sent.
_ASSERTION = re.compile(rf"{re.escape(ASSERTION_PREFIX)}{_UUID.pattern}")
_WORD = re.compile(r"[A-Za-z0-9_.:+/<>-]{1,100}")
_PLACE = re.compile(r"[A-Za-z0-9_.<>/+ -]{1,120}:\d{1,6}:[A-Za-z0-9_<>.]{1,80}")
_REQUEST_ID = re.compile(r"[0-9a-f-]{16,36}")

_encode = msgspec.json.Encoder().encode
_Form = Callable[[Any], Any]
_Event = MutableMapping[str, Any]


def _is_number(value: Any) -> Any:
    return value if isinstance(value, int | float) or value is None else NOT_LOGGED


def _matching(pattern: re.Pattern[str]) -> _Form:
    fits = pattern.fullmatch

    def check(value: Any) -> Any:
        return value if value is None or (isinstance(value, str) and fits(value)) else NOT_LOGGED

    return check


def _one_of_few(check: _Form) -> _Form:
    """``check``, of whose values some hundred come again and again: a hook's name, a path, a status."""
    known: dict[str, Any] = {}

    def look_up(value: Any) -> Any:
        try:
            return known[value]
        except (KeyError, TypeError):
            checked = check(value)
            if isinstance(value, str) and checked is value and len(known) < _MOST_KNOWN:
                known[value] = checked
            return checked

    return look_up


def _several(form: _Form) -> _Form:
    def check(value: Any) -> Any:
        return [form(each) for each in list(value)[:_MOST_ITEMS]] if isinstance(value, list | tuple) else NOT_LOGGED

    return check


def _counts(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return NOT_LOGGED
    return {str(_word(key)): _is_number(count) for key, count in list(value.items())[:_MOST_ITEMS]}


def _of_our_making(value: Any) -> Any:
    """A sentence of this code's own that quotes no request and no record; whoever adds a field of this form vouches for that."""
    return value[:300] if isinstance(value, str) else value if value is None else NOT_LOGGED


_word, _uuid = _one_of_few(_matching(_WORD)), _matching(_UUID)

#: Every field that a line may have. ``word`` is a name or code of our own or of the operator's, without blanks.
FIELDS: Mapping[str, _Form] = {
    "event": _word,
    "level": _word,
    "timestamp": _matching(_WORD),
    # an HTTP request
    "request_id": _matching(_REQUEST_ID),
    "method": _word,
    "path": _word,  # the route's template, such as /cds-services/<service_id>
    "status": _is_number,
    "ms": _is_number,
    "client": _of_our_making,  # the name that the operator registered
    "refused": _word,  # which check a token did not pass, or the place within the request that is wrong
    # a hook call
    "hook": _word,
    "crd_version": _word,
    "hook_instance": _uuid,
    "call_id": _uuid,
    "orders": _is_number,
    "recognised": _counts,
    "determinations": _several(_word),
    "assertion_ids": _several(_matching(_ASSERTION)),
    "cards": _is_number,
    "feedback": _counts,
    # what went wrong
    "error": _word,
    "at": _several(_matching(_PLACE)),
    "caused_by": _several(_word),
    "logger": _word,
    "count": _is_number,
    "reason": _of_our_making,
    "reasons": _several(_of_our_making),
    "problem": _of_our_making,
    "message": _of_our_making,
    # the process
    "address": _of_our_making,
}


def configure_logs(stream: BinaryIO | None = None) -> None:
    """Send structlog's, the standard library's and the interpreter's reports as JSON lines to ``stream`` (None: standard error).

    Call it once in each process, before anything is logged.
    """
    global _sink
    _sink = structlog.BytesLogger(stream or sys.stderr.buffer)
    structlog.configure(
        processors=[_stamp, _only_fields, _render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: _sink,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_LibraryHandler()]
    root.setLevel(logging.WARNING)
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    sys.excepthook = lambda kind, error, trace: log_exception(error)
    sys.unraisablehook = lambda raised: log_exception(raised.exc_value)
    threading.excepthook = lambda raised: log_exception(raised.exc_value)


def log_call(fields: Mapping[str, Any]) -> None:
    """Write one line on an HTTP request that was answered; the fields are those of ``FIELDS``, others are left out."""
    # What structlog would do for _log.info, in one pass: this is the line that every request waits for.
    if _sink is None:
        return
    line: dict[str, Any] = {"timestamp": _now(), "level": "info", "event": "request"}
    for name, value in fields.items():
        form = FIELDS.get(name)
        if form is not None:
            line[name] = form(value)
    _sink.msg(_encode(line))


def log_exception(error: BaseException | None, request_id: str | None = None) -> None:
    """Write one line on an exception: its type, its causes' types, and the places in the code, innermost last."""
    if error is None or isinstance(error, KeyboardInterrupt):
        return
    causes: list[str] = []
    cause = error.__cause__ or error.__context__
    while cause is not None and len(causes) < 10:
        causes.append(_type_name(cause))
        cause = cause.__cause__ or cause.__context__
    fields: dict[str, Any] = {"request_id": request_id} if request_id else {}
    _log.error("exception", error=_type_name(error), caused_by=causes, at=_places(error.__traceback__), **fields)


def _type_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")


def _places(trace: TracebackType | None) -> list[str]:
    """file:line:function of each frame, the file as its last two parts; of a deep recursion the innermost frames."""
    places: list[str] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        file = "/".join(code.co_filename.replace("\\", "/").split("/")[-2:])
        places.append(f"{file}:{trace.tb_lineno}:{code.co_name}")
        trace = trace.tb_next
    return places[-_MOST_FRAMES:]


def _stamp(_logger: Any, method: str, event: _Event) -> _Event:
    return {"timestamp": _now(), "level": method, **event}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _only_fields(_logger: Any, _method: str, event: _Event) -> _Event:
    error = event.pop("exc_info", None)
    if isinstance(error, BaseException):
        event["error"] = _type_name(error)
        event["at"] = _places(error.__traceback__)
    return {name: FIELDS[name](value) for name, value in event.items() if name in FIELDS}


def _render(_logger: Any, _method: str, event: _Event) -> bytes:
    return _encode(event)


#: Lines of these loggers, when no exception is attached, are the server's own words on its processes.
_ABOUT_PROCESSES = ("_granian",)


class _LibraryHandler(logging.Handler):
    """Says that a library logged something and from which line of its code; what it said may quote a request."""

    def emit(self, record: logging.LogRecord) -> None:
        file = "/".join(record.pathname.replace("\\", "/").split("/")[-2:])
        fields: dict[str, Any] = {"logger": record.name, "at": [f"{file}:{record.lineno}:{record.funcName}"]}
        if record.exc_info and record.exc_info[1]:
            fields["error"] = _type_name(record.exc_info[1])
            fields["at"] += _places(record.exc_info[1].__traceback__)
        elif record.name in _ABOUT_PROCESSES:
            fields = {"logger": record.name, "message": record.getMessage()}
        write = (
            _log.error if record.levelno >= logging.ERROR else _log.warning if record.levelno >= logging.WARNING else _log.info
        )
        write("library", **fields)


def _show_warning(
    _message: Warning | str, category: type[Warning], filename: str, lineno: int, _file: Any = None, _line: str | None = None
) -> None:
    """A warning of Python or a library, without its text: pydantic's quote values."""
    file = "/".join(filename.replace("\\", "/").split("/")[-2:])
    _log.warning("warning", error=category.__name__, at=[f"{file}:{lineno}:<module>"])


_log: Any = structlog.get_logger("cds_service")
_sink: structlog.BytesLogger | None = None

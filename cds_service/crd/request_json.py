"""JSON read into the shapes of a request; what is wrong with it is told by its place, in JSON's words."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from .errors import BadRequest, place_and_problem
from .fhir import malformed, too_deep

#: msgspec's names of JSON's kinds, in JSON's words.
_KINDS = {
    "str": "a string",
    "object": "an object",
    "array": "an array",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
}
_KIND = re.compile(r"`([a-z |]+)`")
_MISSING = re.compile(r"Object missing required field `(.*?)`")


def parsed(decoder: msgspec.json.Decoder[Any], raw: bytes | msgspec.Raw, place: str) -> Any:
    """``raw`` as ``decoder`` reads it. Raises BadRequest: it is no JSON, or not of the shape; ``place`` is where it stood."""
    try:
        return decoder.decode(raw)
    except RecursionError:
        raise too_deep(place) from None
    except msgspec.ValidationError as error:
        raise _mistyped(error, place) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise malformed(place, error, raw) from None


def _mistyped(error: msgspec.ValidationError, place: str) -> BadRequest:
    """msgspec tells kinds and paths, never values: safe to pass on."""
    path, said = place_and_problem(error)
    where = ".".join(part for part in (place, path) if part)
    missing = _MISSING.match(said)
    if missing:
        where = ".".join(part for part in (where, missing[1]) if part)
        return BadRequest(where, "is missing", "Send it as CDS Hooks 2.0 asks")
    if not where:
        return BadRequest("", "the body is not a JSON object", "Send a CDS Hooks request")
    said = said.replace("Expected", "expected").replace("`str` of length >= 1", "a string with something in it")
    said = _KIND.sub(lambda kinds: " or ".join(_KINDS.get(kind, kind) for kind in kinds[1].split(" | ")), said)
    return BadRequest(where, said, "Send it as CDS Hooks 2.0 asks")

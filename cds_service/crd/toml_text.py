"""Files that people write, as data: TOML text, and what an error message says of it."""

from __future__ import annotations

import tomllib
from typing import Any

#: Characters of a value that an error message shows.
_SHOWN = 60


def parse_toml(text: str) -> dict[str, Any]:
    """``text`` as TOML. Raises ValueError, whose message says on one line what is wrong, and where if it is the syntax."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:  # of Python's int, with advice for programmers
        raise ValueError("holds a number of too many digits") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def shown(value: Any) -> str:
    """``value`` as an error message quotes it, shortened; of one that is too long or too deep to be written, only that."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return "what is too long to show"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."

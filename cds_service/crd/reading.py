"""How a mention stands, and by which words."""

from __future__ import annotations

from typing import NamedTuple

from .cues import Standing


class Reading(NamedTuple):
    """A mention's standing, and the words of the clause that said so ("" where the mention stands bare)."""

    standing: Standing
    cue: str

"""What the words around a mention are to it, and how the mention stands by them."""

from __future__ import annotations

import enum
from typing import NamedTuple

from .cues import Standing


class Part(enum.IntEnum):
    """What a word is to the clause; the caller's tagging."""

    CONTENT = 0
    SITE = 1  # goes with a name: a site, a side
    ATTRIBUTE = 2  # says how: contrast, field strength
    EXAM = 3  # names another examination or its modality
    MENTION = 4  # belongs to a mention of the thing itself


class Reading(NamedTuple):
    """A mention's standing, and the words of the clause that said so ("" where the mention stands bare)."""

    standing: Standing
    cue: str

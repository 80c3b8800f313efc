"""What the labels of an order's questions, notes and narrative say is ordered, where its code does not say it.

"Procedure: X" on a line of the narrative names X as the code would; "Modality: MRI" fixes the modality.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from . import cue_words
from .mentions import Scanned
from .order_text import Role, Text
from .recognition_table import Unlisted
from .vocabulary import CompiledVocabulary, Tag
from .words import plain

_LABEL: Final = re.compile(
    r"[^a-z0-9]{0,9}(?:name of |type of )?(?:service|procedure|order|exam|examination|study|test|imaging|scan|cpt|code|request)"
    r"(?: ?(?:requested|ordered|name|type|code|description|to be done|needed|desired))?\s{0,3}[:?=]?[ \t]{1,9}(?=\S)"
)
#: Words of a name that says nothing.
_EMPTY: Final = frozenset(
    """
    request requested requisition order orders special other external outside see test diagnostic new item misc free text
    procedure service generic entry
    """.split()  # noqa: SIM905  one line a reader can check
)
#: A billing code with what says in a note that it is one.
_BILLED: Final = re.compile(
    r"([^.;\n]{0,40})\b(?:bill(?:ed)? (?:as|under|with|to)|unlisted(?: code| procedure| cpt)*|cpt|hcpcs"
    r"|(?:billing|procedure|charge) code)(?: ?code)?[ :#=]{1,3}([0-9]{5})\b"
)
_NOT_BILLED: Final = frozenset({"not", "dont", "no", "never", "without", "was", "were", "had"})
_MODALITY_LABELS: Final = frozenset({"modality", "technique", "modalities", "modalidad", "modalitat", "modalite", "modalita"})
_YEAR: Final = re.compile(r"\b(?:19|20)[0-9]{2}\b")
_LINES: Final = 60


def is_empty(scanned: Scanned) -> bool:
    """Tell whether a name says nothing of what is ordered ("Diagnostic test request")."""
    nothing = Tag.GENERIC | Tag.UNSPECIFIED
    return all(tags & nothing or word in _EMPTY for word, tags in zip(scanned.passage.words, scanned.tags, strict=True))


def named_by_label(texts: tuple[Text, ...], vocabulary: CompiledVocabulary) -> Iterator[Text]:
    """Yield what the labelled lines of ``texts`` name, as if the code named it; and the lines that hold an unlisted code."""
    for text in texts:
        if text.role not in (Role.INSTRUCTION, Role.NARRATIVE):
            continue
        for line in text.words.splitlines()[:_LINES]:
            folded = plain(line[:200])
            label = _LABEL.match(folded)
            coded = text.role is Role.NARRATIVE and any(code in folded for code in vocabulary.unlisted)
            past = _YEAR.search(folded) or not (cue_words.RESULTS | cue_words.PAST).isdisjoint(folded.split())
            if (label is not None or coded) and not past:  # a result is no order
                start = label.end() if label is not None and len(folded) == len(line[:200]) else 0
                yield Text(text.element, line[start:].strip(), Role.NAME)


def billed_as(texts: Iterable[Text], vocabulary: CompiledVocabulary) -> Iterator[tuple[str, Unlisted]]:
    """Yield the element and entry of each unlisted code that a note tells to bill ("bill as 76498")."""
    for text in texts:
        if text.role is not Role.INSTRUCTION or not any(code in text.words for code in vocabulary.unlisted):
            continue
        for match in _BILLED.finditer(plain(text.words)):
            entry = vocabulary.unlisted.get(match.group(2))
            if entry is not None and (_NOT_BILLED | cue_words.PAST).isdisjoint(match.group(1).replace("'", "").split()):
                yield text.element, entry


def is_about_modality(text: Text) -> bool:
    """Tell whether ``text`` is the answer to a question for the modality."""
    question = re.split(r"[:?]", plain(text.words[:80]), maxsplit=1)
    words = question[0].split()
    return len(question) == 2 and not _MODALITY_LABELS.isdisjoint(words) and cue_words.PAST.isdisjoint(words)


def is_of_today(text: Text) -> bool:
    """Tell whether a question and answer speak of this order, not of what was."""
    return cue_words.PAST.isdisjoint(re.findall(r"[a-z]+", plain(text.words[:120])))

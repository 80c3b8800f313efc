"""The commands and snippets of README.md, docs/*.md and the examples' README, as a test runs them.

The convention, in full. A fenced block says its language, and the language says what is done with it:

- ``bash``: run as one script; must end well
- ``console``: each line after ``$ `` is run (``> `` continues it) and must print the lines that follow; ``...`` is anything
- ``python``: run as a program
- ``json``, ``toml``: must parse
- ``text``, ``mermaid``: only shown

``<!-- not run: WHY -->`` on the line before a block keeps it from being run (it is still parsed); ``<!-- file: NAME -->`` writes
it to NAME in the folder where the blocks of the document run, one after the other. That folder has the repository's files.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENTS = (ROOT / "README.md", ROOT / "fhir_examples" / "README.md", *sorted((ROOT / "docs").glob("*.md")))
LANGUAGES = ("bash", "console", "python", "json", "toml", "text", "mermaid")

_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^(?P<ticks>```+)(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=ticks)[ ]*$", re.M | re.S
)
_COMMAND = re.compile(r"^\$ (?P<command>.*\n(?:> .*\n)*)(?P<output>(?:(?!\$ ).*\n)*)", re.M)


@dataclass(frozen=True)
class Block:
    """One fenced block: ``line`` is that of its fence; ``not_run`` and ``file`` are what its mark says, or None."""

    line: int
    language: str
    text: str
    not_run: str | None = None
    file: str | None = None


def blocks(markdown: str) -> list[Block]:
    """The fenced blocks of a document in order. Raises ValueError for a language or mark that the convention has not."""
    found = []
    for fence in _FENCE.finditer(markdown):
        language, mark = fence["language"].strip(), fence["mark"] or ""
        line = markdown.count("\n", 0, fence.start("ticks")) + 1
        if language not in LANGUAGES:
            raise ValueError(f"line {line}: a block must say its language, one of {', '.join(LANGUAGES)}; found {language!r}")
        kind, _, rest = (part.strip() for part in mark.partition(":"))
        if kind in ("not run", "file") and not rest:
            raise ValueError(f"line {line}: <!-- {mark} --> must say why, or the file's name")
        found.append(Block(line, language, fence["text"], rest if kind == "not run" else None, rest if kind == "file" else None))
    indented = re.search(r"(?:^|\n)\n {4}[^\s*-]", _FENCE.sub("\n", markdown))
    if indented:
        raise ValueError(f"an indented block cannot say its language: {markdown[: indented.end()].splitlines()[-1].strip()!r}")
    if len(found) * 2 != len(re.findall(r"^```", markdown, re.M)):
        raise ValueError("a fence is not closed, or stands within another")
    return found


def commands(console: str) -> list[tuple[str, str]]:
    """The (command, output) pairs of a console block."""
    return [(found["command"].replace("\n> ", "\n").rstrip("\n"), found["output"]) for found in _COMMAND.finditer(console)]


def is_as_shown(shown: str, printed: str) -> bool:
    """Is ``printed`` what the document shows, ``...`` standing for anything and blanks at line ends for nothing?"""

    def trimmed(text: str) -> str:
        return "\n".join(line.rstrip() for line in text.strip().splitlines())

    pattern = ".*?".join(re.escape(part) for part in trimmed(shown).split("..."))
    return re.fullmatch(pattern, trimmed(printed), re.S) is not None


def parse(block: Block) -> None:
    """Parse a block of data. Raises ValueError."""
    if block.language == "json":
        json.loads(block.text)
    if block.language == "toml":
        tomllib.loads(block.text)

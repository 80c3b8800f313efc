"""The tables of words and labels that are compared with the words of a text as they are, without a look-up of phrases."""

from __future__ import annotations

import pytest

from cds_service.crd import asking_words, cue_words, cues, labels
from cds_service.crd.words import Passage

TABLES = {
    f"{module.__name__.rpartition('.')[2]}.{name}": table
    for module in (asking_words, cue_words, cues, labels)
    for name, table in vars(module).items()
    if isinstance(table, frozenset)
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_text_can_hold_every_entry_as_the_table_writes_it(table: frozenset[str]) -> None:
    assert [entry for entry in table if " ".join(Passage(entry).words) != entry] == []

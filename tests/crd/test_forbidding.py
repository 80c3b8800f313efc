from __future__ import annotations

import pytest

from cds_service.crd.forbidding import is_forbidden
from cds_service.crd.words import Passage


@pytest.mark.parametrize(
    ("text", "undoing"),
    [
        ("do not skip the scan", "skip"),
        ("please don't cancel it", "cancel"),
        ("never to be omitted", "omitted"),
        ("do not cancel or delay", "delay"),
        ("not complete without a scan", "without"),
    ],
)
def test_what_would_undo_is_forbidden(text: str, undoing: str) -> None:
    passage = Passage(text)
    assert is_forbidden(passage, passage.words.index(undoing))


@pytest.mark.parametrize(
    ("text", "undoing"),
    [
        ("skip the scan", "skip"),
        ("no contrast, skip the scan", "skip"),
        ("patient did not cancel it", "cancel"),
        ("do not wait for the film and cancel", "cancel"),
        ("scan not needed - cancel", "cancel"),
        ("x-ray without contrast", "without"),
    ],
)
def test_what_undoes_stands_where_nothing_forbids_it(text: str, undoing: str) -> None:
    passage = Passage(text)
    assert not is_forbidden(passage, passage.words.index(undoing))

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cds_service.crd.words import Passage, bare_words, fold, plain

TEXTS = st.text(st.sampled_from("aZ09 '-,./:?!()\n+~=éßİ½ﬁ’–•\u00ad\u0301") | st.characters(), max_size=60)

#: Words that stand for signs.
SIGNS = {"plusminus", "ticked", "unticked"}


@given(TEXTS)
def test_a_text_is_folded_one_character_at_a_time_and_each_knows_where_it_came_from(text: str) -> None:
    folded, origins = fold(text)
    one_by_one = [(piece, index) for index, character in enumerate(text) for piece in fold(character)[0]]
    assert folded == plain(text) == "".join(piece for piece, _ in one_by_one)
    assert (list(range(len(text))) if origins is None else origins) == [index for _, index in one_by_one]


@given(TEXTS)
def test_the_words_of_a_passage_stand_at_their_places(text: str) -> None:
    passage = Passage(text)
    assert len(passage.words) == len(passage.breaks) == len(passage.places) == len(passage.spans)
    written = [passage.folded[start:stop].replace("'", "") for start, stop in passage.places]
    assert [word for word in passage.words if word not in SIGNS] == [
        place for place, word in zip(written, passage.words, strict=True) if word not in SIGNS
    ]


@given(TEXTS)
def test_the_bare_words_are_those_of_the_passage_without_its_signs(text: str) -> None:
    bare, passage = bare_words(text), Passage(text).words
    assert [word for word in bare if word not in SIGNS] == [word for word in passage if word not in SIGNS]


def test_a_sign_between_words_is_a_word_that_takes_the_gap() -> None:
    passage = Passage("MRI +/- contrast, then +/-")
    assert passage.words == ["mri", "plusminus", "contrast", "then"]
    assert passage.quote(0, 1) == "MRI +/- "

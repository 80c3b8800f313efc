"""The words by which ``reaching_back`` tells what a cue behind a mention is about."""

from __future__ import annotations

from typing import Final

from . import asking_words, cue_words

#: Words between a request and its refusal.
RESUMING: Final = frozenset("but however it was is has been insurance insurer plan payer the then yet patient pt".split())  # noqa: SIM905
#: What lets the request stand after all.
GOING_ON: Final = frozenset("appeal appealed overturned send sending locally approved refer please".split())  # noqa: SIM905
#: Verbs of undoing that, in front of another thing, undo that ("refused injections", "cancel the X-ray").
UNDONE: Final = frozenset(
    """
    cancel cancelled canceled declined refused denied deferred discontinued removed excluded omitted omit skip tolerated out off
    """.split()  # noqa: SIM905
)
#: Denials that must say what they deny: of the mention only that it is needed, done and the like.
DENIALS: Final = frozenset("not is was will are should isnt wasnt arent doesnt shouldnt wont longer".split())  # noqa: SIM905
DENIED: Final = cue_words.PARTICIPLES | frozenset(
    """
    needed required indicated necessary requested desired wanted ordered covered approved authorized authorised recommended
    possible feasible performed be being been to included appropriate warranted medically clinically currently yet tolerated
    safe useful helpful worth part a an the what for at apply applicable reimbursed payable paid offered scheduled going
    """.split()  # noqa: SIM905
)
#: Words of the past that, in front of another thing, are that thing's ("stable weakness", "reported numbness").
OTHERS_PAST: Final = cue_words.PARTICIPLES | frozenset(
    """
    stable unchanged noted reported documented detected localized failed proven past abnormality abnormalities
    """.split()  # noqa: SIM905
)
#: First words of cues of the past that, behind a comma, say what the order is for ("concerning for", "evidence of").
INDICATING: Final = frozenset("concerning consistent suspicious suggestive c evidence with".split())  # noqa: SIM905
#: What an examination can be said to have had.
HAD_BY_IT: Final = (
    cue_words.FOUND | cue_words.PARTICIPLES | frozenset("motion artifact artifacts been shown revealed".split())  # noqa: SIM905
)
REVIEWS: Final = frozenset({"review", "comparison", "correlation", "reference"})
DAYS: Final = frozenset("monday tuesday wednesday thursday friday saturday sunday today tomorrow next later the".split())  # noqa: SIM905
#: Words behind a cue that begin no object of it: when, where, why, by whom.
ADVERBS: Final = (
    asking_words.TELLING
    | cue_words.MONTHS
    | cue_words.AFTER_BINDING
    | frozenset(
        """
        per due because as until till since today tomorrow yesterday now it but so then while after before during again
        pending secondary without w wo via through about times last this prior by here
        """.split()  # noqa: SIM905
    )
) - frozenset({"a", "an", "the", "his", "her", "to"})
#: Words behind a "PT" that is a therapy.
OF_THERAPY: Final = frozenset({"and", "but", "for", "no", "with", "without", "w", "wo", "x", "x2", "x3"})
#: Words that make of a participle what is to be done ("performed at 3T only, please").
INSTRUCTING: Final = frozenset({"please", "pls", "only", "stat", "asap", "must"})

"""Feedback JSON to ``FeedbackItem``s, checked: CDS Hooks 2.0, "Feedback".

Pure: bytes in, values out. The only module that knows the keys of a feedback body.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from .errors import BadRequest, TooLarge, place_and_problem

#: Reports read from one call; clients send one at a time or what a user did in one session.
MOST_ITEMS = 1000
_OUTCOMES = ("accepted", "overridden")


class FeedbackItem(msgspec.Struct, frozen=True):
    """What became of one card.

    ``card`` is the card's ``uuid``; ``outcome`` is ``accepted`` or ``overridden``; ``outcome_at`` is aware;
    ``accepted`` holds the ``uuid`` of each suggestion taken. The reason and the comment are None when not given;
    the comment, and whatever else a clinician typed, is patient data.
    """

    card: str
    outcome: str
    outcome_at: datetime
    accepted: tuple[str, ...] = ()
    reason_system: str | None = None
    reason_code: str | None = None
    reason_display: str | None = None
    comment: str | None = None

    def __repr__(self) -> str:
        return f"FeedbackItem(card={self.card!r}, outcome={self.outcome!r})"


class _Suggestion(msgspec.Struct):
    id: str


class _Coding(msgspec.Struct):
    # The sandbox sends system and code without display; a client with its own list may send a display alone.
    system: str | None = None
    code: str | None = None
    display: str | None = None


class _Reason(msgspec.Struct, rename="camel"):
    reason: _Coding | None = None
    user_comment: str | None = None


class _Item(msgspec.Struct, rename="camel"):
    card: str
    outcome: str
    outcome_timestamp: datetime
    accepted_suggestions: tuple[_Suggestion, ...] | None = None
    override_reason: _Reason | None = None


class _Body(msgspec.Struct):
    feedback: tuple[_Item, ...]


_decoder = msgspec.json.Decoder(_Body)


def parse_feedback(body: bytes) -> tuple[FeedbackItem, ...]:
    """The items of a feedback body, in order. Unknown members are ignored.

    Raises BadRequest, and TooLarge for more than ``MOST_ITEMS``; neither quotes what was sent.
    """
    try:
        # Skipped members are not checked for UTF-8 by the decoder.
        body.decode()
        items = _decoder.decode(body).feedback
    except msgspec.ValidationError as error:
        place, problem = place_and_problem(error)
        raise BadRequest(
            place,
            _without_value(problem),
            'Send {"feedback": [{"card", "outcome", "outcomeTimestamp", ...}]} as CDS Hooks 2.0 defines it',
        ) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadRequest("", "the body is not JSON in UTF-8", "Send a JSON object with a member feedback") from None
    if not items:
        raise BadRequest("feedback", "the list is empty", "Send one item for each card that was accepted or overridden")
    if len(items) > MOST_ITEMS:
        raise TooLarge("feedback", f"there are more than {MOST_ITEMS} items", "Send them in several calls")
    return tuple(_checked(item, f"feedback[{number}]") for number, item in enumerate(items))


def _checked(item: _Item, place: str) -> FeedbackItem:
    if not item.card.strip():
        raise BadRequest(f"{place}.card", "the card's id is empty", "Send the uuid of the card")
    if item.outcome not in _OUTCOMES:
        raise BadRequest(f"{place}.outcome", "the outcome is neither accepted nor overridden", "Send accepted or overridden")
    if item.outcome_timestamp.tzinfo is None:
        raise BadRequest(
            f"{place}.outcomeTimestamp", "the time has no offset", "Send RFC 3339 in UTC, such as 2026-01-31T09:30:00Z"
        )
    try:
        item.outcome_timestamp.astimezone(UTC)
    except OverflowError:
        raise BadRequest(
            f"{place}.outcomeTimestamp", "the time is before the year 1 or after 9999 in UTC", "Send the time of the outcome"
        ) from None
    if item.outcome == "accepted" and item.accepted_suggestions is None:
        raise BadRequest(
            f"{place}.acceptedSuggestions", "missing, though the card was accepted", "Send the uuid of each suggestion taken"
        )
    told = item.override_reason if item.outcome == "overridden" else None
    coding = told.reason if told else None
    return FeedbackItem(
        card=item.card.strip(),
        outcome=item.outcome,
        outcome_at=item.outcome_timestamp,
        accepted=tuple(taken.id for taken in item.accepted_suggestions or ()) if item.outcome == "accepted" else (),
        reason_system=coding.system if coding else None,
        reason_code=coding.code if coding else None,
        reason_display=coding.display if coding else None,
        comment=told.user_comment if told else None,
    )


def _without_value(problem: str) -> str:
    # Messages about types and missing fields name only the schema; any other could quote the body.
    known = ("Expected ", "Object missing required field", "Invalid RFC3339")
    return problem[0].lower() + problem[1:] if problem.startswith(known) else "not as defined"

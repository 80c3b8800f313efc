"""What of an order comes from the EHR's catalogues, and whether the rest of it says nothing to the question.

Most orders are told by those names alone. What they say is remembered then (``recognition``), so that nothing else may change it.
"""

from __future__ import annotations

from typing import Final

from . import clauses
from .case import OF_CATALOGUES, is_triggered
from .mentions import LONGEST_NAME
from .order_text import NAMING, OrderText, Role
from .service_kind import performed_by_department
from .vocabulary import CompiledVocabulary

#: Names and codes of an order, each, beyond which it is not remembered what they alone say.
MOST_NAMES: Final = 12


def said(order: OrderText) -> str:
    """Return the texts and codes of ``order`` as one text, to look for triggers in."""
    return "\n".join([text.words for text in order.texts] + [code.code for code in order.codes])


def apart(order: OrderText) -> tuple[OrderText | None, OrderText]:
    """Return what of a live ``order`` comes from the EHR's catalogues, and the rest.

    The first is None where it is too long or too much to remember, or where the rest says what is ordered besides: order
    details, billing options, answers to questions by code.
    """
    names = OrderText(
        tuple([text for text in order.texts if text.role in OF_CATALOGUES]),
        tuple([code for code in order.codes if code.role in OF_CATALOGUES]),
    )
    rest = OrderText(
        tuple([text for text in order.texts if text.role not in OF_CATALOGUES]),
        tuple([code for code in order.codes if code.role not in OF_CATALOGUES]),
    )
    return names if _is_short(names) and not _names_more(rest) else None, rest


def _is_short(names: OrderText) -> bool:
    """Tell whether ``names`` are few and short enough to be remembered."""
    if len(names.texts) > MOST_NAMES or len(names.codes) > MOST_NAMES:
        return False
    for text in names.texts:
        if len(text.words) > LONGEST_NAME or len(text.element) > LONGEST_NAME:
            return False
    for code in names.codes:
        if len(code.system or "") > LONGEST_NAME or len(code.display or "") > LONGEST_NAME or len(code.element) > LONGEST_NAME:
            return False
    return True


def _names_more(rest: OrderText) -> bool:
    """Tell whether ``rest`` names what is ordered: by order details, billing options or answers by code."""
    roles = [text.role for text in rest.texts] + [code.role for code in rest.codes]
    return any(role in NAMING for role in roles) or any(code.role is Role.INSTRUCTION for code in rest.codes)


def is_silent(rest: OrderText, vocabulary: CompiledVocabulary) -> bool:
    """Tell whether ``rest``, texts and codes that are no names, holds nothing that a stage looks for in every order.

    That are triggers, words that take the technique back, the modality's department, and codes of the technique. What a stage
    looks for in some orders only, it gets by ``Case.further``.
    """
    # a text is folded letter by letter, so that a trigger in one of the texts is one in all of them joined
    if is_triggered(said(rest), vocabulary) or performed_by_department(rest.texts, vocabulary):
        return False
    for text in rest.texts:
        if text.role is Role.INSTRUCTION and clauses.may_downgrade(text.words):
            return False
    return not rest.codes or vocabulary.technique_codings.isdisjoint([code.code.lower() for code in rest.codes])

"""The phrases by which a whole sentence, or a whole order, is left to a choice, taken back, or asked for again.

Tables only, like ``cues``, whose phrases speak of one mention.
"""

from __future__ import annotations

from typing import Final

from .phrases import marks

#: Words that leave the sentence to somebody's choice.
CHOICE: Final = marks(
    """
    thinks fit | think fit | sees fit | see fit | feels appropriate | feels it is | deems | deemed | discretion |
    radiologist to choose | radiologist to decide | discrezione del | discrecion del | criterio del | criterio do |
    discretion du | ermessen des | ermessen der | wahl des | choix du | or whatever | whatever radiology |
    whatever you think | whatever the radiologist | whatever is best | whatever works | whichever radiology | advise which |
    your call | rads call | a scelta del | a scelta della | a eleccion del | radiologist to determine |
    radiologist to select | radiologist choice | radiologists choice | radiologist's choice | whichever |
    radiology to decide | radiology to choose | radiology to determine | radiology to select | choose between |
    your choice | choice of | up to radiologist | up to the radiologist | up to radiology | to determine need |
    radiologist may choose | rad to choose | rads to choose | rads to decide | rad to decide | radiologist's preference |
    radiologist preference | please decide | please advise which | which is better | either one | either is | best suited |
    radiologist please choose | most appropriate | per radiologist preference
    """
)

#: Words that take back the order as it was placed.
WRONG: Final = marks(
    """
    wrong exam | wrong order | wrong study | wrong test | wrong procedure | wrong scan | wrong code | order in error |
    ordered in error | entered in error | selected in error | picked in error | chosen in error | placed in error |
    ordered by mistake | entered by mistake | placed by mistake | selected by mistake
    """
)

#: Words that cancel the order, where they open a sentence; one alone must be all that its phrase says.
CANCELLED: Final = marks(
    """
    cancel this order | cancel this exam | cancel this study | cancel this request | cancel order | cancel the order |
    cancelled per | canceled per | cancelled by | canceled by | d/c per | dc per | d/c order | d/c this |
    discontinue order | discontinue this | discontinue the order | discontinued per | discontinued by | void order |
    void this | order void | order cancelled | order canceled | order discontinued | order is cancelled |
    order is canceled | order was cancelled | cancelled | canceled | discontinued
    """
)

#: Words by which a catalogue says that a name is not to be ordered any more.
UNUSABLE: Final = marks("do not use | don't use | not in use | inactive | inactivated | obsolete | retired | void")

#: Requests to repeat what was spoken of.
ASK_AGAIN: Final = marks(
    """
    please repeat | repeat study | repeat exam | repeat it | repeat scan | repeat imaging | needs repeat |
    repeat requested | repeat today | repeat now | to be repeated | for repeat | repeat needed | repeat indicated |
    needs to be repeated | should be repeated | repeat is needed | repeat is requested | again please | please do again |
    this again | do again | same again | once more | do it again | again now | repeat with | repeat at | repeat on |
    repeat under | requesting repeat | please redo | repeat the study | repeat the exam | repeat the scan | repeat this |
    needs repeating | must be repeated | repeat same | same study again | same scan again | same study please |
    same study pls | same again | same one again | needs another one | need another one | another one please |
    another one now | another one with | again pls | again this year | again today | do the same | same study as |
    same exam as | same test again | same test as | bitte wiederholen | erneut bitte | repetir estudio | por favor repetir |
    si prega di ripetere | da ripetere | a refaire | new one needed | new one requested | needs a new one |
    same exam again | reimage
    """
)

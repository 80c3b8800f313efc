"""The single words by which a clause is read: words that bind, that turn the thought, that open a condition, that judge.

Sets only, of English with the Spanish, German and French that orders mix in. The cues that say how a mention stands are
phrases, and stand in ``cues``; the labels under which it stands, in ``labels``.
"""

from __future__ import annotations

from typing import Final


def _words(table: str) -> frozenset[str]:
    return frozenset(table.split())


#: Words that a cue before the mention reaches across.
BINDING: Final = _words(
    """
    upgrade upgrading convert converting switch switching change changing request requests requesting ask asking asks 2d 2nd
    3d a abnormal add adding additional ahead also an another any are as at attempt attempted avec be bedside been being by
    comparison complete con das de dedicated der des diagnostic die diffusion do doing done dti du eine einer el equivocal es
    exam examination first focused for formal full further get getting go has have having he her hi high highres his i image
    imaging include included includes including inconclusive indicated indication indications is ist it its la le les limited
    mit necesita necessary necessity need needed needing needs negative new non nondiagnostic normal obtain obtaining of order
    ordered ordering orders our own par patient patients per perform performed performing planned por positive precisa proceed
    proceeding proper protocol protocols pt requiere requieren require required requires res resolution run running same scan
    schedule scheduling se second separate sequence sequences she solicita specific standard study suboptimal such targeted
    technique tensor that the their these this to type un una use used using via w want wanted wants was we weighted were wird
    with your
    """
)

#: Verbs of ordering: behind one, a cue does not reach back over the name of another examination.
VERBS: Final = _words(
    """
    add do doing get has have include obtain obtaining order ordering perform performing proceed run schedule use
    """
)

#: Words behind the mention for what it is made of.
PIECES: Final = _words("sequence sequences seq seqs series views view cuts cut slices images")

#: Words that a cue behind the mention reaches back across.
AFTER_BINDING: Final = PIECES | _words(
    """
    a all also an and are at be been both by can component did each exam examination for from has have her his imaging in is
    it must need needs of on only order ordered part patient patients portion procedure protocol protocols pt reportedly
    request requested scan sequence sequences should study technique that the this to w was were which will with would
    """
)

#: Words that begin a new thought.
TURNS: Final = _words("aber bitte but currently hence however instead kindly mais now pero please so therefore thus today then")

#: Words for the outcome of an examination.
RESULTS: Final = _words(
    """
    abnl abnormal equivocal inconclusive limited neg negative nondiagnostic nonrevealing normal pos positive unremarkable
    unrevealing wnl nondx nl
    """
)

#: Words for a thing done, which after "to be" say that it is to do.
PARTICIPLES: Final = _words("attached available completed done evaluated identified obtained performed read reviewed scanned")

#: Words that make what follows a thing to do.
ENSURE: Final = _words("ensure get must needs please pls should sure like need want wants")

TO_BE: Final = _words("be can get must need needs please should to will")

#: Words that open a condition.
OPENS: Final = _words("depending falls if permitting se once pending si unless wenn when whenever")

#: Verbs before which "si" and "se" open no condition.
REFLEXIVE: Final = _words(
    "richiede richiedono prega solicita solicitan pide ruega requiere precisa necesita consiglia pede indica"
)

#: Words of a condition that leave the choice to somebody's judgement or to what is possible.
JUDGED: Final = _words(
    """
    able allow allows indicata indicado necessario possibile posible ritenuto opportuno appropriate approved available bedarf
    beneficial besoin better capable deem deemed deems desired doable equipped erforderlich feasible fit helpful indicado
    indicated indiziert necesaria necesario necessaire necessary needed notig offered permit permits permitting possible
    precisa preferred procede protocol rad radiologe radiologist radiologists radiologo radiologue radiology rads reasonable
    recommended required tech technologist time unavailable useful warranted you
    """
)

#: Words behind "another one" that say how or when.
AGAIN_HOW: Final = _words("with without now please pls today for at on this to under w wo before asap as using and since")

#: Words behind a request to repeat that take it back.
NOT_AGAIN: Final = _words("not unnecessary declined refused refuses deferred unlikely isnt wasnt unchanged never")

#: Words of a condition that wait for a later finding.
FINDINGS: Final = _words(
    """
    abnormal abnormality enlarged equivocal fail failed fails found identified improve improvement inconclusive insufficient
    lesion negative no noncontributory nondiagnostic nonrevealing normal not persist persistent persisting persists positive
    progresses progression recurs seen show shows still suspicious symptoms unclear unexplained unhelpful unremarkable
    unrevealing worsen worsening worsens neg pos abnl nl nondx wnl
    """
)

YES: Final = _words("checked ja oui si true x y yes")

NO: Final = _words("false n na nein no non none unchecked")

UNITS: Final = _words("day days mo month months mos week weeks wk wks year years yr yrs")

MONTHS: Final = _words(
    """
    apr april aug august dec december feb february jan january jul july jun june mar march may nov november oct october sep
    sept september
    """
)

#: Words that open a question.
ASKING: Final = _words("any are can could do does is might should what which will would")

#: Words for the ordinary form of an examination.
PLAIN: Final = _words("conventional normal ordinary plain regular routine standard usual")

SUFFICES: Final = _words("acceptable alone enough fine instead ok okay only please suffice suffices sufficient")

CHANGES: Final = _words(
    """
    change changed changing convert converted converting downgrade modify replace substitute switch switched
    """
)

PICTURES: Final = _words("cd disc disk images image films film copy copies report reports records bring brings")

#: In what state, or after what formality, a patient can be scanned: no open condition.
STATE: Final = _words(
    """
    stable extubated transportable tolerated swelling returns returned auth authorization authorized discharged vacation home
    able weaned vent ventilator icu healed
    """
)
#: What patients are asked about before a scan, and what comes with one.
SCREENED: Final = _words(
    """
    allergies allergy pregnant pregnancy pacemaker pacer implant implants metal hardware claustrophobia claustrophobic sedation
    anesthesia contrast gad gadolinium diabetic diabetes anticoagulated anticoagulation isolation oxygen latex clips aneurysm
    stent stents dialysis premed premedication interpreter iv
    """
)
#: Field strengths, as words are cut ("1.5T" is 1 and 5t).
STRENGTHS: Final = _words("3t 7t 5t")

#: Words of a label that make what follows it history.
PAST: Final = _words("already comparison earlier outside past previous previously prior priors recent")

#: Words for what an order comes on.
ORDERS: Final = _words("order orders referral referrals request requests requisition prescription script")

#: Cues of a result only when they stand right before the mention: "on a 3T magnet for ..." is none.
LOOSE: Final = _words("after following from given on per see since")

#: Words before an "if" that make it a question put to the reader.
DOUBT: Final = _words("unsure sure unclear advise advice determine decide ask asking know uncertain comment clarify see")

#: Words of orders of which a misspelling is read as meant.
SPELT: Final = _words(
    """
    include including included sequence sequences protocol perform request requested requesting radiologist radiology
    discretion consider cancelled canceled previous previously without declined evaluate evaluation contrast
    """
)

#: Words before a word for the ordinary form that make it no order.
NO_ORDER: Final = _words("not no than dont isnt negative prior previous had was were underwent done after if recent last")

#: Words behind "performed" and the like that say how, not when.
MANNER: Final = _words("at on with using in under by")

#: Words behind a result that let it stand for the mention.
AFTER_RESULT: Final = _words("for in at per as and on but by with so then last study")

#: Cues behind the mention too brief to reach it over a comma, unless they end the clause.
BRIEF_PAST: Final = _words("had read date images show limited report result results ago failed found")
BRIEF_PLANS: Final = _words("next later when once considered discussed")
BRIEF_CHOICES: Final = _words("possible possibly ok okay maybe")

#: Words by which a thing could not be had.
CANNOT: Final = _words("cannot cant unable couldnt could")
#: Words of a condition under which a thing cannot be had.
UNOBTAINABLE: Final = _words(
    """
    denied unavailable declined rejected refused disapproved uncovered noncovered not cannot cant unable fails failed
    intolerant claustrophobic problem problems down broken impossible isnt wont wouldnt couldnt no
    """
)
#: Words by which a condition leaves it to somebody instead.
SOMEBODYS_CHOICE: Final = _words(
    """
    radiologist radiologists radiology rad rads prefer prefers preferred think thinks feel feels deem deems deemed appropriate
    needed necessary indicated helpful useful warranted required
    """
)

#: What an examination is said to have found, behind "with", a colon or a dash.
FOUND: Final = _words(
    """
    abnl abnormal abnormality absent atrophied atrophy avulsed compressed deviated discontinuous displaced edema edematous
    enhancing enlarged enlargement evidence flattened hyperintense hyperintensity increased intact mild moderate nl normal no
    preserved ruptured severe subtle swelling swollen thickened thickening torn
    """
)

#: Words that would undo or put off an examination, and forbidden ask for it ("do not cancel the SCAN", "not without").
UNDOING: Final = _words(
    """
    cancel cancelled canceled cancelling canceling omit omitted omitting skip skipped skipping forget forgotten exclude
    excluded remove removed drop dropped defer deferred deferring delay delayed delaying stop stopped postpone postponed
    discontinue discontinued withhold withheld hold held neglect neglected overlook overlooked leave left substitute
    substituted substituting substitution replace replaced replacing without wo o
    """
)
FORBIDDING: Final = _words("not dont never no nor cannot cant shouldnt mustnt wont neednt incomplete insufficient inadequate")
#: Words that may stand between the two.
FORBIDDEN_BETWEEN: Final = _words(
    """
    or and to be please ever simply just need perform do scan image complete proceed go run w the a an this study exam mri mr
    operate plan surgery surgical treat decide schedule
    """
)

#: Words that make what is to be done another order, or paperwork first.
APART: Final = _words("separately separate authorized authorised preauthorized preauthorised precertified approved")

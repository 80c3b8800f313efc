"""The cues by which a clause asks for a thing, rules it out, remembers it, plans it or leaves it open.

Tables only, of English with the Spanish, German and French that orders mix in; ``clauses`` reads by them. They belong to the
language and not to any policy. In a table of phrases "|" parts one from the next.
"""

from __future__ import annotations

import enum
from typing import Final

from .phrases import PhraseTable, listed, marks


class Standing(enum.Enum):
    """How a mention stands in its clause."""

    REQUEST = "asked for"
    SUGGESTED = "recommended"
    DISCRETION = "left to somebody's judgement"
    ALTERNATIVE = "one of several choices"
    PLAN = "a plan, or depends on something else"
    HISTORY = "history or a result"
    DATED = "named with a date"
    ELSEWHERE = "another order, or paperwork"
    NEUTRAL = "said not to exist yet"
    NEGATED = "ruled out"
    REPEAT = "asked for again"
    HYPOTHETICAL = "named only in a condition"
    TOLD = "told of, not asked for"
    UNCLEAR = "named in prose, without being asked for"


def _by_standing(tables: dict[Standing, str]) -> PhraseTable[Standing]:
    return PhraseTable((phrase, standing) for standing, table in tables.items() for phrase in listed(table))


#: Cues that stand before the mention and reach it over binding words.
BEFORE: Final = _by_standing(
    {
        Standing.NEGATED: """
            cannot afford | can't afford | could not afford | unable to afford | unable to get | unable to obtain |
            could not get | could not tolerate | could not obtain | couldn't get | over | opted against | decided against |
            no | not | without | w/o | cancel | cancelling | canceling | cancelled | canceled | discontinue | d/c | don't |
            doesn't | didn't | won't | can't | cannot | shouldn't | isn't | rather than | instead of | in lieu of |
            in place of | never | decline | declined | declines | refuse | refused | refuses | avoid | other than | except |
            will not cover | won't cover | doesn't cover | does not cover | did not approve | will not approve |
            would not approve | won't approve | nor | neither | omit | skip | hold off on | exclude | excluding | excludes |
            unable to tolerate | unable to | contraindication to | contraindicated | defer | deferred | remove | stop |
            denied | as opposed to | opposed to | non | minus | against | changed from | change from | switched from |
            converted from | downgraded from | kein | keine | keinen | nicht | ohne | sin | sans | pas de | senza |
            does not want | no need for | sem | drop | leave out | leave off | do not add | don't add | keine weitere |
            not a | not an | replaces | replacing | replace | replaced | forgo | in contrast to | different from | void |
            wo | zonder | geen | bez | utan | uden | ingen
        """,
        Standing.NEUTRAL: """
            never had | not had | not yet had | not undergone | hasn't had | not previously had | never undergone |
            no prior | no previous | no history of | without prior | without previous | no recent | no outside |
            no earlier | no known prior | denies prior | no existing
        """,
        Standing.REPEAT: """
            repeat | repeating | re-do | redo | repetir | wiederholung | wiederholen | repeat of | repeat the | reattempt |
            re-attempt
        """,
        Standing.HISTORY: """
            made to | hx | prev | compare w | correlate w | report recommends | found by | seen by | detected by |
            identified by | visualized by | seen with | prior | previous | previously | past | last | recent | recently |
            old | earlier | outside | h/o | hx of | history of | s/p | status post | known | most recent | results of |
            result of | results from | findings of | findings on | finding on | findings from | report of | seen on |
            noted on | shown on | shown by | demonstrated on | demonstrated by | identified on | found on | visualized on |
            detected on | evident on | apparent on | on | based on | per | compared to | compare to | compare with |
            compared with | comparison with | comparison to | comparison | correlate with | correlation with |
            correlate to | confirmed by | confirmed on | made by | established by | worked up with | diagnosed by |
            diagnosed on | proven by | proven on | after | following | since | because of | due to | in light of | given |
            follow up of | f/u of | follow up on | f/u on | followup of | review of | review | reviewed | reviewing |
            already had | already has | from | external | despite | zustand nach | z.n. | antecedente de | antecedentes de |
            previa | precedente | pregressa | esiti di | anamnese de | nach | zuvor | antecedents de | deja eu | vorherige |
            frühere | ancienne | eerdere | vorige | tidigare | tidligere | poprzednia | see | refer to | has had |
            at time of | time of | against prior | originally | originally ordered as | initially | initially ordered as |
            was ordered as | order was for
        """,
        Standing.PLAN: """
            plan | inquired re | inquired regarding | inquiring about | regarding | role of | utility of | benefit of |
            benefits of | value of | discussion of | talked about | explained | counseled on | counseled about | inquired |
            will consider | would consider | may consider | might consider | could consider | to consider | considering |
            considered | can consider | will need | may need | might need | could need | will likely need | may require |
            might require | will require | will get | will order | will obtain | will proceed with | will proceed to |
            will pursue | plan for | plan on | planning for | plan to | plan is | plans for | plans to | planning |
            planned | anticipate | anticipating | anticipated | future | eventual | eventually | later | next step |
            next step would be | next step is | would be | awaiting | await | pending | discussed | discuss | discussing |
            asked about | asks about | asking about | inquired about | interested in | question about | questions about |
            wonders about | may benefit from | might benefit from | could benefit from | thinking about | contemplating |
            prior to | before | ahead of | hold | holding | postpone | delay | wait on | until | candidate for | may |
            might | could | next | low threshold for | threshold for | consideration of | consideration for |
            in consideration of | reserve | followed by possible | until after
        """,
        Standing.DISCRETION: """
            evaluate need for | assess need for | determine need for | consider adding | consider including |
            please consider | consider | may add | may include | can add | could add | can include | could include |
            feel free to | optional | option of | possible | possibly | plusminus | with or without | with/without |
            w/ or w/o | w or w/o | w or wo | and possible | and possibly | potential | maybe | perhaps | preferably |
            ideally | would prefer | prefer | plus or minus | might add | suggest adding | ok to add | okay to add |
            and/or | eventuell | ggf | gegebenenfalls | please advise if | advise whether | whether | unsure about |
            unclear if | question of | query
        """,
        Standing.ELSEWHERE: """
            also has | has also | also getting | is getting | also having | will also have | also scheduled | images of |
            images from | image of | cd of | cd with | disc of | disc with | disk of | reports of | report from |
            records of | records from | copy of | copies of | import | upload | retrieve | release of |
            interpretation of | second opinion of | second opinion on | over-read of | overread of | reread of |
            authorization for | auth for | prior auth for | precert for | preauthorization for | separate order for |
            separate | separately ordered | already ordered | also ordered | also ordering | have ordered | has ordered |
            had ordered | sedation for | anesthesia for | same day for | premedication for | clearance for |
            screening for | education on | education about | handout on | handout about | literature on | information on |
            information about | article on | article about | read about | scheduled for | is scheduled for | having |
            undergoing | going for | upcoming | awaiting scheduled | companion to | in conjunction with |
            appointment for | slot for | same day as | day of | pre | separate order placed for | transport for | access for |
            npo for | life support for | assist with | assistance with | reprogramming for | rendering of | escort to |
            escort patient to | interrogation for | device check before | premed before | day as | at the same time as |
            add on to | coordinate with | bring | brings | images
        """,
        Standing.SUGGESTED: """
            recommend | recommended | recommends | recommending | suggest | suggests | suggested | suggesting | advise |
            advised | advises | recommendation for | would benefit from | in addition to | favor | favors
        """,
    }
)

#: Cues that stand behind the mention and reach back to it.
AFTER: Final = _by_standing(
    {
        Standing.NEGATED: """
            worthless | are worthless | is worthless | too expensive | cost prohibitive | expensive | isn't | wasn't |
            aren't | doesn't | shouldn't | ruled out | been ruled out | not needed | not indicated | not required |
            not requested | not necessary | not ordered | not desired | not wanted | not recommended | not covered |
            not approved | not authorized | not available | not possible | not performed | not done | not at this time |
            not tolerated | not to be | not be | is not | was not | will not | should not | are not | not offered |
            unavailable | unnecessary | cancelled | canceled | cancel | declined | refused | denied | deferred |
            contraindicated | no longer needed | no longer | discontinued | d/c'd | dc'd | withdrawn | removed | on hold |
            excluded | omitted | not included | isn't needed | nicht erforderlich | ist nicht | wird nicht |
            nicht erwunscht | nicht gewunscht | no es necesaria | non e | n'est pas | nao e | non serve | no necesaria |
            not today | cannot be | can't be | not warranted | not appropriate | not what | was ordered in error |
            ordered in error | in error | by mistake | not intended | replaced by | replaced with | changed to |
            switched to | converted to | omit | omitted | skip | leave out | leave off | do not add | do not include |
            nicht notig | non necessaria | no requerida | pas necessaire | nao necessaria | non richiesta | no procede |
            drop | not feasible | void | voided | inactive | not scheduled | won't be | do not perform | do not do |
            don't perform | don't do
        """,
        Standing.NEUTRAL: """
            not yet done | not yet performed | not previously done | never done | never performed |
            not previously performed | not done previously | not done before | has not been done | not been done |
            not yet been done
        """,
        Standing.REPEAT: """
            repeat | now repeat | to be repeated | please repeat | needs repeat | needs to be repeated |
            should be repeated | repeat requested | must be repeated
        """,
        Standing.REQUEST: """
            requested | is requested | are requested | please | needed | is needed | required | is required | desired |
            indicated | per radiology recommendation | per radiology recommendations | per radiologist recommendation |
            per radiology protocol | is being requested | to evaluate | to assess | for evaluation | today | asap |
            to be done | to be performed | to be completed | needs to be | has to be | should be done |
            should be performed | must be | will be performed today | ordered today | to rule out | to r/o | instead |
            rather than | in lieu of | not mri | as above | mandatory | is mandatory | is what we want | is what we need |
            is what i want | is what i am asking for | is wanted | is the exam ordered | is the study ordered |
            ordered per | intended | is intended | is what is wanted | is what is needed | was meant | a must |
            is a must | essential | is essential | solicitada | solicitado | erbeten | gewunscht | erwunscht | demandee |
            souhaitee | richiesta
        """,
        Standing.HISTORY: """
            done | performed | completed | obtained | showed | shows | show | showing | shown | demonstrated |
            demonstrates | demonstrate | demonstrating | revealed | reveals | reported | read as | read | confirmed |
            confirms | suggests | suggested | suggestive | suggesting | identified | identifies | identifying | found |
            findings | finding | result | results | report | reviewed | available | attached | enclosed | scanned |
            abnormal | normal | negative | positive | inconclusive | equivocal | nondiagnostic | non-diagnostic |
            unremarkable | unrevealing | nonrevealing | limited | limited by | degraded | previously | already | last year |
            last month | last week | last spring | last fall | last summer | last winter | on file | in pacs | on pacs |
            in chart | on cd | from outside | outside facility | concerning for | consistent with | suspicious for | c/w |
            evidence | proven | outside | neg | pos | abnl | wnl | previa | previo | previas | anterieure | anterieur |
            noted | in the past | eseguita | eseguito | effettuata | effettuato | eseguita nel | effettuata nel |
            precedente | realizada | realizado | hecha | feita | feito | faite | realisee | effectuee | durchgefuhrt |
            erfolgt | bereits erfolgt | gemacht | negativa | negativo | unauffallig | from prior | abnormality |
            abnormalities | evaluated | documented | detected | unchanged | stable | localized | images | followed by |
            pictures | date | hyperintensity | enhancement | had | before | ago | back in | indicates | indicated that |
            with evidence | with findings | failed | auffällig | unauffällig | normale | anormale | positiva | negativa |
            o.b. | ohne befund | regelrecht | unauffaellig | sin alteraciones | sans anomalie
        """,
        Standing.PLAN: """
            postponed | later | eventually | at some point | someday | in the future | in future | next | next visit |
            at follow up | at f/u | at next visit | may be needed | may be considered | may be required |
            might be needed | might be considered | could be considered | to be considered | will be considered |
            being considered | considered | under consideration | pending | planned | is planned | to follow |
            as next step | next step | will follow | down the road | down the line | will be ordered | will be obtained |
            will be needed | at a later date | would be next | is next | may follow | afterwards | may be next | when |
            once | was discussed | discussed | would be considered | should be considered | to be ordered |
            to be obtained later | to be done later | to be performed later
        """,
        Standing.ELSEWHERE: """
            order already in | order already placed | order is already in | to be performed elsewhere |
            to be done elsewhere | elsewhere | to be arranged by | to be available | pre-authorized | preauthorized |
            pre-authorised | pre-approved | precertified | ordered by | separately | ordered separately |
            scheduled separately | to be ordered separately | already ordered | already scheduled | scheduled |
            is scheduled | next week | next month | tomorrow | booked | booked separately | order placed |
            on separate order | separate order | has been ordered | has been scheduled | appointment | images | records |
            cd | disc | disk | report | results | consult | authorization | approval | slot | prep
        """,
        Standing.DISCRETION: """
            as clinically appropriate | as clinically indicated | as clinically needed | when clinically indicated |
            as needed | as indicated | segun criterio | a criterio | si besoin | bei bedarf | nach ermessen | a discretion |
            selon | ggf | as appropriate | prn | optional | at radiologist | at the radiologist | at discretion |
            at rad discretion | at radiology discretion | per radiologist | per rad | per rads | per radiology |
            radiologist discretion | at your discretion | at the discretion | could be added | can be added | may be added |
            would be nice | nice to have | if time | time permitting | wenn moglich | se possibile | si es posible |
            si possible | a discrezione | a discrecion | al criterio | nach wahl | as time allows | as time permits |
            if possible | no rush | might be added | may be included | may be helpful | could be helpful | might help |
            might be helpful | would be helpful | preferred | ok | okay | acceptable | reasonable | is reasonable | tbd |
            to be decided | unless otherwise | possible | possibly | depending on radiologist | vs not | or not |
            yes or no | y/n | optionally | at protocoling | at the discretion of | whichever | is fine | preference | maybe
        """,
        Standing.SUGGESTED: """
            recommended | is recommended | was recommended | suggested by | advised | has been recommended |
            recommended by | would be useful | would help | might be useful | advisable
        """,
    }
)

#: Verbs of having had, which reach over a list ("had X, Y and the mention").
HAD: Final = marks(
    """
    had | underwent | undergone | received | has undergone | got | completed | status post | s/p | prior | previous | past |
    had prior | had normal
    """
)

#: What looks like a cue before the mention and is none.
NO_CUE: Final = marks(
    """
    replace with | replaced with | replacing with | replace by | not only | not just | no doubt | with and without |
    w and wo | whether or not | cannot exclude | do not delay | no delay | why not | do not substitute |
    don't substitute | not to substitute | do not replace | don't replace | do not change | no change to |
    do not hesitate to | year old | yr old | years old | yo | y/o | per protocol | on protocol | surgical planning |
    operative planning | preop planning | preoperative planning | not diagnostic | not sufficient | if not | not mri but |
    no contrast | w/o contrast | without contrast | wo contrast
"""
)

#: "no scan on file" rules nothing out.
KEPT: Final = frozenset(
    listed(
        """
        available | before | done | found | in chart | in pacs | in the past | on file | on pacs | performed | previously |
        to date
        """
    )
)

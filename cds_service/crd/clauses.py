"""How a clause speaks of something it names: asks for it, rules it out, remembers it, plans it, leaves it open.

Table-driven, and ignorant of what is named: the caller says which words are the mention and which are parts of an
examination's name. The reading is local. From the mention it walks outwards over words that bind (articles, verbs of
ordering, sites) and stops at the first that does not, so that in "no relief, MR scan of the arm" the "no" governs the relief.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, NamedTuple

from .words import COLON, COMMA, DASH, PAREN, QUESTION, SIGHT, SLASH, Passage, PhraseTable


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


class Part(enum.IntEnum):
    """What a word is to the clause; the caller's tagging."""

    CONTENT = 0
    SITE = 1  # goes with a name: a site, a side
    ATTRIBUTE = 2  # says how: contrast, field strength
    EXAM = 3  # names another examination or its modality
    MENTION = 4  # belongs to a mention of the thing itself


class Reading(NamedTuple):
    """A mention's standing, and the words of the clause that said so ("" where the mention stands bare)."""

    standing: Standing
    cue: str


_S = Standing
_BEFORE: Final[dict[Standing, str]] = {
    _S.NEGATED: (
        "no|not|without|w/o|cancel|cancelling|canceling|cancelled|canceled|discontinue|d/c|don't|doesn't|didn't|won't|can't|cannot|shouldn't|isn't|"
        "rather than|instead of|in lieu of|in place of|never|decline|declined|declines|refuse|refused|refuses|avoid|other than|except|"
        "will not cover|won't cover|doesn't cover|does not cover|did not approve|will not approve|would not approve|won't approve|nor|neither|omit|skip|hold off on|exclude|excluding|excludes|unable to tolerate|unable to|contraindication to|contraindicated|"
        "defer|deferred|remove|stop|denied|as opposed to|opposed to|non|minus|against|kein|keine|keinen|nicht|ohne|sin|sans|pas de|senza|"
        "does not want|no need for|not a|not an|replaces|replacing|replace|replaced|forgo|in contrast to|different from|void|wo"
    ),
    _S.NEUTRAL: (
        "never had|not had|not yet had|not undergone|hasn't had|not previously had|never undergone|no prior|no previous|no history of|"
        "without prior|without previous|no recent|no outside|no earlier|no known prior|denies prior|no existing"
    ),
    _S.REPEAT: "repeat|repeating|re-do|redo|repetir|wiederholung|wiederholen|repeat of|repeat the|reattempt|re-attempt",
    _S.HISTORY: (
        "prior|previous|previously|past|last|recent|recently|old|earlier|outside|h/o|hx of|history of|s/p|status post|known|"
        "most recent|results of|result of|results from|findings of|findings on|finding on|findings from|report of|seen on|noted on|shown on|shown by|"
        "demonstrated on|demonstrated by|identified on|found on|visualized on|detected on|evident on|apparent on|on|based on|per|"
        "compared to|compare to|compare with|compared with|comparison with|comparison to|comparison|correlate with|correlation with|correlate to|"
        "confirmed by|confirmed on|made by|established by|worked up with|diagnosed by|diagnosed on|proven by|proven on|after|following|since|because of|due to|in light of|given|"
        "follow up of|f/u of|follow up on|f/u on|followup of|review of|review|reviewed|reviewing|already had|already has|from|external|despite|"
        "zustand nach|z.n.|antecedente de|antecedentes de|previa|vorherige|frühere|ancienne|see|refer to|has had|at time of|time of|against prior"
    ),
    _S.PLAN: (
        "will consider|would consider|may consider|might consider|could consider|to consider|considering|considered|can consider|will need|may need|might need|"
        "could need|will likely need|may require|might require|will require|will get|will order|will obtain|will proceed with|will proceed to|will pursue|plan for|plan on|"
        "planning for|plan to|plan is|plans for|plans to|planning|planned|anticipate|anticipating|anticipated|future|eventual|eventually|later|next step|next step would be|next step is|"
        "would be|awaiting|await|pending|discussed|discuss|discussing|asked about|asks about|asking about|inquired about|interested in|question about|"
        "questions about|wonders about|may benefit from|might benefit from|could benefit from|thinking about|contemplating|prior to|before|ahead of|"
        "hold|holding|postpone|delay|wait on|until|candidate for|may|might|could|next|low threshold for|threshold for|consideration of|consideration for|in consideration of|reserve|followed by possible|until after"
    ),
    _S.DISCRETION: (
        "consider adding|consider including|please consider|consider|may add|may include|can add|could add|can include|could include|feel free to|"
        "optional|option of|possible|possibly|plusminus|with or without|with/without|w/ or w/o|w or w/o|w or wo|and possible|and possibly|potential|"
        "maybe|perhaps|preferably|ideally|would prefer|prefer|plus or minus|might add|suggest adding|ok to add|okay to add|and/or|eventuell|ggf|gegebenenfalls|"
        "please advise if|advise whether|whether|unsure about|unclear if|question of|query"
    ),
    _S.ELSEWHERE: (
        "images of|images from|image of|cd of|cd with|disc of|disc with|disk of|reports of|report from|records of|records from|copy of|copies of|import|upload|retrieve|"
        "release of|interpretation of|second opinion of|second opinion on|over-read of|overread of|reread of|authorization for|auth for|prior auth for|"
        "precert for|preauthorization for|separate order for|separate|separately ordered|already ordered|also ordered|also ordering|have ordered|has ordered|had ordered|sedation for|"
        "anesthesia for|premedication for|clearance for|screening for|education on|education about|handout on|handout about|literature on|"
        "information on|information about|article on|article about|read about|scheduled for|is scheduled for|having|undergoing|going for|upcoming|awaiting scheduled|companion to|"
        "in conjunction with|referred for|referral for|appointment for|slot for|same day as|day of|day as|at the same time as|add on to|done with|coordinate with|bring|brings|images"
    ),
    _S.SUGGESTED: (
        "recommend|recommended|recommends|recommending|suggest|suggests|suggested|suggesting|advise|advised|advises|recommendation for|would benefit from|"
        "in addition to|favor|favors"
    ),
}
_PERFORMED_BEFORE: Final = (
    "had|underwent|undergone|received|has undergone|got|completed|status post|s/p|prior|previous|past|had prior|had normal"
)
_AFTER: Final[dict[Standing, str]] = {
    _S.NEGATED: (
        "not needed|not indicated|not required|not requested|not necessary|not ordered|not desired|not wanted|not recommended|not covered|not approved|not authorized|"
        "not available|not possible|not performed|not done|not at this time|not tolerated|not to be|not be|is not|was not|will not|should not|are not|not offered|"
        "unavailable|unnecessary|cancelled|canceled|cancel|declined|refused|denied|deferred|contraindicated|no longer needed|no longer|discontinued|"
        "d/c'd|dc'd|withdrawn|removed|on hold|excluded|omitted|not included|isn't needed|nicht erforderlich|no necesaria|not today|cannot be|can't be|not warranted|not appropriate|"
        "not what|was ordered in error|ordered in error|in error|by mistake|not intended|replaced by|replaced with|not feasible|not scheduled|not wanted|won't be"
    ),
    _S.NEUTRAL: "not yet done|not yet performed|not previously done|never done|never performed|not previously performed|not done previously|not done before|has not been done|not been done|not yet been done",
    _S.REPEAT: "repeat|to be repeated|please repeat|needs repeat|needs to be repeated|should be repeated|repeat requested|must be repeated",
    _S.REQUEST: (
        "requested|is requested|are requested|please|needed|is needed|required|is required|desired|indicated|per radiology recommendation|per radiology recommendations|per radiologist recommendation|"
        "per radiology protocol|is being requested|to evaluate|to assess|for evaluation|today|asap|now|to be done|to be performed|should be done|should be performed|must be|"
        "will be performed today|ordered today|to rule out|to r/o|instead|rather than|in lieu of|not mri|as above"
    ),
    _S.HISTORY: (
        "done|performed|completed|obtained|showed|shows|show|showing|shown|demonstrated|demonstrates|demonstrate|demonstrating|revealed|reveals|reported|read as|read|confirmed|"
        "confirms|suggests|suggested|suggestive|suggesting|identified|identifies|identifying|found|findings|finding|result|results|report|reviewed|available|attached|enclosed|scanned|abnormal|normal|negative|"
        "positive|inconclusive|equivocal|nondiagnostic|non-diagnostic|unremarkable|unrevealing|nonrevealing|limited|limited by|degraded|previously|already|"
        "last year|last month|last week|last spring|last fall|last summer|last winter|on file|in pacs|on pacs|in chart|on cd|from outside|outside facility|concerning for|consistent with|suspicious for|c/w|evidence|proven|confirmed|"
        "outside|neg|pos|abnl|wnl|previa|previo|previas|anterieure|anterieur|anterior|noted|in the past|from prior|abnormality|abnormalities|evaluated|documented|detected|unchanged|stable|localized|images|followed by|pictures|date|hyperintensity|enhancement|report|was|had|before|ago|back in|indicates|indicated that|with evidence|with findings|failed|auffällig|unauffällig|normale|anormale|positiva|negativa"
    ),
    _S.PLAN: (
        "postponed|later|in the future|in future|next|next visit|at follow up|at f/u|at next visit|may be needed|may be considered|may be required|might be needed|might be considered|could be considered|to be considered|"
        "will be considered|being considered|considered|under consideration|pending|planned|is planned|to follow|as next step|next step|will follow|"
        "down the road|will be ordered|will be obtained|will be needed|at a later date|would be next|is next|may follow|afterwards|may be next|when|once|was discussed|discussed|would be considered|should be considered|to be ordered|to be obtained later"
    ),
    _S.ELSEWHERE: (
        "separately|ordered separately|scheduled separately|to be ordered separately|already ordered|already scheduled|scheduled|is scheduled|next week|next month|tomorrow|"
        "booked|booked separately|order placed|on separate order|separate order|has been ordered|has been scheduled|appointment|images|records|cd|disc|disk|report|results|consult|authorization|approval|slot|prep"
    ),
    _S.DISCRETION: (
        "as needed|as indicated|segun criterio|a criterio|si besoin|bei bedarf|nach ermessen|a discretion|selon|ggf|as appropriate|prn|optional|at radiologist|at the radiologist|at discretion|at rad discretion|at radiology discretion|per radiologist|per rad|per rads|per radiology|"
        "radiologist discretion|at your discretion|at the discretion|could be added|can be added|may be added|might be added|may be included|may be helpful|"
        "could be helpful|might help|might be helpful|would be helpful|preferred|ok|okay|acceptable|reasonable|is reasonable|tbd|to be decided|unless otherwise|possible|possibly|depending on radiologist|vs not|or not|yes or no|y/n|optionally|at protocoling|at the discretion of|whichever|is fine|preference|maybe"
    ),
    _S.SUGGESTED: "recommended|is recommended|was recommended|suggested by|advised|has been recommended|recommended by|would be useful|would help|might be useful|advisable",
}
_IGNORED_BEFORE: Final = (
    "not only|not just|no doubt|with and without|w and wo|whether or not|cannot exclude|do not delay|no delay|why not|no change to|do not hesitate to|"
    "year old|yr old|years old|yo|y/o|per protocol|on protocol|not diagnostic|not sufficient|if not|not mri but|no contrast|w/o contrast|without contrast|wo contrast"
)
#: Words that a cue reaches across, to the mention or away from it.
_BINDING: Final = frozenset(
    "a an the any this that these their further additional dedicated formal another standard new of for to be been being is was were are it its also including include "
    "includes included use using used with w by at as high resolution hi res highres specific indication indications need needs needed needing require requires required want "
    "wants wanted perform performing performed do doing done order ordered ordering orders obtain obtaining get getting have has having schedule scheduling study scan exam examination "
    "imaging image sequence sequences protocol protocols technique study type full complete own your our please's then so-called proper necessary and/or separate "
    "add adding run running same such attempted attempt second first 2nd proceed proceeding go ahead necessity indicated planned complete 2d 3d dti diffusion tensor weighted his her patient patients pt se requiere requieren precisa necesita solicita es ist wird "
    "un una el la le les du de des der die das eine einer con avec mit por par per via focused targeted comparison nondiagnostic non diagnostic equivocal inconclusive suboptimal limited motion-limited abnormal normal negative positive bedside i we he she".split()
)
_VERBS: Final = frozenset(
    "perform do order obtain get schedule have has add run proceed use include performing doing ordering obtaining".split()
)
_AFTER_BINDING: Final = frozenset(
    "of the is was were are has been have be a an for at on in to study scan exam examination imaging sequence sequences protocol protocols technique and with which that his her "
    "patient patients pt should would must will can needs need it this all both each reportedly also only from by procedure portion part component also order request requested ordered did w".split()
)
_TURNS: Final = frozenset(
    "please but however therefore hence now instead so thus today currently kindly requesting request requests want bitte aber pero mais".split()
)
_RESULTS: Final = frozenset(
    "abnormal normal negative positive inconclusive equivocal nondiagnostic unremarkable unrevealing limited nonrevealing neg pos abnl wnl".split()
)
_PARTICIPLES: Final = frozenset(
    "done performed completed obtained reviewed read scanned attached evaluated identified available".split()
)
_ENSURE: Final = frozenset("ensure sure please pls must should needs".split())
_TO_BE: Final = frozenset("be to should must please get needs need will can".split())
_OPENS: Final = frozenset("if unless when whenever once pending depending si falls wenn".split())
_JUDGED: Final = frozenset(
    "radiologist radiologists radiology rad rads indicated needed necessary appropriate feasible possible available able warranted deemed deem deems fit desired helpful "
    "technologist tech protocol useful unavailable approved permits permit allows allow time equipped capable offered reasonable required you beneficial preferred doable better recommended besoin necesario necesaria necessaire indicado procede precisa notig indiziert erforderlich bedarf radiologo radiologue radiologe".split()
)
_FINDINGS: Final = frozenset(
    "negative positive normal abnormal inconclusive unrevealing nondiagnostic equivocal persist persists persistent persisting worsen worsens worsening fails fail failed symptoms improvement improve "
    "unremarkable no not still shows show suspicious nonrevealing enlarged unclear unhelpful insufficient abnormality lesion seen identified found progression progresses recurs unexplained noncontributory".split()
)
_PAST: Final = frozenset("prior priors previous previously past recent outside earlier comparison already".split())
_LABELS: Final = frozenset(
    "history|prior studies|prior study|prior imaging|previous imaging|previous studies|past imaging|imaging history|comparison|comparisons|comparison studies|prior workup|"
    "workup to date|work-up to date|prior exams|prior tests|previous tests|hx|pmh|psh|hpi|past history|clinical history|relevant history|prior|previous|outside studies|outside imaging|"
    "relevant prior|relevant priors|priors|imaging to date|imaging results|prior results|results|findings|impression|imaging findings|tests done|studies done|previous exam|previous exams|previous study|prior exam|prior tests|prior test|prior testing|previous testing|recent imaging|recent studies|imaging reviewed|imaging done|other imaging|past studies|prior radiology|prior diagnostic studies|prior diagnostic tests|related imaging|compare|compare with|compare to|reviewed|outside records|"
    "prior mri|previous mri|prior relevant imaging|prior relevant studies|has the patient had prior imaging|relevant imaging|last exam|last study|date of last exam|prior imaging study|"
    "prior imaging studies|previous imaging study|what prior imaging|any prior imaging|prior imaging or studies|prior imaging/studies|prior studies and results".split(
        "|"
    )
)
_PLAN_LABELS: Final = frozenset(
    "next step|next steps|future plan|future plans|if negative|if normal|contingency|follow up plan|consider|to consider|future considerations|future".split(
        "|"
    )
)
_NEGATED_LABELS: Final = frozenset(
    "not requested|exclude|do not perform|not needed|declined|cancelled|canceled|contraindicated|not ordered|do not do".split("|")
)
_CHOICE: Final = (
    "thinks fit|think fit|sees fit|see fit|feels appropriate|feels it is|deems|deemed|discretion|radiologist to choose|radiologist to decide|radiologist to determine|radiologist to select|radiologist choice|"
    "radiologists choice|radiologist's choice|whichever|radiology to decide|radiology to choose|radiology to determine|radiology to select|choose between|your choice|choice of|up to radiologist|"
    "up to the radiologist|up to radiology|to determine need|radiologist may choose|rad to choose|rads to choose|rads to decide|rad to decide|radiologist's preference|radiologist preference|please decide|please advise which|which is better|either one|either is|best suited|radiologist please choose|most appropriate|per radiologist preference"
)
_ASK_AGAIN: Final = (
    "please repeat|repeat study|repeat exam|repeat it|repeat scan|repeat imaging|needs repeat|repeat requested|repeat today|repeat now|to be repeated|for repeat|repeat needed|repeat indicated|"
    "needs to be repeated|should be repeated|repeat is needed|repeat is requested|again please|please do again|this again|do again|same again|once more|do it again|again now|repeat with|repeat at|repeat on|repeat under|requesting repeat|do it again|please redo|repeat the study|repeat the exam|repeat the scan|repeat this|needs repeating|must be repeated|repeat same|same exam again|reimage"
)


def _table(cues: dict[Standing, str]) -> PhraseTable[Standing]:
    return PhraseTable((phrase, standing) for standing, phrases in cues.items() for phrase in phrases.split("|"))


_BEFORE_TABLE: Final = _table(_BEFORE)
_AFTER_TABLE: Final = _table(_AFTER)
_IGNORED_TABLE: Final = PhraseTable((phrase, True) for phrase in _IGNORED_BEFORE.split("|"))
_VERB_LIST_TABLE: Final = frozenset(_PERFORMED_BEFORE.split("|"))
_HAD_TABLE: Final = PhraseTable((phrase, True) for phrase in _PERFORMED_BEFORE.split("|"))
_CHOICE_TABLE: Final = PhraseTable((phrase, True) for phrase in _CHOICE.split("|"))
_ASK_AGAIN_TABLE: Final = PhraseTable((phrase, True) for phrase in _ASK_AGAIN.split("|"))
_YES: Final = frozenset("yes y true si oui ja checked x".split())
_NO: Final = frozenset("no n false none na nein non unchecked".split())
#: Cues of a result only when they stand right before the mention: "on a 3T magnet for ..." is none.
_LOOSE: Final = frozenset("on per from given after since following see".split())
_UNITS: Final = frozenset("day days week weeks wk wks month months mo mos year years yr yrs".split())
_REACH: Final = 14  # words that a cue reaches at most


class _Walk(NamedTuple):
    """The cues found on one side of a mention, the nearest first, each with its words."""

    found: tuple[tuple[Standing, str], ...]

    def cue(self, *standings: Standing) -> str | None:
        return next((words for standing, words in self.found if standing in standings), None)


def _walk_before(passage: Passage, first: int, parts: Sequence[int]) -> _Walk:
    """Walk left from word ``first`` and collect the cues that reach it."""
    found: list[tuple[Standing, str]] = []
    listed = verb = comma = bound = False  # crossed "and"/"or"; crossed a verb of ordering; crossed a comma
    index = first - 1
    strong = passage.breaks[first]
    while index >= 0 and first - index <= _REACH and strong < QUESTION:
        if strong in (COMMA, PAREN, COLON, DASH):
            if strong == COLON or (strong != DASH and found):
                break
            comma = True
        if strong == SLASH:
            listed = True
        ignored = _IGNORED_TABLE.ending(passage, index)
        if ignored:
            break
        cues = _BEFORE_TABLE.ending(passage, index)
        had = _HAD_TABLE.ending(passage, index)
        word = passage.words[index]
        if had and not cues:
            cues = [(had[0][0], Standing.HISTORY)]
        if cues:
            length, standing = cues[0]
            phrase = passage.quote(index - length + 1, index)
            if bound and phrase.lower() in _LOOSE:
                break
            if comma and not _crosses_comma(standing, bool(had), listed):
                break
            found.append((standing, phrase))
            strong = passage.breaks[index - length + 1]
            index -= length
            continue
        part = parts[index]
        if word in ("and", "or", "nor", "plus", "y", "et", "und"):
            listed = True
        elif word in _TURNS or part == Part.ATTRIBUTE:
            break
        elif part == Part.EXAM:
            if verb or not (listed or comma):
                break
        elif part == Part.SITE:
            if verb:
                break
        elif part == Part.MENTION:
            if not (listed or comma):
                break
        elif word in _RESULTS:
            if comma or index > 0 and parts[index - 1] in (Part.EXAM, Part.SITE):
                break
            found.append((Standing.HISTORY, word))
        elif word not in _BINDING:
            break
        elif word in _VERBS:
            verb = True
        elif word == "for":
            bound = True
        strong = passage.breaks[index]
        index -= 1
    return _Walk(tuple(found))


def _crosses_comma(standing: Standing, had: bool, listed: bool) -> bool:
    """Tell whether a cue reaches across a comma: a list goes on ("had EMG, MRI, MR ..."), a new clause does not."""
    if had:
        return True
    return listed and standing in (Standing.NEGATED, Standing.HISTORY, Standing.ELSEWHERE, Standing.NEUTRAL)


def _walk_after(passage: Passage, last: int, parts: Sequence[int]) -> _Walk:
    """Walk right from word ``last`` and take the first cue that reaches back to it."""
    index = last + 1
    attribute = False
    to_be = any(word in _ENSURE for word in passage.words[max(0, last - 8) : last])
    words, breaks = passage.words, passage.breaks
    while index < len(words) and index - last <= _REACH and breaks[index] < QUESTION:
        far = breaks[index] in (COMMA, PAREN, DASH, COLON)
        for length, standing in _AFTER_TABLE.starting(passage, index):
            phrase = passage.quote(index, index + length - 1)
            if _binds_back(passage, index, length, standing, parts, to_be, attribute, far):
                return _Walk(((standing, phrase),))
        word, part = words[index], parts[index]
        if word == "in" and index + 2 < len(words) and words[index + 2] in _UNITS:
            return _Walk(((Standing.PLAN, passage.quote(index, index + 2)),))
        if part == Part.ATTRIBUTE:
            attribute = True
        elif part in (Part.EXAM, Part.MENTION) and not (part == Part.MENTION and breaks[index] == PAREN):
            break
        elif part == Part.CONTENT and word not in _AFTER_BINDING:
            break
        if word in _TO_BE:
            to_be = True
        index += 1
    return _Walk(())


def _binds_back(
    passage: Passage, index: int, length: int, standing: Standing, parts: Sequence[int], to_be: bool, attribute: bool, far: bool
) -> bool:
    word = passage.words[index]
    after = index + length
    ends = after >= len(passage.words) or passage.breaks[after] >= COMMA
    follower = "" if after >= len(passage.words) else passage.words[after]
    if standing is Standing.HISTORY:
        if word in _PARTICIPLES and (
            to_be or (follower in ("at", "on", "with", "using", "in", "under", "by") and _attributed(parts, after))
        ):
            return False
        if word in _RESULTS and length == 1:
            return ends or follower.isdigit() or follower in (
                "for",
                "in",
                "at",
                "per",
                "as",
                "and",
                "on",
                "but",
                "by",
                "with",
                "so",
                "then",
                "last",
                "study",
            )
        if word in (
            "was",
            "had",
            "before",
            "read",
            "date",
            "images",
            "show",
            "limited",
            "report",
            "result",
            "results",
            "ago",
            "failed",
            "found",
        ):
            return not far or ends
        return True
    if standing in (Standing.DISCRETION, Standing.PLAN) and attribute:
        return False  # "with contrast as needed": the contrast is left open, not the examination
    if standing is Standing.DISCRETION and word in ("possible", "possibly", "ok", "okay", "maybe"):
        return ends
    if standing is Standing.ELSEWHERE and length == 1 and far:
        return ends or word in ("separately", "scheduled", "booked")
    if standing is Standing.PLAN and word in ("next", "later", "when", "once", "considered", "discussed", "pending"):
        return not far or ends or word == "pending"
    return True


def _attributed(parts: Sequence[int], index: int) -> bool:
    return any(parts[place] == Part.ATTRIBUTE for place in range(index + 1, min(index + 3, len(parts))))


def _answer(passage: Passage, last: int) -> bool | None:
    """Return what a question or label ending in the mention is answered with; None where it is none or has no answer."""
    index = last + 1
    while index < len(passage.words) and index - last <= 8:
        if passage.breaks[index] in (QUESTION, COLON):
            if passage.words[index] in _NO:
                return False
            if passage.words[index] in _YES:
                return True
            return None
        if passage.breaks[index] > QUESTION:
            return None
        index += 1
    return None


def _label(passage: Passage, first: int, start: int) -> str:
    """Return the words before the last colon between ``start`` and word ``first``, if a line begins with them."""
    colon = next((index for index in range(first, start, -1) if passage.breaks[index] in (COLON, QUESTION)), None)
    if colon is None:
        return ""
    begin = colon - 1
    while begin > start and passage.breaks[begin] < COMMA:
        begin -= 1
    return " ".join(passage.words[begin:colon])


def _conditioned(passage: Passage, first: int, last: int, bounds: tuple[int, int], parts: Sequence[int]) -> Reading | None:
    """Tell whether an "if" governs the mention, and whether it leaves the choice to a judgement or to a later finding."""
    start, end = bounds
    words = passage.words
    optional = any(word in ("add", "adding", "include", "including") for word in words[max(start, first - 4) : first]) or any(
        word in ("sequences", "sequence", "protocol") for word in words[last + 1 : last + 3]
    )
    for index in range(first - 1, max(start, first - 25) - 1, -1):
        if words[index] in ("but", "please") and index < first - 1 and words[index] == "but":
            break
        if words[index] in _OPENS:
            clause = words[index : last + 6] if not _parted(passage, index, first) else words[index:first]
            judged = optional or any(word in _JUDGED for word in clause)
            inside = judged and not any(word in _JUDGED for word in words[index:first]) and not _parted(passage, index, first)
            standing = Standing.HYPOTHETICAL if inside else Standing.DISCRETION if judged else Standing.PLAN
            return Reading(standing, passage.quote(index, last))
    for index in range(last + 1, min(end, last + 9) + 1):
        if words[index] in _OPENS - {"unless", "when"}:
            clause = words[index : min(end, index + 9) + 1]
            if any(word in _JUDGED for word in clause[:6]) or optional:
                return Reading(Standing.DISCRETION, passage.quote(index, min(end, index + 4)))
            if any(word in _FINDINGS for word in clause) or parts[min(index + 1, end)] == Part.EXAM:
                return Reading(Standing.PLAN, passage.quote(index, min(end, index + 4)))
            return None
        if parts[index] in (Part.ATTRIBUTE, Part.EXAM, Part.MENTION):
            return None
        if parts[index] == Part.CONTENT and words[index] not in _AFTER_BINDING:
            return None
    return None


def _parted(passage: Passage, start: int, first: int) -> bool:
    return any(passage.breaks[index] in (COMMA, DASH) or passage.words[index] == "then" for index in range(start + 1, first + 1))


def _alternative(passage: Passage, first: int, last: int, bounds: tuple[int, int], parts: Sequence[int]) -> str:
    """Return the "or", "vs" that sets the mention beside another examination; "" where there is none."""
    start, end = bounds
    words = passage.words
    for index in range(first - 1, start - 1, -1):
        if words[index] in ("vs", "versus", "or", "oder", "ou", "o") and _names_exam(parts, start, index):
            return words[index]
        if parts[index] in (Part.EXAM, Part.MENTION) or (parts[index] == Part.CONTENT and words[index] not in _BINDING):
            break
    for index in range(last + 1, end):
        if words[index] in ("vs", "versus", "or", "oder", "ou", "o") and words[index - 1] not in ("with", "w"):
            tail = [Part.EXAM if words[i] in _PLAIN else parts[i] for i in range(index + 1, min(end, index + 7) + 1)]
            if tail and Part.EXAM in tail and Part.MENTION not in tail[: tail.index(Part.EXAM)]:
                return words[index]
        if parts[index] in (Part.EXAM, Part.MENTION) or words[index] in ("if", "but", "please", "negative", "fails"):
            break
    return ""


def _names_exam(parts: Sequence[int], start: int, end: int) -> bool:
    return any(parts[index] == Part.EXAM for index in range(max(start, end - 10), end))


def _is_dated(passage: Passage, last: int, parts: Sequence[int]) -> bool:
    """Tell whether a date follows the mention closely ("MR scan 2021", "MR scan of 3/12/2022")."""
    words, breaks = passage.words, passage.breaks
    for index in range(last + 1, min(last + 7, len(words))):
        if breaks[index] >= QUESTION:
            return False
        word = words[index]
        if word.isdigit():
            if len(word) == 4 and word[:2] in ("19", "20"):
                return True
            following = words[index + 1] if index + 1 < len(words) else ""
            return (
                len(word) <= 2
                and following.isdigit()
                and passage.gap_before(index + 1) in ("/", "-", ".")
                and len(following) in (2, 4, 1)
            )
        if word in _MONTHS:
            continue
        if parts[index] != Part.SITE and word not in _AFTER_BINDING and word not in ("dated", "done"):
            return False
    return False


_MONTHS: Final = frozenset(
    "jan january feb february mar march apr april may jun june jul july aug august sep sept september oct october nov november dec december".split()
)


def asks_again(passage: Passage, after: int, parts: Sequence[int]) -> bool:
    """Tell whether the passage, behind word ``after``, asks to repeat what it spoke of ("Please repeat.")."""
    for index in range(after + 1, min(len(passage.words), after + 2 * SIGHT)):
        for length, _ in _ASK_AGAIN_TABLE.starting(passage, index):
            behind = parts[index + length : index + length + 4]
            negated = index > 0 and passage.words[index - 1] in ("not", "no", "dont", "without")
            if not negated and Part.EXAM not in behind:
                return True
    return False


def read(passage: Passage, first: int, last: int, parts: Sequence[int]) -> Reading:
    """Read how the mention, words ``first`` to ``last`` (inclusive) of ``passage``, stands in its clause.

    ``parts`` holds one Part for each word of the passage. Never raises.
    """
    bounds = passage.sentence(first)
    before = _walk_before(passage, first, parts)
    after = _walk_after(passage, last, parts)
    conditioned = _conditioned(passage, first, last, bounds, parts)
    outright = _ruled_out(passage, first, last, before, after)
    if outright is not None:
        inside = conditioned is not None and before.cue(Standing.NEGATED) is None and outright.standing is Standing.NEGATED
        return conditioned if inside and conditioned is not None else outright
    choice = _alternative(passage, first, last, bounds, parts)
    if choice:
        return Reading(Standing.ALTERNATIVE, choice)
    label = _label(passage, first, max(0, bounds[0] - 14))
    if (cue := before.cue(Standing.REPEAT) or after.cue(Standing.REPEAT)) is not None:
        return conditioned or Reading(Standing.REPEAT, cue)
    asked = after.cue(Standing.REQUEST) is not None
    for standing, words in before.found:
        if standing in (Standing.HISTORY, Standing.ELSEWHERE) and not (asked and standing is Standing.HISTORY):
            if standing is Standing.ELSEWHERE and _addressed(passage, bounds):
                return Reading(Standing.REQUEST, words)
            if not _is_protocol(passage, last, words):
                return Reading(standing, words)
    if (label in _LABELS or not _PAST.isdisjoint(label.split())) and not asked:
        return Reading(Standing.HISTORY, label)
    if label in _NEGATED_LABELS:
        return Reading(Standing.NEGATED, label)
    if label in _PLAN_LABELS:
        return Reading(Standing.PLAN, label)
    if (cue := after.cue(Standing.HISTORY, Standing.ELSEWHERE)) is not None:
        return Reading(after.found[0][0], cue)
    if any(mark in passage.gap_after(last) for mark in ("(-", "(+", "( -", "( +")):
        return Reading(Standing.HISTORY, passage.gap_after(last).strip())
    if (chosen := _left_open(passage, bounds, parts)) is not None:
        return chosen
    if (cue := after.cue(Standing.PLAN)) is not None:
        return Reading(Standing.PLAN, cue)
    if conditioned is not None and conditioned.standing is Standing.PLAN:
        return conditioned
    for walk in (before, after):
        for standing, words in walk.found:
            if standing in (Standing.PLAN, Standing.DISCRETION):
                if standing is Standing.PLAN and _addressed(passage, bounds) and walk is before:
                    return Reading(Standing.REQUEST, words)
                return Reading(standing, words)
    if conditioned is not None:
        return conditioned
    if (cue := before.cue(Standing.SUGGESTED) or after.cue(Standing.SUGGESTED)) is not None:
        return Reading(Standing.SUGGESTED, cue)
    if not asked and _is_dated(passage, last, parts):
        return Reading(Standing.DATED, passage.quote(last, min(last + 3, bounds[1])))
    return Reading(Standing.REQUEST, after.cue(Standing.REQUEST) or "")


def _ruled_out(passage: Passage, first: int, last: int, before: _Walk, after: _Walk) -> Reading | None:
    """Read negation and answered questions, which go before everything else."""
    answered = _answer(passage, last)
    if answered is not None:
        past = before.cue(Standing.HISTORY, Standing.NEUTRAL) is not None or after.cue(Standing.HISTORY) is not None
        if past:  # "had one before? yes"
            return Reading(Standing.HISTORY, "yes") if answered else Reading(Standing.NEUTRAL, "no")
        return Reading(Standing.REQUEST, "yes") if answered else Reading(Standing.NEGATED, "no")
    negated = before.cue(Standing.NEGATED)
    kept = (after.cue(Standing.HISTORY) or "").lower() in _KEPT
    if before.cue(Standing.NEUTRAL) is not None or (negated and (kept or before.cue(Standing.HISTORY))):
        return Reading(Standing.NEUTRAL, before.found[-1][1])
    if negated is not None:
        return Reading(Standing.NEGATED, negated)
    for standing in (Standing.NEUTRAL, Standing.NEGATED):
        if (cue := after.cue(standing)) is not None:
            return Reading(standing, cue)
    gap = passage.gap_before(first)
    queried = "?" in gap and (first == 0 or gap[0] != "?")  # "? scan", "MRI ?scan", not "Done? Scan"
    if queried or "?" in passage.gap_after(last) or _asks_whether(passage, first, last):
        return Reading(Standing.DISCRETION, "?")
    return None


def _asks_whether(passage: Passage, first: int, last: int) -> bool:
    """Tell whether the sentence is a question about the mention ("Would a scan be useful?"), not a polite request."""
    start, end = passage.sentence(first)
    return (
        "?" in passage.gap_after(end)
        and end - last <= 8
        and passage.words[start] in _ASKING
        and not any(word in ("you", "please", "we", "pls", "kindly") for word in passage.words[start:first])
    )


#: "no scan on file" rules nothing out.
_KEPT: Final = frozenset({"on file", "available", "done", "performed", "found", "in pacs", "on pacs", "in chart", "previously", "before", "in the past", "to date"})
_ASKING: Final = frozenset("would could can should is does will do are might any what which".split())


def _addressed(passage: Passage, bounds: tuple[int, int]) -> bool:
    """Tell whether the sentence speaks to the patient: what "you are scheduled for" is this order."""
    return any(word in ("you", "your", "youre") for word in passage.words[bounds[0] : bounds[1] + 1])


def _is_protocol(passage: Passage, last: int, cue: str) -> bool:
    """Tell "on/per/from the X protocol", which asks for X, from "seen on X"."""
    return (
        cue.lower() in ("on", "per", "from", "images", "given")
        and last + 1 < len(passage.words)
        and passage.words[last + 1]
        in (
            "protocol",
            "sequences",
            "sequence",
            "technique",
        )
    )


def _left_open(passage: Passage, bounds: tuple[int, int], parts: Sequence[int]) -> Reading | None:
    """Find words that leave the whole sentence to somebody's choice, unless they speak of the contrast."""
    for index in range(bounds[0], bounds[1] + 1):
        for length, _ in _CHOICE_TABLE.starting(passage, index):
            if Part.ATTRIBUTE not in parts[max(bounds[0], index - 4) : index]:
                return Reading(Standing.DISCRETION, passage.quote(index, index + length - 1))
    return None


_PLAIN: Final = frozenset("routine standard conventional plain regular ordinary normal usual".split())
_SUFFICES: Final = frozenset("only instead suffices suffice sufficient enough fine ok okay alone acceptable please".split())
_CHANGES: Final = frozenset(
    "change changed convert converted switch switched changing converting downgrade replace modify".split()
)


def downgrades(passage: Passage, parts: Sequence[int]) -> str:
    """Return the words that order the ordinary examination in place of a special one ("routine protocol only"), else ""."""
    words = passage.words
    for index, word in enumerate(words):
        if word not in _PLAIN:
            continue
        first, last = passage.sentence(index)
        near = range(index + 1, min(last, index + 5) + 1)
        if not any(
            parts[place] == Part.EXAM or words[place] in ("protocol", "sequences", "exam", "study", "imaging") for place in near
        ):
            continue
        negated = any(
            words[place] in ("not", "no", "than", "dont", "isnt", "negative", "prior", "previous", "had", "was", "were", "underwent", "done", "after", "if", "recent", "last")
            for place in range(max(first, index - 4), index)
        )
        if not negated and (
            any(words[place] in _SUFFICES for place in range(max(first, index - 3), min(last, index + 8) + 1))
            or any(words[place] in _CHANGES for place in range(max(first, index - 5), index))
        ):
            return passage.quote(first, last)
    return ""

"""Is a thing that a note names being asked for, or does the note only speak of it?

``clauses`` finds the words that take a mention away. A note can speak of a thing without any of them ("the payer holds a
SCAN to be experimental"), so where another examination is what is ordered, a mention counts as a request only if it is
put like one. The phrase of the mention, from comma to comma, must be

1. a command or a wish: a verb of asking before it ("please add", "surgeon wants", "protocol as"), or "please",
   "requested", "needed" behind it, and nothing in the phrase that makes it somebody's report; or
2. a bare name: in front of it only articles, sites and the like, behind it besides those a purpose ("to assess ...").

Anything else is prose. Prose with a word of telling, refusing, of the past or of later only tells of the thing; other
prose leaves unclear whether it is wanted.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final

from . import cue_words
from .reach import Part
from .words import COLON, COMMA, DASH, QUESTION, Passage


def _words(table: str) -> frozenset[str]:
    return frozenset(table.split())


#: Verbs that command where they open a phrase ("add a SCAN") and else say that somebody asks ("team to add a SCAN").
COMMANDS: Final = _words(
    """
    please pls plz kindly bitte favor svp do perform run get obtain add include make give acquire schedule book protocol order
    request proceed repeat redo switch upgrade convert change combine supplement need needs require ensure want anadir agregar
    incluir realizar hacer solicitar ajouter inclure faire realiser durchfuhren erganzen solicito
    """
)
COURTESIES: Final = _words("please pls plz kindly bitte favor svp")
#: What may stand before a command without making it somebody else's ("so please do", "must include", "and get").
BEFORE_COMMAND: Final = _words(
    """
    please pls plz kindly bitte and also but so then now therefore hence must should will be we i radiology tech technologist
    ok okay just can you y et und se por
    """
)
#: Words by which somebody is said to ask for it.
WISHES: Final = _words(
    """
    wants wanted wish wishes requests requested requesting ordering orders adding including includes included incl inkl
    obtaining needed needing required requires desires desired prefers indicated approved performing performed done protocoled
    protocolled converted changed upgraded switched combined supplemented returning seeking looking proceeding plus solicita
    solicitada requiere necesita precisa demande demandee erbeten gewunscht erwunscht bitten should must use using doing
    asking asks asked referred presents presenting coming sent here
    """
)
#: Commands that, across a preposition, join another thing to the mention.
JOINING: Final = _words("schedule book add combine")
_ACROSS: Final = _words("with w to before after from")
#: Those of them that are a liking where the patient has it.
LIKINGS: Final = _words(
    """
    wants wanted wish wishes requests requested requesting desires desired prefers have asking asks asked
    """
)
PATIENT: Final = _words("pt pts patient patients he she they")
#: Words that lead from an examination to its means: "assess the plexus by SCAN".
MEANS: Final = _words("with w by via using per mit mittels con por avec par mediante")
EXAMINING: Final = _words(
    """
    assess evaluate evaluation eval assessment rule r exclude localize localise delineate characterize image imaging look
    visualize workup investigate investigation confirm abklarung evaluar valorar evaluer
    """
)
#: Words that neither ask nor tell, before the mention or behind it.
NEUTRAL: Final = _words(
    """
    a an the this that it is in of at to on for with w and as also plus by via using x both either side our their her his
    single combined dedicated focused targeted limited full complete formal high highres hi res resolution thin slice fine cut
    3d 2d isotropic diffusion weighted tensor multiplanar dynamic standard special specific advanced urgent stat asap emergent
    routine new updated interval surveillance follow up followup f u postoperative postop preoperative preop month months week
    weeks year years day 6mo 3mo noncontrast non enhanced exam examination study scan test imaging image procedure technique
    protocol protocols sequence sequences order request requested type attn attention re through along around entire whole
    only too today now day same session visit first upgrade un una uno el la los las de del der die das des dem den le les du
    une au aux von vom zur zum mit con por par avec para pour eine einen einer secuencias secuencia sequenzen protokoll
    protocolo protocole imagen be patient pt correct necessary ok okay seq seqs n nn surgical operative planning under
    """
)
#: Words behind the mention that are part of its name, and units of what is done.
CARRIERS: Final = _words(
    """
    protocol protocols sequence sequences technique exam examination study scan imaging series views cuts slices order please
    protokoll sequenzen secuencias protocolo seq seqs
    """
)
#: Words behind the mention that begin what it is for, or what else is said of how it is done.
PURPOSES: Final = _words(
    """
    to for r rule due given because eval evaluate assess looking look concern concerned re attn attention if as instead rather
    before prior without w with wo and or but plus then per dx hx indication reason suspected s p post query zur zum bei para
    pour since followed of
    """
)
#: Words behind the mention that make a statement of it.
STATING: Final = _words(
    """
    is are was were been being has had have would will could may might can cannot did does do isnt wasnt wont doesnt shows
    showed shown reveals revealed reads read states stated says said suggests suggested recommends recommended raised adds
    added changes changed helps helped failed expired denied declined noted mentioned found confirms confirmed reported became
    remains takes took costs seems appears looks
    """
)
#: Words within which a verb states nothing of the mention ("to see whether the nerve is intact").
SUPPOSING: Final = _words("which who that whether if where why how see because since as whose what")
#: Words of a report: what somebody said, thinks, pays or offers is not what this order asks.
TELLING: Final = _words(
    """
    told tells said says saying states stated mentions mentioned mention thinks thought think believes believed feels felt
    wonders wondered googled heard read reads saw online article brochure website video forum friend mother father mom dad
    parent parents husband wife spouse sister brother daughter son family aunt uncle cousin neighbor chiropractor coworker
    insurance insurer payer payor plan carrier medicare medicaid bcbs aetna cigna uhc humana benefit coverage covered
    noncovered investigational experimental authorization auth preauth approval appeal appealed p2p peer denial claim cost
    costs price pay paying afford pocket cash financial bill clinic lab coil slot slots fellow fellowship department dept
    trial enrolled enrollment participated participant subject volunteer conference lecture journal paper textbook program
    originally original initially elsewhere disregard ignore typo mistake mentioned another other separate see workup
    imaging-to-date compare comparison correlate priors group room reading notified cc call calls aware accident accidentally
    error entered service offered offers letter reviewer keen
    """
)
#: Words that refuse or doubt.
REFUSING: Final = _words(
    """
    no not never none nor neither without cannot cant dont doesnt didnt wont wouldnt isnt wasnt shouldnt couldnt unable
    unavailable declined declines refused refuses denied denies failed fails drop leave omit skip stop avoid instead-of lieu
    unnecessary useless little nothing nobody down broken out full could would might may ultimately possibly perhaps likely
    unlikely lacks lack than substituting substitute substituted replaces equivalent adequate overkill
    """
)
#: Words of what is over.
BYGONE: Final = _words(
    """
    was were had did has been done showed shown showing reviewed revealed raised confirmed noted seen found diagnosed picked
    demonstrated identified obtained completed prior previous previously past last old earlier ago before already since during
    after outside from chart pacs file media cd disc report results result findings known first incidental incidentally
    experienced developed vomited reaction infiltrated claustrophobic panic amplitudes amplitude latency latencies velocity
    velocities conduction slow slowed reduced normal abnormal negative positive unremarkable to-date far yielded nondx neg pos
    nl abnl wnl yrs thickened enlarged
    """
)
#: Words of what is to come, or is somebody else's to do.
PUT_OFF: Final = _words(
    """
    later next future eventually until unless pending awaiting waiting scheduled arranging arranged ordered booked appointment
    appt reserved reserve hold step steps plan planned planning consider considering committing monday tuesday wednesday
    thursday friday saturday sunday tomorrow arrives arriving ending end deferred tabled postponed going traveling travelling
    june july
    """
)
#: Words of a payer's or a radiologist's consent.
APPROVAL: Final = _words("approved authorized authorised granted obtained")
LACKING: Final = _words("no without wo sans sin ohne")
#: Words behind which a full stop with a space does not end a phrase.
_SHORTENED: Final = _words("prev poss no dr drs vs st")
#: Labels behind which a bare name is what is asked for.
ASKING_LABELS: Final = _words(
    """
    protocol exam examination study procedure test order ordered request requested requesting requests technique sequence
    sequences type service modality plan today rx comment comments note notes instructions instruction special detail details
    please do perform radiology rads mri mr need needs want protokoll protocolo protocole anforderung untersuchung estudio
    examen diagnosis dx indication reason symptoms visit irb tech add adding
    """
)


class Tone(enum.Enum):
    """How a note speaks of what it names."""

    ASKING = "asks for it"
    TELLING = "tells of it"
    UNCLEAR = "names it"


def tone(passage: Passage, first: int, last: int, parts: Sequence[int], *, cued: bool, labelled: bool) -> Tone:
    """Tell in what tone the phrase of the mention, words ``first`` to ``last`` inclusive, speaks.

    ``cued``: words behind the mention ask for it. ``labelled``: the text answers a question of the order, so that any
    label before the mention is the question. Linear in the length of the sentence. Never raises.
    """
    words = passage.words
    start, end = _phrase(passage, first, last)
    around = words[start:first] + words[last + 1 : end + 1]
    if _aside(passage, start, parts) or _points_elsewhere(words[start:first], words[last + 1 : end + 1]):
        return Tone.UNCLEAR
    if cued and TELLING.isdisjoint(words[start:first]):
        return Tone.ASKING
    if not APPROVAL.isdisjoint(around) and REFUSING.isdisjoint(around):
        return Tone.ASKING
    lead = _lead(passage, start, first, parts)
    if lead is _Lead.WISH and not (_NO_REPORT.isdisjoint(words[start:first]) and "comparison" not in around):
        lead = _Lead.PROSE
    if lead is _Lead.NOTHING and not labelled and not _label_asks(passage, start):
        lead = _Lead.PROSE
    if lead is not _Lead.PROSE and not _states(passage, last, end, parts, lead):
        return Tone.ASKING
    if _then_commanded(passage, last):
        return Tone.ASKING
    opening, close = passage.sentence(first)
    said = words[opening:first] + words[last + 1 : close + 1]
    return Tone.UNCLEAR if _ONLY_TOLD.isdisjoint(said) else Tone.TELLING


def _aside(passage: Passage, start: int, parts: Sequence[int]) -> bool:
    """Tell whether the phrase stands in brackets behind a word that is no examination's ("Dr. Smith (SCAN) aware")."""
    if start == 0 or "(" not in passage.gap_before(start):
        return False
    word = passage.words[start - 1]
    return parts[start - 1] == Part.CONTENT and not (word in NEUTRAL or word in CARRIERS or word in COMMANDS)


def _points_elsewhere(lead: Sequence[str], tail: Sequence[str]) -> bool:
    """Tell "for a SCAN order 4417": what to do who wants one."""
    return "for" in lead[:1] and not _INSTEAD.isdisjoint(tail)


_INSTEAD: Final = _words("order use select choose see call contact")


class _Lead(enum.Enum):
    """What governs the mention from before it."""

    NOTHING = 0  # only articles, sites and the like
    COMMAND = 1
    WISH = 2  # somebody asks: counts unless reported
    PROSE = 3


_NO_REPORT: Final = TELLING | REFUSING
_ONLY_TOLD: Final = _NO_REPORT | BYGONE | PUT_OFF


def _phrase(passage: Passage, first: int, last: int) -> tuple[int, int]:
    """Return the first and the last word of the phrase around the mention: what no comma, dash or stop parts from it."""
    floor, ceiling = passage.sentence(first)
    start, end = first, last
    while start > floor and not _parts_phrases(passage, start):
        start -= 1
    while end < ceiling and not _parts_phrases(passage, end + 1):
        end += 1
    return start, end


def _parts_phrases(passage: Passage, index: int) -> bool:
    if passage.breaks[index] >= DASH:
        return True
    return ". " in passage.gap_before(index) and passage.words[index - 1] not in _SHORTENED


def _lead(passage: Passage, start: int, first: int, parts: Sequence[int]) -> _Lead:
    """Walk left from the mention to what governs it."""
    words = passage.words
    infinitive = False
    for index in range(first - 1, start - 1, -1):
        word = words[index]
        before = words[index - 1] if index > start else ""
        if word == "like" and before in ("would", "id", "d"):
            return _Lead.PROSE if not PATIENT.isdisjoint(words[start:index]) else _Lead.COMMAND
        if word in COMMANDS and before == "to":  # who is to do it stands further left
            infinitive = True
            continue
        if word in JOINING and not _ACROSS.isdisjoint(words[index + 1 : first]):  # "schedule with", "add to"
            return _Lead.PROSE
        if word in COMMANDS:
            opens = index == start or before in BEFORE_COMMAND
            return _Lead.COMMAND if opens or word in COURTESIES else _Lead.WISH
        if word in WISHES or (word == "have" and before == "to"):
            theirs = word in LIKINGS and not PATIENT.isdisjoint(words[start:index])  # what a patient wants is no order
            return _Lead.PROSE if theirs or before in ("has", "have", "had") else _Lead.WISH
        if word in MEANS and words[start] in EXAMINING:
            return _Lead.WISH
        if word in cue_words.TURNS:
            return _Lead.COMMAND
        lacking = word in LACKING and parts[index + 1] == Part.ATTRIBUTE  # "no contrast"
        if parts[index] == Part.CONTENT and not lacking and word not in NEUTRAL and not word.isdigit():
            return _Lead.PROSE
    if infinitive:
        return _Lead.WISH if PATIENT.isdisjoint(words[start:first]) else _Lead.PROSE
    return _Lead.NOTHING


def _states(passage: Passage, last: int, end: int, parts: Sequence[int], lead: _Lead) -> bool:
    """Tell whether what stands behind the mention makes a statement of it ("... is experimental", "... clinic in May").

    Right behind a bare name any word does that is no site, purpose or the like; further on, and behind a verb of asking,
    only a verb of stating.
    """
    words = passage.words
    placed = lead is not _Lead.NOTHING
    for index in range(last + 1, end + 1):
        word = words[index]
        if word in SUPPOSING:  # "to see whether the nerve is intact"
            return False
        if word in STATING:
            done = index < end and words[index + 1] in cue_words.PARTICIPLES
            if not (lead is _Lead.COMMAND and done):  # "ensure that a SCAN is done"
                return True
        if not placed and not _binds(passage, index, parts):
            return True
        if word in ("with", "w") and not cue_words.FOUND.isdisjoint(words[index + 1 : index + 3]):
            return True  # "SCAN with a thickened root"
        placed = placed or word in PURPOSES or word in CARRIERS or parts[index] != Part.CONTENT
    behind = end + 1  # "SCAN: thickened root"
    return (
        behind < len(words)
        and passage.breaks[behind] in (DASH, COLON)
        and not cue_words.FOUND.isdisjoint(words[behind : behind + 2])
    )


def _binds(passage: Passage, index: int, parts: Sequence[int]) -> bool:
    """Tell whether a word right behind a bare name goes on with it."""
    words = passage.words
    word = words[index]
    following = words[index + 1] if index + 1 < len(words) and passage.breaks[index + 1] < DASH else ""
    if word == "not":  # "SCAN, not plain X-ray"
        return following in cue_words.PLAIN or (bool(following) and parts[index + 1] == Part.EXAM)
    if word == "ordered":
        return not following
    if word == "of":
        return following not in REFUSING
    if word == "from":  # "from the hip to the knee"
        return Part.SITE in parts[index + 1 : index + 4]
    if word in LACKING:
        return Part.ATTRIBUTE in parts[index + 1 : index + 3]
    return parts[index] != Part.CONTENT or word in PURPOSES or word in CARRIERS or word in NEUTRAL or word.isdigit()


def _then_commanded(passage: Passage, last: int) -> bool:
    """Tell whether the next sentence orders what was spoken of ("...; please perform.")."""
    index = passage.sentence(last)[1] + 1
    words = passage.words[index : index + 3]
    if len(words) < 2 or words[0] not in COURTESIES or words[1] not in COMMANDS:
        return False
    return len(words) == 2 or passage.breaks[index + 2] >= COMMA


def _label_asks(passage: Passage, start: int) -> bool:
    """Tell whether the label before a bare name lets it be what is asked for; a clause of four words or more is no label."""
    floor = passage.sentence(start)[0]
    colon = next((index for index in range(start, floor, -1) if passage.breaks[index] == COLON), None)
    if colon is None:
        return passage.breaks[start] != QUESTION or start == 0
    begin = colon - 1
    while begin > floor and passage.breaks[begin] < COMMA:
        begin -= 1
    label = passage.words[begin:colon]
    if label[-1] in cue_words.RESULTS:  # "X-ray negative: SCAN"
        return True
    if len(label) > 3 or any(word.isdigit() for word in label):
        return _ONLY_TOLD.isdisjoint(label)
    return not ASKING_LABELS.isdisjoint(label)

"""The words by which ``asking`` tells a request from prose, of English with the Spanish, German and French that orders mix in.

They belong to the language and to the trade of ordering, and not to any policy.
"""

from __future__ import annotations

from typing import Final

from .cue_words import PIECES


def _words(table: str) -> frozenset[str]:
    return frozenset(table.split())


#: Verbs that command where they open a phrase ("add a SCAN") and else say that somebody asks ("team to add a SCAN").
COMMANDS: Final = _words(
    """
    please pls plz kindly bitte favor svp do perform run get obtain add include make give acquire schedule book protocol order
    request proceed repeat redo switch upgrade convert change combine supplement need needs require ensure want anadir agregar
    replace amend arrange incluir realizar hacer solicitar ajouter inclure faire realiser durchfuhren erganzen solicito
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
    wants wish wishes requests requested requesting ordering orders adding including includes included incl inkl obtaining
    needed needing required requires desires desired prefers indicated approved performing performed done protocoled
    protocolled converted changed upgraded switched combined supplemented returning seeking looking proceeding plus
    solicita solicitada richiede richiesta pide pedido solicitado requiere necesita precisa demande demandee erbeten
    gewunscht erwunscht bitten should must use using doing meant intended grateful asking asks asked referred presents
    presenting coming sent here agreed agrees
    """
)
#: Commands that, across a preposition, join another thing to the mention.
JOINING: Final = _words("schedule book add combine")
#: Those prepositions.
ACROSS: Final = _words("with w to before after from")
#: Those of them that are a liking where the patient has it.
LIKINGS: Final = _words("wants wanted wish wishes requests requested requesting desires desired prefers have asking asks asked")
WE: Final = _words("i we please pls kindly needs need")
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
    protocolo protocole imagen be patient pt correct necessary ok okay seq seqs n nn surgical operative planning under time
    ticked
    """
)
#: Words behind the mention that are part of its name, and units of what is done.
CARRIERS: Final = PIECES | _words(
    """
    protocol protocols technique exam examination study scan imaging evaluation assessment order please protokoll
    sequenzen secuencias protocolo
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
    remains takes take took lasts last costs seems appears looks
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
    originally original initially elsewhere disregard ignore typo mistake mentioned another other separate see workup compare
    comparison correlate priors group room reading notified cc call calls aware accident accidentally error entered service
    offer offered offers services modalities letter reviewer keen pregunta consulta seguro assurance versicherung krankenkasse
    """
)
#: Words that refuse or doubt.
REFUSING: Final = _words(
    """
    no not never none nor neither without cannot cant dont doesnt didnt wont wouldnt isnt wasnt shouldnt couldnt unable
    unavailable declined declines refused refuses denied denies failed fails drop leave omit skip stop avoid lieu unnecessary
    useless little nothing nobody down broken out full could would might may ultimately possibly perhaps likely unlikely lacks
    lack than substituting substitute substituted replaces equivalent adequate overkill denegada denegado rechazada refusee
    abgelehnt keine kein pas sin
    """
)
#: Words of what is over.
BYGONE: Final = _words(
    """
    was were had did has been done showed shown showing reviewed revealed raised confirmed noted seen found diagnosed picked
    demonstrated identified obtained completed prior previous previously past last old earlier ago before already since during
    after outside from chart pacs file media cd disc report results result findings known first incidental incidentally
    experienced developed vomited reaction infiltrated claustrophobic panic reduced normal abnormal negative positive
    unremarkable far yielded nondx neg pos nl abnl wnl yrs thickened enlarged wanted brought films images copy deja faite fait
    unauffallig auffallig bereits erfolgt hecha realizada previa previo
    """
)
#: Words of what is to come, or is somebody else's to do.
PUT_OFF: Final = _words(
    """
    later next future eventually until unless pending awaiting waiting scheduled arranging arranged ordered booked appointment
    appt reserved reserve hold step steps plan planned planning consider considering committing monday tuesday wednesday
    thursday friday saturday sunday tomorrow arrives arriving ending end deferred tabled postponed going traveling travelling
    june july decide decides then put minutes hours
    """
)
#: Words of a payer's or a radiologist's consent.
APPROVAL: Final = _words("approved authorized authorised granted obtained okd")
LACKING: Final = _words("no without wo o sans sin ohne")  # the o is that of "w/o"
#: Words behind which a full stop with a space does not end a phrase.
SHORTENED: Final = _words("prev poss no dr drs vs st")
#: Labels behind which a bare name is what is asked for.
ASKING_LABELS: Final = _words(
    """
    protocol exam examination study procedure test order ordered request requested requesting requests technique sequence
    sequences type service modality plan today rx comment comments note notes instructions instruction special detail
    details please do perform radiology rads mri mr need needs want correct correction protokoll protocolo protocole
    anforderung untersuchung estudio examen diagnosis dx indication reason symptoms visit irb tech add adding important
    urgent stat attention attn
    """
)
CHANGED: Final = _words("change changed changing convert converted switch switched modified modify update updated amended")
#: What a patient does who wonders about it.
WONDERING: Final = _words("asks asked asking wonders wondered wondering")
#: Words that make of a mention the name of a place or of people.
PLACES: Final = _words("program programme clinic center centre team group lab laboratory department registry trial coordinator")
#: Words behind such a command that name nothing else to do.
COMMANDED_HOW: Final = _words("as this it that at asap today now per accordingly")
#: Words of a question that asks for an examination.
EXAM_LABELS: Final = _words("exam examination study procedure protocol technique test order ordered requested service mri mr")
#: Verbs that send whoever wants the thing somewhere else ("for a SCAN order 4417").
SENDING_ELSEWHERE: Final = _words("order use select choose see call contact")
#: Verbs that tell who comes for the thing what to do.
COMING: Final = _words("allow arrive come expect bring wear")
#: Verbs that, behind "we", tell what a site does; an orderer does not do it.
DOING: Final = _words("perform do run provide offer schedule")
#: Words before that "we" that ask all the same ("can we do a SCAN").
ASKING_US: Final = _words("can could should may shall must please that if")

NO_REPORT: Final = TELLING | REFUSING
ONLY_TOLD: Final = NO_REPORT | BYGONE | PUT_OFF

"""The labels of a note or a form, by what stands under them: history, a plan, or what is not to be done.

Of English with the Spanish, German, French and Italian that orders mix in; ``sentences`` finds the label of a sentence.
"""

from __future__ import annotations

from typing import Final

from .phrases import listed

#: Labels under which history stands.
PAST_LABELS: Final = frozenset(
    listed(
        """
        anamnese | anamnesi | anamnesis | antecedente | antecedentes | antecedents | precedenti | vorgeschichte |
        voruntersuchung | voruntersuchungen | vorbefund | vorbefunde | any prior imaging | clinical history | compare |
        compare to | compare with | comparison | comparison studies | comparisons | date of last exam | findings |
        has the patient had prior imaging | history | hpi | hx | imaging done | imaging findings | imaging history |
        imaging results | imaging reviewed | imaging to date | impression | last exam | last study | other imaging |
        outside imaging | outside records | outside studies | past history | past imaging | past studies | pmh | previous |
        previous exam | previous exams | previous imaging | previous imaging study | previous mri | previous studies |
        previous study | previous testing | previous tests | prior | prior diagnostic studies | prior diagnostic tests |
        prior exam | prior exams | prior imaging | prior imaging or studies | prior imaging studies | prior imaging study |
        prior mri | prior radiology | prior relevant imaging | prior relevant studies | prior results | prior studies |
        prior studies and results | prior study | prior test | prior testing | prior tests | prior workup | priors | psh |
        recent imaging | recent studies | related imaging | relevant history | relevant imaging | relevant prior |
        relevant priors | results | reviewed | studies done | tests done | what prior imaging | work up to date |
        workup to date
        """
    )
)

#: Labels under which a plan stands.
PLAN_LABELS: Final = frozenset(
    listed(
        """
        consider | contingency | follow up plan | future | future considerations | future plan | future plans |
        if negative | if normal | next step | next steps | to consider
        """
    )
)

#: Labels under which stands what is not to be done.
NEGATED_LABELS: Final = frozenset(
    listed(
        """
        canceled | cancelled | contraindicated | declined | do not do | do not perform | exclude | not needed |
        not ordered | not requested
        """
    )
)

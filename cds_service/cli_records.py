"""The command group ``records``, with the settings and the deciding functions it needs."""

from __future__ import annotations

from cds_service.records.cli import records_group
from cds_service.records.replay import ReplayInput
from cds_service.settings import load_settings


def _decide(kept: ReplayInput) -> bytes:
    # Imported here: only replay and some of show decide, and the other commands start in two thirds of the time without.
    from cds_service.deciding_again import decide_again

    return decide_again(kept, load_settings())


def _explain(kept: ReplayInput) -> list[str]:
    from cds_service.deciding_again import explain_again

    return explain_again(kept, load_settings())


records = records_group(load_settings, _decide, _explain)

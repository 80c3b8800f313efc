"""The command group ``records``, with the settings and the deciding function it needs."""

from __future__ import annotations

from cds_service.deciding_again import decide_again
from cds_service.records.cli import records_group
from cds_service.settings import load_settings

records = records_group(load_settings, lambda kept: decide_again(kept, load_settings()))

"""The records: every answer kept, found again, explained and counted. The only SQL of the service stands in here.

::

    record         what is kept, and what can go wrong          pure values
    store          Store: the one door, for any thread
      opening      open_store: which database, which keys; refuses what is not fit
      open_here    what one process holds open: connections, queue, threads
      writer       calls, in one transaction         later     the same, many together, from a thread
      tokens       token ids seen                    feedback  what clinicians did with the cards
      lookup       by id, by span of time            export    as plain values
      measures     counts                            upkeep    purge, rekey, policy files
    driver, watch, breaker, database, tables, encryption    below all of these
    replay, words, measures_output, cli, cli_tools   for people: decide again, say why
"""

from __future__ import annotations

from cds_service.records.opening import open_store, upgrade_database
from cds_service.records.record import (
    CallRecord,
    CardRecord,
    DeterminationRecord,
    FoundCall,
    KeptFeedback,
    RecordsError,
    RecordsMisconfigured,
    RecordsUnavailable,
    RecordUnreadable,
    RecordUnstorable,
)
from cds_service.records.store import Store

__all__ = [
    "CallRecord",
    "CardRecord",
    "DeterminationRecord",
    "FoundCall",
    "KeptFeedback",
    "RecordUnreadable",
    "RecordUnstorable",
    "RecordsError",
    "RecordsMisconfigured",
    "RecordsUnavailable",
    "Store",
    "open_store",
    "upgrade_database",
]

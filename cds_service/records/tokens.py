"""Token ids seen: replay protection that holds across threads, processes, replicas and restarts."""

from __future__ import annotations

import hashlib

from cds_service.records import tables
from cds_service.records.database import insert_if_new, writing
from cds_service.records.driver import Driver

#: Seconds that an expired token id is kept on: replicas' clocks differ.
_GRACE = 300


class TokenWriter:
    """Remembers token ids by a unique insert; without ``syncs`` a power failure may undo the last ones."""

    def __init__(self, driver: Driver, *, syncs: bool) -> None:
        self._driver, self._syncs = driver, syncs
        self._insert = driver.compiled(insert_if_new(driver.engine, tables.seen_tokens))

    def is_new(self, client: str, jti: str, exp: int) -> bool:
        """Was this token id never seen from ``client``? From now on it was. Raises RecordsUnavailable."""
        # Only a digest: ids have any length and content, and a token id that can be read can be used.
        token = hashlib.sha256(f"{len(client)}:{client}{jti}".encode("utf-8", "surrogatepass")).digest()
        return self._driver.commit([(self._insert, [(token, int(exp))])], syncs=self._syncs) == 1

    def forget_expired(self, now: float) -> int:
        """Delete the ids of tokens that expired before ``now`` (seconds since 1970), with a grace."""
        with writing(self._driver.engine) as connection:
            expired = tables.seen_tokens.c.expires < int(now) - _GRACE
            return connection.execute(tables.seen_tokens.delete().where(expired)).rowcount

"""Sealing of patient data at rest: AES-256-GCM, a key id beside each record, the row bound into it.

A sealed value is 12 random bytes of nonce, then ciphertext and tag of the deflated plaintext. The associated data is
the table, column and row, so that a value moved elsewhere does not open. Random nonces are safe for some 4 thousand
million records a key (NIST SP 800-38D 8.3); rotate before that.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from isal.isal_zlib import compress

from cds_service.records.record import RecordsMisconfigured, RecordUnreadable

#: What zlib calls level 1, in a quarter of its time.
_LEVEL = 0
_NONCE = 12
_RAW = -15  # deflate without header and checksum: the seal has its own
_KEY = 32
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
_CURE = "write id:base64 of 32 bytes, for example 2026a:$(openssl rand -base64 32)"


class Keyring:
    """The keys of the records: the first seals, all of them open."""

    def __init__(self, keys: Iterable[tuple[str, bytes]]) -> None:
        given = dict(keys)
        self._ciphers = {key_id: AESGCM(key) for key_id, key in given.items()}
        self.newest = next(iter(self._ciphers))
        # A key of its own, so that no digest is made with one that encrypts.
        self._digests = hmac.digest(given[self.newest], b"cds-service/digest", "sha256")
        self._seal = self._ciphers[self.newest].encrypt

    def seal(self, plaintext: bytes, row: str) -> bytes:
        """Encrypt under the newest key; ``row`` names table, column and row."""
        nonce = os.urandom(_NONCE)
        # Less to encrypt and far less to write: a call is mostly JSON, which shrinks to a fifth or less.
        return nonce + self._seal(nonce, compress(plaintext, _LEVEL, _RAW), row.encode())

    def digest(self, words: bytes) -> str:
        """A digest of ``words`` by the newest key: who has the database alone cannot try which words it is of."""
        return hmac.digest(self._digests, words, "sha256").hex()

    def unseal(self, key_id: str, sealed: bytes, row: str) -> bytes:
        """Decrypt what ``seal`` made for the same ``row``. Raises RecordUnreadable."""
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise RecordUnreadable(
                f"{row} is sealed with key {key_id!r}, which is not at hand; add it to CDS_SERVICE_RECORDS_KEYS"
            )
        try:
            return zlib.decompress(cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], row.encode()), _RAW)
        except (InvalidTag, ValueError, TypeError):  # SQLite takes a text, too, where bytes should stand
            raise RecordUnreadable(
                f"{row} does not open with key {key_id!r}: it was altered, or the key is another one"
            ) from None


def parse_keys(entries: Iterable[str], source: str) -> list[tuple[str, bytes]]:
    """Read ``id:base64`` entries, newest first. Raises RecordsMisconfigured, which names ``source`` and never a key."""
    keys: dict[str, bytes] = {}
    for number, entry in enumerate(entries, 1):
        key_id, colon, text = entry.strip().partition(":")
        if not colon or not _KEY_ID.fullmatch(key_id):
            raise RecordsMisconfigured(f"{source}: entry {number} has no key id of letters, digits, '.', '_' and '-'; {_CURE}")
        try:
            key = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != _KEY:
            raise RecordsMisconfigured(f"{source}: key {key_id!r} is not {_KEY} bytes in base64; {_CURE}")
        if key_id in keys:
            raise RecordsMisconfigured(f"{source}: key id {key_id!r} stands there twice; give each key its own id")
        keys[key_id] = key
    return list(keys.items())


def read_key_file(path: Path) -> list[tuple[str, bytes]]:
    """The keys in a key file, one a line; an empty list when there is no file, or nothing in it. Raises RecordsMisconfigured.

    A file of this user's that others may read is made private.
    """
    try:
        lines = path.read_text(encoding="ascii").split()
        state = path.stat()
        if state.st_mode & 0o077 and state.st_uid == os.geteuid():
            path.chmod(0o600)
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise RecordsMisconfigured(f"{path}: cannot be read as a key file ({type(error).__name__})") from None
    return parse_keys(lines, str(path))


def make_key_file(path: Path) -> list[tuple[str, bytes]]:
    """Make a key file of one new key, mode 0600, on the disk before this returns; never overwrites."""
    entry = f"made-{os.urandom(4).hex()}:{base64.b64encode(os.urandom(_KEY)).decode()}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(entry + "\n")
        file.flush()
        # A key lost in a crash would make every record sealed with it unreadable.
        os.fsync(file.fileno())
    return parse_keys([entry], str(path))

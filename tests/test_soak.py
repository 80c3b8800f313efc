"""The service under load for long: good, bad and hostile requests, at full speed.

``CDS_SERVICE_SOAK_REQUESTS`` says how many; CI sends few, a release 100,000.
"""

from __future__ import annotations

import itertools
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.bodies import MARK, bodies
from tests.benchmarks.load import drive, memory_of
from tests.served import SIGN, Served, serving

REQUESTS = int(os.environ.get("CDS_SERVICE_SOAK_REQUESTS", "4000"))
DEEP = b'{"a":' * 5000 + b"1" + b"}" * 5000


def post(body: bytes, path: str = SIGN, media_type: str = "application/json", more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def good() -> list[bytes]:
    names = ("none, 10 KB", "one, 10 KB", "one of 25")
    examples = sorted((Path(__file__).parent.parent / "fhir_examples").glob("order-sign-*.request.json"))
    return [post(bodies()[name]) for name in names] + [post(path.read_bytes()) for path in examples]


def bad() -> list[bytes]:
    whole = json.loads(bodies()["one, 10 KB"])
    without = [{key: value for key, value in whole.items() if key != left_out} for left_out in whole]
    mistyped = [{**whole, key: wrong} for key in whole for wrong in (None, 7, [], {}, "x")]
    return [
        *(post(json.dumps(each).encode()) for each in without + mistyped),
        post(b""),
        post(b"[]"),
        post(b"null"),
        post(b"{", media_type="text/plain"),
        post(bodies()["one, 10 KB"], path="/cds-services/none"),
        post(bodies()["one, 10 KB"], more="Content-Encoding: gzip\r\n"),
        post(b'{"feedback":[]}', path=f"{SIGN}/feedback"),
        b"GET /cds-services HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"DELETE /cds-services HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ]


def hostile() -> list[bytes]:
    one = bodies()["one, 10 KB"]
    return [
        post(DEEP),
        post(one.replace(b'"draftOrders": {', b'"draftOrders": {"x": ' + DEEP + b", ")),
        post(one.replace(b"MR neurography", b"\\ud800 MR neurography")),
        post(one.replace(b"MR neurography", b"\xff\xfe MR neurography")),
        post(one.replace(b"MR neurography", b"MR neurography <script>alert(1)</script> [x](http://x) " * 50)),
        post(one.replace(b'"draft"', b"1e400")),
        post(one.replace(b'"draft"', b"NaN")),
        post(b'{"hook":"order-sign",' * 1 + one[1:]),
        post(one[: len(one) // 2]),
        post(one.decode().encode("utf-16")),
        post(one, more="X-Forwarded-For: ::1\r\nX_Forwarded_For: 1\r\n"),
        post(one, path=SIGN + "/" * 500),
    ]


def mixed(count: int) -> Iterator[bytes]:
    """Requests in an order that is random and always the same; orders are fresh ones."""
    chance = random.Random(7)
    kinds = [good(), bad(), hostile()]
    for number in range(count):
        (kind,) = chance.choices(kinds, (6, 3, 1))
        yield chance.choice(kind).replace(MARK, b"%010d" % number)


def open_files(served: Served) -> int:
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in served.workers())


@pytest.mark.slow
def test_after_many_mixed_requests_there_was_no_error_of_ours_and_memory_and_files_are_flat(tmp_path: Path) -> None:
    with serving(tmp_path, workers=2) as served:
        statuses: Counter[int] = Counter()
        requests = mixed(REQUESTS)
        warming = REQUESTS // 4
        statuses += drive(served.port, served.process.pid, itertools.islice(requests, warming), seconds=3600).statuses
        memory, files = max(memory_of(served.process.pid)), open_files(served)
        statuses += drive(served.port, served.process.pid, requests, seconds=3600).statuses
        assert sum(statuses.values()) == REQUESTS
        assert {status for status in statuses if status >= 500 or status < 200} == set()
        assert statuses[200] > REQUESTS / 3
        assert max(memory_of(served.process.pid)) <= memory * 1.1 + 3
        # A worker's pool may open a few connections more when threads meet; SQLite takes three files for each.
        assert open_files(served) <= files + 24
        assert '"level":"error"' not in served.said
        assert served.stop() == 0

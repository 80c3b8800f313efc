"""Two processes of two threads each at full speed, one of them killed hard: every answer and token id is accounted for."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from conftest import environment  # type: ignore[import-not-found]

from cds_service.records import Store, open_store
from cds_service.settings import Settings

# Each thread asks for the same token ids as all the others, and tells what it was answered only afterwards.
WORKER = """
import os, sys, threading, time
sys.path.insert(0, {folder!r})
from conftest import a_call, a_determination
from cds_service.records import open_store
from cds_service.settings import load_settings

store = open_store(load_settings())
until = time.monotonic() + {seconds}

def work():
    number = 0
    while time.monotonic() < until:
        number += 1
        is_new = store.token_is_new("ehr-one", f"token-{{number}}", int(time.time()) + 3600)
        os.write(1, f"token {{number}} {{is_new}}\\n".encode())
        call = a_call(a_determination())
        store.record_now(call)
        os.write(1, f"call {{call.determinations[0].assertion_id}} -\\n".encode())
        store.record_later(a_call(hook_instance="said-nothing"))

threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
store.close()
os.write(1, f"lost {{store.lost}} -\\n".encode())
"""


@pytest.mark.slow
@pytest.mark.requirement("found-11", "found-37")
def test_no_answer_and_no_token_id_is_lost_when_one_of_two_workers_is_killed(settings: Settings, tmp_path: Path) -> None:
    open_store(settings).close()
    code = WORKER.format(folder=str(Path(__file__).parent), seconds=8)
    outputs = [tmp_path / "one.txt", tmp_path / "two.txt"]
    workers = []
    for output in outputs:
        with output.open("wb") as file:
            workers.append(subprocess.Popen([sys.executable, "-c", code], env=environment(settings), stdout=file))
    deadline = time.monotonic() + 30
    while outputs[0].stat().st_size < 5000 and time.monotonic() < deadline:
        time.sleep(0.05)
    workers[0].send_signal(signal.SIGKILL)
    assert workers[0].wait(10) == -signal.SIGKILL
    assert workers[1].wait(60) == 0
    told = [[line.split() for line in output.read_text().splitlines()] for output in outputs]
    store = open_store(settings)
    try:
        _account(store, told)
    finally:
        store.close()


def _account(store: Store, told: list[list[list[str]]]) -> None:
    lines = told[0] + told[1]
    assertions = [value for kind, value, _ in lines if kind == "call"]
    assert len(assertions) > 200
    for assertion_id in assertions:
        assert len(store.find(assertion_id)) == 1, f"{assertion_id} was answered and is not kept"
    # The survivor lost nothing that it said nothing about either.
    assert ["lost", "0", "-"] in told[1]
    quiet = sum(kind == "call" for kind, _, _ in told[1])
    assert len(store.find("said-nothing", limit=100_000)) >= quiet

    first = Counter(value for kind, value, is_new in lines if kind == "token" and is_new == "True")
    asked = {value for kind, value, _ in lines if kind == "token"}
    assert first
    assert max(first.values()) == 1, "a token id was new twice"
    # The two threads that were killed may each have had one answer on the way.
    assert len(asked - first.keys()) <= 2
    for number in asked:
        assert not store.token_is_new("ehr-one", f"token-{number}", int(time.time()) + 3600)

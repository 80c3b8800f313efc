"""What is remembered under a digest: bounded, the latest longest, and safe among threads."""

from __future__ import annotations

from threading import Thread

from cds_service.crd.remembered import Remembered


def test_what_was_not_asked_for_longest_is_forgotten_first() -> None:
    known: Remembered[str] = Remembered(2)
    known.keep(b"a", "A")
    known.keep(b"b", "B")
    assert known.get(b"a") == "A"
    known.keep(b"c", "C")
    assert [known.get(each) for each in (b"a", b"b", b"c")] == ["A", None, "C"]
    assert len(known) == 2


def test_threads_share_it_without_losing_its_bound() -> None:
    known: Remembered[int] = Remembered(8)

    def use(start: int) -> None:
        for number in range(start, start + 2000):
            known.keep(b"%d" % (number % 50), number)
            known.get(b"%d" % (number % 7))

    threads = [Thread(target=use, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(known) == 8

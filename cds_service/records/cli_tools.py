"""What the commands of ``cds-service records`` work with: the store, days as times, one line for an error, a file for output."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import click

from cds_service.cli_output import fail, fail_in_lines
from cds_service.records.opening import open_store
from cds_service.records.record import CallRecord, FoundCall, RecordsError, RecordsUnavailable
from cds_service.records.replay import Decide, Explain, replay_input
from cds_service.records.store import Store
from cds_service.records.words import told
from cds_service.settings import Settings, SettingsError


class OneLineErrors(click.Group):
    """A group whose commands end with one line and exit code 2 where the records, a setting or a file is at fault."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (RecordsError, SettingsError) as error:
            fail_in_lines(error)
        except OSError as error:
            if error.errno == errno.EPIPE:  # who reads has seen enough: click ends the command
                raise
            _drop_output()
            fail(f"{error.filename or 'the output'}: {error.strerror or type(error).__name__}")


def _drop_output() -> None:
    # What could not be written would be tried again at the end of the process, and complained of a second time.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Tools:
    """What the commands work with."""

    def __init__(self, load: Callable[[], Settings], decide: Decide, explain: Explain) -> None:
        self.settings = load
        self.decide, self._explain = decide, explain

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store, closed at the end. Raises RecordsMisconfigured, also for a file that does not exist."""
        store = open_store(self.settings(), must_exist=True)
        try:
            yield store
        finally:
            store.close()

    def told(self, store: Store, found: FoundCall) -> Iterator[str]:
        """The lines of a kept call; where nothing was said of any order, why is found by deciding it again."""
        yield from told(found)
        call = found.call
        if call.status < 300 and not call.determinations:
            yield "  Decided again just now, from what was kept:"
            yield from (f"    {line}" for line in self._why(store, call))

    def _why(self, store: Store, call: CallRecord) -> list[str]:
        try:
            return self._explain(replay_input(call, store.policy_files(call.policy_hashes)))
        except RecordsUnavailable:
            raise
        except Exception as error:  # what was kept by another version, or is nested too deep
            return [reason(error)]

    def span(self, start: datetime | None, end: datetime | None) -> tuple[datetime | None, datetime | None]:
        """Days as the user writes them, to times: from the first day's start to the last day's end."""
        # The last day that can be written has no end: nor has then the span.
        after = end + timedelta(days=1) if end and end.date() < date.max else None
        return self.midnight(start), self.midnight(after)

    def midnight(self, day: datetime | None) -> datetime | None:
        """The start of ``day`` in the plan's time zone."""
        zone = ZoneInfo(self.settings().timezone)
        try:
            return datetime.combine(day.date(), time.min, zone).astimezone(UTC) if day else None
        except OverflowError:  # in the year 0, by UTC
            return datetime.min.replace(tzinfo=UTC)


def reason(error: Exception) -> str:
    """Why a call cannot be decided again, without a word of it."""
    # Only our own errors quote no record.
    return str(error) if isinstance(error, RecordsError) else f"cannot be decided again ({type(error).__name__})"


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """``path``, emptied, for nobody else to read; standard output for ``-``. Raises OSError, at the end too."""
    if str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        # One that was there keeps its mode otherwise; another's file, or a device, is left as it is.
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            with suppress(PermissionError):
                os.fchmod(file.fileno(), 0o600)
        yield file

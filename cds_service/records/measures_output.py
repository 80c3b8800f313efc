"""Measures as a table, JSON or CSV."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable

import msgspec

from cds_service.records.measures import GROUPS, Measure


def as_json(found: list[Measure]) -> str:
    """A JSON array with an object for each measure."""
    lines = [{"measure": one.name, **one.group, "count": one.count, "of": one.of, "share": one.share} for one in found]
    return msgspec.json.format(msgspec.json.encode(lines), indent=2).decode() + "\n"


def as_csv(found: list[Measure]) -> str:
    """Comma-separated values under a line of names, which is the same whatever was found."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ["measure", *GROUPS, "count", "of", "share"], lineterminator="\n")
    writer.writeheader()
    for one in found:
        share = "" if one.share is None else f"{one.share:.4f}"
        writer.writerow({"measure": one.name, **one.group, "count": one.count, "of": one.of, "share": share})
    return text.getvalue()


def as_table(found: list[Measure]) -> str:
    """A table for each kind of measure, for people."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # A pipe has no width; a table must not be folded there.
    console = Console(file=io.StringIO(), width=None if sys.stdout.isatty() else 200)
    if not found:
        return "Nothing was kept in that span.\n"
    for name in dict.fromkeys(one.name for one in found):
        rows = [one for one in found if one.name == name]
        table = Table(*rows[0].group, "count", "of", "share", title=Text(name.replace("_", " ")), title_justify="left")
        for one in rows:
            share = "" if one.share is None else f"{one.share:.1%}"
            table.add_row(*map(Text, one.group.values()), str(one.count), "" if one.of is None else str(one.of), share)
        console.print(table)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


#: What makes text of measures, by the name of its format.
FORMATS: dict[str, Callable[[list[Measure]], str]] = {"table": as_table, "json": as_json, "csv": as_csv}

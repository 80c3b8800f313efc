"""Makes the golden responses anew: ``.venv/bin/python -m tests.regenerate_examples``, then read the diff.

Requests are written by hand, but for those about an order that bears an earlier answer of ours, which are made from it.
"""

from __future__ import annotations

import click

from tests import examples


def main() -> None:
    """Write the derived requests, then every response."""
    for name, (source, _) in examples.DERIVED.items():
        request = examples.derived_request(name, examples.answer(source))
        (examples.FOLDER / f"{name}.request.json").write_text(request, encoding="utf-8")
    changed = 0
    for name in examples.names():
        path = examples.FOLDER / f"{name}.response.json"
        text = examples.answer(name).text
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed += 1
    click.echo(f"{len(examples.names())} examples, {changed} responses changed")


if __name__ == "__main__":
    main()

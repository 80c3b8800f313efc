"""The example requests that come with the package: the files of ``fhir_examples/``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from cds_service.crd.hooks import HOOKS

#: In the repository a link to its ``fhir_examples/``; in an installed package the files themselves.
FOLDER = Path(__file__).parent / "fhir_examples"
_SUFFIX = ".request.json"
_NAMES = {
    "crd": "CRD",
    "fhir": "FHIR",
    "mr": "MR",
    "cds": "CDS",
    "hooks": "Hooks",
    "utc": "UTC",
    "id": "ID",
    "inferno": "Inferno",
}


def example_names() -> tuple[str, ...]:
    """The names of all examples, such as ``order-sign-before-the-change``, in order of the hooks and then of name."""
    hooks = [hook.name for hook in HOOKS.values()]
    names = [path.name.removesuffix(_SUFFIX) for path in FOLDER.glob(f"*{_SUFFIX}")]
    return tuple(sorted(names, key=lambda name: (next((i for i, hook in enumerate(hooks) if name.startswith(hook)), 99), name)))


def examples_by_hook() -> Mapping[str, tuple[tuple[str, str], ...]]:
    """For each hook that has examples, their (name, situation in words)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name in example_names():
        hook = next((hook.name for hook in HOOKS.values() if name.startswith(f"{hook.name}-")), "other")
        situation = re.sub(r"(?<=\d)-(?=\d)", ".", name.removeprefix(f"{hook}-"))
        words = " ".join(_NAMES.get(word, word) for word in situation.split("-"))
        found.setdefault(hook, []).append((name, words[:1].upper() + words[1:]))
    return {hook: tuple(examples) for hook, examples in found.items()}


def example_request(name: str) -> bytes | None:
    """The request of the example ``name``, or None if there is none of that name."""
    return (FOLDER / f"{name}{_SUFFIX}").read_bytes() if name in example_names() else None

"""Finds and reads the policy files: those that come with the package, and a folder of the operator's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cds_service.crd.errors import PolicyError
from cds_service.crd.policy import Policy, parse_policy

#: The policies that come with the package.
PACKAGED = Path(__file__).parent / "policies"
#: A policy's cases stand beside it under this ending, and are no policy.
CASES_SUFFIX = ".cases.toml"


def policy_paths(further: Path | None) -> Iterator[Path]:
    """The packaged files, then those of ``further``, each folder in order of name."""
    for folder in (PACKAGED, further):
        if folder is not None:
            yield from sorted(path for path in folder.glob("*.toml") if not path.name.endswith(CASES_SUFFIX))


def load_policy(path: Path) -> Policy:
    """Read and check one file. Raises PolicyError, also where it cannot be read."""
    try:
        text = path.read_bytes().decode()  # not read_text: the digest is of the bytes, line ends and all
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(str(path), "file", f"cannot be read ({type(error).__name__})", "make it readable UTF-8") from None
    return parse_policy(text, str(path))


def load_policies(further: Path | None) -> tuple[Policy, ...]:
    """Read every policy file. Raises PolicyError for a defective one, or where two have the same id."""
    policies: dict[str, Policy] = {}
    for path in policy_paths(further):
        policy = load_policy(path)
        if policy.id in policies:
            problem = f"found {policy.id!r}, as in {policies[policy.id].file}"
            raise PolicyError(str(path), "id", problem, "give each policy its own id")
        policies[policy.id] = policy
    return tuple(policies.values())

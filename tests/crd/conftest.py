"""What the tests of the core share."""

from __future__ import annotations

import pytest

from cds_service.crd.policy import Policy
from cds_service.policy_files import PACKAGED, load_policy


@pytest.fixture(scope="session")
def policy() -> Policy:
    """The packaged policy on MR neurography."""
    return load_policy(PACKAGED / "blue-advantage-177.toml")


@pytest.fixture(scope="session")
def policy_text() -> str:
    """Its file's text, to be spoilt in one place and read again."""
    return (PACKAGED / "blue-advantage-177.toml").read_text(encoding="utf-8")

"""Shared by the conformance tests."""

from __future__ import annotations

import pytest

from .harness import Service


@pytest.fixture(scope="session")
def service() -> Service:
    """The service with the settings it comes with."""
    return Service()

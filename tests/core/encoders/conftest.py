"""What the tests of the official encoders share."""

from __future__ import annotations

import pytest

from tests.core.encoders.tiny import trust_tiny_weights


@pytest.fixture
def tiny_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tiny weights pass as official ones."""
    trust_tiny_weights(monkeypatch)

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest

from resvae_core.access.audit import entries
from resvae_core.access.roles import (
    COMMAND_LINE,
    PERMISSIONS,
    ROLES,
    SINGLE_USER,
    Actor,
    Permission,
    Role,
    require,
)
from resvae_core.errors import AccessError

MAY: dict[Role, set[str]] = {
    "none": set(),
    "viewer": {"read"},
    "analyst": {"read", "score"},
    "steward": {"read", "score", "fetch", "train", "promote", "settings", "audit"},
}


@pytest.mark.parametrize("permission", get_args(Permission))
@pytest.mark.parametrize("role", get_args(Role))
def test_each_role_may_what_it_should_and_nothing_else(
    role: Role, permission: Permission, state: Path
) -> None:
    actor = Actor("somebody", role, "sign-in")
    assert actor.may(permission) == (permission in MAY[role])
    if permission in MAY[role]:
        require(actor, permission)
        return
    with pytest.raises(AccessError, match=f"The role '{role}' may not ") as found:
        require(actor, permission)
    assert "steward" in found.value.remedy


def test_each_role_may_all_that_the_one_before_may() -> None:
    for lower, higher in pairwise(ROLES):
        assert PERMISSIONS[lower] < PERMISSIONS[higher]


def test_a_refusal_is_recorded(state: Path) -> None:
    with pytest.raises(AccessError):
        require(Actor("vera", "viewer", "proxy"), "train")
    [line] = entries(actor=COMMAND_LINE).to_dict("records")
    assert (line["actor"], line["action"]) == ("vera", "access.refused")
    assert line["subject"] == "permission:train"


def test_refused_even_where_the_refusal_cannot_be_recorded(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_DATABASE_URL", "postgresql+psycopg://x@127.0.0.1:1/x")
    with pytest.raises(AccessError, match="may not train models"):
        require(Actor("vera", "viewer", "proxy"), "train")


def test_single_user_and_command_line_are_stewards() -> None:
    assert SINGLE_USER.role == COMMAND_LINE.role == "steward"

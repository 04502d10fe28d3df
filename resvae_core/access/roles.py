"""Roles and what each may do. Functions that act ask here; hiding a button is no protection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from resvae_core.errors import AccessError, AuditError

Role = Literal["none", "viewer", "analyst", "steward"]
Permission = Literal["read", "score", "fetch", "train", "promote", "settings", "audit"]
Source = Literal["single user", "sign-in", "proxy", "command line", "job"]

ROLES: tuple[Role, ...] = ("viewer", "analyst", "steward")
"""What somebody can be, the one that may least first; others are known, and let in nowhere."""
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    "none": frozenset(),
    "viewer": frozenset({"read"}),
    "analyst": frozenset({"read", "score"}),
    "steward": frozenset(get_args(Permission)),
}
WORDS: dict[Permission, str] = {
    "read": "read results",
    "score": "score and explain cohorts",
    "fetch": "fetch and remove data",
    "train": "train models",
    "promote": "promote, roll back and archive model sets",
    "settings": "change the settings",
    "audit": "read the audit trail",
}
"""Each permission as what a person does."""


@dataclass(frozen=True)
class Actor:
    """Somebody who asks for something.

    Parameters
    ----------
    name
        Of the account; never a patient's.
    role
        What they may do.
    source
        How it is known who they are.
    """

    name: str
    role: Role
    source: Source

    def may(self, permission: Permission) -> bool:
        """Tell whether the role allows something."""
        return permission in PERMISSIONS[self.role]


SINGLE_USER = Actor("single user", "steward", "single user")
"""Whoever opens an installation on which no sign-in is configured."""
COMMAND_LINE = Actor("command line", "steward", "command line")
"""Whoever can run commands here: file permissions decide who that is."""


def require(actor: Actor, permission: Permission) -> None:
    """Refuse what a role does not allow; a refusal is recorded in the audit trail.

    Raises
    ------
    AccessError
        Naming the role and those that may.
    """
    if actor.may(permission):
        return
    # the trail knows actors, so it can be imported only here
    from resvae_core.access.audit import record

    able = [role for role in ROLES if permission in PERMISSIONS[role]]
    refusal = AccessError(
        f"The role {actor.role!r} may not {WORDS[permission]}.",
        remedy=f"Ask somebody with the role {' or '.join(able)}.",
    )
    try:
        record("access.refused", actor=actor, subject=f"permission:{permission}")
    except AuditError as error:
        # refused all the same, with both reasons in the traceback
        raise refusal from error
    raise refusal

"""Promotions and roll-backs that kill themselves before their n-th change of a file.

    python -m tests.core.registry.killed_promotions SET

RESVAE_STATE holds two candidates. Each round forks; the child promotes SET, or rolls back, and
kills itself (SIGKILL: nothing is cleaned up) before its first, second, third … change of a file.
The parent loads the active set after each round. What was active is printed, a line a round.
"""

from __future__ import annotations

import os
import signal
import sys

from resvae_core.access.roles import SINGLE_USER
from resvae_core.config import state_folder
from resvae_core.registry import library
from resvae_core.registry.description import active_set_folder
from resvae_core.registry.store import require_intact
from tests.core.registry.executioner import Executioner

REASON = "a test that kills the promotion half way"
MOST = 60


def change(identifier: str) -> None:
    """Promote the set, or roll back where it is the active one."""
    if library.active_set().id == identifier:
        library.roll_back(actor=SINGLE_USER)
    else:
        library.promote(identifier, actor=SINGLE_USER, reason=REASON)


def attempt(identifier: str, step: int) -> bool:
    """Change in a child that dies before its `step`-th change; tell whether it came to its end."""
    process = os.fork()
    if process == 0:
        sys.addaudithook(Executioner(state_folder(), step))
        change(identifier)
        os._exit(0)
    _, status = os.waitpid(process, 0)
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
        return True
    assert os.WTERMSIG(status) == signal.SIGKILL
    return False


def main() -> None:
    library._reason_for = lambda candidate, reason: reason  # the gates read only, and take seconds
    for _ in ("promote", "roll back"):
        for step in range(1, MOST):
            done = attempt(sys.argv[1], step)
            require_intact(active_set_folder())
            sys.stdout.write(f"{library.active_set().id} {done}\n")
            if done:
                break


if __name__ == "__main__":
    main()

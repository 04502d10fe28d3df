"""Which program made a result: a digest of its source files."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from resvae_core.config import PROJECT_ROOT


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Return the SHA-256 (hex) of the names and contents of the core's source files."""
    digest = hashlib.sha256()
    core = PROJECT_ROOT / "resvae_core"
    for path in sorted(core.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(core).as_posix()}\x1f{len(content)}\x1f".encode())
        digest.update(content)
    return digest.hexdigest()

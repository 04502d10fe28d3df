"""A program that computes with an engine and waits to be killed: ``ENGINE FOLDER``."""

from __future__ import annotations

import sys

from resvae_core.engine.engine import open_engine
from tests.core.engine.items import slow

if __name__ == "__main__":
    kind, folder = sys.argv[1:]
    with open_engine(kind, 2) as engine:
        list(engine.map(slow, [600.0, 600.0, 600.0], shared=folder))

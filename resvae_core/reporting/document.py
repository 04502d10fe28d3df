"""A report as JSON: the same keys for the same schema version, whatever the report holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from resvae_core.config import RESEARCH_USE
from resvae_core.reporting.report import SCHEMA_VERSION, Report

DIRECTION = "P(resistant), 0 to 1, higher = more resistant; attributions in log-odds of resistance"


def to_document(report: Report) -> dict[str, Any]:
    """Return a report as JSON-ready values; what is not known is null.

    Returns
    -------
    dict
        ``schema_version``, ``notice`` and ``direction``, then the fields of `Report` by name.
    """
    head = {"schema_version": SCHEMA_VERSION, "notice": RESEARCH_USE, "direction": DIRECTION}
    return head | asdict(report)


def write_json(report: Report) -> bytes:
    """Return a report as UTF-8 JSON; the same report gives the same bytes."""
    text = json.dumps(to_document(report), ensure_ascii=False, indent=1, allow_nan=False)
    return f"{text}\n".encode()

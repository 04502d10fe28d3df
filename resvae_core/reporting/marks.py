"""Words, shapes and colours of a report: those of the dashboard, which this layer cannot see.

``tests/core/reporting/test_marks.py`` holds them against `resvae_core.figures.palette`. Colours of
text have at least 4.5:1 contrast on their ground, marks at least 3:1; colour never stands alone.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """How a call is shown.

    Parameters
    ----------
    word, symbol
        For example "Resistant" and "▲".
    role
        Key of its colours in `LIGHT` and `DARK`; those of its mark under ``mark-`` + role.
    """

    word: str
    symbol: str
    role: str

    @property
    def label(self) -> str:
        """Return shape and word."""
        return f"{self.symbol} {self.word}"


CALLS = {
    "resistant": Mark("Resistant", "▲", "resistant"),
    "uncertain": Mark("Uncertain", "◆", "uncertain"),
    "sensitive": Mark("Sensitive", "▼", "sensitive"),
    "not assessable": Mark("Not assessable", "⊘", "uncertain"),
}
RANGES = {
    "in range": Mark("In range", "✓", "good"),
    "borderline": Mark("Borderline", "◆", "warning"),
    "out of range": Mark("Out of range", "⊘", "bad"),
}

LIGHT = {
    "ground": "#FFFFFF",
    "panel": "#F4F6F8",
    "text": "#1B2430",
    "muted": "#5B6472",
    "rule": "#C5CBD3",
    "grid": "#E3E7EC",
    "resistant": "#B84A00",
    "sensitive": "#005B96",
    "uncertain": "#6B7280",
    "mark-resistant": "#D55E00",
    "mark-sensitive": "#0072B2",
    "mark-uncertain": "#6B7280",
    "good": "#1F6B3A",
    "warning": "#B84A00",
    "bad": "#B42318",
    "synthetic": "#6D3FC0",
}
DARK = {
    **LIGHT,
    "ground": "#0E1117",
    "panel": "#1A1F2A",
    "text": "#E6EAF0",
    "muted": "#A3ABB8",
    "rule": "#4A5364",
    "grid": "#2A3140",
    "resistant": "#FF8A3D",
    "sensitive": "#5DB3F0",
    "uncertain": "#A3ABB8",
    "mark-resistant": "#FF8A3D",
    "mark-sensitive": "#5DB3F0",
    "mark-uncertain": "#A3ABB8",
    "good": "#6FCF97",
    "warning": "#FF8A3D",
    "bad": "#FF8A80",
    "synthetic": "#B79CF2",
}

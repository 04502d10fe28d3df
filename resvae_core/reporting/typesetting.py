"""Fonts and paragraphs of the PDF: embedded, so that text looks and copies the same everywhere."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from resvae_core.config import ASSETS
from resvae_core.errors import ArtifactError
from resvae_core.reporting.marks import LIGHT

if TYPE_CHECKING:
    from reportlab.platypus import Paragraph

FONTS = ASSETS / "fonts"
REGULAR, BOLD, OTHER = "SourceSansPro-Regular", "SourceSansPro-Semibold", "DejaVuSans"
"""Names of the fonts and of their files; `OTHER` has what the first two lack."""
UNKNOWN = "□"
"""Stands for a character that no font has."""


@lru_cache(maxsize=1)
def load_fonts() -> dict[str, frozenset[int]]:
    """Register the fonts, once, and return the code points that each has.

    Raises
    ------
    ArtifactError
        If a font file is missing or cannot be read.
    """
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    known = {}
    for name in (REGULAR, BOLD, OTHER):
        try:
            font = TTFont(name, str(FONTS / f"{name}.ttf"))
        except (OSError, TTFError) as error:
            raise ArtifactError(
                f"The font {name} of the report cannot be read ({type(error).__name__}).",
                remedy="Restore assets/fonts from the repository.",
            ) from error
        pdfmetrics.registerFont(font)
        known[name] = frozenset(font.face.charToGlyph)
    pdfmetrics.registerFontFamily(REGULAR, REGULAR, BOLD, REGULAR, BOLD)
    return known


def runs(text: str, *, bold: bool = False) -> list[tuple[str, str]]:
    """Split text into (font, part), each part in the first font that has its characters."""
    known = load_fonts()
    main = BOLD if bold else REGULAR

    def font_of(mark: str) -> str:
        return main if ord(mark) in known[main] else OTHER

    shown = "".join(
        mark if ord(mark) in known[main] or ord(mark) in known[OTHER] else UNKNOWN for mark in text
    )
    return [(font, "".join(part)) for font, part in groupby(shown, font_of)]


def markup(text: str, *, bold: bool = False, role: str = "") -> str:
    """Return text as a paragraph's markup: escaped, each part in a font that has it."""
    parts = "".join(
        f'<font name="{font}">{escape(part)}</font>' for font, part in runs(text, bold=bold)
    )
    return f'<font color="{LIGHT[role]}">{parts}</font>' if role else parts


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a line in points."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    return float(sum(stringWidth(part, font, size) for font, part in runs(text, bold=bold)))


def fitted(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """Return as much of a line as fits, an ellipsis in the place of the rest."""
    if text_width(text, size, bold=bold) <= width:
        return text
    kept = text
    while kept and text_width(f"{kept}…", size, bold=bold) > width:
        kept = kept[:-1]
    return f"{kept}…"


def paragraph(content: str, size: float = 9.0, *, leading: float = 0.0, **style: Any) -> Paragraph:
    """Return a paragraph of markup.

    Parameters
    ----------
    content
        Markup, as `markup` makes it.
    size, leading
        In points; the leading is 1.28 of the size where it is 0.
    style
        Further fields of `reportlab.lib.styles.ParagraphStyle`.
    """
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    load_fonts()
    chosen = ParagraphStyle(
        "text",
        fontName=REGULAR,
        fontSize=size,
        leading=leading or 1.28 * size,
        **{"textColor": LIGHT["text"], "splitLongWords": 1, **style},
    )
    return Paragraph(content, chosen)

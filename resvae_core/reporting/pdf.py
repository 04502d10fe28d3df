"""A report as a PDF of two A4 pages for a tumour board.

Page 1: the range verdict, the call, the models on one axis, the standard first treatments, how far
that holds here. Page 2: genes and pathways, the ends of the ranking, what it all rests on, the
limits. A sample that is out
of range has no call, and page 1 says that and nothing else. What does not fit a page is made
smaller as a whole, so there are always two.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from resvae_core.config import RESEARCH_USE
from resvae_core.reporting import wording
from resvae_core.reporting.drawings import (
    Drawing,
    Line,
    Polygon,
    Text,
    gene_bars,
    hundred_lines,
    models_on_one_axis,
    pathway_bars,
)
from resvae_core.reporting.marks import CALLS, LIGHT, RANGES
from resvae_core.reporting.report import Call, DrugRow, Report, SharedGene
from resvae_core.reporting.typesetting import (
    fitted,
    load_fonts,
    markup,
    paragraph,
    runs,
    text_width,
)

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

Blocks = list[Any]
"""Flowables of reportlab, which has no types."""

PAGE_WIDTH, PAGE_HEIGHT = 595.28, 841.89
MARGIN = 45.0
WIDTH = PAGE_WIDTH - 2 * MARGIN
HEAD, FOOT = 62.0, 44.0
"""Room for header and footer, from the edges of the page."""
BODY = PAGE_HEIGHT - HEAD - FOOT
GUTTER = 18.0
HALF = (WIDTH - GUTTER) / 2
N_PAGES = 2
N_GENES, N_SHARED, N_PATHWAYS, N_EXTREMES = 10, 8, 6, 6
NO_BREAK = "\N{NO-BREAK SPACE}"
N_DIGESTS = 2
"""Leading entries of `wording.traced` that hold a whole digest."""
MAX_FIRST_LINE = 14
"""Rows that the layout shows; the tables of the export hold all."""


def write_pdf(report: Report) -> bytes:
    """Return a report as a PDF; the same report gives the same bytes.

    Raises
    ------
    ArtifactError
        If a font of ``assets/fonts`` is missing.
    """
    from reportlab.pdfgen.canvas import Canvas

    load_fonts()
    packed = io.BytesIO()
    canvas = Canvas(packed, pagesize=(PAGE_WIDTH, PAGE_HEIGHT), invariant=1, lang="en")
    canvas.setTitle(f"ResVAE {wording.TITLE.lower()}")
    canvas.setSubject(RESEARCH_USE)
    canvas.setAuthor("")
    canvas.setCreator("ResVAE")
    canvas.setProducer("ResVAE")
    for number, blocks in enumerate((_first_page(report), _second_page(report)), start=1):
        # in the order in which a page is read, which is that of the text in the file
        _draw_header(canvas, report)
        _draw_body(canvas, blocks)
        _draw_footer(canvas, report, number)
        canvas.showPage()
    canvas.save()
    return packed.getvalue()


def _draw_body(canvas: Canvas, blocks: Blocks) -> None:
    """Draw what a page holds from its top, smaller where it would not fit."""
    from reportlab.platypus import KeepInFrame

    frame = KeepInFrame(WIDTH, BODY, blocks, mode="shrink")
    _, height = frame.wrapOn(canvas, WIDTH, BODY)
    frame.drawOn(canvas, MARGIN, PAGE_HEIGHT - HEAD - height)


def _draw_header(canvas: Canvas, report: Report) -> None:
    """Say what it is for, and whose it is."""
    top, right = PAGE_HEIGHT - 34, PAGE_WIDTH - MARGIN
    _words(canvas, MARGIN, top, "ResVAE", 11, bold=True, role="sensitive")
    _words(canvas, MARGIN + 40, top, wording.TITLE, 11)
    width = text_width(RESEARCH_USE, 9, bold=True)
    _words(canvas, right - width, top, RESEARCH_USE, 9, bold=True, role="resistant")
    whose = fitted(f"{report.sample} · {wording.cancer(report)} · {report.drug}", WIDTH * 0.64, 8)
    _words(canvas, MARGIN, top - 12, whose, 8, role="muted")
    if report.synthetic:
        width = text_width(wording.SYNTHETIC, 8, bold=True)
        _words(canvas, right - width, top - 12, wording.SYNTHETIC, 8, bold=True, role="synthetic")
    _rule(canvas, PAGE_HEIGHT - 53)


def _draw_footer(canvas: Canvas, report: Report, number: int) -> None:
    """Say what it rests on."""
    _rule(canvas, FOOT - 8)
    _words(canvas, MARGIN, FOOT - 19, wording.footer(report), 7.5, role="muted")
    page = f"page {number} of {N_PAGES}"
    right = PAGE_WIDTH - MARGIN - text_width(page, 7.5)
    _words(canvas, right, FOOT - 19, page, 7.5, role="muted")


def _words(
    canvas: Canvas,
    x: float,
    y: float,
    text: str,
    size: float,
    *,
    bold: bool = False,
    role: str = "text",
) -> None:
    canvas.setFillColor(LIGHT[role])
    for font, part in runs(text, bold=bold):
        canvas.setFont(font, size)
        canvas.drawString(x, y, part)
        x += canvas.stringWidth(part, font, size)


def _rule(canvas: Canvas, y: float) -> None:
    canvas.setStrokeColor(LIGHT["rule"])
    canvas.setLineWidth(0.6)
    canvas.line(MARGIN, y, PAGE_WIDTH - MARGIN, y)


# --- page 1 ---------------------------------------------------------------------------------


def _first_page(report: Report) -> Blocks:
    blocks = [*_title(report), *_range(report)]
    if not report.verdict.assessable or report.call is None:
        return [*blocks, *_no_call(report)]
    blocks += _headline(report, report.call)
    if report.models:
        heading = f"Five models on one axis: {report.drug}"
        blocks += [*_heading(heading), _picture(models_on_one_axis(report, WIDTH))]
    if report.has("first_line"):
        blocks += _first_treatments(report)
    if report.validation:
        blocks += [*_heading(wording.validated(report)), _bullets(report.validation, 8.6)]
    return blocks


def _title(report: Report) -> Blocks:
    name = fitted(report.sample, WIDTH, 17, bold=True)
    line = wording.asked(report)
    return [
        paragraph(markup(name, bold=True), 17, leading=21),
        paragraph(markup(line, role="muted"), 9.5, spaceAfter=5),
    ]


def _range(report: Report) -> Blocks:
    """Return the range verdict, which stands before every number."""
    mark = RANGES[report.verdict.word]
    said = markup(f"{mark.label}.", bold=True, role=mark.role)
    more = " ".join(filter(None, (wording.reasons(report), wording.was_read(report))))
    blocks = [paragraph(f"{said} {markup(more)}", 9)]
    first = wording.type_check(report)
    if not first:
        return [_panel(blocks, mark.role)]
    warned = paragraph(markup(first, bold=True, role="warning"), 9, spaceAfter=3)
    return [_panel([warned, *blocks], "warning" if mark.role == "good" else mark.role)]


def _no_call(report: Report) -> Blocks:
    """Return what a page says of a sample that nothing may be said of."""
    return [
        _space(14),
        paragraph(markup("⊘ Not assessable", bold=True, role="bad"), 20, leading=26),
        paragraph(markup(wording.NO_CALL), 11, spaceAfter=8),
        paragraph(markup(wording.would_help(report)), 11, spaceAfter=12),
        *_heading("What was found"),
        _bullets([wording.sentence(reason) for reason in report.verdict.reasons], 10),
        _space(6),
        *_heading("Not for"),
        _bullets(report.not_for, 10),
    ]


def _headline(report: Report, call: Call) -> Blocks:
    mark = CALLS[call.call]
    drug = fitted(f"{report.drug}:", WIDTH - 320, 18, bold=True)
    title = f"{markup(drug, bold=True)} {markup(mark.label, bold=True, role=mark.role)}"
    head = paragraph(title, 18, leading=24)
    if call.call == "not assessable":
        words = f"{report.model_title} makes no call here. {wording.sentence(call.note)}"
        return [_space(8), head, paragraph(markup(words), 9.5)]
    number = paragraph(
        f"{markup('Probability of resistance ')}{markup(wording.probability(call), bold=True)}",
        11.5,
        spaceAfter=3,
    )
    left = [head, number, paragraph(markup(wording.rule(call)), 9.5)]
    right = [
        _space(4),
        _picture(hundred_lines(call.probability, call.call)),
        paragraph(markup(wording.frequency(call), role="muted"), 8, spaceBefore=3),
    ]
    return [
        _space(8),
        _columns(left, right, WIDTH - 158, 144),
        _space(3),
        _facts(wording.said(report, call), 9),
    ]


def _first_treatments(report: Report) -> Blocks:
    rows = report.first_line
    blocks = _heading(wording.first_treatments(report))
    if not rows:
        return [*blocks, paragraph(markup(wording.no_first_line(report), role="muted"), 9)]
    table = _drug_table(rows[:MAX_FIRST_LINE], WIDTH, chosen=report.drug)
    rest = len(rows) - MAX_FIRST_LINE
    more = f"{rest} more are in the tables. " if rest > 0 else ""
    note = f"{more}{wording.SUBGROUP} {wording.BETWEEN_DRUGS}"
    return [*blocks, table, paragraph(markup(note, role="muted"), 8, spaceBefore=3)]


# --- page 2 ---------------------------------------------------------------------------------


def _second_page(report: Report) -> Blocks:
    blocks: Blocks = []
    if report.genes or report.pathways:
        blocks += [_columns(_genes(report), _processes(report), HALF, HALF)]
    if report.has("ranking") and report.drugs:
        blocks += _extremes(report)
    return [*blocks, *_basis(report)]


def _genes(report: Report) -> Blocks:
    if not report.genes:
        return []
    base = f"Log-odds of resistance. Base: {report.genes_base}."
    return [
        *_heading(f"Genes that carry the score, {report.model_title}"),
        _picture(gene_bars(report.genes[:N_GENES], HALF)),
        paragraph(markup(base, role="muted"), 7.5, spaceBefore=2),
    ]


def _processes(report: Report) -> Blocks:
    blocks: Blocks = []
    if report.genes:
        blocks += [*_heading("Named by at least three of the five models"), _shared(report)]
    if report.pathways:
        blocks += [
            *_heading("Pathways, sums of their genes"),
            _picture(pathway_bars(report.pathways[:N_PATHWAYS], HALF)),
        ]
    return blocks


def _shared(report: Report) -> Any:
    if not report.shared:
        return paragraph(markup(wording.none_shared(report), role="muted"), 8.5)
    named = [_shared_gene(row) for row in report.shared[:N_SHARED]]
    rest = len(report.shared) - N_SHARED
    more = [markup(f"and {rest} more", role="muted")] if rest > 0 else []
    return paragraph(markup(" · ", role="muted").join([*named, *more]), 8.8, spaceAfter=3)


def _shared_gene(row: SharedGene) -> str:
    """Return gene, direction and count, which stay together on a line."""
    mark = CALLS[row.direction]
    parts = (
        markup(row.gene, bold=True),
        markup(mark.symbol, role=mark.role),
        markup(f"{row.n_models} of 5".replace(" ", NO_BREAK)),
    )
    return markup(NO_BREAK).join(parts)


def _extremes(report: Report) -> Blocks:
    low, high = wording.extremes(report.drugs, N_EXTREMES)
    return [
        *_heading("Both ends of the ranking of all drugs"),
        _columns(
            [_label("▼ Least resistance"), _short_table(low, HALF)],
            [_label("▲ Most resistance"), _short_table(high, HALF)],
            HALF,
            HALF,
        ),
        paragraph(
            markup(f"{wording.count_calls(report.drugs)} {wording.BETWEEN_DRUGS}", role="muted"),
            8,
            spaceBefore=2,
        ),
    ]


def _basis(report: Report) -> Blocks:
    facts = [*wording.traced(report), *wording.measured(report)]
    limits = [_label("Not for"), _bullets(report.not_for, 7.8), _space(6)]
    limits += [_label("Limits"), _bullets(report.limits, 7.8)]
    return [
        *_heading("Basis of this result"),
        # digests on one line each, so that they can be copied
        _facts(facts[:N_DIGESTS], 7.8),
        _columns([_facts(facts[N_DIGESTS:], 7.8, HALF)], limits, HALF, HALF),
    ]


# --- parts ----------------------------------------------------------------------------------


def _heading(text: str) -> Blocks:
    return [
        paragraph(markup(text, bold=True), 10.5, leading=13, spaceBefore=9, spaceAfter=3),
    ]


def _label(text: str) -> Any:
    return paragraph(markup(text, bold=True, role="muted"), 8.5)


def _space(height: float) -> Any:
    from reportlab.platypus import Spacer

    return Spacer(1, height)


def _bullets(lines: Iterable[str], size: float) -> Any:
    return _table(
        [
            [paragraph(markup("–", role="muted"), size), paragraph(markup(line), size)]
            for line in lines
        ],
        (0.9 * size, None),
        [("BOTTOMPADDING", (0, 0), (-1, -1), 1.2)],
    )


def _facts(rows: Sequence[tuple[str, str]], size: float, width: float = WIDTH) -> Any:
    """Return words and what they stand for, side by side."""
    names = 7.2 * size
    return _table(
        [
            [paragraph(markup(word, role="muted"), size), paragraph(markup(text), size)]
            for word, text in rows
        ],
        (names, width - names),
        [("BOTTOMPADDING", (0, 0), (-1, -1), 1.6)],
    )


def _panel(blocks: Blocks, role: str) -> Any:
    """Return blocks on a tinted ground with a bar of colour at their left."""
    commands = [
        ("BACKGROUND", (0, 0), (-1, -1), LIGHT["panel"]),
        ("LINEBEFORE", (0, 0), (0, -1), 3, LIGHT[role], 0),
        ("LEFTPADDING", (0, 0), (-1, -1), 9),
        ("RIGHTPADDING", (0, 0), (-1, -1), 8),
        ("TOPPADDING", (0, 0), (-1, -1), 5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
    ]
    return _table([[blocks]], (WIDTH,), commands)


def _columns(left: Blocks, right: Blocks, left_width: float, right_width: float) -> Any:
    """Return two columns, their gap between them."""
    gap = WIDTH - left_width - right_width
    return _table([[left, "", right]], (left_width, gap, right_width), [])


def _drug_table(rows: Sequence[DrugRow], width: float, *, chosen: str) -> Any:
    """Return drugs with call, probability, interval, agreement and floor."""
    head = ["Drug", "Call", "P(resistant)", "90 % interval", "Models", "Floor", ""]
    body = [
        [
            _cell(fitted(row.drug, 0.22 * width, 8.8, bold=True), 8.8, bold=row.drug == chosen),
            _call_word(row),
            _cell(f"{row.probability:.2f}", bold=True),
            _cell(wording.interval(row.lower, row.upper)),
            _cell(wording.lean(row)),
            _cell(wording.floor(row.floor)),
            _cell(wording.flags(row), role="muted"),
        ]
        for row in rows
    ]
    shares = (0.23, 0.16, 0.12, 0.15, 0.13, 0.08, 0.13)
    return _ruled([[_cell(word, role="muted") for word in head], *body], width, shares)


def _short_table(rows: Sequence[DrugRow], width: float) -> Any:
    body = [
        [
            _cell(fitted(row.drug, 0.36 * width, 8.3)),
            _call_word(row, 8.3),
            _cell(f"{row.probability:.2f} ({wording.interval(row.lower, row.upper)})"),
        ]
        for row in rows
    ]
    return _ruled(body, width, (0.38, 0.27, 0.35))


def _ruled(rows: list[list[Any]], width: float, shares: Sequence[float]) -> Any:
    commands = [
        ("LINEBELOW", (0, 0), (-1, -2), 0.4, LIGHT["grid"]),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.6),
        ("TOPPADDING", (0, 0), (-1, -1), 0.4),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
    ]
    return _table(rows, tuple(width * share for share in shares), commands)


def _cell(text: str, size: float = 8.3, *, bold: bool = False, role: str = "") -> Any:
    return paragraph(markup(text, bold=bold, role=role), size)


def _call_word(row: DrugRow, size: float = 8.8) -> Any:
    mark = CALLS[row.call]
    return paragraph(markup(mark.label, role=mark.role), size)


def _table(rows: list[list[Any]], widths: Sequence[float | None], commands: list[Any]) -> Any:
    from reportlab.platypus import Table

    bare = [(f"{side}PADDING", (0, 0), (-1, -1), 0) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")]
    top = ("VALIGN", (0, 0), (-1, -1), "TOP")
    return Table(rows, colWidths=widths, style=[*bare, top, *commands], hAlign="LEFT")


def _picture(drawing: Drawing) -> Any:
    """Return a drawing as a block of vector shapes."""
    from reportlab.platypus import Flowable

    class Picture(Flowable):  # type: ignore[misc]
        def wrap(self, _width: float, _height: float) -> tuple[float, float]:
            return drawing.width, drawing.height

        def draw(self) -> None:
            _draw(self.canv, drawing)

    return Picture()


def _draw(canvas: Canvas, drawing: Drawing) -> None:
    """Draw shapes, y counted from the top."""
    height = drawing.height
    for shape in drawing.shapes:
        if isinstance(shape, Line):
            canvas.setStrokeColor(LIGHT[shape.role])
            canvas.setLineWidth(shape.width)
            canvas.setDash(list(shape.dash))
            canvas.line(shape.x1, height - shape.y1, shape.x2, height - shape.y2)
        elif isinstance(shape, Polygon):
            _draw_polygon(canvas, shape, height)
        else:
            _draw_text(canvas, shape, height)


def _draw_polygon(canvas: Canvas, shape: Polygon, height: float) -> None:
    canvas.setDash([])
    canvas.setLineWidth(0.7)
    canvas.setStrokeColor(LIGHT[shape.role])
    canvas.setFillColor(LIGHT[shape.role])
    path = canvas.beginPath()
    (x, y), *others = shape.points
    path.moveTo(x, height - y)
    for x, y in others:
        path.lineTo(x, height - y)
    path.close()
    canvas.drawPath(path, fill=int(shape.filled), stroke=int(not shape.filled))


def _draw_text(canvas: Canvas, shape: Text, height: float) -> None:
    width = text_width(shape.text, shape.size, bold=shape.bold)
    x = shape.x - {"start": 0.0, "middle": width / 2, "end": width}[shape.anchor]
    _words(canvas, x, height - shape.y, shape.text, shape.size, bold=shape.bold, role=shape.role)

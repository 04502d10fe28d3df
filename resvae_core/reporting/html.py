"""A report as one HTML file: no script, no font, no picture and no style from elsewhere.

A content-security policy inside the file forbids every request. Colours follow the reader's light
or dark setting, or one that is named; on paper they are light.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Literal, TypeAlias

from resvae_core.config import RESEARCH_USE
from resvae_core.reporting import wording
from resvae_core.reporting.drawings import (
    Drawing,
    gene_bars,
    hundred_lines,
    models_on_one_axis,
    pathway_bars,
)
from resvae_core.reporting.marks import CALLS, DARK, LIGHT, RANGES, Mark
from resvae_core.reporting.report import Call, DrugRow, Report
from resvae_core.reporting.svg import to_svg

Scheme: TypeAlias = Literal["auto", "light", "dark"]

AXIS_WIDTH, BARS_WIDTH = 505.0, 250.0
N_GENES, N_PATHWAYS, N_EXTREMES = 10, 8, 8
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);
font:15px/1.5 "Source Sans 3","Source Sans Pro","Segoe UI",system-ui,sans-serif}
main,header,footer{max-width:62rem;margin:0 auto;padding:0 1.25rem}
header{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;justify-content:space-between;
padding-top:1.1rem;padding-bottom:.7rem;border-bottom:1px solid var(--rule)}
footer{border-top:1px solid var(--rule);margin-top:2rem;padding-top:.7rem;padding-bottom:1.5rem;
color:var(--muted);font-size:.85rem}
h1{font-size:1.9rem;line-height:1.2;margin:1.2rem 0 0;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:1.8rem 0 .5rem}
h3{font-size:1rem;margin:1rem 0 .3rem}
h1,h2,h3,th,strong{font-weight:600}
p{margin:.35rem 0}
.muted{color:var(--muted)}.small{font-size:.88rem}
.notice{color:var(--resistant);font-weight:600}.synthetic{color:var(--synthetic);font-weight:600}
.panel{background:var(--panel);border-left:4px solid var(--accent);padding:.6rem .9rem;
margin:.9rem 0}
.call{font-size:1.6rem;line-height:1.25;margin:.9rem 0 .3rem}.number{font-size:1.15rem}
.number strong{white-space:nowrap}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(19rem,1fr));gap:0 2rem}
.headline{display:grid;align-items:start;margin-top:.6rem;
grid-template-columns:minmax(0,1fr) minmax(0,14rem);gap:0 2rem}
@media(max-width:40rem){.headline{grid-template-columns:1fr}}
svg{width:100%;height:auto;display:block;font-family:inherit}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--muted);font-size:.88rem;padding-bottom:.2rem}
th,td{text-align:left;padding:.22rem .8rem .22rem 0;border-bottom:1px solid var(--grid);
vertical-align:top}
tbody th{font-weight:400}.scroll+.scroll{margin-top:1rem}
thead th{color:var(--muted);font-weight:400;font-size:.88rem}
dl{display:grid;grid-template-columns:8.5rem minmax(0,1fr);gap:.2rem 1rem;margin:.6rem 0}
dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}
ul{margin:.3rem 0;padding-left:1.1rem}
details{margin-top:1rem}summary{cursor:pointer}
:focus-visible{outline:2px solid var(--sensitive);outline-offset:2px}
"""


def write_html(report: Report, *, scheme: Scheme = "auto") -> str:
    """Return a report as a standalone HTML document.

    Parameters
    ----------
    report
        What to show.
    scheme
        ``auto`` follows the reader's system, ``light`` and ``dark`` are fixed.
    """
    title = f"ResVAE {wording.TITLE.lower()}"
    parts = [_title(report), _range(report)]
    if report.verdict.assessable and report.call:
        parts += [
            _headline(report, report.call),
            _models(report),
            _first_treatments(report),
            _explained(report),
            _extremes(report),
        ]
    else:
        parts.append(_no_call(report))
    parts += [_list(wording.validated(report), report.validation), _basis(report)]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{_colours(scheme)}{_STYLE}</style>\n</head>\n<body>\n"
        f"{_header(report)}\n<main>\n{body}\n</main>\n{_footer(report)}\n</body>\n</html>\n"
    )


def _colours(scheme: Scheme) -> str:
    """Return the colours as variables; paper is always light."""
    light, dark = (
        f":root{{color-scheme:{name};"
        + "".join(f"--{role}:{colour};" for role, colour in colours.items())
        + "}"
        for name, colours in (("light", LIGHT), ("dark", DARK))
    )
    shown = dark if scheme == "dark" else light
    if scheme == "auto":
        shown += f"@media(prefers-color-scheme:dark){{{dark}}}"
    return f"\n{shown}@media print{{{light}}}"


def _header(report: Report) -> str:
    synthetic = f' · <span class="synthetic">{wording.SYNTHETIC}</span>' if report.synthetic else ""
    return (
        f"<header><div><strong>ResVAE</strong> {wording.TITLE}</div>"
        f'<div><span class="notice">{RESEARCH_USE}</span>{synthetic}</div></header>'
    )


def _footer(report: Report) -> str:
    return f"<footer>{escape(wording.footer(report))}<br>{RESEARCH_USE}</footer>"


def _title(report: Report) -> str:
    line = escape(wording.asked(report))
    return f'<h1>{escape(report.sample)}</h1>\n<p class="muted">{line}</p>'


def _range(report: Report) -> str:
    mark = RANGES[report.verdict.word]
    more = " ".join(filter(None, (wording.reasons(report), wording.was_read(report))))
    accent, first = mark.role, wording.type_check(report)
    if first:
        accent = "warning" if mark.role == "good" else mark.role
        first = f'<strong style="color:var(--warning)">{escape(first)}</strong><br>'
    return (
        f'<p class="panel" style="--accent:var(--{accent})">{first}{_marked(mark)}. '
        f"{escape(more)}</p>"
    )


def _no_call(report: Report) -> str:
    return (
        f'<h2 class="call" style="color:var(--bad)">{CALLS["not assessable"].label}</h2>\n'
        f"<p>{wording.NO_CALL}</p>\n<p>{wording.would_help(report)}</p>"
    )


def _headline(report: Report, call: Call) -> str:
    head = f'<h2 class="call">{escape(report.drug)}: {_marked(CALLS[call.call])}</h2>'
    if call.call == "not assessable":
        note = f"{report.model_title} makes no call here. {wording.sentence(call.note)}"
        return f"{head}\n<p>{escape(note)}</p>"
    number = (
        f'<p class="number">Probability of resistance '
        f"<strong>{wording.probability(call)}</strong></p>"
    )
    picture = to_svg(hundred_lines(call.probability, call.call), "Natural frequency")
    frequency = f'<p class="muted small">{wording.frequency(call)}</p>'
    left = f"<div>{head}\n{number}\n<p>{wording.rule(call)}</p></div>"
    said = _definitions(wording.said(report, call))
    return f'<div class="headline">{left}<div>{picture}{frequency}</div></div>\n{said}'


def _models(report: Report) -> str:
    if not report.models:
        return ""
    head = ("Model", "Call", "P(resistant)", "90 % interval", "Limit of calls")
    rows = [
        (
            escape(row.title),
            _marked(CALLS[row.call]),
            f"{row.probability:.2f}",
            wording.interval(row.lower, row.upper),
            f"{row.threshold:.2f}",
        )
        for row in report.models
    ]
    return _section(
        f"Five models on one axis: {report.drug}",
        _picture(models_on_one_axis(report, AXIS_WIDTH), "Models on one axis"),
        _details("The same as a table", _table(head, rows, "What each model says")),
    )


def _first_treatments(report: Report) -> str:
    if not report.has("first_line"):
        return ""
    title = wording.first_treatments(report)
    if not report.first_line:
        return _section(title, f'<p class="muted">{wording.no_first_line(report)}</p>')
    note = f"{wording.SUBGROUP} {wording.BETWEEN_DRUGS}"
    table = _drugs(report.first_line, report.drug, "Standard first treatments")
    return _section(title, table, f'<p class="muted small">{note}</p>')


def _explained(report: Report) -> str:
    columns = [_genes(report), _pathways(report)]
    inside = "".join(f"<div>{column}</div>" for column in columns if column)
    return f'<div class="columns">{inside}</div>' if inside else ""


def _genes(report: Report) -> str:
    if not report.genes:
        return ""
    base = f"Log-odds of resistance. Base: {report.genes_base}."
    shared = " · ".join(
        f"<strong>{escape(row.gene)}</strong> {_symbol(row.direction)} {row.n_models} of 5"
        for row in report.shared
    )
    return _section(
        f"Genes that carry the score, {report.model_title}",
        _picture(gene_bars(report.genes[:N_GENES], BARS_WIDTH), "Genes"),
        f'<p class="muted small">{escape(base)}</p>',
        "<h3>Named by at least three of the five models</h3>",
        f"<p>{shared or wording.none_shared(report)}</p>",
    )


def _pathways(report: Report) -> str:
    if not report.pathways:
        return ""
    return _section(
        "Pathways, sums of their genes",
        _picture(pathway_bars(report.pathways[:N_PATHWAYS], BARS_WIDTH), "Pathways"),
        f'<p class="muted small">{escape(report.pathway_source)}</p>',
    )


def _extremes(report: Report) -> str:
    if not report.has("ranking"):
        return ""
    low, high = wording.extremes(report.drugs, N_EXTREMES)
    counts = escape(f"{wording.count_calls(report.drugs)} {wording.BETWEEN_DRUGS}")
    return _section(
        "Both ends of the ranking of all drugs",
        _drugs(low, report.drug, "▼ Least resistance"),
        _drugs(high, report.drug, "▲ Most resistance"),
        f'<p class="muted small">{counts}</p>',
        _details("All drugs", _drugs(report.drugs, report.drug, "All, most sensitive first")),
    )


def _basis(report: Report) -> str:
    facts = _definitions([*wording.traced(report), *wording.measured(report)])
    lists = _list("Not for", report.not_for) + _list("Limits", report.limits)
    return _section("Basis of this result", facts) + lists


def _drugs(rows: Sequence[DrugRow], chosen: str, caption: str) -> str:
    head = ("Drug", "Call", "P(resistant)", "90 % interval", "Models", "Floor", "Note")
    cells = [
        (
            f"<strong>{escape(row.drug)}</strong>" if row.drug == chosen else escape(row.drug),
            _marked(CALLS[row.call]),
            f"{row.probability:.2f}",
            wording.interval(row.lower, row.upper),
            wording.lean(row),
            wording.floor(row.floor),
            wording.flags(row),
        )
        for row in rows
    ]
    return _table(head, cells, caption)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """Return a table of cells that are HTML already; the first of a row names it."""
    names = "".join(f'<th scope="col">{name}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _section(title: str, *parts: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{''.join(parts)}</section>"


def _details(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>{content}</details>"


def _list(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return _section(title, f"<ul>{items}</ul>")


def _definitions(rows: Sequence[tuple[str, str]]) -> str:
    items = "".join(f"<dt>{escape(word)}</dt><dd>{escape(text)}</dd>" for word, text in rows)
    return f"<dl>{items}</dl>"


def _picture(drawing: Drawing, title: str) -> str:
    return f'<div class="scroll">{to_svg(drawing, title)}</div>'


def _marked(mark: Mark) -> str:
    return f'<strong style="color:var(--{mark.role})">{mark.label}</strong>'


def _symbol(direction: str) -> str:
    mark = CALLS[direction]
    return f'<span style="color:var(--{mark.role})">{mark.symbol}</span>'

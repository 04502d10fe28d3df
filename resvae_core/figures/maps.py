"""Where a patient lies among the cell lines that models were trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.data.cancer_types import tissue_words
from resvae_core.errors import InputDataError
from resvae_core.figures.frame import finish, require_columns, require_one
from resvae_core.figures.palette import CALLS, NEUTRAL, faded, series_style
from resvae_core.figures.rows import legend_above

if TYPE_CHECKING:
    import plotly.graph_objects as go

LINE_COLUMNS = ("line", "name", "tissue", "x", "y")
PATIENT_COLUMNS = ("sample", "x", "y")
NEAREST_COLUMNS = ("line", "name", "tissue", "rank")
COHORT_COLUMNS = ("cohort", "x", "y", "var_x", "var_y", "cov_xy")

ELLIPSE_SHARE = 0.5
"""Share of a cohort's patients within its ellipse, were their places normal."""
LABEL_SYMBOLS = {"resistant": "triangle-up", "sensitive": "triangle-down"}
_NOT_MEASURED = "circle"
_HEIGHT = 520
_USUAL_WIDTH = 800
_MARK_PX, _LETTER_PX, _TEXT_PX = 17, 6.5, 14
_BESIDE_PX, _ABOVE_PX = 12, 17
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
"""Where a name may stand beside its ring: rightwards, leftwards, above, below, at a corner."""

Box = tuple[float, float, float, float]
"""Middle, width and height of a mark or a name, in pixels."""


def line_map(
    lines: pd.DataFrame,
    *,
    patient: pd.DataFrame | None = None,
    nearest: pd.DataFrame | None = None,
    cohorts: pd.DataFrame | None = None,
    tissue: str = "",
    colour_by: Literal["tissue", "response"] = "tissue",
    space: str = "",
    synthetic: bool = False,
) -> go.Figure:
    """Draw the cell lines on the first two components of a space, with the patient among them.

    Parameters
    ----------
    lines
        One row a cell line: line (id), name, tissue, x, y; and label (resistant, sensitive or
        another word for not measured) where the response to a drug is known.
    patient
        sample, x, y of one sample; None for none.
    nearest
        Its nearest lines, nearest first: line, name, tissue, rank; and label where known.
    cohorts
        One row a cohort, as an aggregate: cohort, x, y (mean), var_x, var_y, cov_xy.
    tissue
        The patient's own tissue as lines are labelled; its lines stand out. Empty for none.
    colour_by
        ``tissue``: colour is the patient's own tissue, shape the response where it is known;
        ``response``: colour and shape are the response.
    space
        What distances are taken in, in words.
    synthetic
        Whether the patient is synthetic; the figure then says so.

    Returns
    -------
    go.Figure
        Both axes have one scale, for distances are compared over both.

    Raises
    ------
    InputDataError
        If a column is missing, patient or nearest lines are of several samples, colours by
        response are asked for without a label, or a covariance is none.
    """
    import plotly.graph_objects as go

    _check(lines, patient, nearest, cohorts, colour_by)
    figure = go.Figure()
    if cohorts is not None:
        for _, row in cohorts.iterrows():
            figure.add_trace(_outline(row))
    _add_lines(figure, lines, tissue, colour_by)
    if nearest is not None:
        figure.add_trace(_rings(lines, nearest))
    if patient is not None:
        figure.add_trace(_diamond(patient))
    _write_names(figure, lines, nearest, patient, cohorts)
    for axis in (figure.update_xaxes, figure.update_yaxes):
        axis(zeroline=False, showticklabels=False)
    figure.update_xaxes(title_text="First component")
    figure.update_yaxes(title_text="Second component", scaleanchor="x")
    figure.update_layout(showlegend=True)
    legend_above(figure)
    return finish(
        figure,
        takeaway=line_map_takeaway(lines, patient=patient, nearest=nearest, tissue=tissue),
        height=_HEIGHT + 130,
        notes=_notes(lines, nearest, cohorts, colour_by, space),
        synthetic=synthetic,
        top=90,
        bottom=44,
    )


def line_map_takeaway(
    lines: pd.DataFrame,
    *,
    patient: pd.DataFrame | None = None,
    nearest: pd.DataFrame | None = None,
    tissue: str = "",
) -> str:
    """Say in one sentence which lines lie nearest, of which tissue, and how they responded."""
    _check(lines, patient, nearest)
    if nearest is None:
        return f"{len(lines)} cell lines of {lines['tissue'].nunique()} tissues on one map."
    who = "the sample" if patient is None else str(patient["sample"].iloc[0])
    first = ", ".join(nearest.sort_values("rank")["name"].head(3).astype(str))
    sentence = f"Of the {len(nearest)} cell lines nearest to {who} (first {first})"
    parts = []
    if tissue:
        own, share = (nearest["tissue"] == tissue).sum(), (lines["tissue"] == tissue).mean()
        parts.append(
            f"{own} {'is' if own == 1 else 'are'} {tissue_words(tissue)}, as {share:.0%} of all "
            "lines are"
        )
    if "label" in nearest:
        measured = nearest[nearest["label"].isin(LABEL_SYMBOLS)]
        resistant = (measured["label"] == "resistant").sum()
        parts.append(
            f"{len(measured)} were measured and {resistant} of these "
            f"{'is' if resistant == 1 else 'are'} resistant"
        )
    if not parts:
        parts.append(_most_frequent(nearest))
    return f"{sentence}, {'; '.join(parts)}."


def _most_frequent(nearest: pd.DataFrame) -> str:
    """Name the tissue that most of the nearest lines are of, or say that none is."""
    counts = nearest["tissue"].value_counts()
    n_most = int(counts.iloc[0])
    if (counts == n_most).sum() > 1:
        return f"of {len(counts)} tissues, no more than {n_most} of any one"
    return f"{n_most} {'is' if n_most == 1 else 'are'} {tissue_words(str(counts.index[0]))}"


def _check(
    lines: pd.DataFrame,
    patient: pd.DataFrame | None,
    nearest: pd.DataFrame | None,
    cohorts: pd.DataFrame | None = None,
    colour_by: str = "tissue",
) -> None:
    what = "the map of cell lines"
    require_columns(lines, LINE_COLUMNS, what)
    if colour_by == "response":
        require_columns(lines, ("label",), f"{what} by response")
    if patient is not None:
        require_columns(patient, PATIENT_COLUMNS, "the patient's place on the map")
        require_one(patient, "sample", "the patient's place on the map")
    if cohorts is not None and len(cohorts):
        require_columns(cohorts, COHORT_COLUMNS, "the cohorts on the map")
        if "space" in cohorts:
            require_one(cohorts, "space", "the cohorts on the map")
    if nearest is None:
        return
    require_columns(nearest, NEAREST_COLUMNS, "the nearest lines")
    if "sample" in nearest:
        require_one(nearest, "sample", "the nearest lines")
    if unknown := sorted(set(nearest["line"]) - set(lines["line"])):
        raise InputDataError(
            f"{len(unknown)} of the nearest lines are not on the map, {unknown[0]} among them.",
            remedy="Take map and nearest lines from one space.",
        )


def _add_lines(figure: go.Figure, lines: pd.DataFrame, tissue: str, colour_by: str) -> None:
    """Add the lines by tissue or response, and what colours and shapes stand for."""
    groups = _by_response(lines) if colour_by == "response" else _by_tissue(lines, tissue)
    for group in groups:
        if len(group.rows):
            figure.add_trace(_line_dots(group))
            figure.add_trace(_legend_entry(group.name, group.colour, group.symbol))
    if colour_by == "tissue" and "label" in lines:
        for call, symbol in LABEL_SYMBOLS.items():
            figure.add_trace(_legend_entry(CALLS[call].label, NEUTRAL, symbol))


@dataclass(frozen=True)
class _Group:
    """Lines of one colour, and how they are drawn."""

    name: str
    rows: pd.DataFrame
    colour: str
    size: int
    opacity: float
    symbol: str = _NOT_MEASURED


def _by_tissue(lines: pd.DataFrame, tissue: str) -> list[_Group]:
    """Return the lines of other tissues, beneath, and those of the patient's own."""
    own = lines["tissue"] == tissue
    name = "Lines of other tissues" if own.any() else "Cell lines"
    return [
        _Group(name, lines[~own], NEUTRAL, 6, 0.7),
        _Group(f"{tissue_words(tissue)} lines", lines[own], series_style(0).colour, 9, 1.0),
    ]


def _by_response(lines: pd.DataFrame) -> list[_Group]:
    """Return the lines that were not measured, beneath, and those of either response."""
    known = lines["label"].isin(LABEL_SYMBOLS)
    return [
        _Group("Not measured", lines[~known], NEUTRAL, 5, 0.6),
        *(
            _Group(
                CALLS[call].label,
                lines[lines["label"] == call],
                CALLS[call].colour,
                8,
                0.9,
                symbol,
            )
            for call, symbol in LABEL_SYMBOLS.items()
        ),
    ]


def _line_dots(group: _Group) -> go.Scatter:
    """Return a group's marks: the shape is the response, where it is known."""
    import plotly.graph_objects as go

    rows = group.rows
    labels = rows["label"] if "label" in rows else pd.Series("", index=rows.index)
    words = [
        f"{name}, {tissue_words(str(tissue))}{f', {label}' if label else ''}"
        for name, tissue, label in zip(rows["name"], rows["tissue"], labels, strict=True)
    ]
    return go.Scatter(
        x=rows["x"],
        y=rows["y"],
        mode="markers",
        name=group.name,
        marker={
            "symbol": [LABEL_SYMBOLS.get(label, _NOT_MEASURED) for label in labels],
            "color": group.colour,
            "size": group.size,
            "opacity": group.opacity,
        },
        showlegend=False,
        customdata=words,
        hovertemplate="%{customdata}<extra></extra>",
    )


def _legend_entry(name: str, colour: str, symbol: str) -> go.Scatter:
    """Return a trace without a point: colours and shapes are explained one by one."""
    import plotly.graph_objects as go

    marker = {"symbol": symbol, "color": colour, "size": 9}
    return go.Scatter(x=[None], y=[None], mode="markers", name=name, marker=marker)


def _ringed(lines: pd.DataFrame, nearest: pd.DataFrame) -> pd.DataFrame:
    """Return the nearest lines, nearest first, with their place."""
    places = lines.set_index("line")[["x", "y"]]
    return nearest[list(NEAREST_COLUMNS)].sort_values("rank").join(places, on="line")


def _rings(lines: pd.DataFrame, nearest: pd.DataFrame) -> go.Scatter:
    import plotly.graph_objects as go

    rows = _ringed(lines, nearest)
    return go.Scatter(
        x=rows["x"],
        y=rows["y"],
        mode="markers",
        name=f"{len(rows)} nearest lines",
        marker={
            "symbol": "circle-open",
            "size": 17,
            "color": series_style(3).colour,
            "line": {"width": 2},
        },
        customdata=[f"{row.rank}. nearest: {row.name}" for row in rows.itertuples(index=False)],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _write_names(
    figure: go.Figure,
    lines: pd.DataFrame,
    nearest: pd.DataFrame | None,
    patient: pd.DataFrame | None,
    cohorts: pd.DataFrame | None,
) -> None:
    """Name ringed lines and cohorts where a name covers neither a mark nor another name."""
    scale = _scale(lines)
    rings = _ringed(lines, nearest) if nearest is not None else lines[:0]
    marks = rings if patient is None else pd.concat([rings, patient])
    taken = [_mark_box(scale, x, y) for x, y in marks[["x", "y"]].to_numpy(float)]
    if cohorts is not None:
        for _, row in cohorts.iterrows():
            outline = _ellipse(row)
            ends = [outline[outline[:, 1].argmax()], outline[outline[:, 1].argmin()]]
            spots = [(x, y, (0.0, side)) for (x, y), side in zip(ends, (0.6, -0.6), strict=True)]
            _write_name(figure, f"<i>{row['cohort']}</i>", str(row["cohort"]), spots, taken, scale)
    for name, x, y in zip(rings["name"], rings["x"], rings["y"], strict=True):
        _write_name(figure, str(name), str(name), [(x, y, side) for side in _SIDES], taken, scale)


def _write_name(
    figure: go.Figure,
    text: str,
    name: str,
    spots: Sequence[tuple[float, float, tuple[float, float]]],
    taken: list[Box],
    scale: float,
) -> None:
    """Write a name at the first spot (place and side of it) that is free, if any is."""
    width = _LETTER_PX * len(name)
    for x, y, (x_side, y_side) in spots:
        x_shift, y_shift = x_side * (_BESIDE_PX + width / 2), y_side * _ABOVE_PX
        box = (scale * x + x_shift, scale * y + y_shift, width, _TEXT_PX)
        if any(_overlap(box, other) for other in taken):
            continue
        taken.append(box)
        figure.add_annotation(
            text=text,
            x=x,
            y=y,
            xshift=x_shift,
            yshift=y_shift,
            showarrow=False,
            font={"size": 11},
        )
        return


def _mark_box(scale: float, x: float, y: float) -> Box:
    return (scale * x, scale * y, _MARK_PX, _MARK_PX)


def _scale(lines: pd.DataFrame) -> float:
    """Return about how many pixels one unit of the map takes."""
    width, height = (float(np.ptp(lines[axis])) or 1.0 for axis in ("x", "y"))
    return min(_USUAL_WIDTH / width, _HEIGHT / height)


def _overlap(one: Box, other: Box) -> bool:
    return all(
        abs(one[axis] - other[axis]) < (one[axis + 2] + other[axis + 2]) / 2 for axis in (0, 1)
    )


def _diamond(patient: pd.DataFrame) -> go.Scatter:
    import plotly.graph_objects as go

    name = str(patient["sample"].iloc[0])
    return go.Scatter(
        x=patient["x"],
        y=patient["y"],
        mode="markers",
        name=name,
        marker={
            "symbol": "diamond",
            "size": 18,
            "color": series_style(3).colour,
            "line": {"color": "#FFFFFF", "width": 2},
        },
        hovertemplate=f"{name}<extra></extra>",
    )


def _outline(row: pd.Series[float]) -> go.Scatter:
    """Return where half of a cohort lies."""
    import plotly.graph_objects as go

    outline = _ellipse(row)
    return go.Scatter(
        x=outline[:, 0],
        y=outline[:, 1],
        mode="lines",
        line={"color": faded(series_style(1).colour, 0.9), "width": 1.5, "dash": "dash"},
        fill="toself",
        fillcolor=faded(series_style(1).colour, 0.07),
        showlegend=False,
        hoverinfo="skip",
    )


def _ellipse(row: pd.Series[float]) -> NDArray[np.float64]:
    """Return (73, 2) the outline that holds half of a normal cloud of this mean and covariance."""
    covariance = np.array([[row["var_x"], row["cov_xy"]], [row["cov_xy"], row["var_y"]]], float)
    values, vectors = np.linalg.eigh(covariance)
    if not np.isfinite(covariance).all() or values.min() < -1e-6 * max(values.max(), 1e-12):
        raise InputDataError(
            f"The variances and the covariance of cohort {row['cohort']} belong to no cloud.",
            remedy="Make the map again.",
        )
    angle = np.linspace(0, 2 * np.pi, 73)
    # chi-square with two degrees of freedom: quantile in closed form
    radius = np.sqrt(-2 * np.log(1 - ELLIPSE_SHARE))
    circle = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    centre = np.array([row["x"], row["y"]], float)
    outline = centre + circle @ (vectors * np.sqrt(np.maximum(values, 0))).T
    return np.asarray(outline, dtype=float)


def _notes(
    lines: pd.DataFrame,
    nearest: pd.DataFrame | None,
    cohorts: pd.DataFrame | None,
    colour_by: str,
    space: str,
) -> list[str]:
    parts = [f"Space: {space}." if space else ""]
    if nearest is not None:
        parts.append(
            "Nearest in the whole space, of which this is a flat picture: a ringed line may look "
            "far."
        )
    if cohorts is not None:
        parts.append(f"Dashed: where {ELLIPSE_SHARE:.0%} of a cohort's patients lie.")
    if "label" in lines:
        parts.append("Dots: not measured for the drug.")
    return [" ".join(part for part in parts if part)] if any(parts) else []

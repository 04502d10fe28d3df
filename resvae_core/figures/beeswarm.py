"""One patient's explanation beside a cohort's: the genes that move a model, and how far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.errors import InputDataError
from resvae_core.figures.directions import ATTRIBUTION_AXIS, DIRECTIONS, signed, with_sign
from resvae_core.figures.frame import finish, require_columns, require_one
from resvae_core.figures.palette import (
    CALLS,
    FIVE,
    NEUTRAL,
    RULE,
    faded,
    model_word,
    series_style,
)
from resvae_core.figures.rows import fix_rows, legend_above, number_rows

if TYPE_CHECKING:
    import plotly.graph_objects as go

SWARM_COLUMNS = ("sample", "gene", "value", "attribution")
BAND_COLUMNS = ("gene", "q10", "q25", "median", "q75", "q90")
SHARED_COLUMNS = ("gene", "n_models", "mean_attribution", "direction", "models")

EXPRESSION_SCALE = ((0.0, "#5B4FCF"), (0.5, "#808080"), (1.0, "#B58A00"))
"""Violet low, gold high: apart in every common colour blindness, 3:1 on both grounds."""
SHARED_BY = 3
"""Of the five models, how many have to name a gene for it to count as shared."""

_ROW_PX = 38
_BAND_ROW_PX = 30
_SHARED_ROW_PX = 28
_N_BINS = 80
_HALF_ROW = 0.4
_DOT_PX = 4.5
_MANY = 5_000
"""Points beyond which a browser draws them as one picture (WebGL)."""
_CLEAR_RANK = 0.3
"""Rank correlation below which a gene's expression is not said to go one way."""


def beeswarm(
    table: pd.DataFrame,
    *,
    patient: str | None = None,
    n_genes: int = 12,
    synthetic: bool = False,
) -> go.Figure:
    """Draw how much each of the leading genes moves the score of every patient of a cohort.

    Parameters
    ----------
    table
        Attributions of many samples for one drug and model, one row a sample and gene: sample,
        gene, value (log2(TPM + 1), NaN where not measured), attribution (log-odds of resistance).
    patient
        The sample to mark with a large diamond; None for none.
    n_genes
        How many genes get a row, by mean absolute attribution over the samples.
    synthetic
        Whether the cohort or the patient is synthetic; the figure then says so.

    Returns
    -------
    go.Figure
        One row a gene, one dot a sample. Dots of one place are stacked, so that a row's thickness
        is the number of samples. Colour is the gene's expression, as its rank in the cohort; the
        row's label says which way high expression goes. Above 5,000 dots it is drawn by WebGL.

    Raises
    ------
    InputDataError
        If a column is missing, a sample has a gene twice, or the patient is not in the table.
    """
    import plotly.graph_objects as go

    rows = _swarm_rows(table, patient, n_genes)
    genes = list(rows["gene"].unique())
    place = rows["gene"].map({gene: number for number, gene in enumerate(genes)})
    rows = rows.assign(y=place + _offsets(rows), rank=_ranks(rows))
    others = rows[rows["sample"] != patient]
    figure = go.Figure()
    figure.add_trace(_dots(others))
    if patient is not None:
        own = rows[rows["sample"] == patient].assign(y=lambda own: own["y"].round())
        diamonds = _diamonds(own, patient, _expression_words(own), over=len(others))
        figure.add_trace(diamonds)
    figure.add_vline(x=0, line={"color": RULE, "width": 1.5}, layer="below")
    number_rows(figure, [_swarm_label(gene, rows[rows["gene"] == gene]) for gene in genes])
    figure.update_xaxes(title_text=ATTRIBUTION_AXIS, zeroline=False)
    figure.update_layout(showlegend=True)
    legend_above(figure)
    return finish(
        figure,
        takeaway=beeswarm_takeaway(table, patient=patient, n_genes=n_genes),
        height=len(genes) * _ROW_PX + 200,
        notes=[
            f"{others['sample'].nunique()} samples, the {len(genes)} genes that move the score "
            "most on average. In brackets: which way high expression goes in this model. Dots "
            "explain the model, not the biology."
        ],
        synthetic=synthetic,
        top=84,
        bottom=76,
    )


def beeswarm_takeaway(table: pd.DataFrame, *, patient: str | None = None, n_genes: int = 12) -> str:
    """Name in one sentence the leading genes of a cohort and where the patient stands in them."""
    rows = _swarm_rows(table, patient, n_genes)
    means = rows.assign(size=rows["attribution"].abs()).groupby("gene", sort=False)["size"].mean()
    named = ", ".join(f"{gene} ({mean:.2f})" for gene, mean in means.head(3).items())
    sentence = (
        f"Over {rows['sample'].nunique()} samples the score moves most with {named}, as mean "
        "absolute attribution in log-odds"
    )
    if patient is None:
        return f"{sentence}."
    own = rows[rows["sample"] == patient].sort_values("attribution", key=np.abs, ascending=False)
    first = own.iloc[0]
    others = rows.loc[(rows["gene"] == first["gene"]) & (rows["sample"] != patient), "attribution"]
    beside = f"; median of the others {signed(float(others.median()))}" if len(others) else ""
    return (
        f"{sentence}; of these {patient} is moved most by {first['gene']} "
        f"({with_sign(float(first['attribution']))}{beside})."
    )


def attribution_bands(
    quantiles: pd.DataFrame,
    patient: pd.DataFrame | None = None,
    *,
    name: str = "This patient",
    n_genes: int = 12,
    synthetic: bool = False,
) -> go.Figure:
    """Draw a patient's attributions over the range of a cohort's, from aggregates alone.

    Parameters
    ----------
    quantiles
        One row a gene of one drug and model: gene, q10, q25, median, q75, q90 of the cohort's
        attributions (log-odds of resistance), and n_patients where known.
    patient
        The patient's attributions of the same drug and model: gene, attribution. None for none.
    name
        The patient's name in the legend.
    n_genes
        How many genes get a row: those that move the patient or either end of the cohort most.
    synthetic
        Whether the patient is synthetic; the figure then says so.

    Returns
    -------
    go.Figure
        A thin bar from 10 % to 90 % of the cohort, a thick one over its middle half, a line at its
        median, and a diamond for the patient.

    Raises
    ------
    InputDataError
        If a column is missing, a gene stands twice, or patient and cohort share no gene.
    """
    import plotly.graph_objects as go

    rows = _band_rows(quantiles, patient, n_genes)
    figure = go.Figure()
    for low, high, width, opacity, words in (
        ("q10", "q90", 5, 0.55, "Cohort, 80 % of patients"),
        ("q25", "q75", 13, 0.55, "Cohort, middle half"),
    ):
        figure.add_trace(_band(rows, low, high, width, opacity, words))
    figure.add_trace(_medians(rows))
    if patient is not None:
        own = rows[rows["attribution"].notna()].assign(y=lambda own: own["gene"])
        figure.add_trace(_diamonds(own, name, _band_words(own)))
    figure.add_vline(x=0, line={"color": RULE, "width": 1.5}, layer="below")
    fix_rows(figure, list(rows["gene"]))
    figure.update_xaxes(title_text=ATTRIBUTION_AXIS, zeroline=False, range=_whole_range(rows))
    legend_above(figure)
    return finish(
        figure,
        takeaway=attribution_bands_takeaway(quantiles, patient, name=name, n_genes=n_genes),
        height=len(rows) * _BAND_ROW_PX + 190,
        notes=[f"Aggregates of the cohort{_n_patients(rows)}: no single patient of it is shown."],
        synthetic=synthetic,
        top=84,
        bottom=76,
    )


def attribution_bands_takeaway(
    quantiles: pd.DataFrame,
    patient: pd.DataFrame | None = None,
    *,
    name: str = "This patient",
    n_genes: int = 12,
) -> str:
    """Count in one sentence the genes in which the patient lies outside 80 % of a cohort."""
    rows = _band_rows(quantiles, patient, n_genes)
    if patient is None:
        spread = rows["q90"] - rows["q10"]
        widest = rows.loc[spread.sort_values(kind="stable").index].iloc[-1]
        return (
            f"Of {len(rows)} genes, {widest['gene']} differs most between patients of the cohort "
            f"(80 % of them from {signed(widest['q10'])} to {signed(widest['q90'])} in log-odds of "
            "resistance)."
        )
    own = rows[rows["attribution"].notna()]
    outside = own[(own["attribution"] < own["q10"]) | (own["attribution"] > own["q90"])]
    named = ", ".join(
        f"{row['gene']} ({with_sign(row['attribution'])})"
        for row in outside.head(3).to_dict("records")
    )
    return (
        f"{name} lies outside the range of 80 % of the cohort in {len(outside)} of {len(own)} "
        f"genes{': ' if named else ''}{named}{' and others' if len(outside) > 3 else ''}."
    )


def shared_genes(table: pd.DataFrame, *, n_genes: int = 15, synthetic: bool = False) -> go.Figure:
    """Show the genes that at least three of the five models name, and which models those are.

    Parameters
    ----------
    table
        One row a gene of one sample and drug: gene, n_models (of the five), mean_attribution
        (log-odds of resistance, over the models that name it), direction ("resistant" or
        "sensitive"), models (their kinds, separated by commas or semicolons, or a list).
    n_genes
        How many genes get a row: those that most models name, then by mean attribution.
    synthetic
        Whether the sample is synthetic; the figure then says so.

    Returns
    -------
    go.Figure
        On the left a bar a gene, on the right a dot a model that names it.

    Raises
    ------
    InputDataError
        If a column is missing, or no gene is named by three models.
    """
    from plotly.subplots import make_subplots

    rows = _shared_rows(table).head(n_genes)
    figure = make_subplots(
        cols=2, shared_yaxes=True, column_widths=[0.62, 0.38], horizontal_spacing=0.04
    )
    for direction in DIRECTIONS:
        chosen = rows[rows["direction"] == direction]
        if len(chosen):
            figure.add_trace(_shared_bar(chosen, direction), 1, 1)
    figure.add_trace(_model_dots(rows), 1, 2)
    figure.add_vline(x=0, line={"color": RULE, "width": 1.5}, row=1, col=1)
    fix_rows(figure, list(rows["gene"]))
    figure.update_xaxes(title_text=ATTRIBUTION_AXIS, range=_with_room(rows), row=1, col=1)
    figure.update_xaxes(
        type="category",
        categoryorder="array",
        categoryarray=[model_word(model) for model in FIVE],
        range=[-0.6, len(FIVE) - 0.4],
        tickangle=-40,
        row=1,
        col=2,
    )
    legend_above(figure)
    return finish(
        figure,
        takeaway=shared_genes_takeaway(table, n_genes=n_genes),
        height=len(rows) * _SHARED_ROW_PX + 180,
        notes=[
            f"Genes among the leading ones of at least {SHARED_BY} of the five models. "
            "Bar: mean over the models that name the gene. Right: ● names it."
        ],
        synthetic=synthetic,
        top=60,
        bottom=88,
    )


def shared_genes_takeaway(table: pd.DataFrame, *, n_genes: int = 15) -> str:
    """Say in one sentence how many genes models share and are shown, and name the first."""
    rows = _shared_rows(table)
    named = ", ".join(
        f"{row['gene']} ({with_sign(row['mean_attribution'])}, {row['n_models']} of {len(FIVE)})"
        for row in rows.head(3).to_dict("records")
    )
    count = f"{len(rows)} gene{' is' if len(rows) == 1 else 's are'}"
    shown = f"; {n_genes} of {len(rows)} shown" if len(rows) > n_genes else ""
    return f"{count} shared by at least {SHARED_BY} of the five models{shown}; first {named}."


def _swarm_rows(table: pd.DataFrame, patient: str | None, n_genes: int) -> pd.DataFrame:
    """Return the leading genes' rows, largest mean absolute attribution first."""
    what = "the beeswarm"
    require_columns(table, SWARM_COLUMNS, what)
    for column in ("drug", "model"):
        if column in table:
            require_one(table, column, what)
    if table.duplicated(["sample", "gene"]).any():
        raise InputDataError(
            "A sample has a gene twice in the table for the beeswarm; one row each was expected.",
            remedy="Hand over the attributions of one drug and model.",
        )
    if patient is not None and not (table["sample"] == patient).any():
        raise InputDataError(
            f"The table for the beeswarm has no sample {patient!r}.",
            remedy="Choose a sample that is in the table.",
        )
    sizes = table["attribution"].abs().groupby(table["gene"], sort=False).mean()
    genes = sizes.sort_values(ascending=False, kind="stable").index[:n_genes]
    rows = table[table["gene"].isin(genes) & table["attribution"].notna()]
    order = rows["gene"].map({gene: number for number, gene in enumerate(genes)})
    return rows.iloc[np.argsort(order.to_numpy(), kind="stable")]


def _offsets(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return how far each dot stands above or below its row: dots of one place are stacked."""
    values = rows["attribution"].to_numpy(float)
    low, high = float(values.min()), float(values.max())
    width = (high - low) / _N_BINS or 1.0
    bins = np.floor((values - low) / width).astype(int)
    keys = rows["gene"].to_numpy(str), bins
    within = pd.DataFrame({"gene": keys[0], "bin": keys[1]}).groupby(["gene", "bin"]).cumcount()
    steps = (within.to_numpy() + 1) // 2 * np.where(within.to_numpy() % 2, 1, -1)
    tallest = pd.Series(np.abs(steps)).groupby(keys[0]).transform("max").to_numpy(float)
    return np.asarray(_HALF_ROW * steps / np.maximum(tallest, 6), dtype=float)


def _ranks(rows: pd.DataFrame) -> pd.Series[float]:
    """Return each value's rank within its gene, 0 lowest to 1 highest; NaN where not measured."""
    by_gene = rows.groupby("gene", sort=False)["value"]
    ranks, known = by_gene.rank() - 1, by_gene.transform("count") - 1
    return (ranks / known.where(known > 0)).astype(float)


def _swarm_label(gene: str, rows: pd.DataFrame) -> str:
    """Return a gene with the way in which its high expression goes, if it goes one way."""
    known = rows[["value", "attribution"]].dropna()
    if known["value"].nunique() < 2 or known["attribution"].nunique() < 2:
        return gene
    rho = float(known["value"].rank().corr(known["attribution"].rank()))
    if abs(rho) < _CLEAR_RANK:
        return f"{gene} (high ◆)"
    return f"{gene} (high {'▲' if rho > 0 else '▼'})"


def _dots(rows: pd.DataFrame) -> go.Scatter:
    return _scatter(len(rows) > _MANY)(
        x=rows["attribution"],
        y=rows["y"],
        mode="markers",
        name="One patient of the cohort",
        marker={
            "size": _DOT_PX,
            # a gene that was not measured has no rank: the middle colour
            "color": rows["rank"].fillna(0.5),
            "cmin": 0,
            "cmax": 1,
            "colorscale": [list(stop) for stop in EXPRESSION_SCALE],
            "showscale": True,
            "colorbar": {
                "tickvals": [0.02, 0.5, 0.98],
                "ticktext": ["low<br>expression", "middle", "high<br>expression"],
                "thickness": 12,
                "len": 0.7,
                "outlinewidth": 0,
            },
        },
        customdata=_expression_words(rows),
        hovertemplate="%{customdata}: %{x:.2f} log-odds<extra></extra>",
    )


def _expression_words(rows: pd.DataFrame) -> list[str]:
    return [
        f"{gene} not measured" if np.isnan(value) else f"{gene} {value:.1f}"
        for gene, value in zip(rows["gene"], rows["value"], strict=True)
    ]


def _scatter(by_webgl: bool) -> type[go.Scatter]:
    import plotly.graph_objects as go

    kinds: tuple[type[go.Scatter], type[go.Scatter]] = (go.Scatter, go.Scattergl)
    return kinds[by_webgl]


def _diamonds(rows: pd.DataFrame, name: str, words: Sequence[str], over: int = 0) -> go.Scatter:
    """Return the patient's marks over that many dots: large, outlined, in no colour of theirs."""
    # WebGL lies above all else, so what stands on it has to be WebGL too
    return _scatter(over > _MANY)(
        x=rows["attribution"],
        y=rows["y"],
        mode="markers",
        name=name,
        marker={
            "symbol": "diamond",
            "size": 14,
            "color": series_style(3).colour,
            "line": {"color": "#FFFFFF", "width": 2},
        },
        customdata=list(words),
        hovertemplate=f"{name}, %{{customdata}}: %{{x:.2f}} log-odds<extra></extra>",
    )


def _band_rows(quantiles: pd.DataFrame, patient: pd.DataFrame | None, n_genes: int) -> pd.DataFrame:
    """Return the genes to show with the patient's attribution beside them, largest first."""
    what = "the cohort's attributions"
    require_columns(quantiles, BAND_COLUMNS, what)
    rows = quantiles.reset_index(drop=True)
    own = pd.Series(np.nan, index=rows.index)
    for table, words in ((rows, what), (patient, "the patient's attributions")):
        if table is not None:
            require_columns(table, ("gene",), words)
            _require_each_gene_once(table, words)
    if patient is not None:
        require_columns(patient, ("gene", "attribution"), "the patient's attributions")
        own = rows["gene"].map(patient.set_index("gene")["attribution"])
        if own.isna().all():
            raise InputDataError(
                "The patient and the cohort have no gene in common.",
                remedy="Hand over attributions of the same model and drug.",
            )
    rows = rows.assign(attribution=own.astype(float))
    largest = rows[["q10", "q90", "attribution"]].abs().max(axis=1)
    order = largest.sort_values(ascending=False, kind="stable").index[:n_genes]
    return rows.loc[order]


def _require_each_gene_once(table: pd.DataFrame, what: str) -> None:
    if table["gene"].duplicated().any():
        raise InputDataError(
            f"A gene stands twice in the table for {what}; one row each was expected.",
            remedy="Hand over one drug, model and cohort.",
        )


def _band(
    rows: pd.DataFrame, low: str, high: str, width: int, opacity: float, name: str
) -> go.Scatter:
    import plotly.graph_objects as go

    x = [part for ends in rows[[low, high]].to_numpy(float) for part in (*ends, None)]
    y = [part for gene in rows["gene"] for part in (gene, gene, None)]
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        name=name,
        line={"color": faded(NEUTRAL, opacity), "width": width},
        hovertemplate=f"%{{y}}: {name.lower()}, end at %{{x:.2f}}<extra></extra>",
    )


def _whole_range(rows: pd.DataFrame) -> list[float]:
    """Return limits that no end of a bar and no diamond touches; lines alone get no room."""
    values = rows[["q10", "q90", "attribution"]]
    low, high = min(0.0, float(values.min().min())), max(0.0, float(values.max().max()))
    room = 0.08 * (high - low) or 1.0
    return [low - room, high + room]


def _medians(rows: pd.DataFrame) -> go.Scatter:
    import plotly.graph_objects as go

    return go.Scatter(
        x=rows["median"],
        y=rows["gene"],
        mode="markers",
        name="Cohort, median",
        marker={
            "symbol": "line-ns-open",
            "size": 18,
            "color": series_style(0).colour,
            "line": {"width": 3},
        },
        hovertemplate="%{y}: median %{x:.2f} log-odds<extra></extra>",
    )


def _band_words(rows: pd.DataFrame) -> list[str]:
    return [
        f"{row['gene']} (80 % of the cohort {signed(row['q10'])} to {signed(row['q90'])})"
        for row in rows.to_dict("records")
    ]


def _n_patients(rows: pd.DataFrame) -> str:
    return f" of {int(rows['n_patients'].max())} patients" if "n_patients" in rows else ""


def _shared_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the shared genes, those that most models name first."""
    what = "the shared genes"
    require_columns(table, SHARED_COLUMNS, what)
    _require_each_gene_once(table, what)
    rows = table[table["n_models"] >= SHARED_BY]
    if rows.empty:
        raise InputDataError(
            f"No gene is named by {SHARED_BY} of the five models; the most is "
            f"{int(table['n_models'].max())}.",
            remedy="Say so in words, or look at each model's own genes.",
        )
    order = rows.assign(size=rows["mean_attribution"].abs())
    return order.sort_values(["n_models", "size"], ascending=False, kind="stable")


def _shared_bar(rows: pd.DataFrame, direction: str) -> go.Bar:
    import plotly.graph_objects as go

    style = CALLS[direction]
    return go.Bar(
        x=rows["mean_attribution"],
        y=rows["gene"],
        orientation="h",
        name=f"{style.symbol} Towards {style.word.lower()}",
        marker={"color": style.colour, "line": {"width": 0}},
        text=[f"{style.symbol} {signed(part)}" for part in rows["mean_attribution"]],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text} log-odds<extra></extra>",
    )


def _model_dots(rows: pd.DataFrame) -> go.Scatter:
    import plotly.graph_objects as go

    pairs = [
        (gene, model_word(model))
        for gene, models in zip(rows["gene"], rows["models"], strict=True)
        for model in _models_of(models)
    ]
    return go.Scatter(
        x=[model for _, model in pairs],
        y=[gene for gene, _ in pairs],
        mode="markers",
        marker={"symbol": "circle", "color": series_style(0).colour, "size": 11},
        showlegend=False,
        hovertemplate="%{y} is among the leading genes of %{x}<extra></extra>",
    )


def _models_of(models: Any) -> list[str]:
    """Return kinds of models from a list, or from a text with commas or semicolons."""
    parts = models.replace(";", ",").split(",") if isinstance(models, str) else models
    return [part.strip() for part in parts]


def _with_room(rows: pd.DataFrame) -> list[float]:
    """Return limits that leave room for a number at the end of each bar."""
    low, high = min(0.0, rows["mean_attribution"].min()), max(0.0, rows["mean_attribution"].max())
    room = 0.3 * (high - low)
    return [low - room * (low < 0), high + room * (high > 0)]

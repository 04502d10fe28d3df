"""Genes that go with a model's score in a cohort: volcano, adjustment, positive controls."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from resvae_core.errors import InputDataError
from resvae_core.figures.directions import (
    DIRECTIONS,
    EXPRESSION_GOES_WITH,
    Q_CLEAR,
    q_words,
    signed,
    style_of,
    with_sign,
)
from resvae_core.figures.frame import finish, require_columns, require_one
from resvae_core.figures.palette import CALLS, NEUTRAL, RULE, series_style
from resvae_core.figures.rows import fix_rows, joined, legend_above

if TYPE_CHECKING:
    import plotly.graph_objects as go

BIOMARKER_COLUMNS = ("cohort", "drug", "gene", "kind", "effect", "direction", "flags")
KIND_COLUMNS = {"attributed": ("stability", "votes"), "associated": ("q_value",)}
"""What a kind of gene is judged by, beside what both have."""
ADJUSTMENT_COLUMNS = (
    *("cohort", "drug", "gene", "kind", "correlation", "q_value"),
    *("correlation_purity", "q_purity", "correlation_general", "q_general"),
)
CONTROL_COLUMNS = ("drug", "gene", "kind", "top_share", "passes")

Kind = Literal["", "attributed", "associated"]
KIND_WORDS = {"attributed": "Attributed", "associated": "Associated"}
"""Word of a kind: a gene that models read, and one that they do not."""
TOP_SHARE = 0.05
"""Share of the ranking within which the gene of a positive control has to stand."""
STABLE, N_MEMBERS, ENOUGH_VOTES = 0.8, 25, 3
"""Share of the members (five models of five) that must have a gene in their top, and models that
must agree on its direction, for its attribution to stand out."""
_STABLE_WORDS = f"in the top 5 % of at least {STABLE * N_MEMBERS:.0f} of {N_MEMBERS} members"

_MARKERS = {"attributed": "circle", "associated": "diamond"}
_EFFECT_WORDS = {
    "attributed": "Slope of the attribution, log-odds of resistance per SD",
    "associated": "Correlation with the predicted log-odds of resistance",
}
_HEIGHT_WORDS = {
    "attributed": f"Stability: share of the {N_MEMBERS} members<br>that have it in their top 5 %",
    "associated": "−log<sub>10</sub> q (higher = clearer)",
}
_CLEAR_HEIGHT = {"attributed": STABLE, "associated": -float(np.log10(Q_CLEAR))}
_DIGITS = {"attributed": 3, "associated": 2}
_CHOSEN_WORDS = "from the 300 strongest of the cohort and the paper's genes"
"""Associated genes are shipped by selection: any share of them is one of what was selected."""
_VOLCANO_PX = 420
_ROW_PX = 34
_MANY = 5_000
_ROOM_BESIDE = 1.3
"""Half the width of a panel over the largest effect: room for names beside the points."""
_LABEL_ROOM = (0.3, 0.045)
"""How far apart two labels have to stand, as shares of a panel's width and height."""


def volcano(
    table: pd.DataFrame, *, selected: str = "", kind: Kind = "", n_labels: int = 4
) -> go.Figure:
    """Draw effect and clearness of every gene for one drug in one cohort.

    The height of an associated gene is −log10 q of its correlation. That of an attributed one is
    its stability over the members: an attribution has no p-value.

    Parameters
    ----------
    table
        Biomarker table of one cohort and drug, one row a gene: cohort, drug, gene, kind
        (attributed or associated), effect, direction, flags ("; "-separated, empty for none);
        for attributed genes stability (0 to 1) and votes (0 to 5); for associated ones q_value,
        and votes where known. lower and upper where known.
    selected
        The gene to ring and name; empty for none.
    kind
        Show one kind of gene alone; empty for both, each in a panel of its own, for their effects
        have different units.
    n_labels
        How many genes a side and panel are named, those with a flag never: of the attributed ones
        that stand out the largest, of the associated ones the clearest.

    Returns
    -------
    go.Figure
        One trace a kind and direction, points in the order of the table, ``customdata[0]`` the
        gene. Large: q < 0.05, or stability of at least 0.8 and at least three votes. Flagged
        genes are hollow. Above 5,000 points a trace is drawn by WebGL.

    Raises
    ------
    InputDataError
        If a column is missing, the table holds several cohorts or drugs, a gene stands twice, or
        there is no gene of that kind.
    """
    from plotly.subplots import make_subplots

    rows = _volcano_rows(table, kind)
    kinds = [known for known in KIND_WORDS if (rows["kind"] == known).any()]
    figure = make_subplots(cols=len(kinds), horizontal_spacing=0.12)
    for column, shown in enumerate(kinds, start=1):
        part = rows[rows["kind"] == shown]
        _add_points(figure, part, shown, column)
        _add_ring(figure, part[part["gene"] == selected], column)
        _name_genes(figure, part, shown, selected, n_labels, column)
        limit = _CLEAR_HEIGHT[shown]
        figure.add_hline(y=limit, line={"color": RULE, "dash": "dash"}, row=1, col=column)
        figure.add_vline(x=0, line={"color": RULE, "width": 1}, row=1, col=column)
        wide = _ROOM_BESIDE * float(part["effect"].abs().max())
        figure.update_xaxes(
            title_text=f"{_EFFECT_WORDS[shown]}<br>{EXPRESSION_GOES_WITH}",
            title_font_size=12,
            range=[-wide, wide],
            zeroline=False,
            col=column,
        )
        top = _highest(part, shown)
        figure.update_yaxes(
            title_text=_HEIGHT_WORDS[shown],
            title_font_size=12,
            range=[-0.03 * top, 1.12 * top],
            zeroline=False,
            col=column,
        )
    figure.update_yaxes(title_standoff=4)
    figure.update_layout(clickmode="event+select", dragmode="pan", showlegend=True)
    legend_above(figure)
    return finish(
        figure,
        takeaway=volcano_takeaway(table, kind=kind),
        height=_VOLCANO_PX + 80 + 74,
        notes=_volcano_notes(table, rows, selected),
        top=80,
        bottom=74,
    )


def volcano_takeaway(table: pd.DataFrame, *, kind: Kind = "") -> str:
    """Count in one sentence the genes that are shown, and name the clearest.

    Of associated genes no share is given: only the strongest are there to be counted.
    """
    rows = _volcano_rows(table, kind)
    parts = []
    for shown in KIND_WORDS:
        part = rows[rows["kind"] == shown]
        if part.empty:
            continue
        attributed = shown == "attributed"
        found = part[part["height"] >= STABLE] if attributed else part[part["clear"]]
        if attributed:
            words = f"{len(found):,} of {len(part):,} attributed genes shown {_STABLE_WORDS} "
            words += f"({_sides(found)})"
        else:
            words = f"{len(part):,} associated genes are shown ({_sides(part)}), {_CHOSEN_WORDS}"
        if len(found):
            first = _clearest(found, shown).iloc[0]
            most = "largest" if attributed else "clearest"
            flags = f"; flagged: {first['flags']}" if _is_flagged(first["flags"]) else ""
            effect = with_sign(first["effect"], _DIGITS[shown])
            words += f", {most} {first['gene']} ({effect}{flags})"
        parts.append(words)
    return f"{rows['drug'].iloc[0]} in {rows['cohort'].iloc[0]}: {'; '.join(parts)}."


def _sides(rows: pd.DataFrame) -> str:
    counts = rows["direction"].value_counts()
    return ", ".join(f"{counts.get(side, 0):,} {CALLS[side].symbol}" for side in DIRECTIONS)


def adjustment(table: pd.DataFrame) -> go.Figure:
    """Show how far chosen genes still go with the score once purity or general resistance is known.

    Parameters
    ----------
    table
        Rows of the biomarker table for the chosen genes, of one or several drugs and cohorts:
        cohort, drug, gene, kind, correlation (with the ensemble's log-odds, of either kind) with
        its q_value, correlation_purity, q_purity, correlation_general, q_general; and, where
        known, verdict (in words, on what is claimed of the gene). NaN where purity is not
        recorded.

    Returns
    -------
    go.Figure
        One row a gene: plain correlation, partial correlation given purity, and given general
        resistance; filled below q 0.05, hollow above. Nothing of an attribution is drawn: its
        unit is another, and so may be its sign.

    Raises
    ------
    InputDataError
        If a column is missing, or a gene stands twice for one drug and cohort.
    """
    import plotly.graph_objects as go

    rows = _adjustment_rows(table)
    figure = go.Figure()
    views = ["correlation", "correlation_purity", "correlation_general"]
    ends = rows.assign(low=rows[views].min(axis=1), high=rows[views].max(axis=1))
    joined(figure, ends, "low", "high", "row")
    for position, (value, q_value, name) in enumerate(
        (
            ("correlation", "q_value", "Plain"),
            ("correlation_purity", "q_purity", "Given tumour purity"),
            ("correlation_general", "q_general", "Given general resistance"),
        )
    ):
        figure.add_trace(_view(rows, value, q_value, name, position))
    figure.add_vline(x=0, line={"color": RULE, "width": 1.5})
    fix_rows(figure, list(rows["row"]), _adjustment_labels(rows))
    figure.update_xaxes(
        title_text=f"Correlation with the predicted log-odds of resistance<br>"
        f"{EXPRESSION_GOES_WITH}",
        zeroline=False,
    )
    figure.update_layout(showlegend=True)
    legend_above(figure)
    return finish(
        figure,
        takeaway=adjustment_takeaway(table),
        height=len(rows) * (_ROW_PX + 8) + 160,
        notes=_adjustment_notes(rows),
        top=60,
        bottom=76,
    )


def adjustment_takeaway(table: pd.DataFrame) -> str:
    """Say in one sentence which genes still correlate with the score after both adjustments."""
    rows = _adjustment_rows(table)
    parts = []
    for row in rows.to_dict("records"):
        plain = row["correlation"]
        views = [
            (row[f"correlation_{given}"], row[f"q_{given}"]) for given in ("purity", "general")
        ]
        known = [(value, q_value) for value, q_value in views if not np.isnan(value)]
        held = all(
            q_value < Q_CLEAR and np.sign(value) == np.sign(plain) for value, q_value in known
        )
        if np.isnan(plain):
            words = "not assessable"
        elif not row["q_value"] < Q_CLEAR:
            words = "not clear even unadjusted"
        elif not known:
            words = "no adjustment possible"
        else:
            words = "also after adjustment" if held else "not after adjustment"
        sign = "" if np.isnan(plain) else f" {style_of(plain).symbol}"
        said = f" {row['verdict']}:" if row.get("verdict") else ""
        parts.append(f"{row['row']}{said}{sign} {words}")
    return f"Correlation with the predicted score: {'; '.join(parts)}."


def controls(table: pd.DataFrame) -> go.Figure:
    """Show how high the known gene of each drug stands among all genes, on cell lines.

    Parameters
    ----------
    table
        One row a pair and kind: drug, gene, kind (attributed or associated), top_share (rank over
        number of genes, 0 to 1, small = near the top; NaN where the gene is not measured), passes
        (in the top 5 % with the direction that is known).

    Returns
    -------
    go.Figure
        One row a pair, those found on top, a mark a kind, and a line at 5 %. Filled marks pass; a
        pair is found if one of its marks does, and its label says so where it is a miss.

    Raises
    ------
    InputDataError
        If a column is missing, or a pair has a kind twice.
    """
    import plotly.graph_objects as go

    rows, pairs = _control_rows(table)
    figure = go.Figure()
    known = rows[rows["top_share"].notna()]
    for position, (kind, word) in enumerate(KIND_WORDS.items()):
        chosen = known[known["kind"] == kind]
        if len(chosen):
            figure.add_trace(_control_marks(chosen, word, kind, position))
    figure.add_vline(x=TOP_SHARE, line={"color": RULE, "dash": "dash"})
    labels = [f"{row['pair']}{_verdict(row)}" for row in pairs.to_dict("records")]
    fix_rows(figure, list(pairs["pair"]), labels)
    least = float(rows["top_share"].clip(upper=0.01).min()) if len(known) else 0.01
    figure.update_xaxes(
        type="log",
        title_text="Standing among all genes, top share (further left = nearer the top)",
        tickvals=[0.001, 0.01, TOP_SHARE, 0.2, 1],
        ticktext=["0.1 %", "1 %", "5 %", "20 %", "100 %"],
        range=[np.log10(least) - 0.2, 0.08],
        zeroline=False,
    )
    figure.update_layout(showlegend=True)
    legend_above(figure)
    return finish(
        figure,
        takeaway=controls_takeaway(table),
        height=len(pairs) * (_ROW_PX - 8) + 130,
        notes=[
            f"Dashed: {TOP_SHARE:.0%}. Filled: within it, with the known direction; hollow: not. "
            "Associated: the best of the measures on cell lines. Cell lines, not patients."
        ],
        top=50,
        bottom=60,
    )


def controls_takeaway(table: pd.DataFrame) -> str:
    """Count in one sentence the known pairs that are found, and name the misses."""
    _, pairs = _control_rows(table)
    measured = pairs["best"].notna()
    parts = [
        f"in {pairs['found'].sum()} of {measured.sum()} known pairs the gene stands in the top "
        f"{TOP_SHARE:.0%} with the known direction"
    ]
    for word, chosen in (
        ("missed", measured & ~pairs["found"]),
        ("not measured", ~measured),
    ):
        if chosen.any():
            parts.append(f"{word}: {', '.join(pairs.loc[chosen, 'pair'])}")
    return f"On cell lines, {'; '.join(parts)}."


def _volcano_rows(table: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    """Return what can be drawn of one kind or both, with its height and whether it is clear.

    An attributed gene needs an effect and a stability, an associated one an effect and a q-value.
    """
    what = "the volcano"
    require_columns(table, BIOMARKER_COLUMNS, what)
    for column in ("cohort", "drug"):
        require_one(table, column, what)
    if table.duplicated(["gene", "kind"]).any():
        raise InputDataError(
            "A gene stands twice in the table for the volcano; one row each was expected.",
            remedy="Hand over the biomarker table of one cohort and drug.",
        )
    rows = table.assign(height=np.nan, clear=False)
    for shown in [kind] if kind else list(KIND_WORDS):
        of_kind = table["kind"] == shown
        if not (kind or of_kind.any()):
            continue
        part = table[of_kind]
        require_columns(part, KIND_COLUMNS[shown], f"the volcano of {shown} genes")
        if shown == "attributed":
            rows.loc[of_kind, "height"] = part["stability"].astype(float)
            clear = (part["stability"] >= STABLE) & (part["votes"] >= ENOUGH_VOTES)
        else:
            rows.loc[of_kind, "height"] = _heights(part["q_value"])
            clear = part["q_value"] < Q_CLEAR
        rows.loc[of_kind, "clear"] = clear
    drawn = rows[rows["effect"].notna() & rows["height"].notna()]
    require_columns(drawn, BIOMARKER_COLUMNS, what)
    return drawn


def _heights(q_values: pd.Series[float]) -> pd.Series[float]:
    """Return −log10 q; one too small to be written stands with the smallest that is not."""
    known = q_values[q_values > 0]
    smallest = float(known.min()) if len(known) else Q_CLEAR / 10
    return -q_values.clip(lower=smallest).map(np.log10)


def _highest(rows: pd.DataFrame, kind: str) -> float:
    """Return how far up a panel has to reach."""
    if kind == "attributed":
        return 1.0
    return max(float(rows["height"].max()), _CLEAR_HEIGHT[kind])


def _volcano_notes(table: pd.DataFrame, rows: pd.DataFrame, selected: str) -> list[str]:
    notes = []
    of_kind = {kind: rows[rows["kind"] == kind] for kind in KIND_WORDS}
    if len(of_kind["attributed"]):
        notes.append(
            f"● Attributed: the models read it. Dashed: stability {STABLE:g}; large: from there, "
            f"with at least {ENOUGH_VOTES} of 5 models' votes. The interval of an effect is the "
            "range over the five models, and an attribution has no p-value: five models of the "
            "same labels are no replicates."
        )
    if len(of_kind["associated"]):
        notes.append(
            f"◆ Associated: not read, but correlated. Dashed: q = {Q_CLEAR:g}, corrected over all "
            "cohorts, drugs and genes of the kind. q says whether a gene goes with the models' "
            "score in these patients, not with response."
        )
        if n_zero := int((of_kind["associated"]["q_value"] == 0).sum()):
            notes.append(f"Genes whose q is too small to be written, drawn at the top: {n_zero}.")
    notes.append("Hollow: flagged, see the table.")
    for kind, part in of_kind.items():
        n_left = int((table["kind"] == kind).sum()) - len(part)
        if len(part) and n_left:
            what = "stability" if kind == "attributed" else "q-value"
            notes.append(f"Genes without an effect or a {what}, left out: {n_left}.")
    if selected and not (rows["gene"] == selected).any():
        notes.append(f"{selected} is not among these genes.")
    return notes


def _add_points(figure: go.Figure, rows: pd.DataFrame, kind: str, column: int) -> None:
    """Add one trace a direction, points in the order of the table."""
    import plotly.graph_objects as go

    word, marker = KIND_WORDS[kind], _MARKERS[kind]
    for direction in DIRECTIONS:
        chosen = rows[rows["direction"] == direction]
        if chosen.empty:
            continue
        style = CALLS[direction]
        clear = chosen["clear"]
        flagged = chosen["flags"].fillna("") != ""
        draw = go.Scattergl if len(chosen) > _MANY else go.Scatter
        figure.add_trace(
            draw(
                x=chosen["effect"],
                y=chosen["height"],
                mode="markers",
                name=f"{word}, {style.label.lower()}",
                marker={
                    "symbol": _hollow(marker, flagged),
                    "color": style.colour,
                    "size": np.where(clear, 8, 5),
                    "opacity": np.where(clear, 0.9, 0.45),
                    "line": {"color": style.colour, "width": 1},
                },
                customdata=_hover(chosen),
                hovertemplate=(
                    "%{customdata[0]}: %{x:+.3f}, %{customdata[1]}<extra>"
                    f"{word}, {style.label}</extra>"
                ),
            ),
            1,
            column,
        )


def _hover(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Return gene, and what else is known of it in words."""
    return [(str(row["gene"]), _in_words(row)) for row in rows.to_dict("records")]


def _in_words(row: Mapping[Hashable, Any]) -> str:
    known = [q_words(row["q_value"])]
    if row["kind"] == "attributed":
        known = [f"stability {row['stability']:.2f}"]
        if "lower" in row:
            known.insert(0, f"range {signed(row['lower'], 3)} to {signed(row['upper'], 3)}")
    if (votes := row.get("votes", np.nan)) == votes:
        known.append(f"{votes:.0f} of 5 models")
    if _is_flagged(row["flags"]):
        known.append(row["flags"])
    return ", ".join(known)


def _is_flagged(flags: object) -> bool:
    """Return whether there is a flag; tables from files have NaN for none."""
    return isinstance(flags, str) and flags != ""


def _add_ring(figure: go.Figure, row: pd.DataFrame, column: int) -> None:
    """Ring the selected gene."""
    import plotly.graph_objects as go

    if row.empty:
        return
    gene = str(row["gene"].iloc[0])
    figure.add_trace(
        go.Scatter(
            x=row["effect"],
            y=row["height"],
            mode="markers",
            name=f"Selected: {gene}",
            marker={
                "symbol": "circle-open",
                "size": 20,
                "color": NEUTRAL,
                "line": {"width": 3},
            },
            customdata=_hover(row),
            hovertemplate="%{customdata[0]}: %{x:+.3f}, %{customdata[1]}<extra>Selected</extra>",
        ),
        1,
        column,
    )


def _clearest(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return attributed rows by the size of their effect, associated ones by q and then by size."""
    by = ["_size"] if kind == "attributed" else ["q_value", "_size"]
    return rows.assign(_size=-rows["effect"].abs()).sort_values(by, kind="stable")


def _name_genes(
    figure: go.Figure, rows: pd.DataFrame, kind: str, selected: str, n_labels: int, column: int
) -> None:
    """Name the selected gene and the clearest, where names do not run into one another."""
    wanted = [rows[rows["gene"] == selected]]
    clear = _clearest(rows[rows["clear"] & (rows["flags"].fillna("") == "")], kind)
    wanted += [clear[clear["direction"] == side].head(3 * n_labels) for side in DIRECTIONS]
    width = 2 * _ROOM_BESIDE * float(rows["effect"].abs().max())
    height = 1.15 * _highest(rows, kind)
    placed: list[tuple[float, float]] = []
    for group, limit in zip(wanted, (1, n_labels, n_labels), strict=True):
        named = 0
        for gene, x, y in zip(group["gene"], group["effect"], group["height"], strict=True):
            spot = (x / width, y / height)
            if named == limit or any(_too_near(spot, other) for other in placed):
                continue
            placed.append(spot)
            named += 1
            figure.add_annotation(
                text=f"<b>{gene}</b>" if gene == selected else str(gene),
                x=x,
                y=y,
                showarrow=False,
                # outwards, where a volcano has no points
                xanchor="left" if x >= 0 else "right",
                xshift=(13 if gene == selected else 5) * (1 if x >= 0 else -1),
                # off the line, on which many stabilities stand
                yshift=8 if kind == "attributed" else 0,
                font={"size": 11},
                row=1,
                col=column,
            )


def _too_near(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return all(abs(a - b) < room for a, b, room in zip(one, other, _LABEL_ROOM, strict=True))


def _adjustment_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with their label."""
    what = "the adjustment"
    require_columns(table, ADJUSTMENT_COLUMNS, what)
    if table.duplicated(["cohort", "drug", "gene"]).any():
        raise InputDataError(
            "A gene stands twice for one drug and cohort in the table for the adjustment.",
            remedy="Hand over one kind of each gene.",
        )
    several = table[["cohort", "drug"]].drop_duplicates().shape[0] > 1
    labels = [
        f"{row.gene} ({row.cohort}, {row.drug})" if several else str(row.gene)
        for row in table.itertuples()
    ]
    return table.assign(row=labels)


def _view(rows: pd.DataFrame, value: str, q_value: str, name: str, position: int) -> go.Scatter:
    """Return one adjustment's marks: filled where clear, hollow where not."""
    import plotly.graph_objects as go

    known = rows[rows[value].notna()]
    style = series_style(position)
    clear = known[q_value] < Q_CLEAR
    return go.Scatter(
        x=known[value],
        y=known["row"],
        mode="markers",
        name=name,
        marker={
            "symbol": _hollow(style.marker, ~clear),
            "color": style.colour,
            "size": 12,
            "line": {"color": style.colour, "width": 2},
        },
        customdata=[q_words(q) for q in known[q_value]],
        hovertemplate=f"%{{y}}, {name.lower()}: %{{x:+.2f}}, %{{customdata}}<extra></extra>",
    )


def _hollow(marker: str, hollow: pd.Series[bool]) -> list[str]:
    return [f"{marker}-open" if is_hollow else marker for is_hollow in hollow]


def _adjustment_labels(rows: pd.DataFrame) -> list[str]:
    """Return rows with the verdict on what is claimed beneath, where there is one."""
    if "verdict" not in rows:
        return list(rows["row"])
    return [
        f"{row}<br><span style='font-size:10px'>the paper's claim: {verdict}</span>"
        for row, verdict in zip(rows["row"], rows["verdict"], strict=True)
    ]


def _adjustment_notes(rows: pd.DataFrame) -> list[str]:
    notes = [
        f"Filled: q < {Q_CLEAR:g}; hollow: not. A gene that no longer correlates once purity is "
        "known may mark normal or immune cells in the sample rather than the tumour."
    ]
    measured = rows[rows["correlation"].notna()]
    read = measured.loc[measured["kind"] == "attributed", "row"]
    if len(read):
        notes.append(
            f"Read by the models: {', '.join(read)}. What is drawn is their correlation all the "
            "same, not their attribution."
        )
    unknown = measured.loc[measured["correlation_purity"].isna(), "row"]
    if len(unknown):
        notes.append(f"Purity is not recorded for the patients of {', '.join(unknown)}.")
    return notes


def _control_rows(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return rows with the name of their pair, and pairs with their best share, best first."""
    what = "the positive controls"
    require_columns(table, CONTROL_COLUMNS, what)
    if table.duplicated(["drug", "gene", "kind"]).any():
        raise InputDataError(
            "A pair of drug and gene has a kind twice in the table for the positive controls.",
            remedy="Hand over one row a pair and kind.",
        )
    rows = table.assign(
        pair=table["gene"] + " – " + table["drug"], passes=table["passes"].astype(bool)
    )
    pairs = rows.groupby("pair", sort=False).agg(best=("top_share", "min"), found=("passes", "any"))
    order = pairs.reset_index().sort_values(
        ["found", "best"], ascending=[False, True], kind="stable", na_position="last"
    )
    return rows, order.reset_index(drop=True)


def _verdict(pair: Mapping[Hashable, Any]) -> str:
    if pair["found"]:
        return ""
    if np.isnan(pair["best"]):
        return " (not measured)"
    if pair["best"] <= TOP_SHARE:
        return " (<b>miss</b>: other direction)"
    return " (<b>miss</b>)"


def _control_marks(rows: pd.DataFrame, name: str, kind: str, position: int) -> go.Scatter:
    import plotly.graph_objects as go

    return go.Scatter(
        x=rows["top_share"],
        y=rows["pair"],
        mode="markers",
        name=name,
        marker={
            "symbol": _hollow(_MARKERS[kind], ~rows["passes"]),
            "color": series_style(position).colour,
            "size": 11,
            "line": {"color": series_style(position).colour, "width": 2},
        },
        hovertemplate=f"%{{y}}, {kind}: top %{{x:.1%}}<extra></extra>",
    )

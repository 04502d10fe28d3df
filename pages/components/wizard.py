"""The three steps of an upload: what was detected, which genes it has, whether it may be asked of.

Above them stands the verdict in one line, so that nobody needs the steps whose file is as expected.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import streamlit as st

from pages.components import columns, panels, predictions, quality, resources, stated_type
from pages.components.contrast import on_primary
from pages.components.downloads import csv_button
from pages.components.messages import plain
from pages.components.predictions import UNCLEAR
from pages.components.state import Session, load_session
from pages.components.verdicts import RANGES, synthetic_badge
from resvae_core.data.cancer_types import load_cancer_types
from resvae_core.data.privacy import find_identifiers
from resvae_core.figures.quality import expression_over_reference

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from typing import Any, TypeAlias

    import pandas as pd
    from streamlit.delta_generator import DeltaGenerator

    from resvae_core.data.uploads import Issue

    Row: TypeAlias = dict[Hashable, Any]

FIXES = {
    "genes that the models read were measured": "Upload all genes of the profile, with gene "
    "symbols, Ensembl or Entrez ids (step 2 names the missing ones).",
    "lies away from every reference group": "Check that the unit is right (step 1), and that it is "
    "bulk RNA-seq of a tumour: not of normal tissue, single cells or a microarray.",
    "vary together in a way": "Check that genes which were not measured are empty and not 0, and "
    "that values are as the pipeline gave them, not corrected or mixed.",
}
"""What would help, by a part of the reason that the range check gives."""
NEARLY_ONE = 0.99
Colour = Literal["green", "orange", "red"]


def show_verdict(session: Session, samples: pd.DataFrame) -> None:
    """Say in one line what the file is and whether the models may be asked about the sample.

    Parameters
    ----------
    session
        Holds the sample.
    samples
        As `predictions.verdicts_of_samples` gives them; so in all steps.
    """
    row, qc = _row(session, samples), session.parsed().qc
    word, icon, colour = RANGES[row["range"]]
    with _card(session):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(word, icon=icon, color=colour)
            stated_type.badge(session)
            if session.is_demo:
                synthetic_badge()
            if len(session.samples) > 1:
                st.caption(f"{len(session.samples)} samples; this is {plain(session.sample)}")
        looks = "read as" if qc.unit.overridden else "looks like"
        st.markdown(
            f"**{qc.n_genes_recognised:,} of {qc.n_genes_total:,} genes, {looks} "
            f"{plain(quality.unit_word(qc))}; {_cancer_word(session, row)}; {word.lower()}.**"
        )
        why = f"{_sentence(row['reasons'])} {' '.join(_fixes(row['reasons']))}"
        if row["range"] == "out of range":
            st.error(f"**⊘ Not assessable: no drug is called for this sample.** {why}")
        elif row["range"] == "borderline":
            st.warning(f"**Read every number with care: no firm call is made.** {why}")


def _card(session: Session) -> DeltaGenerator:
    """Return the place of the verdict, folded where a refused file stands above it."""
    if session.refusal is None:
        return st.container(border=True)
    return st.expander(f"Still loaded from before: {plain(session.sample)}")


def details(session: Session) -> DeltaGenerator:
    """Return the place of the three steps, folded where a refused file stands above them."""
    if session.refusal is None:
        return st.container()
    return st.expander(f"Details of {plain(session.sample)}, loaded from before")


def offer_overview(session: Session) -> bool:
    """Offer to go on; not as the main thing to do where the file that was chosen was refused."""
    main = session.refusal is None
    label = "See all drugs"
    return st.button(
        on_primary(label) if main else f"{label} of {plain(session.sample)}",
        type="primary" if main else "secondary",
        icon=":material/arrow_forward:",
        key="to_overview",
    )


def offer_suggestion(session: Session, samples: pd.DataFrame) -> None:
    """Offer the suggested cancer type where none is stated, or another one is."""
    if session.refusal is not None:
        return
    code = str(_row(session, samples).get("suggestion", UNCLEAR))
    if code not in (UNCLEAR, session.cancer_type) and stated_type.unsettled(session):
        stated_type.offer(session, code)


def _row(session: Session, samples: pd.DataFrame) -> Row:
    """Return what was found of the session's sample."""
    found: Row = samples[samples["sample"] == session.sample].to_dict("records")[0]
    return found


def _sentence(reasons: Sequence[str]) -> str:
    joined = "; ".join(reasons)
    return f"{joined[:1].upper()}{joined[1:]}."


def _fixes(reasons: Sequence[str]) -> list[str]:
    """Return what would help against the reasons, each once."""
    return [fix for part, fix in FIXES.items() if any(part in reason for reason in reasons)]


def _cancer_word(session: Session, row: Row) -> str:
    """Return the stated cancer type, and what the expression says of it."""
    stated = "cancer type not stated"
    if session.cancer_type:
        stated = f"{plain(stated_type.name(session.cancer_type))} stated"
    if "suggestion" not in row:
        return stated
    code = str(row["suggestion"])
    looks = f"resembles {plain(stated_type.name(code))}"
    if code == UNCLEAR:
        looks = "unclear"
    elif code == session.cancer_type:
        looks = "agrees"
    return f"{stated}; expression {looks}"


def _type_name(code: str) -> str:
    types = load_cancer_types()
    return types[code].name if code in types else code


def open_steps(session: Session, samples: pd.DataFrame) -> list[DeltaGenerator]:
    """Draw the three steps with what each found, and return the places of their details."""
    summaries = (
        ("1 · Detect", *_detected(session)),
        ("2 · Map", *_mapped(session)),
        ("3 · Check", *_checked(session, samples)),
    )
    for place, (title, well, summary) in zip(st.columns(3), summaries, strict=True):
        with place, st.container(border=True, height="stretch"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{title}**")
                if well:
                    st.badge("Done", icon=":material/check:", color="green")
                else:
                    st.badge("Look at this", icon=":material/warning:", color="orange")
            st.caption(summary)
    first = next((title for title, well, _ in summaries if not well), summaries[-1][0])
    tabs = st.tabs([title for title, _, _ in summaries], default=first, key=f"steps_{first[0]}")
    return list(tabs)


def _detected(session: Session) -> tuple[bool, str]:
    """Return whether all was detected safely, and what, in one line."""
    qc = session.parsed().qc
    doubtful = quality.unsure(qc)
    if doubtful:
        return False, f"Not sure of: {', '.join(doubtful)}."
    found = [quality.FILE_FORMATS.get(qc.file_format, qc.file_format)]
    found += [f"sheet {qc.sheet}"] if len(qc.sheets) > 1 else []
    found += [quality.found_word(qc, name) for name in ("orientation", "id_type", "unit")]
    return True, f"{plain(' · '.join(found))}."


def _mapped(session: Session) -> tuple[bool, str]:
    """Return whether the models find their genes, and how many, in one line."""
    qc, read = session.parsed().qc, predictions.coverage(session).to_dict("records")[0]
    warned = any(
        issue.severity == "warning" and issue.where in quality.ABOUT_GENES for issue in qc.issues
    )
    return not warned and read["n_missing"] == 0, (
        f"{read['n_measured']:,} of {read['n_genes']:,} genes that the models read "
        f"({read['n_zero']:,} are 0), "
        f"{len(qc.renamed):,} renamed, {len(qc.unknown):,} not known."
    )


def _checked(session: Session, samples: pd.DataFrame) -> tuple[bool, str]:
    """Return whether nothing needs a look, and the verdicts of all samples in one line."""
    counts = samples["range"].value_counts().to_dict()
    parts = [f"{counts[word]} {word}" for word in RANGES if word in counts]
    warned = any(
        issue.severity == "warning" and not _of_unread_genes(session, issue)
        for issue in _sample_issues(session)
    )
    telling = find_identifiers(session.samples) or session.parsed().qc.disclosures
    other = _contradicts(session, _row(session, samples))
    parts += ["identifiers found"] if telling else []
    parts += ["another cancer type suggested"] if other else []
    well = set(counts) == {"in range"} and not (warned or telling or other)
    return well, f"{', '.join(parts)}."


def _of_unread_genes(session: Session, issue: Issue) -> bool:
    """Tell whether values are missing of genes alone that the models do not read."""
    missing = issue.where == "values" and issue.found.startswith(quality.ABOUT_MISSING)
    return missing and not predictions.coverage(session)["n_missing"].iloc[0]


def _contradicts(session: Session, row: Row) -> bool:
    """Tell whether the expression suggests another cancer type than the one stated."""
    suggested = row.get("suggestion", UNCLEAR)
    return bool(session.cancer_type) and suggested not in (UNCLEAR, session.cancer_type)


def show_check(session: Session, samples: pd.DataFrame) -> None:
    """Show verdicts of all samples, the suggested cancer type, and the distribution of values."""
    _choose_sample(session, samples)
    _show_cancer_type(session, _row(session, samples))
    _show_distribution(session)
    quality.show_issues(_sample_issues(session))


def _sample_issues(session: Session) -> list[Issue]:
    """Return what is to be known of samples and values; a demo patient's own alone."""
    issues = [i for i in session.parsed().qc.issues if i.where not in quality.ABOUT_GENES]
    if not session.is_demo:
        return issues
    return [i for i in issues if i.where != "samples" or session.sample in i.found]


def _choose_sample(session: Session, samples: pd.DataFrame) -> None:
    """Show a row for each sample; a selected one becomes the session's sample."""
    shown = samples.assign(range=[RANGES[word][0] for word in samples["range"]])
    caption = (
        "In range: looks like the reference tumours. Borderline: read with care. Out of range: no "
        "drug is called."
    )
    several = len(samples) > 1
    st.caption(f"{caption} Select a row to go on with that sample." if several else caption)
    position = session.samples.index(session.sample)
    # another choice in the bar above must not leave this selection behind
    key = f"samples_{session.parsed().qc.file_digest[:8]}_{position}"
    st.dataframe(
        shown,
        hide_index=True,
        column_config=columns.SAMPLES,
        column_order=[name for name in columns.SAMPLES if name in shown],
        key=key,
        alt="Samples with range verdict, genes measured and suggested cancer type",
        on_select=partial(_take_sample, key, session.samples) if several else "ignore",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [position]}} if several else None,
    )
    csv_button(samples, "samples", notes=quality.notes(session))


def _take_sample(key: str, samples: list[str]) -> None:
    """Write the selected sample into the session."""
    rows = st.session_state[key]["selection"]["rows"]
    if rows:
        load_session().sample = samples[rows[0]]


def _show_cancer_type(session: Session, row: Row) -> None:
    """Show the cancer type that the expression suggests beside the one that is stated."""
    st.markdown("**Cancer type**")
    if "suggestion" not in row:
        st.caption("No suggestion: the model for it is not installed. State the type in the bar.")
        return
    _say_suggestion(session, row)
    _about_suggestions()


def _say_suggestion(session: Session, row: Row) -> None:
    """Say whether stated and suggested type agree."""
    code = str(row["suggestion"])
    if code == UNCLEAR:
        st.markdown(f"**Unclear.** {plain(str(row['note']))}")
        if not session.cancer_type:
            st.caption("State the type in the bar above if you know it; it is not needed.")
        return
    probability = row["probability"]
    degree = f"{probability:.2f}" if probability < NEARLY_ONE else f"above {NEARLY_ONE}"
    likely = f"{plain(_type_name(code))} ({code}), probability {degree}"
    if session.cancer_type == code:
        st.markdown(f"The expression agrees with what is stated: {likely}.")
        return
    if session.cancer_type:
        stated = plain(_type_name(session.cancer_type))
        st.warning(
            f"Stated is {stated}, but the expression looks like {likely}.{_ignorance(session)}"
        )
    else:
        st.markdown(f"The expression looks like {likely}. It is a suggestion, not a diagnosis.")
    if session.refusal is None and stated_type.unsettled(session):
        st.caption("What to use is chosen above, beside the verdict.")


def _ignorance(session: Session) -> str:
    """Say that the stated type is none that could have been suggested, where that is so."""
    types = resources.cancer_type_card()["types"]
    if session.cancer_type in types:
        return " Check which of the two is right, and that the sample is the one you mean."
    known = ", ".join(types)
    return f" The stated type is none of those that can be suggested ({known}), so it may be right."


def _about_suggestions() -> None:
    """Say which types can be suggested, and how often that was right on held-out tumours."""
    card = resources.cancer_type_card()
    rows = {row["type"]: row for row in card["figures"]["out_of_fold"]}
    every = rows["all"]
    unseen = [row["unclear"] for row in card["figures"]["left_out"]]
    st.caption(
        f"Only {', '.join(card['types'])} can be suggested. On {every['n']:,} tumours of these "
        f"types, each held out: {100 * every['right']:.1f} % named rightly, "
        f"{100 * every['wrong']:.1f} % wrongly, {100 * every['unclear']:.1f} % unclear; of types "
        f"that it had never seen, at least {100 * min(unseen):.0f} % unclear. Measured by another "
        "pipeline, more are unclear. The probability is near 1 for most answers and says little "
        "about degrees."
    )


def _show_distribution(session: Session) -> None:
    """Draw the distribution of the sample's expression over that of the reference tumours."""
    reference = resources.reference_quantiles()
    if reference is None:
        st.caption("The distribution of the reference tumours is not shipped with these models.")
        return
    st.markdown("**Its values beside those of the reference tumours**")
    figure = expression_over_reference(
        predictions.model_genes(session), reference, synthetic=session.is_demo
    )
    panels.chart(
        figure,
        "expression-over-reference",
        panels.TableView(
            "expression-over-reference",
            _with_sample(session, reference),
            columns.REFERENCE_QUANTILES,
            notes=quality.notes(session),
        ),
    )


def _with_sample(session: Session, reference: pd.DataFrame) -> pd.DataFrame:
    values = predictions.model_genes(session).dropna()
    return reference.assign(sample=values.quantile(reference["quantile"]).to_numpy())

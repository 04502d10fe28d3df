"""The Cohort page: what the models say of whole cohorts, and of several samples of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components import columns, panels, predictions, rankings, resources, verdicts
from pages.components.downloads import csv_button
from pages.components.findings import choose_cohort, notes
from pages.components.messages import plain
from resvae_core.figures.palette import FLOORS, model_word
from resvae_core.figures.transfer import (
    alignment_shift,
    distributions,
    response_intervals,
    sample_matrix,
    task_heatmap,
)

if TYPE_CHECKING:
    import pandas as pd

    from pages.components.state import Session

VIEWS = {
    "tasks": "Five cohorts",
    "response": "Recorded response",
    "alignment": "Alignment",
    "samples": "Your samples",
}
VALUES = {
    "median": "Median probability of resistance",
    "share_resistant": "Share that would be called resistant",
    "agreement": "Share for whom four of five models agree",
    "stability_members": "Stability of the order over folds",
}


def show_tasks(session: Session) -> None:
    """Show 5 cohorts × 9 drugs by one model, and one cohort's scores in detail."""
    tasks = resources.evidence("transfer_tasks")
    _about_cohorts(tasks)
    rows = tasks[tasks["model"] == session.model]
    value = st.selectbox("Show", list(VALUES), format_func=VALUES.__getitem__, key="task_value")
    panels.chart(
        task_heatmap(tasks, value=value, model=session.model),
        "transfer-tasks",
        panels.TableView(
            "transfer-tasks",
            tasks,
            columns.TRANSFER_TASKS,
            caption="Every model; the 180 tasks are those of VAE_LL, VAE_LS, VAE_LD and XGBoost.",
            notes=notes(),
        ),
    )
    st.subheader("Scores in one cohort", anchor=False)
    choose_cohort(session, list(dict.fromkeys(tasks["cohort"])))
    one = rows[rows["cohort"] == session.cohort]
    _level_note(one)
    panels.chart(
        distributions(tasks, cohort=session.cohort, model=session.model),
        "score-distributions",
        panels.TableView(
            "score-distributions", one, columns.TRANSFER_TASKS, notes=(*notes(), session.cohort)
        ),
    )


def _about_cohorts(tasks: pd.DataFrame) -> None:
    sizes = tasks.drop_duplicates("cohort")
    told = ", ".join(f"{row['cohort']} {row['n_patients']}" for row in sizes.to_dict("records"))
    st.caption(
        f"Nine drugs in each of five TCGA cohorts ({told} patients). Lung adenocarcinoma and "
        "glioblastoma are cohorts of the method's paper; it does not name the others, so the "
        "choice of bladder, stomach and pancreas is ours, for their recorded responses to drugs."
    )


def _level_note(rows: pd.DataFrame) -> None:
    if (rows["form"] == "log2tpm").all():
        return
    st.warning(
        "Known as within-study z-scores of six in ten of the models' genes. Read gene by gene in "
        "the units of the reference tumours: **the order of patients means something, the level "
        "of the cohort does not**, and no patient of it is in range."
    )


def show_response(session: Session) -> None:
    """Show how well scores tell responders from others, cancer by cancer and drug by drug."""
    if _is_left_out("clinical_response", "how scores compare with recorded responses"):
        return
    table = resources.evidence("clinical_response")
    st.markdown(
        "Patients whose response to the drug was recorded: complete or partial response against "
        "stable or progressive disease. Most had the drug in a combination, so a response may be "
        "another drug's. Every pair with at least 20 patients is here, good or bad; nothing is "
        "pooled over drugs. Drug and tissue alone (the floors) say the same of every patient of a "
        "cancer type: 0.5."
    )
    panels.chart(
        response_intervals(table, model=session.model),
        "clinical-response",
        panels.TableView(
            "clinical-response",
            table[~table["model"].isin(FLOORS)],
            columns.RESPONSE,
            notes=notes(),
        ),
    )


def show_alignment(session: Session) -> None:
    """Show what it changes that tumours are read with moments of tumours."""
    st.markdown(
        "Tumours differ from cell lines in nearly every gene. The models therefore read a tumour "
        "relative to reference tumours (**aligned**); read relative to cell lines (**not "
        "aligned**), nearly every tumour moves towards resistant. Which of the two is right for "
        "patients, no figure here can say."
    )
    tasks = resources.evidence("transfer_tasks")
    rows = tasks[(tasks["model"] == session.model) & tasks["median_unaligned"].notna()]
    choose_cohort(session, list(dict.fromkeys(rows["cohort"])))
    one = rows[rows["cohort"] == session.cohort]
    panels.chart(
        alignment_shift(tasks, cohort=session.cohort, model=session.model),
        "alignment",
        panels.TableView("alignment", one, columns.TRANSFER_TASKS, notes=notes()),
    )
    st.subheader("What z-scores lose", anchor=False)
    if _is_left_out("alignment", "what the models lose where a cohort is known as z-scores"):
        return
    st.caption(
        "Cohorts known as z-scores take another way in (*z-scores, normal scores*: each gene's "
        "ranks, put on the scale of the reference tumours). On the patients of the two cohorts "
        "where both forms exist, this is how scores by each way compare with those of the full "
        "profiles."
    )
    effect = resources.evidence("alignment")
    st.dataframe(
        effect.assign(model=[model_word(kind) for kind in effect["model"]]),
        hide_index=True,
        column_config=columns.ALIGNMENT,
        key="alignment_effect",
        alt="Effect of reading z-scores, by cohort, way and model",
    )
    csv_button(effect, "zscore-alignment", notes=notes())


def _is_left_out(table: str, what: str) -> bool:
    """Say of a table that was not computed what it would have told, and why it is not here."""
    reason = resources.why_left_out(table)
    if reason:
        st.markdown(f"**Not assessable**: {what}, because {plain(reason)}.")
    return bool(reason)


def show_samples(session: Session) -> None:
    """Show every sample of the file against every drug."""
    if len(session.samples) < 2:
        st.markdown("A file with several samples is compared here. Upload one on Upload & QC.")
        st.page_link(
            "pages/upload.py",
            label="Upload a profile",
            icon=":material/upload_file:",
            query_params=session.link(),
        )
        return
    forecast = predictions.forecast_of_all(session)
    table, provenance = forecast.table, verdicts.provenance_notes(session, forecast)
    if session.is_demo:
        verdicts.synthetic_badge()
    rows = table[table["model"] == session.model]
    st.caption(
        f"{len(session.samples)} samples × {rows['drug'].nunique()} drugs by "
        f"{model_word(session.model)}, each sample on its own: it does not matter who else is in "
        "the file."
    )
    panels.chart(
        sample_matrix(rows, model=session.model, synthetic=session.is_demo),
        "sample-matrix",
        panels.TableView(
            "sample-matrix",
            rows,
            columns.SAMPLE_MATRIX,
            notes=(*provenance, rankings.SENSITIVE_MEANS),
        ),
    )
    st.caption(rankings.SENSITIVE_MEANS)
    csv_button(table, "all-samples-all-models", notes=(*provenance, rankings.SENSITIVE_MEANS))

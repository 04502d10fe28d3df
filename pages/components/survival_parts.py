"""The Survival page: what divides a cohort, its curves, and what holds without a cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components import columns, messages, panels, resources, survival_results
from pages.components.messages import plain
from pages.components.pickers import choose, choose_part, cohort_word, known_drugs
from pages.components.state import CUTS, SYNTHETIC_COHORT, Session, load_session
from pages.components.survival_results import Study
from resvae_core.errors import SurvivalDataError
from resvae_core.figures.cut_scan import cut_scan_plot
from resvae_core.figures.forest import forest_plot
from resvae_core.figures.survival import ENDPOINT_WORDS, kaplan_meier_plot
from resvae_core.figures.survival_screen import screen_volcano
from resvae_core.reporting import SurvivalResults, survival_methods
from resvae_core.survival.groups import FIXED_AS_SEARCHED, FIXED_CUT
from resvae_core.survival.log_rank import format_left_out

if TYPE_CHECKING:
    from collections.abc import Callable

    import plotly.graph_objects as go

    from pages.components.resources import CohortAbout
    from resvae_core.survival import LogRank
    from resvae_core.survival.comparison import Comparison

FIRST_GENE = "TFF1"
DIVIDER_WORDS = {
    "gene": "A gene",
    "signature": "A signature of genes",
    "score": "Predicted resistance",
}
CUT_WORDS = {
    "median": "Two groups (median)",
    "tertile": "Three groups (tertiles)",
    "quartile": "Four groups (quartiles)",
    "fixed": "At a fixed value",
    "optimal": "Best-separating cut (corrected)",
}
SUITABILITY = {
    "suitable": ":material/check:",
    "with caution": ":material/warning:",
    "not suitable": ":material/block:",
    "not stated": ":material/help:",
}
LANDMARKS = (3, 6, 12, 24, 36)


def choose_study(session: Session) -> Study:
    """Offer cohort, what divides it, endpoint and cut."""
    cohort, divider = st.columns([6, 9], vertical_alignment="bottom")
    with cohort:
        code = _choose_cohort(session)
    shipped = code in resources.shipped_cohorts()
    if shipped:
        _keep_to_what_is_shipped(session)
    with divider:
        choose_part(session, "divider", dict(_dividers(shipped)), label="Divide patients by")
    names = {"gene": _choose_gene, "signature": _choose_signature, "score": _choose_score}
    variable, endpoint, cut = st.columns([6, 5, 4])
    with variable:
        chosen = names[session.divider](session, code)
    with endpoint:
        known = resources.cohort_endpoints(code)
        words = ENDPOINT_WORDS.__getitem__
        choose(session, "endpoint", "Endpoint", known, words=words, required=True)
    with cut:
        cuts = CUTS[:1] if shipped else CUTS
        choose(session, "cut", "Groups", cuts, words=CUT_WORDS.__getitem__, required=True)
        study = Study(code, session.divider, chosen, session.endpoint, session.cut)
        if session.cut == "fixed":
            study = _choose_value(session, study)
    session.write_link()
    return study


def _keep_to_what_is_shipped(session: Session) -> None:
    """Fall back, and say so, where a link asks for what aggregates do not hold."""
    if (session.divider, session.endpoint, session.cut) != ("gene", "OS", "median"):
        st.caption(
            "Without its patients, this cohort has overall survival by one gene, cut at its median."
        )
    session.divider, session.endpoint, session.cut = "gene", "OS", "median"


def _dividers(shipped: bool) -> list[tuple[str, str]]:
    """Return what can divide a cohort; of aggregates, genes alone."""
    return list(DIVIDER_WORDS.items())[: 1 if shipped else None]


def _choose_cohort(session: Session) -> str:
    codes = [*resources.installed_cohorts(), *resources.shipped_cohorts()]
    if session.cohort not in codes:
        session.cohort = session.cancer_type if session.cancer_type in codes else SYNTHETIC_COHORT
    return choose(session, "cohort", "Cohort", codes, words=cohort_word, required=True)


def _choose_gene(session: Session, code: str) -> tuple[str, ...]:
    genes = resources.cohort_genes(code)
    if session.gene not in genes:
        if session.gene:
            st.caption(f"No survival by {session.gene} is here for this cohort.")
        session.gene = FIRST_GENE if FIRST_GENE in genes else ""
    return (choose(session, "gene", "Gene", genes, required=True),)


def _choose_signature(session: Session, code: str) -> tuple[str, ...]:
    """Offer to type genes; the basket where nothing is typed."""
    key = "signature_genes"
    st.session_state[key] = session.signature or ", ".join(session.basket)
    st.text_input(
        "Genes of the signature",
        key=key,
        placeholder="TFF1, EGFR, −KRT7",
        help="Symbols with commas between them; a minus before a gene counts it the other way. "
        "The score is the mean of the genes' z-scores within the cohort. Genes from the basket "
        "stand here at first; a signature is never part of the link.",
        on_change=_keep_signature,
        args=(key,),
    )
    genes = tuple(
        dict.fromkeys(name for part in st.session_state[key].split(",") if (name := part.strip()))
    )
    if not genes:
        messages.empty_state(
            session,
            "No gene yet. Type symbols above, or put genes into the basket on Biomarkers.",
            "pages/biomarkers.py",
            "Biomarkers",
        )
    st.caption(plain(survival_results.signature(code, session.endpoint, genes).description))
    return genes


def _keep_signature(key: str) -> None:
    load_session().signature = st.session_state[key]


def _choose_score(session: Session, code: str) -> tuple[str, ...]:
    drugs = known_drugs()
    if session.study_drug not in drugs:
        session.study_drug = session.drug or drugs[0]
    drug = choose(session, "study_drug", "Predicted resistance to", drugs, required=True)
    return drug, session.model


def _choose_value(session: Session, study: Study) -> Study:
    """Offer a number; the median stands there at first."""
    from dataclasses import replace

    if survival_results.score_note(study):
        raise SurvivalDataError(
            f"The level of {study.code} is lost (z-scores), so a value of the score means nothing "
            "there.",
            remedy="Divide at the median, tertiles or quartiles: the order of patients is kept.",
        )
    middle = round(float(survival_results.values(study).median()), 2)
    key = "_".join(("cut_value", study.code, study.divider, *study.names))
    if st.session_state.setdefault("cut_value_of", key) != key:
        # a value of one variable means nothing for another
        session.cut_value, st.session_state["cut_value_of"] = "", key
    value = st.number_input(
        "Cut at",
        value=float(session.cut_value or middle),
        step=0.1,
        key=key,
        help="In the unit of the variable, decided before looking at the curves.",
        on_change=_keep_value,
        args=(key,),
    )
    return replace(study, cut_value=float(value))


def _keep_value(key: str) -> None:
    load_session().cut_value = str(st.session_state[key])


def show_about(study: Study) -> CohortAbout:
    """Say what the cohort is, whether the endpoint suits it, and what a difference means."""
    about = resources.cohort_about(study.code)
    with st.container(horizontal=True, vertical_alignment="center"):
        if about.synthetic:
            st.badge("Synthetic cohort", icon=":material/experiment:", color="violet")
        st.badge(
            "Prognostic, not predictive",
            icon=":material/info:",
            color="gray",
            help="A difference holds under whatever treatment these patients had. That a drug "
            "works better in one group could only be seen from patients with and without it, "
            "assigned by chance; no cohort here has that.",
        )
    if note := _note(study, about):
        st.caption(note)
    if not about.shipped:
        st.caption(_who_is_followed(study))
    if not about.synthetic:
        fit = survival_results.suitability(study.code, study.endpoint)
        st.caption(
            f"{SUITABILITY[fit.verdict]} {study.endpoint} in {study.code}: **{fit.verdict}**. "
            f"{plain(fit.note)} ({plain(fit.source)})"
        )
    return about


def _note(study: Study, about: CohortAbout) -> str:
    """Return what to say of the cohort's data; "" for nothing."""
    return survival_results.score_note(study) or about.note


def _who_is_followed(study: Study) -> str:
    """Say how many patients have the endpoint, who is left out and why."""
    cohort = resources.cohort(study.code)
    left_out = cohort.exclusions(study.endpoint)
    n, n_out = len(cohort.clinical), sum(left_out.values())
    why = f"; left out: {plain(format_left_out(left_out))}" if left_out else ""
    return f"{n - n_out} of {n} patients can be followed for {study.endpoint}{why}."


def show_curves(session: Session, study: Study, about: CohortAbout) -> None:
    """Show Kaplan–Meier curves with their tests."""
    result = survival_results.comparison(study)
    figure = _curves(result, about)
    notes = _notes(study, about, result)
    panels.chart(
        figure,
        "survival",
        panels.TableView(
            "survival-summary", result.curves.summary, columns.SURVIVAL_SUMMARY, notes=notes
        ),
        panels.TableView(
            "survival-at-risk",
            result.curves.at_risk,
            columns.AT_RISK,
            caption="Number at risk: patients whose time is at least t.",
            notes=notes,
        ),
        panels.TableView(
            "survival-curves",
            result.curves.curve,
            columns.SURVIVAL_CURVE,
            caption="Every step of the curves, with 95 % intervals (log-log).",
            notes=notes,
        ),
    )
    if result.rmst is not None:
        st.markdown(f"**Restricted mean survival time:** {result.rmst.label}")
    _how_computed(study, about, result)
    with st.expander("Methods text", icon=":material/content_copy:"):
        st.code(_methods(study, about, result), language=None, wrap_lines=True)


def _curves(result: Comparison, about: CohortAbout) -> go.Figure:
    looked_at = None if result.q_value is None else (result.n_genes, result.q_value)
    return kaplan_meier_plot(
        result.curves, result.test, result.ratio, looked_at=looked_at, synthetic=about.synthetic
    )


def _methods(study: Study, about: CohortAbout, result: Comparison) -> str:
    """Return the methods text of what the curves show."""
    return survival_methods(
        SurvivalResults(
            cohort=about.name,
            variable=study.variable,
            curves=result.curves,
            test=None if result.optimal else result.test,
            ratio=result.ratio,
            rmst=result.rmst,
            cut=result.optimal,
            q_value=result.q_value,
            n_genes=result.n_genes,
            left_out=dict(result.left_out),
            synthetic=about.synthetic,
            fixed=study.cut == "fixed",
            note=_note(study, about),
            models=f"{resources.set_digest()[:16]}" if study.divider == "score" else "",
        )
    )


def _notes(study: Study, about: CohortAbout, result: Comparison) -> tuple[str, ...]:
    """Return what a downloaded table needs to be understood."""
    notes = (
        f"Cohort: {about.name}",
        f"Divided by: {study.variable}",
        f"Endpoint: {ENDPOINT_WORDS[study.endpoint]}",
        result.curves.description,
        f"Left out: {format_left_out(result.left_out) or 'nobody'}",
        _note(study, about),
    )
    return tuple(note for note in notes if note)


def _how_computed(study: Study, about: CohortAbout, result: Comparison) -> None:
    """Say who was left out and which tests were made."""
    many = "" if about.shipped else ": see *Every gene* for q-values"
    with st.expander("How this was computed"):
        st.markdown(
            f"- **Cohort:** {about.name}; {result.test.n} patients, {result.test.n_events} events. "
            f"Left out: {plain(format_left_out(result.left_out) or 'nobody')}.\n"
            f"- **Groups:** {result.curves.description} {_how_formed(study, result)}\n"
            "- **Curves:** Kaplan–Meier, 95 % intervals on the log-log scale; number at risk "
            "counts T ≥ t.\n"
            f"- **Test:** {_test_words(result.test)}. Looking at many genes until one is below "
            f"0.05 will find one{many}.\n"
            f"- **Without a cut:** Cox regression on the variable itself, {_ratio_words(result)}.\n"
        )


def _how_formed(study: Study, result: Comparison) -> str:
    """Say whether the groups were formed without the outcome, as far as anybody can know."""
    if result.optimal and study.cut == "fixed":
        return FIXED_AS_SEARCHED
    if result.optimal:
        return "The cut was searched for; p is corrected for that search."
    if study.cut == "fixed":
        return FIXED_CUT
    return "They are formed without the outcome."


def _test_words(test: LogRank) -> str:
    if test.p_hidden:
        return f"{test.test_name.lower()}, {test.p_label}"
    return f"{test.test_name.lower()}, {test.statistic_label}, {test.p_label}"


def _ratio_words(result: Comparison) -> str:
    if result.ratio is None:
        return "which cannot be assessed here"
    if result.ratio.p_hidden:
        return f"{result.ratio.label}, {result.ratio.p_label}"
    if result.q_value is None:
        return result.ratio.label
    return f"{result.ratio.label}; q = {result.q_value:.2g} over {result.n_genes:,} tests"


def show_adjusted(session: Session, study: Study, about: CohortAbout) -> None:
    """Show the hazard ratio beside age, sex, stage and purity, and the test within strata."""
    st.caption(
        "Cox regression on the variable itself (per standard deviation, no cut), with what is "
        "recorded of the patients held fixed."
    )
    model, not_adjusted = survival_results.adjusted(study)
    panels.chart(
        forest_plot(model, synthetic=about.synthetic),
        "forest",
        panels.TableView("forest", model.table, columns.FOREST, notes=(about.name, study.variable)),
    )
    if not_adjusted:
        st.caption(plain(not_adjusted))
    if (study.code, study.endpoint) in survival_results.looked_through():
        st.caption("No p-value here is corrected for the genes that were looked through.")
    _show_strata(study)


def _show_strata(study: Study) -> None:
    """Say what is left of the difference within stages and within each sex."""
    tests = survival_results.stratified(study)
    for word, test in tests.items():
        st.markdown(f"**Within {word}:** {_test_words(test)} ({test.n} patients).")
    if not tests:
        st.caption("No test within strata: none is recorded, or the cut was searched for.")


def show_landmark(session: Session, study: Study, about: CohortAbout) -> None:
    """Show curves of those who are still followed after some months."""
    st.caption(
        "Only patients who were still followed without the event at the landmark, counted from "
        "there. It shows whether a difference lies in the first months alone."
    )
    months = st.select_slider("Landmark, months", LANDMARKS, value=12)
    result = survival_results.from_landmark(study, float(months))
    panels.chart(
        _curves(result, about),
        "landmark",
        panels.TableView(
            "landmark-summary",
            result.curves.summary,
            columns.SURVIVAL_SUMMARY,
            notes=_notes(study, about, result),
        ),
    )
    _how_computed(study, about, result)


def show_cut(session: Session, study: Study, about: CohortAbout) -> None:
    """Show what a search over cuts finds, and what is left of it after correction."""
    from dataclasses import replace

    st.caption(
        "Cuts between the quartiles are searched. The best of them looks significant at 5 % for "
        "about one in four genes without any effect (four in ten where extreme cuts are "
        "allowed), so here the search itself is part of the test."
    )
    result = survival_results.comparison(replace(study, cut="optimal", cut_value=None))
    optimal = result.optimal
    assert optimal is not None
    panels.chart(
        cut_scan_plot(optimal, variable=study.variable, synthetic=about.synthetic),
        "cut-scan",
        panels.TableView(
            "cut-scan", optimal.scan, columns.CUT_SCAN, notes=(about.name, study.variable)
        ),
    )
    if optimal.cross_validated:
        st.markdown(f"**Cross-validated:** {optimal.cross_validated.label}.")


def show_screen(session: Session, study: Study, about: CohortAbout) -> None:
    """Show every gene of the cohort, corrected for their number."""
    st.caption(
        "Every measured gene of the cohort: Cox regression per standard deviation and log-rank at "
        "the median. q is the false discovery rate (Benjamini–Hochberg) over all genes tested."
    )
    table = survival_results.screen(study.code, study.endpoint)
    survival_results.looked_through().add((study.code, study.endpoint))
    unit = "log2(TPM + 1)" if resources.is_level(study.code) else "within-study z-scores"
    notes = (about.name, f"Endpoint: {ENDPOINT_WORDS[study.endpoint]}", *filter(None, [about.note]))
    figure = screen_volcano(
        table,
        selected=session.gene,
        endpoint=study.endpoint,
        unit=unit,
        synthetic=about.synthetic,
    )
    panels.chart(
        figure,
        "survival-screen",
        panels.TableView("survival-screen", table, columns.SURVIVAL_SCREEN, notes=notes),
    )
    leading = table.dropna(subset=["cox_q"]).nsmallest(6, "cox_p")["gene"]
    with st.container(horizontal=True):
        for gene in leading:
            st.button(
                gene,
                icon=":material/show_chart:",
                key=f"screen_{gene}",
                on_click=_take_gene,
                args=(gene,),
            )


def _take_gene(gene: str) -> None:
    session = load_session()
    session.gene, session.divider = gene, "gene"
    session.write_link()


PARTS: dict[str, Callable[[Session, Study, CohortAbout], None]] = {
    "Curves": show_curves,
    "Adjusted": show_adjusted,
    "From a landmark": show_landmark,
    "Searching a cut": show_cut,
    "Every gene": show_screen,
}


def parts(study: Study) -> dict[str, Callable[[Session, Study, CohortAbout], None]]:
    """Return the parts of the page; of aggregates, the curves alone."""
    if study.code in resources.shipped_cohorts():
        return {"Curves": show_curves}
    return PARTS

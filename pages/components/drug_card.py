"""What is known of a drug, independent of any sample."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import resources
from pages.components.messages import plain
from resvae_core.data.cancer_types import load_cancer_types
from resvae_core.data.drugs import load_drugs
from resvae_core.registry.pointer import SHIPPED

if TYPE_CHECKING:
    from pages.components.state import Session
    from resvae_core.data.cancer_types import CancerType
    from resvae_core.data.drugs import Drug


def show_drug(session: Session) -> None:
    """Show target, screen and label of the session's drug, and what to be careful about."""
    drug = load_drugs()[session.drug]
    if drug.low_confidence:
        st.warning(f"**Low confidence.** {plain(drug.low_confidence_reason)}")
    what, screen = st.columns(2)
    with what.container(border=True, height="stretch"):
        st.markdown(_identity(drug, session.cancer_type))
    with screen.container(border=True, height="stretch"):
        st.markdown(_screen(drug))
    if drug.note:
        st.caption(plain(drug.note))


def _identity(drug: Drug, code: str) -> str:
    lines = [
        f"**{drug.name}** · {drug.drug_class}",
        f"- Target: {plain(drug.target) or 'not annotated'}",
        f"- Pathway: {plain(drug.pathway) or 'not annotated'}",
        f"- Also called: {plain(', '.join(drug.synonyms)) or 'no other name on record'}",
    ]
    if code:
        kind = load_cancer_types()[code]
        lines.append(f"- {_first_line(drug.name, kind)}")
    return "\n".join(lines)


def _first_line(drug: str, kind: CancerType) -> str:
    """Say whether and in which setting a drug is a first treatment."""
    where = f"standard first treatments of {kind.name.lower()}"
    if drug not in kind.first_line_drugs:
        return f"Not part of {where}"
    return (
        f"Part of {where} in this setting: {plain(kind.setting_of(drug))}. The tool reads no "
        "mutations and does not know whether the setting is this patient's."
    )


def _screen(drug: Drug) -> str:
    models = resources.installed_models()
    drug = resources.as_labelled(drug)
    whose = "" if models is None or models.id == SHIPPED else " of the set that came with ResVAE"
    lines = [
        f"**Measured in {drug.screen}** (GDSC drug {drug.drug_id})",
        f"- {drug.n_training_lines} training cell lines{whose}, {drug.n_sensitive_lines} sensitive",
        f"- Sensitive: ln IC50 at or below {drug.threshold_ln_ic50:.2f} "
        f"({drug.threshold_um:.3g} µM); {plain(drug.threshold_source)}",
    ]
    if not math.isnan(drug.fraction_below_top_dose):
        lines.append(
            f"- IC50 below the top dose ({drug.top_dose_um:g} µM) in "
            f"{drug.fraction_below_top_dose:.0%} of lines; the rest is extrapolated"
        )
    return "\n".join(lines)

"""Whether the expression of a sample agrees with the cancer type that is stated for it.

A type may be left from the patient before, or come with a link. Where the expression suggests
another one, every page says so, and what is told of the type alone is held back until it is settled
which is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components import predictions
from pages.components.messages import plain
from pages.components.state import load_session
from resvae_core.data.cancer_types import load_cancer_types

if TYPE_CHECKING:
    from pages.components.state import Session
    from resvae_core.reporting import TypeCheck


def contradiction(session: Session) -> str:
    """Return the suggested type that contradicts the stated one; "" where none, or it is settled.

    Without a model that suggests types there is none.
    """
    return suggested_instead(session) if unsettled(session) else ""


def suggested_instead(session: Session) -> str:
    """Return the suggested type where it is another than the stated one, settled or not."""
    if not session.cancer_type:
        return ""
    suggested = predictions.suggested_type(session)
    return "" if suggested == session.cancer_type else suggested


def unsettled(session: Session) -> bool:
    """Tell whether a type may be offered: nobody said that the stated one is right."""
    return not session.cancer_type or session.kept_type != _settled(session)


def cohort_code(session: Session) -> str:
    """Return the type whose cohort the sample may be held against; "" where that is not settled."""
    return "" if contradiction(session) else session.cancer_type


def as_stated(session: Session) -> str:
    """Return the stated type for one line, and that it was kept where another one is suggested."""
    if not session.cancer_type:
        return "cancer type not stated"
    stated = f"{load_cancer_types()[session.cancer_type].name} stated"
    other = suggested_instead(session)
    if not other or unsettled(session):
        return stated
    return f"{stated} and kept, though the expression resembles {name(other)}"


def _settled(session: Session) -> str:
    """Return what stands for this sample with its stated type, without naming the sample."""
    position = session.samples.index(session.sample)
    return f"{session.parsed().qc.file_digest} {position} {session.cancer_type}"


def name(code: str) -> str:
    """Return a cancer type within a sentence; the code itself where it is not known."""
    types = load_cancer_types()
    full = types[code].name if code in types else code
    return f"{full[:1].lower()}{full[1:]}"


def found_in_words(session: Session, code: str) -> str:
    """Return that the expression resembles another type than the one stated."""
    return f"Expression resembles {name(code)}, but {name(session.cancer_type)} is stated"


def badge(session: Session) -> None:
    """Mark beside the range verdict that the stated type is contradicted."""
    if contradiction(session):
        st.badge("Cancer type contradicted", icon=":material/warning:", color="orange")


def warn(session: Session) -> None:
    """Warn on a page of numbers of a type that is contradicted, and offer to settle it."""
    code = contradiction(session)
    if not code:
        return
    stated = plain(name(session.cancer_type))
    with st.container(border=True):
        st.warning(
            f"**{plain(found_in_words(session, code))}:** floor and validation are those of "
            f"{stated}; place in the cohort and first-line marks are held back until it is settled "
            "which is right, on Upload & QC or here."
        )
        with st.container(horizontal=True):
            offer(session, code)


def offer(session: Session, code: str) -> None:
    """Offer the suggested type by one click, and to keep the stated one where there is one."""
    st.button(
        f"Use {name(code)}",
        key="use_type",
        icon=":material/check:",
        on_click=_use,
        args=[code],
    )
    if session.cancer_type:
        st.button(
            f"Keep {name(session.cancer_type)}",
            key="keep_type",
            help="Says that the stated type is right: what was held back is shown again",
            on_click=_keep,
        )


def _use(code: str) -> None:
    """Write the suggested type into the session and its link."""
    session = load_session()
    session.cancer_type = code
    session.write_link()


def _keep() -> None:
    """Write into the session that the stated type is right for this sample."""
    session = load_session()
    session.kept_type = _settled(session)


def for_report(session: Session) -> TypeCheck | None:
    """Return what a report says of it; None where there is no model that suggests types."""
    from resvae_core.reporting import TypeCheck

    if not predictions.can_suggest():
        return None
    suggested = predictions.suggested_type(session)
    held_back = bool(contradiction(session))
    full = load_cancer_types()[suggested].name if suggested else ""
    return TypeCheck(suggested, full, held_back, _report_words(session, held_back=held_back))


def _report_words(session: Session, *, held_back: bool) -> str:
    code = suggested_instead(session)
    if not code:
        return ""
    found, stated = found_in_words(session, code), name(session.cancer_type)
    if not held_back:
        return f"{found}; the stated type was kept by hand."
    return (
        f"{found}: floor and validation are those of {stated}; place in the cohort and standard "
        "first treatments are held back until it is settled which is right."
    )

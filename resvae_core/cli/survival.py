"""``survival``: what a gene, a signature or every gene has to do with survival in a cohort."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import typer

from resvae_core.cli.options import DataOption, OutOption, require_data, write_table
from resvae_core.config import RESEARCH_USE
from resvae_core.data.cohorts import DEMO, CohortData, Endpoint, load_cohort
from resvae_core.data.endpoints import suitability
from resvae_core.data.genes import load_gene_table
from resvae_core.errors import ConfigError, InputDataError, SurvivalDataError
from resvae_core.survival.comparison import Comparison, Division, compare
from resvae_core.survival.cox import HazardRatio
from resvae_core.survival.cox_model import CoxModel
from resvae_core.survival.groups import FIXED_AS_SEARCHED, FIXED_CUT
from resvae_core.survival.kaplan_meier import DAYS_PER_MONTH
from resvae_core.survival.log_rank import format_left_out
from resvae_core.survival.optimal_cut import OptimalCut
from resvae_core.tables import SurvivalOutcome

PROGNOSTIC = "Prognostic: it says nothing on a drug, since the treatment is not part of it."
RULES: dict[str, Division] = {
    "median": "median",
    "tertile": "tertile",
    "quartile": "quartile",
    "optimal": "optimal",
}
FEW_TOLD = 0.05
"""False discovery rate at which the number of genes is told."""


@dataclass(frozen=True)
class Study:
    """Patients of a cohort who can be followed for an endpoint."""

    cohort: CohortData
    endpoint: Endpoint
    outcome: SurvivalOutcome

    @property
    def values(self) -> pd.DataFrame:
        """Expression of the patients with an outcome."""
        return self.cohort.values.loc[self.outcome.patients]


def survival(
    data: DataOption = None,
    cohort: Annotated[
        str, typer.Option("--cohort", help="TCGA code of an installed cohort, or DEMO.")
    ] = DEMO,
    gene: Annotated[
        list[str] | None, typer.Option("--gene", help="A gene; repeat it for several.")
    ] = None,
    signature: Annotated[
        str | None,
        typer.Option(
            "--signature", help="Genes with commas between; a minus counts one the other way."
        ),
    ] = None,
    screen: Annotated[bool, typer.Option("--screen", help="Every gene that was measured.")] = False,
    endpoint: Annotated[
        Literal["OS", "DSS", "PFI", "DFI"], typer.Option("--endpoint", help="What is waited for.")
    ] = "OS",
    cut: Annotated[
        str | None,
        typer.Option(
            "--cut", help="median (default), tertile, quartile, optimal (p corrected), a number."
        ),
    ] = None,
    adjust: Annotated[
        bool,
        typer.Option(
            "--adjust",
            help="Cox model with age, sex, stage, purity where recorded: per SD, or of the groups "
            "of --cut.",
        ),
    ] = False,
    out: OutOption = None,
) -> None:
    """Relate survival to genes: log-rank of groups, Cox per SD, restricted mean survival time.

    Of genes and signatures a row each; several genes get q-values (Benjamini-Hochberg over the
    genes that are named). With --adjust a row a coefficient. With --screen a row a gene, log-rank
    and Cox, q over the whole genome. What cannot be assessed is empty, with a note.
    """
    _check_question(gene, signature, screen, adjust)
    division = _division(cut or "median")
    study = _study(data, cohort, endpoint)
    if screen:
        table = _screen(study, division)
    elif adjust:
        table = _adjusted(study, _variables(study, gene, signature), division if cut else None)
    else:
        table = _compared(study, _variables(study, gene, signature), division)
    write_table(_label(table, study), out)
    if isinstance(division, tuple) and "maximal_statistic" not in table:
        typer.echo(FIXED_CUT, err=True)
    _say(study)


def _check_question(
    gene: list[str] | None, signature: str | None, screen: bool, adjust: bool
) -> None:
    n_asked = bool(gene) + (signature is not None) + screen
    if n_asked != 1:
        raise ConfigError(
            f"{n_asked} of --gene, --signature and --screen were given; one was expected.",
            remedy="Use one of them.",
        )
    if screen and adjust:
        raise ConfigError(
            "A screen is not adjusted; --screen and --adjust were both given.",
            remedy="Screen first, then name the genes with --gene and --adjust.",
        )


def _division(cut: str) -> Division:
    if cut in RULES:
        return RULES[cut]
    remedy = "Use median, tertile, quartile, optimal, or a number in the unit of the gene."
    try:
        value = float(cut)
    except ValueError:
        raise ConfigError(f"--cut {cut!r} is neither a number nor a rule.", remedy=remedy) from None
    if not np.isfinite(value):
        raise ConfigError(f"--cut {cut!r} is not a number to cut at.", remedy=remedy)
    return "fixed", value


def _study(data: Path | None, code: str, endpoint: Endpoint) -> Study:
    cohort = load_cohort(None if code.upper() == DEMO else require_data(data), code)
    return Study(cohort, endpoint, cohort.outcome(endpoint))


def _variables(
    study: Study, genes: list[str] | None, signature: str | None
) -> dict[str, pd.Series[float]]:
    """Return what divides the patients, by name; a patient without a value is not in it."""
    if signature is not None:
        from resvae_core.survival.signature import signature_score

        scored = signature_score(study.values, signature.split(","))
        typer.echo(scored.description, err=True)
        return {"signature": scored.scores}
    current = dict.fromkeys(load_gene_table().canonical([name.strip() for name in genes or ()]))
    unknown = [name for name in current if name not in study.values.columns]
    if unknown:
        raise InputDataError(
            f"{', '.join(unknown)} was not measured in cohort {study.cohort.code}; it has "
            f"{study.values.shape[1]:,} genes.",
            remedy="Check the symbol, or use another cohort.",
        )
    return {name: study.values[name].astype(float).dropna() for name in current}


def _compared(
    study: Study, variables: dict[str, pd.Series[float]], division: Division
) -> pd.DataFrame:
    """Compare by each variable; of several, one that cannot be compared is a note."""
    from resvae_core.survival.screen import q_values

    rows: list[dict[str, Any]] = []
    left_out = study.cohort.exclusions(study.endpoint)
    for name, values in variables.items():
        try:
            found = compare(study.outcome, values, division, left_out=left_out)
            rows.append({"variable": name} | _row(found))
            _say_search(name, found, entered=isinstance(division, tuple))
        except SurvivalDataError as error:
            if len(variables) == 1:
                raise
            rows.append({"variable": name, "note": error.message})
    table = pd.DataFrame(rows)
    if len(variables) > 1:
        for p, q in (("p_value", "q_value"), ("cox_p", "cox_q")):
            if p in table:
                place = list(table.columns).index(p) + 1
                table.insert(place, q, q_values(table[p].to_numpy(float)))
    return table


def _row(found: Comparison) -> dict[str, Any]:
    """Write a comparison as one row; p of small groups stays hidden, and with it the statistic."""
    lowest, highest = (found.curves.summary.iloc[place] for place in (0, -1))
    test = found.test
    row = {
        "groups": found.curves.description,
        "n": test.n,
        "n_events": test.n_events,
        "n_excluded": sum(found.left_out.values()),
        "left_out": format_left_out(found.left_out),
        "n_lowest": lowest["n"],
        "n_highest": highest["n"],
        "median_months_lowest": lowest["median_months"],
        "median_months_highest": highest["median_months"],
        "test": test.test_name,
        **_statistic(found),
        "p_value": np.nan if test.p_hidden else test.p_value,
    }
    columns = row | _ratio(found.ratio) | _means(found) | _cross_validated(found.optimal)
    return columns | {"note": "; ".join(_row_notes(found))}


def _statistic(found: Comparison) -> dict[str, float | None]:
    """Return chi-squared with its degrees of freedom, or M of a cut that was searched for."""
    test = found.test
    if found.optimal:
        return {"maximal_statistic": np.nan if test.p_hidden else found.optimal.statistic}
    if test.p_hidden:
        return {"chi_squared": np.nan, "dof": None}
    return {"chi_squared": test.statistic, "dof": test.dof}


def _row_notes(found: Comparison) -> list[str]:
    """Say why something is empty."""
    notes = [found.test.p_label] if found.test.p_hidden else []
    if found.ratio is None:
        notes.append("no hazard ratio could be estimated")
    elif found.ratio.p_hidden:
        notes.append(f"Cox: {found.ratio.p_label}")
    if found.optimal is None and found.rmst is None:
        notes.append("restricted mean survival not assessable")
    checked = found.optimal.cross_validated if found.optimal else None
    if checked is not None and checked.p_hidden:
        notes.append(checked.label)
    return notes


def _ratio(ratio: HazardRatio | None) -> dict[str, float]:
    names = ("hazard_ratio", "lower", "upper", "p_value", "proportional_hazards_p")
    numbers = [np.nan if ratio is None else float(getattr(ratio, name)) for name in names]
    if ratio is not None and ratio.p_hidden:
        numbers[-2:] = [np.nan, np.nan]
    columns = ("hazard_ratio_per_sd", "lower", "upper", "cox_p", "proportional_hazards_p")
    return dict(zip(columns, numbers, strict=True))


def _cross_validated(cut: OptimalCut | None) -> dict[str, float]:
    """Return what the search gives on patients that did not choose the cut."""
    if cut is None or cut.cross_validated is None:
        return {}
    checked = cut.cross_validated
    ratio = None if checked.p_hidden else checked.hazard_ratio
    row = {"cross_validated_p": np.nan if checked.p_hidden else checked.p_value}
    for name in ("hazard_ratio", "lower", "upper"):
        number = np.nan if ratio is None else float(getattr(ratio, name))
        row[f"cross_validated_{name}"] = number
    return row


def _say_search(name: str, found: Comparison, *, entered: bool) -> None:
    """Say how a cut was found, and what it gives on held-out patients."""
    if found.optimal is None:
        return
    said = f"{name}: {found.optimal.label}."
    if found.optimal.cross_validated is not None:
        said += f" With the cut chosen on the others: {found.optimal.cross_validated.label}."
    typer.echo(f"{said} {FIXED_AS_SEARCHED}" if entered else said, err=True)


def _means(found: Comparison) -> dict[str, float]:
    """Restricted means; of groups chosen by their survival no uncorrected test may be told."""
    rmst = None if found.optimal else found.rmst
    months = np.nan if rmst is None else rmst.tau_days / DAYS_PER_MONTH
    row = {"rmst_months": months}
    for name in ("difference", "lower", "upper"):
        row[f"rmst_{name}_months"] = np.nan if rmst is None else getattr(rmst, f"{name}_months")
    return row | {"rmst_p": np.nan if rmst is None or rmst.p_hidden else rmst.p_value}


def _adjusted(
    study: Study, variables: dict[str, pd.Series[float]], division: Division | None
) -> pd.DataFrame:
    """Fit a Cox model of each variable with the covariates; a row a coefficient."""
    from resvae_core.survival import covariates_of, cox_adjusted, group_by_expression

    if division == "optimal":
        raise ConfigError(
            "Groups of an optimal cut were chosen by their survival; a Cox model of them would "
            "have too small a p-value.",
            remedy="Leave --cut out for the ratio per SD, or set the cut beforehand.",
        )
    covariates = covariates_of(study.cohort.clinical)
    tables = []
    for name, values in variables.items():
        divided = group_by_expression(values, division) if division else values
        model = cox_adjusted(study.outcome, divided, covariates.table, name=name)
        tables.append(model.table.assign(variable=name))
        _say_model(model)
    if covariates.note:
        typer.echo(covariates.note, err=True)
    table = pd.concat(tables, ignore_index=True)
    return table[["variable", *table.columns.drop("variable")]]


def _say_model(model: CoxModel) -> None:
    said = [
        f"{model.name}: {model.n} patients, {model.n_events} events, C-index "
        f"{model.concordance:.3f}; adjusted for {', '.join(model.adjusted_for) or 'nothing'}."
    ]
    left_out = format_left_out(model.left_out)
    said += [f"Left out: {left_out}."] if left_out else []
    typer.echo(" ".join([*said, *model.notes]), err=True)


def _screen(study: Study, division: Division) -> pd.DataFrame:
    from resvae_core.survival.screen import screen_genes

    if division == "optimal":
        raise ConfigError(
            "A screen takes one cut for all genes by a rule that does not see survival.",
            remedy="Use --cut median or a number; search for a cut with --gene.",
        )
    table = screen_genes(study.outcome, study.values, division)
    for test, words in (("log_rank", "log-rank"), ("cox", "Cox")):
        tested, found = table[f"{test}_p"].notna().sum(), (table[f"{test}_q"] < FEW_TOLD).sum()
        typer.echo(f"{words}: {tested:,} genes tested, {found:,} with q < {FEW_TOLD}.", err=True)
    return table.sort_values(["cox_p", "gene"], kind="stable")


def _label(table: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Put cohort and endpoint in front; synthetic patients are called so in every row."""
    code = study.cohort.code + (" (synthetic)" if study.cohort.synthetic else "")
    table.insert(0, "cohort", code)
    table.insert(1, "endpoint", study.endpoint)
    return table


def _say(study: Study) -> None:
    """Say on whom it rests and how far it goes."""
    left_out = format_left_out(study.cohort.exclusions(study.endpoint))
    if left_out:
        typer.echo(f"Patients left out of {study.cohort.code}: {left_out}.", err=True)
    fit = suitability(study.cohort.code, study.endpoint, study.outcome)
    source = f" ({fit.source})" if fit.source else ""
    typer.echo(
        f"{study.endpoint} in {study.cohort.code}: {fit.verdict}. {fit.note}{source}", err=True
    )
    for text in (study.cohort.note, PROGNOSTIC, f"{RESEARCH_USE}."):
        if text:
            typer.echo(text, err=True)

"""Explaining one model's score of one drug for every patient of a cohort."""

from __future__ import annotations

import hashlib
import shutil
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resvae_core.access.audit import as_subject
from resvae_core.config import data_folder
from resvae_core.durable_files import writing
from resvae_core.errors import ConfigError, InputDataError
from resvae_core.jobs.audit_lines import record_in_job
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.sources import code_digest
from resvae_core.jobs.tasks import Task

if TYPE_CHECKING:
    import pandas as pd

    from resvae_core.models.model_set import ModelSet
    from resvae_core.tables import Expression

CHUNK = 32
"""Patients that are explained at a time."""
FEW_CHUNKS = 4
N_GENES = 40
"""Genes with the largest mean attribution that are kept."""
RESULT_FILE = "attributions.parquet"
ARGUMENTS = ("cohort", "drug", "model", "set_digest")
EXPRESSION = "expression"
"""Under which name the job records the digest of the cohort's expression (`Expression.digest`)."""


def check(arguments: dict[str, Any]) -> None:
    """Check that the arguments are the names of a cohort, a drug, a model and a model set.

    Raises
    ------
    ConfigError
        If one is missing, or is no text, or there are others.
    """
    texts = all(isinstance(value, str) for value in arguments.values())
    if set(arguments) != set(ARGUMENTS) or not texts:
        raise ConfigError(
            f"Explaining a cohort was asked for with {', '.join(sorted(arguments)) or 'nothing'}.",
            remedy=f"Give these, as texts: {', '.join(ARGUMENTS)}.",
        )


def title(arguments: dict[str, Any]) -> str:
    """Return what the job is called."""
    return "Explain {cohort}: {drug}, {model}".format(**arguments)


def attribute_cohort(context: JobContext) -> dict[str, Any]:
    """Explain every patient of a cohort, a few at a time, and keep the genes that count.

    Chunks that an earlier attempt finished are not computed again, unless the cohort or the program
    is another one by now: then all of them are. The table in the job's folder
    has the columns sample, gene, value (log2(TPM + 1)), attribution (log-odds of resistance), for
    the `N_GENES` genes with the largest mean absolute attribution, largest first.

    Returns
    -------
    dict
        ``file`` and ``rows`` of the table.

    Raises
    ------
    InputDataError, ExpressionUnitsError
        If the cohort is not installed, or only as z-scores, or is installed anew meanwhile.
    """
    import pandas as pd

    _record(context)
    context.report(step="Loading the cohort")
    _expression.cache_clear()
    expression = _expression(context.arguments["cohort"])
    digest = expression.digest()
    context.describe(data_digests={EXPRESSION: digest})
    parts = _folder_of_parts(context.folder, digest)
    starts = list(range(0, len(expression.samples), CHUNK))
    _explain_missing(context, parts, len(expression.samples), starts, digest)
    found = pd.concat([pd.read_parquet(_part(parts, start)) for start in starts])
    table = _tidy(found, expression)
    _write(table, context.folder / RESULT_FILE)
    return {"file": RESULT_FILE, "rows": len(table)}


def _record(context: JobContext) -> None:
    asked = context.arguments
    subject = as_subject("cohort", "{cohort}/{drug}/{model}".format(**asked))
    record_in_job(context, "cohort.explained", model_set=asked["set_digest"], subject=subject)


def explain_chunk(start: int, arguments: dict[str, str]) -> pd.DataFrame:
    """Explain `CHUNK` patients from one on; return samples × genes, log-odds of resistance.

    Parameters
    ----------
    start
        Number of the first patient, from 0.
    arguments
        Of the job, and the digest of the cohort's expression (`EXPRESSION`).

    Raises
    ------
    InputDataError
        If the cohort is another one by now.
    """
    import pandas as pd

    from resvae_core.compute import one_thread
    from resvae_core.explain.attribution import attribution_matrix
    from resvae_core.tables import Expression

    expression = _expression_as_begun(arguments["cohort"], arguments[EXPRESSION])
    model_set = _model_set(arguments["set_digest"], arguments["model"])
    model = model_set.model(arguments["model"])
    some = Expression(expression.values.iloc[start : start + CHUNK])
    with one_thread():
        found = attribution_matrix(model, model_set.samples(some), arguments["drug"]).values
    return pd.DataFrame(found, index=some.samples, columns=list(model.genes_))


def _folder_of_parts(folder: Path, digest: str) -> Path:
    """Return where parts lie, named by what decides them; remove those of anything else."""
    decisive = hashlib.sha256(f"{digest} {code_digest()}".encode()).hexdigest()
    parts = folder / f"parts-{decisive[:16]}"
    for left in folder.glob("parts*"):
        if left != parts:
            shutil.rmtree(left)
    parts.mkdir(parents=True, exist_ok=True)
    return parts


def _explain_missing(
    context: JobContext, parts: Path, total: int, starts: list[int], digest: str
) -> None:
    from resvae_core.engine.engine import open_engine

    missing = [start for start in starts if not _part(parts, start).is_file()]
    shared = context.arguments | {EXPRESSION: digest}
    done = total - sum(min(CHUNK, total - start) for start in missing)
    context.report(step="Explaining patients", done=done, total=total)
    # starting workers takes longer than to explain a few patients here
    with open_engine("serial") if len(missing) <= FEW_CHUNKS else context.engine() as engine:
        for place, table in engine.map(explain_chunk, missing, shared=shared):
            _write(table, _part(parts, missing[place]))
            done += len(table)
            context.report(done=done)


def _expression_as_begun(cohort: str, digest: str) -> Expression:
    """Return what the job began with; a worker may still hold what an earlier job began with."""
    for _ in range(2):
        expression = _expression(cohort)
        if expression.digest() == digest:
            return expression
        _expression.cache_clear()
    raise InputDataError(
        f"The cohort {cohort} was installed anew while it was explained.",
        remedy="Resume the job: every patient is then explained from the new data.",
    )


@lru_cache(maxsize=1)
def _expression(cohort: str) -> Expression:
    from resvae_core.data.cohorts import DEMO, load_cohort

    return load_cohort(None if cohort == DEMO else data_folder(), cohort).expression


@lru_cache(maxsize=1)
def _model_set(digest: str, model: str) -> ModelSet:
    from resvae_core.registry.library import find_digest
    from resvae_core.registry.store import load_model_set

    return load_model_set(find_digest(digest).folder, kinds=(model,))


def _part(parts: Path, start: int) -> Path:
    return parts / f"{start:06d}.parquet"


def _write(table: pd.DataFrame, path: Path) -> None:
    """Write a table so that it is there whole or not at all."""
    with writing(path) as stream:
        table.to_parquet(stream)


def _tidy(attributions: pd.DataFrame, expression: Expression) -> pd.DataFrame:
    """Keep the genes that count, one row a gene and patient."""
    import pandas as pd

    genes = attributions.abs().mean().nlargest(N_GENES).index
    values = expression.values.reindex(columns=genes)
    return pd.DataFrame(
        {
            "sample": attributions.index.to_numpy().repeat(len(genes)),
            "gene": list(genes) * len(attributions),
            "value": values.to_numpy(float).ravel(),
            "attribution": attributions[genes].to_numpy(float).ravel(),
        }
    )


ATTRIBUTE = Task(
    name="attribute_cohort",
    title=title,
    run=attribute_cohort,
    permission="score",
    lane="scoring",
    resumable=True,
    check=check,
)

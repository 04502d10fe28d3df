"""What findings are computed from: asked for before hours are spent, and what they can do without.

Everything that `data fetch` installs can be demanded. Recorded responses and a second form of a
cohort cannot be fetched: tables that rest on them are left out where they are not installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from resvae_core.data.cohorts import FORM_FILES, list_cohorts, list_forms
from resvae_core.data.drug_response import RESPONSE_FILE
from resvae_core.data.receipts import read_receipt, require_intact
from resvae_core.data.screens import require_source_files
from resvae_core.data.transfer_drugs import TRANSFER_COHORTS, load_transfer_drugs
from resvae_core.errors import ArtifactError, ConfigError, InputDataError
from resvae_core.evaluation.alignment import BOTH_FORMS
from resvae_core.explain.maps import LATENT_MODEL
from resvae_core.models.base import TUMOURS
from resvae_core.models.ensemble import Ensemble
from resvae_core.registry.evidence import ALIGNMENT, RESPONSE
from resvae_core.registry.store import read_contents
from resvae_core.registry.training_request import Problem

DATA, MODELS = "data", "set"
"""At fault: what is installed, or the model set."""
NEEDED_MODELS = (Ensemble.kind, LATENT_MODEL)


def require_needs(folder: Path | None, models: Path) -> None:
    """Refuse what findings cannot be computed from; no matrix is read.

    Parameters
    ----------
    folder
        Folder of installed data; None where there is none.
    models
        Folder of the model set.

    Raises
    ------
    InputDataError
        If data are at fault, or data and the set. It names every problem with its remedy.
    ConfigError
        If the set alone is. It names every problem with its remedy.
    ArtifactError
        If the set cannot be read.
    """
    problems = [*_problems_of_data(folder), *_problems_of_set(models)]
    if not problems:
        return
    message = "The findings cannot be computed: " + " ".join(one.message for one in problems)
    remedy = " ".join(dict.fromkeys(one.remedy for one in problems))
    if any(one.field == DATA for one in problems):
        raise InputDataError(message, remedy=remedy)
    raise ConfigError(message, remedy=remedy)


def tables_left_out(folder: Path) -> dict[str, str]:
    """Return the tables that the installed data do not suffice for, each with what is missing.

    Returns
    -------
    dict
        Name of a table of `evidence.OPTIONAL` to words that follow "because".
    """
    found = {}
    if not (folder / RESPONSE_FILE).is_file():
        found[RESPONSE] = f"{RESPONSE_FILE} is not installed"
    lacking = [code for code in BOTH_FORMS if "zscore" not in list_forms(folder, code)]
    if lacking:
        files = [FORM_FILES["zscore"].format(code=code) for code in lacking]
        found[ALIGNMENT] = f"{' and '.join(files)} {_is(files)} not installed"
    return found


def _problems_of_data(folder: Path | None) -> Iterator[Problem]:
    if folder is None:
        expected = f"cell lines and {', '.join(TRANSFER_COHORTS)}"
        message = f"There is no data folder; {expected} were expected."
        yield Problem(DATA, message, "Fetch them, or set RESVAE_DATA.")
        return
    try:
        require_source_files(folder)
    except (InputDataError, ArtifactError) as error:
        yield Problem(DATA, error.message, error.remedy)
    yield from _problems_of_cohorts(folder)
    for key in ("clinical", *map(_key, TRANSFER_COHORTS)):
        receipt = read_receipt(folder, key)
        files = receipt.files if receipt is not None else ()
        try:
            require_intact(folder, [folder / file.path for file in files])
        except ArtifactError as error:
            yield Problem(DATA, error.message, error.remedy)


def _problems_of_cohorts(folder: Path) -> Iterator[Problem]:
    """Say which cohorts lack expression, the form of it that is read, or survival."""
    forms = {code: list_forms(folder, code) for code in TRANSFER_COHORTS}
    followed = list_cohorts(folder)
    if absent := [code for code in TRANSFER_COHORTS if not forms[code]]:
        yield Problem(
            DATA,
            f"{', '.join(absent)} {_is(absent)} not installed; the findings are about "
            f"{', '.join(TRANSFER_COHORTS)}.",
            f"Fetch {', '.join(map(_key, absent))}.",
        )
    elif not any("log2tpm" in found for found in forms.values()):
        yield Problem(
            DATA,
            f"{', '.join(TRANSFER_COHORTS)} are installed, but none of them genome-wide in "
            "log2(TPM + 1), which one at least was expected to be.",
            f"Fetch {_key(TRANSFER_COHORTS[0])}.",
        )
    if unfollowed := [code for code in TRANSFER_COHORTS if forms[code] and code not in followed]:
        yield Problem(
            DATA,
            f"Of {', '.join(unfollowed)} expression is installed, but no survival.",
            "Fetch clinical.",
        )


def _problems_of_set(models: Path) -> Iterator[Problem]:
    contents = read_contents(models)
    if missing := [kind for kind in NEEDED_MODELS if kind not in contents.models]:
        yield Problem(
            MODELS,
            f"The model set {contents.name} has no {' and no '.join(missing)}, which biomarkers "
            "and maps are made with.",
            "Train a set with all models.",
        )
    asked = {drug.drug for drugs in load_transfer_drugs().values() for drug in drugs}
    if unknown := sorted(asked - set(contents.drugs)):
        yield Problem(
            MODELS,
            f"The model set {contents.name} was not trained on {', '.join(unknown)}, which the "
            "findings are about.",
            "Train a set with all drugs.",
        )
    if TUMOURS not in contents.references:
        yield Problem(
            MODELS,
            f"The model set {contents.name} has no reference tumours, by which patients are read.",
            "Fetch tcga-luad and tcga-gbm, then train a set.",
        )


def _key(code: str) -> str:
    """Return the key of the data set that a cohort is fetched by."""
    return f"tcga-{code.lower()}"


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"

"""Fetching, verifying and removing data sets, gene sets and encoders' weights as jobs.

The process that shows pages need not be one that may write the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from resvae_core.data.download import PATIENT, Trying
from resvae_core.errors import ArtifactError, ConfigError, JobCancelledError
from resvae_core.jobs.audit_lines import asker
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.data_sets import Request, fetch, find_entry, licences_of, remove, verify
from resvae_core.jobs.tasks import Task

MEGABYTE = 1_000_000
ARGUMENTS: Mapping[str, type] = {"key": str, "accept_licence": bool, "again": bool}
FURTHER = frozenset({"again"})
"""Arguments that may be left out."""


def check(arguments: dict[str, Any]) -> None:
    """Check that the key is known, and the licence accepted where that is asked for.

    Raises
    ------
    ConfigError
        If an argument is missing, of another type or not known; if a licence was not accepted; or
        if the files must be placed by hand.
    CatalogError
        If nothing has that key.
    """
    known = arguments.keys() <= ARGUMENTS.keys() and arguments.keys() >= ARGUMENTS.keys() - FURTHER
    if not known or any(type(value) is not ARGUMENTS[name] for name, value in arguments.items()):
        raise ConfigError(
            f"Fetching was asked for with {', '.join(sorted(arguments)) or 'nothing'}.",
            remedy="Give key (a text) and accept_licence (true or false); again if you like.",
        )
    for entry in licences_of(arguments["key"]):
        if entry.requires_acceptance and not arguments["accept_licence"]:
            raise ConfigError(
                f"The licence of {entry.title} was not accepted: {entry.licence}.",
                remedy=f"Read {entry.licence_url}, and accept it if you do.",
            )
        if not entry.can_be_fetched:
            raise ConfigError(
                f"{entry.title} has files without an address that could be fetched.",
                remedy=f"Download them from {entry.homepage}, and place them: python -m "
                f"resvae_core data fetch {entry.key} --from FOLDER --accept-licence.",
            )


def title(arguments: dict[str, Any]) -> str:
    """Return what the job is called."""
    return f"Fetch {find_entry(arguments['key']).title}"


def run(context: JobContext) -> dict[str, Any]:
    """Fetch it; a run that was interrupted goes on where the transfer stopped.

    Returns
    -------
    dict
        ``key``, ``files`` (how many were installed; 0 where all was there) and ``digests`` (path to
        SHA-256).
    """
    key = context.arguments["key"]
    context.report(step="Looking what is needed")
    request = Request(
        accept_licence=context.arguments["accept_licence"],
        again=context.arguments.get("again", False),
        progress=_telling(context),
        cancelled=lambda: _is_cancelled(context),
        patience=replace(PATIENT, trying=_telling_tries(context)),
    )
    # only a steward could ask for it
    facts = fetch(key, request, actor=asker(context, "steward"))
    for fact in facts:
        context.log(f"{fact.path}: SHA-256 {fact.sha256[:16]}…, {fact.vouched}")
    digests = {fact.path: fact.sha256 for fact in facts}
    context.describe(data_digests=digests)
    context.report(step="Installed", done=1, total=1)
    return {"key": key, "files": len(facts), "digests": digests}


def check_key(arguments: dict[str, Any]) -> None:
    """Check that the one argument is the key of something that is installed or has begun to arrive.

    Raises
    ------
    ConfigError
        If there is another argument, or it is no text.
    CatalogError
        If nothing has that key.
    ArtifactError
        If nothing of it is there.
    """
    if set(arguments) != {"key"} or not isinstance(arguments["key"], str):
        raise ConfigError(
            f"Data were named by {', '.join(sorted(arguments)) or 'nothing'}.",
            remedy="Give key (a text), as `data list` shows it.",
        )
    if find_entry(arguments["key"]).state == "missing":
        raise ArtifactError(
            f"{arguments['key']!r} is not installed.",
            remedy="`data list` shows what is installed.",
        )


def run_verification(context: JobContext) -> dict[str, Any]:
    """Read every installed file and compare it.

    Returns
    -------
    dict
        ``key``, ``files`` (how many) and ``found``: of each file its path, state, SHA-256 and who
        vouches for it, as in `data_sets.FileFact`.
    """
    context.report(step="Reading files")
    key = context.arguments["key"]
    facts = verify(key, actor=asker(context, "steward"))
    context.describe(data_digests={fact.path: fact.sha256 for fact in facts})
    context.report(step="Compared", done=1, total=1)
    return {"key": key, "files": len(facts), "found": [asdict(fact) for fact in facts]}


def run_removal(context: JobContext) -> dict[str, Any]:
    """Remove what was installed; a run that was interrupted goes on with what is left.

    Returns
    -------
    dict
        ``key``.
    """
    context.report(step="Removing files")
    key = context.arguments["key"]
    # an earlier attempt that was killed may have removed all of it
    if context.attempt == 1 or find_entry(key).state != "missing":
        remove(key, actor=asker(context, "steward"))
    context.report(step="Removed", done=1, total=1)
    return {"key": key}


def _telling(context: JobContext) -> Any:
    """Return what reports bytes as megabytes, so that the figures can be read."""

    def tell(done: int, total: int | None) -> None:
        of_all = 0 if total is None else max(total // MEGABYTE, 1)
        context.report(
            done=min(done // MEGABYTE, of_all) if of_all else done // MEGABYTE, total=of_all
        )

    return tell


def _telling_tries(context: JobContext) -> Trying:
    """Return what names the host that is asked, and which try it is where one has failed."""

    def tell(host: str, number: int, tries: int) -> None:
        again = f"Trying {host} again ({number} of {tries})"
        context.report(step=f"Fetching from {host} (MB)" if number == 1 else again)

    return tell


def _is_cancelled(context: JobContext) -> bool:
    try:
        context.check()
    except JobCancelledError:
        return True
    return False


FETCH = Task(
    name="fetch",
    title=title,
    run=run,
    permission="fetch",
    lane="fetch",
    resumable=True,
    check=check,
)
VERIFY = Task(
    name="verify-data",
    title=lambda arguments: f"Verify {find_entry(arguments['key']).title}",
    run=run_verification,
    permission="fetch",
    lane="fetch",
    resumable=True,
    check=check_key,
)
REMOVE = Task(
    name="remove-data",
    title=lambda arguments: f"Remove {find_entry(arguments['key']).title}",
    run=run_removal,
    permission="fetch",
    lane="fetch",
    resumable=True,
    check=check_key,
)

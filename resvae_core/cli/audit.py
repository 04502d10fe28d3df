"""``audit``: who did what, and whether the trail is as it was written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from resvae_core.access import audit
from resvae_core.access.roles import COMMAND_LINE
from resvae_core.cli.options import write_table
from resvae_core.errors import ConfigError

program = typer.Typer(help="The audit trail.", no_args_is_help=True)

SHOWN = 50
SinceOption = Annotated[
    str, typer.Option("--since", help="First day or moment, ISO 8601, in UTC: 2026-11-01.")
]
UntilOption = Annotated[str, typer.Option("--until", help="Day or moment to stop before.")]


@program.command("list")
def list_lines(
    since: SinceOption = "",
    until: UntilOption = "",
    action: Annotated[
        str, typer.Option("--action", help="An action, or the part before its point: settings.")
    ] = "",
    who: Annotated[str, typer.Option("--who", help="Part of an account's name.")] = "",
    csv: Annotated[
        Path | None, typer.Option("--csv", help="CSV to write all matching lines to.")
    ] = None,
) -> None:
    """List the latest lines, or write all that match to a file."""
    filters = audit.Filters(
        since=_moment(since), until=_moment(until), who=who, action=_action(action)
    )
    if csv is not None:
        audit.record("export.audit", actor=COMMAND_LINE, subject="table:audit")
        write_table(audit.entries(actor=COMMAND_LINE, **filters, limit=None), csv)
        return
    for line in reversed(audit.find_lines(actor=COMMAND_LINE, **filters, limit=SHOWN)):
        parts = (line.subject, line.model_set, line.file_digest[:12])
        typer.echo(
            f"{line.sequence:>6}  {line.time[:19].replace('T', ' ')}  {line.actor} ({line.role})  "
            f"{audit.ACTIONS.get(line.action, line.action)}  {'  '.join(filter(None, parts))}"
        )


@program.command("verify")
def verify() -> None:
    """Read every line; exit code 2 and the first broken line if one was changed or is missing."""
    report = audit.require_whole(actor=COMMAND_LINE)
    typer.echo(report.sentence())
    typer.echo(f"Worth noting down elsewhere: {report.n_lines} {report.head}")


@program.command("continue")
def go_on() -> None:
    """Go on with a trail that was cut or exchanged, from what is there: where no backup mends it.

    Nothing can be recorded until then. The trail gets a line that says so, with the head that was
    noted before, and the old head file is kept. With several state folders, run it in each.
    """
    number = audit.continue_trail(actor=COMMAND_LINE)
    typer.echo(f"The trail goes on: line {number} says that it does not follow its noted head.")


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is no moment.", remedy="Write it as 2026-11-01 or 2026-11-01T12:00."
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _action(name: str) -> str:
    groups = {action.partition(".")[0] for action in audit.ACTIONS}
    if not name or name in audit.ACTIONS or name in groups:
        return name
    raise ConfigError(
        f"{name!r} is no action of the audit trail.",
        remedy=f"Use one of {', '.join(audit.ACTIONS)}, or the part before the point.",
    )

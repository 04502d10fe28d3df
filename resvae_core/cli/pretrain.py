"""``pretrain``: train the shipped encoders on unlabelled expression."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resvae_core.cli.options import DataOption, require_data
from resvae_core.config import artifacts_folder
from resvae_core.encoders.shipped import SHIPPED_NAMES, shipped_folder

if TYPE_CHECKING:
    import pandas as pd

    from resvae_core.training.pretraining import Progress


class Choice(StrEnum):
    """Which encoders to train."""

    LARGE = "large"
    SMALL = "small"
    ALL = "all"


def pretrain(
    encoder: Annotated[Choice, typer.Argument(help="large, small or all.")] = Choice.ALL,
    data: DataOption = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    checkpoints: Annotated[
        Path | None,
        typer.Option(help="Folder of checkpoints; artifacts/pretraining by default."),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.0, help="Least time between two checkpoints.")
    ] = 30.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the encoders; models/encoders by default.")
    ] = None,
) -> None:
    """Pretrain the large and the small expression encoder, judge them, and save them.

    Reads expression of cell lines and tumours, no drug response: that is read only to judge the
    finished encoder. Stopped at any moment, the same command goes on from the last checkpoint.
    """
    from resvae_core.registry.encoder_release import release

    folder = require_data(data)
    for name in SHIPPED_NAMES if encoder is Choice.ALL else (encoder.value,):
        target = shipped_folder(name) if out is None else out / name
        typer.echo(f"Pretraining the {name} encoder …", err=True)
        reported = _Printer(name)
        figures = release(
            name,
            folder,
            target,
            device=device,
            checkpoints=checkpoints or artifacts_folder() / "pretraining",
            seconds=seconds,
            report=reported,
        )
        _print_figures(figures)
        typer.echo(f"Encoder {name} saved in {target}.")


class _Printer:
    """Prints a line when an epoch ends."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._printed = 0

    def __call__(self, progress: Progress, n_steps: int) -> None:
        if progress.history and len(progress.history) > self._printed:
            self._printed = len(progress.history)
            loss = progress.history[-1]["loss"]
            share = progress.step / n_steps
            typer.echo(
                f"{self._name}: epoch {self._printed}, {share:.0%}, loss {loss:.4f}", err=True
            )


def _print_figures(figures: dict[str, pd.DataFrame]) -> None:
    for title, table in figures.items():
        typer.echo(f"\n{title}\n{table.to_string(index=False, float_format='{:.4f}'.format)}")

"""From unlabelled profiles to a shipped encoder: pretrain, judge, describe, save."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from resvae_core.compute import choose_device, describe_device
from resvae_core.config import RESEARCH_USE
from resvae_core.data.pretraining_profiles import (
    CELL_LINES,
    PretrainingProfiles,
    load_profiles,
)
from resvae_core.data.screens import load_training_set
from resvae_core.data.splits import leave_cell_line_out
from resvae_core.encoders.shipped import TITLES, ShippedEncoder, save_shipped
from resvae_core.evaluation.encoder_quality import linear_probes, reconstruction
from resvae_core.registry.card import library_versions
from resvae_core.tables import Expression
from resvae_core.training.pretraining import (
    PRESETS,
    TUMOURS,
    Checkpoints,
    Corpus,
    Pretrained,
    PretrainingConfig,
    Progress,
    prepare,
    pretrain,
    run_digest,
)

INTENDED_USE = (
    "Turns bulk RNA-seq of a tumour or a cell line into an embedding that drug-response models "
    "read. It predicts nothing by itself."
)
LIMITS = (
    "Learned from cell lines and tumours of few cancer types, bulk RNA-seq alone: not for single "
    "cells or normal tissue.",
    "It has seen the expression of the cell lines on which drug-response models are judged, never "
    "their response. benchmarks/pretraining.md says how much that helps.",
    "A PCA fitted on the training profiles of the same kind predicts hidden genes better than it "
    "does (figures below): what it offers is an embedding, not imputation.",
    "Tumours of most cohorts were known as within-study z-scores of half of the genes alone, and "
    "were brought to normal scores of ranks within the cohort.",
    "z-scores of tumours rest on cohorts of few cancer types.",
    "Its weights are kept in half precision; every figure was measured with them.",
)
LICENCES = {
    "CCLE / DepMap expression": "CC BY 4.0",
    "GDSC": "Research use; no commercial use without a licence",
    "TCGA level 3": "Open access",
}


def release(
    name: str,
    data: Path,
    target: Path,
    *,
    device: str,
    checkpoints: Path,
    seconds: float,
    report: Callable[[Progress, int], None],
) -> dict[str, pd.DataFrame]:
    """Pretrain one encoder and put it, with its card, where it is shipped from.

    Parameters
    ----------
    name
        ``large`` or ``small``.
    data
        Folder of installed data.
    target
        Folder of this encoder; replaced as a whole when the new one is complete.
    device
        As `compute.choose_device` takes it.
    checkpoints
        Folder in which each run, by its digest, keeps its checkpoint.
    seconds
        Least time between two checkpoints.
    report
        Called after every step.

    Returns
    -------
    dict
        Title to table: masked-gene reconstruction, and linear probes.
    """
    chosen, config = choose_device(device), PRESETS[name]
    profiles = load_profiles(data)
    corpus = prepare(profiles, config)
    kept = Checkpoints(checkpoints / run_digest(config, corpus)[:16], seconds)
    trained = pretrain(config, corpus, device=chosen, checkpoints=kept, report=report)
    trained.network.half().float()  # what is judged is what is saved
    figures = _judge(name, trained, config, corpus, profiles, data)
    card = _describe(name, trained, config, corpus, profiles, chosen, figures)
    save_shipped(
        target,
        name,
        trained.network,
        config.architecture,
        corpus.genes,
        corpus.moments,
        clip=config.clip,
        card=card,
    )
    return figures


def _judge(
    name: str,
    trained: Pretrained,
    config: PretrainingConfig,
    corpus: Corpus,
    profiles: PretrainingProfiles,
    data: Path,
) -> dict[str, pd.DataFrame]:
    screen = load_training_set(data).screen
    expression = Expression(profiles.group(CELL_LINES).values.loc[screen.lines])
    encoder = ShippedEncoder(
        name,
        trained.network,
        corpus.genes,
        corpus.moments,
        clip=config.clip,
        digest="",
        device=str(trained.network.output.device),
    )
    folds = leave_cell_line_out(screen.tissue, seed=0)
    return {
        "Hidden genes of held-out profiles": reconstruction(trained.network, corpus),
        "Ridge to ln IC50, cell lines left out": linear_probes(encoder, expression, screen, folds),
    }


def _describe(
    name: str,
    trained: Pretrained,
    config: PretrainingConfig,
    corpus: Corpus,
    profiles: PretrainingProfiles,
    device: torch.device,
    figures: Mapping[str, pd.DataFrame],
) -> dict[str, Any]:
    """Return the card."""
    threads = f", {torch.get_num_threads()} thread(s)" if device.type == "cpu" else ""
    return {
        "schema_version": 1,
        "name": name,
        "title": TITLES[name],
        "created": datetime.now(UTC).date().isoformat(),
        "notice": RESEARCH_USE,
        "purpose": INTENDED_USE,
        "limits": list(LIMITS),
        "architecture": asdict(config.architecture),
        "n_parameters": sum(p.numel() for p in trained.network.parameters()),
        "inputs": {
            "unit": "log2(TPM + 1)",
            "n_genes": len(corpus.genes),
            "missing_genes": "left out of the sum over genes, never filled",
            "references": _references(profiles),
        },
        "training": {
            "objective": "predict hidden genes from visible ones",
            "configuration": {k: v for k, v in asdict(config).items() if k != "architecture"},
            "n_profiles": len(corpus.training),
            "n_held_out": len(corpus.held_out),
            "groups": {group.name: len(group.values) for group in profiles.groups},
            "labels": "none: no drug response, no clinical record",
            "data_digests": profiles.digests(),
            "licences": LICENCES,
            "seed": config.seed,
            "device": describe_device(device) + threads,
            "history": trained.history,
        },
        "figures": {title: table.round(4).to_dict("records") for title, table in figures.items()},
        "versions": library_versions(),
    }


def _references(profiles: PretrainingProfiles) -> dict[str, str]:
    plain = [group for group in profiles.groups if group.form == "log2tpm"]
    tumours = [f"{g.name} ({len(g.values)})" for g in plain if g.name != CELL_LINES]
    return {
        CELL_LINES: f"{len(profiles.group(CELL_LINES).values)} cell lines",
        TUMOURS: f"TCGA primary tumours: {', '.join(tumours)}, each cohort weighing the same",
    }

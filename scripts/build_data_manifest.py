"""Build ``assets/catalog/data_manifest.json``: size, digest and terms of every known data file.

Run it from the project root on intact development data::

    python scripts/build_data_manifest.py [DATA_FOLDER]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path

from resvae_core.config import CATALOG, data_folder
from resvae_core.data.files import file_digest
from resvae_core.data.inventory import DataSource, KnownFile

SOURCES = (
    DataSource(
        "gdsc",
        "Genomics of Drug Sensitivity in Cancer (Wellcome Sanger Institute and MGH)",
        "research use; commercial use needs a licence from the Wellcome Sanger Institute",
        "Yang et al. 2013, Nucleic Acids Res 41:D955",
        "https://www.cancerrxgene.org",
    ),
    DataSource(
        "iorio2016",
        "Iorio et al. 2016, supplementary tables",
        "supplement of the publication; terms of GDSC apply to the data",
        "Iorio et al. 2016, Cell 166:740",
        "https://doi.org/10.1016/j.cell.2016.06.017",
    ),
    DataSource(
        "depmap",
        "DepMap and Cancer Cell Line Encyclopedia (Broad Institute)",
        "CC BY 4.0",
        "Ghandi et al. 2019, Nature 569:503",
        "https://depmap.org",
    ),
    DataSource(
        "ctrp",
        "Cancer Therapeutics Response Portal v2 (Broad Institute)",
        "open access; cite the publications",
        "Seashore-Ludlow et al. 2015, Cancer Discov 5:1210",
        "https://portals.broadinstitute.org/ctrp",
    ),
    DataSource(
        "tcga",
        "The Cancer Genome Atlas, level 3 (NCI and NHGRI)",
        "open access; do not try to identify participants",
        "Hutter and Zenklusen 2018, Cell 173:283",
        "https://portal.gdc.cancer.gov",
    ),
    DataSource(
        "tcga_cdr",
        "TCGA Pan-Cancer Clinical Data Resource",
        "open access; cite the publication",
        "Liu et al. 2018, Cell 173:400",
        "https://gdc.cancer.gov/about-data/publications/pancanatlas",
    ),
    DataSource(
        "gencode",
        "GENCODE v22 annotation",
        "open access; cite the publication",
        "Frankish et al. 2019, Nucleic Acids Res 47:D766",
        "https://www.gencodegenes.org",
    ),
    DataSource(
        "geneformer",
        "Geneformer vocabularies",
        "Apache License 2.0",
        "Theodoris et al. 2023, Nature 618:616",
        "https://huggingface.co/ctheodoris/Geneformer",
    ),
    DataSource(
        "scfoundation",
        "scFoundation gene order",
        "terms of the authors' repository; the model weights have a licence of their own",
        "Hao et al. 2024, Nat Methods 21:1481",
        "https://github.com/biomap-research/scFoundation",
    ),
)
# pattern of the path, sources, content; the first pattern that fits counts
CONTENTS = (
    ("gdsc/expression_panel.parquet", "depmap", "expression of 682 cancer genes, log2(TPM + 1)"),
    ("gdsc/expression_merged*", "depmap", "expression of 1,470 genes, log2(TPM + 1) scale"),
    ("gdsc/expression_lines.parquet", "gdsc depmap", "cell lines that have expression"),
    ("gdsc/response.parquet", "gdsc", "ln IC50 and dose–response AUC of lines and drugs"),
    ("gdsc/cell_lines.parquet", "gdsc depmap", "ids and tissue of cell lines"),
    ("gdsc/drugs.parquet", "gdsc", "drugs: names, targets, pathways"),
    ("gdsc/drugs_72.csv", "gdsc iorio2016", "the 72 drugs of the models"),
    ("gdsc/drug_summary.csv", "gdsc iorio2016", "counts and checks of every drug screen"),
    ("gdsc/binary_labels*", "iorio2016", "published calls, sensitive or resistant"),
    ("gdsc/thresholds.csv", "iorio2016", "published thresholds of ln IC50"),
    ("gdsc/mutation.parquet", "gdsc depmap", "mutations of cell lines"),
    ("gdsc/copy_number.parquet", "gdsc depmap", "copy number of cell lines"),
    ("tcga/*_zscore.parquet", "tcga", "expression of patients, within-study z-scores"),
    ("tcga/*_log2tpm_1577.parquet", "tcga", "expression of patients, 1,577 genes, log2(TPM + 1)"),
    ("tcga/*_expression.parquet", "tcga", "expression of patients, log2(TPM + 1)"),
    ("tcga/clinical.parquet", "tcga_cdr tcga", "survival and clinical record of patients"),
    ("tcga/drug_response.parquet", "tcga", "treatments of patients and recorded response"),
    ("tcga/gene_annotation.parquet", "gencode", "genes: ids, symbols, exon lengths"),
    ("external/ctrpv2_response.parquet", "ctrp", "ln IC50 of an independent screen"),
    ("encoders/geneformer/*", "geneformer", "vocabulary or configuration of Geneformer"),
    ("encoders/scfoundation/*", "scfoundation", "gene order of scFoundation's input"),
    ("uploads/*", "tcga", "profiles of patients in the form users have them"),
)


def main() -> None:
    """Read every file, build the manifest, write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=data_folder())
    folder: Path = parser.parse_args().data
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    files = [describe(folder, name) for name in names if not name.endswith(".md")]
    manifest = {
        "sources": [asdict(source) for source in SOURCES],
        "files": [asdict(file) for file in files],
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (CATALOG / "data_manifest.json").write_text(text + "\n", encoding="utf-8")
    print(f"{len(files)} files, {sum(file.size for file in files) / 1e6:.0f} MB")


def describe(folder: Path, name: str) -> KnownFile:
    """Describe one file; a file that fits no pattern raises StopIteration."""
    sources, content = next(
        (sources, content) for pattern, sources, content in CONTENTS if fnmatch(name, pattern)
    )
    path = folder / name
    size, digest = path.stat().st_size, file_digest(path)
    return KnownFile(name, size, digest, tuple(sources.split()), content)


if __name__ == "__main__":
    main()

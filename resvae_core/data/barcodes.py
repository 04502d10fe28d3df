"""TCGA barcodes: which sample is whose, and which one counts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

# TCGA-TSS-participant-sample type and vial; further parts (portion, plate, centre) may follow
BARCODE = re.compile(r"^(TCGA-[A-Z0-9]{2}-[A-Z0-9]{4})-(\d\d)([A-Z]?)")
# 01 primary solid tumour, 03 primary blood-derived cancer (peripheral blood), as in leukaemia
PRIMARY_TYPES = {"01", "03"}


@dataclass(frozen=True)
class PrimarySamples:
    """The one primary tumour sample of each patient.

    Parameters
    ----------
    sample_of
        Patient (``TCGA-XX-XXXX``) to the name of the chosen sample.
    dropped
        Reason to the number of samples left out for it.
    """

    sample_of: dict[str, str]
    dropped: dict[str, int]


def choose_primary(samples: Iterable[str]) -> PrimarySamples:
    """Choose one primary tumour sample a patient.

    Parameters
    ----------
    samples
        Sample barcodes, for example ``TCGA-05-4244-01A``. Of several primary samples of one
        patient the first in alphabetical order (vial A before B) is taken, whatever the order of
        the file.

    Returns
    -------
    PrimarySamples
        Patients in alphabetical order.
    """
    chosen: dict[str, str] = {}
    dropped: Counter[str] = Counter()
    for sample in sorted(samples):
        match = BARCODE.match(sample)
        if match is None:
            dropped["not a TCGA sample"] += 1
        elif match[2] not in PRIMARY_TYPES:
            dropped["not a primary tumour"] += 1
        elif match[1] in chosen:
            dropped["another sample of the same patient"] += 1
        else:
            chosen[match[1]] = sample
    return PrimarySamples(chosen, dict(dropped))

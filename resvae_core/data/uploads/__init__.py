"""Expression profiles from files of any common form; `read_expression` is the way in."""

from resvae_core.data.uploads.cells import list_sheets
from resvae_core.data.uploads.reader import read_expression
from resvae_core.data.uploads.record import (
    Detection,
    Issue,
    QcRecord,
    Unit,
    Upload,
    UploadOverrides,
)
from resvae_core.data.uploads.source import MAX_BYTES

__all__ = [
    "MAX_BYTES",
    "Detection",
    "Issue",
    "QcRecord",
    "Unit",
    "Upload",
    "UploadOverrides",
    "list_sheets",
    "read_expression",
]

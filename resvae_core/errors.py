"""Exceptions and warnings. Each error says what was wrong, what was expected, and what to do."""

from __future__ import annotations


class ResVAEError(Exception):
    """Base of every error that a user may meet.

    Parameters
    ----------
    message
        What was wrong with the value received, and what was expected.
    remedy
        What to do about it. It has no default: nobody can raise without one.
    """

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        """Let worker processes hand the error back whole."""
        return _rebuild, (type(self), self.message, self.remedy)


def _rebuild(kind: type[ResVAEError], message: str, remedy: str) -> ResVAEError:
    return kind(message, remedy=remedy)


class ConfigError(ResVAEError):
    """A configuration has an unknown key or a value of the wrong type."""


class InputDataError(ResVAEError, ValueError):
    """The data that was handed in cannot be used as it is."""


class GeneCoverageError(InputDataError):
    """Too few of the genes that a model reads are in the data."""


class ExpressionUnitsError(InputDataError):
    """The unit of the expression values is unknown or does not fit the values."""


class DuplicateSampleError(InputDataError):
    """Two samples have the same name."""


class SurvivalDataError(InputDataError):
    """Times, events or groups cannot be used for a survival analysis."""


class UploadTooLargeError(InputDataError):
    """A file is larger than the reader accepts."""


class CatalogError(ResVAEError, LookupError):
    """A name is not in a catalogue."""


class UnknownDrugError(CatalogError):
    """A drug is not among those the models know."""


class UnknownCohortError(CatalogError):
    """A cancer type or cohort is not known."""


class NotFittedError(ResVAEError):
    """A model was asked to predict before it was fitted."""


class ArtifactError(ResVAEError):
    """A saved model is missing, corrupt or incompatible."""


class TrainingDivergedError(ResVAEError):
    """The loss left the finite numbers during training."""


class JobError(ResVAEError):
    """A job in a process of its own was cancelled, interrupted or failed."""


class JobCancelledError(JobError):
    """A job was asked to stop, and stops."""


class JobInterruptedError(JobError):
    """A job's process ended before its work did; the job can be resumed."""


class EngineError(JobError):
    """The workers that were to compute cannot be reached, or were lost again and again."""


class AccessError(ResVAEError, PermissionError):
    """Somebody asked for what their role does not allow."""


class AuditError(ResVAEError):
    """The audit trail was changed, or a line of it is missing."""


class DeviceError(ResVAEError):
    """A compute device that was asked for is not there."""


class BusyError(ResVAEError):
    """Another process does at this moment what only one may do at a time."""


class DownloadError(ResVAEError):
    """A file could not be fetched: no connection, not found, cut short, or no room for it."""


class DistributionShiftWarning(UserWarning):
    """The data differ from those a model was trained on."""


class ProportionalHazardsWarning(UserWarning):
    """A Cox model's assumption of proportional hazards is doubtful."""


class SlowComputationWarning(UserWarning):
    """A computation that was asked for will take minutes or more on this device."""

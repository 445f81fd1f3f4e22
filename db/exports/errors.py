"""What can be wrong with a request for an export."""

from db.errors import Conflict, InvalidInput, NotFound, TooManyRequests


class ExportNotFound(NotFound):
    """No such export, or it belongs to somebody else."""

    code = "export_not_found"
    default_message = "There is no such export."


class ExportFileNotFound(NotFound):
    """The export has no file of this name (any more)."""

    code = "export_file_not_found"
    default_message = "The export has no such file."


class ExportNotReady(Conflict):
    """Only a finished export can be downloaded."""

    code = "export_not_ready"
    default_message = "The export has not finished."


class ExportEnded(Conflict):
    """A finished export cannot be cancelled."""

    code = "export_ended"
    default_message = "The export has already ended."


class UnknownDataset(InvalidInput):
    """The dataset, format or filter is not one that is offered."""

    code = "unknown_dataset"
    default_message = "There is no such dataset."


class InvalidExportFilter(InvalidInput):
    """A filter that this dataset does not offer, or a value it cannot take."""

    code = "invalid_export_filter"
    default_message = "The dataset has no such filter."


class TooManyExports(TooManyRequests):
    """The user has as many unfinished exports as one may have."""

    code = "too_many_exports"
    default_message = "Wait until one of your exports has finished."

"""One tree of errors meant for the user: every message is a sentence that says what to do next."""


class ShowtellError(Exception):
    """Base of every error that is the input's fault; its message is shown without a traceback."""


class ImageError(ShowtellError):
    """A photograph cannot be used."""


class UnsupportedImageError(ImageError):
    """The bytes are not a photograph in a format that is read here."""


class BrokenImageError(ImageError):
    """The file is truncated or corrupt."""


class ImageTooLargeError(ImageError):
    """The file, or the picture it declares, is over a limit."""


class RegionError(ImageError):
    """A region is empty, or not inside the photograph."""


class OptionError(ShowtellError, ValueError):
    """An option of the search has a value that it cannot have."""


class BundleError(ShowtellError):
    """A model folder is missing, damaged, or made by a newer version."""


class OutputError(ShowtellError):
    """An output cannot be written, or belongs to another run."""


class DataError(ShowtellError):
    """A data set is missing, or is not in a layout that is known."""


class DownloadError(DataError):
    """A file cannot be fetched, or what came is not what was promised."""


class CorrectionError(ShowtellError):
    """A correction cannot be kept."""


class RecipeError(ShowtellError):
    """A training recipe has a value that cannot be used."""


class CheckpointError(ShowtellError):
    """A checkpoint is missing, damaged, or belongs to another recipe."""


class PageError(ShowtellError):
    """The page without a server cannot be built."""


class MissingExtraError(ShowtellError):
    """An optional dependency is not installed.

    Parameters
    ----------
    what : what needs it, as the start of a sentence.
    extra : name of the extra of this package that brings it.
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs packages that are not installed: in a checkout, pip install '.[{extra}]'"
        )

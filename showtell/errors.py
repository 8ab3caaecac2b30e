"""The errors meant for the user. A message says what happened, and what to do about it."""


class ShowtellError(Exception):
    """Base of all errors that the user can fix; commands print the message without a traceback."""


class ImageError(ShowtellError):
    """A photograph cannot be read."""


class UnsupportedImageError(ImageError):
    """The file is not in a supported image format."""


class BrokenImageError(ImageError):
    """The file is truncated or corrupt."""


class ImageTooLargeError(ImageError):
    """The file has too many bytes or too many pixels, or takes too long to decode."""


class RegionError(ImageError):
    """A region is empty, or not inside the photograph."""


class OptionError(ShowtellError, ValueError):
    """An option of the search has an invalid value."""


class BundleError(ShowtellError):
    """A model folder is missing, damaged, or made by a newer version."""


class OutputError(ShowtellError):
    """An output cannot be written, or belongs to another run."""


class DataError(ShowtellError):
    """A data set is missing, damaged, or not in a known layout."""


class DownloadError(DataError):
    """A file cannot be downloaded, or does not match its checksum."""


class CorrectionError(ShowtellError):
    """A correction cannot be saved."""


class RecipeError(ShowtellError):
    """A training recipe has an invalid value."""


class CheckpointError(ShowtellError):
    """A checkpoint is missing, damaged, or belongs to another recipe."""


class PageError(ShowtellError):
    """The static page cannot be built."""


class MissingExtraError(ShowtellError):
    """An optional dependency is not installed.

    Parameters
    ----------
    what : the feature that requires it, as the start of the message.
    extra : the extra of this package that installs it.
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} requires packages that are not installed; "
            f"in a checkout, run: pip install '.[{extra}]'"
        )

"""Which photographs are heavy: those that keep a worker busy for long, by their header alone."""

from showtell import image
from showtell.errors import ImageError, ImageTooLargeError

HEAVY = 4_000_000  # pixels that are decoded: a tenth of a second of a PNG
HEADER_SECONDS = 0.02  # of the processor; an ordinary header takes a thousandth


def is_heavy(photograph: bytes, *, whole: bool) -> bool:
    """Return whether decoding a photograph takes long; nothing of it is decoded here.

    Parameters
    ----------
    photograph : bytes of the file.
    whole : whether it is needed at its full size; if not, much of a JPEG is left out.
    """
    try:
        return image.decoded_pixels(photograph, HEADER_SECONDS, whole=whole) > HEAVY
    except ImageTooLargeError:  # the header alone takes long
        return True
    except ImageError:  # a worker finds out as quickly
        return False

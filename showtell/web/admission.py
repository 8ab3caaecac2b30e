"""Recognises heavy photographs, which keep a worker busy for long, by their header."""

from showtell import image
from showtell.errors import ImageError, ImageTooLargeError

HEAVY = 4_000_000  # pixels to decode; takes a tenth of a second for a PNG
HEADER_SECONDS = 0.02  # CPU time; an ordinary header takes a thousandth of a second


def is_heavy(photograph: bytes, *, whole: bool) -> bool:
    """Return whether decoding a photograph takes long; reads only the header.

    Parameters
    ----------
    photograph : bytes of the file.
    whole : whether it is decoded at full size. If not, a JPEG is decoded at a smaller one.
    """
    try:
        return image.decoded_pixels(photograph, HEADER_SECONDS, whole=whole) > HEAVY
    except ImageTooLargeError:  # the header alone takes long
        return True
    except ImageError:  # a worker will fail as quickly
        return False

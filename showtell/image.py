"""Reading photographs: from files, bytes or arrays to upright RGB pixels."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from io import BytesIO
from threading import Lock

import numpy as np
from PIL import Image, ImageCms, ImageFile, TiffImagePlugin

from showtell import formats
from showtell.errors import (
    BrokenImageError,
    ImageError,
    ImageTooLargeError,
    UnsupportedImageError,
)
from showtell.limits import MAX_BYTES, MAX_PIXELS, Metered
from showtell.region import Region, crop

Source = str | os.PathLike | bytes | Image.Image | np.ndarray

_UNSUPPORTED = f"not a supported image format ({formats.NAMES})"
_DAMAGED = "the file is damaged or incomplete: copy or download it again"

# Signatures so short that a text file may start with them ("BMW ...", "P1 ...").
_SHORT_SIGNATURE = ("BMP", "PPM")

# Run-length coded BMP and unusual PPM are decoded in Python, at a second per million pixels.
_MAX_PIXELS_IN_PYTHON = 2_500_000
# Decoding a photograph of more pixels takes up to a gigabyte, so only one at a time is decoded.
_LARGE = 16_000_000
_one_large = Lock()
# Bytes of a JPEG between two checks of the time limit. Small, as a few kilobytes can hold a scan.
_JPEG_BLOCK = 2048

SEVERAL_FRAMES = "the file has several frames or pages; only the first is captioned"
PREVIEW = "this is a RAW file or a preview: only its small preview is captioned; export it as JPEG"

_NEW_SUBFILE_TYPE, _DNG_VERSION = 254, 50706
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}

# The transposition that makes a picture upright, by EXIF orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(source: Source, size: int, region: Region | None = None) -> np.ndarray:
    """Read a photograph, or a region of it, as input of a model.

    The photograph is resized to a square without keeping its aspect ratio: nothing is cropped, and
    the grid of annotations covers the whole photograph.

    Parameters
    ----------
    source : path, bytes of a file, Pillow image, or uint8 array (H, W, 3) in RGB.
    size : width and height of the result in pixels.
    region : the region to read; None is the whole photograph.

    Returns
    -------
    uint8 array (size, size, 3), RGB.

    Raises
    ------
    ImageError : see :func:`open_upright`.
    RegionError : see :func:`showtell.region.crop`.
    """
    upright = crop(open_upright(source, at_least=None if region else size), region)
    return np.array(upright.resize((size, size), Image.Resampling.BICUBIC, reducing_gap=2.0))


def read_and_warn(
    source: Source, size: int, region: Region | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read a photograph as :func:`read` does; return the pixels and warnings about the file."""
    if isinstance(source, str | os.PathLike):
        source = read_file(source)
    pixels = read(source, size, region)
    return pixels, _warnings(source) if isinstance(source, bytes) else ()


def _warnings(data: bytes) -> tuple[str, ...]:
    """Return a warning if only part of a file is captioned.

    JPEG files get no warning: their other pictures are previews of the first.
    """
    if data.startswith(b"\xff\xd8"):
        return ()
    try:
        image = open_header(data)
        if _is_preview(image, data):
            return (PREVIEW,)
        several = getattr(image, "is_animated", False)  # reads the file, which may be damaged
    except Exception:
        several = False
    return (SEVERAL_FRAMES,) if several else ()


def _is_preview(image: Image.Image, data: bytes) -> bool:
    """Return whether a file is a camera's RAW file based on TIFF; its first picture is a preview.

    Most have the flag for a reduced picture (TIFF 6.0, NewSubfileType). DNG has a version tag, and
    Canon's CR2 a signature.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    reduced = image.tag_v2.get(_NEW_SUBFILE_TYPE, 0)
    return data[8:10] == b"CR" or _DNG_VERSION in image.tag_v2 or reduced & 1 == 1


def open_upright(source: Source, *, at_least: int | None = None) -> Image.Image:
    """Open the first frame of a photograph, upright, in sRGB, on a white background.

    Parameters
    ----------
    source : path, bytes of a file, Pillow image, or uint8 array (H, W, 3) in RGB.
    at_least : if given, a JPEG may be decoded at a smaller size, which is much faster. Its sides
        then have at least twice this many pixels, or their full length if that is less.

    Returns
    -------
    A new Pillow image of mode RGB, without metadata.

    Raises
    ------
    UnsupportedImageError : the file is not in a supported format.
    BrokenImageError : the file is damaged or incomplete.
    ImageTooLargeError : the file exceeds a limit of :mod:`showtell.limits`. A file with too many
        pixels is not decoded.
    ImageError : the file does not exist or cannot be read, or the array has another type or shape.
    """
    image = _as_pillow(source)
    _check_size(image)
    width, height = image.size
    in_turn = _one_large if width * height > _LARGE else nullcontext()
    with in_turn, _decoder_errors_as(BrokenImageError, _DAMAGED):
        if at_least and image is not source:
            image.draft("RGB", (2 * at_least, 2 * at_least))
        image.load()
        upright = _turn(_to_srgb(image), _orientation(image))
    if isinstance(source, Image.Image | np.ndarray):
        upright = upright.copy()  # it may be the caller's image or share its memory
    upright.info = {}  # otherwise the profile and the orientation could be applied twice
    return upright


def decoded_pixels(data: bytes, seconds: float, *, whole: bool) -> float:
    """Estimate from its header how many pixels must be decoded to read a photograph.

    Each scan of a progressive JPEG counts as a whole picture. The estimate is at least the number
    of bytes, since the decoder reads all of them.

    Parameters
    ----------
    data : bytes of a file.
    seconds : limit of the CPU time for reading the header.
    whole : whether a JPEG is decoded at full size; see `at_least` of :func:`open_upright`.

    Raises
    ------
    ImageTooLargeError : the header takes longer, or the file exceeds a limit.
    ImageError : the file is not a supported photograph, or its header is damaged.
    """
    image = open_header(data, seconds)
    width, height = image.size
    if image.format not in ("JPEG", "MPO"):
        return max(width * height, len(data))
    scans = max(1, data.count(b"\xff\xda"))
    return max(width * height * scans, len(data)) / (1 if whole else 8)


def _as_pillow(source: Source) -> Image.Image:
    if isinstance(source, Image.Image):
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source)
    return open_header(source if isinstance(source, bytes) else read_file(source))


def _from_array(array: np.ndarray) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise ImageError(
            "an array must be uint8 of shape (height, width, 3), "
            f"not {array.dtype} of shape {array.shape}"
        )
    return Image.fromarray(array)


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height == 0:
        raise ImageError("the picture has no pixels")
    if width * height > MAX_PIXELS:
        raise ImageTooLargeError(
            f"the picture has {width} x {height} pixels; "
            f"at most {MAX_PIXELS / 1e6:g} million are allowed"
        )
    codecs = {tile[0] for tile in getattr(image, "tile", ())}
    if width * height > _MAX_PIXELS_IN_PYTHON and not codecs.isdisjoint(Image.DECODERS):
        raise ImageTooLargeError(
            f"this kind of {image.format} may have at most {_MAX_PIXELS_IN_PYTHON / 1e6:g} million "
            "pixels: save it as JPEG or PNG"
        )


# Files


def read_file(path: str | os.PathLike) -> bytes:
    """Return the bytes of a regular file, at most ``MAX_BYTES`` + 1.

    Raises
    ------
    ImageError : the file does not exist, is not a regular file, or cannot be read.
    """
    try:
        with open(os.fspath(path), "rb", opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ImageError("it is not a regular file")
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ImageError("there is no such file") from error
    except IsADirectoryError as error:
        raise ImageError("it is a folder, not a photograph") from error
    except OSError as error:
        raise ImageError(f"it cannot be read: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:  # the name contains a NUL
        raise ImageError("it is not a valid file name") from error


def _open_at_once(path: str, flags: int) -> int:
    """Open without blocking: opening a pipe would otherwise wait for a writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def open_header(data: bytes, seconds: float | None = None) -> Image.Image:
    """Detect the format of `data` by its first bytes, and read the header.

    Uses Pillow's registry of formats directly. ``Image.open`` warns about large pictures, and
    warnings cannot be turned off for one thread. It also gives the same error for a damaged JPEG
    and for a text file.
    """
    if len(data) > MAX_BYTES:
        raise ImageTooLargeError(f"the file is larger than {MAX_BYTES / 2**20:g} MB")
    if not data:
        raise UnsupportedImageError("the file is empty")
    if _is_heic(data):
        return _open_heic(data, seconds)
    head = data[:16].ljust(16)
    # The common formats first: importing all of Pillow's plugins takes longer than reading a file.
    for register in (Image.preinit, Image.init):
        register()
        for name in filter(None, (format.pillow for format in formats.FORMATS)):
            opener, accepts = Image.OPEN.get(name, (None, None))
            if opener and accepts and accepts(head) is True:
                with _decoder_errors_as(*_broken_header(name)):
                    return _opened(opener(Metered(data, seconds), ""), data)
    raise UnsupportedImageError(_UNSUPPORTED)


def _opened(image: Image.Image, data: bytes) -> Image.Image:
    """Reject a JPEG without an end marker, and let the time limit interrupt its decoder.

    Incomplete copies often end in zeros, which the decoder would accept as grey pixels.
    """
    if isinstance(image, ImageFile.ImageFile) and image.format in ("JPEG", "MPO"):
        assert image.fp is not None
        if data.rfind(b"\xff\xd9", image.fp.tell()) < 0:
            raise BrokenImageError(_DAMAGED)
        image.decodermaxblock = _JPEG_BLOCK
    return image


def _broken_header(name: str) -> tuple[type[ImageError], str]:
    if name in _SHORT_SIGNATURE:
        return UnsupportedImageError, _UNSUPPORTED
    message = f"the file starts as {name} but is damaged, incomplete, or of an unsupported kind"
    return BrokenImageError, message


@contextmanager
def _decoder_errors_as(refusal: type[ImageError], reason: str) -> Iterator[None]:
    """Raise `refusal` instead of a decoder's error, which can be of any class for hostile files.

    The exception is created only when it is raised. If a frame in its traceback referred to it, the
    cycle would keep the picture in memory until the next garbage collection.
    """
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise ImageTooLargeError("the picture is too large to be decoded") from error
    except Exception as error:
        raise refusal(reason) from error


def _is_heic(data: bytes) -> bool:
    """Return whether the file's first box has a brand of HEIC (ISO/IEC 14496-12, section 4.3)."""
    if data[4:8] != b"ftyp":
        return False
    brands = data[8 : min(int.from_bytes(data[:4]), 256)]
    return any(brands[i : i + 4] in _HEIC_BRANDS for i in range(0, len(brands), 4))


def _open_heic(data: bytes, seconds: float | None) -> Image.Image:
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise UnsupportedImageError(
            "HEIC photographs require one more package: pip install pillow-heif"
        ) from error
    with _decoder_errors_as(*_broken_header("HEIC")):
        image: Image.Image = HeifImageFile(Metered(data, seconds))
    return image


# Pixels


def _to_srgb(image: Image.Image) -> Image.Image:
    """Convert `image` to sRGB, with its embedded profile if that is valid."""
    profile = image.info.get("icc_profile")
    image = _on_white(_to_8_bits(image))
    if image.mode not in ("L", "CMYK", "LAB"):
        image = _to_rgb(image)
    if profile:
        try:
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, BytesIO(profile), srgb, outputMode="RGB")
            return converted or _to_rgb(image)
        except (ImageCms.PyCMSError, OSError, ImportError):
            pass  # damaged profile, profile for other channels, or Pillow without LittleCMS
    return _to_rgb(image)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert `image` to mode RGB, without a copy if it is RGB: copies may take 250 MB."""
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit, 32-bit and floating-point grey to 8 bits; Pillow would clip it at 255."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image).astype(np.float32)
    low, high = _grey_range(values[np.isfinite(values)])
    gain = 255 / (high - low) if high > low else 0.0
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    grey = np.clip(values * gain - low * gain, 0, 255).round().astype(np.uint8)
    key = image.info.get("transparency")  # in a PNG, the grey value that is transparent
    if isinstance(key, int):
        grey[np.asarray(image) == key] = 255
    return Image.fromarray(grey)


def _grey_range(values: np.ndarray) -> tuple[float, float]:
    """Guess the values of black and white, which the file does not specify.

    Returns the first common range that fits the values, with a margin for sharpened pictures. If
    none fits (12 bits in 16, temperatures), returns the minimum and maximum.
    """
    if not values.size:
        return 0, 0
    low, high = float(values.min()), float(values.max())
    for top in (1, 255, 65535):
        if low >= -0.1 * top and 0.125 * top < high <= 1.1 * top:
            return 0, top
    return low, high


def _on_white(image: Image.Image) -> Image.Image:
    """Composite a picture with any kind of transparency onto white."""
    if not image.has_transparency_data:
        return image
    grey = image.mode in ("1", "L", "LA", "La")
    image = image.convert("LA" if grey else "RGBA")
    canvas = Image.new("L" if grey else "RGB", image.size, "white")
    # RGBA is pasted without converting it first: the copy could take 250 MB.
    canvas.paste(image.convert("L") if grey else image, mask=image.getchannel("A"))
    return canvas


def _orientation(image: Image.Image) -> object:
    """Return the EXIF orientation, usually 1 to 8; None if there is no valid EXIF."""
    try:
        return image.getexif().get(0x0112)
    except Exception:
        return None


def _turn(image: Image.Image, orientation: object) -> Image.Image:
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)
